use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::contract::parse::{CodeLists, parse};
use crate::contract::{CodeList, Column};
use crate::diagnostic::{Problems, SourceFile};
use crate::id::Digest;
use crate::publish::format::Content;

const STRUCTURES: &str = r#"{
  "title": "Structures",
  "description": "Une ligne par structure",
  "essaim": {"title_en": "Organisations"},
  "fields": [
    {"name": "id", "title": "Identifiant", "example": "a1", "type": "string",
     "constraints": {"required": true, "pattern": "[a-z][0-9]"}, "essaim": {"visibility": "public"}},
    {"name": "courriel", "type": "string", "essaim": {"visibility": "personal"}},
    {"name": "statut", "title": "Statut", "type": "string", "essaim": {"visibility": "public", "codes": "statut"}},
    {"name": "statuts", "title": "Statuts", "type": "list",
     "essaim": {"visibility": "public", "codes": "statut", "multi": true}},
    {"name": "effectif", "title": "Effectif", "type": "integer", "constraints": {"minimum": 0},
     "essaim": {"visibility": "public", "unit": "personnes", "title_en": "Staff"}},
    {"name": "part", "title": "Part", "type": "number", "constraints": {"maximum": 0.5}, "essaim": {"visibility": "public"}},
    {"name": "ouvert", "title": "Ouvert", "type": "boolean", "essaim": {"visibility": "public"}},
    {"name": "depuis", "title": "Depuis", "type": "date", "essaim": {"visibility": "public"}},
    {"name": "code_region", "title": "Région", "type": "string", "constraints": {"required": true},
     "essaim": {"visibility": "public"}}
  ],
  "primaryKey": ["id"],
  "foreignKeys": [
    {"fields": ["code_region"], "reference": {"resource": "regions", "fields": ["code"]}},
    {"fields": ["code_region"], "reference": {"resource": "communes", "fields": ["code"]}}
  ]
}"#;

const REGIONS: &str = r#"{
  "title": "Régions",
  "fields": [
    {"name": "code", "title": "Code", "type": "string", "essaim": {"visibility": "public"}},
    {"name": "geometrie", "title": "Contour", "type": "geojson", "essaim": {"visibility": "public"}}
  ],
  "primaryKey": ["code"],
  "essaim": {"geometry": {"column": "geometrie"}}
}"#;

pub(super) fn contract(table: &str, json: &str) -> Contract {
    let problems = Problems::default();
    let codes = SourceFile::new("seeds/codes/statut.csv", "code,label\nassociation,Association\nscic.1,SCIC\n");
    let list: Arc<CodeList> = CodeList::parse("statut", &codes, &problems).unwrap();
    let lists = CodeLists::from([("statut".to_owned(), list)]);
    let file = SourceFile::new(format!("schemas/{table}.schema.json"), json);
    parse(&table.parse().unwrap(), &file, &lists, &problems).unwrap()
}

/// Everything that a context borrows.
pub(super) struct Sample {
    dataset: DatasetId,
    release: ReleaseId,
    pub(super) publisher: Publisher,
    keywords: Vec<String>,
    pub(super) structures: Contract,
    pub(super) regions: Contract,
}

impl Sample {
    pub(super) fn new() -> Self {
        Self {
            dataset: "cooperations".parse().unwrap(),
            release: "2026-11-22".parse().unwrap(),
            publisher: Publisher {
                name: "Les Exemples".to_owned(),
                url: Some("https://example.org/".to_owned()),
                email: Some("contact@example.org".to_owned()),
            },
            keywords: vec!["coopération".to_owned()],
            structures: contract("structures", STRUCTURES),
            regions: contract("regions", REGIONS),
        }
    }

    pub(super) fn context(&self, synthetic: bool) -> Context<'_> {
        Context {
            dataset: &self.dataset,
            title: "Coopérations",
            description: "Qui coopère avec qui.",
            version: "1.2.0".to_owned(),
            licence: "etalab-2.0",
            synthetic,
            keywords: &self.keywords,
            themes: &[],
            period: None,
            release: &self.release,
            issued: "2026-11-22T10:00:00+01:00",
            publisher: &self.publisher,
            sources: vec![Citation {
                title: "Registre",
                publisher: Some("L'Institut"),
                homepage: Some("https://example.org/registre"),
                licence: "CC-BY-4.0",
            }],
            tables: vec![&self.structures, &self.regions],
            homepage: "https://data.example.org/cooperations/",
            release_url: "https://data.example.org/cooperations/releases/2026-11-22/",
            latest_url: "https://data.example.org/cooperations/latest/",
            others: &[],
        }
    }
}

pub(super) fn files(table: &str, contents: &[Content]) -> Vec<WrittenFile> {
    let file = |content: &Content| WrittenFile {
        path: content.file_name(&table.parse().unwrap()),
        content: *content,
        media_type: content.media_type(),
        bytes: 1234,
        digest: Digest::of(b"essaim"),
        sha512: String::new(),
        rows: 62,
        bbox: None,
    };
    contents.iter().map(file).collect()
}

pub(super) const PLAIN: [Content; 3] = [Content::Parquet, Content::Csv, Content::ExcelFr];
pub(super) const PLACED: [Content; 4] = [Content::Parquet, Content::Csv, Content::ExcelFr, Content::GeoJson];

fn package(sample: &Sample, synthetic: bool) -> Value {
    let (structures, regions) = (files("structures", &PLAIN), files("regions", &PLACED));
    let tables = [
        TableFiles { contract: &sample.structures, files: &structures },
        TableFiles { contract: &sample.regions, files: &regions },
    ];
    datapackage(&sample.context(synthetic), &tables)
}

fn resource<'v>(package: &'v Value, name: &str) -> &'v Value {
    package["resources"].as_array().unwrap().iter().find(|resource| resource["name"] == name).unwrap()
}

fn field<'v>(schema: &'v Value, name: &str) -> &'v Value {
    schema["fields"].as_array().unwrap().iter().find(|field| field["name"] == name).unwrap()
}

#[test]
fn a_schema_has_all_public_columns_and_no_other() {
    let sample = Sample::new();
    let schema = table_schema(&sample.structures, &sample.context(false));
    let names: Vec<&str> = schema["fields"].as_array().unwrap().iter().filter_map(|f| f["name"].as_str()).collect();
    let public: Vec<&str> = sample.structures.public_columns().map(|column: &Column| column.name.as_str()).collect();
    assert_eq!(names, public);
    let text = schema.to_string();
    assert!(!text.contains("essaim") && !text.contains("courriel"), "{text}");
}

#[rstest]
#[case::pattern_as_declared("id", json!({"required": true, "pattern": "[a-z][0-9]"}))]
#[case::codes("statut", json!({"enum": ["association", "scic.1"]}))]
#[case::whole_bound("effectif", json!({"minimum": 0}))]
#[case::decimal_bound("part", json!({"maximum": 0.5}))]
#[case::none("depuis", Value::Null)]
fn constraints_are_those_of_the_contract(#[case] name: &str, #[case] expected: Value) {
    let sample = Sample::new();
    let schema = table_schema(&sample.structures, &sample.context(false));
    assert_eq!(field(&schema, name)["constraints"], expected);
}

#[test]
fn labels_stand_in_the_descriptions_of_a_schema_and_in_the_categories_of_a_package() {
    let sample = Sample::new();
    let schema = table_schema(&sample.structures, &sample.context(false));
    let labels = "`association` (Association), `scic.1` (SCIC).";
    assert_eq!(field(&schema, "statut")["description"], format!("Statut. Un code : {labels}"));
    let several = format!("Statuts. Un ou plusieurs codes, séparés par `|` : {labels}");
    assert_eq!(field(&schema, "statuts")["description"], several);
    assert_eq!(field(&schema, "effectif")["description"], "Effectif. Unité : personnes.");
    let package = package(&sample, false);
    let statut = field(&resource(&package, "structures")["schema"], "statut");
    assert_eq!(statut["categories"][1], json!({"value": "scic.1", "label": "SCIC"}));
    assert_eq!(statut["description"], "Statut");
}

#[test]
fn a_list_is_a_list_in_a_schema_and_anything_in_a_package() {
    let sample = Sample::new();
    let schema = table_schema(&sample.structures, &sample.context(false));
    let list = field(&schema, "statuts");
    assert_eq!((&list["type"], &list["delimiter"], &list["itemType"]), (&json!("list"), &json!("|"), &json!("string")));
    let package = package(&sample, false);
    let any = field(&resource(&package, "structures")["schema"], "statuts");
    assert_eq!((&any["type"], &any["delimiter"], &any["itemType"]), (&json!("any"), &json!("|"), &json!("string")));
}

#[test]
fn the_package_lists_every_file_with_its_digest() {
    let package = package(&Sample::new(), false);
    let names: Vec<&str> = package["resources"].as_array().unwrap().iter().filter_map(|r| r["name"].as_str()).collect();
    let expected = [
        "structures-parquet",
        "structures",
        "structures-excel-fr",
        "regions-parquet",
        "regions",
        "regions-excel-fr",
        "regions-geojson",
    ];
    assert_eq!(names, expected);
    for resource in package["resources"].as_array().unwrap() {
        assert_eq!(resource["hash"], format!("sha256:{}", Digest::of(b"essaim")));
        let is_parquet = resource["path"].as_str().unwrap().ends_with(".parquet");
        assert_eq!(resource.get("bytes").is_none(), is_parquet, "{}", resource["name"]);
    }
    assert_eq!(package["created"], "2026-11-22T10:00:00+01:00");
    assert_eq!(package["sources"][0]["licenses"][0]["name"], "CC-BY-4.0");
    assert_eq!(package["licenses"][0]["path"], "https://www.etalab.gouv.fr/licence-ouverte-open-licence");
}

#[test]
fn the_french_csv_has_a_schema_of_its_own() {
    let package = package(&Sample::new(), false);
    let french = resource(&package, "structures-excel-fr");
    assert_eq!(french["dialect"]["delimiter"], ";");
    assert_eq!(field(&french["schema"], "part")["decimalChar"], ",");
    assert_eq!(field(&french["schema"], "ouvert")["trueValues"], json!(["vrai"]));
    assert_eq!(field(&french["schema"], "depuis")["format"], "%d/%m/%Y");
}

#[test]
fn only_links_to_published_tables_are_told() {
    let package = package(&Sample::new(), false);
    let keys = &resource(&package, "structures")["schema"]["foreignKeys"];
    let expected = json!([{"fields": ["code_region"], "reference": {"resource": "regions", "fields": ["code"]}}]);
    assert_eq!(*keys, expected);
}

#[test]
fn synthetic_data_say_so_wherever_they_are_described() {
    let sample = Sample::new();
    let package = package(&sample, true);
    assert_eq!(package["title"], "Coopérations (données synthétiques)");
    assert!(package["description"].as_str().unwrap().starts_with(SYNTHETIC));
    for resource in package["resources"].as_array().unwrap() {
        assert!(resource["description"].as_str().unwrap().starts_with(SYNTHETIC));
    }
    let context = sample.context(true);
    assert!(table_schema(&sample.regions, &context)["description"].as_str().unwrap().starts_with(SYNTHETIC));
    assert!(readme(&context, &[], &[]).contains(SYNTHETIC) && licence_notice(&context).contains("synthétiques"));
    let plain = sample.context(false);
    assert!(!readme(&plain, &[], &[]).contains("ynthétiques"));
}

#[test]
fn the_readme_has_the_addresses_of_its_release() {
    let sample = Sample::new();
    let (structures, regions) = (files("structures", &PLAIN), files("regions", &PLACED));
    let tables = [
        TableFiles { contract: &sample.structures, files: &structures },
        TableFiles { contract: &sample.regions, files: &regions },
    ];
    let text = readme(&sample.context(false), &tables, &[]);
    let base = "https://data.example.org/cooperations/releases/2026-11-22/";
    for line in [
        format!("SELECT * FROM read_parquet('{base}structures.parquet') LIMIT 10;"),
        format!("table = pd.read_parquet(\"{base}structures.parquet\")"),
        format!("table <- read_parquet(\"{base}structures.parquet\")"),
        format!("places = gpd.read_file(\"{base}regions.geojson\")"),
        format!("{base}structures.excel-fr.csv"),
        "| [regions.geojson](regions.geojson) | Régions, GeoJSON (WGS 84) | 62 | 1234 |".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.ends_with("excel-fr.csv\n```\n"), "{text}");
}

/// A file that is no table's.
pub(super) fn other(path: &str, rows: Option<u64>) -> FileRecord {
    FileRecord {
        path: path.to_owned(),
        media_type: crate::store::media_type_of(path).to_owned(),
        bytes: 77,
        sha256: Digest::of(b"changes"),
        rows,
    }
}

#[test]
fn files_that_are_no_tables_are_named_too() {
    let sample = Sample::new();
    let others = [
        other("dictionary.csv", None),
        other("changes.parquet", Some(3)),
        other("changes.json", None),
        other("changes.html", None),
    ];
    let context = Context { others: &others, ..sample.context(false) };
    let package = datapackage(&context, &[]);
    let list = resource(&package, "changes-parquet");
    assert_eq!((&list["format"], list.get("bytes")), (&json!("apache-parquet"), None));
    assert_eq!(list["hash"], format!("sha256:{}", Digest::of(b"changes")));
    assert_eq!(resource(&package, "dictionary-csv")["title"], "Dictionnaire des tables et des colonnes (CSV)");
    let page = resource(&package, "changes-html");
    assert_eq!(
        (&page["path"], &page["bytes"], &page["mediatype"]),
        (&json!("changes.html"), &json!(77), &json!("text/html"))
    );
    let text = readme(&context, &[], &[]);
    let line = "| [changes.parquet](changes.parquet) | Changements depuis l’édition précédente, un par ligne (Parquet) | 3 | 77 |";
    assert!(text.lines().any(|found| found == line), "{text}");
    assert!(text.contains("| [changes.html](changes.html) |"), "{text}");
}

#[test]
fn the_licence_file_names_the_licence_and_the_source() {
    let text = licence_notice(&Sample::new().context(false));
    assert!(text.contains("Licence Ouverte / Open Licence 2.0 (etalab-2.0)"));
    assert!(text.contains("https://www.etalab.gouv.fr/licence-ouverte-open-licence"));
    assert!(text.contains("Les Exemples, « Coopérations », édition 2026-11-22"));
}

fn dcat_of(sample: &Sample, context: &Context<'_>) -> Value {
    let files = files("structures", &PLAIN);
    let offered = files.iter().map(|file| Distribution {
        path: file.path.clone(),
        title: file_title(&sample.structures, file),
        title_en: file_title_en(&sample.structures, file),
        media_type: file.media_type.to_owned(),
        bytes: file.bytes,
        sha512: String::new(),
        schema: None,
    });
    let offer = Offer { frequency: "DAILY", bounds: None, engine: "essaim", files: offered.collect() };
    dcat(context, &offer)["dcat:dataset"][0].clone()
}

#[test]
fn a_catalogue_names_the_themes_and_the_time_that_are_declared() {
    let sample = Sample::new();
    let plain = dcat_of(&sample, &sample.context(false));
    assert!(plain.get("dcat:theme").is_none() && plain.get("dct:temporal").is_none(), "{plain}");
    let themes =
        [Theme { code: "SOCI", name: "Population et société" }, Theme { code: "REGI", name: "Régions et villes" }];
    let period = Period { from: chrono::NaiveDate::from_ymd_opt(2024, 1, 17), to: None };
    let context = Context { themes: &themes, period: Some(period), ..sample.context(false) };
    let dataset = dcat_of(&sample, &context);
    let theme = |code: &str, name: &str| {
        json!({
            "@id": format!("http://publications.europa.eu/resource/authority/data-theme/{code}"),
            "@type": "skos:Concept",
            "skos:prefLabel": {"@value": name, "@language": "fr"},
        })
    };
    let expected = json!([theme("SOCI", "Population et société"), theme("REGI", "Régions et villes")]);
    assert_eq!(dataset["dcat:theme"], expected);
    let expected = json!({
        "@type": "dct:PeriodOfTime",
        "dcat:startDate": {"@value": "2024-01-17", "@type": "xsd:date"},
    });
    assert_eq!(dataset["dct:temporal"], expected);
}

#[test]
fn files_of_a_table_with_an_english_title_bear_it_too() {
    let sample = Sample::new();
    let dataset = dcat_of(&sample, &sample.context(false));
    let titles: Vec<&Value> =
        dataset["dcat:distribution"].as_array().unwrap().iter().map(|f| &f["dct:title"]).collect();
    let both = |french: &str, english: &str| json!([{"@value": french, "@language": "fr"}, {"@value": english, "@language": "en"}]);
    let expected = [
        both("Structures (Parquet)", "Organisations (Parquet)"),
        both("Structures", "Organisations"),
        both("Structures (CSV pour tableur français)", "Organisations (CSV for French spreadsheets)"),
    ];
    assert_eq!(titles, expected.iter().collect::<Vec<_>>());
    let package = package(&sample, false);
    assert_eq!(resource(&package, "structures")["essaim"], json!({"title_en": "Organisations"}));
    let regions = &files("regions", &PLACED)[1];
    assert_eq!(file_title_en(&sample.regions, regions), None);
}
