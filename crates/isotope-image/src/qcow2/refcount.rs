//! Which host clusters are in use, and by how many: counted while writing, stored at the end.

use super::Qcow2Error;

/// Refcounts of 16 bits (order 4), as QEMU makes them.
#[derive(Debug)]
pub struct Refcounts {
    counts: Vec<u16>,
    cluster_bits: u32,
}

/// Where the structures of refcounts went.
#[derive(Debug, PartialEq, Eq)]
pub struct Placed {
    /// Offset of the refcount table.
    pub table_offset: u64,
    /// Its clusters.
    pub table_clusters: u32,
    /// Everything from `table_offset` to the end of the image: the table, then the blocks.
    pub bytes: Vec<u8>,
}

impl Refcounts {
    /// Nothing in use.
    pub const fn new(cluster_bits: u32) -> Self {
        Self { counts: Vec::new(), cluster_bits }
    }

    /// Counts one use of all clusters that `offset..offset + length` touches.
    pub fn use_range(&mut self, offset: u64, length: u64) -> Result<(), Qcow2Error> {
        if length == 0 {
            return Ok(());
        }
        let first = index(offset >> self.cluster_bits)?;
        let last = index((offset + length - 1) >> self.cluster_bits)?;
        if self.counts.len() <= last {
            self.counts.resize(last + 1, 0);
        }
        for count in &mut self.counts[first..=last] {
            *count = count.checked_add(1).ok_or_else(|| {
                Qcow2Error::Options(
                    "a cluster holds more than 65535 compressed clusters; use smaller clusters".to_owned(),
                )
            })?;
        }
        Ok(())
    }

    /// Puts refcount table and blocks at `offset` (the end of the image, a multiple of the cluster size).
    pub fn place(mut self, offset: u64) -> Result<Placed, Qcow2Error> {
        let cluster = 1_usize << self.cluster_bits;
        let (per_block, per_table_cluster) = (cluster / 2, cluster / 8);
        let used = index(offset >> self.cluster_bits)?;
        // The structures count themselves: grow until they fit.
        let (mut blocks, mut tables) = (0, 0);
        loop {
            let need_blocks = (used + blocks + tables).div_ceil(per_block);
            let need_tables = need_blocks.div_ceil(per_table_cluster).max(1);
            if (need_blocks, need_tables) == (blocks, tables) {
                break;
            }
            (blocks, tables) = (need_blocks, need_tables);
        }
        let own = ((tables + blocks) as u64) << self.cluster_bits;
        self.use_range(offset, own)?;
        let mut bytes = Vec::with_capacity((tables + blocks) * cluster);
        for block in 0..blocks {
            bytes.extend_from_slice(&(offset + (((tables + block) as u64) << self.cluster_bits)).to_be_bytes());
        }
        bytes.resize(tables * cluster, 0);
        bytes.extend(self.counts.iter().flat_map(|count| count.to_be_bytes()));
        bytes.resize((tables + blocks) * cluster, 0);
        let table_clusters =
            u32::try_from(tables).map_err(|_| Qcow2Error::Options("the image is too large".to_owned()))?;
        Ok(Placed { table_offset: offset, table_clusters, bytes })
    }
}

fn index(cluster: u64) -> Result<usize, Qcow2Error> {
    usize::try_from(cluster).map_err(|_| Qcow2Error::Options("the image is too large".to_owned()))
}
