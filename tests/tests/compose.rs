//! `isotope compose` on the command line: what would be done, and everything that is wrong, before anything is made.

use isotope_tests::{isotope_command, leaks, root, scratch};
use std::path::Path;
use std::process::Output;

fn compose(dir: &Path, args: &[&str]) -> Output {
    let out = dir.join("out");
    std::fs::create_dir_all(&out).unwrap();
    isotope_command(&dir.join("cache")).arg("compose").args(args).current_dir(out).output().unwrap()
}

#[track_caller]
fn refuses(args: &[&str], code: i32, words: &[&str]) {
    let dir = scratch("compose");
    std::fs::write(dir.path().join("wrong.yaml"), "ref: a/b\npackges: [x]\napt:\n  relese: trixie\n").unwrap();
    let output = compose(dir.path(), args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "isotope compose {args:?} printed:\n{text}");
    for word in words {
        assert!(text.contains(word), "isotope compose {args:?} does not say `{word}`:\n{text}");
    }
    assert_eq!(leaks::files(&dir.path().join("out")), Vec::<String>::new());
}

#[test]
fn the_plan_of_a_treefile_is_shown_and_nothing_is_done() {
    let dir = scratch("compose");
    let treefile = root().join("crates/isotope-plan/tests/fixtures/debian/treefile.yaml");
    let treefile = treefile.to_str().unwrap();
    let args = [treefile, "--repo", "repo", "--release", "bookworm", "--dry-run"];
    let output = compose(dir.path(), &args);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "small-bookworm-x86_64",
        "http://own.example.org/debian ./ main  (not verified)",
        "linux-image-amd64",
        "turn the tree into an ostree tree",
        "commit to small/bookworm/x86_64",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert_eq!(leaks::files(&dir.path().join("out")), Vec::<String>::new());
}

#[test]
fn wrong_treefiles_are_told_with_their_lines() {
    refuses(
        &["../wrong.yaml", "--repo", "repo"],
        3,
        &[
            "wrong.yaml:2:1",
            "`packges`",
            "did you mean `packages`?",
            "wrong.yaml:4:3",
            "`relese`",
            "did you mean `release`?",
        ],
    );
    refuses(&["../none.yaml", "--repo", "repo"], 3, &["cannot read the treefile", "none.yaml"]);
}

#[test]
fn wrong_arguments_are_told() {
    refuses(&["--repo", "repo"], 2, &["TREEFILE"]);
    refuses(&["../wrong.yaml"], 2, &["--repo"]);
    refuses(
        &["../wrong.yaml", "--repo", "repo", "--sign", "pgp:x"],
        2,
        &["`--sign pgp:x` names no key", "ed25519:FILE"],
    );
    refuses(&["../wrong.yaml", "--repo", "repo", "--set", "mirror"], 2, &["NAME=VALUE"]);
    refuses(&["--from", "some/ref", "--repo", "repo"], 2, &["--add"]);
    refuses(&["--from", "some/ref", "--add", "x", "--repo", "repo"], 3, &["repo is no ostree repository"]);
}
