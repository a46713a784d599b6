//! `csv-metadata.json`: the CSV files for machines, column by column, as CSV on the Web has it.
//!
//! The CSV for spreadsheets is not described: it holds the same rows, and its times with a fraction behind a comma are nothing
//! that the standard has a format for.

use serde_json::{Map, Value, json};

use super::table_schema::{Dialect, description, foreign_keys, pattern, table_description};
use super::{Context, TableFiles, keywords, licence_address};
use crate::contract::{Column, Contract, Kind, Scalar};
use crate::publish::format::Content;

/// The dictionary of the columns, whose own columns are these: name, title, and whether every row has it.
const DICTIONARY: [(&str, &str, bool); 8] = [
    ("table", "Table", true),
    ("colonne", "Colonne", true),
    ("type", "Type", true),
    ("titre", "Titre", true),
    ("description", "Description", false),
    ("unite", "Unité", false),
    ("obligatoire", "Obligatoire", true),
    ("codes", "Codes et libellés", false),
];

/// Describes the CSV files of a release.
pub fn csvw(context: &Context<'_>, tables: &[TableFiles<'_>]) -> Value {
    let written = tables.iter().flat_map(|table| {
        let csv = table.files.iter().filter(|file| file.content == Content::Csv);
        csv.map(|file| described(&file.path, table.contract, context)).collect::<Vec<_>>()
    });
    let others = context.others.iter().filter(|file| file.path == "dictionary.csv");
    json!({
        "@context": ["http://www.w3.org/ns/csvw", { "@language": "fr" }],
        "dc:title": context.full_title(),
        "dc:description": context.full_description(),
        "dc:identifier": context.page_url(),
        "dc:publisher": context.publisher.name,
        "dc:license": { "@id": licence_address(context.licence) },
        "dc:issued": { "@value": context.issued, "@type": "xsd:dateTime" },
        "dcat:keyword": keywords(context),
        "schema:version": context.version,
        "lang": "fr",
        "null": [""],
        // A cell that begins with `#` begins no comment.
        "dialect": {
            "encoding": "utf-8",
            "delimiter": ",",
            "lineTerminators": ["\r\n"],
            "quoteChar": "\"",
            "doubleQuote": true,
            "commentPrefix": null,
            "header": true,
        },
        "tables": written.chain(others.map(|file| dictionary(&file.path))).collect::<Vec<_>>(),
    })
}

fn described(path: &str, contract: &Contract, context: &Context<'_>) -> Value {
    let mut title = vec![json!(contract.title)];
    if let Some(english) = &contract.title_en {
        title.push(json!({ "@value": english, "@language": "en" }));
    }
    let columns: Vec<Value> = contract.public_columns().map(|column| described_column(contract, column)).collect();
    let mut schema = json!({ "columns": columns });
    let public = |name: &String| contract.public_columns().any(|column| column.name == *name);
    if !contract.primary_key.is_empty() && contract.primary_key.iter().all(public) {
        schema["primaryKey"] = json!(contract.primary_key);
    }
    let keys = links(contract, context);
    if !keys.is_empty() {
        schema["foreignKeys"] = Value::Array(keys);
    }
    json!({
        "url": path,
        "dc:title": title,
        "dc:description": table_description(contract, context),
        "tableSchema": schema,
    })
}

/// Links to published tables. An empty cell leads nowhere, which the standard calls a mistake; a list of codes names several
/// rows, and stands for one value there.
fn links(contract: &Contract, context: &Context<'_>) -> Vec<Value> {
    let leads = |name: &Value| {
        let column = name.as_str().and_then(|name| contract.column(name));
        column.is_some_and(|column| column.required && !matches!(column.kind, Kind::Codes | Kind::Texts))
    };
    let keys = foreign_keys(contract, context).into_iter();
    let keys = keys.filter(|key| key["fields"].as_array().is_some_and(|fields| fields.iter().all(leads)));
    let link = |key: Value| {
        let table = key["reference"]["resource"].as_str().filter(|table| !table.is_empty());
        json!({
            "columnReference": key["fields"],
            "reference": {
                "resource": format!("{}.csv", table.unwrap_or(contract.name.as_str())),
                "columnReference": key["reference"]["fields"],
            },
        })
    };
    keys.map(link).collect()
}

/// A validator finds the header among the titles, so that it stands there as a title in no language.
fn titles(name: &str, french: &str, english: Option<&str>) -> Value {
    let mut titles = json!({ "und": name, "fr": french });
    if let Some(english) = english {
        titles["en"] = json!(english);
    }
    titles
}

fn described_column(contract: &Contract, column: &Column) -> Value {
    let mut described = json!({
        "name": column.name,
        "titles": titles(&column.name, &column.title, column.title_en.as_deref()),
        "dc:description": description(contract, column, Dialect::Schema),
        "datatype": datatype(column),
        "required": column.required,
    });
    if matches!(column.kind, Kind::Codes | Kind::Texts) {
        described["separator"] = json!("|");
    }
    described
}

/// The type of a column: a word where there is no more to say than that.
fn datatype(column: &Column) -> Value {
    let base = match column.kind {
        Kind::Integer => "integer",
        // Numbers are never written with an exponent.
        Kind::Number => "decimal",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Uri => "anyURI",
        Kind::Text | Kind::Siret | Kind::Code | Kind::Codes | Kind::Texts | Kind::Geometry => "string",
    };
    let limits = limits(column);
    if limits.is_empty() {
        return json!(base);
    }
    let mut datatype = Map::from_iter([("base".to_owned(), json!(base))]);
    datatype.extend(limits);
    Value::Object(datatype)
}

fn limits(column: &Column) -> Map<String, Value> {
    let mut limits = Map::new();
    let mut put = |key: &str, value: Value| {
        limits.insert(key.to_owned(), value);
    };
    match column.kind {
        Kind::Boolean => put("format", json!("true|false")),
        Kind::Integer | Kind::Number | Kind::Date | Kind::DateTime => {
            let (above, below) = column.exclusive_bounds;
            let bounds = [
                ("minInclusive", column.minimum),
                ("maxInclusive", column.maximum),
                ("minExclusive", above),
                ("maxExclusive", below),
            ];
            for (key, bound) in bounds.into_iter().filter_map(|(key, bound)| Some((key, bound?))) {
                put(key, column.spelled(&Scalar::Number(bound)));
            }
        }
        Kind::Text | Kind::Uri | Kind::Siret => {
            if let Some(pattern) = pattern(column) {
                put("format", json!(pattern));
            }
            for (key, length) in [("minLength", column.min_length), ("maxLength", column.max_length)] {
                if let Some(length) = length {
                    put(key, json!(length));
                }
            }
        }
        Kind::Code | Kind::Codes | Kind::Texts | Kind::Geometry => {}
    }
    limits
}

fn dictionary(path: &str) -> Value {
    let column = |(name, title, required): (&str, &str, bool)| {
        let datatype = match name {
            "obligatoire" => json!({ "base": "boolean", "format": "true|false" }),
            _ => json!("string"),
        };
        json!({ "name": name, "titles": titles(name, title, None), "datatype": datatype, "required": required })
    };
    json!({
        "url": path,
        "dc:title": ["Dictionnaire des tables et des colonnes"],
        "dc:description": "Une ligne par colonne publiée.",
        "tableSchema": {
            "columns": DICTIONARY.map(column),
            "primaryKey": ["table", "colonne"],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::metadata::tests::{PLACED, PLAIN, Sample, files, other};

    fn described(sample: &Sample) -> Value {
        let (structures, regions) = (files("structures", &PLAIN), files("regions", &PLACED));
        let others = [other("dictionary.csv", None), other("changes.html", None)];
        let context = Context { others: &others, ..sample.context(true) };
        let tables = [
            TableFiles { contract: &sample.structures, files: &structures },
            TableFiles { contract: &sample.regions, files: &regions },
        ];
        csvw(&context, &tables)
    }

    fn column<'v>(table: &'v Value, name: &str) -> &'v Value {
        let columns = table["tableSchema"]["columns"].as_array().unwrap();
        columns.iter().find(|column| column["name"] == name).unwrap()
    }

    #[test]
    fn each_csv_for_machines_is_described_and_no_other_file() {
        let group = described(&Sample::new());
        let urls: Vec<&Value> = group["tables"].as_array().unwrap().iter().map(|table| &table["url"]).collect();
        assert_eq!(urls, ["structures.csv", "regions.csv", "dictionary.csv"]);
        assert!(group["dc:title"].as_str().unwrap().contains("synthétiques"), "{group}");
        assert_eq!(group["dc:license"]["@id"], "https://www.etalab.gouv.fr/licence-ouverte-open-licence");
        assert_eq!((&group["null"], &group["dialect"]["commentPrefix"]), (&json!([""]), &Value::Null));
    }

    #[test]
    fn columns_have_the_types_titles_and_limits_of_the_contract_and_none_is_personal() {
        let group = described(&Sample::new());
        let table = &group["tables"][0];
        let names: Vec<&str> =
            table["tableSchema"]["columns"].as_array().unwrap().iter().filter_map(|c| c["name"].as_str()).collect();
        let expected = ["id", "statut", "statuts", "effectif", "part", "ouvert", "depuis", "code_region"];
        assert_eq!(names, expected);
        assert!(!group.to_string().contains("courriel"), "{group}");
        let id = column(table, "id");
        assert_eq!(id["datatype"], json!({"base": "string", "format": "[a-z][0-9]"}));
        assert_eq!((&id["required"], &id["titles"]), (&json!(true), &json!({"und": "id", "fr": "Identifiant"})));
        let staff = column(table, "effectif");
        assert_eq!(staff["datatype"], json!({"base": "integer", "minInclusive": 0}));
        assert_eq!(staff["titles"], json!({"und": "effectif", "fr": "Effectif", "en": "Staff"}));
        assert_eq!(column(table, "part")["datatype"], json!({"base": "decimal", "maxInclusive": 0.5}));
        assert_eq!(column(table, "ouvert")["datatype"], json!({"base": "boolean", "format": "true|false"}));
        assert_eq!(column(table, "depuis")["datatype"], "date");
        let several = column(table, "statuts");
        assert_eq!((&several["datatype"], &several["separator"]), (&json!("string"), &json!("|")));
        assert!(column(table, "statut").get("separator").is_none());
    }

    #[test]
    fn keys_lead_to_the_csv_of_published_tables_only() {
        let group = described(&Sample::new());
        let schema = &group["tables"][0]["tableSchema"];
        assert_eq!(schema["primaryKey"], json!(["id"]));
        let link = json!({
            "columnReference": ["code_region"],
            "reference": {"resource": "regions.csv", "columnReference": ["code"]},
        });
        assert_eq!(schema["foreignKeys"], json!([link]));
    }

    #[test]
    fn the_dictionary_has_the_columns_that_are_described() {
        let empty = crate::publish::dictionary::Dictionary {
            title: String::new(),
            description: String::new(),
            release: None,
            licence_title: String::new(),
            licence_url: String::new(),
            publisher: String::new(),
            synthetic: false,
            notes: Vec::new(),
            tables: Vec::new(),
        };
        let header = crate::publish::dictionary::csv(&empty);
        let names: Vec<&str> = DICTIONARY.iter().map(|(name, ..)| *name).collect();
        assert_eq!(header, format!("{}\r\n", names.join(",")));
    }
}
