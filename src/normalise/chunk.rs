//! What comes out: batches of rows, and lists of everything that did not go straight in.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::error::SinkError;
use super::shape::ColumnShape;

/// Rows of one batch.
pub const BATCH_ROWS: usize = 8192;

/// A row kept out of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Number of the row in the source, from 1, over all parts.
    pub row: u64,
    /// Line at which it starts, where the source has lines.
    pub line: Option<u64>,
    /// Stable code: one of [`reject`](super::reject), or the reason of a declared rule.
    pub reason: String,
    /// Column that decided: of the contract, or of the source where a declared rule looks at it.
    pub column: Option<String>,
    /// What happened, in a sentence. May quote cells: for the private store only.
    pub detail: String,
    /// Source columns and cells, as they were read; empty when the row was dropped after its batch had left.
    pub raw: Vec<(String, String)>,
}

/// A cell that does not fit its contract: null in the batch, status `unknown`.
///
/// Of a multi-choice cell only the items that fit no option are listed; its other options stay, and so does its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitCell {
    /// Number of the row in the source.
    pub row: u64,
    /// Line at which it starts, where the source has lines.
    pub line: Option<u64>,
    /// The row's primary key, as text.
    pub key: String,
    /// Column of the contract.
    pub column: String,
    /// What the source has.
    pub value: String,
    /// Stable code of the reason.
    pub reason: String,
}

/// A cell that was mended by a known rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Number of the row in the source.
    pub row: u64,
    /// Line at which it starts, where the source has lines.
    pub line: Option<u64>,
    /// The row's primary key, as text.
    pub key: String,
    /// Column of the contract.
    pub column: String,
    /// What the source has.
    pub before: String,
    /// Stable code of the rule.
    pub rule: String,
    /// What the table has.
    pub after: String,
}

/// Something that a person should know about a part of a source, such as a doubt about its encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The part.
    pub part: String,
    /// Stable code.
    pub code: String,
    /// In a sentence.
    pub detail: String,
}

/// Rows that were normalised, and what was found on the way.
///
/// A batch has [`BATCH_ROWS`] rows; it has fewer when it is the last one or holds very long texts, and none when only
/// the lists had grown long. The lists name rows of this chunk or of earlier ones.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Rows, with the schema of [`staged_schema`](super::staged_schema).
    pub batch: RecordBatch,
    /// Lines at which its rows start; 0 where the source has none.
    pub lines: Vec<u64>,
    /// Rows kept out.
    pub rejects: Vec<Reject>,
    /// Cells that do not fit.
    pub unfit: Vec<UnfitCell>,
    /// Cells that were mended.
    pub corrections: Vec<Correction>,
}

/// Takes chunks in, in order.
pub trait ChunkSink {
    /// Takes one in; an error ends the run.
    fn take(&mut self, chunk: Chunk) -> Result<(), SinkError>;
}

/// What became of a source's rows. `read` is always `kept + rejected`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows that the source has.
    pub read: u64,
    /// Rows that the table has, once [`Summary::duplicates`] are taken out of the batches.
    pub kept: u64,
    /// Rows kept out.
    pub rejected: u64,
    /// Rows kept out, by reason.
    pub by_reason: BTreeMap<String, u64>,
    /// Entries of the lists of unfit cells.
    pub unfit: u64,
    /// Entries of the lists of corrections.
    pub corrections: u64,
    /// Declared source columns that a part does not have; their cells are `not_shown`.
    pub columns_missing: Vec<String>,
    /// Numbers (`__row`) of rows that are in a batch but lost against a later row with the same key, ascending. Their
    /// rejects are in the last chunk.
    pub duplicates: Vec<u64>,
    /// Members of the source that are no rows, such as messages of the server among the entries.
    pub ignored: u64,
    /// What a person should know about the parts.
    pub remarks: Vec<Remark>,
    /// Columns that the source has, in the order in which they were met.
    pub source_columns: Vec<String>,
    /// What the cells of each column were like, in the order of the contract.
    pub shapes: Vec<ColumnShape>,
}
