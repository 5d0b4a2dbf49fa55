//! Deflate (RFC 1951) for clusters: each a stream of its own, in one piece, with a window of 4 KiB.
//!
//! QEMU reads clusters by `inflateInit2(-12)` (block/qcow2-threads.c), so no match may begin further back. A general library has
//! windows of 32 KiB, keeps state from call to call, and cannot see the whole input; none of that is needed here. What is done: chains
//! of places with the same four bytes and the last place of each three; a match is taken unless the next byte begins a longer one;
//! blocks end where the mix of symbols changes; each is written with its own codes, with the fixed ones, or as it is, whatever is least.

use super::huffman::{self, Code, Tables};

/// How far back matches may begin: what every reader of qcow2 keeps.
const WINDOW: usize = 1 << 12;
const MASK: usize = WINDOW - 1;
/// The longest match.
const LONGEST: usize = 258;
const HASH3_BITS: u32 = 13;
const HASH4_BITS: u32 = 15;
/// A token with this bit is a match: length in bits 16 to 24, distance below.
const MATCH: u32 = 1 << 31;
/// After so many tokens it is looked whether a block should end.
const LOOK_AFTER: usize = 512;
/// No block has fewer bytes, but for the last.
const SHORTEST_BLOCK: usize = 6 << 10;
/// After so many literals in a row a byte is passed over after each, after twice as many two, and so on, up to the second number: noise
/// has no matches.
const PASS_OVER: (usize, usize) = (128, 6);
/// Kinds of tokens whose mix tells one kind of data from another: literals by four of their bits, short and long matches.
const KINDS: usize = 18;

/// How much is searched: places that are looked at, and the length that is good enough at once.
#[derive(Debug, Clone, Copy)]
struct Effort {
    depth: u32,
    nice: usize,
}

const EFFORTS: [Effort; 9] = [
    Effort { depth: 3, nice: 16 },
    Effort { depth: 4, nice: 24 },
    Effort { depth: 6, nice: 32 },
    Effort { depth: 8, nice: 48 },
    Effort { depth: 14, nice: 64 },
    Effort { depth: 24, nice: 96 },
    Effort { depth: 48, nice: 130 },
    Effort { depth: 128, nice: 200 },
    Effort { depth: 512, nice: LONGEST },
];

/// A compressor of clusters.
pub struct Deflate {
    effort: Effort,
    /// Added to positions: what tables know of clusters before is below it.
    base: u32,
    /// The last place of three bytes, of four, and before each place the one with the same four.
    three: Box<[u32; 1 << HASH3_BITS]>,
    four: Box<[u32; 1 << HASH4_BITS]>,
    before: Box<[u32; WINDOW]>,
    tokens: Vec<u32>,
    tables: Tables,
}

fn zeroed<const N: usize>() -> Box<[u32; N]> {
    vec![0; N].into_boxed_slice().try_into().unwrap_or_else(|_| Box::new([0; N]))
}

fn four_bytes(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

fn hash(value: u32, bits: u32) -> usize {
    (value.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
}

/// How many bytes are the same at two places, up to `most`.
fn same(data: &[u8], one: usize, two: usize, most: usize) -> usize {
    let (Some(one), Some(two)) = (data.get(one..one + most), data.get(two..two + most)) else { return 0 };
    let mut length = 0;
    for (one, two) in one.chunks_exact(8).zip(two.chunks_exact(8)) {
        let word = |bytes: &[u8]| bytes.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let differs = word(one) ^ word(two);
        if differs != 0 {
            return length + (differs.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + one[length..].iter().zip(&two[length..]).take_while(|(one, two)| one == two).count()
}

#[derive(Debug, Clone, Copy, Default)]
struct Match {
    length: usize,
    distance: usize,
}

impl Deflate {
    /// `level` is 1 to 9, as zlib's.
    pub fn new(level: u32) -> Self {
        let effort = EFFORTS[(level.clamp(1, 9) - 1) as usize];
        Self {
            effort,
            base: 1,
            three: zeroed(),
            four: zeroed(),
            before: zeroed(),
            tokens: Vec::new(),
            tables: Tables::default(),
        }
    }

    /// Compresses `data` into `target`; how many bytes that takes. `None`: it does not fit.
    pub fn compress(&mut self, data: &[u8], target: &mut [u8]) -> Option<usize> {
        let length = u32::try_from(data.len()).ok()?;
        if self.base.checked_add(length).is_none() {
            self.base = 1;
            self.three.fill(0);
            self.four.fill(0);
        }
        let size = self.stream(data, &mut Bits::new(target));
        self.base += length;
        size
    }

    fn stream(&mut self, data: &[u8], out: &mut Bits<'_>) -> Option<usize> {
        let mut blocks = Blocks::default();
        let mut held = Match::default();
        let (mut at, mut literals) = (0, 0);
        self.tokens.clear();
        while at < data.len() {
            let found = self.find(data, at, held.length);
            self.insert(data, at);
            if held.length > 0 && found.length <= held.length {
                // The one that began a byte earlier is as good.
                self.token(&mut blocks, held);
                let end = at - 1 + held.length;
                (at + 1..end).for_each(|at| self.insert(data, at));
                at = end;
                held = Match::default();
            } else if found.length >= self.effort.nice {
                if held.length > 0 {
                    self.literal(&mut blocks, data[at - 1]);
                }
                self.token(&mut blocks, found);
                (at + 1..at + found.length).for_each(|at| self.insert(data, at));
                at += found.length;
                held = Match::default();
            } else {
                if held.length > 0 {
                    self.literal(&mut blocks, data[at - 1]);
                }
                held = found;
                at += 1;
                if found.length == 0 {
                    literals += 1;
                    let end = data.len().min(at + PASS_OVER.1.min(literals / PASS_OVER.0));
                    data[at - 1..end].iter().for_each(|byte| self.literal(&mut blocks, *byte));
                    at = end;
                } else {
                    literals = 0;
                }
            }
            if self.tokens.len() >= blocks.look_at {
                blocks.look_at = self.tokens.len() + LOOK_AFTER;
                let fits = blocks.end - blocks.begin >= SHORTEST_BLOCK && data.len() - blocks.end >= SHORTEST_BLOCK;
                if blocks.has_changed() && fits {
                    self.block(data, &mut blocks, false, out);
                }
            }
            if out.full {
                return None;
            }
        }
        self.block(data, &mut blocks, true, out);
        out.finish()
    }

    /// The longest match at a place, if it is longer than `than`.
    fn find(&self, data: &[u8], at: usize, than: usize) -> Match {
        let Some(bytes) = four_bytes(data, at) else { return Match::default() };
        let most = LONGEST.min(data.len() - at);
        let mut best = Match { length: than.max(2), distance: 0 };
        let here = self.base as usize + at;
        let first = (self.base as usize).max(here.saturating_sub(WINDOW));
        // A place that is not too far back, as an offset in the data.
        let place = |known: u32| (known as usize >= first).then(|| known as usize - self.base as usize);
        // Where there is a good match already, a better one a byte later is searched for with less effort.
        let depth = if than >= self.effort.nice / 4 { self.effort.depth / 4 + 1 } else { self.effort.depth };
        let mut next = self.four[hash(bytes, HASH4_BITS)];
        for _ in 0..depth {
            let Some(other) = place(next) else { break };
            if best.length >= most {
                break;
            }
            if data[other + best.length] == data[at + best.length] && four_bytes(data, other) == Some(bytes) {
                let length = same(data, at, other, most);
                if length > best.length {
                    best = Match { length, distance: at - other };
                    if length >= self.effort.nice {
                        break;
                    }
                }
            }
            next = self.before[next as usize & MASK];
        }
        if best.length < 3
            && let Some(other) = place(self.three[hash(bytes << 8, HASH3_BITS)])
            && four_bytes(data, other).is_some_and(|found| (found ^ bytes) << 8 == 0)
        {
            best = Match { length: 3, distance: at - other };
        }
        if best.distance > 0 { best } else { Match::default() }
    }

    fn insert(&mut self, data: &[u8], at: usize) {
        let Some(bytes) = four_bytes(data, at) else { return };
        // A cluster has at most 2 MiB, and the sum was checked.
        let here = self.base + at as u32;
        self.three[hash(bytes << 8, HASH3_BITS)] = here;
        let four = &mut self.four[hash(bytes, HASH4_BITS)];
        self.before[here as usize & MASK] = std::mem::replace(four, here);
    }

    fn literal(&mut self, blocks: &mut Blocks, byte: u8) {
        self.tokens.push(u32::from(byte));
        self.tables.literals[usize::from(byte)] += 1;
        blocks.end += 1;
        blocks.new[usize::from(byte >> 4)] += 1;
    }

    fn token(&mut self, blocks: &mut Blocks, Match { length, distance }: Match) {
        // 258 and 4096 at most.
        self.tokens.push(MATCH | (length as u32) << 16 | distance as u32);
        self.tables.literals[usize::from(huffman::length_symbol(length))] += 1;
        self.tables.distances[usize::from(huffman::distance_symbol(distance))] += 1;
        blocks.end += length;
        blocks.new[16 + usize::from(length >= 9)] += 1;
    }

    /// Writes a block of the tokens so far.
    fn block(&mut self, data: &[u8], blocks: &mut Blocks, last: bool, out: &mut Bits<'_>) {
        let plain = &data[blocks.begin..blocks.end];
        let codes = self.tables.codes();
        let stored = huffman::stored_bits(plain.len(), out.count);
        let cost = codes.bits.min(codes.fixed_bits).min(stored);
        if cost == stored {
            huffman::store(plain, last, out);
        } else {
            let fixed = cost == codes.fixed_bits;
            out.put(u64::from(last) | if fixed { 1 << 1 } else { 2 << 1 }, 3);
            let (literals, distances) = if fixed {
                huffman::fixed()
            } else {
                codes.header(out);
                (&codes.literals, &codes.distances)
            };
            write(&self.tokens, literals, distances, out);
        }
        self.tokens.clear();
        self.tables.clear();
        *blocks = Blocks { begin: blocks.end, end: blocks.end, ..Blocks::default() };
    }
}

fn write(tokens: &[u32], literals: &[Code; 288], distances: &[Code; 30], out: &mut Bits<'_>) {
    for token in tokens {
        if token & MATCH == 0 {
            let code = literals[(token & 0xff) as usize];
            out.code(code, 0, 0);
            continue;
        }
        let (length, distance) = ((token >> 16 & 0x1ff) as usize, (token & 0xffff) as usize);
        let symbol = huffman::length_symbol(length);
        let (base, extra) = huffman::length_base(symbol);
        out.code(literals[usize::from(symbol)], length - base, extra);
        let symbol = huffman::distance_symbol(distance);
        let (base, extra) = huffman::distance_base(symbol);
        out.code(distances[usize::from(symbol)], distance - base, extra);
    }
    out.code(literals[huffman::END], 0, 0);
}

/// Where the current block is, and of what kinds its tokens are.
struct Blocks {
    begin: usize,
    end: usize,
    look_at: usize,
    old: [u32; KINDS],
    new: [u32; KINDS],
}

impl Default for Blocks {
    fn default() -> Self {
        Self { begin: 0, end: 0, look_at: LOOK_AFTER, old: [0; KINDS], new: [0; KINDS] }
    }
}

impl Blocks {
    /// Whether what came last is another mix than what came before. If not, it belongs to that from now on.
    fn has_changed(&mut self) -> bool {
        let (old, new): (u32, u32) = (self.old.iter().sum(), self.new.iter().sum());
        let difference: u64 = self
            .old
            .iter()
            .zip(&self.new)
            .map(|(was, is)| (u64::from(*was) * u64::from(new)).abs_diff(u64::from(*is) * u64::from(old)))
            .sum();
        // Two fifths of the tokens would have to be of another kind.
        let changed = old > 0 && difference * 5 > u64::from(old) * u64::from(new) * 2;
        for (old, new) in self.old.iter_mut().zip(&mut self.new) {
            *old += std::mem::take(new);
        }
        changed
    }
}

/// Bits, the lowest first, into a slice that may be too small.
pub(super) struct Bits<'t> {
    target: &'t mut [u8],
    at: usize,
    bits: u64,
    pub(super) count: u32,
    full: bool,
}

impl<'t> Bits<'t> {
    fn new(target: &'t mut [u8]) -> Self {
        Self { target, at: 0, bits: 0, count: 0, full: false }
    }

    /// At most 32 bits.
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.bits |= bits << self.count;
        self.count += count;
        if self.count >= 32 {
            self.bytes(&(self.bits as u32).to_le_bytes());
            self.bits >>= 32;
            self.count -= 32;
        }
    }

    /// A symbol's code, and `extra` bits of what it leaves open.
    pub(super) fn code(&mut self, code: Code, rest: usize, extra: u32) {
        self.put(u64::from(code.bits) | (rest as u64) << code.length, u32::from(code.length) + extra);
    }

    /// Fills the last byte with zeros.
    pub(super) fn align(&mut self) {
        let whole = self.count.div_ceil(8) as usize;
        let bytes = self.bits.to_le_bytes();
        self.bytes(&bytes[..whole]);
        (self.bits, self.count) = (0, 0);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        match self.target.get_mut(self.at..self.at + bytes.len()) {
            Some(target) => target.copy_from_slice(bytes),
            None => self.full = true,
        }
        self.at += bytes.len();
    }

    fn finish(&mut self) -> Option<usize> {
        self.align();
        (!self.full).then_some(self.at)
    }
}

#[cfg(test)]
#[path = "deflate_tests.rs"]
mod tests;
