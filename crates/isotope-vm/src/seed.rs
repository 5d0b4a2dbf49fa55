//! Seeds: a small FAT disk that tells cloud-init who the guest is and whose key to trust.

use crate::error::VmError;
use isotope_image::fat::{self, Content, FatOptions};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
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
        for (what, word) in
            [("host name", &self.hostname), ("instance id", &self.instance_id), ("user", &user.to_owned())]
        {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if word.is_empty() || !word.chars().all(plain) {
                return Err(VmError::Spec(format!(
                    "the {what} `{word}` of the seed may only have letters, digits, `-`, `_` and `.`"
                )));
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
        write_volume(image, self.label(), self.files(user, public_key)?)
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
    // A name that does not resolve makes every sudo wait for a name server that a guest without a network never reaches.
    let mut config = json!({ "users": ["default", account], "manage_etc_hosts": "localhost" });
    if user == "root" {
        config["disable_root"] = json!(false);
    }
    format!("#cloud-config\n{config}\n")
}

/// Bytes of a seed's disk: small, and enough for FAT16.
const VOLUME_SIZE: u64 = 8 << 20;

/// The same every time: a guest knows its seed by label.
const VOLUME_ID: u32 = 0x1507_09e5;

/// 2026-01-01, the clock of all files of a seed.
const VOLUME_EPOCH: u64 = 1_767_225_600;

/// A FAT filesystem without a partition table, as a raw disk image.
fn write_volume(image: &Path, label: &str, files: Vec<(String, Vec<u8>)>) -> Result<(), VmError> {
    let options = FatOptions {
        size: VOLUME_SIZE,
        sector_size: 512,
        hidden_sectors: 0,
        volume_id: VOLUME_ID,
        // FAT stores it in upper case; cloud-init takes CONFIG-2 for config-2.
        label: Some(label.to_ascii_uppercase()),
        epoch: VOLUME_EPOCH,
    };
    let failed = || format!("make the seed {}", image.display());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(image)
        .map_err(VmError::io(failed()))?;
    file.set_len(VOLUME_SIZE).map_err(VmError::io(failed()))?;
    let files: BTreeMap<String, Content> = files.into_iter().map(|(path, data)| (path, Content::Bytes(data))).collect();
    fat::build(&mut file, &options, &files).map_err(VmError::Seed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use isotope_sys::command::Tool;

    fn find<'a>(files: &'a [(String, Vec<u8>)], name: &str) -> &'a str {
        std::str::from_utf8(&files.iter().find(|(path, _)| path == name).unwrap().1).unwrap()
    }

    #[test]
    fn nocloud_has_name_and_key_twice() {
        let files = Seed::new(SeedKind::NoCloud, "web01").files("isotope", "ssh-ed25519 AAAA me").unwrap();
        let meta = find(&files, "meta-data");
        assert!(
            meta.contains("\"local-hostname\":\"web01\"") && meta.contains("\"public-keys\":[\"ssh-ed25519 AAAA me\"]"),
            "{meta}"
        );
        let user = find(&files, "user-data");
        assert!(
            user.starts_with("#cloud-config\n") && user.contains("NOPASSWD") && user.contains("\"default\""),
            "{user}"
        );
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
    fn the_volume_is_a_good_filesystem_with_its_label() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("seed.img");
        Seed::new(SeedKind::ConfigDrive, "web01").write(&image, "isotope", "ssh-ed25519 AAAA me").unwrap();
        Tool::new("fsck.fat").arg("-n").arg(&image).run().unwrap();
        let label = Tool::new("blkid").args(["-p", "-o", "value", "-s", "LABEL"]).arg(&image).run().unwrap();
        assert_eq!(label.text(), "CONFIG-2");
        let read = Tool::new("mtype").arg("-i").arg(&image).arg("::openstack/latest/meta_data.json").run().unwrap();
        assert!(read.text().contains("\"hostname\":\"web01\""), "{}", read.text());
    }

    #[test]
    fn root_may_be_the_user_and_bad_names_are_refused() {
        let files = Seed::new(SeedKind::NoCloud, "a").files("root", "k").unwrap();
        assert!(find(&files, "user-data").contains("\"disable_root\":false"));
        let error = Seed::new(SeedKind::NoCloud, "a b").files("root", "k").unwrap_err();
        assert!(error.to_string().contains("host name `a b`"), "{error}");
    }
}
