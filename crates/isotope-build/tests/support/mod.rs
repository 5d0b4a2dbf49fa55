//! Shared by the tests of the engine: small plans, a way to run them, and what a build may leave behind.

#![allow(dead_code, reason = "each test file uses a part of it")]

use isotope_element::{Arch, Bytes, Family, Keep, Origin, Phase, Place};
use isotope_plan::layout::{
    DiskSize, Filesystem, FilesystemKind, Layout, Mount, Partition, PartitionKind, PartitionSize, SectorSize, Table,
};
use isotope_plan::{Checksum, Compression, EnvValue, Export, Format, Hook, Plan, Step, StepAction, Target};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use uuid::Uuid;

/// A hook on the host that makes a tree of the host's own shell and a few programs.
pub const TREE: &str = r#"#!/bin/sh
set -eu
cd "$TARGET_ROOT"
mkdir -p etc usr/bin usr/sbin usr/lib var/log root
ln -s usr/bin bin; ln -s usr/sbin sbin; ln -s usr/lib lib; mkdir -p usr/lib64; ln -s usr/lib64 lib64
for program in sh ls cat sleep touch rm mkdir ln env id readlink stat mount sync dd hostname mv cp; do
    path=$(command -v $program)
    cp -L "$path" usr/bin/
    ldd "$path" | grep -o '/[^ ]*' | while read -r library; do
        mkdir -p ".$(dirname "$library")"
        cp -nL "$library" ".$library"
    done
done
echo 'root:x:0:0:root:/root:/bin/sh' > etc/passwd
"#;

/// A scratch directory with an element, a cache and an output directory.
pub struct Bench {
    pub dir: TempDir,
    pub target: Target,
    steps: Vec<Step>,
    pub layout: Option<Layout>,
    exports: Vec<Export>,
    /// Plans that run first.
    pub inputs: Vec<Plan>,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("isotope-engine-").tempdir().unwrap();
        for name in ["element", "out", "cache"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let target = Target { arch: Arch::X86_64, distro: "tiny".into(), family: Family::Debian, release: "1".into() };
        Self { dir, target, steps: Vec::new(), layout: None, exports: Vec::new(), inputs: Vec::new() }
    }

    /// One whose first step makes a tree that programs run in.
    pub fn with_tree() -> Self {
        let mut bench = Self::new();
        bench.hook(Phase::Root, "10-tree", TREE);
        bench
    }

    /// Adds a disk with one ext4 filesystem, and the step that makes it.
    pub fn disk(&mut self) -> &mut Self {
        let filesystem = Filesystem {
            kind: FilesystemKind::Ext4,
            label: Some("root".into()),
            uuid: Uuid::from_u128(2),
            mount: Some(Mount { path: "/".into(), options: "defaults".into(), passno: 1 }),
            mkfs_options: Vec::new(),
        };
        let root = Partition {
            name: "root".into(),
            number: 1,
            kind: PartitionKind::Root,
            size: PartitionSize::Auto,
            uuid: Uuid::from_u128(1),
            filesystem: Some(filesystem),
            origin: Origin { element: "tiny".into(), file: None, line: None },
        };
        self.layout = Some(Layout {
            table: Table::Gpt,
            sector_size: SectorSize::B512,
            size: DiskSize::Auto,
            align: Bytes::mib(1),
            disk_id: Uuid::from_u128(3),
            partitions: vec![root],
        });
        self.step(Phase::BlockDevice, "disk", StepAction::Disk)
    }

    /// Adds an output, and the step that writes it.
    pub fn export(&mut self, format: Format, file_name: &str) -> &mut Self {
        let (compression, checksums) = (Compression::None, vec![Checksum::Sha256]);
        self.exports.push(Export::new(format, compression, checksums, file_name.to_owned()));
        let index = self.exports.len() - 1;
        self.step(Phase::Export, file_name, StepAction::Export { index })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn hook(&mut self, phase: Phase, name: &str, script: &str) -> &mut Self {
        self.hook_with(phase, name, script, &[])
    }

    pub fn hook_with(&mut self, phase: Phase, name: &str, script: &str, env: &[(&str, EnvValue)]) -> &mut Self {
        let dir = self.path("element").join(format!("{phase}.d"));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        self.step(
            phase,
            name,
            StepAction::Hook(Hook {
                script: path,
                element_dir: self.path("element"),
                place: if phase.place() == Place::Host { Place::Host } else { Place::Target },
                env: env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
                keep: Keep::Always,
            }),
        )
    }

    /// A hook of an element of its own, in `elements/ELEMENT`.
    pub fn hook_of(&mut self, element: &str, phase: Phase, script: &str) -> &mut Self {
        let dir = self.path("elements").join(element);
        let path = dir.join(format!("{phase}.d/50-{element}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let place = if phase.place() == Place::Host { Place::Host } else { Place::Target };
        self.step(
            phase,
            element,
            StepAction::Hook(Hook { script: path, element_dir: dir, place, env: BTreeMap::new(), keep: Keep::Always }),
        )
    }

    /// A variable of the hook that a step runs.
    pub fn set(&mut self, step: &str, name: &str, value: &str) {
        let hooks = self.steps.iter_mut().filter(|known| known.title == step);
        for step in hooks {
            if let StepAction::Hook(hook) = &mut step.action {
                hook.env.insert(name.to_owned(), EnvValue::from(value.to_owned()));
            }
        }
    }

    pub fn step(&mut self, phase: Phase, name: &str, action: StepAction) -> &mut Self {
        let origin = Origin { element: "tiny".into(), file: None, line: None };
        self.steps.push(Step { id: format!("{phase}/{name}"), phase, origin, title: name.to_owned(), action });
        self
    }

    pub fn plan(&self) -> Plan {
        Plan {
            inputs: self.inputs.clone(),
            format: 1,
            name: "tiny".into(),
            target: self.target.clone(),
            elements: Vec::new(),
            steps: self.steps.clone(),
            layout: self.layout.clone(),
            boot: None,
            exports: self.exports.clone(),
            seed: Default::default(),
            source_date_epoch: 1_700_000_000,
            properties: BTreeMap::new(),
            checks: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The command that runs the plan.
    pub fn command(&self, words: &[&str]) -> Command {
        let plan = self.path("plan.json");
        std::fs::write(&plan, serde_json::to_string(&self.plan()).unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the subject under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_isotope-run-plan"));
        command.arg(plan).arg(self.path("out")).arg(self.path("cache")).args(words).stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> Ended {
        Ended::of(self.command(words).output().unwrap())
    }

    /// Mounts, loop devices and work directories that are left.
    pub fn left(&self) -> Vec<String> {
        left(self.dir.path())
    }
}

/// A run that is over.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Lines that programs printed.
    pub fn lines(&self) -> Vec<String> {
        self.stdout
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|value| value["event"] == "output" || value["event"] == "note")
            .filter_map(|value| value["line"].as_str().or(value["message"].as_str()).map(str::to_owned))
            .collect()
    }

    pub fn assert_ok(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    pub fn assert_line(&self, line: &str) -> &Self {
        assert!(self.lines().iter().any(|own| own == line), "no line {line:?} in {:#?}", self.lines());
        self
    }
}

pub fn left(dir: &Path) -> Vec<String> {
    let name = dir.to_string_lossy().into_owned();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut left: Vec<String> = mounts.lines().filter(|line| line.contains(&name)).map(str::to_owned).collect();
    for entry in std::fs::read_dir("/sys/block").unwrap().flatten() {
        let backing = std::fs::read_to_string(entry.path().join("loop/backing_file")).unwrap_or_default();
        if backing.contains(&name) {
            left.push(backing);
        }
    }
    left
}

/// Processes whose command line holds `word`.
pub fn processes(word: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(word) {
            found.push(pid);
        }
    }
    found
}
