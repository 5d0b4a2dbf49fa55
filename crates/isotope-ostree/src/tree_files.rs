//! The files of a commit, read from its objects: a dirtree is `(a(say) files, a(sayay) directories with tree and meta)`,
//! a dirmeta `(uuua(ayay))` owner, group, mode and extended attributes.

use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo};
use ostree::glib::Variant;
use ostree::{ObjectType, checksum_from_bytes_v};
use serde::Serialize;
use std::collections::BTreeMap;

/// The kinds of files that a commit can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// One file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeEntry {
    /// Its path, beginning with `/`.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, with set-uid, set-gid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a regular file; else 0.
    pub size: u64,
    /// Where a symbolic link leads.
    pub target: Option<String>,
    /// Extended attributes: text where it is printable, else hexadecimal after `0x`.
    pub xattrs: BTreeMap<String, String>,
    /// The object with its content: of a file or link its own, of a directory its dirtree.
    pub checksum: String,
}

/// A place in a tree, as a dirtree names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A file or a link, by its object.
    File(String),
    /// A directory, by its dirtree and its dirmeta.
    Directory(String, String),
}

impl Repo {
    /// The names in a directory of a commit, sorted; `None`: the commit has no such directory. Links are not followed.
    ///
    /// # Errors
    /// The commit or one of its directories is not in the repository.
    pub fn list_dir(&self, commit: &Checksum, path: &str) -> Result<Option<Vec<String>>, OstreeError> {
        match self.node(commit, path)? {
            Some(Node::Directory(tree, _)) => Ok(Some(self.children(commit, &tree)?.into_keys().collect())),
            _ => Ok(None),
        }
    }

    /// What is at `path` in a commit: of a directory what is in it, and with `recursive` what is below, in order of the
    /// paths; of anything else itself. `None`: nothing is there. Links are not followed.
    ///
    /// # Errors
    /// The commit or one of its objects is not in the repository.
    pub fn ls(&self, commit: &Checksum, path: &str, recursive: bool) -> Result<Option<Vec<TreeEntry>>, OstreeError> {
        let Some(node) = self.node(commit, path)? else { return Ok(None) };
        let base = format!("/{}", path.split('/').filter(|name| !name.is_empty()).collect::<Vec<_>>().join("/"));
        match &node {
            Node::File(_) => Ok(Some(vec![self.describe(commit, base, &node)?])),
            Node::Directory(tree, _) => self.ls_below(commit, base.trim_end_matches('/'), tree, recursive).map(Some),
        }
    }

    fn ls_below(
        &self,
        commit: &Checksum,
        dir: &str,
        tree: &str,
        recursive: bool,
    ) -> Result<Vec<TreeEntry>, OstreeError> {
        let mut found = Vec::new();
        for (name, node) in self.children(commit, tree)? {
            let path = format!("{dir}/{name}");
            found.push(self.describe(commit, path.clone(), &node)?);
            if let (true, Node::Directory(tree, _)) = (recursive, &node) {
                found.extend(self.ls_below(commit, &path, tree, recursive)?);
            }
        }
        Ok(found)
    }

    /// The content of a regular file of a commit; `None`: there is none at `path`.
    ///
    /// # Errors
    /// The commit or the file's object is not in the repository.
    pub fn read_file(&self, commit: &Checksum, path: &str) -> Result<Option<Vec<u8>>, OstreeError> {
        use ostree::gio::prelude::InputStreamExt as _;
        let Some(Node::File(sum)) = self.node(commit, path)? else { return Ok(None) };
        let unreadable = |source| self.refused(format!("read {path} of commit {commit}"))(source);
        let (stream, _, _) = self.inner.load_file(&sum, NEVER).map_err(unreadable)?;
        let Some(stream) = stream else { return Ok(None) };
        let mut data = Vec::new();
        loop {
            let part = stream.read_bytes(1 << 20, NEVER).map_err(unreadable)?;
            if part.is_empty() {
                return Ok(Some(data));
            }
            data.extend_from_slice(&part);
        }
    }

    /// The root directory of a commit.
    pub(crate) fn root_node(&self, commit: &Checksum) -> Result<Node, OstreeError> {
        let (variant, _) = self.inner.load_commit(commit.as_str()).map_err(|_| OstreeError::UnknownCommit {
            commit: commit.to_string(),
            place: self.path().display().to_string(),
            partial: false,
        })?;
        let sum = |index| checksum_from_bytes_v(&variant.child_value(index)).to_string();
        Ok(Node::Directory(sum(6), sum(7)))
    }

    /// What is at `path`.
    pub(crate) fn node(&self, commit: &Checksum, path: &str) -> Result<Option<Node>, OstreeError> {
        let mut node = self.root_node(commit)?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Node::Directory(tree, _) = &node else { return Ok(None) };
            match self.children(commit, tree)?.remove(name) {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// What is in a directory, by name.
    pub(crate) fn children(&self, commit: &Checksum, tree: &str) -> Result<BTreeMap<String, Node>, OstreeError> {
        let tree = self.inner.load_variant(ObjectType::DirTree, tree).map_err(|_| self.partial(commit))?;
        let name = |entry: &Variant| entry.child_value(0).get::<String>();
        let sum = |entry: &Variant, index| checksum_from_bytes_v(&entry.child_value(index)).to_string();
        let mut found = BTreeMap::new();
        for entry in tree.child_value(0).iter() {
            found.extend(name(&entry).map(|name| (name, Node::File(sum(&entry, 1)))));
        }
        for entry in tree.child_value(1).iter() {
            found.extend(name(&entry).map(|name| (name, Node::Directory(sum(&entry, 1), sum(&entry, 2)))));
        }
        Ok(found)
    }

    /// All that a commit says of one file.
    pub(crate) fn describe(&self, commit: &Checksum, path: String, node: &Node) -> Result<TreeEntry, OstreeError> {
        match node {
            Node::Directory(tree, meta) => {
                let meta = self.inner.read_dirmeta(meta).map_err(|_| self.partial(commit))?;
                Ok(TreeEntry {
                    path,
                    kind: FileKind::Directory,
                    mode: meta.mode & 0o7777,
                    uid: meta.uid,
                    gid: meta.gid,
                    size: 0,
                    target: None,
                    xattrs: printable(meta.xattrs),
                    checksum: tree.clone(),
                })
            }
            Node::File(sum) => {
                let (info, xattrs) = self.inner.query_file(sum, NEVER).map_err(|_| self.partial(commit))?;
                let link = info.file_type() == ostree::gio::FileType::SymbolicLink;
                let target = info.symlink_target().map(|target| target.to_string_lossy().into_owned());
                Ok(TreeEntry {
                    path,
                    kind: if link { FileKind::Symlink } else { FileKind::File },
                    mode: info.attribute_uint32("unix::mode") & 0o7777,
                    uid: info.attribute_uint32("unix::uid"),
                    gid: info.attribute_uint32("unix::gid"),
                    size: if link { 0 } else { info.size().unsigned_abs() },
                    target: target.filter(|_| link),
                    xattrs: printable(xattrs.get::<Vec<(Vec<u8>, Vec<u8>)>>().unwrap_or_default()),
                    checksum: sum.clone(),
                })
            }
        }
    }

    fn partial(&self, commit: &Checksum) -> OstreeError {
        let place = self.path().display().to_string();
        OstreeError::UnknownCommit { commit: commit.to_string(), place, partial: true }
    }
}

/// Names end in a zero byte; texts may.
fn printable(xattrs: Vec<(Vec<u8>, Vec<u8>)>) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| {
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
            _ => format!("0x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        }
    };
    xattrs.iter().map(|(name, value)| (text(name), text(value))).collect()
}
