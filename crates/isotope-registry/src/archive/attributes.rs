//! Extended attributes of anything, also of links and devices: those of what is open by O_PATH are reached by its name in /proc.

use rustix::fs::{self, AtFlags, Mode, OFlags, XattrFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// The kernel's own limits (linux/limits.h): of a list of names, and of a value.
const LONGEST: usize = 65536;

/// Names and values.
pub(super) type Attributes = BTreeMap<Vec<u8>, Vec<u8>>;

fn name_of(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Those of `name` in `dir`, itself if it is a link.
pub(super) fn read_at(dir: BorrowedFd<'_>, name: &OsStr) -> Result<Attributes, Errno> {
    let file = fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    read(file.as_fd())
}

/// Those of what is open, in whatever way.
pub(super) fn read(fd: BorrowedFd<'_>) -> Result<Attributes, Errno> {
    let path = name_of(fd);
    let mut found = Attributes::new();
    if matches!(fs::listxattr_query(&path), Ok(0) | Err(Errno::NOTSUP)) {
        return Ok(found);
    }
    let mut names = vec![0; LONGEST];
    let length = fs::listxattr(&path, &mut names[..])?;
    let mut value = vec![0; LONGEST];
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let key = CString::new(name).map_err(|_| Errno::INVAL)?;
        let length = match fs::getxattr(&path, &key, &mut value[..]) {
            // Listed, but not for us to see.
            Err(Errno::NODATA) => continue,
            other => other?,
        };
        found.insert(name.to_owned(), value[..length].to_owned());
    }
    Ok(found)
}

/// Sets one of what is open, in whatever way.
pub(super) fn set(fd: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    fs::setxattr(name_of(fd), &name, value, XattrFlags::empty())
}

/// Sets those of `name` in `dir`, itself if it is a link.
pub(super) fn set_at(dir: BorrowedFd<'_>, name: &OsStr, attributes: &Attributes) -> Result<(), Errno> {
    if attributes.is_empty() {
        return Ok(());
    }
    let file = fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    attributes.iter().try_for_each(|(name, value)| set(file.as_fd(), name, value))
}

/// GNU tar's way with names whose `=` would end the keyword.
pub(super) fn encode(name: &[u8]) -> Vec<u8> {
    let encoded = name.iter().map(|byte| match byte {
        b'%' => &b"%25"[..],
        b'=' => b"%3D",
        other => std::slice::from_ref(other),
    });
    encoded.collect::<Vec<_>>().concat()
}

/// The reverse of [`encode`].
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let mut name = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match after.get(..2) {
            Some(b"25") if *first == b'%' => (b'%', &after[2..]),
            Some(b"3D") if *first == b'%' => (b'=', &after[2..]),
            _ => (*first, after),
        };
        name.push(byte);
        rest = after;
    }
    name
}

/// Whether an archive may set it: what is overlayfs's is said by other means, and the rest of `system.` is no property of files.
pub(super) fn is_allowed(name: &[u8]) -> bool {
    let spaces = [&b"user."[..], b"security.", b"trusted.", b"system.posix_acl_access", b"system.posix_acl_default"];
    spaces.iter().any(|space| name.starts_with(space)) && !name.starts_with(super::OVERLAY) && name.len() <= 255
}

/// Whether overlayfs takes it as the place of a renamed directory: one name, or a path from the root whose parts are names.
pub(super) fn is_redirect(value: &[u8]) -> bool {
    let parts = value.strip_prefix(b"/").unwrap_or(value).split(|byte| *byte == b'/');
    let mut good = parts.map(|part| !part.is_empty() && part != b"." && part != b".." && !part.contains(&0));
    let absolute = value.starts_with(b"/");
    value.len() <= 4096 && good.all(|good| good) && (absolute || !value.contains(&b'/'))
}

/// No attribute of it is followed to another name.
pub(super) const NOFOLLOW: AtFlags = AtFlags::SYMLINK_NOFOLLOW;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for name in [&b"user.a"[..], b"user.a=b%c", b"user.%3D", b"user.%", b"user.%%25="] {
            let encoded = encode(name);
            assert!(!encoded.contains(&b'='));
            assert_eq!(decode(&encoded), name);
        }
        assert_eq!(encode(b"user.a=%"), b"user.a%3D%25");
    }

    #[test]
    fn redirects_lead_nowhere_else() {
        for value in ["name", "/a", "/a/b c"] {
            assert!(is_redirect(value.as_bytes()), "{value}");
        }
        for value in ["", "/", "..", "a/b", "/a/../b", "/a//b", "/a/", "/./a", "a\0"] {
            assert!(!is_redirect(value.as_bytes()), "{value:?}");
        }
    }

    #[test]
    fn attributes_of_overlayfs_are_not_an_archives() {
        assert!(is_allowed(b"security.capability") && is_allowed(b"trusted.overlayed"));
        assert!(!is_allowed(b"trusted.overlay.redirect") && !is_allowed(b"system.nfs4_acl") && !is_allowed(b"x"));
    }
}
