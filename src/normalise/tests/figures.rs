//! Memory and time of the readers, each in a process of its own.
//!
//! Not run with the others. `tests/figures.sh` writes the files in one process and reads each in another, so that the peak
//! is the reader's, and prints the table.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use rust_xlsxwriter::Workbook;

use super::{comma, table};
use crate::config::pipeline::{CsvSpec, Encoding, JsonSpec, Mapping, ReaderSpec, Secret, SheetSpec, TableSpec};
use crate::normalise::{Chunk, ChunkSink, Normaliser, Part, SinkError};

/// Columns of the files.
const COLUMNS: usize = 5;
/// Columns of spreadsheets, whose memory grows with their cells.
const SHEET_COLUMNS: usize = 20;
/// Rows of a batch of the Parquet file.
const GROUP: usize = 10_000;

/// A cell: whole numbers, dates, words with accents, one long text.
fn cell(row: usize, column: usize) -> String {
    match column % 5 {
        0 => (row * (column + 1)).to_string(),
        1 => format!("20{:02}-{:02}-{:02}", row % 30, row % 12 + 1, row % 28 + 1),
        2 => format!("Épicerie n° {}", row % 1000),
        3 => format!("{}.{}", row % 360, column),
        _ => format!("Un lieu où l'on se retrouve, {row} fois sur {column}, pour faire ensemble"),
    }
}

fn name(column: usize) -> String {
    format!("c{column}")
}

fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os("ESSAIM_FIGURES").expect("`tests/figures.sh` names the folder"))
}

fn create(name: &str) -> BufWriter<File> {
    BufWriter::new(File::create(folder().join(name)).unwrap())
}

fn object(row: usize) -> String {
    let members: Vec<String> = (0..COLUMNS).map(|at| format!("\"{}\": \"{}\"", name(at), cell(row, at))).collect();
    members.join(", ")
}

fn write_texts(rows: usize) {
    let mut csv = create(&format!("{rows}.csv"));
    let mut zip = zip::ZipWriter::new(File::create(folder().join(format!("{rows}.zip"))).unwrap());
    zip.start_file("a.csv", zip::write::SimpleFileOptions::default()).unwrap();
    let mut json = create(&format!("{rows}.json"));
    let mut lines = create(&format!("{rows}.jsonl"));
    let mut geo = create(&format!("{rows}.geojson"));
    let head = (0..COLUMNS).map(name).collect::<Vec<_>>().join(",");
    writeln!(csv, "{head}").unwrap();
    writeln!(zip, "{head}").unwrap();
    write!(json, "[").unwrap();
    write!(geo, "{{\"type\": \"FeatureCollection\", \"features\": [").unwrap();
    for row in 0..rows {
        let cells: Vec<String> = (0..COLUMNS).map(|at| format!("\"{}\"", cell(row, at))).collect();
        writeln!(csv, "{}", cells.join(",")).unwrap();
        writeln!(zip, "{}", cells.join(",")).unwrap();
        let (object, comma) = (object(row), if row == 0 { "" } else { "," });
        writeln!(json, "{comma}{{{object}}}").unwrap();
        writeln!(lines, "{{{object}}}").unwrap();
        let point = "\"geometry\": {\"type\": \"Point\", \"coordinates\": [2.5, 48.5]}";
        writeln!(geo, "{comma}{{\"type\": \"Feature\", \"properties\": {{{object}}}, {point}}}").unwrap();
    }
    write!(json, "]").unwrap();
    write!(geo, "]}}").unwrap();
    zip.finish().unwrap();
}

fn write_parquet(rows: usize) {
    let fields: Vec<Field> = (0..COLUMNS).map(|at| Field::new(name(at), DataType::Utf8, false)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = ArrowWriter::try_new(create(&format!("{rows}.parquet")), Arc::clone(&schema), None).unwrap();
    for first in (0..rows).step_by(GROUP) {
        let column = |at: usize| -> ArrayRef {
            Arc::new(StringArray::from_iter_values((first..(first + GROUP).min(rows)).map(|row| cell(row, at))))
        };
        let batch = RecordBatch::try_new(Arc::clone(&schema), (0..COLUMNS).map(column).collect()).unwrap();
        writer.write(&batch).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
}

/// Texts are shared, as spreadsheet programs write them.
fn write_sheet(rows: usize) {
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    for at in 0..SHEET_COLUMNS {
        let column = u16::try_from(at).unwrap();
        page.write(0, column, name(at)).unwrap();
        for row in 0..rows {
            page.write(u32::try_from(row + 1).unwrap(), column, cell(row, at)).unwrap();
        }
    }
    book.save(folder().join(format!("{rows}.xlsx"))).unwrap();
}

#[test]
#[ignore = "figures, not promises: tests/figures.sh"]
fn writes_the_files() {
    for rows in [10_000, 1_000_000] {
        write_texts(rows);
        write_parquet(rows);
    }
    for rows in [10_000, 100_000] {
        write_sheet(rows);
    }
}

struct Counted(usize);

impl ChunkSink for Counted {
    fn take(&mut self, chunk: Chunk) -> Result<(), SinkError> {
        self.0 += chunk.batch.num_rows();
        Ok(())
    }
}

fn spec(path: &Path) -> TableSpec {
    let reader = match path.extension().and_then(|extension| extension.to_str()).unwrap() {
        "json" => ReaderSpec::Json(JsonSpec::default()),
        "jsonl" => ReaderSpec::Json(JsonSpec { rows: Vec::new(), lines: true, ..JsonSpec::default() }),
        "geojson" => ReaderSpec::GeoJson,
        "parquet" => ReaderSpec::Parquet,
        "xlsx" => ReaderSpec::Sheet(SheetSpec::default()),
        _ => ReaderSpec::Csv(CsvSpec { encoding: Encoding::Detect, ..comma() }),
    };
    let width = if matches!(reader, ReaderSpec::Sheet(_)) { SHEET_COLUMNS } else { COLUMNS };
    let kind = |at: usize| ["integer", "date", "string", "number", "string"][at % 5];
    let fields: Vec<String> =
        (0..width).map(|at| format!("{{\"name\": \"{}\", \"type\": \"{}\"}}", name(at), kind(at))).collect();
    let mut table = table(&fields.join(", "), "", &[], reader);
    table.mappings =
        (0..width).map(|column| Mapping { column, from: vec![name(column)], ..Mapping::default() }).collect();
    table
}

/// Most memory that this process had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 10
}

#[test]
#[ignore = "figures, not promises: tests/figures.sh"]
#[expect(clippy::print_stdout, reason = "the figures are its result")]
fn reads_one_file() {
    let path = PathBuf::from(std::env::var_os("ESSAIM_FIGURES_FILE").expect("`tests/figures.sh` names the file"));
    let before = peak();
    let part: Part = ("p".to_owned(), Box::new(File::open(&path).unwrap()));
    let (mut counted, start) = (Counted(0), Instant::now());
    let summary = Normaliser::new(&spec(&path), &Secret::new("k")).run(vec![part], &mut counted).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!((summary.rejected, summary.unfit), (0, 0));
    let (name, bytes) = (path.file_name().unwrap_or_default().display(), path.metadata().unwrap().len() >> 20);
    println!("| {name} | {} | {bytes} MiB | {} MiB (before: {before}) | {seconds:.1} s |", counted.0, peak());
}
