//! The summary: what a web server tells of the repository's refs.

use crate::repo::NEVER;
use crate::sign::{ED25519_KEY, signatures};
use crate::{Ed25519Secret, GpgKey, OstreeError, Repo};
use ostree::glib::prelude::ToVariant as _;
use ostree::glib::{Variant, VariantDict, VariantTy};

impl Repo {
    /// Writes the `summary` anew: all refs with their commits. To be called after each commit. It is not signed, and the
    /// signatures of the old one are removed.
    ///
    /// # Errors
    /// The repository cannot be written.
    pub fn update_summary(&self) -> Result<(), OstreeError> {
        self.inner.regenerate_summary(None, NEVER).map_err(self.refused("write the summary"))
    }

    /// Signs the summary by GPG, besides what signatures it has. For remotes with `gpg-verify-summary`.
    ///
    /// # Errors
    /// There is no summary, GPG has no such key, or the repository cannot be written.
    pub fn sign_summary_gpg(&self, key: &GpgKey) -> Result<(), OstreeError> {
        let homedir = key.homedir.display().to_string();
        self.inner
            .add_gpg_signature_summary(&[&key.id], Some(&homedir), NEVER)
            .map_err(self.refused(format!("sign the summary with GPG key {}", key.id)))
    }

    /// Signs the summary by ed25519, besides what signatures it has: an entry of `summary.sig`, which is an `a{sv}` as
    /// detached metadata of commits are.
    ///
    /// # Errors
    /// There is no summary, or the repository cannot be written.
    pub fn sign_summary_ed25519(&self, key: &Ed25519Secret) -> Result<(), OstreeError> {
        let io = |deed: &'static str, name: &str| {
            let path = self.path().join(name);
            move |source: std::io::Error| OstreeError::Io { deed, path, source }
        };
        let summary = std::fs::read(self.path().join("summary")).map_err(io("read", "summary"))?;
        let old = match std::fs::read(self.path().join("summary.sig")) {
            Ok(data) => Some(Variant::from_data_with_type(data, VariantTy::VARDICT)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(io("read", "summary.sig")(error)),
        };
        let mut all = signatures(old.as_ref());
        let signature = key.sign(&summary);
        if !all.contains(&signature) {
            all.push(signature);
        }
        let dict = VariantDict::new(old.as_ref());
        dict.insert_value(ED25519_KEY, &all.to_variant());
        let temporary = tempfile::NamedTempFile::new_in(self.path()).map_err(io("write", "summary.sig"))?;
        std::fs::write(temporary.path(), dict.end().data()).map_err(io("write", "summary.sig"))?;
        // A web server must be able to read it.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(temporary.path(), mode).map_err(io("write", "summary.sig"))?;
        let kept = temporary.persist(self.path().join("summary.sig"));
        kept.map(drop).map_err(|error| io("write", "summary.sig")(error.error))
    }
}
