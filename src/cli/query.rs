//! `essaim query`: SQL on the released Parquet files, read through the public store.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::LineDelimitedWriter;
use clap::{Args, ValueEnum};
use futures::TryStreamExt as _;
use parquet::arrow::ArrowWriter;

use super::Exit;
use super::printer::Printer;
use super::project::{self, Checked};
use super::releases::{public_store, resolve};
use crate::engine::{Answer, Engine, EngineOptions, QueryError};
use crate::id::DatasetId;
use crate::release::Manifest;
use crate::store::{Store, StoreKey};

/// Name of the public store inside the engine.
const STORE: &str = "release://public";

/// Arguments of `essaim query`.
#[derive(Debug, Args)]
#[command(
    after_help = "Tables stand under their own name, under \"dataset\".table with `_` for `-`, and with a release as
\"dataset@release\".table.

Examples:
  essaim query 'SELECT libelle, n, base FROM chiffres_cles'
  essaim query --release 2026-11-22 'SELECT * FROM structures' --format csv
  essaim query 'SELECT table_name FROM information_schema.tables'"
)]
pub(super) struct QueryArguments {
    /// One SELECT
    sql: String,
    /// Release to read; the latest when left out
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// Dataset whose tables need no prefix; the only one of the project when left out
    #[arg(long, value_name = "DATASET")]
    dataset: Option<String>,
    /// How the answer is written
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people
    Table,
    /// RFC 4180
    Csv,
    /// One object a line
    Json,
    /// A Parquet file
    Parquet,
    /// An Arrow IPC stream
    Arrow,
}

/// Runs one SELECT and writes the answer to stdout.
pub(super) async fn query(arguments: &QueryArguments, folder: &Path, printer: &Printer) -> Exit {
    let checked = match project::open(folder, printer) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    match ask(arguments, &checked, printer).await {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

async fn ask(arguments: &QueryArguments, checked: &Checked, printer: &Printer) -> Result<(), Exit> {
    let failed = |error: &dyn std::error::Error| {
        printer.failure(error);
        Exit::Failed
    };
    let store = public_store(checked, printer)?;
    let options = EngineOptions {
        memory_bytes: 1 << 30,
        temp_dir: std::env::temp_dir(),
        partitions: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let engine = Engine::new(&options).map_err(|error| failed(&error))?;
    let selected = checked.selected(arguments.dataset.as_deref(), printer)?;
    let alone = selected.len() == 1;
    for at in selected {
        let dataset = &checked.project.pipelines[at].id;
        register(&engine, &store, dataset, arguments.release.as_deref(), alone, printer).await?;
    }
    let answer = engine.query(&arguments.sql).await.map_err(|error| match &error {
        QueryError::Problems(problems) => {
            printer.problems(problems);
            Exit::Mistake
        }
        QueryError::Engine(_) => failed(&error),
    })?;
    write(answer, arguments.format, printer).await
}

async fn register(
    engine: &Engine,
    store: &Store,
    dataset: &DatasetId,
    release: Option<&str>,
    alone: bool,
    printer: &Printer,
) -> Result<(), Exit> {
    let failed = |error: &dyn std::error::Error| {
        printer.failure(error);
        Exit::Failed
    };
    let release = resolve(store, dataset, release, printer).await?;
    let key = StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() };
    let bytes = store.get(&key).await.map_err(|error| failed(&error))?;
    let Some(manifest) = bytes.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok()) else {
        printer.failure_lines(&[format!("the manifest of `{dataset}@{release}` is missing or damaged")]);
        return Err(Exit::Failed);
    };
    let mut schemas = vec![dataset.sql_name(), format!("{}@{release}", dataset.sql_name())];
    if alone {
        schemas.push("public".to_owned());
    }
    for table in &manifest.tables {
        let file = format!("{}.parquet", table.name);
        let key = StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path: file }.path();
        let path = format!("{}/{key}", store.root_url().path().trim_end_matches('/'));
        for schema in &schemas {
            let registered = engine.register_release_table(schema, &table.name, store.handle(), STORE, &path);
            registered.await.map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

/// Takes batches in and writes them to stdout.
enum Output {
    Table(Vec<RecordBatch>),
    Csv(Box<arrow::csv::Writer<std::io::Stdout>>),
    Json(LineDelimitedWriter<std::io::Stdout>),
    Parquet(Box<ArrowWriter<std::io::Stdout>>),
    Arrow(Box<StreamWriter<std::io::Stdout>>),
}

impl Output {
    fn new(format: Format, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let out = std::io::stdout();
        Ok(match format {
            Format::Table => Self::Table(Vec::new()),
            Format::Csv => Self::Csv(Box::new(WriterBuilder::new().with_header(true).build(out))),
            Format::Json => Self::Json(LineDelimitedWriter::new(out)),
            Format::Parquet => Self::Parquet(Box::new(ArrowWriter::try_new(out, Arc::clone(schema), None)?)),
            Format::Arrow => Self::Arrow(Box::new(StreamWriter::try_new(out, schema)?)),
        })
    }

    fn take(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        match self {
            Self::Table(batches) => batches.push(batch),
            Self::Csv(writer) => writer.write(&joined_lists(&batch)?)?,
            Self::Json(writer) => writer.write(&batch)?,
            Self::Parquet(writer) => writer.write(&batch)?,
            Self::Arrow(writer) => writer.write(&batch)?,
        }
        Ok(())
    }

    fn finish(self, schema: &SchemaRef, printer: &Printer) -> Result<(), ArrowError> {
        match self {
            Self::Table(batches) => {
                let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
                let batches =
                    if batches.is_empty() { vec![RecordBatch::new_empty(Arc::clone(schema))] } else { batches };
                printer.data(&format!("{}\n", arrow::util::pretty::pretty_format_batches(&batches)?));
                printer.talk(&format!("{rows} row{}\n", if rows == 1 { "" } else { "s" }));
            }
            Self::Csv(writer) => writer.into_inner().flush()?,
            Self::Json(mut writer) => writer.finish()?,
            Self::Parquet(writer) => {
                writer.close()?;
            }
            Self::Arrow(mut writer) => writer.finish()?,
        }
        Ok(())
    }
}

/// Lists as their items joined by `|`: a CSV cell holds one text.
fn joined_lists(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if !matches!(field.data_type(), DataType::List(_)) {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
            continue;
        }
        let texts: Result<StringArray, ArrowError> = column
            .as_list::<i32>()
            .iter()
            .map(|list| {
                let Some(list) = list else { return Ok(None) };
                let items = cast(&list, &DataType::Utf8)?;
                let items: Vec<&str> = items.as_string::<i32>().iter().flatten().collect();
                Ok(Some(items.join("|")))
            })
            .collect();
        fields.push(Field::new(field.name(), DataType::Utf8, true));
        columns.push(Arc::new(texts?));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

async fn write(answer: Answer, format: Format, printer: &Printer) -> Result<(), Exit> {
    let failed = |error: &dyn std::error::Error| {
        printer.failure(error);
        Exit::Failed
    };
    let schema = answer.schema;
    let mut output = Output::new(format, &schema).map_err(|error| failed(&error))?;
    let mut stream = answer.stream;
    while let Some(batch) = stream.try_next().await.map_err(|error| failed(&error))? {
        output.take(batch).map_err(|error| failed(&error))?;
    }
    output.finish(&schema, printer).map_err(|error| failed(&error))
}
