//! Block devices compared with diskimage-builder itself, which stands in a virtualenv of its own: `ISOTOPE_TEST_DIB` names it
//! (`python3 -m venv DIR && DIR/bin/pip install diskimage-builder==3.43.0`). Without the variable the tests fail.
//! Nothing of it is run as root, and no device is touched.

mod upstream;

use isotope_disk::table::{self, PartitionTable};
use isotope_plan::Bytes;
use isotope_plan::blockdev::{self, Config, Graph, LayoutPlan, Params};
use isotope_plan::geometry::Geometry;
use isotope_sys::command::Tool;
use serde_json::Value;
use std::fs::File;
use std::os::unix::fs::FileExt;
use upstream::Upstream;

/// What upstream makes of each file: its normalised configuration, edges and order, or its error.
const GRAPHS: &str = r#"
import json, os, sys, yaml
from diskimage_builder.block_device.config import config_tree_to_graph, create_graph
defaults = {'build-dir': '/fake', 'image-size': '1000', 'image-dir': '/fake', 'mount-base': '/fake'}
found = {}
for path in sys.argv[1:]:
    result = found[path] = {}
    try:
        config = result['config'] = config_tree_to_graph(yaml.safe_load(open(path)))
        graph, order = create_graph(config, defaults, {})
        result['order'] = [node.name for node in order]
        result['edges'] = sorted(list(edge) for edge in graph.edges)
    except Exception as error:
        result['error'] = str(error)
json.dump(found, sys.stdout)
"#;

#[test]
fn host_dib_graphs_orders_and_errors_are_upstreams() {
    let upstream = Upstream::find();
    let files = upstream.files();
    let args: Vec<&str> = files.iter().filter_map(|path| path.to_str()).collect();
    let theirs: Value = serde_json::from_str(&upstream.python(GRAPHS, &args)).unwrap();
    let mut sound = 0;
    for path in &files {
        let theirs = &theirs[path.to_str().unwrap()];
        let text = std::fs::read_to_string(path).unwrap();
        let config = Config::parse(path, &text);
        if let (Ok(config), Some(wanted)) = (&config, theirs.get("config")) {
            assert_eq!(&config.to_json(), wanted, "{}", path.display());
        }
        match (config.and_then(|config| Graph::new(&config, &Params::default())), theirs.get("error")) {
            (Ok(graph), None) => {
                sound += 1;
                let ours = graph.to_json();
                assert_eq!(ours["edges"], theirs["edges"], "{}", path.display());
                assert_eq!(ours["order"], theirs["order"], "{}", path.display());
            }
            (Err(errors), Some(error)) => {
                // Upstream ends some messages with the whole entry, and some of ours say more behind it.
                let wanted = error.as_str().unwrap().to_lowercase();
                let wanted = wanted.split(": {").next().unwrap();
                let found = errors.problems.iter().any(|problem| problem.message.to_lowercase().contains(wanted));
                assert!(found, "{}: upstream says {error}, we say {errors}", path.display());
            }
            (Ok(_), Some(error)) => panic!("{}: upstream refuses it: {error}", path.display()),
            (Err(errors), None) => panic!("{}: upstream takes it: {errors}", path.display()),
        }
    }
    assert!(sound >= 20, "only {sound} configurations are without error");
}

/// The MBR that upstream's own writer leaves on a disk, and what the partitions take of it: sizes and flags as arguments.
const MBR: &str = r#"
import os, sys
from diskimage_builder.block_device.level1.mbr import MBR
from diskimage_builder.block_device.utils import parse_abs_size_spec, parse_rel_size_spec
path, align = sys.argv[1], parse_abs_size_spec(sys.argv[2])
with MBR(path, os.path.getsize(path), align) as table:
    for part in sys.argv[3:]:
        size, flags, kind = part.split(':')
        size = parse_rel_size_spec(size, table.free())[1]
        table.add_partition('p' in flags, 'b' in flags, size, int(kind, 16))
"#;

/// Cases of MBRs: size of the disk, alignment, partitions as upstream's writer above takes them.
fn mbr_cases() -> Vec<(u64, &'static str, Vec<String>)> {
    let same = |count: usize, part: &str| vec![part.to_owned(); count];
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let gib = 1_u64 << 30;
    vec![
        (gib, "1MiB", same(1, "10MiB::83")),
        (gib, "1MiB", same(64, "10MiB::83")),
        (gib, "1MiB", same(3, "10MiB:p:0x83")),
        (gib, "1MiB", same(1, "10MiB:p:0c")),
        (gib, "1MiB", [same(3, "10MiB:p:83"), same(7, "10MiB::83")].concat()),
        (gib, "1MiB", words("54%:pb:83 40%::83 5%::83 1%::82")),
        (gib, "1MiB", words("8MiB:pb:41 100%:p:83")),
        (gib, "4MiB", words("1G:b:83")),
        (gib + 512 * 77, "1MiB", words("33.3%:pb:83 512::da 12345678::83 100%:b:83")),
        (gib, "64KiB", words("1M:p:83 3M::83 5M::83 100%::8e")),
        // Beyond cylinder 255, and beyond 1023.
        (40 * gib, "1MiB", words("3G:pb:83 2G:p:83 1G:p:83 50%::83 10G::83 100%::83")),
    ]
}

/// Our configuration of a case.
fn mbr_yaml(align: &str, parts: &[String]) -> String {
    let mut text = format!(
        "- local_loop: {{name: image0}}\n- partitioning:\n    base: image0\n    label: mbr\n    align: {align}\n    partitions:\n"
    );
    for (index, part) in parts.iter().enumerate() {
        let fields: Vec<&str> = part.split(':').collect();
        let flag = |name: char, word: &'static str| fields[1].contains(name).then_some(word);
        let flags: Vec<&str> = [flag('b', "boot"), flag('p', "primary")].into_iter().flatten().collect();
        let (size, kind) = (fields[0], fields[2]);
        text += &format!("      - {{name: p{index}, size: {size}, flags: [{}], type: '{kind}'}}\n", flags.join(", "));
    }
    text + "- mkfs: {base: p0, name: mkfs_root, mount: {mount_point: /}}\n"
}

fn layout_of(text: &str) -> LayoutPlan {
    let params = Params { seed: uuid::Uuid::from_u128(7), ..Params::default() };
    let config = Config::parse(std::path::Path::new("b.yaml"), text).unwrap().with_params(&params);
    blockdev::layout(&Graph::new(&config, &params).unwrap(), &params)
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// A disk with the table of a configuration.
fn written(text: &str, size: u64) -> (tempfile::NamedTempFile, Geometry) {
    let plan = layout_of(text);
    let disk = plan.disk("image0").unwrap();
    let geometry = blockdev::place(disk, Some(Bytes(size))).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(size).unwrap();
    table::write_planned(disk, &geometry, file.as_file()).unwrap();
    (file, geometry)
}

fn run(program: &str, args: &[&str]) -> String {
    Tool::new(program).args(args).run().unwrap_or_else(|error| panic!("{error}")).text()
}

fn read_back(file: &File) -> PartitionTable {
    let size = file.metadata().unwrap().len();
    table::read(size, &|at, buffer| file.read_exact_at(buffer, at)).unwrap().unwrap()
}

#[test]
fn host_dib_mbrs_are_upstreams_byte_for_byte() {
    let upstream = Upstream::find();
    for (size, align, parts) in mbr_cases() {
        let (ours, _) = written(&mbr_yaml(align, &parts), size);
        let theirs = tempfile::NamedTempFile::new().unwrap();
        theirs.as_file().set_len(size).unwrap();
        let path = theirs.path().to_str().unwrap();
        let args: Vec<&str> = [path, align].into_iter().chain(parts.iter().map(String::as_str)).collect();
        upstream.python(MBR, &args);
        // The signature is random there, and derived here.
        let mut signature = [0; 4];
        ours.as_file().read_exact_at(&mut signature, 440).unwrap();
        theirs.as_file().write_all_at(&signature, 440).unwrap();
        let [one, other] = [ours.path().to_str().unwrap(), path].map(|path| upstream.sectors(path));
        assert_eq!(one, other, "{size} {align} {parts:?}");
    }
}

#[test]
fn host_dib_partx_sfdisk_and_we_read_the_same_mbr() {
    for (size, align, parts) in mbr_cases() {
        let (file, geometry) = written(&mbr_yaml(align, &parts), size);
        let path = file.path().to_str().unwrap();
        let said = run("partx", &["--raw", "--output", "NR,START,END,TYPE,FLAGS,SCHEME", "-g", "-b", "-", path]);
        let table = read_back(file.as_file());
        assert_eq!(table.problems, [""; 0], "{parts:?}");
        let lines: Vec<String> = table
            .partitions
            .iter()
            .map(|entry| {
                let kind = entry.kind.to_string();
                let kind = kind.replace("0x0", "0x");
                let flags = if entry.bootable { "0x80" } else { "0x0" };
                format!("{} {} {} {kind} {flags} dos", entry.number, entry.first_lba, entry.last_lba)
            })
            .collect();
        assert_eq!(said.lines().collect::<Vec<_>>(), lines, "{parts:?}");
        for placed in &geometry.partitions {
            let entry = table.partitions.iter().find(|entry| entry.number == placed.number).unwrap();
            assert_eq!((entry.first_lba, entry.last_lba), (placed.first_lba, placed.last_lba));
        }
        let verify = Tool::new("sfdisk").args(["--verify", path]).run().unwrap();
        let said = format!("{}{}", verify.text(), verify.stderr_tail);
        assert!(said.contains("No errors detected"), "{parts:?}: {said}");
    }
}

/// `sgdisk -n N:0:+SIZEM` for each partition, as upstream calls it, on a copy; then both tables as sgdisk reads them.
#[test]
fn host_dib_gpts_are_those_of_sgdisk() {
    let case = |size: u64, parts: &[(&str, &str, &str)]| {
        let list: Vec<String> =
            parts.iter().map(|(name, size, kind)| format!("{{name: {name}, size: {size}, type: '{kind}'}}")).collect();
        let text = format!(
            "- local_loop: {{name: image0}}\n- partitioning: {{base: image0, label: gpt, partitions: [{}]}}\n- mkfs: {{base: {}, name: mkfs_root, mount: {{mount_point: /}}}}\n",
            list.join(", "),
            parts[0].0
        );
        let (ours, geometry) = written(&text, size);
        let theirs = tempfile::NamedTempFile::new().unwrap();
        theirs.as_file().set_len(size).unwrap();
        let mut args = vec![theirs.path().to_str().unwrap().to_owned()];
        let mut free = size - (2 << 20);
        for (index, (name, size, kind)) in parts.iter().enumerate() {
            let number = index + 1;
            let wants = match blockdev::Share::parse(size).unwrap() {
                blockdev::Share::Fixed(bytes) => bytes.0,
                blockdev::Share::Free(percent) => percent.of(free),
            };
            free -= wants;
            let size = format!("{number}:0:+{}M", wants >> 20);
            args.extend([
                "-n".into(),
                size,
                "-t".into(),
                format!("{number}:{kind}"),
                "-c".into(),
                format!("{number}:{name}"),
            ]);
        }
        run("sgdisk", &args.iter().map(String::as_str).collect::<Vec<_>>());
        let said = run("sgdisk", &["-v", ours.path().to_str().unwrap()]);
        assert!(said.contains("No problems found"), "{said}");
        for number in 1..=geometry.partitions.len() {
            let [one, other] = [&ours, &theirs].map(|file| {
                let said = run("sgdisk", &["-i", &number.to_string(), file.path().to_str().unwrap()]);
                said.lines().filter(|line| !line.contains("unique GUID")).map(str::to_owned).collect::<Vec<_>>()
            });
            assert_eq!(one, other, "{parts:?}");
        }
    };
    let gib = 1 << 30;
    case(gib, &[("ESP", "8MiB", "EF00"), ("BSP", "8MiB", "EF02"), ("Root Part", "100%", "8300")]);
    case(
        3 * gib,
        &[("ESP", "550MiB", "EF00"), ("BSP", "8MiB", "EF02"), ("root", "33.3%", "8300"), ("rest", "100%", "8e00")],
    );
    case(gib, &[("boot", "8MiB", "0x4100"), ("root", "100%", "8300")]);
    case(gib + 512 * 99, &[("odd", "123456789", "8302"), ("K", "700M", "0FC63DAF-8483-4772-8E79-3D69D8477DE4")]);
    case(gib, &[("a-name-that-is-longer-than-a-table-can-hold", "100%", "beef")]);
}

#[test]
fn host_dib_codes_are_those_of_sgdisk() {
    let said = run("sgdisk", &["-L"]);
    let word = |word: &&str| word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let theirs: std::collections::BTreeSet<u16> =
        said.split_whitespace().filter(word).map(|code| u16::from_str_radix(code, 16).unwrap()).collect();
    let ours: std::collections::BTreeSet<u16> = blockdev::codes::CODES.iter().map(|(code, _)| *code).collect();
    let missing: Vec<_> = theirs.difference(&ours).map(|code| format!("{code:04x}")).collect();
    assert_eq!(missing, [""; 0], "codes that sgdisk knows and we do not");
    for chunk in blockdev::codes::CODES.chunks(120) {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(256 << 20).unwrap();
        let mut args = vec![file.path().to_str().unwrap().to_owned()];
        for (number, (code, _)) in (1..).zip(chunk) {
            args.extend(["-n".into(), format!("{number}:0:+1M"), "-t".into(), format!("{number}:{code:04x}")]);
        }
        run("sgdisk", &args.iter().map(String::as_str).collect::<Vec<_>>());
        let table = read_back(file.as_file());
        for (entry, (code, guid)) in table.partitions.iter().zip(chunk) {
            assert_eq!(entry.kind.to_string(), guid.to_string(), "{code:04x}");
        }
    }
}

/// Every configuration of upstream that can be made at all is laid out, and its table is sound.
#[test]
fn host_dib_upstreams_configurations_are_laid_out() {
    let upstream = Upstream::find();
    let params = Params { seed: uuid::Uuid::from_u128(7), ..Params::default() };
    let mut made = 0;
    for path in upstream.files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(config) = Config::parse(&path, &text) else { continue };
        let Ok(graph) = Graph::new(&config.with_params(&params), &params) else { continue };
        let name = path.file_name().unwrap().to_str().unwrap();
        let plan = match (name, blockdev::layout(&graph, &params)) {
            (_, Ok(plan)) => plan,
            // Its types are a GPT's; upstream's test does not write the table, where Python cannot pack them.
            ("lvm_tree_multiple_partitions.yaml", Err(errors)) => {
                assert!(errors.to_string().contains("the type `EF00` is no byte"), "{errors}");
                continue;
            }
            // Its UUIDs are words, which no mkfs takes.
            ("multiple_partitions_graph.yaml" | "multiple_partitions_tree.yaml", Err(errors)) => {
                assert!(errors.problems.iter().all(|problem| problem.message.contains("is no UUID")), "{errors}");
                continue;
            }
            (_, Err(errors)) => panic!("{}: {errors}", path.display()),
        };
        let disk = plan.disk("image0").unwrap();
        let geometry = [5, 50].iter().find_map(|gib| blockdev::place(disk, Some(Bytes::gib(*gib))).ok()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(geometry.total_bytes().0).unwrap();
        table::write_planned(disk, &geometry, file.as_file()).unwrap();
        if disk.table.is_some() {
            let table = read_back(file.as_file());
            assert_eq!(table.problems, [""; 0], "{}", path.display());
            assert_eq!(table.sector_size, geometry.sector_size.bytes());
        }
        made += 1;
    }
    assert!(made >= 15, "only {made} layouts");
}
