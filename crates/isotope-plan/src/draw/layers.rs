//! A layered layout of a graph without cycles: who requires stands left of what it requires, crossings are few.
//!
//! Longest-path ranks, a bend for every rank that an edge crosses, and barycentre sweeps that order each rank. Pure numbers: rank and
//! row of every node; how large they are drawn is the caller's matter.

/// Sweeps that order the ranks; more change nothing on graphs of this size.
const SWEEPS: usize = 8;

/// Where the nodes and edges are.
pub(super) struct Layers {
    /// Rank and row of each node, by index.
    pub nodes: Vec<(usize, usize)>,
    /// For each edge in the given order: the points it goes through, from node to node.
    pub edges: Vec<Vec<(usize, usize)>>,
    /// How many ranks.
    pub ranks: usize,
    /// Rows of the highest rank.
    pub rows: usize,
}

/// Lays out `count` nodes; an edge `(a, b)` puts `a` before `b`. There must be no cycle.
pub(super) fn layers(count: usize, edges: &[(usize, usize)]) -> Layers {
    let ranks = ranks(count, edges);
    // Bends get indices after the nodes.
    let mut rank_of = ranks.clone();
    let mut chains: Vec<Vec<usize>> = Vec::new();
    for &(from, to) in edges {
        let mut chain = vec![from];
        for rank in ranks[from] + 1..ranks[to] {
            chain.push(rank_of.len());
            rank_of.push(rank);
        }
        chain.push(to);
        chains.push(chain);
    }
    let total = rank_of.iter().max().map_or(0, |rank| rank + 1);
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); total];
    for (node, rank) in rank_of.iter().enumerate() {
        order[*rank].push(node);
    }
    let links: Vec<(usize, usize)> =
        chains.iter().flat_map(|chain| chain.windows(2).map(|pair| (pair[0], pair[1]))).collect();
    for sweep in 0..SWEEPS {
        sort_ranks(&mut order, &links, sweep % 2 == 0);
    }
    let mut row_of = vec![0; rank_of.len()];
    for rank in &order {
        for (row, node) in rank.iter().enumerate() {
            row_of[*node] = row;
        }
    }
    let place = |node: usize| (rank_of[node], row_of[node]);
    Layers {
        nodes: (0..count).map(place).collect(),
        edges: chains.iter().map(|chain| chain.iter().map(|node| place(*node)).collect()).collect(),
        ranks: total,
        rows: order.iter().map(Vec::len).max().unwrap_or(0),
    }
}

/// The longest way from a node that nothing leads to.
fn ranks(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut ranks = vec![0; count];
    for _ in 0..count {
        let mut changed = false;
        for &(from, to) in edges {
            if ranks[to] < ranks[from] + 1 {
                ranks[to] = ranks[from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    ranks
}

/// Orders each rank by the mean row of its neighbours in the rank before (or behind, going backwards).
fn sort_ranks(order: &mut [Vec<usize>], links: &[(usize, usize)], forwards: bool) {
    let ranks: Vec<usize> =
        if forwards { (1..order.len()).collect() } else { (0..order.len().saturating_sub(1)).rev().collect() };
    for rank in ranks {
        let beside = if forwards { &order[rank - 1] } else { &order[rank + 1] };
        let row = |node: usize| beside.iter().position(|other| *other == node);
        let weight = |node: usize| {
            let neighbours: Vec<usize> = links
                .iter()
                .filter_map(|&(from, to)| match forwards {
                    true if to == node => row(from),
                    false if from == node => row(to),
                    _ => None,
                })
                .collect();
            (!neighbours.is_empty()).then(|| neighbours.iter().sum::<usize>() * 1000 / neighbours.len())
        };
        let mut weighted: Vec<(usize, usize, usize)> =
            order[rank].iter().enumerate().map(|(at, node)| (weight(*node).unwrap_or(at * 1000), at, *node)).collect();
        weighted.sort_unstable();
        order[rank] = weighted.into_iter().map(|(_, _, node)| node).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::layers;
    use proptest::prelude::*;

    #[test]
    fn a_chain_with_a_short_cut() {
        let laid = layers(3, &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!(laid.nodes.iter().map(|(rank, _)| *rank).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(laid.edges[2].len(), 3, "the long edge bends around rank 1");
        assert_ne!(laid.edges[2][1], laid.nodes[1]);
    }

    #[test]
    fn crossings_are_undone() {
        let laid = layers(4, &[(0, 3), (1, 2)]);
        let rows: Vec<usize> = laid.nodes.iter().map(|(_, row)| *row).collect();
        assert_eq!(rows[0] < rows[1], rows[3] < rows[2]);
    }

    proptest! {
        #[test]
        fn no_two_nodes_share_a_place(pairs in proptest::collection::vec((0_usize..12, 0_usize..12), 0..30)) {
            let edges: Vec<_> = pairs.into_iter().filter(|(a, b)| a < b).collect();
            let laid = layers(12, &edges);
            let mut places = laid.nodes.clone();
            places.sort_unstable();
            places.dedup();
            prop_assert_eq!(places.len(), 12);
            for (edge, way) in edges.iter().zip(&laid.edges) {
                prop_assert_eq!(way.first(), Some(&laid.nodes[edge.0]));
                prop_assert_eq!(way.last(), Some(&laid.nodes[edge.1]));
                prop_assert!(way.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
            }
        }
    }
}
