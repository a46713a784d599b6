//! `croissant.json`: the release for those who train and test models on data (Croissant 1.1 of `MLCommons`).
//!
//! Records are read from the Parquet files, in which codes keep their zeros and lists are lists: readers of CSV guess. Only a table
//! with shapes is read from its CSV, which has them as text, for the standard has no word for bytes. Nothing is taken from rows.

use serde_json::{Value, json};

use super::table_schema::{Dialect, description, foreign_keys, table_description};
use super::{
    Context, SYNTHETIC, TableFiles, bare, file_title, interval, keywords, licence_address, organisation, other_title,
};
use crate::contract::{Column, Contract, Kind};
use crate::id::Digest;
use crate::publish::format::{Content, WrittenFile};

/// What the terms of the standard stand for, by its first appendix, with the words of schema.org under the address that its
/// own reader expects.
const TERMS: [(&str, &str); 45] = [
    ("@language", "fr"),
    ("@vocab", "https://schema.org/"),
    ("sc", "https://schema.org/"),
    ("cr", "http://mlcommons.org/croissant/"),
    ("rai", "http://mlcommons.org/croissant/RAI/"),
    ("dct", "http://purl.org/dc/terms/"),
    ("annotation", "cr:annotation"),
    ("arrayShape", "cr:arrayShape"),
    ("citeAs", "cr:citeAs"),
    ("column", "cr:column"),
    ("conformsTo", "dct:conformsTo"),
    ("containedIn", "cr:containedIn"),
    ("data", "cr:data"),
    ("dataType", "cr:dataType"),
    ("equivalentProperty", "cr:equivalentProperty"),
    ("examples", "cr:examples"),
    ("excludes", "cr:excludes"),
    ("extract", "cr:extract"),
    ("field", "cr:field"),
    ("fileProperty", "cr:fileProperty"),
    ("fileObject", "cr:fileObject"),
    ("fileSet", "cr:fileSet"),
    ("format", "cr:format"),
    ("includes", "cr:includes"),
    ("isArray", "cr:isArray"),
    ("isLiveDataset", "cr:isLiveDataset"),
    ("jsonPath", "cr:jsonPath"),
    ("key", "cr:key"),
    ("md5", "cr:md5"),
    ("parentField", "cr:parentField"),
    ("path", "cr:path"),
    ("readLines", "cr:readLines"),
    ("recordSet", "cr:recordSet"),
    ("references", "cr:references"),
    ("regex", "cr:regex"),
    ("repeated", "cr:repeated"),
    ("replace", "cr:replace"),
    ("samplingRate", "cr:samplingRate"),
    ("sdVersion", "cr:sdVersion"),
    ("separator", "cr:separator"),
    ("source", "cr:source"),
    ("subField", "cr:subField"),
    ("transform", "cr:transform"),
    ("unArchive", "cr:unArchive"),
    ("value", "cr:value"),
];

fn terms() -> Value {
    let terms = TERMS.iter().map(|(term, stands_for)| {
        let known = match *term {
            "data" | "examples" => json!({ "@id": stands_for, "@type": "@json" }),
            "dataType" => json!({ "@id": stands_for, "@type": "@vocab" }),
            _ => json!(stands_for),
        };
        ((*term).to_owned(), known)
    });
    Value::Object(terms.collect())
}

/// Describes the files of a release, and the records of its tables.
pub fn croissant(context: &Context<'_>, tables: &[TableFiles<'_>]) -> Value {
    let publisher = organisation(context.publisher);
    let mut dataset = json!({
        "@context": terms(),
        "@type": "sc:Dataset",
        "@id": context.release_url,
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": context.dataset.as_str(),
        "alternateName": context.full_title(),
        "description": context.full_description(),
        "url": context.page_url(),
        "license": licence_address(context.licence),
        "creator": publisher.clone(),
        "publisher": publisher,
        "datePublished": context.issued,
        "dateModified": context.issued,
        "version": context.version,
        "keywords": keywords(context),
        "inLanguage": "fr",
        "citeAs": context.citation(),
        "isLiveDataset": false,
        "isAccessibleForFree": true,
    });
    if let Some(period) = context.period {
        dataset["temporalCoverage"] = json!(interval(period));
    }
    let based_on = context.sources.iter().map(|source| {
        let mut work =
            json!({ "@type": "CreativeWork", "name": source.title, "license": licence_address(source.licence) });
        if let Some(url) = source.homepage {
            work["url"] = json!(url);
        }
        work
    });
    dataset["isBasedOn"] = based_on.collect();
    let of_tables = tables.iter().flat_map(|table| {
        let file = |file: &WrittenFile| {
            let title = file_title(table.contract, file);
            object(context, (file.path.as_str(), &title), (file.media_type, file.bytes, file.digest))
        };
        table.files.iter().map(file).collect::<Vec<_>>()
    });
    let others = context.others.iter().map(|file| {
        object(context, (file.path.as_str(), other_title(file)), (file.media_type.as_str(), file.bytes, file.sha256))
    });
    dataset["distribution"] = of_tables.chain(others).collect();
    dataset["recordSet"] = tables.iter().filter_map(|table| records(context, table)).collect();
    dataset
}

fn object(context: &Context<'_>, (path, title): (&str, &str), (media, bytes, digest): (&str, u64, Digest)) -> Value {
    let encoding = match bare(media) {
        // The second name is the one that the standard's own reader knows.
        "application/vnd.apache.parquet" => json!(["application/vnd.apache.parquet", "application/x-parquet"]),
        other => json!(other),
    };
    json!({
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "description": if context.synthetic { format!("{SYNTHETIC} {title}.") } else { format!("{title}.") },
        "contentUrl": format!("{}{path}", context.release_url),
        "contentSize": format!("{bytes} B"),
        "encodingFormat": encoding,
        "sha256": digest.to_string(),
    })
}

/// The rows of a table.
fn records(context: &Context<'_>, table: &TableFiles<'_>) -> Option<Value> {
    let contract = table.contract;
    let form = if has_shapes(contract) { Content::Csv } else { Content::Parquet };
    let file = table.files.iter().find(|file| file.content == form)?;
    let id = |column: &str| json!({ "@id": format!("{}/{column}", contract.name) });
    let links = links(contract, context);
    let fields = contract.public_columns().map(|column| field(contract, column, file, &links));
    let mut records = json!({
        "@type": "cr:RecordSet",
        "@id": contract.name.as_str(),
        "name": contract.name.as_str(),
        "description": format!("{} : {}", contract.title, table_description(contract, context)),
    });
    let public = |name: &String| contract.public_columns().any(|column| column.name == *name);
    match contract.primary_key.as_slice() {
        [column] if public(column) => records["key"] = id(column),
        [_, _, ..] if contract.primary_key.iter().all(public) => {
            records["key"] = contract.primary_key.iter().map(|column| id(column)).collect();
        }
        _ => {}
    }
    records["field"] = fields.collect();
    Some(records)
}

fn has_shapes(contract: &Contract) -> bool {
    contract.public_columns().any(|column| column.kind == Kind::Geometry)
}

/// Links between tables whose keys are read with their types: readers join them. A key of several columns has no form here,
/// for each of them by itself names several rows; nor has a table that leads to itself.
fn links(contract: &Contract, context: &Context<'_>) -> Vec<Value> {
    let leads = |link: &Value| {
        let table = link["reference"]["resource"].as_str().and_then(|table| context.published(table));
        table.is_some_and(|table| !has_shapes(table)) && link["fields"].as_array().is_some_and(|keys| keys.len() == 1)
    };
    if has_shapes(contract) { Vec::new() } else { foreign_keys(contract, context).into_iter().filter(leads).collect() }
}

fn field(contract: &Contract, column: &Column, file: &WrittenFile, links: &[Value]) -> Value {
    let is_list = matches!(column.kind, Kind::Codes | Kind::Texts);
    let mut source = json!({ "fileObject": { "@id": file.path }, "extract": { "column": column.name } });
    if is_list && file.content == Content::Csv {
        source["transform"] = json!({ "separator": "|" });
    }
    let mut field = json!({
        "@type": "cr:Field",
        "@id": format!("{}/{}", contract.name, column.name),
        "name": column.name,
        "description": said(contract, column),
        "dataType": data_type(column.kind),
    });
    if is_list {
        field["isArray"] = json!(true);
    }
    let link = links.iter().find(|link| !is_list && link["fields"][0] == column.name);
    if let Some((table, to)) = link.and_then(target) {
        field["references"] = json!({ "field": { "@id": format!("{table}/{to}") } });
    }
    field["source"] = source;
    field
}

/// Table and column that a link leads to.
fn target(link: &Value) -> Option<(&str, &str)> {
    let reference = &link["reference"];
    Some((reference["resource"].as_str()?, reference["fields"].get(0)?.as_str()?))
}

/// The title of a column and what it means, where that says more.
fn said(contract: &Contract, column: &Column) -> String {
    let meaning = description(contract, column, Dialect::Schema);
    if meaning.starts_with(&column.title) { meaning } else { format!("{} : {meaning}", column.title) }
}

fn data_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "sc:Integer",
        Kind::Number => "sc:Float",
        Kind::Boolean => "sc:Boolean",
        Kind::Date => "sc:Date",
        Kind::DateTime => "sc:DateTime",
        Kind::Uri => "sc:URL",
        Kind::Text | Kind::Siret | Kind::Code | Kind::Codes | Kind::Texts | Kind::Geometry => "sc:Text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::metadata::tests::{PLACED, PLAIN, Sample, contract, files, other};

    fn described(sample: &Sample) -> Value {
        let (structures, regions) = (files("structures", &PLAIN), files("regions", &PLACED));
        let others = [other("dictionary.csv", None)];
        let context = Context { others: &others, ..sample.context(true) };
        let tables = [
            TableFiles { contract: &sample.structures, files: &structures },
            TableFiles { contract: &sample.regions, files: &regions },
        ];
        croissant(&context, &tables)
    }

    #[test]
    fn the_dataset_says_what_the_standard_requires_and_recommends() {
        let dataset = described(&Sample::new());
        assert_eq!(dataset["conformsTo"], "http://mlcommons.org/croissant/1.1");
        assert_eq!(dataset["name"], "cooperations");
        assert!(dataset["description"].as_str().unwrap().starts_with(SYNTHETIC), "{dataset}");
        assert_eq!(dataset["license"], "https://www.etalab.gouv.fr/licence-ouverte-open-licence");
        assert_eq!(dataset["url"], "https://data.example.org/cooperations/versions/2026-11-22/");
        assert_eq!((&dataset["version"], &dataset["isLiveDataset"]), (&json!("1.2.0"), &json!(false)));
        assert_eq!(dataset["datePublished"], "2026-11-22T10:00:00+01:00");
        let organisation = json!({
            "@type": "Organization",
            "name": "Les Exemples",
            "url": "https://example.org/",
            "email": "contact@example.org",
        });
        assert_eq!(dataset["creator"], organisation);
        let licence = "Licence Ouverte / Open Licence 2.0";
        let page = "https://data.example.org/cooperations/versions/2026-11-22/";
        let title = "« Coopérations (données synthétiques) »";
        let cited = format!("Les Exemples, {title}, édition 2026-11-22, {licence}, {page}");
        assert_eq!(dataset["citeAs"], cited);
        assert_eq!(dataset["isBasedOn"][0]["license"], "https://creativecommons.org/licenses/by/4.0/");
        assert!(dataset.get("temporalCoverage").is_none());
    }

    #[test]
    fn every_file_is_there_with_its_size_and_digest() {
        let dataset = described(&Sample::new());
        let files = dataset["distribution"].as_array().unwrap();
        let names: Vec<&str> = files.iter().filter_map(|file| file["name"].as_str()).collect();
        let expected = [
            "structures.parquet",
            "structures.csv",
            "structures.excel-fr.csv",
            "regions.parquet",
            "regions.csv",
            "regions.excel-fr.csv",
            "regions.geojson",
            "dictionary.csv",
        ];
        assert_eq!(names, expected);
        let csv = &files[1];
        assert_eq!(csv["contentUrl"], "https://data.example.org/cooperations/releases/2026-11-22/structures.csv");
        assert_eq!((&csv["contentSize"], &csv["encodingFormat"]), (&json!("1234 B"), &json!("text/csv")));
        // sha256sum of the six letters `essaim`.
        assert_eq!(csv["sha256"], Digest::of(b"essaim").to_string());
    }

    #[test]
    fn records_are_the_rows_of_a_table_with_their_key_and_no_personal_column() {
        let dataset = described(&Sample::new());
        let records = &dataset["recordSet"][0];
        assert_eq!((&records["@id"], &records["key"]), (&json!("structures"), &json!({"@id": "structures/id"})));
        let fields = records["field"].as_array().unwrap();
        let types: Vec<(&str, &str)> =
            fields.iter().filter_map(|field| Some((field["name"].as_str()?, field["dataType"].as_str()?))).collect();
        let expected = [
            ("id", "sc:Text"),
            ("statut", "sc:Text"),
            ("statuts", "sc:Text"),
            ("effectif", "sc:Integer"),
            ("part", "sc:Float"),
            ("ouvert", "sc:Boolean"),
            ("depuis", "sc:Date"),
            ("code_region", "sc:Text"),
        ];
        assert_eq!(types, expected);
        assert!(!dataset.to_string().contains("courriel"), "{dataset}");
        let source = json!({"fileObject": {"@id": "structures.parquet"}, "extract": {"column": "statuts"}});
        assert_eq!((&fields[2]["source"], &fields[2]["isArray"]), (&source, &json!(true)));
        assert_eq!(fields[3]["description"], "Effectif. Unité : personnes.");
        let shape = &dataset["recordSet"][1]["field"][1];
        assert_eq!(
            (&shape["dataType"], &shape["source"]["fileObject"]["@id"]),
            (&json!("sc:Text"), &json!("regions.csv"))
        );
        assert!(fields[7].get("references").is_none(), "a reader of CSV takes the codes of the regions for numbers");
    }

    #[test]
    fn a_column_leads_to_the_key_of_a_published_table() {
        let sample = Sample::new();
        let field = |name: &str| json!({"name": name, "type": "string", "essaim": {"visibility": "public"}});
        let to = |table: &str, from: &[&str], fields: &[&str]| json!({"fields": from, "reference": {"resource": table, "fields": fields}});
        let lieux = contract(
            "lieux",
            &json!({
                "fields": [field("id"), field("reseau"), field("voisin"), field("a"), field("b"), field("ailleurs")],
                "primaryKey": ["id"],
                "foreignKeys": [
                    to("reseaux", &["reseau"], &["code"]),
                    to("", &["voisin"], &["id"]),
                    to("reseaux", &["a", "b"], &["code", "nom"]),
                    to("inconnus", &["ailleurs"], &["id"]),
                ],
            })
            .to_string(),
        );
        let reseaux = contract(
            "reseaux",
            &json!({"fields": [field("code"), field("nom")], "primaryKey": ["code", "nom"]}).to_string(),
        );
        let context = Context { tables: vec![&lieux, &reseaux], ..sample.context(false) };
        let (of_lieux, of_reseaux) = (files("lieux", &PLAIN), files("reseaux", &PLAIN));
        let tables =
            [TableFiles { contract: &lieux, files: &of_lieux }, TableFiles { contract: &reseaux, files: &of_reseaux }];
        let dataset = croissant(&context, &tables);
        let links: Vec<(&str, &str)> = dataset["recordSet"][0]["field"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|field| Some((field["name"].as_str()?, field["references"]["field"]["@id"].as_str()?)))
            .collect();
        assert_eq!(links, [("reseau", "reseaux/code")]);
        let key = json!([{"@id": "reseaux/code"}, {"@id": "reseaux/nom"}]);
        assert_eq!(dataset["recordSet"][1]["key"], key);
    }
}
