//! The qcow2 writer and reader against `qemu-img`: every image must pass `qemu-img check`, compare equal to its raw
//! original, and read back the same through our own reader.

use isotope_image::qcow2::{Codec, Options, Summary, Writer};
use isotope_image::reader::{self, ReadAt};
use isotope_image::sparse;
use isotope_sys::command::Tool;
use proptest::prelude::*;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const CODECS: [Codec; 3] = [Codec::ZSTD, Codec::ZLIB, Codec::None];

/// Writes the raw file `raw` as qcow2, by extents, in chunks of a few clusters.
fn convert(raw: &Path, out: &Path, cluster_bits: u32, codec: Codec, threads: usize) -> Summary {
    let input = File::open(raw).unwrap();
    let size = input.metadata().unwrap().len();
    let options = Options { virtual_size: size, cluster_bits, codec, threads };
    let file = File::options().read(true).write(true).create(true).truncate(true).open(out).unwrap();
    let mut writer = Writer::new(file, options).unwrap();
    let cluster = 1_u64 << cluster_bits;
    let mut next = 0;
    for extent in sparse::extents(&input, size).unwrap() {
        let mut at = (extent.start / cluster * cluster).max(next);
        let end = extent.end.next_multiple_of(cluster).min(size);
        while at < end {
            let count = (end - at).min(16 * cluster);
            let mut data = vec![0; count as usize];
            input.read_exact_at(&mut data, at).unwrap();
            writer.write(at, data.into()).unwrap();
            at += count;
        }
        next = end.next_multiple_of(cluster);
    }
    let summary = writer.finish().unwrap();
    assert_eq!(std::fs::metadata(out).unwrap().len(), summary.size);
    summary
}

fn verify(raw: &Path, image: &Path) {
    let check = Tool::new("qemu-img").args(["check", "-f", "qcow2"]).arg(image).run().unwrap().text();
    assert!(check.contains("No errors were found"), "{check}");
    Tool::new("qemu-img").args(["compare", "-f", "raw", "-F", "qcow2"]).arg(raw).arg(image).run().unwrap();
    same(raw, &*reader::open(image).unwrap());
}

fn same(raw: &Path, disk: &dyn ReadAt) {
    let data = std::fs::read(raw).unwrap();
    assert_eq!(disk.size(), (data.len() as u64).next_multiple_of(512));
    let mut back = vec![1; data.len()];
    disk.read_exact_at(&mut back, 0).unwrap();
    assert!(back == data, "our reader gives other bytes");
    // What it calls no data is zero.
    let mut at = 0;
    while let Some(range) = disk.next_data(at as u64).unwrap() {
        assert!(sparse::is_zero(&data[at.min(data.len())..(range.start as usize).min(data.len())]));
        assert!(range.start >= at as u64 && range.end > range.start);
        at = range.end as usize;
    }
    assert!(sparse::is_zero(&data[at.min(data.len())..]));
}

/// Fills a piece with text-like, constant or random bytes.
fn piece(kind: u8, length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    match kind % 3 {
        0 => (0..length).map(|at| b"some text that repeats "[at % 23]).collect(),
        1 => vec![random() | 1; length],
        _ => std::iter::repeat_with(random).take(length).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_sparse_disks_survive(
        size in 0_u64..12 << 20,
        bits in prop::sample::select(vec![9_u32, 12, 16, 18, 21]),
        codec in prop::sample::select(CODECS.to_vec()),
        pieces in prop::collection::vec((0_u64..12 << 20, 1_usize..400_000, any::<u8>(), any::<u64>()), 0..10),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (raw, image) = (dir.path().join("raw"), dir.path().join("qcow2"));
        let file = File::create(&raw).unwrap();
        file.set_len(size).unwrap();
        for (at, length, kind, seed) in pieces {
            let room = size.saturating_sub(at).min(length as u64) as usize;
            if room > 0 {
                file.write_all_at(&piece(kind, room, seed), at).unwrap();
            }
        }
        drop(file);
        convert(&raw, &image, bits, codec, 0);
        verify(&raw, &image);
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("raw");
    let data: Vec<u8> = (0..60).flat_map(|n| piece(n, 100_000, u64::from(n))).collect();
    std::fs::write(&raw, data).unwrap();
    for codec in CODECS {
        let outputs: Vec<Vec<u8>> = [1, 2, 7]
            .map(|threads| {
                let out = dir.path().join(format!("out{threads}"));
                convert(&raw, &out, 16, codec, threads);
                std::fs::read(out).unwrap()
            })
            .into();
        assert!(outputs.windows(2).all(|pair| pair[0] == pair[1]), "{codec:?}");
    }
}

#[test]
fn terabytes_of_nothing_are_small() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (dir.path().join("raw"), dir.path().join("qcow2"));
    let file = File::create(&raw).unwrap();
    file.set_len(15 << 40).unwrap();
    for at in [0, 3 << 30, 5 << 40, (15 << 40) - 4096] {
        file.write_all_at(&piece(0, 4096, 1), at).unwrap();
    }
    let summary = convert(&raw, &image, 16, Codec::ZSTD, 0);
    assert!(summary.size < 2 << 20 && summary.compressed == 4, "{summary:?}");
    Tool::new("qemu-img").args(["check", "-f", "qcow2"]).arg(&image).run().unwrap();
    let disk = reader::open(&image).unwrap();
    let mut buf = [0; 4096];
    disk.read_exact_at(&mut buf, 5 << 40).unwrap();
    assert_eq!(buf.as_slice(), piece(0, 4096, 1));
    assert_eq!(disk.next_data(4 << 30).unwrap().unwrap().start, 5 << 40);
}

#[test]
fn images_of_qemu_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (dir.path().join("raw"), dir.path().join("qcow2"));
    let data: Vec<u8> =
        (0..40).flat_map(|n| if n % 4 == 3 { vec![0; 150_000] } else { piece(n, 150_000, u64::from(n)) }).collect();
    std::fs::write(&raw, &data[..data.len() / 512 * 512]).unwrap();
    let options = [
        vec!["-c"],
        vec!["-c", "-o", "compression_type=zstd"],
        vec!["-c", "-o", "cluster_size=2M,compression_type=zstd"],
        vec!["-c", "-o", "cluster_size=512"],
        vec!["-o", "compat=0.10"],
        vec!["-o", "preallocation=metadata"],
        vec!["-S", "0", "-o", "lazy_refcounts=on"],
    ];
    for extra in options {
        Tool::new("qemu-img")
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .args(&extra)
            .arg(&raw)
            .arg(&image)
            .run()
            .unwrap();
        same(&raw, &*reader::open(&image).unwrap());
    }
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let create = |args: &[&str]| Tool::new("qemu-img").arg("create").args(args).current_dir(dir.path()).run().unwrap();
    create(&["-f", "raw", "base.raw", "1M"]);
    create(&["-f", "qcow2", "-b", "base.raw", "-F", "raw", "backing"]);
    create(&["-f", "qcow2", "-o", "extended_l2=on", "extended", "1M"]);
    create(&["-f", "qcow2", "-o", "data_file=ext.data", "external", "1M"]);
    create(&["-f", "vmdk", "-o", "subformat=streamOptimized", "vmdk", "1M"]);
    create(&["-f", "vhdx", "vhdx", "1M"]);
    let message = |name: &str| {
        let error = reader::open(&path(name)).err().unwrap();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {source}")
    };
    for (name, word) in [
        ("backing", "base.raw"),
        ("extended", "extended_l2"),
        ("external", "external data file"),
        ("vmdk", "vmdk image"),
        ("vhdx", "vhdx image"),
    ] {
        let text = message(name);
        assert!(text.contains(word), "{name}: {text}");
    }
}

#[test]
fn damaged_images_give_errors_not_panics() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (dir.path().join("raw"), dir.path().join("qcow2"));
    std::fs::write(&raw, (0..20).flat_map(|n| piece(n, 50_000, 7)).collect::<Vec<_>>()).unwrap();
    convert(&raw, &image, 12, Codec::ZSTD, 1);
    let good = std::fs::read(&image).unwrap();
    let mut state = 99_u64;
    for round in 0..600 {
        let mut bad = good.clone();
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Half of the damage in the header, half in the tables at the end.
            let at = (state >> 33) as usize % 112;
            let at = if round % 2 == 0 { at } else { bad.len() - 1 - ((state >> 33) as usize % (bad.len() / 2)) };
            bad[at] = (state >> 24) as u8;
        }
        bad.truncate(if round % 5 == 0 { bad.len() / 2 } else { bad.len() });
        std::fs::write(&image, bad).unwrap();
        if let Ok(disk) = reader::open(&image) {
            let mut buf = [0; 5000];
            for at in (0..disk.size().min(2 << 20)).step_by(4096) {
                disk.read_exact_at(&mut buf, at).ok();
            }
            disk.next_data(0).ok();
        }
    }
}
