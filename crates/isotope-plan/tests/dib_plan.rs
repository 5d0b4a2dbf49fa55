//! Builds of diskimage-builder's elements as plans: steps, environment, disks, outputs, and everything that is wrong at once.

use isotope_element::dib::{ElementsPath, HookTree, load, resolve};
use isotope_plan::dib::{Input, Options, Program, Request, layout, plan};
use isotope_plan::{Arch, Compression, DibAction, DibBuild, Format, HostFacts, Plan, PlanErrors, StepAction};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

struct World {
    dir: TempDir,
    env: BTreeMap<String, String>,
    options: Options,
}

impl World {
    fn new(elements: &[&str]) -> Self {
        let elements = elements.iter().map(|name| (*name).to_owned()).collect();
        let options = Options { elements, skip_base: true, ..Options::default() };
        let world = Self { dir: tempfile::tempdir().unwrap(), env: BTreeMap::new(), options };
        world.file("os/element-provides", 0o644, "operating-system\n").file("os/root.d/10-tree", 0o755, "#!/bin/sh\n");
        world
    }

    fn file(&self, path: &str, mode: u32, text: &str) -> &Self {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        self
    }

    fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn plan(&self) -> Result<Plan, PlanErrors> {
        let request = Request::settle(&self.options, &self.env, Path::new("/here"), "x86_64").unwrap();
        let path = ElementsPath::default().then(self.dir.path());
        let set = resolve(&load(&path).unwrap(), &request.elements).unwrap();
        let tree = HookTree::merge(&set).unwrap();
        let devices = match &request.block_device_config {
            Some(text) => Some((Path::new("DIB_BLOCK_DEVICE_CONFIG").to_owned(), text.clone())),
            None => {
                set.block_device(&request.arch).map(|(_, file)| (file.clone(), std::fs::read_to_string(file).unwrap()))
            }
        };
        plan(&Input {
            request: &request,
            path: &path,
            set: &set,
            tree: &tree,
            block_devices: devices.as_ref(),
            facts: &HostFacts::unknown(Arch::X86_64),
            binary: None,
            python: &"/usr/bin/python3".to_owned(),
        })
    }

    fn planned(&self) -> Plan {
        self.plan().unwrap_or_else(|errors| panic!("{errors}"))
    }
}

fn begin(plan: &Plan) -> &DibBuild {
    match &plan.steps[0].action {
        StepAction::Dib(DibAction::Begin(build)) => build,
        other => panic!("{other:?}"),
    }
}

const CUSTOM: &str = "- local_loop: {name: image0}\n- mkfs: {base: image0, name: mkfs_root, mount: {mount_point: /, fstab: {options: ro}}}\n";

#[test]
fn ten_phases_and_what_stands_between_them() {
    let mut world = World::new(&["os", "app"]);
    world.file("app/install.d/20-b", 0o755, "").file("app/install.d/5-a", 0o755, "").file(
        "app/install.d/x.sh",
        0o755,
        "",
    );
    world.options.packages = vec!["vim,git".to_owned()];
    let plan = world.planned();
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "root/01-begin",
            "root/02-hooks",
            "root/03-base",
            "extra-data/01-hooks",
            "pre-install/01-hooks",
            "install/01-hooks",
            "install/02-packages",
            "post-install/01-hooks",
            "post-root/01-hooks",
            "post-root/02-gather",
            "block-device/01-hooks",
            "block-device/02-disk",
            "pre-finalise/01-hooks",
            "finalise/01-hooks",
            "cleanup/01-hooks",
            "cleanup/02-clean-up",
            "export/01-qcow2",
        ]
    );
    let StepAction::Dib(DibAction::Hooks(install)) = &plan.steps[5].action else { panic!() };
    assert_eq!(install.scripts, ["5-a", "20-b"]);
    assert_eq!(plan.steps[6].title, "install vim git");
    assert!(plan.warnings.iter().any(|warning| warning.contains("`x.sh` is never run")), "{:?}", plan.warnings);
    // What a plan is handed on as.
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Plan>(&text).unwrap()).unwrap(), text);
}

#[test]
fn hooks_find_what_upstream_exports_and_the_callers_own() {
    let mut world = World::new(&["os"]);
    world.env("DIB_RELEASE", "a \"b\"").env("OTHER", "kept").env("DIB_TOKEN", "secret words");
    world.options.arguments = vec!["-n".to_owned(), "os".to_owned()];
    let plan = world.planned();
    let build = begin(&plan);
    let value = |name: &str| build.environment[name].value.as_str();
    assert_eq!((value("ARCH"), value("OTHER"), value("DIB_ARGS")), ("amd64", "kept", "-n os"));
    assert_eq!((value("IMAGE_ELEMENT"), value("IMAGE_NAME"), value("IMAGE_TYPE")), ("os", "image", "qcow2"));
    assert_eq!((value("DIB_ROOT_LABEL"), value("DIB_MOUNTPOINTS"), value("DIB_OFFLINE")), ("cloudimg-rootfs", "/", ""));
    assert_eq!(value("DIB_ENV"), "declare -x DIB_RELEASE=\"a \\\"b\\\"\"\ndeclare -x DIB_TOKEN=\"***\"");
    assert_eq!(value("DIB_IMAGE_ROOT_FS_UUID").len(), 36);
    assert!(value("DIB_TOKEN") == "secret words" && build.environment["DIB_TOKEN"].secret);
    assert!(!serde_json::to_string(&plan).unwrap().contains("secret words"));
    assert!(build.functions["get_image_element_array"].contains("[os]="));
}

#[test]
fn a_disk_is_made_where_something_asks_for_one() {
    let disk = |types: &str, change: &dyn Fn(&mut World)| -> bool {
        let mut world = World::new(&["os"]);
        world.options.types = Some(types.to_owned());
        change(&mut world);
        layout(&world.planned()).is_some()
    };
    assert!(disk("qcow2", &|_| ()) && disk("tar,raw", &|_| ()));
    assert!(!disk("tar,squashfs", &|_| ()));
    assert!(disk("tar", &|world| {
        world.env("DIB_BLOCK_DEVICE_CONFIG", CUSTOM);
    }));
    assert!(disk("tar", &|world| {
        world.file("os/finalise.d/50-x", 0o755, "echo $IMAGE_BLOCK_DEVICE");
    }));
    assert!(!disk("qcow2", &|world| world.options.program = Program::Ramdisk));
}

#[test]
fn outputs_are_named_and_made_as_upstream_has_them() {
    let mut world = World::new(&["os"]);
    world.options.types = Some("qcow2,tgz,squashfs,vpc".to_owned());
    world.options.output = Some("dir/name".to_owned());
    world.options.uncompressed = true;
    let plan = world.planned();
    let made: Vec<(&str, Format, Compression)> =
        plan.exports.iter().map(|one| (one.file_name.as_str(), one.format, one.compression)).collect();
    assert_eq!(
        made,
        [
            ("name.qcow2", Format::Qcow2, Compression::None),
            ("name.tgz", Format::Tar, Compression::Gzip),
            ("name.squash", Format::Squashfs, Compression::Xz),
            ("name.vpc", Format::Vhd, Compression::None),
        ]
    );
    world.file("no-final-image/README.rst", 0o644, "");
    world.options.elements.push("no-final-image".to_owned());
    let plan = world.planned();
    let left: Vec<&str> = plan.exports.iter().map(|one| one.file_name.as_str()).collect();
    assert_eq!(left, ["name.tgz", "name.squash"]);
}

#[test]
fn everything_wrong_is_told_before_work_begins() {
    let mut world = World::new(&["os"]);
    world.file("os/environment.d/10-x", 0o644, "export A=$DIB_NEEDED\nexport B=$NOT_OURS\n");
    world.env("DIB_BLOCK_DEVICE_CONFIG", "- nonsense: {}\n").env("RUN_PARTS_REGEX", "(");
    let told = world.plan().unwrap_err().to_string();
    for words in ["RUN_PARTS_REGEX", "nonsense", "DIB_NEEDED"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains("NOT_OURS"), "{told}");
    world.env("DIB_NEEDED", "1").env("RUN_PARTS_REGEX", "").env("DIB_BLOCK_DEVICE_CONFIG", "");
    world.planned();
}
