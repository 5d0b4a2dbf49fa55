//! A layer's upper directory as an OCI layer: a tar, compressed with zstd.
//!
//! What overlayfs says by its own means, the archive says by the OCI's (image-spec, layer.md): a whiteout is an empty file
//! `.wh.NAME`, an opaque directory holds an empty file `.wh..wh..opq`. Extended attributes are PAX records `SCHILY.xattr.NAME`, as
//! GNU tar, star and Go write them; times have PAX records where there is a part of a second. The same directory always gives the same bytes.
//! Two things have records of ours, which other programs pass over: a renamed directory (`ISOTOPE.redirect`), and a socket.
//! A name that itself begins with `.wh.` cannot be told from a whiteout: such a layer is not packed.

mod attributes;
mod make;
mod pack;
mod pax;
mod unpack;

pub use pack::{Packed, pack};
pub use unpack::{UnpackError, unpack};

/// What names of whiteouts begin with.
const WHITEOUT: &[u8] = b".wh.";
/// What is in an opaque directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// overlayfs's attribute of opaque directories, and its value.
const OPAQUE_ATTRIBUTE: &[u8] = b"trusted.overlay.opaque";
const OPAQUE_VALUE: &[u8] = b"y";
/// overlayfs's attribute of renamed directories: where the layers below have what is in them, by a name in the same directory or by a
/// path from the root.
const REDIRECT_ATTRIBUTE: &[u8] = b"trusted.overlay.redirect";
/// The namespace of overlayfs's attributes.
const OVERLAY: &[u8] = b"trusted.overlay.";

/// Records of PAX headers: those of POSIX.1-2017 (pax, "ustar Interchange Format") and star.
const PAX_PATH: &[u8] = b"path";
const PAX_LINK: &[u8] = b"linkpath";
const PAX_MTIME: &[u8] = b"mtime";
const PAX_ATTRIBUTE: &[u8] = b"SCHILY.xattr.";
/// Ours: the OCI's layers have no renamed directories.
const PAX_REDIRECT: &[u8] = b"ISOTOPE.redirect";
/// Ours: a tar has no sockets; a FIFO with this record is one.
const PAX_KIND: &[u8] = b"ISOTOPE.kind";
const SOCKET: &[u8] = b"socket";
