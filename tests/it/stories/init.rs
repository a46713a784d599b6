//! From a file to a project.

use std::io::Write as _;

use crate::harness::{Project, rows};

const LIEUX: &str = "Identifiant;Nom du lieu;Statut;Code postal;Ville;Surface;Courriel du contact;Ouverture\n\
    1;Le Hangar;Association;35000;Rennes;120,5;a@example.org;01/09/2019\n\
    2;La Grange;Commune;29000;Quimper;80;b@example.org;15/01/2020\n\
    3;L’Atelier;association;22000;Saint-Brieuc;1 250,75;c@example.org;03/05/2021\n\
    4;Le Moulin;Commune;56000;Vannes;64;d@example.org;20/11/2018\n\
    5;La Halle;Association;35400;Saint-Malo;300;e@example.org;02/02/2022\n\
    6;Le Lavoir;Commune;29200;Brest;45,5;f@example.org;30/06/2017\n";

fn drafted() -> Project {
    let project = Project::empty();
    project.write("lieux.csv", LIEUX);
    let output = project.essaim(&["init", "projet", "--from", "lieux.csv"]).expect(0);
    for line in ["courriel_du_contact", "PERSONAL", "gives the place (code_postal)", "one of 2 options", "the key"] {
        assert!(output.stderr.contains(line), "{line}: {}", output.stderr);
    }
    project
}

#[test]
fn a_file_becomes_a_project_that_runs_at_once_and_publishes_nothing() {
    let project = drafted();
    let output = project.essaim(&["--project", "projet", "run"]).expect(0);
    assert!(output.stdout.ends_with("nothing-public\t-\n"), "{}", output.stdout);
    assert!(
        output.stderr.contains("6 rows, 6 kept") && output.stderr.contains("code_postal_et_nom 6"),
        "{}",
        output.stderr
    );
    assert!(!project.path("projet/data/public/lieux").exists(), "something was published");
    let schema = project.read("projet/schemas/lieux.schema.json");
    assert!(!schema.contains("\"public\"") && schema.matches("\"personal\"").count() == 1, "{schema}");
}

#[test]
fn what_a_person_makes_public_is_published_and_nothing_else() {
    let project = drafted();
    let schema = project.read("projet/schemas/lieux.schema.json");
    let public = |line: &str| {
        let names = ["identifiant", "statut", "surface", "longitude", "latitude"];
        let chosen = names.iter().any(|name| line.contains(&format!("\"name\":\"{name}\"")));
        if chosen { line.replace("\"undeclared\"", "\"public\"") } else { line.to_owned() }
    };
    let schema = schema.lines().map(public).collect::<Vec<_>>().join("\n");
    project.write("projet/schemas/lieux.schema.json", schema);
    project.replace("projet/pipelines/lieux.toml", "tables = [] ", "tables = [\"lieux\"] ");
    project.essaim(&["--project", "projet", "run"]).expect(0);
    let lieux = rows(&project.path("projet/data/public/lieux/latest/lieux.csv"));
    assert_eq!(lieux.len(), 6);
    assert_eq!(lieux[2].keys().collect::<Vec<_>>(), ["identifiant", "latitude", "longitude", "statut", "surface"]);
    assert!(
        project.path("projet/data/public/lieux/latest/lieux.geojson").exists(),
        "a map, once its columns are public"
    );
    assert_eq!((lieux[2]["statut"].as_str(), lieux[2]["surface"].as_str()), ("association", "1250.75"));
}

#[test]
fn existing_files_are_kept() {
    let project = drafted();
    project.write("projet/essaim.toml", "# à moi");
    let output = project.essaim(&["init", "projet", "--from", "lieux.csv"]).expect(2);
    assert!(output.stderr.contains("nothing is overwritten"), "{}", output.stderr);
    assert_eq!(project.read("projet/essaim.toml"), "# à moi");
}

#[test]
fn a_file_that_is_none_of_the_known_ones_is_refused_with_a_reason() {
    let project = Project::empty();
    project.write("vide.csv", "");
    let output = project.essaim(&["init", "projet", "--from", "vide.csv"]).expect(1);
    assert!(output.stderr.contains("has no header") || output.stderr.contains("no rows"), "{}", output.stderr);
    assert!(!project.path("projet").exists());
}

#[test]
fn without_a_file_a_small_project_is_written_that_publishes_at_once() {
    let project = Project::empty();
    project.essaim(&["init", "exemple"]).expect(0);
    let output = project.essaim(&["run", "--project", "exemple"]).expect(0);
    assert!(output.stdout.contains("\tpublished\t"), "{}", output.stdout);
    let latest = project.path("exemple/data/public/lieux/latest");
    let places = rows(&latest.join("lieux.csv"));
    // Of six places one is closed; `NC` is no surface, `1 250,75 m²` one.
    assert_eq!(places.len(), 5);
    let surfaces: Vec<&str> = places.iter().map(|place| place["surface"].as_str()).collect();
    assert_eq!(surfaces, ["120.5", "80", "1250.75", "", "300"]);
    assert!(places.iter().all(|place| !place.contains_key("courriel") && !place["longitude"].is_empty()));
    let regions = rows(&latest.join("lieux_par_region.csv"));
    let of = |row: &std::collections::BTreeMap<String, String>| (row["region"].clone(), row["lieux"].clone());
    let expected = [("Bretagne", "3"), ("Pays de la Loire", "2")].map(|(region, n)| (region.to_owned(), n.to_owned()));
    assert_eq!(regions.iter().map(of).collect::<Vec<_>>(), expected);
    let again = project.essaim(&["init", "exemple"]).expect(2);
    assert!(again.stderr.contains("nothing is overwritten"), "{}", again.stderr);
}

/// Drafts a project of a file, runs it, and gives what was said.
fn drafted_of(name: &str, bytes: impl AsRef<[u8]>) -> (Project, String) {
    let project = Project::empty();
    project.write(name, bytes);
    let said = project.essaim(&["init", "projet", "--from", name]).expect(0).stderr;
    let ran = project.essaim(&["--project", "projet", "run"]).expect(0);
    assert!(ran.stdout.ends_with("nothing-public\t-\n"), "{}", ran.stdout);
    (project, format!("{said}{}", ran.stderr))
}

#[test]
fn packed_files_are_unpacked_before_their_format_is_told() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(LIEUX.as_bytes()).unwrap();
    let (project, said) = drafted_of("lieux.csv.gz", gzip.finish().unwrap());
    assert!(said.contains("6 rows, 6 kept"), "{said}");
    assert!(project.read("projet/pipelines/lieux.toml").contains("delimiter = \";\""));

    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in [("autres.json", "[]"), ("export/lieux.csv", LIEUX), ("lisez-moi.pdf", "%PDF")] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    let (project, said) = drafted_of("export.zip", archive.finish().unwrap().into_inner());
    assert!(said.contains("read from its member export/lieux.csv") && said.contains("6 rows, 6 kept"), "{said}");
    assert!(said.contains("not looked at: autres.json"), "{said}");
    assert!(project.read("projet/pipelines/lieux.toml").contains("members = \"export/lieux.csv\""));
}

#[test]
fn coordinates_in_lambert_93_are_known_by_their_size() {
    let text = "id;nom;x;y\nA;un;394035,18;6700012,5\nB;deux;400100,5;6712345,25\n";
    let (project, said) = drafted_of("lieux.csv", text);
    assert!(said.contains("EPSG:2154"), "{said}");
    assert!(project.read("projet/pipelines/lieux.toml").contains("crs = \"EPSG:2154\""));
    let columns = ["longitude", "latitude"].map(|name| format!("\"name\":\"{name}\",\"type\":\"number\""));
    let schema = project.read("projet/schemas/lieux.schema.json");
    assert!(columns.iter().all(|column| schema.contains(column)), "{schema}");
}

#[test]
fn questions_with_several_answers_are_drafted_as_such() {
    let text = "id,Publics,Jours [Samedi],Jours [Dimanche],Jours [Autre]\n\
        1,Jeunes;Seniors,Oui,Non,\n2,Jeunes,Non,Oui,lundi\n3,Seniors;Familles,Oui,Oui,\n\
        4,Familles,N/A,N/A,\n5,Jeunes;Familles,Oui,Non,\n6,Seniors,Non,Non,\n";
    let (project, said) = drafted_of("reponses.csv", text);
    assert!(said.contains("several of 3 options, parted by \";\""), "{said}");
    assert!(said.contains("several of 3 options, one column each"), "{said}");
    let pipeline = project.read("projet/pipelines/reponses.toml");
    assert!(pipeline.contains("publics = { from = \"Publics\", separator = \";\" }"), "{pipeline}");
    assert!(pipeline.contains("jours = { columns = \"Jours [*]\", other = \"jours_autre\" }"), "{pipeline}");
    assert!(!said.contains("unfit"), "{said}");
}

#[test]
fn texts_that_stand_for_nothing_are_no_options() {
    let text = "id,statut,surface\n1,public,12\n2,N/A,-\n3,privé,30\n4,public,NC\n5,privé,8\n6,public,9\n7,privé,1\n";
    let (project, said) = drafted_of("lieux.csv", text);
    assert!(said.contains("read as empty: -, N/A, NC") && said.contains("one of 2 options"), "{said}");
    assert!(said.contains("surface                      whole number"), "{said}");
    assert!(project.read("projet/schemas/lieux.schema.json").contains("[\"\",\"-\",\"N/A\",\"NC\"]"));
}

#[test]
fn a_key_holds_on_all_rows() {
    // The code tells 2,500 rows apart and no more; the number tells all.
    let line = |at: u32| format!("C{},{at}\n", at.min(2500));
    let text: String = std::iter::once("code,numero\n".to_owned()).chain((1..=2600).map(line)).collect();
    let (_, said) = drafted_of("lieux.csv", text);
    assert!(said.contains("from the first 2000 of 2600 rows"), "{said}");
    let key = said.lines().find(|line| line.contains("the key")).unwrap_or_default();
    assert!(key.trim_start().starts_with("numero"), "{said}");
    assert!(said.contains("2600 rows, 2600 kept"), "{said}");
}

#[test]
fn who_wrote_an_entry_is_personal() {
    let text = "{\"A\": {\"id_fiche\": \"A\", \"bf_titre\": \"Un\", \"user\": \"MarieDupont\", \"owner\": \"MarieDupont\"},\n\
                 \"B\": {\"id_fiche\": \"B\", \"bf_titre\": \"Deux\", \"user\": \"PaulMartin\", \"owner\": \"PaulMartin\"}}";
    let (project, said) = drafted_of("entries.json", text);
    let personal: Vec<&str> = said.lines().filter(|line| line.contains("PERSONAL")).collect();
    assert_eq!(personal.len(), 2, "{said}");
    assert_eq!(project.read("projet/schemas/entries.schema.json").matches("\"personal\"").count(), 2);
}

#[test]
fn a_file_may_be_named_like_a_table_of_the_program_or_a_word_of_sql() {
    for (name, table) in [("communes.csv", "communes_source"), ("order.csv", "order_source")] {
        let (project, _) = drafted_of(name, "id,nom\n1,a\n2,b\n");
        assert!(project.path(&format!("projet/schemas/{table}.schema.json")).exists(), "{table}");
    }
}

#[test]
fn a_row_with_an_unquoted_separator_is_not_the_header() {
    let text = "id;nom;ville\n1;Un;Rennes\n2;Deux; le retour;Brest\n3;Trois;Vannes\n";
    let (project, said) = drafted_of("lieux.csv", text);
    assert!(!project.read("projet/pipelines/lieux.toml").contains("header_row"), "{said}");
    assert!(!said.contains("header at line"), "{said}");
    assert!(said.contains("3 rows, 2 kept"), "{said}");
    let titled = format!("Liste des lieux\n\nau 1er mars\n{text}");
    let (project, said) = drafted_of("lieux.csv", titled);
    assert!(said.contains("header at line 4; 3 lines above it are not read"), "{said}");
    assert!(said.contains("3 rows, 2 kept"), "{said}");
    let contract = project.json("projet/schemas/lieux.schema.json");
    let names: Vec<&str> = contract["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| ["id", "nom", "commune"].contains(name)).count(), 3, "{names:?}");
}

/// A spreadsheet of some sheets.
fn book(sheets: &[(&str, &[&[&str]])]) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    for (name, rows) in sheets {
        let page = book.add_worksheet().set_name(*name).unwrap();
        for (row, cells) in (0..).zip(*rows) {
            page.write_row(row, 0, cells.iter().copied()).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

#[test]
fn of_a_spreadsheet_the_fullest_sheet_is_read_below_its_title() {
    let rows: [&[&str]; 5] =
        [&["Liste des lieux"], &[], &["id", "nom", "ville"], &["A", "Un", "Rennes"], &["B", "Deux", "Brest"]];
    let bytes = book(&[("LISEZMOI", &[&["À lire d’abord"], &["Source : X"]]), ("Données 2024", &rows)]);
    let (project, said) = drafted_of("lieux.xlsx", bytes);
    assert!(said.contains("read from its sheet Données 2024") && said.contains("not looked at: LISEZMOI"), "{said}");
    assert!(said.contains("header at line 3; 2 lines above it are not read"), "{said}");
    assert!(said.contains("2 rows, 2 kept"), "{said}");
    let pipeline = project.read("projet/pipelines/lieux.toml");
    assert!(pipeline.contains("sheet = { sheet = \"Données 2024\", header_row = 3 }"), "{pipeline}");
}

/// Looks at a file that no project can be drafted from, and gives what was said.
fn refused(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let project = Project::empty();
    project.write(name, bytes);
    let said = project.essaim(&["init", "projet", "--from", name]).expect(1).stderr;
    assert!(!project.path("projet").exists(), "{said}");
    assert!(said.contains(name) && !said.contains("``") && !said.contains("open the address"), "{said}");
    said
}

#[test]
fn a_file_that_cannot_be_drafted_from_is_named_with_what_is_wrong_with_it() {
    let said = refused("lieux.xlsx", book(&[("LISEZMOI", &[&["À lire"]]), ("Données", &[&["id", "nom"]])]));
    assert!(said.contains("`LISEZMOI` (1 filled cells), `Données` (2 filled cells)"), "{said}");
    assert!(said.contains("sheet = \"Données\", header_row = N"), "{said}");
    let said = refused("vide.xlsx", book(&[("Feuil1", &[])]));
    assert!(said.contains("has no rows to look at") && said.contains("`Feuil1` (0 filled cells)"), "{said}");
    let said = refused("lieux.csv", "<!DOCTYPE html>\n<html><body>Connexion</body></html>\n");
    assert!(said.contains("lieux.csv: this is HTML"), "{said}");
    let said = refused("lieux.json", "{\"lieux\": [{\"id\": 1},\n {\"id\" 2}]}");
    assert!(said.contains("lieux.json is not readable JSON, line 2"), "{said}");
    let said = refused("vide.csv", "");
    assert!(said.contains("vide.csv: it has no header"), "{said}");
    let said = refused("zero.csv", ",\n\0\n");
    assert!(said.contains("no column has a name"), "{said}");
}

#[test]
fn personal_values_that_the_last_scan_knows_are_personal_in_a_draft() {
    let text = "id,divers,compte,numero_ss,gérant,ville\n\
        A,jean [at] exemple.fr,FR14 2004 1010 0505 0001 3M02 606,2 55 08 14 168 025 38,Un,Rennes\nB,,,,Deux,Brest\n";
    let (project, said) = drafted_of("lieux.csv", text);
    assert_eq!(said.matches("PERSONAL").count(), 4, "{said}");
    assert_eq!(project.read("projet/schemas/lieux.schema.json").matches("\"personal\"").count(), 4, "{said}");
}

#[test]
fn a_column_of_dates_with_a_slip_is_drafted_as_dates_and_the_slip_is_told() {
    let line = |row: u32| match row {
        7 => "7,Lieu 7,bientôt\n".to_owned(),
        row => format!("{row},Lieu {row},{:02}/03/2024\n", row % 28 + 1),
    };
    let text: String = std::iter::once("id,nom,ouverture\n".to_owned()).chain((1..=100).map(line)).collect();
    let (project, said) = drafted_of("lieux.csv", text);
    assert!(said.contains("date %d/%m/%Y, but for 1 cell") && said.contains("100 rows, 100 kept"), "{said}");
    assert!(said.contains("cells that do not fit: ouverture 1"), "{said}");
    assert!(project.read("projet/schemas/lieux.schema.json").contains("\"name\":\"ouverture\",\"type\":\"date\""));
}

#[test]
fn the_coordinate_system_that_a_file_declares_is_taken() {
    let shape = |id: u32| {
        format!(
            "{{\"type\": \"Feature\", \"properties\": {{\"id\": \"{id}\"}}, \"geometry\": {{\"type\": \"Point\", \"coordinates\": [{}.5, 5181000.5]}}}}",
            1_842_000 + id
        )
    };
    let crs = "{\"type\": \"name\", \"properties\": {\"name\": \"urn:ogc:def:crs:EPSG::3946\"}}";
    let text =
        format!("{{\"type\": \"FeatureCollection\", \"crs\": {crs}, \"features\": [{},\n{}]}}", shape(1), shape(2));
    let (project, said) = drafted_of("lieux.geojson", text);
    assert!(said.contains("coordinates in EPSG:3946"), "{said}");
    assert!(project.read("projet/pipelines/lieux.toml").contains("crs = \"EPSG:3946\""));
    assert!(!said.contains("hors_limites"), "{said}");
}

#[test]
fn a_survey_is_known_and_the_draft_says_how_to_declare_it() {
    let line = |row: usize| {
        let (status, public) = (["Oui sûrement", "Jamais"][row % 2], ["Jeunes;Seniors", "Jeunes", "Seniors"][row % 3]);
        format!("{row},2024-01-0{row},{status},{public},p{row}@example.org\n")
    };
    let text = "id,Horodateur,Statut ?,Publics,Courriel\n".to_owned() + &(1..=9).map(line).collect::<Vec<_>>().concat();
    let (project, said) = drafted_of("reponses.csv", text);
    assert!(said.contains("the rows look like people's answers"), "{said}");
    let pipeline = project.read("projet/pipelines/reponses.toml");
    assert!(pipeline.contains("#   { column = \"publics\", kind = \"multi\", base = \"answered\" },"), "{pipeline}");
    // The lines are right as they stand.
    let (before, rest) = pipeline.split_once("# [questionnaire]\n").unwrap();
    let (lines, behind) = rest.split_once("# ]\n").unwrap();
    let declared: Vec<&str> = lines.lines().map(|line| line.trim_start_matches("# ")).collect();
    let declared = format!("{before}[questionnaire]\n{}\n]\n{behind}", declared.join("\n"));
    project.write("projet/pipelines/reponses.toml", declared);
    let key = "key = \"une-cle-de-test-assez-longue\"";
    project.replace("projet/essaim.toml", "key = \"essaim-demonstration-key\"", key);
    project.essaim(&["--project", "projet", "check"]).expect(0);
}
