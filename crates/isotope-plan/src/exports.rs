//! Output files: what was asked for, checked against what formats can do, with defaults filled in.

use crate::planner::implicit;
use crate::problem::Problem;
use crate::recipe::{command_line, unknown};
use crate::{Checksum, Compression, Container, Export, Format};
use isotope_element::{Arch, Origin};
use std::collections::BTreeMap;

/// An output somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest {
    /// Format.
    pub format: Format,
    /// Compression; `None`: the format's default.
    pub compression: Option<Compression>,
    /// Digests; `None`: SHA-256.
    pub checksums: Option<Vec<Checksum>>,
    /// Who asks.
    pub origin: Origin,
}

/// What a format is called and ends in, what it holds, which host tool makes it, how it can be compressed (its default first).
struct Form {
    format: Format,
    name: &'static str,
    content: Content,
    /// `None`: Isotope itself.
    tool: Option<&'static str>,
    compressions: &'static [Compression],
}

#[derive(PartialEq)]
enum Content {
    Disk,
    Tree,
}

use Compression::{Gzip, None as Plain, Xz, Zlib, Zstd};
use Content::{Disk, Tree};

const FORMS: &[Form] = &[
    Form { format: Format::Raw, name: "raw", content: Disk, tool: None, compressions: &[Plain, Gzip, Zstd, Xz] },
    Form { format: Format::Qcow2, name: "qcow2", content: Disk, tool: None, compressions: &[Zstd, Zlib, Plain] },
    // A streamOptimized vmdk is deflated by its nature: there is no choice.
    Form { format: Format::Vmdk, name: "vmdk", content: Disk, tool: Some("qemu-img"), compressions: &[Plain] },
    Form { format: Format::Vhd, name: "vhd", content: Disk, tool: Some("qemu-img"), compressions: &[Plain] },
    Form { format: Format::Vhdx, name: "vhdx", content: Disk, tool: Some("qemu-img"), compressions: &[Plain] },
    Form { format: Format::Vdi, name: "vdi", content: Disk, tool: Some("qemu-img"), compressions: &[Plain] },
    Form { format: Format::Tar, name: "tar", content: Tree, tool: None, compressions: &[Zstd, Gzip, Xz, Plain] },
    Form {
        format: Format::Squashfs,
        name: "squashfs",
        content: Tree,
        tool: Some("mksquashfs"),
        compressions: &[Zstd, Xz, Gzip, Plain],
    },
    Form { format: Format::Oci, name: "oci", content: Tree, tool: None, compressions: &[Gzip, Zstd, Plain] },
    Form { format: Format::Aci, name: "aci", content: Tree, tool: None, compressions: &[Gzip, Xz, Plain] },
];

impl Format {
    /// As written in recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        form(self).name
    }

    /// Whether it holds a disk; the others hold a tree.
    #[must_use]
    pub fn is_disk(self) -> bool {
        form(self).content == Disk
    }

    /// The host tool that makes it; `None`: Isotope itself.
    #[must_use]
    pub fn tool(self) -> Option<&'static str> {
        form(self).tool
    }
}

impl Compression {
    /// As written in recipes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Gzip => "gzip",
        }
    }
}

impl Checksum {
    /// As written in recipes; also the extension of its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Md5 => "md5",
        }
    }
}

impl ExportRequest {
    /// A format named on a command line.
    ///
    /// # Errors
    /// It is not known; the nearest one is named.
    pub fn by_name(name: &str) -> Result<Self, Problem> {
        let known: Vec<&str> = FORMS.iter().map(|form| form.name).collect();
        let form = FORMS.iter().find(|form| form.name == name).ok_or_else(|| unknown("format", name, &known))?;
        Ok(Self { origin: command_line(), ..Self::by_default(form.format) })
    }

    fn by_default(format: Format) -> Self {
        Self { format, compression: None, checksums: None, origin: implicit() }
    }
}

/// The outputs of a build. Without a request: a qcow2 where there is a disk, a tar archive where there is none.
pub(crate) fn settle(
    requests: &[ExportRequest],
    name: &str,
    has_layout: bool,
    arch: Arch,
) -> (Vec<(Export, Origin)>, Vec<Problem>) {
    let default = [ExportRequest::by_default(if has_layout { Format::Qcow2 } else { Format::Tar })];
    let requests = if requests.is_empty() { default.as_slice() } else { requests };
    let (mut exports, mut problems) = (Vec::new(), Vec::new());
    let mut names = BTreeMap::new();
    for request in requests {
        let form = form(request.format);
        if form.content == Disk && !has_layout {
            let message = format!("a {} needs a disk, and no element of this recipe has a [layout]", form.name);
            problems.push(
                Problem::configuration(message)
                    .at(&request.origin)
                    .remedy("add the element `vm`, or export tar or squashfs"),
            );
        }
        let compression =
            request.compression.or_else(|| form.compressions.first().copied()).unwrap_or(Compression::None);
        if !form.compressions.contains(&compression) {
            let known: Vec<&str> = form.compressions.iter().map(|known| known.name()).collect();
            let message = format!("{} cannot be compressed with {}", form.name, compression.name());
            problems.push(
                Problem::configuration(message)
                    .at(&request.origin)
                    .remedy(format!("it can with: {}", known.join(", "))),
            );
        }
        let file_name = format!("{name}.{}{}", form.name, suffix(form, compression));
        if names.insert(file_name.clone(), ()).is_some() {
            let message = format!("two exports would be written to {file_name}");
            problems.push(Problem::configuration(message).at(&request.origin).remedy("remove one of them"));
        }
        let mut checksums = request.checksums.clone().unwrap_or_else(|| vec![Checksum::Sha256]);
        checksums.sort_unstable();
        checksums.dedup();
        let mut export = Export::new(request.format, compression, checksums, file_name);
        if matches!(export.format, Format::Oci | Format::Aci) {
            export.container = Some(container(name, arch));
        }
        exports.push((export, request.origin.clone()));
    }
    (exports, problems)
}

fn container(name: &str, arch: Arch) -> Container {
    let arch = match arch {
        Arch::X86_64 => "amd64",
        Arch::Aarch64 => "arm64",
    };
    Container { name: format!("{name}:latest"), arch: arch.to_owned(), manifest: None }
}

/// Containers that compress inside keep their extension, streams get a second one.
fn suffix(form: &Form, compression: Compression) -> &'static str {
    if !matches!(form.format, Format::Raw | Format::Tar) {
        return "";
    }
    match compression {
        Compression::None | Compression::Zlib => "",
        Compression::Zstd => ".zst",
        Compression::Xz => ".xz",
        Compression::Gzip => ".gz",
    }
}

fn form(format: Format) -> &'static Form {
    FORMS.iter().find(|form| form.format == format).unwrap_or(&FORMS[0])
}

#[cfg(test)]
mod tests {
    use super::{ExportRequest, FORMS, settle};
    use crate::{Arch, Compression, Format};

    fn request(format: Format, compression: Option<Compression>) -> ExportRequest {
        ExportRequest { compression, ..ExportRequest::by_default(format) }
    }

    #[test]
    fn defaults_follow_the_layout() {
        let (exports, problems) = settle(&[], "x", true, Arch::X86_64);
        assert!(problems.is_empty());
        assert_eq!((exports[0].0.file_name.as_str(), exports[0].0.compression), ("x.qcow2", Compression::Zstd));
        let (exports, problems) = settle(&[], "x", false, Arch::X86_64);
        assert!(problems.is_empty());
        assert_eq!(exports[0].0.file_name, "x.tar.zst");
    }

    #[test]
    fn every_format_has_its_line_and_default() {
        for form in FORMS {
            let (exports, problems) = settle(&[request(form.format, None)], "x", true, Arch::X86_64);
            assert!(problems.is_empty(), "{}", form.name);
            assert!(exports[0].0.file_name.starts_with(&format!("x.{}", form.name)));
            assert_eq!(ExportRequest::by_name(form.name).map(|request| request.format), Ok(form.format));
        }
    }

    #[test]
    fn refuses_all_that_cannot_be_at_once() {
        let requests =
            [request(Format::Vhd, Some(Compression::Zstd)), request(Format::Tar, None), request(Format::Tar, None)];
        let (_, problems) = settle(&requests, "x", false, Arch::X86_64);
        insta::assert_snapshot!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
}
