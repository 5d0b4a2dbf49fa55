//! What a compose wants of a repository beside commits: a file of a commit, a commit as a directory, a delta.

use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo};
use isotope_plan::Bytes;
use ostree::gio::prelude::{FileExt as _, FileExtManual as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;

impl Repo {
    /// The content of a file of a commit; `None`: the commit has no regular file of that path.
    ///
    /// # Errors
    /// The commit or the file's object is not in the repository.
    pub fn read_file(&self, commit: &Checksum, path: &str) -> Result<Option<Vec<u8>>, OstreeError> {
        let (root, _) =
            self.inner.read_commit(commit.as_str(), NEVER).map_err(self.refused(format!("read {commit}")))?;
        let file = root.resolve_relative_path(path.trim_start_matches('/'));
        let kind = file.query_file_type(ostree::gio::FileQueryInfoFlags::NOFOLLOW_SYMLINKS, NEVER);
        if kind != ostree::gio::FileType::Regular {
            return Ok(None);
        }
        let (data, _) = file.load_contents(NEVER).map_err(self.refused(format!("read {path} of {commit}")))?;
        Ok(Some(data.to_vec()))
    }

    /// Writes a commit's tree to a new directory: copies, with owners, modes and extended attributes; root must do it.
    ///
    /// # Errors
    /// The directory is there already, or cannot be written; an object is not in the repository.
    pub fn checkout(&self, commit: &Checksum, dir: &Path) -> Result<(), OstreeError> {
        let io = |deed, path: &Path| {
            let path = path.to_owned();
            move |source| OstreeError::Io { deed, path, source }
        };
        let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else {
            return Err(io("check out to", dir)(std::io::ErrorKind::InvalidInput.into()));
        };
        let parent = std::fs::File::open(parent).map_err(io("open", parent))?;
        let options = ostree::RepoCheckoutAtOptions { force_copy: true, ..Default::default() };
        self.inner
            .checkout_at(Some(&options), parent.as_raw_fd(), name, commit.as_str(), NEVER)
            .map_err(self.refused(format!("check {commit} out to {}", dir.display())))
    }

    /// Makes a static delta, by which a client that has `from` (`None`: nothing) gets `to` in few large files. Returns its size.
    /// The summary lists deltas: write it afterwards.
    ///
    /// # Errors
    /// A commit is not in the repository, or it cannot be written.
    pub fn static_delta(&self, from: Option<&Checksum>, to: &Checksum) -> Result<Bytes, OstreeError> {
        let from_text = from.map(Checksum::as_str);
        self.inner
            .static_delta_generate(ostree::StaticDeltaGenerateOpt::Major, from_text, to.as_str(), None, None, NEVER)
            .map_err(self.refused(format!("make a delta to {to}")))?;
        Ok(Bytes(files_below(&self.path().join("deltas").join(delta_dir(from, to)))))
    }
}

/// Where a delta is, below `deltas/`: the checksums in libostree's base64, the first two characters a directory.
fn delta_dir(from: Option<&Checksum>, to: &Checksum) -> String {
    let name = |checksum: &Checksum| ostree::checksum_to_bytes_v(checksum.as_str()).data().to_vec();
    let base64 = |bytes: &[u8]| {
        let text = ostree::glib::base64_encode(bytes).to_string();
        text.trim_end_matches('=').replace('/', "_")
    };
    let whole = match from {
        Some(from) => format!("{}-{}", base64(&name(from)), base64(&name(to))),
        None => base64(&name(to)),
    };
    let (start, rest) = whole.split_at(2);
    format!("{start}/{rest}")
}

fn files_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|meta| meta.len()).sum()
}
