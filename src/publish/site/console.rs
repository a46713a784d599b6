//! `sql.html`: how to query a dataset. With script and a server that runs SQL it is a console; without, it says how to
//! query the same tables elsewhere.

use minijinja::context;
use serde::Serialize;
use serde_json::Value;

use super::read::{Facts, Release, TableFacts, text};
use super::words::Language;
use super::{page, texts};
use crate::publish::PublishError;
use crate::release::TableRecord;

/// The page of a language, in the folder of the dataset.
pub(super) fn path(language: Language) -> &'static str {
    match language {
        Language::French => "sql.html",
        Language::English => "en/sql.html",
    }
}

#[derive(Serialize)]
struct Example {
    title: &'static str,
    query: String,
}

#[derive(Serialize)]
struct Table<'a> {
    name: &'a str,
    title: &'a str,
    columns: Vec<Column<'a>>,
    parquet: Option<String>,
}

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    title: String,
    lang: &'static str,
    kind: &'a str,
}

/// The page; none while no release is published.
pub(super) fn page(language: Language, facts: &Facts) -> Result<Option<String>, PublishError> {
    let Some(release) = &facts.release else { return Ok(None) };
    let manifest = &release.manifest;
    let schema = facts.dataset.sql_name();
    let tables: Vec<Table<'_>> = release.tables.iter().map(|table| described(language, release, table)).collect();
    let homepage = text(&release.package["homepage"]);
    let root = homepage.strip_suffix(&format!("{}/", facts.dataset)).unwrap_or(&homepage);
    let file = "sql.html";
    let render = || {
        let environment = page::environment(language, file)?;
        environment.get_template(file)?.render(context! {
            dataset => facts.dataset.as_str(),
            title => manifest.title,
            synthetic => manifest.synthetic,
            release => manifest.release.as_str(),
            schema,
            examples => examples(language, &schema, release),
            parquet => tables.iter().find_map(|table| table.parquet.clone()),
            tables,
            root,
        })
    };
    render().map(Some).map_err(page::drawn(file))
}

fn described<'a>(language: Language, release: &'a Release, table: &'a TableFacts) -> Table<'a> {
    let record = &table.record;
    let mut resources = release.package["resources"].as_array().into_iter().flatten();
    let resource = resources.find(|resource| resource["name"] == record.name.as_str());
    let fields = resource.and_then(|resource| resource["schema"]["fields"].as_array());
    let title = |column: &str| {
        let field = fields.into_iter().flatten().find(|field| field["name"] == column);
        let said = |title: Option<&Value>| title.map(text).filter(|title| !title.is_empty());
        let english = said(field.map(|field| &field["essaim"]["title_en"])).filter(|_| language == Language::English);
        match english {
            Some(title) => (title, "en"),
            None => (said(field.map(|field| &field["title"])).unwrap_or_default(), "fr"),
        }
    };
    let columns = record.columns.iter().map(|column| {
        let (title, lang) = title(&column.name);
        Column { name: &column.name, title, lang, kind: &column.kind }
    });
    let path = format!("{}.parquet", record.name);
    let has = table.files.iter().any(|file| file.path == path);
    let parquet = has.then(|| format!("{}{path}", text(&release.package["id"])));
    Table { name: &record.name, title: &record.title, columns: columns.collect(), parquet }
}

/// Queries that this dataset can answer.
fn examples(language: Language, schema: &str, release: &Release) -> Vec<Example> {
    let said = texts::of(language);
    let title = |key: &str| said.get(key).copied().unwrap_or_default();
    let tables = || release.tables.iter().map(|table| &table.record);
    let has = |table: &TableRecord, name: &str| table.columns.iter().any(|column| column.name == name);
    let mut examples = Vec::new();
    let key_figures =
        tables().find(|table| table.name == super::KEY_FIGURES && has(table, "libelle") && has(table, "pourcentage"));
    if let Some(table) = key_figures {
        let query = format!("SELECT libelle, pourcentage, n, base\nFROM {schema}.{}", table.name);
        examples.push(Example { title: title("sql_example_figures"), query });
    }
    if let Some(table) = tables().find(|table| has(table, "region") && has(table, "longitude")) {
        let query = format!(
            "SELECT region, count(*) AS n\nFROM {schema}.{}\nGROUP BY region\nORDER BY n DESC, region",
            table.name
        );
        examples.push(Example { title: title("sql_example_regions"), query });
    }
    let placed = release.layers.first().map(|layer| layer.table.as_str());
    if let Some(table) = tables().find(|table| placed == Some(table.name.as_str())).or_else(|| tables().next()) {
        let query = format!("SELECT *\nFROM {schema}.{}\nLIMIT 10", table.name);
        examples.push(Example { title: title("sql_example_rows"), query });
        let pinned = format!("\"{schema}@{}\".{}", release.manifest.release, table.name);
        let query = format!("SELECT count(*) AS n\nFROM {pinned}");
        examples.push(Example { title: title("sql_example_release"), query });
    }
    examples
}
