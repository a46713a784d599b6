//! What can go wrong with a source as a whole. A single bad row is a [`Reject`](super::Reject), not an error.

use crate::diagnostic;
use crate::id::TableName;

/// What a [`ChunkSink`](super::ChunkSink) may fail with.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Why the rows of a table cannot be made from its source.
#[derive(Debug, thiserror::Error)]
pub enum NormaliseError {
    /// A part that the reader needs is not in the snapshot.
    #[error(
        "table `{table}`: the snapshot has no part `{part}`; it has {known}: name the right part in the table's reader"
    )]
    MissingPart {
        /// The table.
        table: TableName,
        /// The part that was looked for.
        part: String,
        /// Parts that are there, in words.
        known: String,
    },
    /// Bytes of a part could not be read.
    #[error("table `{table}`: part `{part}` cannot be read from byte {offset} on")]
    Read {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// Bytes read before.
        offset: u64,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A packed part cannot be unpacked.
    #[error("table `{table}`: part `{part}` cannot be unpacked: check that the download is whole")]
    Packed {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A part is not the kind of file that its reader reads.
    #[error("table `{table}`: part `{part}` is no {expected} that can be read, {found}")]
    WrongKind {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// What it should be, in words.
        expected: &'static str,
        /// What it is, or what to do, in words.
        found: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The rows are not where the pipeline says.
    #[error("table `{table}`: part `{part}` has no list of rows at `{path}`; {known}")]
    NoRows {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// Where rows were looked for.
        path: String,
        /// What is there, in words.
        known: String,
    },
    /// The shapes are in another coordinate system than they would be read in.
    #[error("table `{table}`: part `{part}` declares the coordinate system `{declared}`, {what_to_do}")]
    OtherCrs {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// The system as it is declared.
        declared: String,
        /// What to do, in words.
        what_to_do: String,
    },
    /// A CSV has no header record where it is declared.
    #[error(
        "table `{table}`: part `{part}` has no header, its record {header_row} is missing: \
         check that the download is not empty, and `header_row`"
    )]
    NoHeader {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// Where the header is declared.
        header_row: u64,
    },
    /// The header is not text in the declared encoding.
    #[error(
        "table `{table}`: the header of part `{part}`, line {line}, is not UTF-8: \
         declare the encoding that the file has, `windows-1252` perhaps"
    )]
    HeaderEncoding {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// Line of the header.
        line: u64,
    },
    /// A name that several source columns bear is asked for.
    #[error(
        "table `{table}`: part `{part}` has {count} columns `{column}`: say which one is meant, \
         `{}` for the first, `{}` for the second", numbered[0], numbered[1]
    )]
    RepeatedColumn {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// The name.
        column: String,
        /// How many columns bear it.
        count: usize,
        /// What the first two of them are called.
        numbered: Box<[String; 2]>,
    },
    /// A source column without which no row can be judged is not there.
    #[error("table `{table}`: part `{part}` has no column `{column}`, which {needed_for}; {suggestion}")]
    MissingColumn {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// The column that was looked for.
        column: String,
        /// What it is needed for, in words.
        needed_for: &'static str,
        /// Names that the source has.
        known: Box<[String]>,
        /// What to do, with the nearest name when one is near.
        suggestion: Box<str>,
    },
    /// A quote in the header does not close the cell that it opens.
    #[error(
        "table `{table}`: in the header of part `{part}`, line {line}, a quote opens a cell and none closes it before a \
         delimiter: mend it there, or check `quote` and `header_row`"
    )]
    HeaderQuote {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// Line where the quote opens.
        line: u64,
    },
    /// One record is longer than any sound one.
    #[error(
        "table `{table}`: the record that starts at line {line} of part `{part}` is longer than {limit} bytes: \
         look for a quote that is never closed, and check `delimiter` and `quote`"
    )]
    LongRecord {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// Where the record starts.
        line: u64,
        /// Most bytes of a record.
        limit: usize,
    },
    /// A part is not the JSON that it should be.
    #[error(
        "table `{table}`: part `{part}` is not readable JSON, line {line}, column {column}: \
         open the address in a browser; a page of the wiki or a PHP warning in its place is the usual cause"
    )]
    Json {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The form's definition does not describe the form that was asked for.
    #[error(
        "table `{table}`: part `{part}` does not define the form `{form}`, {found}: check `form_id` and the address of the form"
    )]
    WrongForm {
        /// The table.
        table: TableName,
        /// The part.
        part: String,
        /// The form that was asked for.
        form: String,
        /// What is there, in words.
        found: String,
    },
    /// A sample has the rows that it wants: no fault, and never seen outside of this room.
    #[error("enough rows were read")]
    Enough,
    /// Whoever takes the rows could not.
    #[error("table `{table}`: normalised rows could not be handed on")]
    Sink {
        /// The table.
        table: TableName,
        /// The cause.
        #[source]
        source: SinkError,
    },
    /// A batch could not be put together: a fault of ours.
    #[error("table `{table}`: a batch of rows does not fit its own schema; please report this")]
    Batch {
        /// The table.
        table: TableName,
        /// The cause.
        #[source]
        source: arrow::error::ArrowError,
    },
    /// Rows went missing: a fault of ours.
    #[error("table `{table}`: {read} rows were read, but {kept} kept and {rejected} rejected; please report this")]
    Count {
        /// The table.
        table: TableName,
        /// Rows read.
        read: u64,
        /// Rows kept.
        kept: u64,
        /// Rows rejected.
        rejected: u64,
    },
}

impl NormaliseError {
    /// Says which file a part without a name is: that of a source that has one only.
    #[must_use]
    pub fn of_file(mut self, file: &str) -> Self {
        match &mut self {
            Self::MissingPart { part, .. }
            | Self::Read { part, .. }
            | Self::Packed { part, .. }
            | Self::WrongKind { part, .. }
            | Self::NoRows { part, .. }
            | Self::OtherCrs { part, .. }
            | Self::NoHeader { part, .. }
            | Self::HeaderEncoding { part, .. }
            | Self::RepeatedColumn { part, .. }
            | Self::MissingColumn { part, .. }
            | Self::HeaderQuote { part, .. }
            | Self::LongRecord { part, .. }
            | Self::Json { part, .. }
            | Self::WrongForm { part, .. }
                // A member of a ZIP has a name of its own behind it.
                if part.is_empty() || part.starts_with('!') =>
            {
                part.insert_str(0, file);
            }
            _ => {}
        }
        self
    }

    /// A missing source column, with the nearest of the names that are there.
    pub(super) fn missing_column(
        table: &TableName,
        part: &str,
        wanted: &[String],
        needed_for: &'static str,
        known: &[String],
    ) -> Self {
        let first = wanted.first().map_or("", String::as_str);
        let near = wanted.iter().find_map(|name| diagnostic::nearest(name, known.iter().map(String::as_str)));
        let suggestion = if let Some(near) = near {
            format!("did you mean `{near}`?")
        } else {
            let names: Vec<&str> = known.iter().map(String::as_str).filter(|name| is_name(name)).take(30).collect();
            let others = known.len().min(30) - names.len().min(known.len());
            let first = if others == 0 { "" } else { " and columns that bear no names: is the header line missing?" };
            format!("it has {}{first}", diagnostic::quoted(&names))
        };
        Self::MissingColumn {
            table: table.clone(),
            part: part.to_owned(),
            column: first.to_owned(),
            needed_for,
            known: known.into(),
            suggestion: suggestion.into(),
        }
    }
}

/// Whether a text is the name of a column rather than a cell of a file that lost its header: errors are read by more
/// people than the cells are meant for.
fn is_name(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    !text.contains('@') && digits < 5 && text.chars().count() <= 60
}
