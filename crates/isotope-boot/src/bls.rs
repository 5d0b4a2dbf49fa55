//! Boot loader entries: the type #1 files of the UAPI.1 Boot Loader Specification, `/boot/loader/entries/ID.conf`.
//!
//! [`Entry::parse`] and `Display` keep keys that are not known, in their order. Must not know: who reads the entries.

use std::fmt;

/// Why a text is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlsError {
    /// A line without a value.
    #[error("boot loader entry {id}, line {line}: {key:?} has no value; \"KEY VALUE\" was expected")]
    NoValue {
        /// The entry.
        id: String,
        /// From 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// Nothing to boot.
    #[error("boot loader entry {id} has neither \"linux\" nor \"efi\" nor \"uki\": nothing to boot")]
    NothingToBoot {
        /// The entry.
        id: String,
    },
    /// A file name that is none.
    #[error("{id:?} is no name for a boot loader entry: letters, digits and + - _ . were expected")]
    BadName {
        /// The name.
        id: String,
    },
    /// A value that cannot stand on one line.
    #[error("boot loader entry {id}: the value of {key:?} has a line break")]
    LineBreak {
        /// The entry.
        id: String,
        /// The key.
        key: String,
    },
}

/// One boot loader entry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// Its file name without `.conf` (and without boot counters).
    pub id: String,
    /// Keys and values, in the order of the file. `options` and `initrd` may come several times.
    pub fields: Vec<(String, String)>,
}

impl Entry {
    /// An empty entry.
    ///
    /// # Errors
    /// The name has characters that the specification does not allow.
    pub fn new(id: &str) -> Result<Self, BlsError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "+-_.".contains(c);
        if id.is_empty() || !id.chars().all(fits) {
            return Err(BlsError::BadName { id: id.to_owned() });
        }
        Ok(Self { id: id.to_owned(), fields: Vec::new() })
    }

    /// Reads the text of an entry. `name` is its file name, with or without `.conf`.
    ///
    /// # Errors
    /// A key without a value, or nothing to boot.
    pub fn parse(name: &str, text: &str) -> Result<Self, BlsError> {
        let id = strip_counter(name.strip_suffix(".conf").unwrap_or(name));
        let mut fields = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let value = value.trim();
            // A key without a value breaks the specification; Fedora writes `options` so where there are none.
            if value.is_empty() && key != "options" {
                return Err(BlsError::NoValue { id: id.to_owned(), line: number + 1, key: key.to_owned() });
            }
            fields.push((key.to_owned(), value.to_owned()));
        }
        let entry = Self { id: id.to_owned(), fields };
        if !["linux", "efi", "uki", "uki-url"].iter().any(|key| entry.get(key).is_some()) {
            return Err(BlsError::NothingToBoot { id: entry.id });
        }
        Ok(entry)
    }

    /// The first value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// All values of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.fields.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The kernel command line: all `options`, joined.
    #[must_use]
    pub fn options(&self) -> String {
        self.all("options").filter(|v| !v.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Sets a key to one value, at the place where it was first, else at the end.
    ///
    /// # Errors
    /// The value has a line break.
    pub fn set(&mut self, key: &str, value: &str) -> Result<&mut Self, BlsError> {
        if value.contains(['\n', '\r']) {
            return Err(BlsError::LineBreak { id: self.id.clone(), key: key.to_owned() });
        }
        let at = self.fields.iter().position(|(k, _)| k == key).unwrap_or(self.fields.len());
        self.fields.retain(|(k, _)| k != key);
        self.fields.insert(at.min(self.fields.len()), (key.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// What a menu shows: the title, and the version where it does not say it.
    #[must_use]
    pub fn title(&self) -> String {
        match (self.get("title"), self.get("version")) {
            (Some(title), Some(version)) if !title.contains(version) => format!("{title} ({version})"),
            (Some(title), _) => title.to_owned(),
            (None, Some(version)) => version.to_owned(),
            (None, None) => self.id.clone(),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.iter().try_for_each(|(key, value)| writeln!(f, "{key} {value}"))
    }
}

/// `id+3` and `id+2-1` carry how often booting was tried; the entry is `id`.
fn strip_counter(name: &str) -> &str {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match name.rsplit_once('+') {
        Some((id, counter)) if counter.split_once('-').map_or(digits(counter), |(l, d)| digits(l) && digits(d)) => id,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEDORA: &str = "title Fedora Linux (6.17.4-300.fc43.x86_64) 43 (Cloud Edition)\nversion 6.17.4-300.fc43.x86_64\n\
        linux /boot/vmlinuz-6.17.4-300.fc43.x86_64\ninitrd /boot/initramfs-6.17.4-300.fc43.x86_64.img\n\
        options root=UUID=1 ro\ngrub_users $grub_users\ngrub_arg --unrestricted\ngrub_class fedora\n";

    #[test]
    fn an_entry_of_fedora_goes_in_and_out() {
        let entry = Entry::parse("abc-6.17.4-300.fc43.x86_64.conf", FEDORA).unwrap();
        assert_eq!(entry.to_string(), FEDORA);
        assert_eq!(entry.id, "abc-6.17.4-300.fc43.x86_64");
        assert_eq!(entry.options(), "root=UUID=1 ro");
        assert_eq!(entry.title(), "Fedora Linux (6.17.4-300.fc43.x86_64) 43 (Cloud Edition)");
    }

    #[test]
    fn an_entry_of_ostree_with_tabs_comments_and_two_option_lines() {
        let text = "# made by ostree\n\ntitle\tDebian 13 (ostree:0)\nversion 1\noptions a b\n  options   c=d\nlinux /ostree/x/vmlinuz\n";
        let entry = Entry::parse("ostree-1+3-0.conf", text).unwrap();
        assert_eq!((entry.id.as_str(), entry.options().as_str()), ("ostree-1", "a b c=d"));
    }

    #[test]
    fn set_replaces_at_the_same_place() {
        let mut entry = Entry::parse("x", "linux /k\noptions a\noptions b\nversion 9\n").unwrap();
        entry.set("options", "root=UUID=2 rw").unwrap();
        assert_eq!(entry.to_string(), "linux /k\noptions root=UUID=2 rw\nversion 9\n");
        assert!(entry.set("title", "two\nlines").is_err());
    }

    #[test]
    fn broken_entries_are_named() {
        let error = Entry::parse("x.conf", "title T\nlinux\n").unwrap_err().to_string();
        assert!(error.contains("entry x, line 2") && error.contains("linux"), "{error}");
        assert!(matches!(Entry::parse("x", "title T\n"), Err(BlsError::NothingToBoot { .. })));
        assert!(Entry::new("a/b").is_err() && Entry::new("").is_err() && Entry::new("6.12.1+deb13-amd64").is_ok());
    }

    #[test]
    fn a_plus_in_a_version_is_no_boot_counter() {
        assert_eq!(strip_counter("6.12.117+deb13-amd64"), "6.12.117+deb13-amd64");
        assert_eq!(strip_counter("x+3"), "x");
    }
}
