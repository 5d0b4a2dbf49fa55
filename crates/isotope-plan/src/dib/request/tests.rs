//! The command line and the environment of diskimage-builder's documentation, settled.

use super::*;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let home = [("HOME", "/home/u")];
    home.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn options() -> Options {
    Options { elements: vec!["debian-minimal".to_owned(), "vm".to_owned()], ..Options::default() }
}

fn settle(options: &Options, environment: &[(&str, &str)]) -> Result<Request, Vec<Problem>> {
    Request::settle(options, &env(environment), Path::new("/work"), "x86_64")
}

#[test]
fn defaults() {
    let request = settle(&options(), &[]).unwrap();
    assert_eq!((request.arch.as_str(), request.name.as_str(), request.fs_type.as_str()), ("amd64", "image", "ext4"));
    assert_eq!(request.image_cache, Path::new("/home/u/.cache/image-create"));
    assert_eq!(request.lockfiles, Path::new("/home/u/.cache/dib/lockfiles"));
    assert_eq!(request.tmp_dir, Path::new("/tmp"));
    assert_eq!(request.formats, [ImageFormat::by_name("qcow2").unwrap()]);
    assert_eq!((request.install_type.as_str(), request.ramdisk_element.as_str()), ("source", "ramdisk"));
    assert!(request.checksums.is_empty() && !request.quiet && !request.skip_base && !request.no_tmpfs);
    assert!((request.min_tmpfs - 2.0).abs() < f64::EPSILON);
    assert_eq!(request.output(request.formats[0]), Path::new("/work/image.qcow2"));
}

#[test]
fn the_command_line_wins_over_the_environment() {
    let given = Options {
        arch: Some("arm64".to_owned()),
        output: Some("/out/my.img".to_owned()),
        types: Some("raw,tgz, raw".to_owned()),
        packages: vec!["vim,less".to_owned(), "curl".to_owned()],
        image_size: Some("2.5".to_owned()),
        root_label: Some("here".to_owned()),
        logfile: Some(PathBuf::from("log")),
        checksum: true,
        ..options()
    };
    let environment = [
        ("ARCH", "ppc64el"),
        ("IMAGE_NAME", "other"),
        ("DIB_IMAGE_SIZE", "9"),
        ("ROOT_LABEL", "there"),
        ("FS_TYPE", "xfs"),
    ];
    let request = settle(&given, &environment).unwrap();
    assert_eq!((request.arch.as_str(), request.name.as_str()), ("arm64", "/out/my.img"));
    assert_eq!(request.formats.iter().map(|format| format.name).collect::<Vec<_>>(), ["raw", "tgz"]);
    assert_eq!(request.packages, ["vim", "less", "curl"]);
    assert_eq!((request.image_size, request.root_label.as_deref()), (Some(2.5), Some("here")));
    assert_eq!(request.fs_type, "xfs");
    assert_eq!(request.checksums, [Checksum::Md5, Checksum::Sha256]);
    // A log file makes it quiet, unless the environment says otherwise.
    assert!(request.quiet);
    assert!(!settle(&given, &[("DIB_QUIET", "0")]).unwrap().quiet);
    assert_eq!(request.output(request.formats[1]), Path::new("/out/my.img.tgz"));
}

#[test]
fn a_name_may_carry_the_extension_of_its_only_format() {
    let named = |output: &str, types: &str| {
        let options = Options { output: Some(output.to_owned()), types: Some(types.to_owned()), ..options() };
        settle(&options, &[]).unwrap().name
    };
    assert_eq!(named("a.qcow2", "qcow2"), "a");
    assert_eq!(named("a.qcow2", "qcow2,raw"), "a.qcow2");
    assert_eq!(named("a.raw", "qcow2"), "a.raw");
    assert_eq!(named("qcow2", "qcow2"), "qcow2");
}

#[test]
fn outputs_are_exports_with_raw_last() {
    let options = Options {
        output: Some("dir/image".to_owned()),
        types: Some("raw,qcow2,squashfs,tgz,docker,vpc".to_owned()),
        docker_target: Some("site/image:7".to_owned()),
        qemu_img_options: Some("compat=0.10".to_owned()),
        ..options()
    };
    let request = settle(&options, &[]).unwrap();
    let exports = request.exports();
    let names: Vec<&str> = exports.iter().map(|export| export.file_name.as_str()).collect();
    assert_eq!(names, ["image.qcow2", "image.squash", "image.tgz", "image.docker.tar", "image.vpc", "image.raw"]);
    assert_eq!(request.out_dir(), Path::new("/work/dir"));
    assert_eq!(exports[0].compression, Compression::Zlib);
    assert_eq!(exports[0].qemu_img_options.as_deref(), Some("compat=0.10"));
    assert_eq!((&exports[1].qemu_img_options, &exports[5].qemu_img_options), (&None, &None));
    assert_eq!(exports[2].compression, Compression::Gzip);
    let container = exports[3].container.as_ref().unwrap();
    assert_eq!((container.name.as_str(), container.arch.as_str()), ("site/image:7", "amd64"));
    let uncompressed = settle(&Options { uncompressed: true, ..options }, &[]).unwrap();
    assert_eq!(uncompressed.exports()[0].compression, Compression::None);
}

#[test]
fn switches_are_on_when_they_are_neither_empty_nor_0() {
    let of = |value| settle(&options(), &[("DIB_OFFLINE", value), ("OVERWRITE_OLD_IMAGE", value)]).unwrap();
    for (value, on) in [("", false), ("0", false), ("1", true), ("yes", true)] {
        assert_eq!((of(value).offline, of(value).overwrite), (on, on), "{value:?}");
    }
}

#[test]
fn checksums_by_their_variable() {
    let of = |value| settle(&options(), &[("DIB_CHECKSUM", value)]).map(|request| request.checksums);
    assert_eq!(of("1").unwrap(), [Checksum::Md5, Checksum::Sha256]);
    assert_eq!(of("both").unwrap(), [Checksum::Md5, Checksum::Sha256]);
    assert_eq!(of("md5").unwrap(), [Checksum::Md5]);
    assert_eq!(of("sha256").unwrap(), [Checksum::Sha256]);
    assert!(of("0").unwrap().is_empty());
    assert!(of("sha1").is_err());
}

#[test]
fn clear_leaves_only_what_programs_cannot_do_without() {
    let options = Options { clear: true, ..options() };
    let request = settle(&options, &[("DIB_RELEASE", "bookworm"), ("PATH", "/bin"), ("ARCH", "arm64")]).unwrap();
    assert_eq!(request.environment, env(&[("PATH", "/bin")]));
    assert_eq!(request.arch, "amd64");
}

#[test]
fn a_ramdisk_works_on_disk() {
    let request = settle(&Options { program: Program::Ramdisk, ..options() }, &[("RAMDISK_ELEMENT", "tiny")]).unwrap();
    assert!(request.no_tmpfs && (request.min_tmpfs - 1.0).abs() < f64::EPSILON);
    assert_eq!(request.ramdisk_element, "tiny");
}

#[test]
fn everything_wrong_is_told_at_once() {
    let wrong = Options {
        types: Some("qcow3,docker".to_owned()),
        image_size: Some("big".to_owned()),
        mkfs_journal_size: Some("1.5".to_owned()),
        install_type: Some("sauce".to_owned()),
        ..Options::default()
    };
    let problems = settle(&wrong, &[("break", "before-root,now"), ("DIB_CHECKSUM", "crc")]).unwrap_err();
    insta::assert_snapshot!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}
