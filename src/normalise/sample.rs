//! The first rows of a source, as they were read and as they are typed.

use super::assemble::Assembler;
use super::chunk::{Chunk, ChunkSink, Remark, Summary};
use super::derive::Derive;
use super::error::{NormaliseError, SinkError};
use super::explode::Exploded;
use super::reject;
use super::row::{Header, RawRow, Rows};
use super::{Normaliser, Part, read, unpack};

/// A row as it was read, derived columns included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawSample {
    /// Its number in the source.
    pub row: u64,
    /// Source columns and their cells.
    pub cells: Vec<(String, String)>,
}

/// The first rows of a source.
#[derive(Debug)]
pub struct Sample {
    /// As they were read.
    pub raw: Vec<RawSample>,
    /// As they are typed, with rejects and lists.
    pub chunks: Vec<Chunk>,
    /// What became of them.
    pub summary: Summary,
}

#[derive(Default)]
struct Kept(Vec<Chunk>);

impl ChunkSink for Kept {
    fn take(&mut self, chunk: Chunk) -> Result<(), SinkError> {
        self.0.push(chunk);
        Ok(())
    }
}

/// Keeps rows as they go through, and stops the reading when it has enough.
struct Sampler<'r, 'a> {
    rows: &'r mut Assembler<'a>,
    header: Header,
    raw: Vec<RawSample>,
    most: usize,
}

impl Sampler<'_, '_> {
    fn keep(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        if self.raw.len() >= self.most {
            return Err(NormaliseError::Enough);
        }
        let kept = reject::reject(row, &self.header, "", String::new(), None);
        self.raw.push(RawSample { row: kept.row, cells: kept.raw });
        Ok(())
    }
}

impl Rows for Sampler<'_, '_> {
    fn header(&mut self, header: Header) -> Result<(), NormaliseError> {
        self.header = header.clone();
        self.rows.header(header)
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        self.keep(row)?;
        self.rows.row(row)
    }

    fn refuse(&mut self, row: &RawRow<'_>, reason: &str, detail: String) -> Result<(), NormaliseError> {
        self.keep(row)?;
        self.rows.refuse(row, reason, detail)
    }

    fn remark(&mut self, remark: Remark) {
        self.rows.remark(remark);
    }

    fn ignore(&mut self, members: u64) {
        self.rows.ignore(members);
    }
}

impl Normaliser {
    /// Reads the first `most` rows and no further.
    pub fn sample(&self, parts: Vec<Part>, most: usize) -> Result<Sample, NormaliseError> {
        let table = &self.table;
        let mut kept = Kept::default();
        let mut rows = Assembler::new(table, &self.key, None, &mut kept);
        let parts = unpack::choose(parts, table.parts.as_deref(), &table.name)?;
        let header = Header::new("", Vec::new(), false);
        let mut sampler = Sampler { rows: &mut rows, header, raw: Vec::new(), most };
        let mut derived = Derive::new(table, &mut sampler);
        let outcome = match &table.explode {
            Some(explode) => {
                let mut exploded = Exploded::new(table, explode, &mut derived);
                read(&table.reader, table.members.as_deref(), &table.name, parts, &mut exploded)
            }
            None => read(&table.reader, table.members.as_deref(), &table.name, parts, &mut derived),
        };
        let raw = sampler.raw;
        match outcome {
            Ok(()) | Err(NormaliseError::Enough) => {}
            Err(error) => return Err(error),
        }
        let summary = rows.finish()?;
        Ok(Sample { raw, chunks: kept.0, summary })
    }
}
