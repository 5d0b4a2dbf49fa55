//! One record of both programs: environment, place, mounts and functions of each phase. Every difference is in [`KNOWN`], with its
//! reason; one that is there and does not occur is an error too.

use crate::world::{Builder, Built, PHASES, World, upstream};
use std::collections::{BTreeMap, BTreeSet};

/// What differs: the kind of record, the phase (`*`: every one), the name, and why.
const KNOWN: &[(&str, &str, &str, &str)] = &[
    (
        "env",
        "*",
        "DIB_IMAGE_ROOT_FS_UUID",
        "elements older than diskimage-builder 2.4 need it (Magnum's fedora-atomic)",
    ),
    ("env", "*", "PATH", "in the target, diskimage-builder's begins with the five characters `$PATH`"),
    ("env", "*", "LC_CTYPE", "Python adds it to diskimage-builder's environment (PEP 538)"),
    (
        "env",
        "*",
        "PYTHONPATH",
        "upstream's package-installs-squash imports a module of diskimage-builder, which ours stands in for",
    ),
    ("env", "*", "APT_CONFIG", "in the target, by which a kernel's initramfs is made once a run of dpkg, not twice"),
    ("env", "*", "BASH_FUNC__ps4%%", "serves the prompt of diskimage-builder's own trace"),
    ("functions", "*", "_ps4", "serves the prompt of diskimage-builder's own trace"),
    ("mounts", "*", "/dev", "a /dev of the build's own, with its loop devices: none of the host's can be reached"),
    ("mounts", "*", "/dev/shm", "programs find shared memory, which diskimage-builder does not mount"),
];

/// Names whose values belong to one run or one program.
const OWN: &[&str] = &["_", "DIB_ENV", "PS4", "SHLVL"];

type Record = BTreeMap<(String, String, String), String>;

#[test]
fn host_the_record_is_diskimage_builders() {
    let (ours, theirs) = (record(Builder::Isotope), record(Builder::Upstream));
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for key in keys {
        let (our, their) = (ours.get(key), theirs.get(key));
        if our == their {
            continue;
        }
        let (kind, phase, name) = key;
        let known = KNOWN.iter().position(|(k, p, n, _)| k == kind && (*p == "*" || p == phase) && n == name);
        match known {
            Some(index) => drop(used.insert(index)),
            None => wrong
                .push(format!("{kind} {phase} {name}\n  diskimage-builder: {their:?}\n  isotope:           {our:?}")),
        }
    }
    let idle: Vec<&str> = (0..KNOWN.len()).filter(|index| !used.contains(index)).map(|index| KNOWN[index].2).collect();
    assert!(wrong.is_empty(), "{} differences that are not listed:\n{}", wrong.len(), wrong.join("\n"));
    assert!(idle.is_empty(), "listed, and no difference: {idle:?}");
}

/// What a run with the probe found, with the run's own places replaced by names.
fn record(builder: Builder) -> Record {
    let world = World::new(builder).env("SECRET_HOSTVAR", "leaks").env("https_proxy", "http://127.0.0.1:9");
    let built =
        world.create(&["-n", "-t", "raw", "--image-size", "0.5", "-o", "image", "tiny-os", "probe", "ordered"]).well();
    let places = places(&world, &built);
    let neutral =
        |text: &str| places.iter().fold(text.to_owned(), |text, (place, name)| text.replace(place.as_str(), name));
    let mut found = Record::new();
    for phase in PHASES {
        for kind in ["env", "facts"] {
            for (name, value) in built.values(phase, kind) {
                if !OWN.contains(&name.as_str()) {
                    let value = value_of(&name, &devices(&neutral(&value)));
                    found.insert((kind.to_owned(), phase.to_owned(), name), value);
                }
            }
        }
        for kind in ["mounts", "functions"] {
            for line in built.record(phase, kind).lines() {
                let (name, value) = line.trim_start().split_once(' ').unwrap_or((line, ""));
                // Of mount options, only whether it can be written counts.
                let value = value.split(',').next().unwrap_or_default();
                found.insert((kind.to_owned(), phase.to_owned(), neutral(name)), value.to_owned());
            }
        }
    }
    found
}

/// Functions are compared by their names; of lists whose order is a hash table's in diskimage-builder, the words.
fn value_of(name: &str, value: &str) -> String {
    if name.starts_with("BASH_FUNC_") {
        return String::new();
    }
    if name != "IMAGE_ELEMENT" {
        return value.to_owned();
    }
    let mut words: Vec<&str> = value.split(' ').collect();
    words.sort_unstable();
    words.join(" ")
}

/// Places of a run, longest first.
fn places(world: &World, built: &Built<'_>) -> Vec<(String, &'static str)> {
    let variable = |name: &str| built.variable("root", name).unwrap_or_default();
    let mut places = vec![
        (variable("TMP_BUILD_DIR"), "@BUILD@"),
        (variable("TMP_IMAGE_DIR"), "@IMAGES@"),
        (variable("_LIB"), "@LIB@"),
        (variable("DIB_PYTHON_EXEC"), "@PYTHON@"),
        (variable("PATH"), "@PATH@"),
        (format!(":{}", upstream().join("lib/python3.11/site-packages/diskimage_builder/elements").display()), ""),
        (format!(":{}", isotope_tests::root().join("elements-dib").display()), ""),
        (world.dir.path().display().to_string(), "@HERE@"),
    ];
    places.retain(|(place, _)| !place.is_empty() && place != ":");
    places.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
    places
}

/// Which loop device it is differs from run to run.
fn devices(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("/dev/loop") {
        out.push_str(&rest[..at]);
        out.push_str("/dev/loopN");
        rest = rest[at + "/dev/loop".len()..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out + rest
}
