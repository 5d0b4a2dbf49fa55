//! The order and the filters. `sort` and bash themselves are asked in tests/dib_programs.rs.

use super::super::testing::World;
use super::*;

fn names(listing: &Listing) -> Vec<&str> {
    listing.scripts.iter().map(|file| file.name.as_str()).collect()
}

#[test]
fn scripts_run_by_number_then_bytes() {
    let world = World::new();
    for name in ["100-c", "50-probe", "10-b", "10-a", "010-lead", "9-a", "a-nonum", "Zz-nonum", "-5-minus"] {
        world.hook(&format!("x.d/{name}"));
    }
    let listing = scripts(candidates(&world.path().join("x.d")).unwrap(), &NameFilter::default());
    let expected = ["-5-minus", "Zz-nonum", "a-nonum", "9-a", "010-lead", "10-a", "10-b", "50-probe", "100-c"];
    assert_eq!(names(&listing), expected);
}

#[test]
fn what_is_not_run_is_told_with_its_reason() {
    let world = World::new();
    world.hook("x.d/10-ok").hook("x.d/20-no.sh").file("x.d/30-plain", 0o644, "").hook("x.d/dir/40-nested");
    world.file("x.d/50.conf", 0o644, "").link("x.d/60-gone", "missing").link("x.d/70-link", "10-ok");
    let listing = scripts(candidates(&world.path().join("x.d")).unwrap(), &NameFilter::default());
    assert_eq!(names(&listing), ["10-ok", "70-link"]);
    let ignored: Vec<(&str, Why)> = listing.ignored.iter().map(|one| (&*one.file.name, one.why)).collect();
    let expected = [
        ("20-no.sh", Why::Name),
        ("30-plain", Why::NotExecutable),
        ("50.conf", Why::NotExecutable),
        ("60-gone", Why::NoFile),
    ];
    assert_eq!(ignored, expected);
    let severities: Vec<Severity> = listing.ignored.iter().map(|one| one.diagnostic().severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Warning, Severity::Note, Severity::Warning]);
    assert!(listing.ignored[0].diagnostic().hint.unwrap().contains("`20-no`"));
}

#[test]
fn environment_files_are_read_in_the_order_of_bytes() {
    let world = World::new();
    for name in ["100-x", "20-x", "5-x", "zz", "10.bash", "10-b@d"] {
        world.file(&format!("environment.d/{name}"), 0o644, "");
    }
    let listing = environment(candidates(&world.path().join("environment.d")).unwrap());
    assert_eq!(names(&listing), ["10.bash", "100-x", "20-x", "5-x", "zz"]);
    assert_eq!(listing.ignored[0].file.name, "10-b@d");
}

#[test]
fn run_parts_regex() {
    assert!(NameFilter::new(Some("")).unwrap().takes("10-a"));
    let dots = NameFilter::new(Some("^[a-z.]+$")).unwrap();
    assert!(dots.takes("a.sh") && !dots.takes("10-a"));
    assert!(NameFilter::new(Some("[")).unwrap_err().starts_with("RUN_PARTS_REGEX is no regular expression"));
}
