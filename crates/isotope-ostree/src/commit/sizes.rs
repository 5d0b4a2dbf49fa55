//! Commit metadata `ostree.sizes`: how much room each object takes, archived and unpacked, so that a client knows before it
//! pulls. An `aay`, sorted: 32 bytes of checksum, the two sizes as variable-length integers, a byte for the kind
//! (ostree-repo-commit.c, since 2020.1).

use crate::repo::NEVER;
use crate::{OstreeError, Repo};
use ostree::ObjectType;
use ostree::glib::Variant;
use ostree::glib::prelude::ToVariant as _;
use std::collections::BTreeMap;

/// Sizes by the bytes of the checksum and the kind.
#[derive(Default)]
pub(super) struct Sizes(BTreeMap<(Vec<u8>, u8), (u64, u64)>);

impl Sizes {
    /// Adds an object that is in the repository.
    pub(super) fn add(&mut self, repo: &Repo, kind: ObjectType, sum: &str) -> Result<(), OstreeError> {
        let key = (ostree::checksum_to_bytes_v(sum).data().to_vec(), number(kind));
        if self.0.contains_key(&key) {
            return Ok(());
        }
        let unknown = || repo.refused(format!("tell the size of {sum}"));
        let archived = repo.inner.query_object_storage_size(kind, sum, NEVER).map_err(unknown())?;
        let unpacked = if kind == ObjectType::File {
            let (info, _) = repo.inner.query_file(sum, NEVER).map_err(unknown())?;
            match info.symlink_target() {
                Some(target) => target.as_os_str().len() as u64,
                None => info.size().unsigned_abs(),
            }
        } else {
            archived
        };
        self.0.insert(key, (archived, unpacked));
        Ok(())
    }

    /// Adds the directories of a tree.
    pub(super) fn add_directories(&mut self, repo: &Repo, root: &ostree::RepoFile) -> Result<(), OstreeError> {
        let tree = root.tree_get_contents_checksum().unwrap_or_default().to_string();
        let meta = root.tree_get_metadata_checksum().unwrap_or_default().to_string();
        self.add_directory(repo, &tree, &meta)
    }

    fn add_directory(&mut self, repo: &Repo, tree: &str, meta: &str) -> Result<(), OstreeError> {
        self.add(repo, ObjectType::DirMeta, meta)?;
        let key = (ostree::checksum_to_bytes_v(tree).data().to_vec(), number(ObjectType::DirTree));
        if self.0.contains_key(&key) {
            return Ok(());
        }
        self.add(repo, ObjectType::DirTree, tree)?;
        let variant = repo.inner.load_variant(ObjectType::DirTree, tree);
        for entry in variant.map_err(repo.refused(format!("read {tree}")))?.child_value(1).iter() {
            let sum = |index| ostree::checksum_from_bytes_v(&entry.child_value(index)).to_string();
            self.add_directory(repo, &sum(1), &sum(2))?;
        }
        Ok(())
    }

    pub(super) fn variant(self) -> Variant {
        let entries = self.0.into_iter().map(|((sum, kind), (archived, unpacked))| {
            let mut entry = sum;
            push(&mut entry, archived);
            push(&mut entry, unpacked);
            entry.push(kind);
            entry
        });
        entries.collect::<Vec<Vec<u8>>>().to_variant()
    }
}

/// `OstreeObjectType`.
fn number(kind: ObjectType) -> u8 {
    match kind {
        ObjectType::DirTree => 2,
        ObjectType::DirMeta => 3,
        ObjectType::Commit => 4,
        _ => 1,
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more come.
fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_seven_bits_a_byte() {
        for (number, bytes) in
            [(0, vec![0]), (127, vec![127]), (128, vec![0x80, 1]), (300, vec![0xac, 2]), (16384, vec![0x80, 0x80, 1])]
        {
            let mut found = Vec::new();
            push(&mut found, number);
            assert_eq!(found, bytes, "{number}");
        }
    }
}
