//! Telling the rows of a record in published tables, and writing the tables without them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array as _, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::contract::{Column, Contract, Geometry, Kind, Visibility};
use crate::diagnostic::SourceFile;
use crate::id::{Digest, Hasher, InvalidId};
use crate::publish::error::PublishError;
use crate::publish::format::{FormatOptions, cell_text, write_table};
use crate::release::{Manifest, TableRecord};

/// The list of changes of a release.
pub(super) const CHANGES: &str = "changes.parquet";

/// What stands between the cells of a key in it.
const KEY_SEPARATOR: &str = "|";

/// Most words of a cell that are looked at one by one.
const WORDS: usize = 8;

/// Says whether a text is the one that is looked for.
pub type Test = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Columns of a published table that together tell a record.
#[derive(Clone)]
pub struct Group {
    /// The columns.
    pub columns: Vec<(String, Test)>,
    /// Other texts of the record, when a record of another table has the same key: its rows hold one of them, too.
    pub texts: Arc<BTreeSet<String>>,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.columns.iter().map(|(column, _)| column)).finish()
    }
}

/// What tells the rows of a record in a dataset's releases.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    /// By table; a row is the record's when all columns of one of the groups say so.
    pub tables: BTreeMap<String, Vec<Group>>,
    /// For tables that the project does not have any more: groups whose columns are in the table's key.
    pub others: Vec<Group>,
    /// Columns of longitude and latitude, by table.
    pub points: BTreeMap<String, (String, String)>,
}

impl Traces {
    /// The groups of a released table that its columns are enough for.
    pub(super) fn of(&self, table: &TableRecord) -> Vec<Group> {
        let has =
            |group: &&Group, names: &[&str]| group.columns.iter().all(|(column, _)| names.contains(&column.as_str()));
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let key: Vec<&str> = table.key.iter().map(String::as_str).collect();
        match self.tables.get(&table.name) {
            Some(groups) => groups.iter().filter(|group| has(group, &columns)).cloned().collect(),
            None => self.others.iter().filter(|group| has(group, &key)).cloned().collect(),
        }
    }
}

/// A file of a release that held the record.
#[derive(Debug, Clone)]
pub(super) struct Rewritten {
    pub(super) path: String,
    /// The file without the record; none when the file goes.
    pub(super) local: Option<PathBuf>,
    pub(super) bytes: u64,
    pub(super) digest: Digest,
    pub(super) rows: u64,
    /// Empty cells by column.
    pub(super) empty: BTreeMap<String, u64>,
}

impl Rewritten {
    pub(super) fn dropped(path: &str) -> Self {
        Self { path: path.to_owned(), local: None, bytes: 0, digest: Digest::of(b""), rows: 0, empty: BTreeMap::new() }
    }
}

fn failed(path: &Path) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> PublishError + '_ {
    |source| PublishError::Rewrite { path: path.file_name().unwrap_or_default().to_string_lossy().into(), source }
}

/// The published forms of a table without the rows of a record; none when it has no such row.
pub(super) fn without(
    parquet: &Path,
    table: &TableRecord,
    groups: &[Group],
    traces: &Traces,
    folder: &Path,
) -> Result<Vec<Rewritten>, PublishError> {
    let failed = failed(parquet);
    let (schema, geo) = schema_of(parquet).map_err(&failed)?;
    let mut held = false;
    for batch in batches(parquet).map_err(&failed)? {
        let keep = batch.and_then(|batch| keep(&batch, groups)).map_err(|error| failed(error.into()))?;
        held |= keep.true_count() < keep.len();
    }
    if !held {
        return Ok(Vec::new());
    }
    let contract = contract_of(table, &schema, geo, traces).map_err(|error| failed(error.into()))?;
    let promised = contract.public_schema();
    let mut empty: BTreeMap<String, u64> = BTreeMap::new();
    let mut kept = batches(parquet).map_err(&failed)?.map(|batch| {
        let batch = batch?;
        let rows = filter_record_batch(&batch, &keep(&batch, groups)?)?;
        let rows = conform(&rows, &promised)?;
        for (field, cells) in promised.fields().iter().zip(rows.columns()) {
            *empty.entry(field.name().clone()).or_default() += cells.null_count() as u64;
        }
        Ok(rows)
    });
    let written = write_table(folder, &contract, &mut kept, &FormatOptions::default());
    drop(kept);
    let written = written.map_err(|error| failed(error.into()))?;
    let rewritten = written.files.into_iter().map(|file| Rewritten {
        local: Some(folder.join(&file.path)),
        path: file.path,
        bytes: file.bytes,
        digest: file.digest,
        rows: file.rows,
        empty: empty.clone(),
    });
    Ok(rewritten.collect())
}

/// The keys of a table's rows that are those of a record, joined as the list of changes joins them.
pub(super) fn keys(parquet: &Path, table: &TableRecord, groups: &[Group]) -> Result<BTreeSet<String>, PublishError> {
    let failed = failed(parquet);
    let mut keys = BTreeSet::new();
    for batch in batches(parquet).map_err(&failed)? {
        let batch = batch.map_err(|error| failed(error.into()))?;
        let keep = keep(&batch, groups).map_err(|error| failed(error.into()))?;
        for row in (0..batch.num_rows()).filter(|row| !keep.value(*row)) {
            let cell =
                |name: &String| batch.column_by_name(name).and_then(|cells| cell_text(cells, row)).unwrap_or_default();
            keys.insert(table.key.iter().map(cell).collect::<Vec<_>>().join(KEY_SEPARATOR));
        }
    }
    Ok(keys)
}

/// The list of changes without those of a record; none when it has none of them. `gone` are tables and keys of rows that
/// are the record's, whatever their key says.
pub(super) fn changes_without(
    parquet: &Path,
    traces: &Traces,
    manifest: &Manifest,
    gone: &BTreeSet<(String, String)>,
    folder: &Path,
) -> Result<Option<Rewritten>, PublishError> {
    let failed = failed(parquet);
    let (schema, _) = schema_of(parquet).map_err(&failed)?;
    let groups: BTreeMap<String, Vec<Group>> =
        manifest.tables.iter().map(|table| (table.name.clone(), traces.of(table))).collect();
    let keep = |batch: &RecordBatch| -> Result<BooleanArray, ArrowError> {
        let (Some(tables), Some(keys)) = (batch.column_by_name("table"), batch.column_by_name("key")) else {
            return Ok(BooleanArray::from(vec![true; batch.num_rows()]));
        };
        let mut kept = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let about = (array_value_to_string(tables, row)?, array_value_to_string(keys, row)?);
            let groups = groups.get(&about.0).map_or(&[][..], Vec::as_slice);
            let tells = |group: &Group| group.columns.iter().all(|(_, test)| is_in_key(&about.1, test));
            kept.push(!gone.contains(&about) && !groups.iter().any(tells));
        }
        Ok(BooleanArray::from(kept))
    };
    let target = folder.join(CHANGES);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(9).map_err(|error| failed(error.into()))?))
        .set_created_by(FormatOptions::default().created_by)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let file = File::create(&target).map_err(|source| PublishError::Local { path: target.clone(), source })?;
    let mut writer = ArrowWriter::try_new_with_options(file, schema, options).map_err(|error| failed(error.into()))?;
    let (mut before, mut after) = (0, 0);
    for batch in batches(parquet).map_err(&failed)? {
        let batch = batch.map_err(|error| failed(error.into()))?;
        let rows = keep(&batch).and_then(|keep| filter_record_batch(&batch, &keep));
        let rows = rows.map_err(|error| failed(error.into()))?;
        (before, after) = (before + batch.num_rows(), after + rows.num_rows());
        writer.write(&rows).map_err(|error| failed(error.into()))?;
    }
    writer.close().map_err(|error| failed(error.into()))?;
    if before == after {
        return Ok(None);
    }
    let bytes = std::fs::read(&target).map_err(|source| PublishError::Local { path: target.clone(), source })?;
    let mut hasher = Hasher::default();
    hasher.update(&bytes);
    let (digest, path) = (hasher.finish(), CHANGES.to_owned());
    Ok(Some(Rewritten {
        path,
        local: Some(target),
        bytes: bytes.len() as u64,
        digest,
        rows: after as u64,
        empty: BTreeMap::new(),
    }))
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The schema of a Parquet file, and the column of its places.
fn schema_of(path: &Path) -> Result<(SchemaRef, Option<String>), Failure> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let entries = builder.metadata().file_metadata().key_value_metadata();
    let geo = entries.and_then(|entries| entries.iter().find(|entry| entry.key == "geo")?.value.clone());
    let geo: Option<serde_json::Value> = geo.and_then(|geo| serde_json::from_str(&geo).ok());
    let column = geo.and_then(|geo| Some(geo.get("primary_column")?.as_str()?.to_owned()));
    Ok((Arc::clone(builder.schema()), column))
}

fn batches(path: &Path) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>>, Failure> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    Ok(builder.with_batch_size(8192).build()?)
}

/// The rows that are not those of the record.
fn keep(batch: &RecordBatch, groups: &[Group]) -> Result<BooleanArray, ArrowError> {
    let mut kept = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut found = false;
        for group in groups {
            let mut all = !group.columns.is_empty();
            for (column, test) in &group.columns {
                let cells = batch.column_by_name(column).filter(|cells| cells.is_valid(row));
                let text = cells.map(|cells| array_value_to_string(cells, row)).transpose()?;
                all &= text.is_some_and(|text| names(&text, test));
            }
            found |= all && (group.texts.is_empty() || says(batch, row, &group.texts)?);
        }
        kept.push(!found);
    }
    Ok(BooleanArray::from(kept))
}

/// Whether a row holds one of some texts.
fn says(batch: &RecordBatch, row: usize, texts: &BTreeSet<String>) -> Result<bool, ArrowError> {
    for cells in batch.columns().iter().filter(|cells| *cells.data_type() == DataType::Utf8 && cells.is_valid(row)) {
        let text = array_value_to_string(cells, row)?;
        if texts.iter().any(|wanted| text.contains(wanted.as_str())) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a text is what is looked for, or holds it as a word: `tl:12` holds `12`.
fn names(cell: &str, test: &Test) -> bool {
    if test(cell) {
        return true;
    }
    let words = words(cell);
    words.len() <= WORDS
        && words.iter().enumerate().any(|(at, first)| {
            words.iter().skip(at).any(|last| cell.get(first.start..last.end).is_some_and(|part| test(part)))
        })
}

/// Whether one of the cells of a joined key names what is looked for, or all of them together do.
fn is_in_key(key: &str, test: &Test) -> bool {
    names(key, test) || key.split(KEY_SEPARATOR).any(|cell| names(cell, test))
}

/// Runs of letters and digits.
fn words(cell: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, c) in cell.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
        match words.last_mut().filter(|word| word.end == at) {
            Some(word) => word.end = at + c.len_utf8(),
            None => words.push(at..at + c.len_utf8()),
        }
    }
    words
}

/// Rows under the schema that the writers want.
fn conform(rows: &RecordBatch, promised: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<arrow::datatypes::Field>| {
        let cells = rows.column_by_name(field.name());
        let cells = cells.ok_or_else(|| ArrowError::SchemaError(format!("column `{}` is missing", field.name())))?;
        cast(cells, field.data_type())
    };
    let columns = promised.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(promised), columns)
}

/// What a released table promises, as its own files say: the present contract may be another.
fn contract_of(
    table: &TableRecord,
    schema: &SchemaRef,
    geo: Option<String>,
    traces: &Traces,
) -> Result<Contract, InvalidId> {
    let column = |name: &str| {
        let field = schema.field_with_name(name).ok()?;
        let kind = match field.data_type() {
            DataType::Int64 => Kind::Integer,
            DataType::Float64 => Kind::Number,
            DataType::Boolean => Kind::Boolean,
            DataType::Date32 => Kind::Date,
            DataType::Timestamp(..) => Kind::DateTime,
            DataType::List(_) => Kind::Texts,
            DataType::Binary => Kind::Geometry,
            _ => Kind::Text,
        };
        Some(Column {
            name: name.to_owned(),
            kind,
            title: String::new(),
            title_en: None,
            description: String::new(),
            example: None,
            unit: None,
            visibility: Visibility::Public,
            required: !field.is_nullable(),
            unique: false,
            pattern: None,
            minimum: None,
            maximum: None,
            exclusive_bounds: (None, None),
            min_length: None,
            max_length: None,
            allowed: Vec::new(),
            decimal_comma: false,
            delimiter: None,
            codes: None,
            exclusive: Vec::new(),
            true_values: Vec::new(),
            false_values: Vec::new(),
            status: false,
            doubtful: false,
            volatile: false,
            span: 0..0,
        })
    };
    let columns: Vec<Column> = table.columns.iter().filter_map(|known| column(&known.name)).collect();
    let geometry = geo.map(|geo| {
        if columns.iter().any(|column| column.name == geo) {
            return Geometry::Shape { column: geo };
        }
        let usual = || ("longitude".to_owned(), "latitude".to_owned());
        let (longitude, latitude) = traces.points.get(&table.name).cloned().unwrap_or_else(usual);
        Geometry::Point { longitude, latitude }
    });
    let is_public = |name: &String| columns.iter().any(|column| column.name == *name);
    let primary_key = if table.key.iter().all(is_public) { table.key.clone() } else { Vec::new() };
    Ok(Contract {
        name: table.name.parse()?,
        title: table.title.clone(),
        title_en: None,
        description: String::new(),
        version: String::new(),
        columns,
        primary_key,
        order: Vec::new(),
        foreign_keys: Vec::new(),
        missing_values: vec![String::new()],
        cell: None,
        geometry,
        file: SourceFile::new(format!("{}.schema.json", table.name), ""),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::itself("TL-0101", true)]
    #[case::with_a_prefix("tl:TL-0101", true)]
    #[case::in_a_list("a|TL-0101|b", true)]
    #[case::part_of_another("TL-01011", false)]
    #[case::nothing("", false)]
    fn a_key_is_found_as_a_whole_word(#[case] cell: &str, #[case] found: bool) {
        let test: Test = Arc::new(|text| text == "TL-0101");
        assert_eq!(names(cell, &test), found);
    }

    #[rstest]
    #[case::alone("TL-0101", true)]
    #[case::beside_a_long_text("TL-0101|un nom qui a bien plus que huit mots en tout", true)]
    #[case::after_a_long_text("un nom qui a bien plus que huit mots en tout|tl:TL-0101", true)]
    #[case::another("TL-01011|un nom qui a bien plus que huit mots en tout", false)]
    fn a_key_is_found_beside_cells_of_many_words(#[case] key: &str, #[case] found: bool) {
        let test: Test = Arc::new(|text| text == "TL-0101");
        assert_eq!(is_in_key(key, &test), found);
    }
}
