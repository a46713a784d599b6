//! Tables that are there without SQL: the official geography, the code lists, the indicators, the cross-tables,
//! the long tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Float64Builder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::config::pipeline::{CROSSTAB_COLUMNS, Crosstab, LONG_COLUMNS, Long, Pipeline, REJECT_COLUMNS, RejectTable};
use crate::contract::{CodeList, Column};
use crate::engine::lineage::{How, Origin, TableLineage};
use crate::id::TableName;
use crate::survey::{crosstab_schema, indicator_schema};
use crate::territory::{Cog, Departement, Kind, Region, Seeds, TerritoryError};

/// Columns of a cross-table that answers are counted in; the others name options of code lists.
const COUNTS: [&str; 3] = ["n", "base", "ensemble"];

fn table(name: &str) -> TableName {
    name.parse().expect("the names of reference tables follow the rule for tables")
}

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>()))
}

fn communes_schema() -> SchemaRef {
    schema(&[
        ("code_insee", DataType::Utf8),
        ("nom", DataType::Utf8),
        ("code_departement", DataType::Utf8),
        ("code_region", DataType::Utf8),
        ("code_epci", DataType::Utf8),
        ("population", DataType::Int64),
        ("longitude", DataType::Float64),
        ("latitude", DataType::Float64),
    ])
}

fn territory_schema(parent: Option<&str>, outlined: bool) -> SchemaRef {
    let mut fields = vec![("code", DataType::Utf8), ("nom", DataType::Utf8)];
    fields.extend(parent.map(|parent| (parent, DataType::Utf8)));
    if outlined {
        fields.push(("geometry", DataType::Binary));
    }
    schema(&fields)
}

fn codes_schema() -> SchemaRef {
    schema(&[
        ("liste", DataType::Utf8),
        ("rang", DataType::Int64),
        ("code", DataType::Utf8),
        ("libelle", DataType::Utf8),
        ("libelle_en", DataType::Utf8),
    ])
}

/// Schema of a table of rejects: [`REJECT_COLUMNS`], then the cells that the pipeline asks for, as texts.
pub fn reject_schema(rejects: &RejectTable) -> SchemaRef {
    let [row, line, reason, column] = REJECT_COLUMNS;
    let told = [(row, DataType::Int64), (line, DataType::Int64), (reason, DataType::Utf8), (column, DataType::Utf8)];
    let cells = rejects.columns.iter().map(|(name, _)| (name.as_str(), DataType::Utf8));
    schema(&told.into_iter().chain(cells).collect::<Vec<_>>())
}

/// Names and schemas of the reference tables of a pipeline.
pub fn schemas(pipeline: &Pipeline) -> Vec<(TableName, SchemaRef)> {
    let mut schemas = vec![
        (table("communes"), communes_schema()),
        (table("departements"), territory_schema(Some("code_region"), true)),
        (table("regions"), territory_schema(None, true)),
        (table("epci"), territory_schema(None, false)),
        (table("codes"), codes_schema()),
    ];
    let rejects = pipeline.tables.iter().filter_map(|table| table.reject_table.as_ref());
    schemas.extend(rejects.map(|rejects| (rejects.table.clone(), reject_schema(rejects))));
    if pipeline.questionnaire.is_some() {
        schemas.push((table("indicateurs"), indicator_schema(false)));
        schemas.push((table("indicateurs_groupes"), indicator_schema(true)));
    }
    schemas.extend(pipeline.crosstabs.iter().map(|crosstab| (crosstab.name.clone(), crosstab_schema(crosstab))));
    schemas.extend(pipeline.longs.iter().map(|long| (long.name.clone(), long_schema(long))));
    schemas
}

/// Schema of a long table as SQL sees it: the key, then [`LONG_COLUMNS`].
fn long_schema(long: &Long) -> SchemaRef {
    let key = long.key_columns().map(|column| (column.name.as_str(), column.plain_type()));
    schema(&key.chain(LONG_COLUMNS.map(|name| (name, DataType::Utf8))).collect::<Vec<_>>())
}

/// Where the columns of a cross-table come from: it is what `count` and `GROUP BY` would make of the table. It stands for
/// itself among the tables that are read, so that it can be told from a model that reads the table.
pub(super) fn lineage(crosstab: &Crosstab) -> TableLineage {
    let by: Vec<&Column> = crosstab.by_columns().collect();
    let counted: Vec<&Column> = crosstab.question_columns().chain(crosstab.by_columns()).collect();
    let count = How::Aggregated("count".to_owned());
    let origins =
        |column: &str, from: &[&Column], how: &How| origins((&crosstab.name, &crosstab.table), column, from, how);
    let groups = by.iter().map(|column| (column.name.clone(), origins(&column.name, &[column], &How::Raw)));
    let numbers = CROSSTAB_COLUMNS.iter().map(|name| {
        let from = if COUNTS.contains(name) { counted.as_slice() } else { &[] };
        ((*name).to_owned(), origins(name, from, &count))
    });
    let columns = groups.chain(numbers).collect();
    let rows = origins("*", &by, &How::Predicate);
    TableLineage::new(crosstab.name.as_str(), columns, rows, BTreeSet::from([crosstab.name.to_string()]))
}

/// Where the columns of a long table come from: it is what `unnest` would make of each column of options. Which rows there
/// are depends on all of them.
pub(super) fn long_lineage(long: &Long) -> TableLineage {
    let listed: Vec<&Column> = long.question_columns().collect();
    let origins = |column: &str, from: &[&Column], how: &How| origins((&long.name, &long.table), column, from, how);
    let mut columns: Vec<(String, BTreeSet<Origin>)> =
        long.key_columns().map(|key| (key.name.clone(), origins(&key.name, &[key], &How::Raw))).collect();
    let [question, option] = LONG_COLUMNS;
    columns.push((question.to_owned(), BTreeSet::new()));
    columns.push((option.to_owned(), origins(option, &listed, &How::Raw)));
    let rows = origins("*", &listed, &How::Predicate);
    TableLineage::new(long.name.as_str(), columns, rows, BTreeSet::from([long.table.to_string()]))
}

/// Columns of a table as origins of a column of another that is made of it.
fn origins((name, table): (&TableName, &TableName), column: &str, from: &[&Column], how: &How) -> BTreeSet<Origin> {
    let origin = |from: &&Column| Origin {
        table: table.to_string(),
        column: from.name.clone(),
        how: how.clone(),
        path: vec![format!("{name}.{column}"), format!("{table}.{}", from.name)],
    };
    from.iter().map(origin).collect()
}

fn strings<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn shapes<'a>(codes: impl Iterator<Item = &'a str>, outlines: &BTreeMap<String, Vec<u8>>) -> ArrayRef {
    let mut builder = BinaryBuilder::new();
    codes.for_each(|code| builder.append_option(outlines.get(code)));
    Arc::new(builder.finish())
}

/// Communes of today.
pub fn communes(cog: &Cog) -> Result<RecordBatch, ArrowError> {
    let current = || cog.communes().iter().filter(|commune| commune.kind() == Kind::Commune);
    let (mut population, mut longitude, mut latitude) =
        (Int64Builder::new(), Float64Builder::new(), Float64Builder::new());
    for commune in current() {
        population.append_option(commune.population().map(i64::from));
        longitude.append_option(commune.longitude());
        latitude.append_option(commune.latitude());
    }
    RecordBatch::try_new(
        communes_schema(),
        vec![
            strings(current().map(|c| Some(c.code()))),
            strings(current().map(|c| Some(c.nom()))),
            strings(current().map(|c| Some(c.departement()))),
            strings(current().map(|c| Some(c.region()))),
            strings(current().map(|c| c.epci())),
            Arc::new(population.finish()),
            Arc::new(longitude.finish()),
            Arc::new(latitude.finish()),
        ],
    )
}

/// Départements with their outlines, where they have one.
pub fn departements(cog: &Cog, seeds: &Seeds) -> Result<Result<RecordBatch, ArrowError>, TerritoryError> {
    let outlines = seeds.departements()?;
    let all = || cog.departements().iter();
    Ok(RecordBatch::try_new(
        territory_schema(Some("code_region"), true),
        vec![
            strings(all().map(|d| Some(d.code()))),
            strings(all().map(|d| Some(d.nom()))),
            strings(all().map(|d| Some(d.region()))),
            shapes(all().map(Departement::code), &outlines),
        ],
    ))
}

/// Régions with their outlines, where they have one.
pub fn regions(cog: &Cog, seeds: &Seeds) -> Result<Result<RecordBatch, ArrowError>, TerritoryError> {
    let outlines = seeds.regions()?;
    let all = || cog.regions().iter();
    Ok(RecordBatch::try_new(
        territory_schema(None, true),
        vec![
            strings(all().map(|r| Some(r.code()))),
            strings(all().map(|r| Some(r.nom()))),
            shapes(all().map(Region::code), &outlines),
        ],
    ))
}

/// Inter-communal bodies.
pub fn epci(cog: &Cog) -> Result<RecordBatch, ArrowError> {
    let all = || cog.epci().iter();
    let columns = vec![strings(all().map(|e| Some(e.code()))), strings(all().map(|e| Some(e.nom())))];
    RecordBatch::try_new(territory_schema(None, false), columns)
}

/// Codes and labels of the lists that a pipeline's contracts use, by list.
pub fn codes(pipeline: &Pipeline) -> Result<RecordBatch, ArrowError> {
    let mut lists: BTreeMap<&str, &CodeList> = BTreeMap::new();
    let models = pipeline.models.iter().filter_map(|model| model.contract.as_deref());
    for contract in pipeline.tables.iter().map(|table| table.contract.as_ref()).chain(models) {
        for list in contract.columns.iter().filter_map(|column| column.codes.as_deref()) {
            lists.insert(&list.name, list);
        }
    }
    let all = || lists.iter().flat_map(|(name, list)| list.codes.iter().map(move |code| (*name, code)));
    let mut ranks = Int64Builder::new();
    for list in lists.values() {
        (1..).take(list.codes.len()).for_each(|rank: i64| ranks.append_value(rank));
    }
    RecordBatch::try_new(
        codes_schema(),
        vec![
            strings(all().map(|(list, _)| Some(list))),
            Arc::new(ranks.finish()),
            strings(all().map(|(_, code)| Some(code.code.as_str()))),
            strings(all().map(|(_, code)| Some(code.label.as_str()))),
            strings(all().map(|(_, code)| Some(code.label_en.as_str()))),
        ],
    )
}
