//! Files as they are found: what the reader cannot be sure of is told, and no row is published shifted.

use serde_json::Value;

use crate::harness::Project;

const ESSAIM: &str = r#"[project]
public_url = "https://donnees.example.org/"
key = "essaim-demonstration-key"

[publisher]
name = "Essaim (démonstration)"

[stores]
private = "data/private"
public = "data/public"
"#;

fn project(file: &str, bytes: impl AsRef<[u8]>, table: &str, fields: &str) -> Project {
    let project = Project::empty();
    project.write("essaim.toml", ESSAIM);
    let head = "title = \"Lieux\"\ndescription = \"Des lieux inventés.\"\nlicence = \"etalab-2.0\"\nsynthetic = true\n";
    let source = format!("[source.lieux]\nlicence = \"etalab-2.0\"\nfile.path = \"seeds/{file}\"\n");
    let publish = "[publish]\ntables = [\"lieux\"]\n";
    project.write(
        "pipelines/lieux.toml",
        format!("{head}\n{source}\n[table.lieux]\nsource = \"lieux\"\n{table}\n{publish}"),
    );
    let head = "{\"title\": \"Lieux\", \"description\": \"Des lieux inventés.\", \"primaryKey\": \"id\", \"fields\": [";
    project.write("schemas/lieux.schema.json", format!("{head}{fields}]}}"));
    project.write(&format!("seeds/{file}"), bytes);
    project
}

fn field(name: &str, kind: &str) -> String {
    format!(
        "{{\"name\": \"{name}\", \"type\": \"{kind}\", \"title\": \"{name}\", \"description\": \"{name}\", \
         \"essaim\": {{\"visibility\": \"public\"}}}}"
    )
}

fn published(project: &Project) -> String {
    std::fs::read_to_string(project.latest("lieux").join("lieux.csv")).unwrap()
}

#[test]
fn a_row_that_an_unquoted_separator_shifted_is_listed_and_not_published() {
    let text = "id,nom,ouverture,places,note\n1,La Halle,2019-04-01,12,\n2,Le Lieu, Lyon,2020-05-02,30\n3,Trop,2021-01-01,3,x,y\n\
                4,Peu,2021-01-01\n5,L'Usine,hier,40,\n";
    let fields = [
        field("id", "string"),
        field("nom", "string"),
        field("ouverture", "date"),
        field("places", "integer"),
        field("note", "string"),
    ];
    let project = project("lieux.csv", text, "csv = {}", &fields.join(", "));
    project.run();
    let rejects = project.ledger("rejects", "lieux");
    let seen: Vec<(&str, &str)> = rejects.iter().map(|row| (&*row["ligne"], &*row["motif"])).collect();
    assert_eq!(seen, [("2", "cellules_decalees"), ("3", "nombre_de_cellules"), ("4", "nombre_de_cellules")]);
    let raw: Value = serde_json::from_str(&rejects[0]["brut"]).unwrap();
    assert_eq!((raw["nom"].as_str(), raw["ouverture"].as_str()), (Some("Le Lieu"), Some(" Lyon")));
    let unfit = project.ledger("unfit", "lieux");
    assert_eq!((unfit.len(), &*unfit[0]["valeur"]), (1, "hier"));
    let ids: Vec<String> =
        published(&project).lines().skip(1).map(|line| line.split(',').next().unwrap().into()).collect();
    assert_eq!(ids, ["1", "5"]);
}

#[test]
fn a_file_in_lambert_93_is_not_read_as_degrees() {
    let shape = "{\"type\": \"Feature\", \"properties\": {\"id\": \"1\"}, \"geometry\": {\"type\": \"Point\", \
                 \"coordinates\": [652469.02, 6862035.26]}}";
    let crs = "{\"type\": \"name\", \"properties\": {\"name\": \"urn:ogc:def:crs:EPSG::2154\"}}";
    let text = format!("{{\"type\": \"FeatureCollection\", \"crs\": {crs}, \"features\": [{shape}]}}");
    let table =
        "geojson = {}\n[table.lieux.place]\nlongitude = \"geometry.longitude\"\nlatitude = \"geometry.latitude\"\n";
    let fields = [field("id", "string"), field("longitude", "number"), field("latitude", "number")].join(", ");
    let project = project("lieux.geojson", text, table, &fields);
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("write `crs = \"EPSG:2154\"` in `[table.lieux.place]`"), "{}", output.stderr);
    project.replace("pipelines/lieux.toml", "[table.lieux.place]", "[table.lieux.place]\ncrs = \"EPSG:2154\"");
    project.run();
    let row = published(&project).lines().nth(1).unwrap().to_owned();
    // Paris; IGN's formulas (NT/G 71) give 2.3522 and 48.8566.
    assert!(row.starts_with("1,2.35") && row.contains(",48.85"), "{row}");
}

#[test]
fn a_download_that_was_cut_is_no_fault_of_the_json() {
    use std::io::Write as _;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(format!("[{}{{\"id\": \"z\"}}]", "{\"id\": \"a\"},".repeat(2000)).as_bytes()).unwrap();
    let bytes = packed.finish().unwrap();
    let project = project("lieux.json.gz", &bytes[..bytes.len() / 2], "json = {}", &field("id", "string"));
    let output = project.essaim(&["run"]).expect(1);
    assert!(
        output.stderr.contains("the gzip file ends in the middle: check that the download is whole"),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("readable JSON"), "{}", output.stderr);
}

#[test]
fn a_handle_that_a_spreadsheet_would_run_blocks_and_the_summary_says_what_to_write() {
    let fields = [field("id", "string"), field("compte", "string")].join(", ");
    let table = "csv = {}\n[table.lieux.columns]\nid = \"id\"\ncompte = \"Compte\"\n";
    let project = project("lieux.csv", "id,Compte\n1,@lareseau\n2,lagrange\n", table, &fields);
    let said = project.essaim(&["run"]).expect(1).stderr;
    assert!(said.contains("block no_formula of `lieux`: 1 rows") && said.contains("row 1: compte"), "{said}");
    // What it says to write is written as it stands.
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let derive = lines.iter().position(|line| *line == "[table.lieux.derive]").expect("a line to write");
    let derived = format!("{}\n{}\n", lines[derive], lines[derive + 1].replace("SOURCE", "Compte"));
    assert_eq!(lines[derive + 2], "[table.lieux.columns]");
    project.replace("pipelines/lieux.toml", "compte = \"Compte\"", lines[derive + 3]);
    project.replace("pipelines/lieux.toml", "[table.lieux.columns]", &format!("{derived}[table.lieux.columns]"));
    project.run();
    assert!(published(&project).contains("1,lareseau"), "{}", published(&project));
}

#[test]
fn a_key_that_the_file_does_not_have_is_told_with_the_file() {
    let fields = [field("id", "string"), field("nom", "string")].join(", ");
    let project = project("lieux.csv", "numero,nom\n1,a\n", "csv = {}", &fields);
    let said = project.essaim(&["run"]).expect(1).stderr;
    assert!(said.contains("part `seeds/lieux.csv` has no column `id`"), "{said}");
    let said = project.essaim(&["check", "--sample", "2"]).stderr;
    assert!(!said.contains("``"), "{said}");
}

#[test]
fn a_row_of_one_typed_column_that_a_separator_shifted_is_not_published() {
    let line = |row: u32| format!("{row},Lieu {row},2019-04-0{row},calme\n");
    let rows = (1..=9).map(line).collect::<Vec<_>>().concat();
    let text = format!("id,nom,ouverture,note\n{rows}k,Le Lieu, Lyon,2020-05-02\n");
    let fields = [field("id", "string"), field("nom", "string"), field("ouverture", "date"), field("note", "string")];
    let project = project("lieux.csv", text, "csv = {}", &fields.join(", "));
    project.run();
    let rejects = project.ledger("rejects", "lieux");
    assert_eq!((rejects.len(), &*rejects[0]["motif"]), (1, "cellules_decalees"));
    assert!(!published(&project).contains("Lyon"));
}
