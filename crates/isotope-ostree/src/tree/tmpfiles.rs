//! Lines of tmpfiles.d(5): how the content of /var, which commits do not carry, comes to be at boot.

use std::collections::BTreeSet;

/// What a line makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Makes {
    /// A directory.
    Dir(Owned),
    /// An empty file.
    Empty(Owned),
    /// A symbolic link with this content.
    Link(String),
    /// A copy of this file.
    Copy(Owned, String),
}

/// Mode and owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owned {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Absolute.
    pub path: String,
    pub makes: Makes,
}

impl Line {
    /// Its text, without the end of the line.
    pub(super) fn text(&self) -> String {
        let path = escape(&self.path);
        match &self.makes {
            Makes::Dir(Owned { mode, uid, gid }) => format!("d {path} {mode:04o} {uid} {gid} -"),
            Makes::Empty(Owned { mode, uid, gid }) => format!("f {path} {mode:04o} {uid} {gid} -"),
            Makes::Link(content) => format!("L {path} - - - - {}", content.replace('%', "%%")),
            Makes::Copy(Owned { mode, uid, gid }, from) => {
                format!("C {path} {mode:04o} {uid} {gid} - {}", from.replace('%', "%%"))
            }
        }
    }

    /// Reads a line that [`Line::text`] wrote; anything else is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(7, ' ');
        let (kind, path) = (words.next()?, unescape(words.next()?)?);
        let owned = |mode: &str, uid: &str, gid: &str| {
            Some(Owned { mode: u32::from_str_radix(mode, 8).ok()?, uid: uid.parse().ok()?, gid: gid.parse().ok()? })
        };
        let (mode, uid, gid) = (words.next()?, words.next()?, words.next()?);
        let _age = words.next()?;
        let argument = words.next().map(|argument| argument.replace("%%", "%"));
        let makes = match kind {
            "d" => Makes::Dir(owned(mode, uid, gid)?),
            "f" => Makes::Empty(owned(mode, uid, gid)?),
            "L" => Makes::Link(argument?),
            "C" => Makes::Copy(owned(mode, uid, gid)?, argument?),
            _ => return None,
        };
        Some(Self { path, makes })
    }
}

/// A path as one word: C escapes, and `%` is a specifier's beginning.
fn escape(path: &str) -> String {
    let mut out = String::new();
    for char in path.chars() {
        match char {
            '%' => out.push_str("%%"),
            '\\' => out.push_str("\\\\"),
            '"' | '\'' => {
                out.push('\\');
                out.push(char);
            }
            char if char.is_ascii_whitespace() || char.is_ascii_control() => {
                out.push_str(&format!("\\x{:02x}", u32::from(char)));
            }
            char => out.push(char),
        }
    }
    out
}

fn unescape(word: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = word.chars();
    while let Some(char) = chars.next() {
        match char {
            '%' => {
                chars.next().filter(|next| *next == '%')?;
                out.push('%');
            }
            '\\' => match chars.next()? {
                'x' => {
                    let digits: String = chars.by_ref().take(2).collect();
                    out.push(char::from(u8::from_str_radix(&digits, 16).ok()?));
                }
                other => out.push(other),
            },
            char => out.push(char),
        }
    }
    Some(out)
}

/// The paths that the lines of a tmpfiles.d file make.
pub(super) fn made_by(text: &str) -> BTreeSet<String> {
    let made = |line: &str| {
        let mut words = line.split_whitespace();
        let kind = words.next()?.trim_end_matches(['+', '!', '-', '=', '~', '^', '$', '?']);
        let path = words.next()?;
        let makes = ["f", "F", "w", "d", "D", "v", "q", "Q", "p", "L", "C"].contains(&kind) && kind != "w";
        // A line for other paths, or one that depends on the machine, makes nothing that we could rely on.
        let plain = path.starts_with('/') && !path.contains(['%', '\\', '"', '\'', '*', '?', '[']);
        (makes && plain).then(|| if path == "/" { path } else { path.trim_end_matches('/') }.to_owned())
    };
    text.lines().filter_map(made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let owned = Owned { mode: 0o2755, uid: 0, gid: 8 };
        for (line, text) in [
            (Line { path: "/var/mail".into(), makes: Makes::Dir(owned) }, "d /var/mail 2755 0 8 -"),
            (Line { path: "/var/log/wtmp".into(), makes: Makes::Empty(owned) }, "f /var/log/wtmp 2755 0 8 -"),
            (Line { path: "/var/run".into(), makes: Makes::Link("/run x%".into()) }, "L /var/run - - - - /run x%%"),
            (
                Line { path: "/var/a b%\\'".into(), makes: Makes::Copy(owned, "/usr/share/factory/var/a b".into()) },
                "C /var/a\\x20b%%\\\\\\' 2755 0 8 - /usr/share/factory/var/a b",
            ),
        ] {
            assert_eq!(line.text(), text);
            assert_eq!(Line::parse(text), Some(line));
        }
        for wrong in ["", "# x", "r! /tmp/x", "d /x", "z /x 0644 root root -"] {
            assert_eq!(Line::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_other_files_make_is_known() {
        let text = "# c\nd /var/log 0755 - - -\nq! /var/tmp/ 1777 root root 30d\nz /var/x 0644\nd /var/%m 0755\nL+ /var/run - - - - ../run\nx /var/y\n";
        assert_eq!(made_by(text).into_iter().collect::<Vec<_>>(), ["/var/log", "/var/run", "/var/tmp"]);
    }
}
