//! `syslinux.cfg` as ostree keeps it: one record a deployment, the default first.
//!
//! Must not know: who shows it.

use serde::Serialize;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Record {
    /// `LABEL`: the title.
    pub label: String,
    /// `KERNEL`.
    pub kernel: String,
    /// `INITRD`.
    pub initrd: Option<String>,
    /// `APPEND`: the kernel command line.
    pub append: String,
}

/// The records of a text, in its order. Keywords are of any case; lines before the first `LABEL` are settings of the whole file.
#[must_use]
pub fn parse(text: &str) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for line in text.lines().map(str::trim) {
        let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let value = value.trim();
        if key.eq_ignore_ascii_case("label") {
            records.push(Record { label: value.to_owned(), ..Record::default() });
            continue;
        }
        let Some(record) = records.last_mut() else { continue };
        match key.to_ascii_uppercase().as_str() {
            "KERNEL" | "LINUX" => record.kernel = value.to_owned(),
            "INITRD" => record.initrd = Some(value.to_owned()),
            "APPEND" => record.append = value.to_owned(),
            _ => {}
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ostree_writes() {
        let text = "PROMPT 1\nTIMEOUT 10\nDEFAULT Debian 13 (ostree:0)\n\nLABEL Debian 13 (ostree:0)\n\tKERNEL /boot/ostree/x/vmlinuz\n\
                    \tINITRD /boot/ostree/x/initramfs.img\n\tAPPEND root=UUID=1 rw ostree=/ostree/boot.1/x/1/0\n\
                    LABEL Debian 12 (ostree:1)\n\tKERNEL /boot/ostree/y/vmlinuz\n\tAPPEND rw\n";
        let records = parse(text);
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].label, "Debian 13 (ostree:0)");
        assert_eq!(records[0].initrd.as_deref(), Some("/boot/ostree/x/initramfs.img"));
        assert_eq!(records[0].append, "root=UUID=1 rw ostree=/ostree/boot.1/x/1/0");
        assert_eq!((records[1].kernel.as_str(), &records[1].initrd), ("/boot/ostree/y/vmlinuz", &None));
    }
}
