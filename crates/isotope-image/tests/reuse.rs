//! Images made from earlier ones are, byte for byte, what they would be without; damage to the earlier ones changes nothing.

use isotope_image::export::{self, ExportOptions, Exported};
use isotope_image::qcow2::{Codec, Earlier, Index, IndexError, Options, Summary, Writer};
use isotope_plan::{Checksum, Compression, Export, Format};
use isotope_sys::command::Tool;
use proptest::prelude::*;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Writes a disk as an image in chunks of some clusters; the image's bytes are in `out`, its index in `out.clusters`.
fn write(disk: &[u8], out: &Path, options: &Options, earlier: Option<Arc<Earlier>>) -> (Summary, Index) {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(out).unwrap();
    let mut writer = Writer::indexed(file, *options, earlier).unwrap();
    let step = 5 << options.cluster_bits;
    for (number, chunk) in disk.chunks(step).enumerate() {
        writer.write((number * step) as u64, chunk.to_vec().into()).unwrap();
    }
    let (summary, index) = writer.finish_indexed().unwrap();
    std::fs::write(out.with_extension("clusters"), index.to_bytes()).unwrap();
    (summary, index)
}

fn open(image: &Path) -> Result<Arc<Earlier>, IndexError> {
    Earlier::open(image, &image.with_extension("clusters")).map(Arc::new)
}

/// Words, zeros or noise.
fn piece(kind: u8, length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    match kind % 3 {
        0 => (0..length).map(|at| b"words that come again "[at % 22] ^ u8::from(at % 97 == 0)).collect(),
        1 => vec![0; length],
        _ => std::iter::repeat_with(random).take(length).collect(),
    }
}

fn disk() -> Vec<u8> {
    (0..40).flat_map(|n| piece(n, 70_000, u64::from(n))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_image_does_not_depend_on_the_earlier_one(
        bits in prop::sample::select(vec![9_u32, 12, 16, 18]),
        codec in prop::sample::select(vec![Codec::ZSTD, Codec::ZLIB]),
        pieces in prop::collection::vec((1_usize..200_000, any::<u8>(), any::<u64>()), 1..12),
        edits in prop::collection::vec((0_usize..2 << 20, 1_usize..100_000, any::<u8>(), any::<u64>()), 0..6),
        cut in 0_usize..300_000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut disk: Vec<u8> = pieces.iter().flat_map(|(length, kind, seed)| piece(*kind, *length, *seed)).collect();
        let options = |disk: &[u8]| Options { virtual_size: disk.len() as u64, cluster_bits: bits, codec, threads: 0 };
        write(&disk, &path("first"), &options(&disk), None);
        for (at, length, kind, seed) in edits {
            let at = at.min(disk.len());
            let end = (at + length).min(disk.len());
            let new = piece(kind, end - at, seed);
            disk[at..end].copy_from_slice(&new);
        }
        disk.truncate(disk.len().saturating_sub(cut).max(1));
        let how = options(&disk);
        let (plain, index) = write(&disk, &path("plain"), &how, None);
        let (reusing, same) = write(&disk, &path("reusing"), &how, Some(open(&path("first")).unwrap()));
        prop_assert!(std::fs::read(path("plain")).unwrap() == std::fs::read(path("reusing")).unwrap());
        prop_assert!(index == same && reusing.damaged == 0);
        prop_assert_eq!(Summary { reused: 0, ..reusing }, plain);
        // The image that was made from another is as good as that for the next.
        let (again, _) = write(&disk, &path("again"), &how, Some(open(&path("reusing")).unwrap()));
        prop_assert_eq!(again.reused, plain.compressed + plain.raw);
        prop_assert!(std::fs::read(path("plain")).unwrap() == std::fs::read(path("again")).unwrap());
    }
}

#[test]
fn damage_to_the_earlier_image_is_seen_cluster_by_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let (first, again) = (dir.path().join("first"), dir.path().join("again"));
    let disk = disk();
    let options = Options { virtual_size: disk.len() as u64, cluster_bits: 16, codec: Codec::ZSTD, threads: 2 };
    let (plain, _) = write(&disk, &first, &options, None);
    let good = std::fs::read(&first).unwrap();
    let mut bad = good.clone();
    for at in (65_536..bad.len()).step_by(150_000) {
        bad[at] ^= 1;
    }
    std::fs::write(&first, &bad).unwrap();
    let (summary, _) = write(&disk, &again, &options, Some(open(&first).unwrap()));
    assert!(summary.damaged > 0 && summary.reused > 0, "{summary:?}");
    assert_eq!(summary.damaged + summary.reused, plain.compressed + plain.raw);
    assert!(std::fs::read(&again).unwrap() == good);
    // Another length is another file.
    std::fs::write(&first, &bad[..bad.len() - 1]).unwrap();
    assert!(matches!(open(&first), Err(IndexError::Damaged(_))));
}

#[test]
fn an_image_of_another_kind_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let (first, out) = (dir.path().join("first"), dir.path().join("out"));
    let disk = disk();
    let options = Options { virtual_size: disk.len() as u64, cluster_bits: 16, codec: Codec::ZSTD, threads: 2 };
    write(&disk, &first, &options, None);
    for (other, word) in [
        (Options { codec: Codec::ZLIB, ..options }, "compression"),
        (Options { codec: Codec::Zstd { level: 4 }, ..options }, "compression"),
        (Options { cluster_bits: 15, ..options }, "cluster size"),
    ] {
        let earlier = open(&first).unwrap();
        assert!(Writer::can_use(&earlier, &other).unwrap_err().to_string().contains(word));
        assert!(Writer::indexed(File::create(&out).unwrap(), other, Some(earlier)).is_err());
    }
}

fn export(raw: &Path, compression: Compression, out: &Path, earlier: Option<&Path>) -> Exported {
    std::fs::create_dir_all(out).unwrap();
    let options = ExportOptions { index: true, earlier: earlier.map(Path::to_owned), ..ExportOptions::default() };
    let export = Export::new(Format::Qcow2, compression, vec![Checksum::Sha256], "image.qcow2".to_owned());
    let made = export::disk(&File::open(raw).unwrap(), &[export], out, &options, &|_| {}).unwrap();
    made.into_iter().next().unwrap()
}

#[test]
fn an_output_is_made_from_an_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut data = disk();
    std::fs::write(path("raw"), &data).unwrap();
    let first = export(&path("raw"), Compression::Zstd, &path("first"), Some(&path("none")));
    let clusters = first.clusters.unwrap();
    assert!(clusters.reused == 0 && clusters.note.is_none(), "that there is no earlier image needs no words");
    std::fs::write(path("first/image.qcow2.clusters"), clusters.index.to_bytes()).unwrap();

    data[1_000_000..1_000_004].copy_from_slice(b"edit");
    std::fs::write(path("raw"), &data).unwrap();
    let plain = export(&path("raw"), Compression::Zstd, &path("plain"), None);
    let made = export(&path("raw"), Compression::Zstd, &path("made"), Some(&path("first")));
    let clusters = made.clusters.unwrap();
    assert!(
        clusters.note.is_none() && clusters.stored - clusters.reused == 1,
        "{:?}",
        (clusters.stored, clusters.reused)
    );
    assert_eq!(plain.digests, made.digests);
    Tool::new("qemu-img").args(["check", "-q"]).arg(&made.path).run().unwrap();
    let compare = Tool::new("qemu-img").args(["compare", "-f", "raw", "-F", "qcow2"]);
    compare.arg(path("raw")).arg(&made.path).run().unwrap();

    // What cannot be used is told, and the output is the same.
    let zlib = export(&path("raw"), Compression::Zlib, &path("zlib"), Some(&path("first"))).clusters.unwrap();
    assert!(zlib.note.unwrap().contains("another compression"));
    let index = path("first/image.qcow2.clusters");
    let mut bytes = std::fs::read(&index).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&index, bytes).unwrap();
    let made = export(&path("raw"), Compression::Zstd, &path("damaged"), Some(&path("first")));
    let clusters = made.clusters.unwrap();
    assert!(clusters.reused == 0 && clusters.note.unwrap().contains("digest"), "it is told");
    assert_eq!(plain.digests, made.digests);
}
