//! Archives made by someone else, who means harm: whatever they say, nothing is made outside the directory, and they are refused.

use isotope_registry::archive::{UnpackError, unpack};
use std::io::Write as _;
use std::path::Path;
use tar::{EntryType, Header};

struct Item {
    kind: u8,
    path: &'static str,
    link: &'static str,
    data: &'static [u8],
    records: &'static [(&'static str, &'static str)],
}

const fn item(kind: u8, path: &'static str, link: &'static str) -> Item {
    Item { kind, path, link, data: b"", records: &[] }
}

const ROOT: Item = item(b'5', "./", "");

fn append(archive: &mut Vec<u8>, kind: u8, path: &str, link: &str, data: &[u8]) {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::new(kind));
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_size(data.len() as u64);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_device_major(0).unwrap();
    header.set_device_minor(0).unwrap();
    header.set_cksum();
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(data);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

fn archive(items: &[Item]) -> Vec<u8> {
    let mut plain = Vec::new();
    for item in items {
        if !item.records.is_empty() {
            let mut records = Vec::new();
            for (key, value) in item.records {
                let rest = key.len() + value.len() + 3;
                let length = (rest..).find(|length| *length == rest + length.to_string().len()).unwrap();
                writeln!(records, "{length} {key}={value}").unwrap();
            }
            append(&mut plain, b'x', "PaxHeader", "", &records);
        }
        append(&mut plain, item.kind, item.path, item.link, item.data);
    }
    plain.extend_from_slice(&[0; 1024]);
    zstd::encode_all(&plain[..], 1).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        dir.read_dir().unwrap().map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn host_hostile_archives_are_refused_and_make_nothing_outside() {
    const fn with(records: &'static [(&'static str, &'static str)]) -> Item {
        Item { kind: b'0', path: "./a", link: "", data: b"", records }
    }
    let full = |path| Item { data: b"x", ..item(b'0', path, "") };
    let cases: Vec<(&str, Vec<Item>)> = vec![
        ("does not begin with", vec![ROOT, item(b'0', "../outside", "")]),
        ("does not begin with", vec![ROOT, item(b'0', "/outside", "")]),
        ("a part that is", vec![ROOT, item(b'5', "./d/", ""), item(b'0', "./d/../../outside", "")]),
        ("a part that is", vec![ROOT, with(&[("path", "./../outside")])]),
        ("is not there", vec![ROOT, item(b'2', "./link", ".."), item(b'0', "./link/outside", "")]),
        ("is not there", vec![ROOT, item(b'2', "./link", "/tmp"), item(b'5', "./link/outside/", "")]),
        ("is not there", vec![ROOT, item(b'0', "./no/outside", "")]),
        ("does not begin with", vec![ROOT, item(b'1', "./a", "/etc/passwd")]),
        ("a part that is", vec![ROOT, item(b'1', "./a", "./../secret")]),
        ("is not there", vec![ROOT, item(b'2', "./link", ".."), item(b'1', "./a", "./link/secret")]),
        ("is not there", vec![ROOT, item(b'0', "./.wh.gone", ""), item(b'1', "./a", "./gone")]),
        ("there twice", vec![ROOT, item(b'0', "./a", ""), full("./a")]),
        ("there twice", vec![ROOT, item(b'2', "./a", "../secret"), full("./a")]),
        ("there twice", vec![ROOT, item(b'0', "./.wh.a", ""), full("./a")]),
        ("there twice", vec![ROOT, item(b'0', "./.wh..wh..opq", ""), item(b'0', "./.wh..wh..opq", "")]),
        ("whiteout of overlayfs", vec![ROOT, item(b'3', "./a", "")]),
        ("no whiteout of anything", vec![ROOT, item(b'0', "./.wh...", "")]),
        ("no whiteout of anything", vec![ROOT, item(b'0', "./.wh..wh.x", "")]),
        ("no whiteout of anything", vec![ROOT, item(b'0', "./.wh.", "")]),
        ("no empty file", vec![ROOT, full("./.wh.x")]),
        ("no empty file", vec![ROOT, item(b'5', "./.wh.x/", "")]),
        ("no layer of ours", vec![ROOT, with(&[("SCHILY.xattr.trusted.overlay.redirect", "/x")])]),
        ("no layer of ours", vec![ROOT, with(&[("SCHILY.xattr.system.other", "x")])]),
        ("which ours have not", vec![ROOT, with(&[("ISOTOPE.redirect", "/x")])]),
        (
            "which ours have not",
            vec![ROOT, Item { kind: b'5', path: "./d/", ..with(&[("ISOTOPE.redirect", "/../x")]) }],
        ),
        ("which ours have not", vec![ROOT, with(&[("size", "1000")])]),
        ("its time is none", vec![ROOT, with(&[("mtime", "soon")])]),
        ("is no file", vec![ROOT, Item { data: b"9 path=x\n", ..item(b'g', "./x", "") }]),
        ("which ours never are", vec![ROOT, item(b'L', "./x", ""), item(b'0', "./a", "")]),
        ("which ours never are", vec![ROOT, item(b'S', "./x", "")]),
        ("is no file", vec![ROOT, Item { data: b"x", ..item(b'2', "./a", "b") }]),
        ("directories end in", vec![ROOT, item(b'5', "./d", "")]),
        ("must be its first entry", vec![item(b'0', "./a", "")]),
        ("must be its first entry", vec![ROOT, ROOT]),
        ("before its time", vec![]),
        ("follow each other", vec![ROOT, Item { kind: b'x', data: b"9 path=x\n", ..with(&[("path", "./x")]) }]),
        ("malformed", vec![ROOT, Item { data: b"9999 path=x\n", ..item(b'x', "x", "") }, item(b'0', "./a", "")]),
    ];
    for (why, items) in cases {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        let into = dir.path().join("into");
        std::fs::create_dir(&into).unwrap();
        let error = unpack(&archive(&items)[..], &into).unwrap_err();
        assert!(matches!(error, UnpackError::Odd { .. }) && error.to_string().contains(why), "{why}: {error}");
        assert_eq!(names(dir.path()), ["into", "secret"], "{why}");
        assert!(!Path::new("/tmp/outside").exists());
    }
}

#[test]
fn host_damaged_archives_are_refused() {
    let good = archive(&[ROOT, Item { data: &[7; 5000], ..item(b'0', "./a", "") }]);
    let into = || tempfile::tempdir().unwrap();
    unpack(&good[..], into().path()).unwrap();
    for bad in [&good[..good.len() - 9], &good[..20], b"no zstd", b""] {
        assert!(unpack(bad, into().path()).is_err(), "{} bytes", bad.len());
    }
    let cut = zstd::encode_all(&zstd::decode_all(&good[..]).unwrap()[..1536], 1).unwrap();
    assert!(matches!(unpack(&cut[..], into().path()), Err(UnpackError::Read(_))));
}

/// Whatever the bytes: an error or a directory, no panic, and nothing beside it.
#[test]
fn host_archives_with_any_byte_changed_make_nothing_outside() {
    let records: &[(&str, &str)] = &[("path", "./d/x"), ("SCHILY.xattr.user.a", "b"), ("mtime", "1.5")];
    let items = [
        ROOT,
        item(b'5', "./d/", ""),
        Item { kind: b'0', path: "./d/x", link: "", data: b"data", records },
        item(b'2', "./d/link", "../../secret"),
        item(b'1', "./hard", "./d/x"),
        item(b'0', "./.wh.gone", ""),
    ];
    let plain = zstd::decode_all(&archive(&items)[..]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), "secret").unwrap();
    let into = dir.path().join("into");
    let mut refused = 0;
    // Every byte that says something, changed to what means something.
    for at in (0..plain.len()).filter(|at| plain[*at] != 0) {
        for byte in [b'/', b'.', b'0', b'2', b'5', b'7', 0, 0xff] {
            let mut bad = plain.clone();
            bad[at] = byte;
            let block = at / 512 * 512;
            // With a checksum that fits, or it would end there.
            if &bad[block + 257..block + 262] == b"ustar" {
                bad[block + 148..block + 156].fill(b' ');
                let sum: u32 = bad[block..block + 512].iter().map(|byte| u32::from(*byte)).sum();
                bad[block + 148..block + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
            std::fs::create_dir(&into).unwrap();
            refused += u32::from(unpack(&zstd::encode_all(&bad[..], 1).unwrap()[..], &into).is_err());
            std::fs::remove_dir_all(&into).unwrap();
            assert_eq!(names(dir.path()), ["secret"], "byte {at} as {byte}");
            assert_eq!(std::fs::read(dir.path().join("secret")).unwrap(), b"secret", "byte {at} as {byte}");
        }
    }
    assert!(refused > 500, "{refused}");
}
