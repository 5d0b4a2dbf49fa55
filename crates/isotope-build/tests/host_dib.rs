//! The run time of diskimage-builder's elements: order, environment, mounts, resolv.conf, disks, failures, and what is left. Needs root.

mod support;

use isotope_element::Arch;
use isotope_element::dib::{ElementsPath, HookTree, load, resolve};
use isotope_plan::HostFacts;
use isotope_plan::dib::{Input, Options, Request};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Ended, processes};
use tempfile::TempDir;

/// A hook of root.d that makes a tree of the host's own bash and a few programs.
const TREE: &str = r#"#!/bin/bash
set -eu
cd "$TARGET_ROOT"
mkdir -p etc usr/bin usr/sbin usr/lib usr/lib64 var/log root tmp
ln -s usr/bin bin; ln -s usr/sbin sbin; ln -s usr/lib lib; ln -s usr/lib64 lib64
for program in bash sh ls cat sleep touch rm mkdir ln env stat mount sync dd mv cp sort date mktemp grep; do
    path=$(command -v $program)
    cp -L "$path" usr/bin/
    ldd "$path" | grep -o '/[^ ]*' | while read -r library; do
        mkdir -p ".$(dirname "$library")"
        cp -nL "$library" ".$library"
    done
done
echo 'root:x:0:0:root:/root:/bin/sh' > etc/passwd
echo 'nameserver 192.0.2.1' > etc/resolv.conf
echo old > var/log/old.log
echo note > root/note; touch root/a.log .hidden
"#;

const PHASES: [&str; 10] = [
    "root",
    "extra-data",
    "pre-install",
    "install",
    "post-install",
    "post-root",
    "block-device",
    "pre-finalise",
    "finalise",
    "cleanup",
];

/// Elements in a scratch directory, and how they are built.
struct World {
    dir: TempDir,
    env: BTreeMap<String, String>,
    options: Options,
}

impl World {
    /// With an operating system, which the other element of the tests, `probe`, depends on.
    fn new(types: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("isotope-dib-").tempdir().unwrap();
        let elements = vec!["probe".to_owned()];
        let options = Options { elements, types: Some(types.to_owned()), skip_base: true, ..Options::default() };
        let env = [("HOME", "/root"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("TMPDIR", "/var/tmp")];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let world = Self { dir, env, options };
        for name in ["out", "cache"] {
            std::fs::create_dir(world.path(name)).unwrap();
        }
        world.file("elements/os/element-provides", 0o644, "operating-system\n");
        world.file("elements/os/root.d/10-tree", 0o755, TREE);
        world.file("elements/probe/element-deps", 0o644, "os\n");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, path: &str, mode: u32, text: &str) -> &Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        self
    }

    /// A hook of the element `probe`.
    fn hook(&self, phase: &str, name: &str, script: &str) -> &Self {
        let text = format!("#!/bin/bash\nset -eu\n{script}\n");
        self.file(&format!("elements/probe/{phase}.d/{name}"), 0o755, &text)
    }

    fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The command that builds, started in the scratch directory.
    fn command(&self, words: &[&str]) -> Command {
        let request = Request::settle(&self.options, &self.env, self.dir.path(), "x86_64").unwrap();
        let path = ElementsPath::default().then(&self.path("elements"));
        let set = resolve(&load(&path).unwrap(), &request.elements).unwrap();
        let tree = HookTree::merge(&set).unwrap();
        let devices = set.block_device(&request.arch).map(|(_, file)| file);
        let devices = devices.map(|file| (file.clone(), std::fs::read_to_string(file).unwrap()));
        let facts = HostFacts { source_date_epoch: 1_700_000_000, ..HostFacts::unknown(Arch::X86_64) };
        let input = Input {
            request: &request,
            path: &path,
            set: &set,
            tree: &tree,
            block_devices: devices.as_ref(),
            facts: &facts,
            binary: None,
            python: &"/usr/bin/python3".to_owned(),
        };
        let plan = isotope_plan::dib::plan(&input).unwrap();
        let file = self.path("plan.json");
        std::fs::write(&file, serde_json::to_string(&plan).unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the subject under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_isotope-run-plan"));
        command.arg(file).arg(self.path("out")).arg(self.path("cache")).args(words);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    fn run(&self) -> Ended {
        let ended = Ended::of(self.command(&["memory"]).output().unwrap());
        self.assert_clean();
        ended
    }

    /// The kernel detaches loop devices from a work queue.
    fn assert_clean(&self) {
        let end = Instant::now() + Duration::from_secs(5);
        while !support::left(self.dir.path()).is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(support::left(self.dir.path()), Vec::<String>::new());
    }

    /// A file of the tar archive.
    fn tar(&self, name: &str) -> Option<String> {
        let mut archive = tar::Archive::new(std::fs::File::open(self.path("out/image.tar")).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            if path.strip_prefix("./").unwrap_or(&path) == Path::new(name) {
                let mut text = String::new();
                std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
                return Some(text);
            }
        }
        None
    }
}

/// Lines that hooks printed with this word at their beginning, without it.
fn said(ended: &Ended, word: &str) -> Vec<String> {
    ended.lines().iter().filter_map(|line| line.strip_prefix(word)).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn host_dib_phases_run_in_order_each_with_its_environment() {
    let mut world = World::new("tar");
    for phase in PHASES {
        let script = format!(
            "echo \"SAW {phase} $PWD $HOME ${{TARGET_ROOT-none}} ${{DIB_DEFAULT_INSTALLTYPE-none}} ${{TMPDIR-none}} \
             ${{DIB_IMAGE_SIZE:+sized}} $(declare -F get_image_element_array || echo nofunction) ${{SOMETHING-none}} $LC_ALL\" >&2"
        );
        world.hook(phase, "50-probe", &script);
    }
    world.hook("extra-data", "60-later", "printf '#!/bin/bash\\necho LATER >&2\\n' > $TMP_HOOKS_PATH/install.d/70-later\nchmod 755 $TMP_HOOKS_PATH/install.d/70-later");
    world.hook("install", "100-last", "echo LAST >&2").hook("install", "9-first", "echo FIRST >&2");
    world.file("elements/probe/install.d/10-ignored.sh", 0o755, "#!/bin/bash\nexit 1\n");
    world.file("elements/probe/environment.d/10-set.bash", 0o644, "export SOMETHING=set\n");
    world.env("DIB_IMAGE_SIZE", "");
    let ended = world.run();
    ended.assert_ok();
    let mount = world.path("cache/mount/image/dib/mnt").display().to_string();
    let here = world.dir.path().display().to_string();
    let expected: Vec<String> = PHASES
        .iter()
        .map(|phase| {
            let inside = ["pre-install", "install", "post-install", "finalise"].contains(phase);
            let sized = ["block-device", "pre-finalise", "finalise", "cleanup"].contains(phase);
            format!(
                "{phase} {} /root {} {} {} {} {} set C",
                if inside { "/" } else { &here },
                if ["root", "cleanup"].contains(phase) { &mount } else { "none" },
                if *phase == "root" { "none" } else { "source" },
                if inside { "none" } else { "/var/tmp" },
                if sized { "sized" } else { "" },
                if inside { "nofunction" } else { "get_image_element_array" },
            )
        })
        .collect();
    assert_eq!(said(&ended, "SAW"), expected);
    let order: Vec<String> =
        ended.lines().into_iter().filter(|line| ["FIRST", "LAST", "LATER"].contains(&line.as_str())).collect();
    assert_eq!(order, ["FIRST", "LATER", "LAST"]);
    ended.assert_line("dib-run-parts 50-probe completed");
    ended.assert_line("dib-run-parts --------------------- END PROFILING ---------------------");
}

#[test]
fn host_dib_mounts_last_from_phase_to_phase_and_the_tree_comes_out_clean() {
    let world = World::new("tar");
    world.file("shared/file", 0o644, "shared\n");
    let shared = world.path("shared");
    let bind = format!("mkdir \"$TMP_MOUNT_PATH/srv\"; sudo mount --bind {} $TMP_MOUNT_PATH/srv", shared.display());
    world.hook("extra-data", "50-bind", &bind);
    world.hook(
        "install",
        "50-look",
        "cat /srv/file >&2\necho \"ORIG $(cat /etc/resolv.conf.ORIG)\" >&2\necho 'nameserver 192.0.2.9' > /etc/resolv.conf.ORIG\n\
         grep -q ' /sys sysfs ro' /proc/mounts && echo 'SYS read-only' >&2\n\
         touch /tmp/in_target.d/x 2>/dev/null || echo 'HOOKS read-only' >&2\n\
         [ -c /dev/null -a -c /dev/pts/ptmx -a ! -e /dev/loop0 ] && echo 'DEV own' >&2\ntouch /tmp/kept",
    );
    world.hook("post-install", "50-look", "[ -e /tmp/kept ] && cat /srv/file >&2");
    world.hook("post-root", "50-look", "[ -e $TMP_MOUNT_PATH/proc/self ] && echo 'PROC there' >&2");
    let ended = world.run();
    ended.assert_ok();
    assert_eq!(ended.lines().iter().filter(|line| *line == "shared").count(), 2);
    for line in ["ORIG nameserver 192.0.2.1", "SYS read-only", "HOOKS read-only", "DEV own", "PROC there"] {
        ended.assert_line(line);
    }
    assert!(ended.lines().iter().any(|line| line.starts_with("Unmount ") && line.ends_with("/mnt/srv")));
    assert_eq!(world.tar("etc/resolv.conf").unwrap(), "nameserver 192.0.2.9\n");
    assert_eq!(world.tar("var/log/old.log").unwrap(), "");
    assert!(world.tar(".hidden").is_some() && world.tar("root/note").is_some() && world.tar("srv").is_some());
    for gone in ["root/a.log", "etc/resolv.conf.ORIG", "tmp/kept", "tmp/in_target.d", "srv/file"] {
        assert_eq!(world.tar(gone), None, "{gone}");
    }
    assert!(shared.join("file").exists());
}

#[test]
fn host_dib_a_failing_hook_is_named_with_its_status() {
    for (phase, words) in
        [("root", "root.d/50-fail"), ("install", "install.d/50-fail"), ("cleanup", "cleanup.d/50-fail")]
    {
        let mut world = World::new("tar");
        world.hook(phase, "50-fail", "sleep 31415 &\necho 'the reason' >&2\nexit 3");
        world.env("break", "after-error").env("break_cmd", "echo \"BROKE at $PWD\" > $TMPDIR/broke || echo inside");
        world.env("TMPDIR", &world.dir.path().display().to_string()).env("break_outside_target", "1");
        let ended = world.run();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let named = format!("hook {words} of element probe failed");
        assert!(ended.stderr.contains(&named), "{}", ended.stderr);
        assert!(ended.stdout.contains("\"status\":3"), "{}", ended.stdout);
        assert!(ended.stdout.contains("the reason"));
        let broke = std::fs::read_to_string(world.path("broke")).unwrap();
        assert_eq!(broke, format!("BROKE at {}\n", world.dir.path().display()));
        assert!(processes("31415").is_empty(), "{phase}");
        assert_eq!(world.path("out").read_dir().unwrap().count(), 0);
    }
}

#[test]
fn host_dib_a_hook_that_hangs_is_killed_in_time() {
    let mut world = World::new("tar");
    world.hook("install", "50-hang", "sleep 27183");
    // Longer than the hooks that do not hang take on a busy machine.
    world.env("DIB_HOOK_TIMEOUT", "15");
    let begun = Instant::now();
    let ended = world.run();
    assert!(
        ended.stderr.contains("hook install.d/50-hang of element probe took longer than 15 seconds"),
        "{}",
        ended.stderr
    );
    assert!(begun.elapsed() < Duration::from_secs(120) && processes("27183").is_empty());
}

#[test]
fn host_dib_secrets_are_not_in_the_log() {
    let mut world = World::new("tar");
    world.env("PROBE_PASSWORD", "from-the-caller");
    world.file("elements/probe/environment.d/10-p", 0o644, "export DEFAULT_PASSWORD=${DEFAULT_PASSWORD:-preset}\n");
    world.hook("install", "50-say", "echo \"length ${#PROBE_PASSWORD}\" >&2");
    let ended = world.run();
    ended.assert_ok();
    assert!(!ended.stdout.contains("preset"), "{}", ended.stdout);
    assert!(ended.stdout.contains("DEFAULT_PASSWORD=***"));
}

/// An MBR with a partition, and a hook in each phase that sees it.
fn with_disk(world: &World) {
    let text = "- local_loop:\n    name: image0\n- partitioning:\n    base: image0\n    label: mbr\n    partitions:\n    - name: root\n      \
                flags: [boot, primary]\n      size: 100%\n      mkfs:\n        name: mkfs_root\n        type: ext4\n        mount:\n          \
                mount_point: /\n          fstab: {options: defaults, fsck-passno: 1}\n";
    world.file("elements/probe/block-device-default.yaml", 0o644, text);
}

#[test]
fn host_dib_the_last_phases_work_on_the_disk() {
    let world = World::new("raw");
    with_disk(&world);
    world.hook(
        "pre-finalise",
        "50-look",
        "echo \"HOST $IMAGE_BLOCK_DEVICE $IMAGE_BLOCK_DEVICES\" >&2; [ -b $IMAGE_BLOCK_DEVICE ]",
    );
    world.hook(
        "finalise",
        "50-look",
        "[ -b ${IMAGE_BLOCK_DEVICE}p1 ] && grep \"^${IMAGE_BLOCK_DEVICE}p1 / ext4\" /proc/mounts >&2\ncat /etc/fstab >&2\n\
         echo \"UUID $DIB_IMAGE_ROOT_FS_UUID LABEL $DIB_ROOT_LABEL\" >&2\ndd if=/dev/zero of=/marker bs=4096 count=1 2>/dev/null",
    );
    let ended = world.run();
    ended.assert_ok();
    let host = said(&ended, "HOST").remove(0);
    let words: Vec<&str> = host.split_whitespace().collect();
    let device = words[0];
    assert_eq!(words[1..], [format!("[image0]={device}"), format!("[root]={device}p1")], "{host}");
    ended.assert_line("LABEL=cloudimg-rootfs / ext4 defaults 0 1");
    assert!(ended.lines().iter().any(|line| line.contains("p1 / ext4 rw")), "{:#?}", ended.lines());
    let raw = std::fs::read(world.path("out/image.raw")).unwrap();
    assert_eq!(raw[446], 0x80, "the partition is active");
    assert_eq!(&raw[510..512], [0x55, 0xaa]);
}

#[test]
fn host_dib_nothing_is_left_after_kill() {
    for phase in ["root", "install", "finalise"] {
        let world = World::new("raw");
        with_disk(&world);
        world.hook(phase, "50-wait", "mkdir -p /tmp\n(sleep 16180) &\necho WAITING >&2\nsleep 16180");
        let mut child = world.command(&["memory"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        let waits = std::io::BufRead::lines(out).map_while(Result::ok).any(|line| line.contains("WAITING"));
        assert!(waits, "{phase}");
        child.kill().unwrap();
        child.wait().unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        while !processes("16180").is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(processes("16180"), Vec::<i32>::new(), "{phase}");
        world.assert_clean();
    }
}
