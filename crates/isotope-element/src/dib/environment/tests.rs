//! What is told and what is not, by example.

use super::*;
use proptest::prelude::*;

fn found(texts: &[&str], known: &[&str]) -> Vec<String> {
    let files: Vec<EnvironmentFile> = (10..)
        .zip(texts)
        .map(|(number, text)| EnvironmentFile { path: PathBuf::from(format!("{number}-x")), text: (*text).to_owned() })
        .collect();
    let known = known.iter().map(|name| (*name).to_owned()).collect();
    let told = |one: &Unset| format!("{}:{} {}", one.file.display(), one.spot.line, one.variable);
    unset(&files, &known).iter().map(told).collect()
}

#[track_caller]
fn tells(text: &str, expected: &[&str]) {
    let told: Vec<String> = found(&[text], &[]);
    let told: Vec<&str> = told.iter().filter_map(|told| told.split(' ').nth(1)).collect();
    assert_eq!(told, expected, "{text}");
}

#[test]
fn uses_without_a_default_are_told_once() {
    assert_eq!(
        found(&["export A=1\nexport B=$DIB_X\nC=\"a ${DIB_Y} $DIB_X\"\n"], &[]),
        ["10-x:2 DIB_X", "10-x:3 DIB_Y"]
    );
    tells("[ $DIB_X == 1 ] && export A=1", &["DIB_X"]);
    tells("export A=$A", &["A"]);
    tells(
        "a=${DIB_X%%/*} b=${#DIB_Y} c=${!DIB_Z} d=${DIB_W:0:2} e=${DIB_V//a/b}",
        &["DIB_X", "DIB_Y", "DIB_Z", "DIB_W", "DIB_V"],
    );
    tells("a=$(echo $DIB_X) b=`echo $DIB_Y` c=\"$(echo \"$DIB_Z\")\"", &["DIB_X", "DIB_Y", "DIB_Z"]);
    tells("a=${A:-$DIB_X}", &["DIB_X"]);
}

#[test]
fn defaults_and_tests_are_not_told() {
    tells("export A=${A:-x} B=${B-} C=${C:=x} D=${D:+x}\n: ${E:=1}\necho $A $B $C $D $E", &[]);
    tells("if [ -n \"${DIB_X:-}\" ]; then\n  export A=$DIB_X\nfi", &[]);
    tells("[[ -v DIB_X ]] && export A=$DIB_X", &[]);
    tells("export ARCH2=$ARCH HERE=$PWD H=$HOME T=$TMP_HOOKS_PATH", &[]);
}

#[test]
fn what_sets_a_variable() {
    tells("A=1\nB+=x\nC[0]=1\nD=(a b)\necho $A $B ${C[0]} ${D[@]}", &[]);
    tells("for x in a b; do echo $x; done\nread -r a b <<< \"1 2\"\nprintf -v c x\necho $a $b $c", &[]);
    tells("if true; then export A=1; fi; echo $A", &[]);
    tells("declare -A MAP=([a]=1)\nlocal y=2\necho ${MAP[a]} $y", &[]);
    tells("source /etc/os-release\necho $ID", &[]);
    tells("set +u\necho $ID", &[]);
}

#[test]
fn what_is_no_use() {
    tells("# $DIB_X\na='$DIB_X' b=\\$DIB_X c=$'\\'$DIB_X' d=$1 e=$# f=$? g=\"$*\" h=a#$ARCH\n", &[]);
    tells("cat <<'EOF'\n$DIB_X\nEOF\ncat <<-EOF\n\tit's $ARCH \"x\"\n\tEOF\necho '$DIB_Y'", &[]);
    tells("cat <<EOF\n$DIB_X\nEOF", &["DIB_X"]);
    tells("case $ARCH in\n  a) x=1;;\n  *) y=2;;\nesac\necho $x $y '$DIB_X'", &[]);
}

#[test]
fn files_know_what_earlier_files_set() {
    assert_eq!(found(&["export A=1", "echo $A $B", "B=1"], &[]), ["11-x:1 B"]);
    assert!(found(&["echo $B"], &["B"]).is_empty());
}

#[test]
fn what_a_file_demands_is_marked() {
    let file = EnvironmentFile { path: PathBuf::from("x"), text: "a=${DIB_X:?must be given}\n".to_owned() };
    let told = unset(&[file], &BTreeSet::new());
    assert!(told[0].demanded);
    let text = told[0].diagnostic(Severity::Error).to_string();
    assert!(text.starts_with("error: `DIB_X` must be set\n --> x:1:5"), "{text}");
}

proptest! {
    /// Whatever the text is: it is read to its end, and places are in it.
    #[test]
    fn any_text_is_read(text in "([$\\\\{}()\"'`#=<; \n\\-:é\\[\\]|&a-cEOF]|<<E|\\$\\{|\\$\\(){0,60}") {
        let file = EnvironmentFile { path: PathBuf::from("x"), text: text.clone() };
        for one in unset(&[file], &BTreeSet::new()) {
            prop_assert!(one.spot.line as usize <= text.lines().count().max(1));
            prop_assert!(!one.variable.is_empty());
        }
    }
}

#[test]
fn defaults_are_read_where_one_plain_line_says_them() {
    let of = |text: &str| {
        let file = EnvironmentFile { path: PathBuf::from("/e/environment.d/10-x"), text: text.to_owned() };
        plain_default(&[file], "X")
    };
    for (text, value) in [
        ("export X=${X:-1}\n", Some("1")),
        ("export X=${X:-}\n", Some("")),
        ("X=\"${X:-a b}\"  # why\nexport X\n", Some("a b")),
        ("export X='a'\n", Some("a")),
        ("export X=${X:-\"a\"}\n", Some("a")),
        (": ${X:=yes}\n", Some("yes")),
        ("export XX=1\nexport Y_X=2\n", None),
        ("export X=${X:-$Y}\n", None),
        ("export X=$(date)\n", None),
        ("if true; then\n  export X=1\nfi\n", None),
        ("export X=1\nexport X=2\n", None),
        ("[ -z \"$Y\" ] || X=1\n", None),
    ] {
        assert_eq!(of(text).as_deref(), value, "{text}");
    }
}
