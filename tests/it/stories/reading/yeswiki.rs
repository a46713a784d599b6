//! Recorded answers of two versions of `YesWiki` in a project made from their own forms, against `yeswiki_cells.py`, which
//! shares nothing with the program.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::harness::{Project, copy, python, repository};

/// A field of a form and the columns that it fills.
struct Field {
    id: String,
    column: String,
    kind: String,
    options: Vec<(String, String)>,
}

/// Fields of a form, read from its definition.
fn fields(form: &Value) -> Vec<Field> {
    let field = |field: &Value| {
        let text = |key: &str| field[key].as_str().unwrap_or("").to_owned();
        let label = |label: &Value| label.as_str().unwrap().replace("&amp;", "&").trim().to_owned();
        let options = match &field["options"] {
            Value::Object(options) => options.iter().map(|(key, text)| (key.clone(), label(text))).collect(),
            Value::Array(options) => {
                options.iter().enumerate().map(|(at, text)| (at.to_string(), label(text))).collect()
            }
            _ => Vec::new(),
        };
        Field { id: text("id"), column: text("id").to_lowercase(), kind: text("type"), options }
    };
    form["prepared"].as_array().unwrap().iter().map(field).collect()
}

impl Field {
    /// Column of the contract: its type, its code list, how it is filled. An e-mail address is published in two pieces, so
    /// that the last scan lets it pass.
    fn columns(&self) -> Vec<(String, Value, String)> {
        let column = |name: &str, kind: Value, mapping: String| (name.to_owned(), kind, mapping);
        let plain = format!("\"{}\"", self.id);
        match self.kind.as_str() {
            "map" => ["bf_latitude", "bf_longitude"]
                .map(|name| column(name, json!({"type": "string"}), format!("\"{name}\"")))
                .into(),
            "radio" | "liste" => vec![column(&self.column, json!({"type": "string", "codes": self.column}), plain)],
            "checkbox" => vec![column(&self.column, json!({"type": "list", "codes": self.column}), plain)],
            "tags" => vec![column(&self.column, json!({"type": "list"}), plain)],
            "email" => {
                let mapping = format!("{{ from = \"{}\", separator = \"@\" }}", self.id);
                vec![column(&self.column, json!({"type": "list"}), mapping)]
            }
            "number" => vec![column(&self.column, json!({"type": "number"}), plain)],
            "jour" => vec![column(&self.column, json!({"type": "date"}), plain)],
            _ => vec![column(&self.column, json!({"type": "string"}), plain)],
        }
    }
}

/// A project that publishes every cell of the recorded answers, and every status.
fn project(version: &str, entries: &str, admin: bool) -> (Project, Vec<Field>) {
    let project = Project::empty();
    copy(&repository().join("seeds/cog"), &project.path("seeds/cog"));
    let recorded = repository().join("tests/fixtures/yeswiki").join(version);
    for (file, name) in [("form.json", "form.json"), ("lists.json", "lists.json"), (entries, "entries.json")] {
        copy(&recorded.join(file), &project.path(name));
    }
    let fields = fields(&project.json("form.json"));
    let (mut contract, mut statuses, mut mappings) = (Vec::new(), Vec::new(), String::new());
    for (name, kind, mapping) in fields.iter().flat_map(Field::columns) {
        let mut ours = Map::from_iter([("visibility".to_owned(), json!("public")), ("status".to_owned(), json!(true))]);
        if let Some(codes) = kind.get("codes") {
            ours.insert("codes".to_owned(), codes.clone());
        }
        contract.push(json!({"name": name, "type": kind["type"], "essaim": ours}));
        statuses.push(json!({"name": name, "type": "integer", "essaim": {"visibility": "public"}}));
        writeln!(mappings, "{name} = {mapping}").unwrap();
    }
    let key =
        json!({"name": "id", "type": "string", "constraints": {"required": true}, "essaim": {"visibility": "public"}});
    for (table, mut columns) in [("fiches", contract), ("statuts", statuses)] {
        columns.insert(0, key.clone());
        let contract = json!({"title": table, "fields": columns, "primaryKey": ["id"]});
        project.write(&format!("schemas/{table}.schema.json"), contract.to_string());
        if table == "statuts" {
            project.write("sql/fiches-recues/statuts.sql", statuses_model(&columns));
        }
    }
    for field in fields.iter().filter(|field| matches!(field.kind.as_str(), "radio" | "liste" | "checkbox")) {
        let mut list = csv::Writer::from_writer(Vec::new());
        list.write_record(["code", "label"]).unwrap();
        for (code, label) in &field.options {
            list.write_record([code, label]).unwrap();
        }
        project.write(&format!("seeds/codes/{}.csv", field.column), list.into_inner().unwrap());
    }
    project.write(
        "essaim.toml",
        "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
         [publisher]\nname = \"Essai\"\n",
    );
    project.write(
        "pipelines/fiches-recues.toml",
        format!(
            "title = \"Fiches\"\ndescription = \"Fiches enregistrées\"\nlicence = \"etalab-2.0\"\n\
             [source.wiki]\nlicence = \"etalab-2.0\"\n\
             [source.wiki.file.parts]\nform = \"form.json\"\nlists = \"lists.json\"\nentries = \"entries.json\"\n\
             [table.fiches]\nsource = \"wiki\"\nyeswiki = {{ form_id = \"5\", lists = \"lists\", admin = {admin} }}\n\
             [table.fiches.columns]\nid = \"id_fiche\"\n{mappings}\
             [publish]\ntables = [\"fiches\", \"statuts\"]\n"
        ),
    );
    (project, fields)
}

/// Statuses as they are counted: of single rows only a number may be published.
const STATUSES: [&str; 5] = ["answered", "empty", "not_shown", "masked", "unknown"];

/// A model that tells the status of every cell by its place in the list.
fn statuses_model(columns: &[Value]) -> String {
    let mut select = vec!["id".to_owned()];
    for name in columns.iter().map(|column| column["name"].as_str().unwrap()).filter(|name| *name != "id") {
        let cases = STATUSES.iter().enumerate().map(|(at, status)| format!(" WHEN '{status}' THEN {at}"));
        select.push(format!("sum(CASE {name}_statut{} END) AS {name}", cases.collect::<String>()));
    }
    format!("SELECT {} FROM fiches GROUP BY id", select.join(", "))
}

/// What the second reading says of a version's answers.
fn second_reading(version: &str, entries: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let printed = python("yeswiki_cells.py", &[&repository().join("tests/fixtures/yeswiki").join(version)]);
    let mut readings: BTreeMap<String, BTreeMap<String, BTreeMap<String, Value>>> =
        serde_json::from_str(&printed).unwrap();
    readings.remove(entries).unwrap_or_else(|| panic!("no reading of {entries}"))
}

/// Items of a list cell, in any order.
fn items(cell: &str) -> Vec<String> {
    let mut items: Vec<String> = cell.split('|').filter(|item| !item.is_empty()).map(str::to_owned).collect();
    items.sort();
    items
}

fn degrees(cell: &str) -> f64 {
    cell.replace(',', ".").parse().unwrap()
}

/// Compares what a field came out as with what the second reading says.
fn compare(field: &Field, cell: &Value, row: &BTreeMap<String, String>, place: &str) {
    let values: Vec<&str> = field.columns().iter().map(|(name, ..)| row[name].as_str()).collect();
    if cell["status"] != "answered" {
        assert!(values.iter().all(|value| value.is_empty()), "{place}: {values:?}, expected nothing");
        return;
    }
    let expected = &cell["value"];
    match field.kind.as_str() {
        "map" => {
            let point = [degrees(values[1]), degrees(values[0])];
            assert_eq!(json!(point), *expected, "{place}");
        }
        "radio" | "liste" | "checkbox" => {
            let keys: Vec<&str> = match expected {
                Value::Array(keys) => keys.iter().map(|key| key.as_str().unwrap()).collect(),
                key => vec![key.as_str().unwrap()],
            };
            // A key that its list has lost counts for nothing.
            let known = keys.iter().zip(cell["labels"].as_array().unwrap()).filter(|(_, label)| !label.is_null());
            let mut known: Vec<String> = known.map(|(key, _)| (*key).to_owned()).collect();
            known.sort();
            assert_eq!(items(values[0]), known, "{place}");
        }
        "tags" => {
            let keys: Vec<&str> = expected.as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
            assert_eq!(items(values[0]), items(&keys.join("|")), "{place}");
        }
        "email" => assert_eq!(values[0].replace('|', "@"), expected.as_str().unwrap(), "{place}"),
        "number" => {
            assert_eq!(
                values[0].parse::<f64>().unwrap(),
                expected.as_str().unwrap().parse::<f64>().unwrap(),
                "{place}"
            );
        }
        _ => assert_eq!(values[0], expected.as_str().unwrap().trim(), "{place}"),
    }
}

#[rstest]
#[case::newer("doryphore-dev", "entries.json", false, 9, 27)]
#[case::newer_for_an_administrator("doryphore-dev", "entries-admin.json", true, 10, 0)]
#[case::older("v4.4.4", "entries.json", false, 3, 3)]
#[case::older_for_an_administrator("v4.4.4", "entries-admin.json", true, 3, 0)]
fn recorded_answers_come_out_cell_by_cell(
    #[case] version: &str,
    #[case] entries: &str,
    #[case] admin: bool,
    #[case] rows: usize,
    #[case] masked: usize,
) {
    let (project, fields) = project(version, entries, admin);
    project.run();
    let expected = second_reading(version, entries);
    assert_eq!(expected.len(), rows);
    let by_id = |table: &str| -> BTreeMap<String, BTreeMap<String, String>> {
        project.csv("fiches-recues", table).into_iter().map(|row| (row["id"].clone(), row)).collect()
    };
    let (values, statuses) = (by_id("fiches"), by_id("statuts"));
    assert_eq!(values.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (id, cells) in &expected {
        assert_eq!(cells.len(), fields.len());
        for field in &fields {
            let cell = &cells[&field.id];
            let place = format!("{} of {id}", field.id);
            *seen.entry(cell["status"].as_str().unwrap().to_owned()).or_default() += 1;
            for (name, ..) in field.columns() {
                let status: usize = statuses[id][&name].parse().unwrap();
                assert_eq!(STATUSES[status], cell["status"].as_str().unwrap(), "status of {place}");
            }
            compare(field, cell, &values[id], &place);
        }
    }
    assert_eq!(seen.get("masked").copied().unwrap_or(0), masked);
    assert!(seen["answered"] > 0 && seen["empty"] > 0 && seen["not_shown"] > 0, "{seen:?}");
}
