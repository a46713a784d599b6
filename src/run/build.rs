//! From intermediate tables to published ones: reference tables, counts, models, protected cells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};

use super::error::RunError;
use super::long::LongTable;
use super::profile::Profile;
use super::scratch::{self, ScratchWriter};
use super::stage::{self, Staged};
use super::written::{Writing, Written, write};
use crate::config::pipeline::{Model, Pipeline, shown_table};
use crate::contract::{Contract, SECRET};
use crate::diagnostic::SourceFile;
use crate::disclosure::cells::Protection;
use crate::engine::{Engine, Held, Planned, RowOrder, SinkError};
use crate::id::TableName;
use crate::model::reference::reject_schema;
use crate::model::{ModelPlan, reference};
use crate::publish::format::Content;
use crate::survey::{Counter, MOST_ROWS};
use crate::territory::{Cog, Seeds, TerritoryError};

/// A table that is ready to be published: its rows sorted by key, its cells protected.
#[derive(Debug)]
pub(super) struct Built {
    /// Its rows.
    pub(super) path: PathBuf,
    /// Rows.
    pub(super) rows: u64,
    /// Rows whose numbers are withheld.
    pub(super) secret: u64,
    /// Its files, when they are asked for.
    pub(super) written: Option<Written>,
}

impl Built {
    /// Bytes of its files.
    pub(super) fn bytes(&self) -> u64 {
        self.written.iter().flat_map(|written| &written.files).map(|file| file.bytes).sum()
    }
}

/// Builds tables in one engine and one scratch folder.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) engine: &'a Engine,
    pub(super) folder: &'a Path,
    /// Where the files of tables are written; it is there.
    pub(super) release: &'a Path,
    /// Tables whose files are written.
    pub(super) wanted: &'a [TableName],
    pub(super) profile: &'a Profile,
}

/// Tables of the questionnaire, as [`Counter::indicators`] gives them.
const INDICATORS: [&str; 2] = ["indicateurs", "indicateurs_groupes"];

fn arrow_error(table: &TableName) -> impl Fn(arrow::error::ArrowError) -> RunError + '_ {
    move |source| RunError::Arrow { table: table.clone(), source }
}

fn territory(source: TerritoryError) -> RunError {
    RunError::Territory(Box::new(source))
}

impl Builder<'_> {
    fn register(&self, name: &TableName, batch: RecordBatch) -> Result<(), RunError> {
        self.engine
            .register_batches(name, batch.schema(), vec![batch])
            .map_err(|source| RunError::Engine { table: name.clone(), source: Box::new(source) })
    }

    pub(super) async fn register_file(&self, name: &TableName, path: &Path) -> Result<(), RunError> {
        self.register_sorted(name, path, &[]).await
    }

    /// Makes a file known to SQL whose rows come in the order of some columns.
    async fn register_sorted(&self, name: &TableName, path: &Path, order: &[String]) -> Result<(), RunError> {
        let schema = scratch::schema(path)?;
        self.engine
            .register_scratch(name, &[path.to_owned()], schema, order)
            .await
            .map_err(|source| RunError::Engine { table: name.clone(), source: Box::new(source) })
    }

    /// Makes the reference tables known to SQL.
    pub(super) fn reference(&self, cog: &Cog, seeds: &Seeds) -> Result<(), RunError> {
        for (name, _) in reference::schemas(self.pipeline) {
            let arrow = arrow_error(&name);
            let batch = match name.as_str() {
                "communes" => reference::communes(cog).map_err(arrow)?,
                "departements" => reference::departements(cog, seeds).map_err(territory)?.map_err(arrow)?,
                "regions" => reference::regions(cog, seeds).map_err(territory)?.map_err(arrow)?,
                "epci" => reference::epci(cog).map_err(arrow)?,
                "codes" => reference::codes(self.pipeline).map_err(arrow)?,
                _ => continue,
            };
            self.register(&name, batch)?;
        }
        Ok(())
    }

    /// Makes the tables of the sources known to SQL, and the part of the survey that respondents agreed to show.
    pub(super) async fn tables(&self, staged: &[Staged]) -> Result<(), RunError> {
        for (spec, table) in self.pipeline.tables.iter().zip(staged) {
            self.register_sorted(&table.name, &table.path, &table.order).await?;
            if let Some(rejects) = &spec.reject_table {
                let path = scratch::file(self.folder, rejects.table.as_str());
                let files = if path.exists() { vec![path] } else { Vec::new() };
                let registered =
                    self.engine.register_scratch(&rejects.table, &files, reject_schema(rejects), &[]).await;
                registered
                    .map_err(|source| RunError::Engine { table: rejects.table.clone(), source: Box::new(source) })?;
            }
            for long in self.pipeline.longs.iter().filter(|long| long.table == spec.name) {
                let rows = Arc::new(LongTable::new(long, table.path.clone(), &table.order));
                let registered = self.engine.register_made(&long.name, rows);
                registered.map_err(|source| RunError::Engine { table: long.name.clone(), source: Box::new(source) })?;
            }
            if let Some(shown) = shown_table(self.pipeline, spec) {
                let path = stage::shown(spec, &shown, &table.path, self.folder)?;
                self.register_file(&shown.name, &path).await?;
            }
        }
        Ok(())
    }

    /// Counts the questionnaire and the cross-tables, each table in one pass, and makes the counts known to SQL.
    pub(super) fn counts(&self, staged: &[Staged]) -> Result<(), RunError> {
        for spec in &self.pipeline.tables {
            let Some(table) = staged.iter().find(|table| table.name == spec.name) else { continue };
            let questionnaire = self.pipeline.questionnaire.as_ref().filter(|asked| asked.table == spec.name);
            let crosstabs: Vec<_> = self.pipeline.crosstabs.iter().filter(|cross| cross.table == spec.name).collect();
            if questionnaire.is_none() && crosstabs.is_empty() {
                continue;
            }
            let begun = self.profile.begin(format!("build:count:{}", spec.name));
            let mut counter = Counter::new(&spec.contract, questionnaire, crosstabs);
            for batch in scratch::read(&table.path, Some(&counter.columns()))? {
                counter.take(&batch.map_err(arrow_error(&spec.name))?);
                if let Some(crosstab) = counter.outgrown() {
                    return Err(RunError::Crosstab { table: crosstab.clone(), most: MOST_ROWS });
                }
            }
            for (name, batch) in INDICATORS.into_iter().zip(counter.indicators().into_iter().flatten()) {
                let name: TableName = name.parse().expect("the names of reference tables follow the rule for tables");
                self.register(&name, batch.map_err(arrow_error(&name))?)?;
            }
            for (name, batch) in counter.crosstabs() {
                self.register(name, batch.map_err(arrow_error(name))?)?;
            }
            self.profile.end(&begun, Some(table.kept), None);
        }
        Ok(())
    }

    /// Runs the models in their order. Those with a contract come out sorted by its key and with protected cells.
    pub(super) async fn models(&self, plan: &ModelPlan) -> Result<BTreeMap<TableName, Built>, RunError> {
        let mut built = BTreeMap::new();
        for name in plan.order() {
            let Some(model) = self.pipeline.models.iter().find(|model| model.name == *name) else { continue };
            let begun = self.profile.begin(format!("build:model:{name}"));
            let table = self.model(model, model.contract.as_deref()).await?;
            self.profile.end(&begun, Some(table.rows), table.written.is_some().then(|| table.bytes()));
            built.insert(name.clone(), table);
        }
        Ok(built)
    }

    /// Runs one model whose inputs are there, by its contract or a part of it, and makes its rows known to SQL.
    pub(super) async fn model(&self, model: &Model, contract: Option<&Contract>) -> Result<Built, RunError> {
        let table = self.execute(&model.name, &model.file, contract).await?;
        self.register_file(&model.name, &table.path).await?;
        Ok(table)
    }

    /// All columns of a table that promises nothing.
    pub(super) async fn whole(&self, name: &TableName) -> Result<Built, RunError> {
        self.execute(name, &SourceFile::new(format!("{name}.sql"), format!("SELECT * FROM {name}")), None).await
    }

    /// A published table that is no model: its public columns, sorted and protected like any other.
    pub(super) async fn select(&self, name: &TableName, contract: &Contract) -> Result<Built, RunError> {
        let columns: Vec<&str> =
            contract.public_columns().map(|column| column.name.as_str()).filter(|n| *n != SECRET).collect();
        let text = format!("SELECT {} FROM {name}", columns.join(", "));
        self.execute(name, &SourceFile::new(format!("{name}.sql"), text), Some(contract)).await
    }

    /// Runs a statement into a table, and writes its files when they are wanted.
    async fn execute(
        &self,
        name: &TableName,
        file: &Arc<SourceFile>,
        contract: Option<&Contract>,
    ) -> Result<Built, RunError> {
        let planned = self.engine.plan(file).map_err(|problems| RunError::Plan { table: name.clone(), problems })?;
        let (target, order) = target(&planned.schema, contract);
        let statement = Statement { name, planned: &planned, target: &target, order: &order };
        let contract = contract.map(|contract| (contract, self.protection(name, contract)));
        let wanted = self.wanted.contains(name);
        match contract {
            Some((contract, None)) if wanted && is_public(contract, &target) => self.release(statement, contract).await,
            Some((contract, protection)) => {
                let mut built = match protection {
                    Some(protection) => self.protected(statement, contract, &protection).await?,
                    None => self.scratch(statement).await?,
                };
                if wanted {
                    built.written = Some(write(self.pipeline, contract, &built, self.release)?);
                }
                Ok(built)
            }
            None => self.scratch(statement).await,
        }
    }

    /// Hands the rows of a statement to `take`.
    async fn rows(
        &self,
        statement: Statement<'_>,
        held: Held,
        mut take: impl FnMut(RecordBatch) -> Result<(), RunError> + Send,
    ) -> Result<u64, RunError> {
        let Statement { name, planned, target, order } = statement;
        let mut failure = None;
        let mut sink = |batch: RecordBatch| -> Result<(), SinkError> {
            take(batch).map_err(|error| {
                let text = error.to_string();
                failure = Some(error);
                text.into()
            })
        };
        let executed = self.engine.execute(planned, target, order, held, &mut sink).await;
        match failure {
            Some(error) => Err(error),
            None => executed.map_err(|source| RunError::Engine { table: name.clone(), source: Box::new(source) }),
        }
    }

    /// Straight into the files of the release: their Parquet file is the table.
    async fn release(&self, statement: Statement<'_>, contract: &Contract) -> Result<Built, RunError> {
        let mut writing = Writing::begin(self.pipeline, contract, self.release)?;
        let rows = self.rows(statement, Held::Coded, |batch| writing.take(&batch)).await?;
        let path = self.release.join(Content::Parquet.file_name(statement.name));
        Ok(Built { path, rows, secret: 0, written: Some(writing.finish()?) })
    }

    /// Into an intermediate table.
    async fn scratch(&self, statement: Statement<'_>) -> Result<Built, RunError> {
        let mut writer = ScratchWriter::create(self.built(statement.name), &nullable(statement.target))?;
        self.rows(statement, Held::Plain, |batch| writer.write(&batch)).await?;
        let (path, rows) = writer.finish()?;
        Ok(Built { path, rows, secret: 0, written: None })
    }

    /// Into an intermediate table with protected cells. A cell is judged beside those that add up with it: tables of
    /// aggregates are held until they are whole.
    async fn protected(
        &self,
        statement: Statement<'_>,
        contract: &Contract,
        protection: &Protection<'_>,
    ) -> Result<Built, RunError> {
        let mut whole = Vec::new();
        let hold = |batch| {
            whole.push(batch);
            Ok(())
        };
        self.rows(statement, Held::Plain, hold).await?;
        let arrow = arrow_error(statement.name);
        let schema = nullable(&contract.plain_schema());
        let table = concat_batches(statement.target, &whole).map_err(&arrow)?;
        let (table, secret) = protection.apply(&table, &schema).map_err(&arrow)?;
        let mut writer = ScratchWriter::create(self.built(statement.name), &schema)?;
        writer.write(&table)?;
        let (path, rows) = writer.finish()?;
        Ok(Built { path, rows, secret, written: None })
    }

    fn built(&self, name: &TableName) -> PathBuf {
        scratch::file(self.folder, &format!("{name}.built"))
    }

    fn protection<'c>(&self, name: &TableName, contract: &'c Contract) -> Option<Protection<'c>> {
        contract.cell.as_ref().map(|rule| Protection {
            rule,
            smallest: self.pipeline.smallest_cell,
            exempt_complement: self.pipeline.exempt.contains(name),
        })
    }
}

pub(super) fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A statement on its way into a table.
#[derive(Clone, Copy)]
struct Statement<'a> {
    name: &'a TableName,
    planned: &'a Planned,
    target: &'a SchemaRef,
    order: &'a RowOrder,
}

/// Whether a statement makes all public columns of a contract and nothing else.
fn is_public(contract: &Contract, target: &Schema) -> bool {
    let public = contract.public_columns().map(|column| column.name.as_str());
    public.eq(target.fields().iter().map(|field| field.name().as_str()))
}

/// The columns that a statement makes in the order of its contract, and the order of its rows.
fn target(made: &SchemaRef, contract: Option<&Contract>) -> (SchemaRef, RowOrder) {
    let Some(contract) = contract else { return (nullable(made), RowOrder::default()) };
    let fields = contract.plain_schema();
    let fields = fields.fields().iter().filter(|field| made.field_with_name(field.name()).is_ok());
    let schema = Schema::new(fields.cloned().collect::<Vec<_>>());
    let key = &contract.primary_key;
    let by = if contract.order.is_empty() { key } else { &contract.order };
    // A key that is not unique blocks the release.
    let unique = !key.is_empty() && key.iter().all(|column| by.contains(column));
    (nullable(&Arc::new(schema)), RowOrder { by: by.clone(), unique })
}
