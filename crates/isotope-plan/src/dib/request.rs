//! What `disk-image-create` is asked to do: its command line and the environment, settled into one value.

use crate::problem::Problem;
use crate::{Checksum, Compression, Container, DibBreaks, Export, Format};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The program, by the name that it is started by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Program {
    /// `disk-image-create`.
    #[default]
    Disk,
    /// `ramdisk-image-create`: no disk image, and the element of `RAMDISK_ELEMENT`.
    Ramdisk,
}

impl Program {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk-image-create",
            Self::Ramdisk => "ramdisk-image-create",
        }
    }
}

/// The command line as it stands there; what is not given is `None`, `false`, 0 or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the switches of a command line")]
pub struct Options {
    /// Which program.
    pub program: Program,
    /// All arguments, word for word (`DIB_ARGS`).
    pub arguments: Vec<String>,
    /// Elements.
    pub elements: Vec<String>,
    /// `-a`.
    pub arch: Option<String>,
    /// `-o`.
    pub output: Option<String>,
    /// `-t`, the last one.
    pub types: Option<String>,
    /// How often `-x` was given.
    pub trace: u8,
    /// `-u`.
    pub uncompressed: bool,
    /// `-c`.
    pub clear: bool,
    /// `-n`.
    pub skip_base: bool,
    /// `-p`, each of them.
    pub packages: Vec<String>,
    /// `--checksum`.
    pub checksum: bool,
    /// `--image-size`.
    pub image_size: Option<String>,
    /// `--image-extra-size`.
    pub image_extra_size: Option<String>,
    /// `--image-cache`.
    pub image_cache: Option<PathBuf>,
    /// `--max-online-resize`.
    pub max_online_resize: Option<String>,
    /// `--mkfs-journal-size`.
    pub mkfs_journal_size: Option<String>,
    /// `--mkfs-options`.
    pub mkfs_options: Option<String>,
    /// `--min-tmpfs`.
    pub min_tmpfs: Option<String>,
    /// `--no-tmpfs`.
    pub no_tmpfs: bool,
    /// `--offline`.
    pub offline: bool,
    /// `--qemu-img-options`.
    pub qemu_img_options: Option<String>,
    /// `--root-label`.
    pub root_label: Option<String>,
    /// `--ramdisk-element`.
    pub ramdisk_element: Option<String>,
    /// `--install-type`.
    pub install_type: Option<String>,
    /// `--docker-target`.
    pub docker_target: Option<String>,
    /// `--logfile`.
    pub logfile: Option<PathBuf>,
}

/// An output format of `-t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageFormat {
    /// As written after `-t`.
    pub name: &'static str,
    /// What follows the image's name and a dot.
    pub extension: &'static str,
    /// The format.
    pub format: Format,
    /// How it is compressed, unless [`Request::uncompressed`] says otherwise for a qcow2.
    pub compression: Compression,
}

const fn form(name: &'static str, extension: &'static str, format: Format, compression: Compression) -> ImageFormat {
    ImageFormat { name, extension, format, compression }
}

impl ImageFormat {
    /// All of them. diskimage-builder hands names that it does not know to qemu-img, at the end of the build; here they are told
    /// before it. A qcow2 is compressed with zlib, which every reader of the format knows.
    pub const ALL: &'static [Self] = &[
        form("qcow2", "qcow2", Format::Qcow2, Compression::Zlib),
        form("raw", "raw", Format::Raw, Compression::None),
        form("tar", "tar", Format::Tar, Compression::None),
        form("tgz", "tgz", Format::Tar, Compression::Gzip),
        form("squashfs", "squash", Format::Squashfs, Compression::Xz),
        form("vhd", "vhd", Format::Vhd, Compression::None),
        form("vpc", "vpc", Format::Vhd, Compression::None),
        form("vhdx", "vhdx", Format::Vhdx, Compression::None),
        form("vmdk", "vmdk", Format::Vmdk, Compression::None),
        form("vdi", "vdi", Format::Vdi, Compression::None),
        form("docker", "docker.tar", Format::Oci, Compression::None),
        form("aci", "aci", Format::Aci, Compression::None),
    ];

    /// By its name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|format| format.name == name).copied()
    }
}

/// Everything that the command line and the environment say, with defaults filled in. What elements say comes later.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the switches of a command line")]
pub struct Request {
    /// Which program.
    pub program: Program,
    /// All arguments, word for word (`DIB_ARGS`).
    pub arguments: Vec<String>,
    /// Elements, as they are named.
    pub elements: Vec<String>,
    /// diskimage-builder's word for the architecture (`amd64`, `arm64`).
    pub arch: String,
    /// `IMAGE_NAME`: a path, relative to [`Request::directory`] unless absolute, without an extension.
    pub name: String,
    /// Output formats, each once, in the order in which they are named.
    pub formats: Vec<ImageFormat>,
    /// `DIB_DEBUG_TRACE`.
    pub trace: u8,
    /// qcow2 is not compressed.
    pub uncompressed: bool,
    /// Without `base`.
    pub skip_base: bool,
    /// `-p`: more packages.
    pub packages: Vec<String>,
    /// Digests beside the outputs.
    pub checksums: Vec<Checksum>,
    /// `DIB_IMAGE_SIZE` in GiB.
    pub image_size: Option<f64>,
    /// `DIB_IMAGE_EXTRA_SIZE` in MiB.
    pub image_extra_size: Option<f64>,
    /// `DIB_JOURNAL_SIZE` in MiB.
    pub journal_size: Option<u64>,
    /// `MAX_ONLINE_RESIZE` in blocks.
    pub max_online_resize: Option<String>,
    /// `MKFS_OPTS`.
    pub mkfs_options: Option<String>,
    /// `DIB_BLOCK_SIZE`: bytes of a sector.
    pub block_size: Option<String>,
    /// `FS_TYPE`: the type of the root filesystem.
    pub fs_type: String,
    /// `ROOT_LABEL`.
    pub root_label: Option<String>,
    /// `DIB_BLOCK_DEVICE_CONFIG`.
    pub block_device_config: Option<String>,
    /// `DIB_IMAGE_CACHE`.
    pub image_cache: PathBuf,
    /// `DIB_LOCKFILES`.
    pub lockfiles: PathBuf,
    /// `TMP_DIR`.
    pub tmp_dir: PathBuf,
    /// `DIB_NO_TMPFS`: work on disk.
    pub no_tmpfs: bool,
    /// `DIB_MIN_TMPFS` in GiB.
    pub min_tmpfs: f64,
    /// `DIB_OFFLINE`.
    pub offline: bool,
    /// `QEMU_IMG_OPTIONS`: `key=value,…`.
    pub qemu_img_options: Option<String>,
    /// `RAMDISK_ELEMENT`.
    pub ramdisk_element: String,
    /// `DIB_DEFAULT_INSTALLTYPE`.
    pub install_type: String,
    /// `DOCKER_TARGET`: `repository:tag`.
    pub docker_target: Option<String>,
    /// `ACI_MANIFEST`.
    pub aci_manifest: Option<PathBuf>,
    /// Where the log is written too.
    pub logfile: Option<PathBuf>,
    /// `DIB_QUIET`: nothing is printed but errors.
    pub quiet: bool,
    /// `DIB_NO_TIMESTAMP`: printed lines have no time.
    pub no_timestamp: bool,
    /// `OVERWRITE_OLD_IMAGE`: outputs of an earlier build are overwritten, not renamed.
    pub overwrite: bool,
    /// `DIB_SHOW_IMAGE_USAGE`.
    pub show_usage: bool,
    /// `break=` and what belongs to it.
    pub breaks: DibBreaks,
    /// `RUN_PARTS_REGEX`.
    pub run_parts_regex: Option<String>,
    /// The caller's whole environment.
    pub environment: BTreeMap<String, String>,
    /// The caller's working directory.
    pub directory: PathBuf,
}

/// Variables that a cleared environment (`-c`) keeps: without them programs do not work at all.
const KEPT: [&str; 6] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM"];

impl Request {
    /// Settles options and environment. `host_arch` is the architecture of this machine, as `uname -m` says.
    ///
    /// # Errors
    /// Everything that makes no sense, at once.
    #[expect(clippy::too_many_lines, reason = "one line a field")]
    pub fn settle(
        options: &Options,
        environment: &BTreeMap<String, String>,
        directory: &Path,
        host_arch: &str,
    ) -> Result<Self, Vec<Problem>> {
        let mut environment = environment.clone();
        if options.clear {
            environment.retain(|name, _| KEPT.contains(&name.as_str()));
        }
        let mut read = Reader { environment: &environment, problems: Vec::new() };
        if options.elements.is_empty() {
            read.problem(
                "At least one distribution root element must be specified",
                "name one, such as debian-minimal",
            );
        }
        let home = PathBuf::from(read.text("HOME").unwrap_or_else(|| "/root".to_owned()));
        let formats = read.formats(options.types.as_deref().unwrap_or("qcow2"));
        let name = options.output.clone().or_else(|| read.text("IMAGE_NAME")).unwrap_or_else(|| "image".to_owned());
        let number = |read: &mut Reader<'_>, option: &Option<String>, flag: &str, variable: &str| {
            option
                .clone()
                .map(|value| (flag.to_owned(), value))
                .or_else(|| Some((variable.to_owned(), read.text(variable)?)))
                .and_then(|(what, value)| read.number(&what, &value))
        };
        let logfile = options.logfile.clone();
        let request = Self {
            program: options.program,
            arguments: options.arguments.clone(),
            elements: options.elements.clone(),
            arch: arch(&options.arch.clone().or_else(|| read.text("ARCH")).unwrap_or_else(|| host_arch.to_owned())),
            name: without_extension(&name, &formats),
            trace: options.trace.max(read.text("DIB_DEBUG_TRACE").and_then(|level| level.parse().ok()).unwrap_or(0)),
            uncompressed: options.uncompressed,
            skip_base: options.skip_base || read.switch("SKIP_BASE"),
            packages: options.packages.iter().flat_map(|list| words(list)).collect(),
            checksums: read.checksums(options.checksum),
            image_size: number(&mut read, &options.image_size, "--image-size", "DIB_IMAGE_SIZE"),
            image_extra_size: number(
                &mut read,
                &options.image_extra_size,
                "--image-extra-size",
                "DIB_IMAGE_EXTRA_SIZE",
            ),
            journal_size: read.whole(options.mkfs_journal_size.as_ref(), "--mkfs-journal-size", "DIB_JOURNAL_SIZE"),
            max_online_resize: options.max_online_resize.clone().or_else(|| read.text("MAX_ONLINE_RESIZE")),
            mkfs_options: options.mkfs_options.clone().or_else(|| read.text("MKFS_OPTS")),
            block_size: read.text("DIB_BLOCK_SIZE"),
            fs_type: read.text("FS_TYPE").unwrap_or_else(|| "ext4".to_owned()),
            root_label: options.root_label.clone().or_else(|| read.text("ROOT_LABEL")),
            block_device_config: read.text("DIB_BLOCK_DEVICE_CONFIG"),
            image_cache: options
                .image_cache
                .clone()
                .unwrap_or_else(|| read.path("DIB_IMAGE_CACHE", &home, ".cache/image-create")),
            lockfiles: read.path("DIB_LOCKFILES", &home, ".cache/dib/lockfiles"),
            tmp_dir: read.path("TMP_DIR", Path::new("/"), "tmp"),
            no_tmpfs: options.no_tmpfs || options.program == Program::Ramdisk || read.switch("DIB_NO_TMPFS"),
            min_tmpfs: number(&mut read, &options.min_tmpfs, "--min-tmpfs", "DIB_MIN_TMPFS")
                .unwrap_or(if options.program == Program::Ramdisk { 1.0 } else { 2.0 }),
            offline: options.offline || read.switch("DIB_OFFLINE"),
            qemu_img_options: options.qemu_img_options.clone().or_else(|| read.text("QEMU_IMG_OPTIONS")),
            ramdisk_element: options
                .ramdisk_element
                .clone()
                .or_else(|| read.text("RAMDISK_ELEMENT"))
                .unwrap_or_else(|| "ramdisk".to_owned()),
            install_type: options
                .install_type
                .clone()
                .or_else(|| read.text("DIB_DEFAULT_INSTALLTYPE"))
                .unwrap_or_else(|| "source".to_owned()),
            docker_target: options.docker_target.clone().or_else(|| read.text("DOCKER_TARGET")),
            aci_manifest: read.text("ACI_MANIFEST").map(PathBuf::from),
            quiet: read.text("DIB_QUIET").map_or(logfile.is_some(), |value| value != "0"),
            no_timestamp: read.switch("DIB_NO_TIMESTAMP"),
            overwrite: read.switch("OVERWRITE_OLD_IMAGE"),
            show_usage: read.switch("DIB_SHOW_IMAGE_USAGE") || read.switch("DIB_SHOW_IMAGE_USAGE_FULL"),
            breaks: DibBreaks {
                at: words(&read.text("break").unwrap_or_default()),
                command: read.text("break_cmd"),
                outside_target: read.switch("break_outside_target"),
            },
            run_parts_regex: read.text("RUN_PARTS_REGEX"),
            logfile,
            formats,
            directory: directory.to_owned(),
            environment: BTreeMap::new(),
        };
        request.check(&mut read);
        let problems = read.problems;
        if problems.is_empty() { Ok(Self { environment, ..request }) } else { Err(problems) }
    }

    fn check(&self, read: &mut Reader<'_>) {
        if !["source", "package"].contains(&self.install_type.as_str()) {
            let message = format!("the install type `{}` is not known", self.install_type);
            read.problem(&message, "it is `source` or `package`");
        }
        for at in &self.breaks.at {
            if at != "after-error" && !at.starts_with("before-") && !at.starts_with("after-") {
                read.problem(
                    &format!("break={at} is no break point"),
                    "write before-PHASE, after-PHASE or after-error",
                );
            }
        }
        let named = |name: &str| self.formats.iter().any(|format| format.name == name);
        if named("docker") && self.docker_target.is_none() {
            read.problem("-t docker needs a name for the image", "give it with --docker-target REPOSITORY:TAG");
        }
        if self.name.is_empty() || self.name.ends_with('/') {
            read.problem(&format!("`{}` is no name for an image", self.name), "give one with -o NAME");
        }
    }

    /// The outputs, for the plan: raw last, as diskimage-builder makes them.
    #[must_use]
    pub fn exports(&self) -> Vec<Export> {
        let (raw, others): (Vec<&ImageFormat>, _) = self.formats.iter().partition(|form| form.format == Format::Raw);
        others.into_iter().chain(raw).map(|format| self.export(*format)).collect()
    }

    fn export(&self, form: ImageFormat) -> Export {
        let compression = match form.format {
            Format::Qcow2 if self.uncompressed => Compression::None,
            _ => form.compression,
        };
        let file_name = self.output(form).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let container = matches!(form.format, Format::Oci | Format::Aci).then(|| Container {
            name: self.docker_target.clone().unwrap_or_else(|| format!("{}:latest", self.stem())),
            arch: self.arch.clone(),
            manifest: self.aci_manifest.as_ref().map(|path| self.directory.join(path)),
        });
        let qemu_img_options =
            self.qemu_img_options.clone().filter(|_| form.format.is_disk() && form.format != Format::Raw);
        Export {
            container,
            qemu_img_options,
            ..Export::new(form.format, compression, self.checksums.clone(), file_name)
        }
    }

    /// The last part of the image's name.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Where the outputs go.
    #[must_use]
    pub fn out_dir(&self) -> PathBuf {
        self.directory.join(&self.name).parent().map_or_else(|| self.directory.clone(), Path::to_owned)
    }

    /// What an output is called, with its directory if the name has one.
    #[must_use]
    pub fn output(&self, format: ImageFormat) -> PathBuf {
        self.directory.join(format!("{}.{}", self.name, format.extension))
    }
}

/// diskimage-builder's words for what `uname -m` says.
fn arch(name: &str) -> String {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
    .to_owned()
}

/// With one format only, a name may carry its extension.
fn without_extension(name: &str, formats: &[ImageFormat]) -> String {
    match formats {
        [only] => name.strip_suffix(only.name).and_then(|stem| stem.strip_suffix('.')).unwrap_or(name).to_owned(),
        _ => name.to_owned(),
    }
}

fn words(list: &str) -> Vec<String> {
    list.split([',', ' ', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Reads the environment; empty variables count as unset.
struct Reader<'a> {
    environment: &'a BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, message: &str, remedy: &str) {
        self.problems.push(Problem::configuration(message).remedy(remedy));
    }

    fn text(&self, name: &str) -> Option<String> {
        self.environment.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Set and neither empty nor 0.
    fn switch(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value != "0")
    }

    fn path(&self, name: &str, base: &Path, default: &str) -> PathBuf {
        self.text(name).map_or_else(|| base.join(default), PathBuf::from)
    }

    fn number(&mut self, what: &str, value: &str) -> Option<f64> {
        let number = value.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
        if number.is_none() {
            self.problem(&format!("{what}: `{value}` is no size"), "write a number greater than 0, such as 2.5");
        }
        number
    }

    fn whole(&mut self, option: Option<&String>, flag: &str, variable: &str) -> Option<u64> {
        let (what, value) =
            option.map(|value| (flag, value.clone())).or_else(|| Some((variable, self.text(variable)?)))?;
        let number = value.parse::<u64>().ok().filter(|number| *number > 0);
        if number.is_none() {
            self.problem(&format!("{what}: `{value}` is no size"), "write a whole number of MiB, such as 64");
        }
        number
    }

    fn formats(&mut self, list: &str) -> Vec<ImageFormat> {
        let mut formats: Vec<ImageFormat> = Vec::new();
        for name in words(list) {
            match ImageFormat::by_name(&name) {
                Some(format) if formats.contains(&format) => {}
                Some(format) => formats.push(format),
                None => {
                    let known: Vec<&str> = ImageFormat::ALL.iter().map(|format| format.name).collect();
                    self.problems.push(crate::recipe::unknown("format", &name, &known));
                }
            }
        }
        if formats.is_empty() && self.problems.is_empty() {
            self.problem("-t names no format", "name one, such as qcow2");
        }
        formats
    }

    /// `--checksum` and `DIB_CHECKSUM=1` give both.
    fn checksums(&mut self, option: bool) -> Vec<Checksum> {
        match self.text("DIB_CHECKSUM").as_deref() {
            None | Some("0") if !option => Vec::new(),
            None | Some("0" | "1" | "both") => vec![Checksum::Md5, Checksum::Sha256],
            Some("md5") => vec![Checksum::Md5],
            Some("sha256") => vec![Checksum::Sha256],
            Some(other) => {
                let message = format!("DIB_CHECKSUM={other} is not known");
                self.problem(&message, "it is 1, both, md5 or sha256");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests;
