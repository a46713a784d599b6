//! A file that is counted and digested while it is written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::error::FormatError;
use crate::id::{Digest, Hasher};

/// Writes into a new file; what passes by is counted and taken into a digest.
pub(in crate::publish) struct Sink {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Hasher,
    bytes: u64,
}

impl Sink {
    pub(in crate::publish) fn create(path: &Path) -> Result<Self, FormatError> {
        match File::create(path) {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file: BufWriter::with_capacity(1 << 16, file),
                hasher: Hasher::default(),
                bytes: 0,
            }),
            Err(source) => Err(FormatError::Create { path: path.to_owned(), source }),
        }
    }

    pub(in crate::publish) fn failed(&self, source: io::Error) -> FormatError {
        FormatError::Write { path: self.path.clone(), source }
    }

    /// Hands everything to the system; says how many bytes were written, and their digest.
    pub(in crate::publish) fn finish(mut self) -> Result<(u64, Digest), FormatError> {
        match self.file.flush() {
            Ok(()) => Ok((self.bytes, self.hasher.finish())),
            Err(source) => Err(self.failed(source)),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
