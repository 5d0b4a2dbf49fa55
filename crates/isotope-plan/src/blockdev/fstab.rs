//! The text of `/etc/fstab`: a line for each mount point that has one, in the order of mounting.

use super::layout::LayoutPlan;

impl LayoutPlan {
    /// The whole file. Filesystems are named by `LABEL=`, as upstream names them; a blank in a label is written `\040`, where
    /// upstream's line cannot be read.
    #[must_use]
    pub fn fstab(&self) -> String {
        let mut text = String::new();
        for mount in &self.mounts {
            let (Some(made), Some(line)) = (self.filesystems.get(mount.filesystem), &mount.fstab) else { continue };
            let label = escape(made.filesystem.label.as_deref().unwrap_or_default());
            let (path, fstype) = (escape(&mount.path), &made.fstype);
            let options = escape(&line.options);
            text.push_str(&format!(
                "LABEL={label} {path} {fstype} {options} {} {}\n",
                line.dump_freq, line.fsck_passno
            ));
        }
        text
    }
}

fn escape(text: &str) -> String {
    let escaped = |c: char| match c {
        ' ' | '\t' | '\n' | '\\' => format!("\\{:03o}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}
