//! Cases of a pipeline: given rows through the same steps as a run, and the rows that a model makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ENGINE_MEMORY;
use super::build::Builder;
use super::error::RunError;
use super::profile::Profile;
use super::scratch::{self, ScratchWriter};
use super::stage::Staged;
use crate::config::pipeline::{
    CsvSpec, Drift, Keep, Mapping, Pipeline, Project, ReaderSpec, TableSpec, TestCase, TestRow, TestRows,
};
use crate::contract::Contract;
use crate::diagnostic::Problem;
use crate::engine::{Engine, EngineOptions};
use crate::id::TableName;
use crate::model::{ModelPlan, given_contract};
use crate::normalise::{Chunk, ChunkSink, Normaliser, Reject, SinkError, UnfitCell, staged_schema};
use crate::territory::Seeds;

mod compare;

pub use compare::{Difference, Sign};

use compare::{Got, compare};

/// How a case ended.
#[derive(Debug)]
pub enum Verdict {
    /// The rows are those that were expected.
    Pass,
    /// They are not.
    Fail(Difference),
    /// The given rows do not fit their tables.
    Mistakes(Vec<Problem>),
    /// The model could not be run.
    Failed(RunError),
}

/// A case and how it ended.
#[derive(Debug)]
pub struct CaseOutcome {
    /// Its name.
    pub name: String,
    /// The table that was looked at.
    pub model: String,
    /// How it ended.
    pub verdict: Verdict,
}

/// Runs the cases of a pipeline whose names hold a text, in their order.
pub async fn test(
    project: &Project,
    pipeline: &Pipeline,
    plan: &ModelPlan,
    named: &str,
) -> Result<Vec<CaseOutcome>, RunError> {
    let cases: Vec<&TestCase> = pipeline.tests.iter().filter(|case| case.name.value.contains(named)).collect();
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let folder = tempfile::Builder::new()
        .prefix("essaim-test-")
        .tempdir()
        .map_err(|source| RunError::Scratch { path: std::env::temp_dir(), source: Box::new(source) })?;
    let engine = Engine::new(&EngineOptions {
        memory_bytes: ENGINE_MEMORY,
        temp_dir: folder.path().to_owned(),
        partitions: std::thread::available_parallelism().map_or(1, usize::from),
        split_files: false,
    })
    .map_err(|source| RunError::EngineStart(Box::new(source)))?;
    let seeds = Seeds::of(&project.root);
    let cog = seeds.cog().map_err(|source| RunError::Territory(Box::new(source)))?;
    let mut outcomes = Vec::new();
    for (at, case) in cases.into_iter().enumerate() {
        let folder = folder.path().join(at.to_string());
        fs::create_dir_all(&folder)
            .map_err(|source| RunError::Scratch { path: folder.clone(), source: Box::new(source) })?;
        let profile = Profile::default();
        let (folder, wanted) = (folder.as_path(), [].as_slice());
        let builder = Builder { pipeline, engine: &engine, folder, release: folder, wanted, profile: &profile };
        builder.reference(&cog, &seeds)?;
        let verdict = match run(project, &builder, plan, case).await {
            Ok(verdict) => verdict,
            Err(error) => Verdict::Failed(error),
        };
        outcomes.push(CaseOutcome { name: case.name.value.clone(), model: case.model.value.clone(), verdict });
    }
    Ok(outcomes)
}

async fn run(project: &Project, builder: &Builder<'_>, plan: &ModelPlan, case: &TestCase) -> Result<Verdict, RunError> {
    let pipeline = builder.pipeline;
    let given = |name: &str| case.given.iter().find(|given| given.table.value == name).map(|given| &given.rows);
    let (mut staged, mut mistakes) = (Vec::new(), Vec::new());
    for table in &pipeline.tables {
        let rows = given(table.name.as_str());
        let stage = stage(project, &table.name, &table.contract, rows, builder.folder)?;
        staged.push(Staged::given(table.name.clone(), stage.path));
        mistakes.extend(stage.mistakes);
    }
    builder.tables(&staged).await?;
    builder.counts(&staged)?;
    for model in &pipeline.models {
        if let (Some(rows), Some(contract)) =
            (given(model.name.as_str()), given_contract(pipeline, model.name.as_str()))
        {
            let stage = stage(project, &model.name, contract, Some(rows), builder.folder)?;
            builder.register_file(&model.name, &stage.path).await?;
            mistakes.extend(stage.mistakes);
        }
    }
    if !mistakes.is_empty() {
        return Ok(Verdict::Mistakes(mistakes));
    }
    let got = Got::read(&made(builder, plan, case, &|name| given(name).is_some()).await?)?;
    Ok(compare(case, &got).map_or(Verdict::Pass, Verdict::Fail))
}

/// The rows of the table that a case looks at.
async fn made(
    builder: &Builder<'_>,
    plan: &ModelPlan,
    case: &TestCase,
    given: &(dyn Fn(&str) -> bool + Sync),
) -> Result<PathBuf, RunError> {
    let pipeline = builder.pipeline;
    let name = case.model.value.as_str();
    let shown = |contract: &Contract| {
        let mut contract = contract.clone();
        contract.cell = contract.cell.filter(|_| case.protected);
        contract
    };
    let mut last = None;
    for needed in plan.needed(name, given) {
        let Some(model) = pipeline.models.iter().find(|model| model.name == *needed) else { continue };
        let contract = model.contract.as_deref();
        let tested = needed.as_str() == name;
        let contract = if tested { contract.map(shown) } else { contract.cloned() };
        last = Some(builder.model(model, contract.as_ref()).await?).filter(|_| tested);
    }
    if let Some(built) = last {
        return Ok(built.path);
    }
    let table: TableName = name.parse().expect("the plan knows this table by its name");
    let contract = pipeline.indicators.as_deref().filter(|contract| contract.name == table);
    let built = match contract {
        Some(contract) => builder.select(&table, &shown(contract)).await?,
        None => builder.whole(&table).await?,
    };
    Ok(built.path)
}

/// Given rows on their way into a table.
struct Given {
    path: PathBuf,
    mistakes: Vec<Problem>,
}

struct GivenSink<'a> {
    writer: ScratchWriter,
    rows: &'a [TestRow],
    mistakes: Vec<Problem>,
}

impl ChunkSink for GivenSink<'_> {
    fn take(&mut self, chunk: Chunk) -> Result<(), SinkError> {
        let unfit = chunk.unfit.iter().filter_map(|cell| self.unfit(cell));
        let mistakes: Vec<Problem> =
            unfit.chain(chunk.rejects.iter().filter_map(|reject| self.reject(reject))).collect();
        self.mistakes.extend(mistakes);
        if chunk.batch.num_rows() > 0 {
            self.writer.write(&chunk.batch)?;
        }
        Ok(())
    }
}

impl GivenSink<'_> {
    fn row(&self, number: u64) -> Option<&TestRow> {
        self.rows.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    fn unfit(&self, cell: &UnfitCell) -> Option<Problem> {
        let cells = &self.row(cell.row)?.cells;
        let (_, place) = cells.iter().find(|(column, _)| column.value == cell.column)?;
        let what = format!("`{}` does not fit column `{}`", cell.value, cell.column);
        Some(place.problem("pipeline::unfit_cell", what, cell.reason.as_str()).help("give what its contract allows"))
    }

    fn reject(&self, reject: &Reject) -> Option<Problem> {
        let (_, place) = self.row(reject.row)?.cells.first()?;
        let problem = place.problem("pipeline::unfit_row", reject.detail.trim_end_matches('.'), reject.reason.as_str());
        Some(problem.help("give rows that the table could hold"))
    }
}

/// Column that numbers the given rows, so that none of them is blank.
const NUMBER: &str = "#given";

/// Writes given rows as a table of their contract, by the way that the rows of a source take.
fn stage(
    project: &Project,
    name: &TableName,
    contract: &Contract,
    rows: Option<&TestRows>,
    folder: &Path,
) -> Result<Given, RunError> {
    let rows = rows.map_or(&[] as &[TestRow], Vec::as_slice);
    let columns: BTreeSet<&str> =
        rows.iter().flat_map(|row| &row.cells).map(|(column, _)| column.value.as_str()).collect();
    let spec = spec(name, contract, &columns);
    let path = scratch::file(folder, name.as_str());
    let writer = ScratchWriter::create(path, &staged_schema(&spec))?;
    let mut sink = GivenSink { writer, rows, mistakes: Vec::new() };
    let csv = csv(rows, &columns).map_err(|source| RunError::Sample { table: name.clone(), source })?;
    let part: (String, Box<dyn std::io::Read + Send>) = ("given".to_owned(), Box::new(std::io::Cursor::new(csv)));
    Normaliser::new(&spec, &project.key)
        .run(vec![part], &mut sink)
        .map_err(|source| RunError::Normalise { table: name.clone(), source: Box::new(source) })?;
    let GivenSink { writer, mistakes, .. } = sink;
    Ok(Given { path: writer.finish()?.0, mistakes })
}

/// How given rows are read: as our own CSV is written, and without the rules that take rows of a source out.
fn spec(name: &TableName, contract: &Contract, given: &BTreeSet<&str>) -> TableSpec {
    let mut contract = contract.clone();
    contract.primary_key.clear();
    contract.missing_values = vec![String::new()];
    for column in &mut contract.columns {
        column.required = false;
        column.decimal_comma = false;
        column.delimiter = None;
        column.true_values.clear();
        column.false_values.clear();
    }
    let mappings = contract.columns.iter().enumerate().filter(|(_, column)| given.contains(column.name.as_str()));
    let mappings = mappings
        .map(|(at, column)| {
            let from = vec![column.name.clone()];
            Mapping { column: at, from, ..Mapping::default() }
        })
        .collect();
    TableSpec {
        name: name.clone(),
        source: "given".parse().expect("a word is a source's name"),
        contract: Arc::new(contract),
        reader: ReaderSpec::Csv(CsvSpec::default()),
        parts: None,
        members: None,
        explode: None,
        derived: Vec::new(),
        mappings,
        place: None,
        rejects: Vec::new(),
        keep: Keep::First,
        duplicate: None,
        matched: None,
        reject_table: None,
        drift: Drift::Stop,
        consent: None,
    }
}

fn csv(rows: &[TestRow], columns: &BTreeSet<&str>) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([NUMBER].into_iter().chain(columns.iter().copied()))?;
    for (at, row) in rows.iter().enumerate() {
        let cell = |name: &&str| row.cells.iter().find(|(column, _)| column.value == *name);
        let cells = columns.iter().map(|name| cell(name).map_or("", |(_, cell)| cell.value.as_str()));
        writer.write_record([(at + 1).to_string().as_str()].into_iter().chain(cells))?;
    }
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
}
