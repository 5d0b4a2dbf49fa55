//! A path inside a target tree. A type of its own, so that a host path cannot be given where a target path belongs.

use std::borrow::Borrow;
use std::ffi::OsStr;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A path as seen from inside the target: `/` is the root of its tree. Made from text, never from a host path.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TargetPath(Path);

impl TargetPath {
    /// Takes text as a path inside the target.
    #[must_use]
    pub fn new<S: AsRef<OsStr> + ?Sized>(text: &S) -> &Self {
        let path = Path::new(text);
        // SAFETY: TargetPath is repr(transparent) over Path, so both references have the same layout and lifetime.
        unsafe { &*(std::ptr::from_ref(path) as *const Self) }
    }

    /// The path as bytes of the file system see it.
    #[must_use]
    pub const fn as_path(&self) -> &Path {
        &self.0
    }

    /// This path and one more name.
    #[must_use]
    pub fn join(&self, name: impl AsRef<OsStr>) -> TargetPathBuf {
        TargetPathBuf(self.0.join(Path::new(name.as_ref())))
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl ToOwned for TargetPath {
    type Owned = TargetPathBuf;
    fn to_owned(&self) -> TargetPathBuf {
        TargetPathBuf(self.0.to_owned())
    }
}

impl AsRef<Self> for TargetPath {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsRef<TargetPath> for str {
    fn as_ref(&self) -> &TargetPath {
        TargetPath::new(self)
    }
}

impl AsRef<TargetPath> for String {
    fn as_ref(&self) -> &TargetPath {
        TargetPath::new(self)
    }
}

/// An owned [`TargetPath`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetPathBuf(PathBuf);

impl Deref for TargetPathBuf {
    type Target = TargetPath;
    fn deref(&self) -> &TargetPath {
        TargetPath::new(self.0.as_os_str())
    }
}

impl Borrow<TargetPath> for TargetPathBuf {
    fn borrow(&self) -> &TargetPath {
        self
    }
}

impl AsRef<TargetPath> for TargetPathBuf {
    fn as_ref(&self) -> &TargetPath {
        self
    }
}

impl fmt::Display for TargetPathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
