//! The codes of deflate (RFC 1951, sections 3.2.2 to 3.2.7): how symbols are counted, what codes they get, and how those are told.

use super::deflate::Bits;
use std::sync::OnceLock;

/// The symbol that ends a block.
pub(super) const END: usize = 256;
/// No code is longer.
const LONGEST: usize = 15;
/// No code of code lengths is.
const LONGEST_OF_LENGTHS: usize = 7;
/// The order in which the lengths of the codes of code lengths are told.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The length at which each length symbol begins, from symbol 257 on.
const LENGTHS: [u16; 29] =
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_EXTRA: [u8; 29] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];

/// Length → symbol.
const LENGTH_SYMBOLS: [u16; 259] = {
    let mut symbols = [0; 259];
    let mut symbol = 0;
    let mut length = 3;
    while length < 259 {
        while symbol + 1 < LENGTHS.len() && LENGTHS[symbol + 1] as usize <= length {
            symbol += 1;
        }
        symbols[length] = 257 + symbol as u16;
        length += 1;
    }
    symbols
};

pub(super) fn length_symbol(length: usize) -> u16 {
    LENGTH_SYMBOLS[length]
}

/// Where a length symbol begins, and how many bits say how far from there.
pub(super) fn length_base(symbol: u16) -> (usize, u32) {
    let index = usize::from(symbol) - 257;
    (usize::from(LENGTHS[index]), u32::from(LENGTH_EXTRA[index]))
}

/// Two symbols for each power of two.
pub(super) fn distance_symbol(distance: usize) -> u16 {
    let past = (distance - 1) as u32;
    if past < 4 {
        return past as u16;
    }
    let power = past.ilog2();
    (2 * power + (past >> (power - 1) & 1)) as u16
}

/// Where a distance symbol begins, and how many bits say how far from there.
pub(super) fn distance_base(symbol: u16) -> (usize, u32) {
    if symbol < 4 {
        return (usize::from(symbol) + 1, 0);
    }
    let extra = u32::from(symbol / 2 - 1);
    (((2 + usize::from(symbol & 1)) << extra) + 1, extra)
}

/// A symbol's code, its first bit lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) length: u8,
}

/// How often each symbol comes.
pub(super) struct Tables {
    pub(super) literals: [u32; 288],
    pub(super) distances: [u32; 30],
}

impl Default for Tables {
    fn default() -> Self {
        Self { literals: [0; 288], distances: [0; 30] }
    }
}

/// The best codes for a block, and how many bits it takes with them and with the fixed ones.
pub(super) struct Codes {
    pub(super) literals: [Code; 288],
    pub(super) distances: [Code; 30],
    pub(super) bits: u64,
    pub(super) fixed_bits: u64,
    header: Header,
}

impl Tables {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn codes(&mut self) -> Codes {
        self.literals[END] = 1;
        let (mut literal_lengths, mut distance_lengths) = ([0; 288], [0; 30]);
        lengths(&self.literals, LONGEST, &mut literal_lengths);
        lengths(&self.distances, LONGEST, &mut distance_lengths);
        let header = Header::of(&literal_lengths, &distance_lengths);
        let literals = codes(&literal_lengths);
        let distances = codes(&distance_lengths);
        let (fixed_literals, fixed_distances) = fixed();
        let sum = |literals: &[Code; 288], distances: &[Code; 30]| {
            let of = |counts: &[u32], codes: &[Code], extra: &dyn Fn(usize) -> u32| -> u64 {
                let all = counts.iter().zip(codes).enumerate();
                all.map(|(symbol, (count, code))| u64::from(*count) * u64::from(u32::from(code.length) + extra(symbol)))
                    .sum()
            };
            let length =
                |symbol: usize| symbol.checked_sub(257).and_then(|it| LENGTH_EXTRA.get(it)).copied().unwrap_or(0);
            of(&self.literals, literals, &|symbol| u32::from(length(symbol)))
                + of(&self.distances, distances, &|symbol| distance_base(symbol as u16).1)
        };
        Codes {
            bits: 3 + header.bits() + sum(&literals, &distances),
            fixed_bits: 3 + sum(fixed_literals, fixed_distances),
            literals,
            distances,
            header,
        }
    }
}

impl Codes {
    /// Tells a reader what the codes are.
    pub(super) fn header(&self, out: &mut Bits<'_>) {
        self.header.write(out);
    }
}

/// The codes that need not be told.
pub(super) fn fixed() -> (&'static [Code; 288], &'static [Code; 30]) {
    static FIXED: OnceLock<([Code; 288], [Code; 30])> = OnceLock::new();
    let (literals, distances) = FIXED.get_or_init(|| {
        let mut lengths = [8_u8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        (codes(&lengths), codes(&[5; 30]))
    });
    (literals, distances)
}

/// Bits of data that is stored as it is, where `count` bits are waiting for their byte.
pub(super) fn stored_bits(length: usize, count: u32) -> u64 {
    let blocks = length.div_ceil(usize::from(u16::MAX)).max(1) as u64;
    // Three bits, at most seven to the next byte, and two lengths.
    blocks * (3 + 32) + length as u64 * 8 + u64::from((5 + 8 - count % 8) % 8) + (blocks - 1) * 5
}

/// Blocks of data as it is.
pub(super) fn store(data: &[u8], last: bool, out: &mut Bits<'_>) {
    let mut parts = data.chunks(usize::from(u16::MAX)).peekable();
    while let Some(part) = parts.next() {
        out.put(u64::from(last && parts.peek().is_none()), 3);
        out.align();
        let length = part.len() as u16;
        out.bytes(&length.to_le_bytes());
        out.bytes(&(!length).to_le_bytes());
        out.bytes(part);
    }
}

/// The lengths of a Huffman code none of whose codes is longer than `longest`; symbols that do not come have none.
fn lengths(counts: &[u32], longest: usize, lengths: &mut [u8]) {
    let mut symbols: Vec<(u32, u16)> =
        counts.iter().zip(0..).filter(|(count, _)| **count > 0).map(|(count, symbol)| (*count, symbol)).collect();
    symbols.sort_unstable();
    if let [(_, only)] = symbols[..] {
        lengths[usize::from(only)] = 1;
        return;
    }
    let mut of_length = [0_u32; 64];
    for depth in depths(&symbols) {
        of_length[depth.min(longest)] += 1;
    }
    // Codes that were too long have taken more than there is: a shorter one is given up for two.
    let mut taken: u64 = (1..=longest).map(|length| u64::from(of_length[length]) << (longest - length)).sum();
    while taken > 1 << longest {
        of_length[longest] -= 1;
        if let Some(length) = (1..longest).rev().find(|length| of_length[*length] > 0) {
            of_length[length] -= 1;
            of_length[length + 1] += 2;
        }
        taken -= 1;
    }
    let mut symbols = symbols.iter();
    for length in (1..=longest).rev() {
        for (_, symbol) in symbols.by_ref().take(of_length[length] as usize) {
            lengths[usize::from(*symbol)] = length as u8;
        }
    }
}

/// How deep each leaf of the Huffman tree is; `symbols` are sorted by how often they come.
fn depths(symbols: &[(u32, u16)]) -> Vec<usize> {
    let leaves = symbols.len();
    if leaves < 2 {
        return Vec::new();
    }
    // Inner nodes come in the order of their weights: two queues.
    let mut parents = vec![0; 2 * leaves - 1];
    let mut weights: Vec<u64> = Vec::with_capacity(leaves - 1);
    let (mut leaf, mut inner) = (0, 0);
    for node in 0..leaves - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let takes_leaf = leaf < leaves && (inner >= weights.len() || u64::from(symbols[leaf].0) <= weights[inner]);
            let (child, its) =
                if takes_leaf { (leaf, u64::from(symbols[leaf].0)) } else { (leaves + inner, weights[inner]) };
            if takes_leaf {
                leaf += 1
            } else {
                inner += 1
            }
            parents[child] = leaves + node;
            weight += its;
        }
        weights.push(weight);
    }
    // From the root, which is the last, down.
    let mut depths = vec![0; 2 * leaves - 1];
    for node in (0..2 * leaves - 2).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    depths.truncate(leaves);
    depths
}

/// The codes of these lengths (3.2.2), first bit lowest.
fn codes<const N: usize>(lengths: &[u8; N]) -> [Code; N] {
    let mut next = [0_u16; LONGEST + 2];
    for length in lengths.iter().filter(|length| **length > 0) {
        next[usize::from(*length) + 1] += 1;
    }
    for length in 1..next.len() {
        next[length] = (next[length] + next[length - 1]) << u16::from(length <= LONGEST);
    }
    std::array::from_fn(|symbol| {
        let length = lengths[symbol];
        if length == 0 {
            return Code::default();
        }
        let code = next[usize::from(length)];
        next[usize::from(length)] += 1;
        Code { bits: code.reverse_bits() >> (16 - length), length }
    })
}

/// What is told of a block's codes: their lengths, with repetitions, in a code of their own (3.2.7).
struct Header {
    literals: usize,
    distances: usize,
    /// Symbols with the value and the number of their extra bits.
    symbols: Vec<(u8, u8, u8)>,
    codes: [Code; 19],
    told: usize,
}

impl Header {
    fn of(literals: &[u8; 288], distances: &[u8; 30]) -> Self {
        let used = |lengths: &[u8], least: usize| {
            lengths.iter().rposition(|length| *length > 0).map_or(least, |last| (last + 1).max(least))
        };
        let (literal_count, distance_count) = (used(literals, 257), used(distances, 1));
        let mut all = literals[..literal_count].to_vec();
        all.extend_from_slice(&distances[..distance_count]);
        let mut symbols = Vec::new();
        for run in all.chunk_by(|one, two| one == two) {
            let (length, mut left) = (run[0], run.len());
            if length > 0 {
                symbols.push((length, 0, 0));
                left -= 1;
            }
            while left > 0 {
                let (symbol, least, most, bits) = match length {
                    0 if left > 10 => (18, 11, 138, 7),
                    0 => (17, 3, 10, 3),
                    _ => (16, 3, 6, 2),
                };
                let count = left.min(most);
                if count < least {
                    symbols.extend(std::iter::repeat_n((length, 0, 0), count));
                } else {
                    symbols.push((symbol, (count - least) as u8, bits));
                }
                left -= count;
            }
        }
        let mut counts = [0; 19];
        symbols.iter().for_each(|(symbol, _, _)| counts[usize::from(*symbol)] += 1);
        let mut code_lengths = [0; 19];
        lengths(&counts, LONGEST_OF_LENGTHS, &mut code_lengths);
        let told = ORDER.iter().rposition(|symbol| code_lengths[*symbol] > 0).map_or(4, |last| (last + 1).max(4));
        Self { literals: literal_count, distances: distance_count, symbols, codes: codes(&code_lengths), told }
    }

    fn bits(&self) -> u64 {
        let symbols = self.symbols.iter();
        let told: u64 = symbols
            .map(|(symbol, _, extra)| u64::from(self.codes[usize::from(*symbol)].length) + u64::from(*extra))
            .sum();
        14 + 3 * self.told as u64 + told
    }

    fn write(&self, out: &mut Bits<'_>) {
        out.put((self.literals - 257) as u64, 5);
        out.put((self.distances - 1) as u64, 5);
        out.put((self.told - 4) as u64, 4);
        for symbol in &ORDER[..self.told] {
            out.put(u64::from(self.codes[*symbol].length), 3);
        }
        for (symbol, value, extra) in &self.symbols {
            out.code(self.codes[usize::from(*symbol)], usize::from(*value), u32::from(*extra));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_those_of_the_tables_of_the_rfc() {
        let lengths = [(3, 257), (10, 264), (11, 265), (12, 265), (13, 266), (257, 284), (258, 285)];
        assert!(lengths.iter().all(|(length, symbol)| length_symbol(*length) == *symbol));
        let distances =
            [(1, 0), (4, 3), (5, 4), (6, 4), (7, 5), (9, 6), (13, 7), (1024, 19), (1025, 20), (4096, 23), (32768, 29)];
        assert!(distances.iter().all(|(distance, symbol)| distance_symbol(*distance) == *symbol));
        for length in 3..=258 {
            let (base, extra) = length_base(length_symbol(length));
            assert!(base <= length && length - base < 1 << extra, "{length}");
        }
        for distance in 1..=32768 {
            let (base, extra) = distance_base(distance_symbol(distance));
            assert!(base <= distance && distance - base < 1 << extra, "{distance}");
        }
    }

    #[test]
    fn no_code_is_too_long_and_all_room_is_used() {
        // Fibonacci's numbers make the deepest tree.
        let mut counts = [0_u32; 40];
        (counts[0], counts[1]) = (1, 1);
        for index in 2..40 {
            counts[index] = counts[index - 1] + counts[index - 2];
        }
        for longest in [7, 15] {
            let counts = &counts[..if longest == 7 { 19 } else { 40 }];
            let mut own = [0; 40];
            lengths(counts, longest, &mut own);
            let room: u64 =
                own.iter().filter(|it| **it > 0).map(|length| 1_u64 << (longest - usize::from(*length))).sum();
            assert_eq!(room, 1 << longest);
            assert!(own[..counts.len()].is_sorted_by(|one, two| one >= two), "{own:?}");
        }
    }

    #[test]
    fn fixed_codes_are_the_rfcs() {
        let (literals, distances) = fixed();
        let reversed = |code: Code| code.bits.reverse_bits() >> (16 - code.length);
        let expected = [(0, 0x30, 8), (143, 0xbf, 8), (144, 0x190, 9), (255, 0x1ff, 9), (256, 0, 7), (280, 0xc0, 8)];
        for (symbol, bits, length) in expected {
            assert_eq!((reversed(literals[symbol]), literals[symbol].length), (bits, length), "{symbol}");
        }
        assert_eq!(distances[29], Code { bits: 29_u16.reverse_bits() >> 11, length: 5 });
    }
}
