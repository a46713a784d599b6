//! `essaim query`: SQL on the released Parquet files, read through the public store.

use std::io::Write as _;
use std::path::Path;

use arrow::array::RecordBatch;
use clap::{Args, ValueEnum};
use futures::TryStreamExt as _;

use super::Exit;
use super::printer::Printer;
use super::project::{self, Checked};
use super::releases::{public_store, resolve};
use super::runs::private_store;
use crate::engine::{Answer, Engine, EngineOptions, QueryError};
use crate::id::{DatasetId, ReleaseId, TableName};
use crate::publish::commit::log;
use crate::release::Manifest;
use crate::run::history;
use crate::serve::sql::format::{AnswerFormat, AnswerWriter};
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
  essaim query 'SELECT table_name FROM information_schema.tables'
  essaim query --runs 'SELECT pipeline, outcome, count(*) FROM runs GROUP BY ALL'"
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
    #[arg(
        long,
        help = "Ask what runs did, not what is published: tables runs, run_steps, run_sources, run_transfers, run_tables, \
                run_reasons, run_bounds",
        conflicts_with_all = ["release", "dataset"])]
    runs: bool,
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

impl Format {
    /// What others than people read.
    fn of_answer(self) -> Option<AnswerFormat> {
        match self {
            Self::Table => None,
            Self::Csv => Some(AnswerFormat::Csv),
            Self::Json => Some(AnswerFormat::JsonLines),
            Self::Parquet => Some(AnswerFormat::Parquet),
            Self::Arrow => Some(AnswerFormat::Arrow),
        }
    }
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
    let options = EngineOptions {
        memory_bytes: 1 << 30,
        temp_dir: std::env::temp_dir(),
        partitions: std::thread::available_parallelism().map_or(1, usize::from),
        split_files: true,
    };
    let engine = Engine::new(&options).map_err(|error| failed(&error))?;
    if arguments.runs {
        history(checked, &engine, printer).await?;
    } else {
        releases(arguments, checked, &engine, printer).await?;
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

/// Makes the tables of releases known.
async fn releases(
    arguments: &QueryArguments,
    checked: &Checked,
    engine: &Engine,
    printer: &Printer,
) -> Result<(), Exit> {
    let store = public_store(checked, printer)?;
    let selected = checked.selected(arguments.dataset.as_deref(), printer)?;
    let alone = selected.len() == 1;
    let desk = Desk { engine, store: &store, printer, sql: &arguments.sql, alone };
    for at in selected {
        let dataset = &checked.project.pipelines[at].id;
        // A dataset without a release is no table; asked for alone it is what the answer is about.
        let empty = log(&store, dataset).await.is_ok_and(|entries| entries.is_empty());
        if !empty || alone {
            desk.register(dataset, arguments.release.as_deref()).await?;
        }
    }
    Ok(())
}

/// Makes the tables of run history known.
async fn history(checked: &Checked, engine: &Engine, printer: &Printer) -> Result<(), Exit> {
    let failed = |error: &dyn std::error::Error| {
        printer.failure(error);
        Exit::Failed
    };
    let private = private_store(checked, printer)?;
    let runs = history::runs(&private).await.map_err(|error| failed(&error))?;
    let records = history::records(&private, &runs).await.map_err(|error| failed(&error))?;
    for table in history::tables(&records).map_err(|error| failed(&error))? {
        let name: TableName = table.name.parse().expect("the tables of run history have names that are names");
        let rows = table.rows.into_iter().collect();
        engine.register_batches(&name, table.schema, rows).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Where released tables are put before the engine.
struct Desk<'a> {
    engine: &'a Engine,
    store: &'a Store,
    printer: &'a Printer,
    sql: &'a str,
    /// Whether tables need no prefix.
    alone: bool,
}

impl Desk<'_> {
    fn failed(&self, error: &dyn std::error::Error) -> Exit {
        self.printer.failure(error);
        Exit::Failed
    }

    /// Makes a dataset known: the wanted release under the dataset's name, and every release that the SQL names.
    async fn register(&self, dataset: &DatasetId, release: Option<&str>) -> Result<(), Exit> {
        let wanted = resolve(self.store, dataset, release, self.printer).await?;
        let name = dataset.sql_name();
        let mut schemas = vec![name.clone(), format!("{name}@{wanted}")];
        if self.alone {
            schemas.push("public".to_owned());
        }
        self.tables(dataset, &wanted, &schemas).await?;
        let entries = log(self.store, dataset).await.map_err(|error| self.failed(&error))?;
        for other in entries.into_iter().filter_map(|(_, entry)| entry.release).filter(|other| *other != wanted) {
            let schema = format!("{name}@{other}");
            if self.sql.contains(&schema) {
                self.tables(dataset, &other, &[schema]).await?;
            }
        }
        Ok(())
    }

    /// The tables of a release, under some schemas.
    async fn tables(&self, dataset: &DatasetId, release: &ReleaseId, schemas: &[String]) -> Result<(), Exit> {
        let key = StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() };
        let bytes = self.store.get(&key).await.map_err(|error| self.failed(&error))?;
        let Some(manifest) = bytes.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok()) else {
            self.printer.failure_lines(&[format!("the manifest of `{dataset}@{release}` is missing or damaged")]);
            return Err(Exit::Failed);
        };
        let root = self.store.root_url().path().trim_end_matches('/');
        for table in &manifest.tables {
            let file = format!("{}.parquet", table.name);
            let key = StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path: file };
            let path = format!("{root}/{}", key.path());
            for schema in schemas {
                let handle = self.store.handle();
                let registered = self.engine.register_release_table(schema, &table.name, handle, STORE, &path);
                registered.await.map_err(|error| self.failed(&error))?;
            }
        }
        Ok(())
    }
}

async fn write(answer: Answer, format: Format, printer: &Printer) -> Result<(), Exit> {
    let failed = |error: &dyn std::error::Error| {
        printer.failure(error);
        Exit::Failed
    };
    let Some(format) = format.of_answer() else { return draw(answer, printer).await };
    let mut out = std::io::stdout();
    let mut writer = AnswerWriter::new(format, &answer.schema, &[]).map_err(|error| failed(&error))?;
    let mut stream = answer.stream;
    while let Some(batch) = stream.try_next().await.map_err(|error| failed(&error))? {
        writer.write(&batch).map_err(|error| failed(&error))?;
        out.write_all(&writer.take()).map_err(|error| failed(&error))?;
    }
    let rest = writer.finish().map_err(|error| failed(&error))?;
    out.write_all(&rest).and_then(|()| out.flush()).map_err(|error| failed(&error))
}

/// Draws a table for people.
async fn draw(answer: Answer, printer: &Printer) -> Result<(), Exit> {
    let failed = |error: &dyn std::error::Error| {
        printer.failure(error);
        Exit::Failed
    };
    let mut batches: Vec<RecordBatch> = answer.stream.try_collect().await.map_err(|error| failed(&error))?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(answer.schema));
    }
    let drawn = arrow::util::pretty::pretty_format_batches(&batches).map_err(|error| failed(&error))?;
    printer.data(&format!("{drawn}\n"));
    printer.talk(&format!("{rows} row{}\n", if rows == 1 { "" } else { "s" }));
    Ok(())
}
