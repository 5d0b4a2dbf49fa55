//! zlib is the oracle, with the very window that QEMU gives it.

use super::*;
use flate2::{Decompress, FlushDecompress, Status};

fn random(state: &mut u64) -> u32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as u32
}

/// Data of all kinds: text, records, noise, runs, repetitions of what was before at all distances.
fn data(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut data = Vec::with_capacity(length + 512);
    while data.len() < length {
        let size = random(&mut state) as usize % 400 + 1;
        match random(&mut state) % 6 {
            0 => data.extend((0..size).map(|_| random(&mut state) as u8)),
            1 => data.extend(std::iter::repeat_n(random(&mut state) as u8, size)),
            2 => data.extend((0..size).map(|_| b"etaoin shrdlu"[random(&mut state) as usize % 13])),
            3 => (0..size / 8).for_each(|number| data.extend((number as u64 * 4099).to_le_bytes())),
            4 => data.extend_from_slice(&b"static int the_same_again(struct cluster *cluster);\n".repeat(size / 50)),
            _ if !data.is_empty() => {
                let back = (random(&mut state) as usize % 6000).min(data.len() - 1) + 1;
                let from = data.len() - back;
                (0..size.min(300)).for_each(|index| data.push(data[from + index]));
            }
            _ => {}
        }
    }
    data.truncate(length);
    data
}

fn back(packed: &[u8], length: usize) -> Vec<u8> {
    let mut inflate = Decompress::new_with_window_bits(false, 12);
    let mut data = vec![0; length];
    let status = inflate.decompress(packed, &mut data, FlushDecompress::Finish).unwrap();
    assert_eq!(status, Status::StreamEnd);
    assert_eq!((inflate.total_out(), inflate.total_in()), (length as u64, packed.len() as u64));
    data
}

#[test]
fn zlib_reads_what_it_writes() {
    let mut one = Deflate::new(6);
    for level in 1..=9 {
        let mut fresh = Deflate::new(level);
        for seed in 0..60 {
            let length = [1, 2, 3, 4, 5, 258, 512, 4096, 4097, 65536, 65537, 200_000][seed as usize % 12];
            let data = data(seed + u64::from(level) * 1000, length);
            let mut packed = vec![0; length * 9 / 8 + 64];
            let size = fresh.compress(&data, &mut packed).unwrap();
            assert_eq!(back(&packed[..size], length), data, "level {level}, seed {seed}");
            if level == 6 {
                // What it compressed before is no input.
                let mut again = vec![0; packed.len()];
                assert_eq!(one.compress(&data, &mut again), Some(size));
                assert_eq!(again[..size], packed[..size]);
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut deflate = Deflate::new(6);
    let data = data(7, 65536);
    let mut packed = vec![0; 65535];
    let size = deflate.compress(&data, &mut packed).unwrap();
    for room in [0, 1, 100, size / 2, size - 5] {
        assert_eq!(deflate.compress(&data, &mut vec![0; room]), None, "{room}");
    }
    assert_eq!(deflate.compress(&data, &mut vec![0; size + 4]), Some(size));
}

#[test]
fn positions_begin_anew_before_they_overflow() {
    let mut deflate = Deflate::new(6);
    let data = data(3, 65536);
    let mut first = vec![0; 70000];
    let size = deflate.compress(&data, &mut first);
    deflate.base = u32::MAX - 65536 * 3 / 2;
    for _ in 0..3 {
        let mut packed = vec![0; 70000];
        assert_eq!(deflate.compress(&data, &mut packed), size);
        assert_eq!(packed, first);
    }
    assert!(deflate.base < 200_000);
}

#[test]
fn it_is_as_small_as_zlib() {
    let (mut ours, mut theirs) = (0, 0);
    let mut deflate = Deflate::new(4);
    let mut zlib = flate2::Compress::new_with_window_bits(flate2::Compression::new(6), false, 12);
    for seed in 0..40 {
        let data = data(seed, 65536);
        let mut packed = vec![0; 80000];
        ours += deflate.compress(&data, &mut packed).unwrap() as u64;
        zlib.reset();
        zlib.compress(&data, &mut packed, flate2::FlushCompress::Finish).unwrap();
        theirs += zlib.total_out();
    }
    assert!(ours <= theirs + theirs / 50, "{ours} bytes, and zlib has {theirs}");
}
