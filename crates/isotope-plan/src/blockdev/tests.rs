//! Trees, graphs, orders and errors, on fixtures of our own.

use super::*;
use crate::PlanErrors;
use serde_json::{Value, json};
use std::path::Path;

mod made;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blockdev").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn config(text: &str) -> Result<Config, PlanErrors> {
    Config::parse(Path::new("b.yaml"), text)
}

pub(super) fn graph(text: &str) -> Result<Graph, PlanErrors> {
    let params = Params::default();
    Graph::new(&config(text)?.with_params(&params), &params)
}

fn sorted(config: &Config) -> Vec<String> {
    let Value::Array(entries) = config.to_json() else { panic!("a list") };
    let mut entries: Vec<String> = entries.iter().map(Value::to_string).collect();
    entries.sort();
    entries
}

fn order(graph: &Graph) -> Vec<&str> {
    graph.ordered().map(|node| node.name.as_str()).collect()
}

#[test]
fn a_tree_and_its_graph_are_the_same() {
    for name in ["one", "many"] {
        let [tree, graph] = ["tree", "graph"].map(|form| config(&fixture(&format!("{name}.{form}.yaml"))).unwrap());
        assert_eq!(sorted(&tree), sorted(&graph), "{name}");
        // A graph is its own normal form.
        let again = config(&serde_json::to_string(&graph.to_json()).unwrap()).unwrap();
        assert_eq!(again.to_json(), graph.to_json(), "{name}");
    }
}

#[test]
fn what_is_nested_comes_before_what_it_is_nested_in() {
    let config = config(&fixture("one.tree.yaml")).unwrap();
    let keys: Vec<_> = config.entries.iter().map(|entry| entry.plugin.key()).collect();
    assert_eq!(keys, ["local_loop", "fstab", "mount", "mkfs", "partitioning"]);
    let expected = json!([
        {"local_loop": {"name": "image0"}},
        {"fstab": {"base": "mount_mkfs_system", "name": "fstab_mount_mkfs_system", "options": "noatime", "fsck-passno": 1}},
        {"mount": {"base": "mkfs_system", "name": "mount_mkfs_system", "mount_point": "/"}},
        {"mkfs": {"base": "system", "name": "mkfs_system", "type": "ext4"}},
        {"partitioning": {"base": "image0", "name": "table", "label": "mbr", "partitions": [
            {"base": "image0", "name": "system", "flags": ["boot", "primary"], "size": "100%"}
        ]}},
    ]);
    assert_eq!(config.to_json(), expected);
}

#[test]
fn everything_is_made_after_what_it_stands_on() {
    for form in ["tree", "graph"] {
        let graph = graph(&fixture(&format!("one.{form}.yaml"))).unwrap();
        let expected = ["image0", "system", "mkfs_system", "mount_mkfs_system", "fstab_mount_mkfs_system"];
        assert_eq!(order(&graph), expected, "{form}");
    }
}

#[test]
fn partitions_follow_the_disk_and_mounts_the_sorted_mount_points() {
    let graph = graph(&fixture("many.tree.yaml")).unwrap();
    let order = order(&graph);
    let of =
        |names: &[&str]| names.iter().map(|name| order.iter().position(|n| n == name).unwrap()).collect::<Vec<_>>();
    for chain in [
        &["image0", "logs", "state", "spare", "system"][..],
        &["mount_mkfs_system", "mount_mkfs_state", "mount_mkfs_logs", "mount_mkfs_spare"],
        &["system", "mkfs_system", "mount_mkfs_system", "fstab_mount_mkfs_system"],
    ] {
        assert!(of(chain).is_sorted(), "{chain:?} in {order:?}");
    }
    let again = super::tests::graph(&fixture("many.tree.yaml")).unwrap();
    assert_eq!(again, graph, "the order is the same on every run");
}

#[test]
fn volumes_are_made_at_one_point() {
    let graph = graph(&fixture("volumes.tree.yaml")).unwrap();
    let expected = [
        "image0",
        "BSP",
        "first",
        "Second Part",
        "lvm",
        "pv1",
        "pv2",
        "vg",
        "data-group",
        "lv_root",
        "lv_home",
        "pool",
        "lv-srv",
        "mkfs_root",
        "fs_home",
        "fs_srv",
        "mount_mkfs_root",
        "fstab_mount_mkfs_root",
        "mount_fs_home",
        "mount_fs_srv",
        "fstab_mount_fs_srv",
    ];
    assert_eq!(order(&graph), expected);
    let edges = &graph.to_json()["edges"];
    for edge in [["first", "lvm"], ["Second Part", "lvm"], ["lvm", "pv1"], ["pv1", "vg"], ["vg", "lv_root"]] {
        assert!(edges.as_array().unwrap().contains(&json!(edge)), "{edge:?} in {edges}");
    }
}

#[test]
fn the_root_filesystem_takes_what_the_command_line_says_and_the_file_does_not() {
    let text = "- local_loop: {name: image0}\n- mkfs: {base: image0, name: mkfs_root, mount: {mount_point: /}}\n";
    let mkfs = |params: &Params, text: &str| {
        let graph = Graph::new(&config(text).unwrap().with_params(params), params).unwrap();
        match &graph.node("mkfs_root").unwrap().kind {
            NodeKind::Mkfs(mkfs) => (mkfs.kind.clone(), mkfs.label.clone(), mkfs.opts.join(" ")),
            other => panic!("{other:?}"),
        }
    };
    let is = |kind: &str, label: &str, opts: &str| (kind.to_owned(), label.to_owned(), opts.to_owned());
    let default = Params::default();
    assert_eq!(mkfs(&default, text), is("ext4", "cloudimg-rootfs", ""));
    let xfs = Params { root_fs_type: "xfs".to_owned(), ..Params::default() };
    assert_eq!(mkfs(&xfs, text), is("xfs", "img-rootfs", ""));
    let opts = Some(" -i 4096  -J size=64 ".to_owned());
    let own = Params { root_label: Some("mine".to_owned()), root_fs_opts: opts, ..Params::default() };
    assert_eq!(mkfs(&own, text), is("ext4", "mine", "-i 4096 -J size=64"));
    let said = text.replace("name: mkfs_root", "name: mkfs_root, type: btrfs, label: his, opts: '-f'");
    assert_eq!(mkfs(&own, &said), is("btrfs", "his", "-f"));
}

/// Every error of upstream's tests, and those that upstream finds half-way through a build.
#[test]
fn faults_are_told_with_their_lines() {
    for (text, line, message) in faults() {
        let Err(errors) = graph(&text) else { panic!("no error of:\n{text}") };
        let found = errors.problems.iter().find(|problem| problem.message.contains(message));
        let found = found.unwrap_or_else(|| panic!("{message}\nis not among\n{errors}\nof:\n{text}"));
        assert_eq!(found.spot.as_ref().map(|spot| spot.line), Some(line), "{found}\nof:\n{text}");
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn faults() -> Vec<(String, u32, &'static str)> {
    let loop0 = "- local_loop: {name: image0}\n";
    let with = |rest: &str| format!("{loop0}{rest}");
    let part =
        |settings: &str| with(&format!("- partitioning: {{base: image0, label: mbr, partitions: [{settings}]}}\n"));
    let lvm = |rest: &str| {
        let head = "- partitioning: {base: image0, label: gpt, partitions: [{name: p, size: 100%}]}\n";
        with(&format!("{head}- lvm:\n    name: l\n{rest}"))
    };
    vec![
        ("- no_plugin: {a: b}\n".to_owned(), 1, "config entry is not a plugin value: `no_plugin`"),
        ("- mkfs: {}\n  mount: {}\n".to_owned(), 1, "config entry top-level should be a single dict"),
        ("- mkfs\n".to_owned(), 1, "config entry not a dict"),
        ("mkfs: {}\n".to_owned(), 1, "a block device configuration is a list of entries"),
        ("- mkfs: [\n".to_owned(), 2, ""),
        ("- mkfs:\n".to_owned(), 1, "mkfs has no settings"),
        ("- mkfs: {type: ext4}\n".to_owned(), 1, "mkfs needs 'name'"),
        (with("- mkfs: {base: nowhere, name: f, type: ext4}\n"), 2, "edge not defined: nowhere->f"),
        (with("- mkfs: {base: image0, name: image0, type: ext4}\n"), 2, "duplicate node name: image0; line 1"),
        (with("- mkfs: {base: image0}\n"), 2, "mkfs config needs [type]"),
        (with("- mkfs: {name: f, type: ext4}\n"), 2, "mkfs config needs [base]"),
        (with("- mount: {name: m, base: image0}\n"), 2, "mountpoint config needs [mount_point]"),
        (
            with(
                "- mkfs: {base: image0, name: a, type: xfs, label: x}\n- mkfs: {base: image0, name: b, type: xfs, label: x}\n",
            ),
            3,
            "file system label [x] used more than once",
        ),
        (
            with("- mkfs: {base: image0, name: a, type: xfs, label: longer-than-twelve}\n"),
            2,
            "label [longer-than-twelve] too long for filesystem [xfs]: 18 > 12",
        ),
        (
            with(
                "- mkfs: {base: image0, name: a, type: ext4, mount: {mount_point: /}}\n- mkfs: {base: image0, name: b, type: ext4, mount: {mount_point: /}}\n",
            ),
            3,
            "mount point [/] specified more than once",
        ),
        (
            with("- mkfs: {base: b, name: a, type: ext4}\n- mkfs: {base: a, name: b, type: ext4}\n"),
            2,
            "graph contains a cycle: a, b",
        ),
        (with("- partitioning: {base: image0, label: mbr}\n"), 2, "partitioning config needs 'partitions'"),
        (with("- partitioning: {base: image0, partitions: []}\n"), 2, "partitioning config needs 'label'"),
        (with("- partitioning: {name: t, label: gpt, partitions: []}\n"), 2, "partitioning config needs 'base'"),
        (with("- partitioning: {base: image0, label: sun, partitions: []}\n"), 2, "label must be 'mbr' or 'gpt'"),
        (
            with("- partitioning: {base: image0, label: mbr, align: 4, partitions: []}\n"),
            2,
            "align must be at least 512",
        ),
        (part("{name: p}"), 2, "no size in partition p"),
        (part("{size: 1G}"), 2, "a partition needs 'name'"),
        (part("{name: p, size: 1X}"), 2, "unit_str [X] not known"),
        (part("{name: p, size: 1G, flags: [bot]}"), 2, "unknown flag: bot"),
        (part("{name: p, size: 1G, flags: boot}"), 2, "`flags` is a text, but a list is expected"),
        (part("{name: p, size: 1G, type: xyz}"), 2, "the type `xyz` is no hexadecimal number"),
        (
            part("{name: p, size: 1G}").replace("mbr", "gpt").replace("1G", "1G, flags: [primary]"),
            2,
            "primary flag not supported for GPT partitions",
        ),
        (with("- local_loop: {name: image1, size: 1x}\n"), 2, "unit_str [x] not known"),
        (with("- local_loop: {name: image1, block_size: 2048}\n"), 2, "block device size is set to 2048"),
        (lvm("    pvs: []\n    vgs: []\n"), 3, "lvm config needs 'lvs'"),
        (lvm("    vgs: []\n    lvs: []\n"), 3, "lvm config requires a 'pvs'"),
        (lvm("    pvs: [{name: v}]\n    vgs: []\n    lvs: []\n"), 5, "missing 'base' in pvs config"),
        (
            lvm("    pvs: [{name: v, base: p}]\n    vgs: [{name: g, base: [w]}]\n    lvs: []\n"),
            6,
            "base:w in vgs does not match a valid pvs",
        ),
        (
            lvm(
                "    pvs: [{name: v, base: p}]\n    vgs: [{name: g, base: [v]}]\n    lvs: [{name: a, base: h, size: 1G}]\n",
            ),
            7,
            "base:h in lvs does not match a valid vg",
        ),
        (
            lvm("    pvs: [{name: v, base: p}]\n    vgs: [{name: g, base: [v]}]\n    lvs: [{name: a, base: g}]\n"),
            7,
            "missing 'size' or 'extents' in lvs config",
        ),
        (
            lvm(
                "    pvs: [{name: v, base: p}]\n    vgs: [{name: g, base: [v]}]\n    lvs: [{name: a, base: g, size: 1G, type: thin-pol}]\n",
            ),
            7,
            "unsupported type:thin-pol, supported types: thin, thin-pool",
        ),
    ]
}

#[test]
fn all_faults_are_told_at_once() {
    let errors = graph("- local_loop: {size: 1G}\n- nothing: {}\n- mkfs\n").unwrap_err();
    assert_eq!(errors.problems.len(), 3, "{errors}");
}

#[test]
fn settings_without_effect_are_warned_of() {
    let text = "- local_loop: {name: image0}\n- mkfs: {base: image0, name: a, type: ext4, mount: {mount_point: /, fstab: {fck-passno: 1}}}\n";
    let graph = graph(text).unwrap();
    let warnings: Vec<String> = graph.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("`fck-passno` is no setting of fstab"), "{}", warnings[0]);
    assert!(warnings[0].contains("did you mean `fsck-passno`?"), "{}", warnings[0]);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "([-{}\\[\\]:, a-z0-9%\n]|- mkfs: |name: |base: |- partitioning: |partitions: ){0,40}") {
        drop(graph(&text));
    }
}
