//! What diskimage-builder would build, with every command of it recorded and none run, and what we would: tables, commands of LVM,
//! filesystems, fstab. Needs `ISOTOPE_TEST_DIB`, as `host_dib_blockdev.rs` says.

mod upstream;

use isotope_disk::table;
use isotope_plan::Bytes;
use isotope_plan::blockdev::{self, Config, Device, Graph, LayoutPlan, Params, TableKind, lvm};
use isotope_plan::geometry::Geometry;
use isotope_sys::command::Tool;
use serde_json::{Value, json};
use std::path::PathBuf;
use upstream::Upstream;

const BUILD: &str = include_str!("upstream/build.py");

/// A configuration that can be made, on a disk of as many GiB as it needs.
struct Case {
    path: PathBuf,
    gib: u64,
    plan: LayoutPlan,
    geometry: Geometry,
}

fn cases(upstream: &Upstream) -> Vec<Case> {
    let opts = Some("-i 4096 -J size=64".to_owned());
    let params = Params { root_fs_opts: opts, ..Params::default() };
    let mut cases = Vec::new();
    for path in upstream.files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(config) = Config::parse(&path, &text) else { continue };
        let Ok(graph) = Graph::new(&config.with_params(&params), &params) else { continue };
        let Ok(plan) = blockdev::layout(&graph, &params) else { continue };
        let disk = plan.disk("image0").unwrap();
        let placed =
            [5, 50].into_iter().find_map(|gib| Some((gib, blockdev::place(disk, Some(Bytes::gib(gib))).ok()?)));
        let (gib, geometry) = placed.unwrap();
        cases.push(Case { path, gib, plan, geometry });
    }
    assert!(cases.len() >= 15, "only {} layouts", cases.len());
    cases
}

#[test]
fn host_dib_what_is_built_is_upstreams() {
    let upstream = Upstream::find();
    let cases = cases(&upstream);
    let mut args = Vec::new();
    for case in &cases {
        args.extend([case.path.to_str().unwrap().to_owned(), format!("{}GiB", case.gib)]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let built: Value = serde_json::from_str(&upstream.python(BUILD, &args)).unwrap();
    for case in &cases {
        let theirs = &built[case.path.to_str().unwrap()];
        assert_eq!(theirs.get("error"), None, "{}", case.path.display());
        // Upstream writes a blank in a label as it is, which cannot be read.
        let fstab = case.plan.fstab().replace("\\040", " ");
        assert_eq!(Some(fstab.as_str()), theirs["fstab"].as_str(), "{}", case.path.display());
        commands(case, theirs);
        filesystems(case, theirs);
        tables(case, theirs, &upstream);
    }
}

/// Upstream's names of devices; it does not double hyphens.
fn path(device: &Device) -> String {
    match device {
        Device::Disk { .. } => "/dev/loop7".to_owned(),
        Device::Partition { number, .. } => format!("/dev/mapper/loop7p{number}"),
        Device::Volume { group, volume } => format!("/dev/mapper/{group}-{volume}"),
    }
}

fn commands(case: &Case, theirs: &Value) {
    let calls = theirs["calls"].as_array().unwrap();
    let is_lvm = |call: &&Value| call[0].as_str().is_some_and(|name| name.ends_with("create"));
    let wanted: Vec<&Value> = calls.iter().filter(is_lvm).collect();
    let ours: Vec<Value> =
        case.plan.lvm.iter().flat_map(|plan| lvm::create(plan, &path)).map(|words| json!(words)).collect();
    assert_eq!(ours.iter().collect::<Vec<_>>(), wanted, "{}", case.path.display());
}

fn filesystems(case: &Case, theirs: &Value) {
    let wanted = theirs["filesystems"].as_object().unwrap();
    assert_eq!(case.plan.filesystems.len(), wanted.len(), "{}", case.path.display());
    for made in &case.plan.filesystems {
        let wanted = &wanted[&made.name];
        let ours = json!([made.fstype, made.filesystem.label, path(&made.device)]);
        assert_eq!(ours, json!([wanted["fstype"], wanted["label"], wanted["device"]]), "{}", case.path.display());
        let opts = wanted["opts"].as_array().cloned().unwrap_or_default();
        assert_eq!(json!(made.filesystem.mkfs_options), json!(opts), "{}", case.path.display());
    }
}

fn tables(case: &Case, theirs: &Value, upstream: &Upstream) {
    let disk = case.plan.disk("image0").unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(disk.size.map_or(case.gib << 30, |size| size.0)).unwrap();
    table::write_planned(disk, &case.geometry, file.as_file()).unwrap();
    let path = file.path().to_str().unwrap();
    match disk.table.as_ref().map(|table| table.kind) {
        None => {}
        Some(TableKind::Mbr) => {
            // Digits 880 to 887 of the first sector are the signature, which is random there.
            let masked =
                |lba: u64, hex: &str| if lba == 0 { format!("{}{}", &hex[..880], &hex[888..]) } else { hex.to_owned() };
            let wanted: Vec<(u64, String)> = serde_json::from_value(theirs["sectors"].clone()).unwrap();
            // Upstream makes the file by writing its last byte, a zero.
            let [ours, wanted] = [upstream.sectors(path), wanted]
                .map(|sectors| sectors.iter().map(|(lba, hex)| (*lba, masked(*lba, hex))).collect::<Vec<_>>());
            assert_eq!(ours, wanted, "{}", case.path.display());
        }
        Some(TableKind::Gpt) if disk.sector_size.bytes() == 512 => {
            let calls = theirs["calls"].as_array().unwrap();
            let call = calls.iter().find(|call| call[0] == "sgdisk").unwrap().as_array().unwrap();
            let copy = tempfile::NamedTempFile::new().unwrap();
            copy.as_file().set_len(file.as_file().metadata().unwrap().len()).unwrap();
            let args = call.iter().skip(2).map(|word| word.as_str().unwrap());
            Tool::new("sgdisk").arg(copy.path()).args(args).run().unwrap();
            for number in 1..=case.geometry.partitions.len() {
                let [one, other] = [file.path(), copy.path()].map(|path| {
                    let said = Tool::new("sgdisk").args(["-i", &number.to_string()]).arg(path).run().unwrap().text();
                    said.lines().filter(|line| !line.contains("unique GUID")).map(str::to_owned).collect::<Vec<_>>()
                });
                assert_eq!(one, other, "{}", case.path.display());
            }
        }
        // sgdisk takes every file for one of 512-byte sectors; the places are compared in isotope-plan.
        Some(TableKind::Gpt) => {}
    }
}
