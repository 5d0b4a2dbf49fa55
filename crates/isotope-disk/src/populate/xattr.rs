//! Extended attributes: which are copied, from and to descriptors or names in the thread's working directory.

use rustix::fs::{self, XattrFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::BorrowedFd;

/// The kernel's limit for a list and for a value.
const LARGEST: usize = 64 << 10;

/// What attributes are read from or set on.
#[derive(Debug, Clone, Copy)]
pub(super) enum On<'a> {
    /// An open file or directory.
    Fd(BorrowedFd<'a>),
    /// A name (itself, if it is a link) in the working directory of the calling thread.
    Name(&'a CStr),
}

/// Attributes that belong to where a file is and not to what it is.
fn is_copied(name: &[u8]) -> bool {
    match name.split(|byte| *byte == b'.').next() {
        Some(b"security" | b"user") => true,
        // XFS shows ACLs a second time under names of its own.
        Some(b"trusted") => !name.starts_with(b"trusted.overlay.") && !name.starts_with(b"trusted.SGI_ACL_"),
        Some(b"system") => name == b"system.posix_acl_access" || name == b"system.posix_acl_default",
        _ => false,
    }
}

/// Copies all attributes; the error names the attribute.
pub(super) fn copy(
    from: On<'_>,
    prepare: &mut dyn FnMut() -> Result<(), Errno>,
    to: On<'_>,
) -> Result<(), (String, Errno)> {
    let attributes = read(from).map_err(|errno| ("extended attributes".to_owned(), errno))?;
    if attributes.is_empty() {
        return Ok(());
    }
    prepare().map_err(|errno| ("extended attributes".to_owned(), errno))?;
    for (name, value) in attributes {
        let set = match to {
            On::Fd(fd) => fs::fsetxattr(fd, name.as_slice(), &value, XattrFlags::empty()),
            On::Name(file) => fs::lsetxattr(file, name.as_slice(), &value, XattrFlags::empty()),
        };
        set.map_err(|errno| (format!("extended attribute {}", String::from_utf8_lossy(&name)), errno))?;
    }
    Ok(())
}

/// Takes from `to` the attributes that `from` does not have.
pub(super) fn strip(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
    let there = read(On::Fd(to))?;
    if there.is_empty() {
        return Ok(());
    }
    let wanted = read(On::Fd(from))?;
    for (name, _) in there.iter().filter(|(name, _)| wanted.iter().all(|(wanted, _)| wanted != name)) {
        fs::fremovexattr(to, name.as_slice())?;
    }
    Ok(())
}

type Attribute = (Vec<u8>, Vec<u8>);

fn read(from: On<'_>) -> Result<Vec<Attribute>, Errno> {
    // Nearly every file has none or a few: one call on the stack tells.
    let mut small = [0u8; 512];
    let mut large = Vec::new();
    let names = match list(from, &mut small) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Ok(size) => small.get(..size).unwrap_or_default(),
        Err(Errno::RANGE) => {
            large.resize(LARGEST, 0);
            let size = list(from, &mut large)?;
            large.get(..size).unwrap_or_default()
        }
        Err(errno) => return Err(errno),
    };
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty() && is_copied(name));
    names.map(|name| Ok((name.to_vec(), value(from, name)?))).collect()
}

fn list(from: On<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    match from {
        On::Fd(fd) => fs::flistxattr(fd, buffer),
        On::Name(file) => fs::llistxattr(file, buffer),
    }
}

fn value(from: On<'_>, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut value = vec![0u8; LARGEST];
    let size = match from {
        On::Fd(fd) => fs::fgetxattr(fd, name, &mut value),
        On::Name(file) => fs::lgetxattr(file, name, &mut value),
    }?;
    value.truncate(size);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::is_copied;

    #[test]
    fn only_what_belongs_to_the_file_is_copied() {
        for name in ["security.capability", "system.posix_acl_access", "user.x", "trusted.x", "security.selinux"] {
            assert!(is_copied(name.as_bytes()), "{name}");
        }
        for name in ["trusted.overlay.opaque", "trusted.SGI_ACL_FILE", "system.nfs4_acl", "btrfs.compression", ""] {
            assert!(!is_copied(name.as_bytes()), "{name}");
        }
    }
}
