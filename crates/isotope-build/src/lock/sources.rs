//! What sources of `source-repository-NAME` are now: the commit of a git reference, the digest of a file.

use crate::error::StepError;
use crate::event::Events;
use isotope_cache::content;
use isotope_plan::lock::{Lock, LockedDownload, LockedGit, without_credentials};
use isotope_plan::{DibFetch, DibFetchKind};
use isotope_sys::command::Tool;
use std::path::Path;

/// Where a lock looks, and what it keeps.
pub(super) struct Site<'a> {
    pub old: Option<&'a Lock>,
    /// Names that are looked up although the old lock has them.
    pub again: &'a [String],
    pub offline: bool,
    /// A directory of its own.
    pub dir: &'a Path,
    pub events: &'a Events,
}

impl Site<'_> {
    /// Adds a source to a lock.
    pub(super) fn lock(&self, fetch: &DibFetch, lock: &mut Lock) -> Result<(), StepError> {
        let DibFetch { name, element, url: Some(url), reference, .. } = fetch else {
            let DibFetch { name, element, .. } = fetch;
            let message = format!("{name} of element {element} is not locked: where it is, only a shell could tell");
            self.events.warning(message);
            return Ok(());
        };
        let old = self.old.filter(|_| !self.again.contains(name)).and_then(|old| old.pinned(fetch));
        let public = without_credentials(url);
        if old.is_none() && self.offline {
            let message = format!("this build is offline, and {name} of element {element} is at {public}");
            return Err(StepError::Lacks { message, hint: "lock it while there is a network".to_owned() });
        }
        match fetch.kind {
            DibFetchKind::Git => {
                let commit = old.map_or_else(|| commit(url, reference), |old| Ok(old.to_owned()))?;
                lock.gits.push(LockedGit { name: name.clone(), url: public, reference: reference.clone(), commit });
            }
            DibFetchKind::File => {
                let known = self.old.iter().flat_map(|old| &old.downloads);
                let same = known.into_iter().find(|file| file.name == *name && Some(file.sha256.as_str()) == old);
                let download = match same {
                    Some(same) => same.clone(),
                    None => self.download(name, url, public)?,
                };
                lock.downloads.push(download);
            }
        }
        Ok(())
    }

    /// Fetches a file to see what it is. It is not kept: hooks have a cache of their own.
    fn download(&self, name: &str, url: &str, public: String) -> Result<LockedDownload, StepError> {
        std::fs::create_dir_all(self.dir).map_err(StepError::io("make", self.dir))?;
        let path = self.dir.join("source");
        let options = ["--fail", "--location", "--silent", "--show-error", "--retry", "3", "--output"];
        let curl = Tool::new("curl").args(options).arg(&path).arg("--").arg(url);
        curl.run().map_err(|source| StepError::Command { what: format!("fetch {public}"), source })?;
        let size = path.metadata().map_err(StepError::io("look at", &path))?.len();
        let sha256 = content::file(&path)?;
        std::fs::remove_file(&path).map_err(StepError::io("remove", &path))?;
        Ok(LockedDownload { name: name.to_owned(), url: public, size, sha256 })
    }
}

/// The commit of a branch, a tag, any other reference; `*` stands for the branch that the repository names first.
fn commit(url: &str, reference: &str) -> Result<String, StepError> {
    if reference.len() == 40 && reference.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(reference.to_ascii_lowercase());
    }
    let reference = if reference == "*" { "HEAD" } else { reference };
    let peeled = format!("{reference}^{{}}");
    let git = Tool::new("git").env("GIT_TERMINAL_PROMPT", "0").args(["ls-remote", "--", url, reference, &peeled]);
    let public = without_credentials(url);
    let listed =
        git.run().map_err(|source| StepError::Command { what: format!("list the references of {public}"), source })?;
    found(&listed.text(), reference).ok_or_else(|| StepError::Lacks {
        message: format!("{public} has no reference {reference}"),
        hint: "name one that it has (DIB_REPOREF_… in [environment] of the recipe); `git ls-remote` lists them"
            .to_owned(),
    })
}

/// In the order in which git looks for a name (gitrevisions(7)); of an annotated tag the commit.
fn found(listed: &str, reference: &str) -> Option<String> {
    let of = |wanted: &str| {
        let mut lines = listed.lines().filter_map(|line| line.split_once('\t'));
        lines.find(|(_, name)| *name == wanted).map(|(commit, _)| commit.to_owned())
    };
    ["", "refs/", "refs/tags/", "refs/heads/"]
        .iter()
        .map(|before| format!("{before}{reference}"))
        .find_map(|name| of(&format!("{name}^{{}}")).or_else(|| of(&name)))
}

#[cfg(test)]
mod tests {
    use super::found;

    #[test]
    fn references_are_found_as_git_finds_them() {
        let listed = "a\tHEAD\nb\trefs/heads/main\nc\trefs/heads/v1\nd\trefs/tags/v1\ne\trefs/tags/v1^{}\nf\trefs/changes/1/2/3\n";
        for (reference, commit) in [
            ("HEAD", Some("a")),
            ("main", Some("b")),
            ("v1", Some("e")),
            ("refs/changes/1/2/3", Some("f")),
            ("v2", None),
        ] {
            assert_eq!(found(listed, reference).as_deref(), commit, "{reference}");
        }
    }
}
