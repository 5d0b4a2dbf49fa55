//! What the libostree inside a tree can do, once the tree has been booted.

use crate::{Checksum, OstreeError, Repo};

/// Functions that libostree calls to check ed25519 signatures, of libsodium and of OpenSSL: a build without ed25519 imports
/// neither (Debian 12 and 13, read in their libraries).
const CHECKS_ED25519: [&[u8]; 2] = [b"crypto_sign_verify_detached", b"EVP_PKEY_new_raw_public_key"];

impl Repo {
    /// Whether the libostree of a tree can check ed25519 signatures. One that cannot refuses every upgrade from a remote that
    /// wants them. `None`: the tree has no libostree.
    ///
    /// # Errors
    /// The commit is not there in full.
    pub fn tree_checks_ed25519(&self, commit: &Checksum) -> Result<Option<bool>, OstreeError> {
        let mut dirs = vec!["/usr/lib".to_owned(), "/usr/lib64".to_owned()];
        let below = self.list_dir(commit, "/usr/lib")?.unwrap_or_default();
        dirs.extend(below.into_iter().filter(|name| name.contains("-linux-")).map(|name| format!("/usr/lib/{name}")));
        for dir in dirs {
            let names = self.list_dir(commit, &dir)?.unwrap_or_default();
            for name in names.iter().filter(|name| name.starts_with("libostree-1.so")) {
                // Of the names, all but one are links.
                if let Some(library) = self.read_file(commit, &format!("{dir}/{name}"))? {
                    return Ok(Some(checks_ed25519(&library)));
                }
            }
        }
        Ok(None)
    }
}

fn checks_ed25519(library: &[u8]) -> bool {
    CHECKS_ED25519.iter().any(|name| library.windows(name.len()).any(|part| part == *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imported_functions_tell() {
        assert!(checks_ed25519(b"\0crypto_sign_verify_detached\0"));
        assert!(checks_ed25519(b"..EVP_PKEY_new_raw_public_key@OPENSSL_3.0.0"));
        assert!(!checks_ed25519(b"ed25519: libsodium library isn't initialized properly"));
    }
}
