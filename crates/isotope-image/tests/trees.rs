//! Outputs of a tree, read by other programs: container images by skopeo, archives by tar.

use isotope_image::export::{ExportOptions, tree};
use isotope_plan::{Compression, Container, Export, Format};
use isotope_sys::command::Tool;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// A tree with what trees have: modes, links, a hidden file at its top.
fn make(root: &Path) {
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::create_dir_all(root.join("proc/1")).unwrap();
    fs::create_dir_all(root.join("dev")).unwrap();
    fs::write(root.join("etc/hostname"), "here\n").unwrap();
    fs::write(root.join(".hidden-top"), "x").unwrap();
    fs::write(root.join("etc/tool"), vec![7; 300_000]).unwrap();
    fs::set_permissions(root.join("etc/tool"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::hard_link(root.join("etc/tool"), root.join("etc/tool2")).unwrap();
    symlink("etc/hostname", root.join("link")).unwrap();
}

fn export(format: Format, compression: Compression, name: &str) -> Export {
    let container = Container { name: "site/image:7".to_owned(), arch: "arm64".to_owned(), manifest: None };
    Export { container: Some(container), ..Export::new(format, compression, Vec::new(), name.to_owned()) }
}

fn run(program: &str, args: &[&str]) -> String {
    Tool::new(program).args(args).run().unwrap_or_else(|error| panic!("{error}")).text()
}

#[test]
fn host_container_images_are_what_skopeo_reads() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    make(&root);
    let options = ExportOptions { epoch: 1_700_000_000, ..ExportOptions::default() };
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        let name = format!("{}.oci", compression.name());
        tree(&root, &[export(Format::Oci, compression, &name)], dir.path(), &options, &|_| {}).unwrap();
        let path = dir.path().join(&name);
        let path = path.to_str().unwrap();
        let oci: serde_json::Value =
            serde_json::from_str(&run("skopeo", &["inspect", &format!("oci-archive:{path}")])).unwrap();
        assert_eq!((oci["Architecture"].as_str(), oci["Os"].as_str()), (Some("arm64"), Some("linux")), "{oci}");
        assert_eq!(oci["Created"], "2023-11-14T22:13:20Z");
        // Copying checks every digest.
        let copy = dir.path().join(format!("{}.dir", compression.name()));
        run(
            "skopeo",
            &["copy", "--insecure-policy", "-q", &format!("oci-archive:{path}"), &format!("dir:{}", copy.display())],
        );
        assert!(copy.join("manifest.json").exists());
        // What `docker load` reads.
        let docker = format!("docker-archive:{path}:site/image:7");
        let docker: serde_json::Value = serde_json::from_str(&run("skopeo", &["inspect", &docker])).unwrap();
        assert_eq!(docker["Architecture"], "arm64");
    }
    // The layer holds the tree, and nothing of a running system.
    let unpacked = dir.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let path = dir.path().join("none.oci");
    run("tar", &["-C", unpacked.to_str().unwrap(), "-xf", path.to_str().unwrap()]);
    let index: serde_json::Value = serde_json::from_slice(&fs::read(unpacked.join("manifest.json")).unwrap()).unwrap();
    let layer = unpacked.join(index[0]["Layers"][0].as_str().unwrap());
    let listed = run("tar", &["-tf", layer.to_str().unwrap()]);
    for name in [".hidden-top", "etc/tool2", "link", "dev", "proc"] {
        assert!(listed.lines().any(|line| line == name), "{name} is not in\n{listed}");
    }
    assert!(!listed.contains("proc/1"));
}

#[test]
fn app_container_images_have_a_manifest_and_a_rootfs() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    make(&root);
    let given = dir.path().join("given.json");
    fs::write(&given, "{\"mine\": true}").unwrap();
    let mut exports =
        [export(Format::Aci, Compression::None, "a.aci"), export(Format::Aci, Compression::Gzip, "b.aci")];
    exports[1].container.as_mut().unwrap().manifest = Some(given);
    tree(&root, &exports, dir.path(), &ExportOptions::default(), &|_| {}).unwrap();
    let read = |name: &str, member: &str| {
        let path = dir.path().join(name);
        run("tar", &["--to-stdout", "-xf", path.to_str().unwrap(), member])
    };
    let manifest: serde_json::Value = serde_json::from_str(&read("a.aci", "manifest")).unwrap();
    assert_eq!((manifest["acKind"].as_str(), manifest["name"].as_str()), (Some("ImageManifest"), Some("site/image")));
    assert_eq!(manifest["labels"][2]["value"], "aarch64");
    assert_eq!(read("a.aci", "rootfs/etc/hostname"), "here");
    assert_eq!(read("b.aci", "manifest"), "{\"mine\": true}");
}
