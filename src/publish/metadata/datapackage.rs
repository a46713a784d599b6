//! `datapackage.json`: one descriptor of all files of a release and of their columns (Data Package 2.0).

use serde_json::{Value, json};

use super::table_schema::{Dialect, foreign_keys, schema_fields, table_description};
use super::{Context, SYNTHETIC, TableFiles, bare, keywords, licence_entry, other_title, source_entries};
use crate::contract::Contract;
use crate::publish::format::{Content, WrittenFile};
use crate::release::FileRecord;

/// Describes the tables of a release.
///
/// Two things of a Parquet resource keep frictionless-py 5 from failing on a file that is in order: its `format` is not
/// `parquet`, so that it is not read as a table, which stumbles over lists; and it has no `bytes`, which are refused of a
/// table.
pub fn datapackage(context: &Context<'_>, tables: &[TableFiles<'_>]) -> Value {
    let resources = tables
        .iter()
        .flat_map(|table| table.files.iter().map(|file| resource(table.contract, file, context)).collect::<Vec<_>>())
        .chain(context.others.iter().map(|file| other_resource(file, context)));
    json!({
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": context.dataset.as_str(),
        "id": context.release_url,
        "title": context.full_title(),
        "description": context.full_description(),
        "homepage": context.homepage,
        "version": context.version,
        "created": context.issued,
        "keywords": keywords(context),
        "licenses": [licence_entry(context.licence)],
        "contributors": [contributor(context)],
        "sources": source_entries(context),
        "resources": resources.collect::<Vec<_>>(),
    })
}

fn contributor(context: &Context<'_>) -> Value {
    let mut contributor = json!({ "title": context.publisher.name });
    if let Some(url) = &context.publisher.url {
        contributor["path"] = json!(url);
    }
    if let Some(email) = &context.publisher.email {
        contributor["email"] = json!(email);
    }
    contributor["roles"] = json!(["publisher"]);
    contributor
}

/// A file that is no table's.
fn other_resource(file: &FileRecord, context: &Context<'_>) -> Value {
    let (stem, extension) = file.path.rsplit_once('.').unwrap_or((&file.path, ""));
    let title = other_title(file);
    let mut resource = json!({
        "name": format!("{stem}-{extension}"),
        "path": file.path,
        "title": title,
        "description": if context.synthetic { format!("{SYNTHETIC} {title}.") } else { format!("{title}.") },
        "format": if extension == "parquet" { "apache-parquet" } else { extension },
        "mediatype": bare(&file.media_type),
    });
    if extension != "parquet" {
        resource["bytes"] = json!(file.bytes);
    }
    resource["hash"] = json!(format!("sha256:{}", file.sha256));
    resource
}

/// What a file of a table is for people.
pub fn file_title(contract: &Contract, file: &WrittenFile) -> String {
    let form = match file.content {
        Content::Csv => return contract.title.clone(),
        Content::ExcelFr => "CSV pour tableur français",
        Content::Parquet => "Parquet",
        Content::GeoJson => "GeoJSON",
    };
    format!("{} ({form})", contract.title)
}

/// The same in English, of a table that has an English title.
pub fn file_title_en(contract: &Contract, file: &WrittenFile) -> Option<String> {
    let title = contract.title_en.as_ref()?;
    let form = match file.content {
        Content::Csv => return Some(title.clone()),
        Content::ExcelFr => "CSV for French spreadsheets",
        Content::Parquet => "Parquet",
        Content::GeoJson => "GeoJSON",
    };
    Some(format!("{title} ({form})"))
}

fn resource(contract: &Contract, file: &WrittenFile, context: &Context<'_>) -> Value {
    let (suffix, format) = match file.content {
        Content::Csv => ("", "csv"),
        Content::ExcelFr => ("-excel-fr", "csv"),
        Content::Parquet => ("-parquet", "apache-parquet"),
        Content::GeoJson => ("-geojson", "geojson"),
    };
    let title = file_title(contract, file);
    let mut resource = json!({
        "name": format!("{}{suffix}", contract.name),
        "path": file.path,
        "title": title,
        "description": table_description(contract, context),
        "format": format,
        "mediatype": bare(file.media_type),
    });
    if file.content != Content::Parquet {
        resource["bytes"] = json!(file.bytes);
    }
    resource["hash"] = json!(format!("sha256:{}", file.digest));
    if let Some((delimiter, dialect)) = match file.content {
        Content::Csv => Some((",", Dialect::Package)),
        Content::ExcelFr => Some((";", Dialect::French)),
        Content::Parquet | Content::GeoJson => None,
    } {
        resource["type"] = json!("table");
        resource["encoding"] = json!("utf-8");
        resource["dialect"] = json!({
            "delimiter": delimiter,
            "lineTerminator": "\r\n",
            "quoteChar": "\"",
            "doubleQuote": true,
            "header": true,
        });
        if let Some(english) = contract.title_en.as_ref().filter(|_| dialect == Dialect::Package) {
            resource["essaim"] = json!({ "title_en": english });
        }
        let mut schema = schema_fields(contract, dialect);
        let keys = foreign_keys(contract, context);
        if !keys.is_empty() && dialect == Dialect::Package {
            schema.insert("foreignKeys".to_owned(), Value::Array(keys));
        }
        resource["schema"] = Value::Object(schema);
    }
    resource
}
