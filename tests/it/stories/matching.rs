//! Rows that belong to rows of another table, and rejects that are published with their reasons.

use crate::harness::{Project, rows};

pub(super) const PIPELINE: &str = "pipelines/demandes.toml";

const DECLARED: &str = r#"title = "Demandes"
description = "Des demandes inventées."
licence = "etalab-2.0"
synthetic = true

[source.membres]
licence = "etalab-2.0"
file.path = "seeds/membres.csv"

[source.demandes]
licence = "etalab-2.0"
file.path = "seeds/demandes.csv"

[table.membres]
source = "membres"
csv = {}

[table.demandes]
source = "demandes"
csv = {}
duplicates = { oldest = "recue", reason = "deja_recue" }

[table.demandes.columns]
numero = "NUMERO"
recue = { from = "RECUE", format = "%d/%m/%Y" }
avis = "AVIS"

[table.demandes.match]
table = "membres"
by = [{ MEMBRE = "membre" }, { VILLE = "ville", NOM = "nom" }]
columns = { categorie = "categorie" }
missing = "membre_inconnu"

[[table.demandes.reject]]
unread = "recue"
reason = "date_illisible"

[table.demandes.rejects]
table = "rejets_demandes"
columns = { numero_brut = "NUMERO" }

[publish]
tables = ["demandes", "rejets"]
excel_fr = false
"#;

/// A project of two CSV: members, and what they ask for.
pub(super) fn project() -> Project {
    let project = Project::empty();
    project.write(
        "essaim.toml",
        "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\n\
         [publisher]\nname = \"Exemple\"\n",
    );
    project.write(PIPELINE, DECLARED);
    project.write(
        "schemas/membres.schema.json",
        r#"{"primaryKey": "membre", "fields": [
  {"name": "membre", "type": "string", "essaim": {"visibility": "public"}},
  {"name": "nom", "type": "string", "essaim": {"visibility": "public"}},
  {"name": "ville", "type": "string", "essaim": {"visibility": "public"}},
  {"name": "categorie", "type": "string", "essaim": {"visibility": "public"}}]}
"#,
    );
    project.write(
        "schemas/demandes.schema.json",
        r#"{"title": "Demandes", "primaryKey": "numero", "fields": [
  {"name": "numero", "type": "integer", "title": "Numéro", "essaim": {"visibility": "public"}},
  {"name": "recue", "type": "date", "title": "Reçue le", "essaim": {"visibility": "public"}},
  {"name": "categorie", "type": "string", "essaim": {"visibility": "public"}},
  {"name": "avis", "type": "string", "title": "Avis", "essaim": {"visibility": "public", "codes": "avis"}}]}
"#,
    );
    project.write(
        "schemas/rejets.schema.json",
        r#"{"title": "Demandes rejetées", "essaim": {"order": ["motif", "numero_brut"]}, "fields": [
  {"name": "numero_brut", "type": "string", "title": "Numéro, tel quel", "essaim": {"visibility": "public"}},
  {"name": "position", "type": "integer", "title": "Ligne du fichier", "essaim": {"visibility": "public"}},
  {"name": "motif", "type": "string", "title": "Motif", "essaim": {"visibility": "public"}}]}
"#,
    );
    project.write("sql/demandes/rejets.sql", "SELECT numero_brut, position, motif FROM rejets_demandes\n");
    project.write("seeds/codes/avis.csv", "code,label\npour,Pour\ncontre,Contre\n");
    project.write(
        "seeds/membres.csv",
        "membre,nom,ville,categorie\n0012,Les Abeilles,Saint-Brieuc,fondateur\nA7,Ruche & Cie,Rennes,adhérent\n",
    );
    project.write(
        "seeds/demandes.csv",
        "NUMERO,RECUE,MEMBRE,NOM,VILLE,AVIS,TELEPHONE\n\
         1,03/01/2026,12,,,pour,\n\
         2 ,02/01/2026,,LES ABEILLES,St Brieuc,contre,\n\
         2,01/01/2026,a7,,,pour,\n\
         3,hier,a7,,,pour,06 12 34 56 78\n\
         4,03/01/2026,Z9,,,pour,\n\
         voir jeanne@exemple.fr,03/01/2026,a7,,,pour,\n",
    );
    project
}

#[test]
fn a_release_has_what_rows_of_another_table_say_and_the_rejects_with_their_reasons() {
    let project = project();
    project.essaim(&["run"]).expect(0);
    let release = project.latest("demandes");
    let cells = |table: &str, names: &[&str]| -> Vec<Vec<String>> {
        let rows = rows(&release.join(format!("{table}.csv")));
        rows.iter().map(|row| names.iter().map(|name| row[*name].clone()).collect()).collect()
    };
    assert_eq!(
        cells("demandes", &["numero", "recue", "categorie"]),
        [["1", "2026-01-03", "fondateur"], ["2", "2026-01-01", "adhérent"]]
    );
    assert_eq!(
        cells("rejets", &["motif", "numero_brut", "position"]),
        [
            ["cle_manquante", "voir […]", "7"],
            ["date_illisible", "3", "5"],
            ["deja_recue", "2 ", "3"],
            ["membre_inconnu", "4", "6"]
        ],
        "cells are as the source has them, also of a row that an older one beat later; no address is in any"
    );
    let names: Vec<String> = std::fs::read_dir(&release)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("excel"))
        .collect();
    assert!(names.is_empty(), "no CSV for spreadsheets was wanted: {names:?}");
    project.essaim(&["releases", "verify"]).expect(0);
}

#[test]
fn a_source_without_rejects_leaves_their_table_empty() {
    let project = project();
    project.write("seeds/demandes.csv", "NUMERO,RECUE,MEMBRE,NOM,VILLE,AVIS,TELEPHONE\n1,03/01/2026,12,,,pour,\n");
    project.essaim(&["run"]).expect(0);
    assert!(project.csv("demandes", "rejets").is_empty());
    assert_eq!(project.csv("demandes", "demandes").len(), 1);
}
