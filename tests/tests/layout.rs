//! `isotope layout`: block device configurations shown, and what is wrong with them.

use isotope_tests::{isotope_command, root, scratch};
use std::process::Output;

fn layout(text: &str, args: &[&str]) -> Output {
    let dir = scratch("layout");
    let file = dir.path().join("block-device-default.yaml");
    std::fs::write(&file, text).unwrap();
    isotope_command(&dir.path().join("cache")).arg("layout").arg(&file).args(args).output().unwrap()
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(root().join("crates/isotope-plan/tests/blockdev").join(name)).unwrap()
}

#[test]
fn it_is_shown_as_tables_and_as_json() {
    let output = layout(&fixture("many.tree.yaml"), &["--image-size", "1GiB"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for part in ["MBR, 1 GiB", "extended", "1062912", "LABEL=LOGS /var/log vfat defaults 0 2"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let output = layout(&fixture("many.graph.yaml"), &["--image-size", "1GiB", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["geometry"]["image0"]["partitions"][3]["number"], 7);
    assert_eq!(json["layout"]["disks"][0]["table"]["kind"], "mbr");
    assert_eq!(json["graph"]["order"][0], "image0");
    let output = layout(&fixture("one.tree.yaml"), &["--fstab"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "LABEL=mkfs_system / ext4 noatime 0 1\n");
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_class() {
    let wrong = fixture("one.tree.yaml").replace("label: mbr", "label: sun").replace("size: 100%", "size: 10 G G");
    for (text, args, code, words) in [
        (wrong.as_str(), &[][..], 3, &["label must be 'mbr' or 'gpt'", "block-device-default.yaml:7"][..]),
        ("- mkfs: [", &[], 3, &["block-device-default.yaml"]),
        (&fixture("one.tree.yaml"), &["--image-size", "much"], 2, &["--image-size: unit_str [much] not known"]),
        (&fixture("many.tree.yaml"), &["--image-size", "16MiB"], 3, &["smaller than the block device configuration"]),
        (&fixture("one.tree.yaml"), &["--block-size", "4096"], 3, &["an MBR is written in sectors of 512 bytes"]),
    ] {
        let output = layout(text, args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        for word in words {
            assert!(said.contains(word), "`{word}` is not in:\n{said}");
        }
    }
}
