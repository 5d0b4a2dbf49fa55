//! What is looked into: a repository's directory, a root directory, a remote by its URL, or an image.
//!
//! A remote's commits are pulled into a repository of the cache directory, as far as they are needed; an image's root
//! filesystem is mounted read-only in a mount namespace of this process. Nothing of either is changed.

use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::inspect::{self, Image, Mounted, files};
use anyhow::Context as _;
use isotope_ostree::{Checksum, Deployment, Mode, Pull, Remote, Repo, Sysroot, Verify};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The name that every remote has in its own repository of the cache.
const REMOTE: &str = "remote";

/// Whose signatures a remote's commits must have.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Trust {
    /// File of GPG public keys, one of which must have signed a remote's commits
    #[arg(long, value_name = "FILE")]
    gpg_key: Vec<PathBuf>,
    /// ed25519 public key in base64, one of which must have signed a remote's commits
    #[arg(long, value_name = "KEY", conflicts_with = "gpg_key")]
    ed25519_key: Vec<String>,
}

impl Trust {
    /// Whether somebody is trusted.
    pub fn is_given(&self) -> bool {
        !(self.gpg_key.is_empty() && self.ed25519_key.is_empty())
    }

    fn verify(&self) -> Verify {
        if !self.gpg_key.is_empty() {
            Verify::Gpg { keys: self.gpg_key.clone(), keypath: None }
        } else if !self.ed25519_key.is_empty() {
            Verify::Ed25519 { keys: self.ed25519_key.clone(), files: Vec::new() }
        } else {
            Verify::None
        }
    }
}

/// What is looked into, open.
pub struct Subject {
    /// Its repository; of a remote, that of the cache.
    pub repo: Repo,
    /// Its deployments, if it is an image or a root.
    pub deployments: Vec<Deployment>,
    /// A remote.
    pub remote: bool,
    /// Keeps an image mounted.
    _mounted: Option<Mounted>,
}

impl Subject {
    /// Opens what `text` names.
    pub fn open(text: &str, trust: &Trust, ctx: &Context) -> anyhow::Result<Self> {
        if ["http://", "https://", "file://", "mirrorlist="].iter().any(|start| text.starts_with(start)) {
            return Self::remote(text, trust, ctx);
        }
        let path = Path::new(text);
        let meta = path.metadata().map_err(|error| {
            Failure::new(Class::Usage, format!("cannot open {text}: {error}"))
                .hint("name a repository's directory, a root directory, an image, or a URL (http://…, file:///…)")
        })?;
        match (meta.is_dir(), path.join("ostree/repo/config").exists()) {
            (true, true) => Self::root(path, None),
            (true, false) => {
                Ok(Self { repo: Repo::open(path)?, deployments: Vec::new(), remote: false, _mounted: None })
            }
            (false, _) => Self::image(path),
        }
    }

    fn root(path: &Path, mounted: Option<Mounted>) -> anyhow::Result<Self> {
        let sysroot = Sysroot::open(path)?;
        let deployments = sysroot.status()?;
        Ok(Self { repo: sysroot.repo()?, deployments, remote: false, _mounted: mounted })
    }

    fn remote(url: &str, trust: &Trust, ctx: &Context) -> anyhow::Result<Self> {
        // One repository a URL: what is there already is not fetched again.
        let digest: String = Sha256::digest(url).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let repo = Repo::create(ctx.cache_dir.join("ostree/remotes").join(digest), Mode::Archive)?;
        repo.set_fsync(false);
        repo.set_remote(&Remote::new(REMOTE, url, trust.verify()))?;
        if !trust.is_given() {
            ctx.out.note("signatures of the remote are not checked (--gpg-key, --ed25519-key)");
        }
        Ok(Self { repo, deployments: Vec::new(), remote: true, _mounted: None })
    }

    fn image(path: &Path) -> anyhow::Result<Self> {
        let image = Image::open(path)?;
        let whole = [(0, image.disk.size())];
        let ranges = match &image.table {
            Some(table) => table.partitions.iter().filter_map(|entry| image.range(entry)).collect(),
            None => whole.to_vec(),
        };
        let mut notes = Vec::new();
        for (start, length) in ranges {
            let Some(found) = inspect::probe(image.disk.as_ref(), start, length) else { continue };
            if !["ext4", "xfs", "btrfs"].contains(&found.kind) {
                continue;
            }
            // What can be read without mounting is looked into first: mounting takes root and a copy.
            if found.kind == "ext4"
                && let Ok(Some(files)) = files::open(&image.disk, &found, start, length)
                && files.list("/ostree/repo").is_err()
            {
                notes.push(format!("the ext4 filesystem at byte {start} has no /ostree/repo"));
                continue;
            }
            let mounted = Mounted::new(image.disk.as_ref(), found.kind, start, length)
                .with_context(|| format!("cannot read the {} filesystem at byte {start}", found.kind))?;
            let root = mounted.root().to_owned();
            if root.join("ostree/repo/config").exists() {
                return Self::root(&root, Some(mounted));
            }
            notes.push(format!("the {} filesystem at byte {start} has no /ostree/repo", found.kind));
        }
        let mut failure = Failure::new(Class::Usage, format!("{} holds no atomic system", path.display()));
        for note in notes {
            failure = failure.hint(note);
        }
        Err(failure.into())
    }

    /// The commit that `rev` names; without one, that of the default deployment, or of the only ref. Of a remote, the
    /// commit is fetched: its files below `subdir`, or, with `None`, the commit object alone.
    pub fn commit(&self, rev: Option<&str>, subdir: Option<&str>) -> anyhow::Result<Checksum> {
        if self.remote {
            let rev = match rev {
                Some(rev) => rev.to_owned(),
                None => only(self.repo.remote_refs(REMOTE)?.unwrap_or_default().into_keys().collect())?,
            };
            let mut pull = Pull::new(REMOTE, [rev.as_str()]);
            match subdir.map(|dir| format!("/{}", dir.trim_matches('/'))) {
                None => pull.commit_only = true,
                Some(dir) if dir == "/" => {}
                Some(dir) => pull.subdirs = vec![dir],
            }
            return Ok(self.repo.pull(&pull, &mut |_| {})?.commits[&rev].clone());
        }
        match (rev, self.deployments.first()) {
            (Some(rev), _) => Ok(self.repo.resolve(rev)?),
            (None, Some(default)) => Ok(default.checksum.clone()),
            (None, None) => Ok(self.repo.resolve(&only(self.repo.refs()?.into_keys().collect())?)?),
        }
    }

    /// Fetches a remote's commit objects back to the first.
    pub fn fetch_history(&self, rev: &Checksum) -> anyhow::Result<()> {
        if self.remote {
            let mut pull = Pull::new(REMOTE, [rev.as_str()]);
            (pull.commit_only, pull.depth) = (true, -1);
            self.repo.pull(&pull, &mut |_| {})?;
        }
        Ok(())
    }

    /// The name of the remote in the repository, if it is one.
    pub fn remote_name(&self) -> Option<&'static str> {
        self.remote.then_some(REMOTE)
    }
}

/// The one ref, where there is one.
fn only(mut refs: Vec<String>) -> anyhow::Result<String> {
    match (refs.pop(), refs.is_empty()) {
        (Some(name), true) => Ok(name),
        (None, _) => {
            Err(Failure::new(Class::Usage, "it has no ref, or does not tell them").hint("name a commit").into())
        }
        (Some(last), false) => {
            refs.push(last);
            Err(Failure::new(Class::Usage, "it has several refs")
                .hint(format!("name one of: {}", refs.join(", ")))
                .into())
        }
    }
}
