//! The command line of `disk-image-create` and `ramdisk-image-create`, as diskimage-builder's programs take it.
//!
//! In: arguments. Out: [`Options`]. Short options, long ones, also shortened as far as they are clear, and elements may stand in any
//! order; of an option that stands twice, the later one counts. The two that diskimage-builder documents and refuses
//! (`--image-extra-size`, `--mkfs-journal-size`) are taken.

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use isotope_plan::dib::{Options, Program};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// What the environment says, for the end of the help.
const ENVIRONMENT: &str = "\
Environment:
  ELEMENTS_PATH                 directories of elements, separated by colons; our own stand behind them
  DIB_RELEASE, DIB_*            variables of elements; each element's README names its own
  ARCH, IMAGE_NAME, FS_TYPE, ROOT_LABEL, MKFS_OPTS, QEMU_IMG_OPTIONS, MAX_ONLINE_RESIZE, DOCKER_TARGET, RAMDISK_ELEMENT
                                as the options of that name; FS_TYPE: type of the root filesystem [ext4]
  DIB_IMAGE_SIZE, DIB_IMAGE_EXTRA_SIZE (MB), DIB_JOURNAL_SIZE (MB), DIB_BLOCK_SIZE, DIB_BLOCK_DEVICE_CONFIG
                                size and layout of the disk
  DIB_CHECKSUM=1|md5|sha256     digests beside the outputs
  DIB_IMAGE_CACHE [~/.cache/image-create], DIB_LOCKFILES, DIB_OFFLINE
                                what elements keep between builds
  DIB_QUIET, DIB_NO_TIMESTAMP, DIB_DEBUG_TRACE
                                the log; DIB_QUIET=1 is the default with --logfile
  ISOTOPE_LAYERS=1              take phases that an earlier build has done from the cache
  ISOTOPE_TIMINGS=1             tell which phases took how long, and write NAME.timings.html
  ISOTOPE_CACHE_SIZE [20GiB]    how much layers in the cache may take; the least recently used go
  DIB_NO_TMPFS, DIB_MIN_TMPFS (GB), TMP_DIR
                                where the tree is made
  OVERWRITE_OLD_IMAGE=1         outputs of an earlier build are replaced, not renamed
  break=before-PHASE,after-PHASE,after-error, break_cmd, break_outside_target
                                stop for a shell";

/// Make an image of diskimage-builder's elements
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 110,
    infer_long_args = true,
    args_override_self = true,
    disable_version_flag = true,
    after_help = ENVIRONMENT
)]
#[expect(clippy::struct_excessive_bools, reason = "they are the switches of a command line")]
struct Cli {
    /// Elements, one of which provides an operating system
    #[arg(value_name = "ELEMENT")]
    elements: Vec<String>,
    /// Architecture, in Debian's words [default: this machine's]
    #[arg(short = 'a', value_name = "ARCH")]
    arch: Option<String>,
    /// Name of the image, also a path; outputs are NAME.FORMAT [default: image]
    #[arg(short = 'o', value_name = "NAME")]
    output: Option<String>,
    /// Formats: qcow2,raw,tar,tgz,squashfs,vhd,vpc,vhdx,vmdk,vdi,docker,aci [default: qcow2]
    #[arg(short = 't', value_name = "FORMAT[,FORMAT]")]
    types: Option<String>,
    /// Trace what runs; twice: even more
    #[arg(short = 'x', action = ArgAction::Count)]
    trace: u8,
    /// Do not compress the qcow2: larger and faster
    #[arg(short = 'u')]
    uncompressed: bool,
    /// Clear the environment first; PATH, HOME, USER, LOGNAME, SHELL and TERM stay
    #[arg(short = 'c')]
    clear: bool,
    /// Without the element `base`
    #[arg(short = 'n')]
    skip_base: bool,
    /// More packages, installed after install.d (repeat, or separate by commas)
    #[arg(short = 'p', value_name = "PACKAGE[,PACKAGE]", action = ArgAction::Append)]
    packages: Vec<String>,
    /// Write MD5 and SHA-256 digests beside the outputs
    #[arg(long)]
    checksum: bool,
    /// Size of the image in GB (2^30 bytes), such as 2.5 [default: the tree's, and 40 % of it free]
    #[arg(long, value_name = "GB")]
    image_size: Option<String>,
    /// Room beside the tree in MB (2^20 bytes), where no size is given
    #[arg(long, value_name = "MB")]
    image_extra_size: Option<String>,
    /// Where elements keep what they fetch [default: ~/.cache/image-create]
    #[arg(long, value_name = "DIRECTORY")]
    image_cache: Option<PathBuf>,
    /// Blocks that the root filesystem can grow to while it is mounted
    #[arg(long, value_name = "BLOCKS")]
    max_online_resize: Option<String>,
    /// Size of the root filesystem's journal in MB [default: 64]
    #[arg(long, value_name = "MB")]
    mkfs_journal_size: Option<String>,
    /// Options for mkfs of the root filesystem
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    mkfs_options: Option<String>,
    /// Memory in GB that a tmpfs needs at least [default: 2]
    #[arg(long, value_name = "GB")]
    min_tmpfs: Option<String>,
    /// Work on disk, not in memory
    #[arg(long)]
    no_tmpfs: bool,
    /// Use what elements have cached, do not look for newer
    #[arg(long)]
    offline: bool,
    /// Options for qemu-img, which then makes the disk formats
    #[arg(long, value_name = "KEY=VALUE[,KEY=VALUE]")]
    qemu_img_options: Option<String>,
    /// Label of the root filesystem [default: cloudimg-rootfs; img-rootfs on XFS]
    #[arg(long, value_name = "LABEL")]
    root_label: Option<String>,
    /// Element that builds ramdisks [default: ramdisk]
    #[arg(long, value_name = "ELEMENT")]
    ramdisk_element: Option<String>,
    /// How elements that can do both install: source or package [default: source]
    #[arg(long, value_name = "TYPE")]
    install_type: Option<String>,
    /// Name of the container image of -t docker: REPOSITORY:TAG
    #[arg(long, value_name = "NAME")]
    docker_target: Option<String>,
    /// Write the log to a file; nothing is printed then, unless DIB_QUIET=0
    #[arg(long, value_name = "FILE")]
    logfile: Option<PathBuf>,
    /// Show the plan and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the version
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// A command line, read.
pub struct Parsed {
    /// What is to be made.
    pub options: Options,
    /// Only the plan is wanted.
    pub dry_run: bool,
}

/// Reads the arguments. Help, the version and what is wrong with the command line are printed here and end in an exit code; for faults
/// it is 1, as diskimage-builder's.
pub fn parse(program: Program, args: &[OsString]) -> Result<Parsed, ExitCode> {
    read(program, args).map_err(|error| {
        let _gone = error.print();
        ExitCode::from(u8::from(error.use_stderr()))
    })
}

/// As clap knows it, for the manual page.
pub fn command(program: Program) -> clap::Command {
    Cli::command().name(program.name()).bin_name(program.name())
}

fn read(program: Program, args: &[OsString]) -> Result<Parsed, clap::Error> {
    let command = command(program);
    let argv = std::iter::once(OsString::from(program.name())).chain(args.iter().cloned());
    let cli = Cli::from_arg_matches(&command.try_get_matches_from(argv)?)?;
    let options = Options {
        program,
        arguments: args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        elements: cli.elements,
        arch: cli.arch,
        output: cli.output,
        types: cli.types,
        trace: cli.trace,
        uncompressed: cli.uncompressed,
        clear: cli.clear,
        skip_base: cli.skip_base,
        packages: cli.packages,
        checksum: cli.checksum,
        image_size: cli.image_size,
        image_extra_size: cli.image_extra_size,
        image_cache: cli.image_cache,
        max_online_resize: cli.max_online_resize,
        mkfs_journal_size: cli.mkfs_journal_size,
        mkfs_options: cli.mkfs_options,
        min_tmpfs: cli.min_tmpfs,
        no_tmpfs: cli.no_tmpfs,
        offline: cli.offline,
        qemu_img_options: cli.qemu_img_options,
        root_label: cli.root_label,
        ramdisk_element: cli.ramdisk_element,
        install_type: cli.install_type,
        docker_target: cli.docker_target,
        logfile: cli.logfile,
    };
    Ok(Parsed { options, dry_run: cli.dry_run })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Options {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        read(Program::Disk, &args).unwrap_or_else(|error| panic!("{error}")).options
    }

    #[test]
    fn options_and_elements_in_any_order() {
        let options = of("-a amd64 one -o out -t raw,tar two -x -x -u -n -p a,b -p c --image-size 2.5 three --offline");
        assert_eq!(options.elements, ["one", "two", "three"]);
        assert_eq!((options.arch.as_deref(), options.output.as_deref()), (Some("amd64"), Some("out")));
        assert_eq!((options.trace, options.uncompressed, options.skip_base, options.offline), (2, true, true, true));
        assert_eq!(options.packages, ["a,b", "c"]);
        assert_eq!(options.image_size.as_deref(), Some("2.5"));
        assert_eq!(options.arguments.len(), 20);
    }

    #[test]
    fn short_options_may_be_joined_and_long_ones_shortened() {
        let options = of("-xun -tqcow2 --image-s 3 --mkfs-o -i+16384 --checks el");
        assert_eq!((options.trace, options.uncompressed, options.skip_base), (1, true, true));
        assert_eq!((options.types.as_deref(), options.image_size.as_deref()), (Some("qcow2"), Some("3")));
        assert_eq!((options.mkfs_options.as_deref(), options.checksum), (Some("-i+16384"), true));
    }

    #[test]
    fn the_later_one_counts() {
        assert_eq!(of("-t raw -t tar -o a -o b x").types.as_deref(), Some("tar"));
    }

    #[test]
    fn what_upstream_documents_and_refuses_is_taken() {
        let options = of("--image-extra-size 100 --mkfs-journal-size 32 -c x");
        assert_eq!(options.image_extra_size.as_deref(), Some("100"));
        assert_eq!((options.mkfs_journal_size.as_deref(), options.clear), (Some("32"), true));
    }

    #[test]
    fn unknown_options_are_told() {
        let args = [OsString::from("--image-sice"), OsString::from("3")];
        let error = read(Program::Disk, &args).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("--image-size") && error.contains("disk-image-create"), "{error}");
    }
}
