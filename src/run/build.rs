//! From intermediate tables to published ones: reference tables, counts, models, protected cells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};

use super::error::RunError;
use super::profile::Profile;
use super::scratch::{self, ScratchWriter};
use super::stage::{self, Staged};
use crate::config::pipeline::{Model, Pipeline, shown_table};
use crate::contract::{Contract, SECRET};
use crate::diagnostic::SourceFile;
use crate::disclosure::cells::Protection;
use crate::engine::{Engine, SinkError};
use crate::id::TableName;
use crate::model::reference::reject_schema;
use crate::model::{ModelPlan, reference};
use crate::survey::{Counter, MOST_ROWS};
use crate::territory::{Cog, Seeds, TerritoryError};

/// A table that is ready to be published: its rows sorted by key, its cells protected.
#[derive(Debug, Clone)]
pub(super) struct Built {
    /// Its rows.
    pub(super) path: PathBuf,
    /// Rows.
    pub(super) rows: u64,
    /// Rows whose numbers are withheld.
    pub(super) secret: u64,
}

/// Builds tables in one engine and one scratch folder.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) engine: &'a Engine,
    pub(super) folder: &'a Path,
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
        let schema = scratch::schema(path)?;
        self.engine
            .register_scratch(name, &[path.to_owned()], schema)
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
            self.register_file(&table.name, &table.path).await?;
            if let Some(rejects) = &spec.reject_table {
                let path = self.folder.join(format!("{}.parquet", rejects.table));
                let files = if path.exists() { vec![path] } else { Vec::new() };
                let registered = self.engine.register_scratch(&rejects.table, &files, reject_schema(rejects)).await;
                registered
                    .map_err(|source| RunError::Engine { table: rejects.table.clone(), source: Box::new(source) })?;
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
            self.profile.end(&begun, Some(table.rows), None);
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

    async fn execute(
        &self,
        name: &TableName,
        file: &Arc<SourceFile>,
        contract: Option<&Contract>,
    ) -> Result<Built, RunError> {
        let planned = self.engine.plan(file).map_err(|problems| RunError::Plan { table: name.clone(), problems })?;
        let (target, order) = target(&planned.schema, contract);
        let protection = contract.and_then(|contract| self.protection(name, contract));
        let schema = match contract.filter(|_| protection.is_some()) {
            Some(contract) => contract.plain_schema(),
            None => Arc::clone(&target),
        };
        let path = self.folder.join(format!("{name}.built.parquet"));
        let mut writer = ScratchWriter::create(path, nullable(&schema))?;
        let mut whole = Vec::new();
        let mut failure = None;
        let mut sink = |batch: RecordBatch| -> Result<(), SinkError> {
            // A cell is judged beside those that add up with it: tables of aggregates are held until they are whole.
            if protection.is_some() {
                whole.push(batch);
                return Ok(());
            }
            writer.write(&batch).map_err(|error| {
                let text = error.to_string();
                failure = Some(error);
                text.into()
            })
        };
        let executed = self.engine.execute(&planned, &target, &order, &mut sink).await;
        if let Some(error) = failure {
            return Err(error);
        }
        executed.map_err(|source| RunError::Engine { table: name.clone(), source: Box::new(source) })?;
        let mut secret = 0;
        if let Some(protection) = protection {
            let arrow = arrow_error(name);
            let table = concat_batches(&target, &whole).map_err(&arrow)?;
            let (table, hidden) = protection.apply(&table, &nullable(&schema)).map_err(&arrow)?;
            writer.write(&table)?;
            secret = hidden;
        }
        let (path, rows) = writer.finish()?;
        Ok(Built { path, rows, secret })
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

/// The columns that a statement makes in the order of its contract, and the columns that order its rows.
fn target(made: &SchemaRef, contract: Option<&Contract>) -> (SchemaRef, Vec<String>) {
    let Some(contract) = contract else { return (nullable(made), Vec::new()) };
    let fields = contract.plain_schema();
    let fields = fields.fields().iter().filter(|field| made.field_with_name(field.name()).is_ok());
    let schema = Schema::new(fields.cloned().collect::<Vec<_>>());
    let order = if contract.order.is_empty() { &contract.primary_key } else { &contract.order };
    (nullable(&Arc::new(schema)), order.clone())
}
