//! Signatures of commits: ed25519 in the form of libostree's sign API, and GPG.
//!
//! Debian's libostree is built without ed25519 (`ostree sign --sign-type=ed25519`: "not implemented"), so it is done here:
//! detached metadata `ostree.sign.ed25519`, an `aay` of 64-byte signatures of the commit object's bytes
//! (ostree-sign-ed25519.c; a secret key is the 32-byte seed, with or without the 32-byte public key after it).

use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use ostree::glib::prelude::ToVariant as _;
use ostree::glib::{Variant, VariantDict, VariantTy, base64_decode, base64_encode};
use std::path::{Path, PathBuf};

/// Detached metadata that holds ed25519 signatures.
pub(crate) const ED25519_KEY: &str = "ostree.sign.ed25519";
/// The option of a remote that names a file of public keys.
pub(crate) const KEY_FILE_OPTION: &str = "verification-ed25519-file";
const KEY_OPTION: &str = "verification-ed25519-key";

/// An ed25519 secret key.
pub struct Ed25519Secret(SigningKey);

impl std::fmt::Debug for Ed25519Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ed25519Secret(public {})", self.public())
    }
}

impl Ed25519Secret {
    /// From base64 of the seed (32 bytes), or of seed and public key (64 bytes).
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Self, OstreeError> {
        let bad = |why: &str| OstreeError::BadKey {
            what: "the key given".to_owned(),
            kind: "ed25519 secret",
            why: why.to_owned(),
        };
        let bytes = decode(text).ok_or_else(|| bad("it is not base64"))?;
        let seed: [u8; 32] = bytes.get(..32).and_then(|seed| seed.try_into().ok()).unwrap_or_default();
        let key = SigningKey::from_bytes(&seed);
        match bytes.len() {
            32 => Ok(Self(key)),
            64 if bytes[32..] == key.verifying_key().to_bytes() => Ok(Self(key)),
            64 => Err(bad("its second half is not the public key of its first")),
            _ => Err(bad("32 bytes, or 64, are expected, in base64")),
        }
    }

    /// Reads the first line of a file.
    ///
    /// # Errors
    /// It cannot be read, or is no key.
    pub fn read(file: &Path) -> Result<Self, OstreeError> {
        let text = read(file)?;
        Self::parse(text.lines().next().unwrap_or_default().trim()).map_err(|error| match error {
            OstreeError::BadKey { kind, why, .. } => {
                OstreeError::BadKey { what: file.display().to_string(), kind, why }
            }
            other => other,
        })
    }

    /// Its signature of some data, 64 bytes.
    pub(crate) fn sign(&self, data: &[u8]) -> Vec<u8> {
        self.0.sign(data).to_bytes().to_vec()
    }

    /// The public key, in base64.
    #[must_use]
    pub fn public(&self) -> String {
        base64_encode(&self.0.verifying_key().to_bytes()).into()
    }
}

/// A GPG secret key in a key ring of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpgKey {
    /// Its id or fingerprint, in hexadecimal digits.
    pub id: String,
    /// GPG's home directory that holds it (`--homedir`).
    pub homedir: PathBuf,
}

impl Repo {
    /// Signs a commit by ed25519, besides what signatures it has. A key that has signed already signs no second time.
    ///
    /// # Errors
    /// The commit is not there, or the repository cannot be written.
    pub fn sign_ed25519(&self, commit: &Checksum, key: &Ed25519Secret) -> Result<(), OstreeError> {
        let data = self.commit_bytes(commit)?;
        let detached = self.detached(commit)?;
        let mut signatures = signatures(detached.as_ref());
        let signature = key.sign(&data);
        if signatures.contains(&signature) {
            return Ok(());
        }
        signatures.push(signature);
        let dict = VariantDict::new(detached.as_ref());
        dict.insert_value(ED25519_KEY, &signatures.to_variant());
        self.inner
            .write_commit_detached_metadata(commit.as_str(), Some(&dict.end()), NEVER)
            .map_err(self.refused(format!("write the signature of {commit}")))
    }

    /// Signs a commit by GPG, besides what signatures it has. A key that has signed already signs no second time.
    ///
    /// # Errors
    /// GPG has no such key, or the repository cannot be written.
    pub fn sign_gpg(&self, commit: &Checksum, key: &GpgKey) -> Result<(), OstreeError> {
        let homedir = key.homedir.display().to_string();
        if self.has_gpg_signature(commit, key) {
            return Ok(());
        }
        match self.inner.sign_commit(commit.as_str(), &key.id, Some(&homedir), NEVER) {
            Err(error) if ["key ID", "gpg key"].iter().any(|word| error.message().contains(word)) => {
                Err(OstreeError::BadKey {
                    what: format!("{:?} in {homedir}", key.id),
                    kind: "GPG secret",
                    why: format!("its fingerprint is expected ({})", error.message()),
                })
            }
            result => result.map_err(self.refused(format!("sign {commit} with GPG key {}", key.id))),
        }
    }

    fn has_gpg_signature(&self, commit: &Checksum, key: &GpgKey) -> bool {
        // Of a key that is not at hand, only the end of the fingerprint is known.
        const FINGERPRINT: usize = 5;
        let none = None::<&ostree::gio::File>;
        // An error here says that there is no signature at all.
        let Ok(result) = self.inner.verify_commit_ext(commit.as_str(), none, none, NEVER) else { return false };
        let id = key.id.to_uppercase();
        (0..result.count_all()).any(|index| {
            let fingerprint = result.all(index).child_value(FINGERPRINT).get::<String>().unwrap_or_default();
            !fingerprint.is_empty() && (id.ends_with(&fingerprint) || fingerprint.ends_with(&id))
        })
    }

    /// Whether one of the public keys (base64) has signed a commit; the key that has.
    ///
    /// # Errors
    /// The commit is not there, or a key is none.
    pub fn verify_ed25519(&self, commit: &Checksum, keys: &[String]) -> Result<Option<String>, OstreeError> {
        let data = self.commit_bytes(commit)?;
        let signatures = signatures(self.detached(commit)?.as_ref());
        for text in keys {
            let key = public_key(text)?;
            let good = |signature: &Vec<u8>| {
                Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(&data, &signature).is_ok())
            };
            if signatures.iter().any(good) {
                return Ok(Some(text.clone()));
            }
        }
        Ok(None)
    }

    /// As [`Repo::verify_ed25519`], for a commit of a remote that wants one of `keys`.
    pub(crate) fn require_ed25519(&self, commit: &Checksum, remote: &str, keys: &[String]) -> Result<(), OstreeError> {
        if self.verify_ed25519(commit, keys)?.is_some() {
            return Ok(());
        }
        Err(OstreeError::BadSignature {
            what: format!("commit {commit}"),
            remote: remote.to_owned(),
            signed: !signatures(self.detached(commit)?.as_ref()).is_empty(),
            wanted: keys.iter().map(|key| format!("ed25519 {key}")).collect(),
            source: None,
        })
    }

    /// The public keys that a remote wants, if it wants ed25519 signatures.
    pub(crate) fn ed25519_keys(&self, remote: &str) -> Result<Option<Vec<String>>, OstreeError> {
        let section = format!("remote \"{remote}\"");
        let wants = self.config(&section, "sign-verify").is_some_and(|value| value.contains("ed25519"));
        if !wants {
            return Ok(None);
        }
        let keys: Vec<String> = self.config(&section, KEY_OPTION).into_iter().collect();
        let files: Vec<PathBuf> = self.config(&section, KEY_FILE_OPTION).into_iter().map(PathBuf::from).collect();
        public_keys(&keys, &files).map(Some)
    }

    fn commit_bytes(&self, commit: &Checksum) -> Result<Vec<u8>, OstreeError> {
        let variant = self
            .inner
            .load_variant(ostree::ObjectType::Commit, commit.as_str())
            .map_err(self.refused(format!("read commit {commit}")))?;
        Ok(variant.data().to_vec())
    }

    fn detached(&self, commit: &Checksum) -> Result<Option<Variant>, OstreeError> {
        self.inner
            .read_commit_detached_metadata(commit.as_str(), NEVER)
            .map_err(self.refused(format!("read the signatures of {commit}")))
    }
}

/// The lines of a remote that wants ed25519 signatures. libostree takes one key in the config; more go into a file.
pub(crate) fn configure(repo: &Repo, remote: &str, keys: &[String], options: &VariantDict) -> Result<(), OstreeError> {
    options.insert_value("sign-verify", &"ed25519".to_variant());
    if let [key] = keys {
        options.insert_value(KEY_OPTION, &key.to_variant());
        return Ok(());
    }
    let file = repo.path().join(format!("{remote}.trusted.ed25519"));
    std::fs::write(&file, keys.join("\n") + "\n").map_err(|source| OstreeError::Io {
        deed: "write the public keys to",
        path: file.clone(),
        source,
    })?;
    options.insert_value(KEY_FILE_OPTION, &file.display().to_string().to_variant());
    Ok(())
}

/// All public keys, checked.
pub(crate) fn public_keys(keys: &[String], files: &[PathBuf]) -> Result<Vec<String>, OstreeError> {
    let mut all = Vec::new();
    for key in keys {
        public_key(key)?;
        all.push(key.clone());
    }
    for file in files {
        for line in read(file)?.lines().map(str::trim).filter(|line| !line.is_empty()) {
            public_key(line)?;
            all.push(line.to_owned());
        }
    }
    if all.is_empty() {
        let what = files.first().map_or_else(|| "an empty list".to_owned(), |file| file.display().to_string());
        return Err(OstreeError::BadKey { what, kind: "ed25519 public", why: "no key is in it".to_owned() });
    }
    Ok(all)
}

fn public_key(text: &str) -> Result<VerifyingKey, OstreeError> {
    let bad = |why: &str| OstreeError::BadKey {
        what: text.chars().take(50).collect(),
        kind: "ed25519 public",
        why: why.to_owned(),
    };
    let bytes = decode(text).ok_or_else(|| bad("it is not base64"))?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| bad("32 bytes are expected, in base64"))?;
    VerifyingKey::from_bytes(&bytes).map_err(|_| bad("it is no point of the curve"))
}

/// GLib skips what is not base64; nothing may be skipped here.
fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = base64_decode(text);
    (!bytes.is_empty() && base64_encode(&bytes) == text).then_some(bytes)
}

pub(crate) fn signatures(detached: Option<&Variant>) -> Vec<Vec<u8>> {
    let kind = VariantTy::new("aay").expect("a type string of ours");
    VariantDict::new(detached)
        .lookup_value(ED25519_KEY, Some(kind))
        .and_then(|list| list.get::<Vec<Vec<u8>>>())
        .unwrap_or_default()
}

fn read(file: &Path) -> Result<String, OstreeError> {
    std::fs::read_to_string(file).map_err(|source| OstreeError::Io {
        deed: "read the key",
        path: file.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_keys_are_a_seed_with_or_without_its_public_key() {
        let seed = base64_encode(&[7; 32]);
        let key = Ed25519Secret::parse(&seed).unwrap();
        let public = base64_decode(&key.public());
        let both = base64_encode(&[&[7; 32][..], &public].concat());
        assert_eq!(Ed25519Secret::parse(&both).unwrap().public(), key.public());
        let wrong = base64_encode(&[7; 64]);
        for bad in ["", "not base64!", "AAAA", wrong.as_str()] {
            assert!(Ed25519Secret::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn public_keys_are_checked_when_they_are_given() {
        let key = Ed25519Secret::parse(&base64_encode(&[1; 32])).unwrap().public();
        assert_eq!(public_keys(std::slice::from_ref(&key), &[]).unwrap(), std::slice::from_ref(&key));
        assert!(public_keys(&[], &[]).is_err());
        assert!(public_keys(&[format!("{key} ")], &[]).is_err());
        assert!(public_keys(&[base64_encode(&[1; 31]).into()], &[]).is_err());
    }
}
