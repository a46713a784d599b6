//! Contracts of the shipped project: what is promised is what is published, both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::harness::{Project, repository, walk};

const DATASET: &str = "cooperations-territoriales";

/// The schemas of the project, by table.
fn schemas() -> BTreeMap<String, Value> {
    let mut schemas = BTreeMap::new();
    walk(&repository().join("schemas"), &mut |path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let table = name.strip_suffix(".schema.json").expect("schemas/ holds schemas only");
        schemas.insert(table.to_owned(), serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap());
    });
    schemas
}

/// Stems of the project's models.
fn models() -> BTreeSet<String> {
    let mut models = BTreeSet::new();
    walk(&repository().join("sql").join(DATASET), &mut |path| {
        models.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
    });
    models
}

fn pipeline() -> toml::Table {
    fs::read_to_string(repository().join(format!("pipelines/{DATASET}.toml"))).unwrap().parse().unwrap()
}

fn published() -> Vec<String> {
    let pipeline = pipeline();
    let tables = pipeline["publish"]["tables"].as_array().unwrap();
    tables.iter().map(|table| table.as_str().unwrap().to_owned()).collect()
}

fn fields(schema: &Value) -> &Vec<Value> {
    schema["fields"].as_array().unwrap()
}

fn public(schema: &Value) -> Vec<&str> {
    let public = fields(schema).iter().filter(|field| field["essaim"]["visibility"] == "public");
    public.map(|field| field["name"].as_str().unwrap()).collect()
}

#[test]
fn every_published_table_has_a_contract() {
    let schemas = schemas();
    let published = published();
    assert!(published.len() >= 10, "{published:?}");
    for table in &published {
        assert!(schemas.contains_key(table), "{table} is published without schemas/{table}.schema.json");
        assert!(!public(&schemas[table]).is_empty(), "nothing of {table} is public");
    }
}

#[test]
fn every_model_is_published_or_read_by_one_that_is() {
    let published = published();
    let mut texts = String::new();
    walk(&repository().join("sql").join(DATASET), &mut |path| texts.push_str(&fs::read_to_string(path).unwrap()));
    for model in models() {
        let read = texts.contains(&format!("FROM {model}\n")) || texts.contains(&format!("JOIN {model} "));
        assert!(published.contains(&model) || read, "nobody sees {model}");
    }
}

#[test]
fn every_contract_belongs_to_a_table_or_a_model() {
    let pipeline = pipeline();
    let tables = pipeline["table"].as_table().unwrap();
    let models = models();
    for table in schemas().keys() {
        let used = tables.contains_key(table) || models.contains(table) || table == "indicateurs";
        assert!(used, "schemas/{table}.schema.json is the contract of nothing");
    }
}

#[test]
fn every_column_has_a_title_a_type_and_a_declared_visibility() {
    for (table, schema) in schemas() {
        assert_eq!(schema["name"], table.as_str(), "the schema's name is its table's");
        assert!(schema["title"].as_str().is_some_and(|title| !title.is_empty()), "{table} has no title");
        assert!(schema["description"].as_str().is_some_and(|text| !text.is_empty()), "{table} has no description");
        for field in fields(&schema) {
            let name = format!("{table}.{}", field["name"].as_str().unwrap());
            assert!(field["title"].as_str().is_some_and(|title| !title.is_empty()), "{name} has no title");
            assert!(field["type"].is_string(), "{name} has no type");
            let visibility = field["essaim"]["visibility"].as_str();
            assert!(matches!(visibility, Some("public" | "restricted" | "personal")), "{name} is {visibility:?}");
        }
    }
}

#[test]
fn every_contract_has_a_key_of_its_own_columns() {
    for (table, schema) in schemas() {
        let key = schema["primaryKey"].as_array().expect(&table);
        assert!(!key.is_empty(), "{table} has an empty primaryKey");
        for column in key {
            assert!(fields(&schema).iter().any(|field| field["name"] == *column), "{table} has no column {column}");
        }
    }
}

#[test]
fn published_files_hold_the_public_columns_of_their_contract_in_its_order() {
    let project = Project::shipped();
    project.run();
    let latest = project.latest(DATASET);
    let schemas = schemas();
    for table in published() {
        let expected = public(&schemas[&table]);
        let mut csv = csv::Reader::from_path(latest.join(format!("{table}.csv"))).unwrap();
        assert_eq!(csv.headers().unwrap().iter().collect::<Vec<_>>(), expected, "{table}.csv");
        let mut excel =
            csv::ReaderBuilder::new().delimiter(b';').from_path(latest.join(format!("{table}.excel-fr.csv"))).unwrap();
        let header =
            excel.headers().unwrap().iter().map(|name| name.trim_start_matches('\u{feff}')).collect::<Vec<_>>();
        assert_eq!(header, expected, "{table}.excel-fr.csv");
        let file = fs::File::open(latest.join(format!("{table}.parquet"))).unwrap();
        let parquet = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let names: Vec<&str> = parquet.schema().fields().iter().map(|field| field.name().as_str()).collect();
        let plain: Vec<&str> = names.iter().copied().filter(|name| !is_place(name, &expected)).collect();
        assert_eq!(plain, expected, "{table}.parquet");
        let text = fs::read_to_string(latest.join(format!("schemas/{table}.schema.json"))).unwrap();
        let released: Value = serde_json::from_str(&text).unwrap();
        let names: Vec<&str> = fields(&released).iter().map(|field| field["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "the released schema of {table}");
    }
    let mut tables = BTreeSet::new();
    walk(&latest, &mut |path| {
        if path.extension().is_some_and(|extension| extension == "parquet") {
            tables.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    });
    assert_eq!(tables, published().into_iter().collect::<BTreeSet<_>>(), "nothing else is published");
}

/// `GeoParquet` needs the place as a column of its own, and its frame; they say nothing that the place does not.
fn is_place(name: &str, declared: &[&str]) -> bool {
    let placed = declared.contains(&"longitude") || declared.contains(&"geometry");
    placed && !declared.contains(&name) && matches!(name, "geometry" | "bbox")
}
