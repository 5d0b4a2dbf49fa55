//! Debian's control files: paragraphs of fields (deb822), relations between packages.
//!
//! Pure text in, values out.

use super::version;
use std::cmp::Ordering;
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

/// One alternative of a relation: `libc6:any (>= 2.38) [amd64] <!nocheck>`, without architecture and build profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation<'a> {
    /// The package, or what it provides.
    pub name: &'a str,
    /// `<<`, `<=`, `=`, `>=` or `>>`, and a version.
    pub constraint: Option<(&'a str, &'a str)>,
}

impl Relation<'_> {
    /// Whether something of this name and version meets it.
    #[must_use]
    pub fn is_met_by(&self, version: Option<&str>) -> bool {
        let Some((operator, wanted)) = self.constraint else { return true };
        let Some(version) = version else { return false };
        let order = version::compare(version, wanted);
        match operator {
            "<<" => order == Ordering::Less,
            "<=" | "<" => order != Ordering::Greater,
            "=" => order == Ordering::Equal,
            ">>" => order == Ordering::Greater,
            _ => order != Ordering::Less,
        }
    }
}

/// The relations of a field: for each comma-separated group its alternatives.
#[must_use]
pub fn relations(field: &str) -> Vec<Vec<Relation<'_>>> {
    field
        .split(',')
        .map(|group| group.split('|').filter_map(relation).collect::<Vec<_>>())
        .filter(|group| !group.is_empty())
        .collect()
}

fn relation(text: &str) -> Option<Relation<'_>> {
    let text = text.trim();
    let end = text.find(|c: char| c.is_whitespace() || "([<:".contains(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let inside = rest.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inside, _)| inside.trim());
    let constraint = inside.map(|inside| {
        let (operator, version) = inside.split_at(inside.find(|c| !"<=>".contains(c)).unwrap_or(inside.len()));
        (operator, version.trim())
    });
    (!name.is_empty()).then_some(Relation { name, constraint })
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
    fn relations_have_names_and_versions() {
        let field = "libc6 (>= 2.38), awk | mawk:any [amd64], perl:any <!nocheck>,\n debconf (<<2) | debconf-2.0,";
        let found = relations(field);
        let names: Vec<Vec<_>> = found.iter().map(|group| group.iter().map(|one| one.name).collect()).collect();
        assert_eq!(names, [vec!["libc6"], vec!["awk", "mawk"], vec!["perl"], vec!["debconf", "debconf-2.0"]]);
        assert_eq!((found[0][0].constraint, found[3][0].constraint), (Some((">=", "2.38")), Some(("<<", "2"))));
        assert!(relations("").is_empty());
    }

    #[test]
    fn constraints_are_met_or_not() {
        let met = |field: &str, version| relations(field)[0][0].is_met_by(version);
        assert!(
            met("a", None)
                && met("a (>= 1)", Some("1"))
                && met("a (= 1-1)", Some("1-1"))
                && met("a (<< 2~)", Some("1.9"))
        );
        assert!(
            !met("a (>= 1)", None)
                && !met("a (>> 1)", Some("1"))
                && !met("a (<< 2~)", Some("2"))
                && !met("a (<= 1)", Some("1.1"))
        );
    }
}
