//! Files as diskimage-builder documents them, and the command lines that it shows for them.

use super::*;

fn lines(text: &str) -> Result<Vec<String>, Vec<Diagnostic>> {
    let definitions = read(&[(Path::new("images.yaml"), text)])?;
    Ok(definitions.iter().map(|definition| definition.invocation().shell_line()).collect())
}

#[test]
fn every_key_becomes_its_option() {
    let text = r#"
- imagename: one
  arch: amd64
  types: [qcow2, tar]
  elements: [debian-minimal, vm]
  environment: {DIB_RELEASE: bookworm, NUM: "7", E: "a b"}
  packages: [vim, less]
  debug-trace: 1
  uncompressed: true
  clear: true
  logfile: x.log
  checksum: true
  image-size: 20
  image-extra-size: 2
  image-cache: /c
  max-online-resize: 1000
  min-tmpfs: 3
  mkfs-journal-size: 128
  mkfs-options: "-i 16384 -O x"
  no-tmpfs: true
  offline: true
  qemu-img-options: {compat: "0.10", size: "1"}
  root-label: rl
  ramdisk-element: dr
  install-type: package
  docker-target: t
  skip-base: true
- imagename: two
  ramdisk: true
  elements: [ubuntu]
- imagename: one
  elements: [more]
  environment: {DIB_RELEASE: sid}
  types: [raw]
"#;
    let lines = lines(text).unwrap();
    let expected = "DIB_RELEASE=sid E='a b' NUM=7 disk-image-create -o one -a amd64 -t qcow2,tar,raw -x -u -c --logfile x.log \
                    --checksum --image-size 20 --image-extra-size 2 --image-cache /c --max-online-resize 1000 --min-tmpfs 3 \
                    --mkfs-journal-size 128 --mkfs-options '-i 16384 -O x' --no-tmpfs --offline \
                    --qemu-img-options compat=0.10,size=1 --root-label rl --ramdisk-element dr --install-type package \
                    --docker-target t -p vim,less -n debian-minimal vm more";
    assert_eq!(lines, [expected, "ramdisk-image-create -o two ubuntu"]);
}

#[test]
fn a_definition_without_a_name_adds_to_the_one_before() {
    let text = "- imagename: a\n  elements: [x]\n- elements: [y]\n  debug-trace: 2\n  checksum: false\n";
    assert_eq!(lines(text).unwrap(), ["disk-image-create -o a -x -x x y"]);
    assert_eq!(lines("- elements: [x]\n").unwrap(), ["disk-image-create x"]);
}

#[test]
fn files_follow_each_other() {
    let files =
        [(Path::new("a.yaml"), "- imagename: a\n  elements: [x]\n"), (Path::new("b.yaml"), "- elements: [y]\n")];
    assert_eq!(read(&files).unwrap().len(), 1);
}

#[test]
fn a_docker_image_is_named_as_the_image_unless_it_has_a_name() {
    let text = "- imagename: q\n  types: [docker]\n  elements: [x]\n";
    assert_eq!(lines(text).unwrap(), ["disk-image-create -o q -t docker --docker-target q x"]);
}

#[test]
fn everything_wrong_is_told_with_its_line() {
    let text = "- imagename: q\n  debug-trace: 7\n  arch: foo\n  types: [bogus]\n  imagesize: 3\n  image-size: 2.5\n- 7\n- environment: {A: 1}\n  clear: perhaps\n";
    let problems = lines(text).unwrap_err();
    insta::assert_snapshot!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    assert!(lines("imagename: q\n").unwrap_err()[0].to_string().contains("not a list"));
}

#[test]
fn the_types_are_those_of_the_command_line() {
    let mut known: Vec<&str> = crate::dib::ImageFormat::ALL.iter().map(|format| format.name).collect();
    let mut types = TYPES.to_vec();
    known.sort_unstable();
    types.sort_unstable();
    assert_eq!(known, types);
}
