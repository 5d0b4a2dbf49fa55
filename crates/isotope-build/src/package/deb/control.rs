//! Debian's control files: paragraphs of fields (deb822), relations between packages.
//!
//! Pure text in, values out. Versions are not compared: that is apt's and dpkg's business.

use std::fmt::Write;

/// One paragraph: fields in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paragraph {
    fields: Vec<(String, String)>,
}

impl Paragraph {
    /// The value of a field, in its lines but without the leading space of the first; names match in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A field's value, or the empty text.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Whether a field says `yes`.
    #[must_use]
    pub fn yes(&self, name: &str) -> bool {
        self.text(name) == "yes"
    }

    /// Sets a field: in its old place if there is one, else at the end. Lines after the first need a leading space.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.fields.iter_mut().find(|(field, _)| field.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name.to_owned(), value)),
        }
    }

    /// The paragraph as text, with the empty line that ends it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.fields {
            let space = if value.is_empty() || value.starts_with('\n') { "" } else { " " };
            // Writing to a String cannot fail.
            let _infallible = writeln!(text, "{name}:{space}{value}");
        }
        text.push('\n');
        text
    }
}

/// Splits text into paragraphs. Comment lines (`#`) are dropped; a line that is neither field nor continuation is
/// ignored.
pub fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph> + '_ {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut paragraph = Paragraph::default();
        for line in lines.by_ref() {
            if line.trim().is_empty() {
                if paragraph.fields.is_empty() {
                    continue;
                }
                break;
            }
            if line.starts_with('#') {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = paragraph.fields.last_mut() {
                    value.push('\n');
                    value.push_str(line);
                }
            } else if let Some((name, value)) = line.split_once(':') {
                paragraph.fields.push((name.to_owned(), value.trim().to_owned()));
            }
        }
        (!paragraph.fields.is_empty()).then_some(paragraph)
    })
}

/// The names in a relation field: for each comma-separated group its alternatives, without architecture, version and
/// build profile.
#[must_use]
pub fn relations(field: &str) -> Vec<Vec<&str>> {
    field
        .split(',')
        .map(|group| {
            let name = |text: &'_ str| -> usize { text.find([' ', '\t', '\n', '(', '[', '<', ':']).unwrap_or(text.len()) };
            group.split('|').map(str::trim).map(|text| &text[..name(text)]).filter(|text| !text.is_empty()).collect::<Vec<_>>()
        })
        .filter(|group| !group.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_continue_over_lines() {
        let text = "# note\nPackage: a\nDescription: short\n long\n .\n more\nEssential: yes\n\n\nPackage: b\n";
        let found: Vec<_> = paragraphs(text).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].get("description"), Some("short\n long\n .\n more"));
        assert!(found[0].yes("Essential") && !found[1].yes("Essential"));
        assert_eq!(found[1].to_text(), "Package: b\n\n");
    }

    #[test]
    fn conffiles_begin_on_their_own_line() {
        let mut paragraph = paragraphs("Package: a\nStatus: x\n").next().unwrap();
        paragraph.set("status", "install ok unpacked");
        paragraph.set("Conffiles", "\n /etc/a newconffile");
        let text = paragraph.to_text();
        assert_eq!(text, "Package: a\nStatus: install ok unpacked\nConffiles:\n /etc/a newconffile\n\n");
        assert_eq!(paragraphs(&text).next().unwrap(), paragraph);
    }

    #[test]
    fn relations_keep_only_names() {
        let field = "libc6 (>= 2.38), awk | mawk:any [amd64], perl:any <!nocheck>,\n debconf | debconf-2.0,";
        let expected = [vec!["libc6"], vec!["awk", "mawk"], vec!["perl"], vec!["debconf", "debconf-2.0"]];
        assert_eq!(relations(field), expected);
        assert!(relations("").is_empty());
    }
}
