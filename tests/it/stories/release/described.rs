//! What a release says of itself to programs and to those who open its folder: Croissant, CSVW, `CITATION.cff`, `index.html`, and
//! the themes and the time of its DCAT.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{PUBLIC, SHIPPED, answer, files, sha256};
use crate::harness::sample::{agrees, answers, public_id};
use crate::harness::{Project, rows, walk};

const FOUR: [&str; 4] = ["CITATION.cff", "croissant.json", "csv-metadata.json", "index.html"];

fn parsed(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// What search engines read in the page of a folder.
fn searched(folder: &Path) -> Value {
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    let (_, rest) = page.split_once("<script type=\"application/ld+json\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// The first line of each CSV for machines, by its name.
fn headers(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let mut headers = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".csv") && !name.ends_with(".excel-fr.csv") {
            let mut reader = csv::Reader::from_path(folder.join(&name)).unwrap();
            headers.insert(name, reader.headers().unwrap().iter().map(str::to_owned).collect());
        }
    }
    headers
}

/// Every download is a file of the folder, with its size and digest; gives their names.
#[track_caller]
fn downloads(folder: &Path, described: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in list(&described["distribution"]) {
        let name = text(&file["name"]);
        let bytes = fs::read(folder.join(name)).unwrap();
        assert_eq!(file["sha256"], sha256(&bytes), "{name}");
        assert_eq!(file["contentSize"], format!("{} B", bytes.len()), "{name}");
        let release = folder.file_name().unwrap().to_string_lossy();
        let address = format!("https://donnees.example.org/{SHIPPED}/releases/{release}/{name}");
        assert_eq!(file["contentUrl"], address);
        assert!(names.insert(name.to_owned()), "{name} stands twice");
    }
    names
}

/// The folder of the newest release of a project.
fn newest(project: &Project) -> (String, std::path::PathBuf) {
    let release = project.releases(SHIPPED).pop().unwrap();
    let folder = project.path(&format!("{PUBLIC}/releases/{release}"));
    (release, folder)
}

#[test]
fn programs_that_read_croissant_find_every_data_file_and_every_column() {
    let project = Project::shipped();
    project.run();
    let (_, folder) = newest(&project);
    let dataset = parsed(&folder, "croissant.json");
    let data = [".csv", ".parquet", ".geojson", ".svg", ".png"];
    let mut expected = BTreeSet::new();
    walk(&folder, &mut |path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if data.iter().any(|ending| name.ends_with(ending)) {
            expected.insert(name);
        }
    });
    assert_eq!(downloads(&folder, &dataset), expected);
    assert_eq!(downloads(&folder, &searched(&folder)), expected);
    let headers = headers(&folder);
    let records = list(&dataset["recordSet"]);
    assert_eq!(records.len(), headers.len() - 1, "all tables, and not the dictionary");
    for table in records {
        let csv = format!("{}.csv", text(&table["name"]));
        let fields = list(&table["field"]);
        let names: Vec<&str> = fields.iter().map(|field| text(&field["name"])).collect();
        assert_eq!(names, headers[&csv], "{csv}");
        let parquet = format!("{}.parquet", text(&table["name"]));
        let read = if names.contains(&"geometry") || names.contains(&"geometrie") { &csv } else { &parquet };
        for field in fields {
            assert_eq!(field["source"]["fileObject"]["@id"], read.as_str());
            assert_eq!(field["source"]["extract"]["column"], field["name"]);
            assert!(!text(&field["description"]).is_empty());
        }
    }
    let structures = records.iter().find(|table| table["name"] == "structures").unwrap();
    assert_eq!(structures["key"], json!({"@id": "structures/id"}));
    assert_eq!(dataset["temporalCoverage"], "2024-01-01/2024-04-30");
}

#[test]
fn the_metadata_of_csv_files_fit_their_headers_and_their_cells() {
    let project = Project::shipped();
    project.run();
    let (_, folder) = newest(&project);
    let group = parsed(&folder, "csv-metadata.json");
    let mut described = BTreeMap::new();
    for table in list(&group["tables"]) {
        let columns = list(&table["tableSchema"]["columns"]);
        let names: Vec<String> = columns.iter().map(|column| text(&column["name"]).to_owned()).collect();
        for column in columns {
            assert_eq!(column["titles"]["und"], column["name"]);
            assert!(!text(&column["titles"]["fr"]).is_empty());
        }
        let rows = rows(&folder.join(text(&table["url"])));
        for (row, column) in rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column))) {
            let cell = &row[text(&column["name"])];
            if cell.is_empty() {
                assert_eq!(column["required"], false, "{column}");
                continue;
            }
            let base = column["datatype"].as_str().or_else(|| column["datatype"]["base"].as_str()).unwrap();
            let fits = match base {
                "integer" => cell.parse::<i64>().is_ok(),
                "decimal" => cell.parse::<f64>().is_ok() && !cell.contains(['e', 'E', 'n', 'N']),
                "boolean" => ["true", "false"].contains(&cell.as_str()),
                "date" => chrono::NaiveDate::parse_from_str(cell, "%Y-%m-%d").is_ok(),
                "datetime" => chrono::NaiveDateTime::parse_from_str(cell, "%Y-%m-%dT%H:%M:%S%.f").is_ok(),
                "anyURI" | "string" => true,
                other => panic!("{other} is no type that is expected"),
            };
            assert!(fits, "{cell} in {column}");
        }
        described.insert(text(&table["url"]).to_owned(), names);
    }
    assert_eq!(described, headers(&folder));
}

#[test]
fn catalogues_and_citations_say_what_the_pipeline_declares() {
    let project = Project::shipped();
    project.run();
    let (release, folder) = newest(&project);
    let dataset = parsed(&folder, "catalog.jsonld")["dcat:dataset"][0].clone();
    let themes: Vec<&str> = list(&dataset["dcat:theme"]).iter().map(|theme| text(&theme["@id"])).collect();
    let list_of = "http://publications.europa.eu/resource/authority/data-theme/";
    assert_eq!(themes, ["SOCI", "REGI"].map(|code| format!("{list_of}{code}")));
    assert_eq!(dataset["dct:temporal"]["dcat:startDate"]["@value"], "2024-01-01");
    assert_eq!(dataset["dct:temporal"]["dcat:endDate"]["@value"], "2024-04-30");
    let is_directory = |file: &&Value| file["dct:identifier"] == "structures.parquet";
    let directory = list(&dataset["dcat:distribution"]).iter().find(is_directory).unwrap();
    assert_eq!(directory["dct:title"][1]["@value"], "Directory of the structures (Parquet)");
    let citation = fs::read_to_string(folder.join("CITATION.cff")).unwrap();
    let issued = parsed(&folder, "manifest.json")["issued"].clone();
    let day = text(&issued).split('T').next().unwrap();
    for line in [
        "cff-version: 1.2.0".to_owned(),
        "type: dataset".to_owned(),
        "title: \"Coopérations territoriales : les structures qui les accompagnent (données synthétiques)\"".to_owned(),
        "license: \"etalab-2.0\"".to_owned(),
        format!("date-released: \"{day}\""),
        format!("url: \"https://donnees.example.org/{SHIPPED}/versions/{release}/\""),
        "  - name: \"Essaim (démonstration)\"".to_owned(),
    ] {
        assert!(citation.lines().any(|found| found == line), "{line}\n{citation}");
    }
    // Another theme is another release; the same words are not.
    assert!(project.run().stdout.contains("\tunchanged\t"));
    project.replace("pipelines/cooperations-territoriales.toml", "[\"SOCI\", \"REGI\"]", "[\"SOCI\"]");
    assert!(project.run().stdout.contains("\tpublished\t"));
}

#[test]
fn the_folder_of_a_release_opens_on_a_page_whose_links_all_lead_somewhere() {
    let project = Project::shipped();
    project.run();
    let (release, folder) = newest(&project);
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    let document = roxmltree::Document::parse_with_options(
        &page,
        roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() },
    )
    .unwrap();
    let mut links = BTreeSet::new();
    for link in document.descendants().filter_map(|node| node.attribute("href")) {
        if link.starts_with("https://") {
            let known = [format!("versions/{release}/"), String::new()];
            let known = known.map(|end| format!("https://donnees.example.org/{SHIPPED}/{end}"));
            assert!(known.iter().any(|known| known == link), "{link}");
        } else if !link.starts_with("data:") {
            assert!(folder.join(link).is_file(), "{link}");
            links.insert(link.to_owned());
        }
    }
    let files = files(&project, &format!("{PUBLIC}/releases/{release}"));
    let unlinked: Vec<&String> = files.keys().filter(|name| !links.contains(*name)).collect();
    assert!(unlinked.iter().all(|name| name.starts_with("schemas/") || *name == "index.html"), "{unlinked:?}");
}

#[test]
fn what_an_erased_release_says_of_itself_is_of_its_own_files_and_tells_no_place() {
    let project = Project::shipped();
    let shows = |answer: &Value| agrees(answer, "bf_consentement") && agrees(answer, "bf_consentement_reponses");
    let page = answers().into_iter().find(|(_, answer)| shows(answer)).unwrap().0;
    answer(&project, &page, "bf_titre", "Zyxomma");
    project.run();
    let (old, folder) = newest(&project);
    assert!(searched(&folder)["spatialCoverage"].is_object());
    let before = rows(&folder.join("structures.csv")).len();
    project.essaim(&["releases", "erase", SHIPPED, "--key", &page, "--because", "Essai."]).expect(0);
    let (new, folder) = newest(&project);
    assert_eq!(new, format!("{old}-r1"));
    let croissant = downloads(&folder, &parsed(&folder, "croissant.json"));
    assert_eq!(downloads(&folder, &searched(&folder)), croissant);
    assert!(searched(&folder)["spatialCoverage"].is_null());
    for name in FOUR {
        let said = fs::read_to_string(folder.join(name)).unwrap();
        assert!(said.contains(&format!("/{new}/")) || name == "index.html", "{name}");
        for gone in [format!("/{old}/"), format!("dition {old}."), format!("dition {old},"), format!("dition {old} ")] {
            assert!(!said.contains(&gone), "{name} says {gone}");
        }
        assert!(!said.contains("Zyxomma") && !said.contains(&public_id(&page)), "{name}");
    }
    let size = fs::metadata(folder.join("structures.csv")).unwrap().len();
    let tenths = (size * 10 + 500) / 1000;
    let told = format!(
        "<td class=\"number\">{}</td><td class=\"number\">{},{}\u{A0}ko</td></tr>",
        before - 1,
        tenths / 10,
        tenths % 10
    );
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    let line = page.lines().find(|line| line.contains("href=\"structures.csv\"")).unwrap();
    assert!(line.ends_with(&told), "{line}\n{told}");
}
