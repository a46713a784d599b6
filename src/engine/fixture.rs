//! Tables for tests of the engine.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array, StringArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int16Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;

use crate::contract::arrow::{CODES_KEY, dictionary_type};
use crate::diagnostic::{Problem, SourceFile};
use crate::engine::{Engine, EngineOptions, Planned};
use crate::id::TableName;

pub(super) fn options(memory_bytes: usize) -> EngineOptions {
    EngineOptions { memory_bytes, temp_dir: temp_dir(), partitions: 4, split_files: true }
}

fn temp_dir() -> PathBuf {
    let folder = std::env::temp_dir().join("essaim-engine-tests");
    // Engines that start at once would each make it.
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// An engine without tables.
pub(super) fn engine() -> Engine {
    Engine::new(&options(256 << 20)).unwrap()
}

pub(super) fn name(text: &str) -> TableName {
    text.parse().unwrap()
}

/// Answers of a survey as they are held inside: coded.
pub(super) fn coded_schema() -> SchemaRef {
    let codes = [(CODES_KEY.to_owned(), "formation|achats|emploi".to_owned())];
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("nom", DataType::Utf8, true),
        Field::new("statut_juridique", dictionary_type(), true),
        Field::new("types", DataType::UInt64, true).with_metadata(codes.into()),
        Field::new("salaries", DataType::Int64, true),
        Field::new("budget", DataType::Float64, true),
        Field::new("contact_courriel", DataType::Utf8, true),
        Field::new("cree_le", DataType::Date32, true),
        Field::new("adherent", DataType::Boolean, true),
        Field::new("__ligne", DataType::Int64, false),
    ]))
}

pub(super) fn coded_batch() -> RecordBatch {
    let statuts: DictionaryArray<Int16Type> =
        [Some("association"), Some("sas"), None, Some("association")].into_iter().collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 3, 4])),
        Arc::new(StringArray::from(vec![Some("Ruche"), Some("Essaim"), None, Some("Miel")])),
        Arc::new(statuts),
        Arc::new(UInt64Array::from(vec![Some(0b101), Some(0b010), None, Some(0)])),
        Arc::new(Int64Array::from(vec![Some(3), None, Some(12), Some(3)])),
        Arc::new(Float64Array::from(vec![Some(10.5), Some(20.0), None, Some(0.1)])),
        Arc::new(StringArray::from(vec!["a@x.fr", "b@x.fr", "c@x.fr", "d@x.fr"])),
        Arc::new(Date32Array::from(vec![Some(19_000), None, Some(19_500), Some(18_000)])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)])),
        Arc::new(Int64Array::from(vec![7, 8, 9, 10])),
    ];
    RecordBatch::try_new(coded_schema(), columns).unwrap()
}

pub(super) fn communes_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("code", DataType::Utf8, false),
        Field::new("nom", DataType::Utf8, false),
        Field::new("population", DataType::Int64, true),
        Field::new("structure_id", DataType::Int64, true),
    ]))
}

fn communes_batch() -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["13055", "75056"])),
        Arc::new(StringArray::from(vec!["Marseille", "Paris"])),
        Arc::new(Int64Array::from(vec![873_076, 2_133_111])),
        Arc::new(Int64Array::from(vec![1, 2])),
    ];
    RecordBatch::try_new(communes_schema(), columns).unwrap()
}

/// An engine with `reponses` (coded) and `communes`.
pub(super) fn survey() -> Engine {
    let engine = engine();
    engine.register_batches(&name("reponses"), coded_schema(), vec![coded_batch()]).unwrap();
    engine.register_batches(&name("communes"), communes_schema(), vec![communes_batch()]).unwrap();
    engine
}

pub(super) fn model(sql: &str) -> Arc<SourceFile> {
    SourceFile::new("sql/coop/modele.sql", sql)
}

pub(super) fn plan(sql: &str) -> Result<Planned, Vec<Problem>> {
    survey().plan(&model(sql))
}

/// Problems as `code line:column text-under-the-caret: message; help`.
pub(super) fn told(problems: &[Problem]) -> Vec<String> {
    let told = |problem: &Problem| {
        let file = problem.file.as_ref().unwrap();
        let place = problem.label.as_ref().map_or_else(
            || "whole file".to_owned(),
            |(span, _)| {
                let (line, column) = file.position(span.start);
                format!("{line}:{column} {}", file.text.get(span.clone()).unwrap())
            },
        );
        format!("{} {place}: {}; {}", problem.code, problem.message, problem.help.as_deref().unwrap_or("NO HELP"))
    };
    problems.iter().map(told).collect()
}

pub(super) fn mistakes(sql: &str) -> Vec<String> {
    told(&plan(sql).expect_err(sql))
}

/// Answer of a query, drawn.
pub(super) async fn answer(engine: &Engine, sql: &str) -> String {
    let answer = engine.query(sql).await.unwrap();
    let batches: Vec<RecordBatch> = answer.stream.try_collect().await.unwrap();
    let drawn = pretty_format_batches(&batches).unwrap();
    drawn.to_string()
}

/// Adds a function `broken()` that breaks off in the middle of its work.
#[expect(clippy::unnecessary_wraps, reason = "other installers fail")]
pub(crate) fn install_broken(context: &SessionContext) -> Result<(), std::convert::Infallible> {
    let broken = |_: &[ColumnarValue]| -> datafusion::common::Result<ColumnarValue> { panic!("broken") };
    let types = vec![DataType::Utf8];
    context.register_udf(create_udf("broken", types, DataType::Int64, Volatility::Immutable, Arc::new(broken)));
    Ok(())
}
