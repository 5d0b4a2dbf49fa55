//! The outer format of a .deb: an `ar` archive with short names, as deb(5) describes it.
//!
//! In: a file. Out: the name, offset and size of each member. Must not know what the members mean.

use std::io::{self, Read, Seek, SeekFrom};

/// What an archive begins with.
pub const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, without padding and closing slash.
    pub name: String,
    /// Where its content begins.
    pub offset: u64,
    /// Length of its content.
    pub size: u64,
}

/// Why a file is not an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArError {
    /// The file cannot be read.
    #[error("cannot read it")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it does not begin with `!<arch>`")]
    Magic,
    /// A header is damaged.
    #[error("the member header at byte {0} is damaged")]
    Header(u64),
    /// It ends too early.
    #[error("member `{name}` ends at byte {end}, but the file has only {length}")]
    Truncated {
        /// The member.
        name: String,
        /// Where it should end.
        end: u64,
        /// Length of the file.
        length: u64,
    },
}

/// Lists the members.
///
/// # Errors
/// Not an archive, damaged, or truncated.
pub fn members(file: &mut (impl Read + Seek)) -> Result<Vec<Member>, ArError> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut magic = [0; MAGIC.len()];
    if length < MAGIC.len() as u64 {
        return Err(ArError::Magic);
    }
    file.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(ArError::Magic);
    }
    let mut found = Vec::new();
    let mut at = MAGIC.len() as u64;
    while at < length {
        if length - at < HEADER as u64 {
            return Err(ArError::Header(at));
        }
        let mut header = [0; HEADER];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut header)?;
        let member = parse_header(&header, at).ok_or(ArError::Header(at))?;
        let end = member.offset.checked_add(member.size).ok_or(ArError::Header(at))?;
        if end > length {
            return Err(ArError::Truncated { name: member.name, end, length });
        }
        at = end + (end & 1);
        found.push(member);
    }
    Ok(found)
}

/// The header of a member with a name of at most 16 bytes.
#[must_use]
pub fn header(name: &str, size: u64) -> Vec<u8> {
    format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644).into_bytes()
}

fn parse_header(header: &[u8; HEADER], at: u64) -> Option<Member> {
    if header[58..] != *b"`\n" {
        return None;
    }
    let name = std::str::from_utf8(&header[..16]).ok()?.trim_end().trim_end_matches('/');
    let size = std::str::from_utf8(&header[48..58]).ok()?.trim_end().parse().ok()?;
    Some(Member { name: name.to_owned(), offset: at + HEADER as u64, size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for (name, data) in members {
            out.extend(header(name, data.len() as u64));
            out.extend(*data);
            if data.len() % 2 == 1 {
                out.push(b'\n');
            }
        }
        out
    }

    #[test]
    fn odd_members_are_padded() {
        let bytes = archive(&[("debian-binary", b"2.0\n"), ("odd/", b"abc"), ("last", b"x")]);
        let found = members(&mut Cursor::new(&bytes)).unwrap();
        let names: Vec<_> = found.iter().map(|m| (m.name.as_str(), m.size)).collect();
        assert_eq!(names, [("debian-binary", 4), ("odd", 3), ("last", 1)]);
        let last = &found[2];
        assert_eq!(bytes[usize::try_from(last.offset).unwrap()], b'x');
    }

    #[test]
    fn a_truncated_archive_says_where() {
        let bytes = archive(&[("debian-binary", b"2.0\n"), ("data.tar", &[7; 100])]);
        let error = members(&mut Cursor::new(&bytes[..bytes.len() - 1])).unwrap_err();
        assert_eq!(error.to_string(), "member `data.tar` ends at byte 232, but the file has only 231");
        assert!(matches!(members(&mut Cursor::new(b"<html>404")), Err(ArError::Magic)));
        assert!(matches!(members(&mut Cursor::new(b"!<a")), Err(ArError::Magic)));
        assert!(matches!(members(&mut Cursor::new(&bytes[..80])), Err(ArError::Header(_))));
    }
}
