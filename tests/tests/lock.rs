//! `isotope lock` on the command line: what it writes, keeps, compares and refuses. The archive is an index alone: locks take no downloads.

use isotope_tests::{isotope_command, scratch};
use std::path::PathBuf;
use std::process::Output;

/// A recipe of one element, and an archive of three packages.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: scratch("lock") };
        for name in ["elements/tiny", "archive", "out"] {
            std::fs::create_dir_all(world.path(name)).unwrap();
        }
        world.index(&[("apt", "1"), ("iso-a", "1.0"), ("iso-b", "1.0")]);
        let manifest = format!(
            "summary = \"A small distribution\"\nprovides = [\"operating-system\"]\n\
             [distro]\nname = \"tiny\"\nfamily = \"debian\"\nrelease = \"1\"\n\
             [bootstrap]\npackages = []\n\
             [[bootstrap.sources]]\nuri = \"file:{}\"\nsuite = \"./\"\ncomponents = []\nverify = \"false\"\n\
             [[packages]]\nnames = [\"iso-a\"]\n",
            world.path("archive").display()
        );
        std::fs::write(world.path("elements/tiny/element.toml"), manifest).unwrap();
        std::fs::write(world.path("elements/tiny/README.md"), "test\n").unwrap();
        std::fs::write(world.path("r.toml"), "name = \"r\"\nelements = [\"tiny\"]\n[[exports]]\nformat = \"tar\"\n")
            .unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn index(&self, packages: &[(&str, &str)]) {
        let entry = |(name, version): &(&str, &str)| {
            let essential = if *name == "apt" { "Essential: yes\n" } else { "" };
            let depends = if *name == "iso-a" { "Depends: iso-b\n" } else { "" };
            let digest = format!("{name}{version}").bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: all\n{essential}{depends}Filename: ./{name}.deb\nSize: 10\nSHA256: {digest:0>64}\n\n"
            )
        };
        std::fs::write(self.path("archive/Packages"), packages.iter().map(entry).collect::<String>()).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        isotope_command(&self.path("cache"))
            .arg("--elements-path")
            .arg(self.path("elements"))
            .args(args)
            .current_dir(self.path("out"))
            .output()
            .unwrap()
    }

    /// Runs it, which must end with `code`; standard output and error.
    #[track_caller]
    fn says(&self, args: &[&str], code: i32, words: &[&str]) -> String {
        let output = self.run(args);
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert_eq!(output.status.code(), Some(code), "isotope {args:?} printed:\n{text}");
        for word in words {
            assert!(text.contains(word), "isotope {args:?} does not say `{word}`:\n{text}");
        }
        text
    }
}

#[test]
fn a_lock_is_written_beside_the_recipe_checked_and_updated() {
    let world = World::new();
    world.says(&["lock", "../r.toml"], 0, &["r.lock: 3 packages (30 B"]);
    let text = std::fs::read_to_string(world.path("r.lock")).unwrap();
    assert!(text.contains("{ name = \"iso-b\", version = \"1.0\", arch = \"all\""), "{text}");
    world.says(&["lock", "../r.toml", "--check"], 0, &["the lock is current"]);

    world.index(&[("apt", "1"), ("iso-a", "2.0"), ("iso-b", "1.0"), ("iso-b", "2.0")]);
    // The old iso-b can be had, the old iso-a cannot.
    let told = world.says(&["lock", "../r.toml", "--check"], 1, &["~ iso-a 1.0 → 2.0", "~ iso-b 1.0 → 2.0"]);
    assert!(told.contains("does not fit the recipe, or packages of it are gone"), "{told}");
    let told = world.says(&["lock", "../r.toml", "--update", "iso-a"], 0, &["~ iso-a 1.0 → 2.0"]);
    assert!(!told.contains("iso-b"), "{told}");
    world.says(&["lock", "../r.toml", "--check"], 1, &["fits the recipe; the archives have something newer"]);
    let told = world.says(&["--json", "lock", "../r.toml", "--check"], 1, &[]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["fits"], &told["current"]), (&true.into(), &false.into()));
    let change = serde_json::json!([{"name": "iso-b", "before": "1.0", "now": "2.0"}]);
    assert_eq!(told["difference"]["packages"], change);
    let before = std::fs::read_to_string(world.path("r.lock")).unwrap();
    world.says(&["lock", "../r.toml"], 0, &["the same packages"]);
    assert_eq!(std::fs::read_to_string(world.path("r.lock")).unwrap(), before, "without --update nothing moves");
    world.says(&["lock", "../r.toml", "--update"], 0, &["~ iso-b 1.0 → 2.0"]);
    // apt's lists of a `file:` archive are links to it.
    world.says(&["lock", "../r.toml", "--check", "--offline"], 0, &["the lock is current"]);
    world.says(&["lock", "tiny", "-o", "own.lock", "--offline"], 0, &["own.lock: 3 packages"]);
    std::fs::remove_dir_all(world.path("archive")).unwrap();
    world.says(&["lock", "../r.toml", "--check"], 6, &["File not found"]);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_done() {
    let world = World::new();
    world.says(&["lock"], 2, &["no recipe is named"]);
    world.says(&["lock", "tiny"], 2, &["have no recipe", "--output FILE"]);
    world.says(&["lock", "../r.toml", "--update", "iso-a"], 2, &["there is no lock file", "isotope lock RECIPE"]);
    world.says(&["lock", "../r.toml", "--check"], 1, &["there is no lock file"]);
    world.says(&["build", "../r.toml", "--locked"], 2, &["there is no lock file", "r.lock", "isotope lock RECIPE"]);
    std::fs::write(world.path("r.lock"), "format = 1\nname = \"r\"\npackges = []\n").unwrap();
    world.says(&["build", "../r.toml", "--locked"], 3, &["r.lock:3:1", "packges"]);
    std::fs::write(world.path("r.lock"), "format = 2\n").unwrap();
    world.says(&["lock", "../r.toml"], 3, &["is of format 2, and this Isotope knows format 1"]);
    std::fs::write(world.path("r.lock"), "format = 1\nname = \"r\"\n").unwrap();
    world.says(&["build", "../r.toml", "--locked"], 4, &["the lock has no packages for r", "isotope lock --update"]);
    world.says(&["lock", "../r.toml", "--update", "nosuch"], 2, &["the lock does not have nosuch"]);
    world.index(&[("apt", "1"), ("iso-a", "1.0")]);
    world.says(&["lock", "../r.toml"], 6, &["the packages cannot be installed together", "iso-b"]);
    assert_eq!(std::fs::read_dir(world.path("out")).unwrap().count(), 0);
}
