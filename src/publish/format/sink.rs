//! A file that is counted and digested while it is written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha512};

use super::error::FormatError;
use crate::id::{Digest, Hasher};

/// What is known of a file once it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::publish) struct Sums {
    pub(in crate::publish) bytes: u64,
    pub(in crate::publish) digest: Digest,
    /// SHA-512, hexadecimal, which the catalogue tells.
    pub(in crate::publish) sha512: String,
}

/// Writes into a new file; what passes by is counted and taken into digests.
pub(in crate::publish) struct Sink {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Hasher,
    sha512: Sha512,
    bytes: u64,
}

impl Sink {
    pub(in crate::publish) fn create(path: &Path) -> Result<Self, FormatError> {
        match File::create(path) {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file: BufWriter::with_capacity(1 << 16, file),
                hasher: Hasher::default(),
                sha512: Sha512::new(),
                bytes: 0,
            }),
            Err(source) => Err(FormatError::Create { path: path.to_owned(), source }),
        }
    }

    pub(in crate::publish) fn failed(&self, source: io::Error) -> FormatError {
        FormatError::Write { path: self.path.clone(), source }
    }

    /// Hands everything to the system; tells what was written.
    pub(in crate::publish) fn finish(mut self) -> Result<Sums, FormatError> {
        match self.file.flush() {
            Ok(()) => {
                let (digest, sha512) = (self.hasher.finish(), hex::encode(self.sha512.finalize()));
                Ok(Sums { bytes: self.bytes, digest, sha512 })
            }
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
        self.sha512.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
