//! Seeds: a small FAT disk that tells cloud-init who the guest is and whose key to trust.

use crate::error::VmError;
use serde_json::json;
use std::path::Path;

/// Which of cloud-init's data sources reads the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedKind {
    /// A volume `CIDATA` with `user-data` and `meta-data`.
    NoCloud,
    /// OpenStack's volume `config-2` with `openstack/latest/…`.
    ConfigDrive,
}

/// What a seed says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Its form.
    pub kind: SeedKind,
    /// Identity of the guest; a new one makes cloud-init treat the boot as the first.
    pub instance_id: String,
    /// The guest's name.
    pub hostname: String,
    /// Replaces the user-data that lets the harness in; the key is then only in the metadata (for the default user).
    pub user_data: Option<String>,
}

impl Seed {
    /// A seed for one guest.
    #[must_use]
    pub fn new(kind: SeedKind, hostname: impl Into<String>) -> Self {
        let hostname = hostname.into();
        Self { kind, instance_id: format!("iid-{hostname}"), hostname, user_data: None }
    }

    /// Volume label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self.kind {
            SeedKind::NoCloud => "CIDATA",
            SeedKind::ConfigDrive => "config-2",
        }
    }

    /// The files of the volume: path and content.
    ///
    /// # Errors
    /// The host name or the user's name would break the formats they go into.
    pub fn files(&self, user: &str, public_key: &str) -> Result<Vec<(String, Vec<u8>)>, VmError> {
        for (what, word) in [("host name", &self.hostname), ("instance id", &self.instance_id), ("user", &user.to_owned())] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if word.is_empty() || !word.chars().all(plain) {
                return Err(VmError::Spec(format!("the {what} `{word}` of the seed may only have letters, digits, `-`, `_` and `.`")));
            }
        }
        let user_data = self.user_data.clone().unwrap_or_else(|| user_data(user, public_key)).into_bytes();
        Ok(match self.kind {
            SeedKind::NoCloud => {
                let meta_data = json!({
                    "instance-id": self.instance_id, "local-hostname": self.hostname, "public-keys": [public_key],
                });
                vec![("meta-data".to_owned(), meta_data.to_string().into_bytes()), ("user-data".to_owned(), user_data)]
            }
            SeedKind::ConfigDrive => {
                let meta_data = json!({
                    "uuid": self.instance_id, "hostname": self.hostname, "name": self.hostname,
                    "public_keys": { "isotope": public_key },
                });
                vec![
                    ("openstack/latest/meta_data.json".to_owned(), meta_data.to_string().into_bytes()),
                    ("openstack/latest/user_data".to_owned(), user_data),
                ]
            }
        })
    }

    /// Writes the volume as a raw disk image.
    ///
    /// # Errors
    /// As [`Seed::files`], or the image cannot be written.
    pub fn write(&self, image: &Path, user: &str, public_key: &str) -> Result<(), VmError> {
        let files = self.files(user, public_key)?;
        volume::write(image, self.label(), &files)
    }
}

/// A user for the harness beside the distribution's own, who gets the key by the metadata. JSON is YAML.
fn user_data(user: &str, public_key: &str) -> String {
    let mut account = json!({ "name": user, "ssh_authorized_keys": [public_key] });
    if user != "root" {
        account["sudo"] = json!("ALL=(ALL) NOPASSWD:ALL");
        account["shell"] = json!("/bin/sh");
        account["lock_passwd"] = json!(true);
    }
    let mut config = json!({ "users": ["default", account] });
    if user == "root" {
        config["disable_root"] = json!(false);
    }
    format!("#cloud-config\n{config}\n")
}

mod volume {
    use super::VmError;
    use isotope_sys::command::Tool;
    use std::path::Path;

    pub fn write(image: &Path, label: &str, files: &[(String, Vec<u8>)]) -> Result<(), VmError> {
        std::fs::File::create(image).and_then(|f| f.set_len(2 << 20)).map_err(VmError::io("make the seed"))?;
        Tool::new("mformat").args(["-i"]).arg(image).args(["-v", label, "-T", "4096", "-h", "2", "-s", "32", "::"]).run()?;
        for (path, data) in files {
            let mut dir = String::new();
            let parts: Vec<&str> = path.split('/').collect();
            for part in &parts[..parts.len() - 1] {
                dir = format!("{dir}/{part}");
                Tool::new("mmd").args(["-D", "s", "-i"]).arg(image).arg(format!("::{dir}")).run().map(drop).unwrap_or(());
            }
            Tool::new("mcopy").args(["-i"]).arg(image).args(["-", &format!("::{path}")]).stdin(data.clone()).run()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(files: &'a [(String, Vec<u8>)], name: &str) -> &'a str {
        std::str::from_utf8(&files.iter().find(|(path, _)| path == name).unwrap().1).unwrap()
    }

    #[test]
    fn nocloud_has_name_and_key_twice() {
        let files = Seed::new(SeedKind::NoCloud, "web01").files("isotope", "ssh-ed25519 AAAA me").unwrap();
        let meta = find(&files, "meta-data");
        assert!(meta.contains("\"local-hostname\":\"web01\"") && meta.contains("\"public-keys\":[\"ssh-ed25519 AAAA me\"]"), "{meta}");
        let user = find(&files, "user-data");
        assert!(user.starts_with("#cloud-config\n") && user.contains("NOPASSWD") && user.contains("\"default\""), "{user}");
    }

    #[test]
    fn configdrive_has_openstacks_layout() {
        let seed = Seed::new(SeedKind::ConfigDrive, "web01");
        let files = seed.files("isotope", "ssh-ed25519 AAAA me").unwrap();
        assert_eq!(seed.label(), "config-2");
        let meta: serde_json::Value = serde_json::from_str(find(&files, "openstack/latest/meta_data.json")).unwrap();
        assert_eq!((meta["hostname"].as_str(), meta["uuid"].as_str()), (Some("web01"), Some("iid-web01")));
    }

    #[test]
    fn root_may_be_the_user_and_bad_names_are_refused() {
        let files = Seed::new(SeedKind::NoCloud, "a").files("root", "k").unwrap();
        assert!(find(&files, "user-data").contains("\"disable_root\":false"));
        let error = Seed::new(SeedKind::NoCloud, "a b").files("root", "k").unwrap_err();
        assert!(error.to_string().contains("host name `a b`"), "{error}");
    }
}
