//! Everything that is refused, and what is said: all problems of a kind at once, with their places.

mod support;

use isotope_plan::layout::FilesystemKind;
use isotope_plan::{Bytes, FreeSpace, HostFacts, Recipe, preflight};
use support::{ELEMENTS, World, facts};

fn parse(text: &str) -> String {
    Recipe::parse("image.toml".as_ref(), text).expect_err("this is no recipe").to_string()
}

#[test]
fn recipes() {
    insta::assert_snapshot!(
        "recipe_keys",
        parse(
            r#"
nam = "x"
elements = ["os", 4]
size = "ten"
[var.os]
release = "trixie"
[[exports]]
format = "qcow"
compresion = "zstd"
checksums = ["sha257"]
[[exports]]
compression = "lz4"
"#
        )
    );
    insta::assert_snapshot!("recipe_values", parse("name = \"../x\"\nelements = []\nsize = \"10 GiX\"\n"));
    insta::assert_snapshot!("recipe_syntax", parse("name = \"x\nelements = [\n"));
}

#[test]
fn command_lines() {
    let mut recipe = Recipe::anonymous("x", &["os"]);
    let mut said: Vec<String> = ["os.release", "release=1", "=x", ".a=b"]
        .iter()
        .filter_map(|text| recipe.set(text).err())
        .map(|problem| problem.to_string())
        .collect();
    said.extend(recipe.set_formats(&["qcow", "iso", "raw"]).expect_err("unknown").iter().map(ToString::to_string));
    said.push(recipe.set_size("much").expect_err("no size").to_string());
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn variables() {
    let world = World::new(&format!(
        "{ELEMENTS}\n== needy/element.toml\n{}",
        r#"
summary = "Needs values"
[vars.url]
type = "url"
env = "NEEDY_URL"
help = "Where the data is"
[vars.token]
type = "string"
secret = true
help = "Token for the data"
"#
    ));
    insta::assert_snapshot!(world.refusal(
        r#"
name = "x"
elements = ["os", "needy", "web"]
[vars.os]
release = "trixi"
relaese = "trixie"
[vars.wep]
packages = []
[vars.web]
packages = 4
"#
    ));
}

#[test]
fn defaults_that_need_each_other() {
    let world = World::new(&format!("{ELEMENTS}\n== round/element.toml\n{ROUND}"));
    insta::assert_snapshot!(world.refusal("name = \"x\"\nelements = [\"os\", \"round\"]\n"));
}

const ROUND: &str = r#"
summary = "Goes round"
[vars]
first = { type = "string", default = "{{second}}", help = "One" }
second = { type = "string", default = "{{first}}", help = "Two" }
"#;

#[test]
fn operating_systems() {
    let world = World::new(&format!("{ELEMENTS}\n== other/element.toml\n{}", OTHER));
    let none = world.refusal("name = \"x\"\nelements = [\"disk\"]\n");
    let two = world.refusal("name = \"x\"\nelements = [\"os\", \"other\"]\n");
    insta::assert_snapshot!([none, two].join("\n"));
}

const OTHER: &str = r#"
summary = "Another system"
[distro]
name = "debian"
family = "debian"
release = "sid"
"#;

#[test]
fn disks_and_boot_loaders() {
    let world = World::new(&format!("{ELEMENTS}\n== other/element.toml\n{}", BAD_DISK));
    let two = world.refusal("name = \"x\"\nelements = [\"os\", \"disk\", \"other\"]\n");
    let bad = world.refusal("name = \"x\"\nelements = [\"os\", \"other\"]\n");
    let diskless = world.refusal("name = \"x\"\nelements = [\"os\", \"floating\"]\n[[exports]]\nformat = \"vmdk\"\n");
    let differing = world.refusal("name = \"x\"\nelements = [\"os\", \"loader\", \"floating\"]\nsize = \"100 MiB\"\n");
    insta::assert_snapshot!([two, bad, diskless, differing].join("\n----\n"));
}

/// Literals are held against the manifest's rules when an element is loaded; what templates render to is the planner's matter.
const BAD_DISK: &str = r#"
summary = "A disk with faults"
[vars]
table = { type = "string", default = "gtp", help = "Table" }
sector = { type = "int", default = 1024, help = "Sectors" }
size = { type = "string", default = "10 GiX", help = "Size" }
kind = { type = "string", default = "rot", help = "Kind" }
share = { type = "int", default = 140, help = "Share" }
fs = { type = "string", default = "ext5", help = "Filesystem" }
[layout]
table = "{{table}}"
sector_size = "{{sector}}"
size = "{{size}}"
[[layout.partitions]]
name = "a"
kind = "{{kind}}"
size = "{{share}}%"
filesystem = { type = "{{fs}}", mount = "/" }
== floating/element.toml
summary = "A boot loader without a disk"
[vars]
signed = { type = "string", default = "requird", help = "Signed" }
wait = { type = "string", default = "5 s", help = "Timeout" }
[bootloader]
bios = false
uefi = false
timeout = "{{wait}}"
secure_boot = "{{signed}}"
"#;

#[test]
fn actions() {
    let world = World::new(&format!("{ELEMENTS}\n== bad/element.toml\n{}", BAD_ACTIONS));
    insta::assert_snapshot!(world.refusal(
        "name = \"x\"\nelements = [\"os\", \"bad\"]\n[[exports]]\nformat = \"tar\"\n[[exports]]\nformat = \"tar\"\n[[exports]]\nformat = \"squashfs\"\ncompression = \"zlib\"\n"
    ));
}

const BAD_ACTIONS: &str = r#"
summary = "Asks for what cannot be"
[vars.where]
type = "string"
default = "../etc"
help = "A place"
[vars.key]
type = "string"
default = "k"
secret = true
help = "A key"
[[packages]]
names = ["two words", "apt"]
[[packages]]
remove = ["apt", "systemd-sysv"]
[[templates]]
source = "t.hbs"
dest = "/{{where}}/x"
[properties]
key = "{{key}}"
[[checks]]
name = "the key works"
run = "use {{key}}"
== bad/t.hbs
text
"#;

#[test]
fn combinations_that_an_element_refuses() {
    let world = World::new(&format!(
        "{ELEMENTS}\n== storage/element.toml\n{}",
        r#"
summary = "Storage"
[vars.driver]
type = "enum"
values = ["overlay2", "devicemapper"]
default = "overlay2"
help = "Driver"
[vars.pool]
type = "string"
pattern = "[a-z-]*"
expects = "a name of small letters"
default = ""
help = "Pool"
[vars.devs]
type = "list"
default = []
help = "Disks"
[vars.percent]
type = "int"
default = 60
help = "When to extend"
[[rules]]
refuse = "{{and pool devs}}"
message = "the pool {{pool}} exists already, so that {{devs}} would have no use"
help = "give pool or devs"
[[rules]]
when = { release = "trixie", vars = { driver = "devicemapper" } }
message = "docker of {{target.release}} has no devicemapper"
[[rules]]
refuse = "{{or (lt percent 50) (gt percent 100)}}"
message = "`percent` is between 50 and 100"
[[rules]]
refuse = "{{pool}}"
message = "never seen: a pool's name is neither true nor false"
when = { vars = { percent = 7 } }
"#
    ));
    let recipe = |vars: &str| format!("name = \"x\"\nelements = [\"os\", \"storage\"]\n[vars.storage]\n{vars}");
    world.plan_text(&recipe("pool = \"p\"\n")).expect("a pool alone is good");
    let all = "pool = \"p\"\ndevs = [\"/dev/vdb\", \"/dev/vdc\"]\ndriver = \"devicemapper\"\npercent = 7\n";
    insta::assert_snapshot!("rules", world.refusal(&recipe(all)));
    insta::assert_snapshot!("patterns", world.refusal(&recipe("pool = \"P 1\"\n")));
}

#[test]
fn hosts() {
    let world = World::new(ELEMENTS);
    let bare = HostFacts {
        tools: Default::default(),
        keyrings: Default::default(),
        is_root: false,
        loop_devices: false,
        device_mapper: false,
        work_space: Some(FreeSpace { dir: "/var/cache/isotope".into(), free: Bytes::mib(100) }),
        output_space: Some(FreeSpace { dir: "/srv/images".into(), free: Bytes::mib(100) }),
        ..facts()
    };
    let recipe = Recipe::parse(
        "image.toml".as_ref(),
        "name = \"x\"\nelements = [\"os\", \"loader\"]\n[vars.disk]\nroot_fs = \"btrfs\"\n[[exports]]\nformat = \"vmdk\"\n[[exports]]\nformat = \"tar\"\ncompression = \"xz\"\n[[exports]]\nformat = \"squashfs\"\n",
    )
    .expect("a recipe");
    let plan = world.plan(&recipe, &bare).expect("a plan");
    assert_eq!(preflight(&plan, &facts()), []);
    let said: Vec<String> = preflight(&plan, &bare).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(world.short(&said.join("\n")));
}

#[test]
fn missing_mirror() {
    let world = World::new(ELEMENTS);
    let recipe = Recipe::anonymous("x", &["os"]);
    let errors = world.plan(&recipe, &HostFacts { mirrors: Default::default(), ..facts() }).expect_err("no mirror");
    insta::assert_snapshot!(world.short(&errors.to_string()));
    assert_eq!(errors.class(), isotope_plan::ProblemClass::Environment);
}

#[test]
fn label_lengths_are_those_of_the_filesystems() {
    // ext4, ext3, ext2, XFS, Btrfs, FAT, swap.
    assert_eq!(FilesystemKind::ALL.map(FilesystemKind::longest_label), [16, 16, 16, 12, 255, 11, 16]);
}
