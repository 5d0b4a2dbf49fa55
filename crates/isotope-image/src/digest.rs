//! Several digests of one stream in one pass, and the files that carry them (`NAME.sha256`, as coreutils write them).

use crate::output::{self, OutputError};
use isotope_plan::Checksum;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A digest of an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// By which algorithm.
    pub algorithm: Checksum,
    /// In lower case hexadecimal.
    pub hex: String,
}

/// The name of an algorithm, which is also the ending of its files.
#[must_use]
pub const fn name(algorithm: Checksum) -> &'static str {
    match algorithm {
        Checksum::Sha256 => "sha256",
        Checksum::Sha512 => "sha512",
        Checksum::Md5 => "md5",
    }
}

#[derive(Debug, Clone)]
enum State {
    Sha256(Box<Sha256>),
    Sha512(Box<Sha512>),
    Md5(Box<Md5>),
}

/// Digests in the making.
#[derive(Debug, Clone)]
pub struct Hasher {
    states: Vec<State>,
}

impl Hasher {
    /// Begins these digests; repeated ones count once.
    #[must_use]
    pub fn new(algorithms: &[Checksum]) -> Self {
        let mut sorted = algorithms.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let begin = |algorithm: &Checksum| match algorithm {
            Checksum::Sha256 => State::Sha256(Box::default()),
            Checksum::Sha512 => State::Sha512(Box::default()),
            Checksum::Md5 => State::Md5(Box::default()),
        };
        Self { states: sorted.iter().map(begin).collect() }
    }

    /// Whether there is nothing to compute.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Takes the next bytes; large buffers are hashed by one thread an algorithm.
    pub fn update(&mut self, data: &[u8]) {
        const LARGE: usize = 256 << 10;
        if data.len() < LARGE || self.states.len() < 2 {
            self.states.iter_mut().for_each(|state| state.update(data));
            return;
        }
        std::thread::scope(|scope| {
            for state in &mut self.states {
                scope.spawn(|| state.update(data));
            }
        });
    }

    /// Takes `count` zero bytes.
    pub fn update_zeros(&mut self, mut count: u64) {
        static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
        while count > 0 {
            let part = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
            self.update(&ZEROS[..part]);
            count -= part as u64;
        }
    }

    /// Ends them.
    #[must_use]
    pub fn finish(self) -> Vec<Digest> {
        self.states.into_iter().map(State::finish).collect()
    }
}

impl State {
    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(data),
            Self::Sha512(state) => state.update(data),
            Self::Md5(state) => state.update(data),
        }
    }

    fn finish(self) -> Digest {
        match self {
            Self::Sha256(state) => Digest { algorithm: Checksum::Sha256, hex: hex(&state.finalize()) },
            Self::Sha512(state) => Digest { algorithm: Checksum::Sha512, hex: hex(&state.finalize()) },
            Self::Md5(state) => Digest { algorithm: Checksum::Md5, hex: hex(&state.finalize()) },
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Digests of a whole file.
///
/// # Errors
/// It cannot be read.
pub fn of_file(file: &File, algorithms: &[Checksum]) -> io::Result<Vec<Digest>> {
    let mut hasher = Hasher::new(algorithms);
    if hasher.is_empty() {
        return Ok(Vec::new());
    }
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    loop {
        match file.read_at(&mut buffer, offset) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether the files that [`write_beside`] would write are there.
#[must_use]
pub fn are_beside(path: &Path, digests: &[Digest]) -> bool {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    digests.iter().all(|digest| {
        let beside = path.with_file_name(format!("{file_name}.{}", name(digest.algorithm)));
        std::fs::read(beside).is_ok_and(|text| text == line(digest, &file_name).as_bytes())
    })
}

/// A line that `sha256sum -c` and its like read.
fn line(digest: &Digest, file_name: &str) -> String {
    format!("{}  {file_name}\n", digest.hex)
}

/// Writes `PATH.ALGORITHM` beside an output for each digest, so that `sha256sum -c` in that directory checks it.
///
/// # Errors
/// A file cannot be written.
pub fn write_beside(path: &Path, digests: &[Digest]) -> Result<Vec<PathBuf>, OutputError> {
    let file_name = path.file_name().ok_or_else(|| OutputError::NoName(path.to_owned()))?.to_string_lossy();
    let mut written = Vec::new();
    for digest in digests {
        let beside = path.with_file_name(format!("{file_name}.{}", name(digest.algorithm)));
        output::write_file(&beside, line(digest, &file_name).as_bytes())?;
        written.push(beside);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use isotope_sys::command::Tool;

    const ALL: [Checksum; 3] = [Checksum::Sha256, Checksum::Sha512, Checksum::Md5];

    #[test]
    fn coreutils_agree() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a file.img");
        let data: Vec<u8> = (0..3_000_017_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::write(&path, &data).unwrap();
        let digests = of_file(&File::open(&path).unwrap(), &ALL).unwrap();
        for (written, tool) in write_beside(&path, &digests).unwrap().iter().zip(["sha256sum", "sha512sum", "md5sum"]) {
            Tool::new(tool).args(["--strict", "-c"]).arg(written).current_dir(dir.path()).run().unwrap();
        }
        let mut hasher = Hasher::new(&ALL);
        data.chunks(70_000).for_each(|part| hasher.update(part));
        assert_eq!(hasher.finish(), digests);
    }

    #[test]
    fn zeros_count() {
        let (mut a, mut b) = (Hasher::new(&ALL), Hasher::new(&ALL));
        a.update_zeros((3 << 20) + 5);
        b.update(&vec![0; (3 << 20) + 5]);
        assert_eq!(a.finish(), b.finish());
    }
}
