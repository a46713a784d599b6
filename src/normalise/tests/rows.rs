//! Which rows stay, which go and why.

use std::fmt::Write as _;

use rstest::rstest;

use super::{Collected, comma, fail_csv, keyed_table, part, run, run_csv, table};
use crate::config::pipeline::{Keep, Place, ReaderSpec, RejectRule, Secret};
use crate::normalise::{
    BATCH_ROWS, Chunk, ChunkSink, NormaliseError, Normaliser, PLACE_TEXTS, ROW, SinkError, staged_schema,
};

const TYPED: &str = r#"{"name": "n", "type": "integer", "essaim": {"status": true}}, {"name": "d", "type": "date"},
    {"name": "b", "type": "boolean"}, {"name": "t", "type": "string"}"#;

#[test]
fn batches_have_a_fixed_number_of_rows() {
    let mut text = String::from("id,n,d,b,t\n");
    for row in 0..20_000 {
        writeln!(text, "{row},{row},2024-01-01,oui,x").unwrap();
    }
    let table = keyed_table(TYPED, &[]);
    let (summary, out) = run_csv(&table, text);
    let sizes: Vec<usize> = out.chunks.iter().map(|chunk| chunk.batch.num_rows()).collect();
    assert_eq!(sizes, [BATCH_ROWS, BATCH_ROWS, 20_000 - 2 * BATCH_ROWS]);
    assert_eq!((summary.read, summary.kept), (20_000, 20_000));
    assert!(out.chunks.iter().all(|chunk| chunk.batch.schema() == staged_schema(&table)));
    assert_eq!(out.rows(), (1..=20_000).collect::<Vec<u64>>());
}

#[test]
fn long_lists_are_handed_on_before_the_batch_is_full() {
    let mut text = String::from("id,n,d,b,t\n");
    for row in 0..20_000 {
        writeln!(text, "{},1,2024-01-01,oui,x", if row % 10 == 0 { row.to_string() } else { String::new() }).unwrap();
    }
    let (summary, out) = run_csv(&keyed_table(TYPED, &[]), text);
    assert!(out.chunks.iter().all(|chunk| chunk.rejects.len() <= 8192));
    assert_eq!((summary.kept, summary.rejected), (2_000, 18_000));
    assert_eq!(out.rejects().len(), 18_000);
}

#[rstest]
#[case::empty_key(",1,2024-01-01,oui,x", "cle_manquante", "La clé `id` est vide.")]
#[case::three_cells_that_fit_one_cell_further(
    "k,x,12,2024-01-01,oui",
    "cellules_decalees",
    "3 cellules ne conviennent pas à leur colonne et conviennent à une cellule plus à droite : elles sont décalées."
)]
#[case::an_empty_key_in_a_shifted_row(
    ",k,12,2024-01-01,oui",
    "cellules_decalees",
    "3 cellules ne conviennent pas à leur colonne et conviennent à une cellule plus à droite : elles sont décalées."
)]
fn rows_are_rejected_with_a_reason(#[case] line: &str, #[case] reason: &str, #[case] detail: &str) {
    let (summary, out) = run_csv(&keyed_table(TYPED, &[]), format!("id,n,d,b,t\n{line}\nz,1,,,\n"));
    assert_eq!(out.rejects(), [(1, Some(2), reason)]);
    assert_eq!(out.chunks[0].rejects[0].detail, detail);
    assert_eq!((summary.read, summary.kept, summary.rejected, summary.unfit), (2, 1, 1, 0));
    assert_eq!(out.rows(), [2]);
}

#[test]
fn two_cells_that_do_not_fit_are_listed_and_the_row_stays() {
    let (summary, out) = run_csv(&keyed_table(TYPED, &[]), "id,n,d,b,t\nk,oui,x,non,1\n");
    assert_eq!(out.unfit(), [(1, "n", "oui", "nombre_illisible"), (1, "d", "x", "date_illisible")]);
    assert_eq!(out.chunks[0].unfit[0].key, "k");
    assert_eq!((out.column("n"), out.column("n_statut")), (vec!["∅".to_owned()], vec!["unknown".to_owned()]));
    assert_eq!((summary.kept, summary.unfit), (1, 2));
}

#[test]
fn rows_whose_columns_have_a_wrong_type_in_the_contract_stay_and_are_not_called_shifted() {
    let mut text = String::from("id,n,d,b,t\n");
    for row in 1..=30 {
        writeln!(text, "{row},lot {row},au printemps,sur rendez-vous,x").unwrap();
    }
    let (summary, out) = run_csv(&keyed_table(TYPED, &[]), text);
    assert_eq!(out.rejects(), []);
    assert_eq!((summary.kept, summary.rejected, summary.unfit), (30, 0, 90));
    assert_eq!(out.unfit()[2], (1, "b", "sur rendez-vous", "booleen_illisible"));
}

#[rstest]
#[case::empty("k,,x", "La colonne requise `n` est vide.")]
#[case::unfit("k,douze,x", "La colonne requise `n` ne se lit pas : « douze » (nombre_illisible).")]
fn a_required_column_that_cannot_be_read_rejects_its_row(#[case] line: &str, #[case] detail: &str) {
    let more =
        r#"{"name": "n", "type": "integer", "constraints": {"required": true}}, {"name": "t", "type": "string"}"#;
    let (summary, out) = run_csv(&keyed_table(more, &[]), format!("id,n,t\n{line}\n"));
    assert_eq!(out.rejects(), [(1, Some(2), "colonne_requise_illisible")]);
    assert_eq!(out.chunks[0].rejects[0].detail, detail);
    assert_eq!((summary.unfit, out.rows().len()), (0, 0));
}

#[test]
fn a_key_that_does_not_fit_rejects_its_row() {
    let fields = r#"{"name": "siret", "type": "string", "format": "siret"}, {"name": "t", "type": "string"}"#;
    let table = table(fields, r#", "primaryKey": ["siret"]"#, &[], ReaderSpec::Csv(comma()));
    let (_, out) = run_csv(&table, "siret,t\n123,x\n732 829 320 00074,y\n");
    assert_eq!(out.rejects(), [(1, Some(2), "cle_manquante")]);
    assert_eq!(out.chunks[0].rejects[0].detail, "La clé `siret` ne se lit pas : « 123 » (siret_longueur).");
    assert_eq!(out.chunks[0].corrections[0].key, "73282932000074");
}

#[test]
fn a_declared_rule_rejects_rows_under_its_reason() {
    let mut table = keyed_table("", &[]);
    table.rejects = vec![RejectRule {
        column: "accord".into(),
        values: vec!["oui".into()],
        negated: true,
        reason: "sans_accord".into(),
        ..RejectRule::default()
    }];
    let (summary, out) = run_csv(&table, "id,accord\n1,Oui\n2,non\n3,\n");
    assert_eq!(out.rejects(), [(2, Some(3), "sans_accord"), (3, Some(4), "sans_accord")]);
    assert_eq!(
        out.chunks[0].rejects[0].detail,
        "La colonne `accord` vaut « non » : une règle du projet écarte la ligne."
    );
    assert_eq!(summary.by_reason.get("sans_accord"), Some(&2));
}

#[test]
fn a_rule_whose_column_is_gone_stops_the_run() {
    let mut table = keyed_table("", &[]);
    table.rejects = vec![RejectRule {
        column: "statut".into(),
        values: vec!["test".into()],
        reason: "essai".into(),
        ..RejectRule::default()
    }];
    let error = fail_csv(&table, "id,satut\n1,x\n");
    assert_eq!(
        error.to_string(),
        "table `t`: part `a.csv` has no column `statut`, which a rule that takes rows out looks at; did you mean `satut`?"
    );
}

#[test]
fn the_first_of_several_rows_with_one_key_stays() {
    let (summary, out) = run_csv(&keyed_table(TYPED, &[]), "id,n,d,b,t\nk,1,,,\nl,2,,,\n k ,3,,,\n");
    assert_eq!(out.column("n"), ["1", "2"]);
    assert_eq!(out.rejects(), [(3, Some(4), "doublon")]);
    assert_eq!(out.chunks[0].rejects[0].detail, "Même clé que la ligne 1, qui est gardée.");
    assert_eq!(out.chunks[0].rejects[0].raw[1], ("n".to_owned(), "3".to_owned()));
    assert_eq!((summary.kept, summary.rejected, summary.duplicates), (2, 1, vec![]));
}

#[test]
fn what_is_not_seen_makes_no_other_key_and_is_listed() {
    let text = "\u{feff}id,n\u{200b},d,b,t\nk\u{feff},1,,,👩\u{200d}🌾\n\u{200b}k,2,,,\nl\u{ad}m,3,,,\nx\u{200d},\u{200b}4,,,\n";
    let (_, out) = run_csv(&keyed_table(TYPED, &[]), text);
    assert_eq!(out.rejects(), [(2, Some(3), "doublon")]);
    assert_eq!(out.column("id"), ["k", "lm", "x"]);
    assert_eq!(
        (out.column("n"), out.column("t")[0].as_str()),
        (vec!["1".into(), "3".into(), "4".into()], "👩\u{200d}🌾")
    );
    let rule = "caracteres_de_controle";
    let told = [
        ("id", "k\u{feff}", rule, "k"),
        ("id", "l\u{ad}m", rule, "lm"),
        ("id", "x\u{200d}", rule, "x"),
        ("n", "\u{200b}4", rule, "4"),
    ];
    assert_eq!(out.corrections(), told);
}

#[test]
fn the_newest_of_several_rows_with_one_key_stays() {
    let mut table = keyed_table(TYPED, &[]);
    table.keep = Keep::Newest(2);
    let lines = "k,1,2024-01-01,,\nk,2,2023-01-01,,\nl,3,,,\nk,4,2025-01-01,,\nl,5,2020-01-01,,\n";
    let (summary, out) = run_csv(&table, format!("id,n,d,b,t\n{lines}"));
    assert_eq!(out.rows(), [1, 3, 4, 5], "rows that lose later are in the batches");
    assert_eq!(summary.duplicates, [1, 3], "and are named for whoever stores them");
    assert_eq!((summary.read, summary.kept, summary.rejected), (5, 2, 3));
    assert_eq!(out.rejects(), [(2, Some(3), "doublon"), (1, None, "doublon"), (3, None, "doublon")]);
    let details: Vec<&str> = out.chunks.iter().flat_map(|c| &c.rejects).map(|reject| reject.detail.as_str()).collect();
    assert_eq!(details[0], "Même clé que la ligne 1, qui n'est pas plus ancienne.");
    assert_eq!(details[1], "Même clé que la ligne 4, plus récente, qui est gardée.");
}

#[test]
fn keys_of_two_columns_are_told_apart_by_both() {
    let fields = r#"{"name": "a", "type": "string"}, {"name": "b", "type": "integer"}"#;
    let table = table(fields, r#", "primaryKey": ["a", "b"]"#, &[], ReaderSpec::Csv(comma()));
    let (summary, out) = run_csv(&table, "a,b\nx,1\nx,2\nx1,1\nx,1\n");
    assert_eq!((summary.kept, out.rejects()), (3, vec![(4, Some(5), "doublon")]));
}

#[test]
fn place_columns_are_left_to_a_later_step_and_their_texts_kept() {
    let more =
        r#"{"name": "commune", "type": "string", "constraints": {"required": true}, "essaim": {"status": true}}"#;
    let mut table = keyed_table(more, &[]);
    table.mappings.truncate(1);
    let from = |name: &str| vec![name.to_owned()];
    table.place =
        Some(Place { commune: from("ville"), code_postal: from("cp"), departement: from("dep"), ..Place::default() });
    let (summary, out) = run_csv(&table, "id,ville,cp\n1, L&#039;Isle ,01000\n2,,\n");
    let names: Vec<String> = staged_schema(&table).fields().iter().map(|field| field.name().clone()).collect();
    let mut expected = vec!["id", "commune", "commune_statut", ROW];
    expected.extend(PLACE_TEXTS);
    assert_eq!(names, expected);
    assert_eq!(
        (out.column("commune"), out.column("commune_statut")),
        (vec!["∅".to_owned(); 2], vec!["not_shown".to_owned(); 2])
    );
    assert_eq!(out.column("__place_commune"), ["L'Isle", "∅"]);
    assert_eq!(out.column("__place_code_postal"), ["01000", "∅"]);
    assert_eq!(out.column("__place_latitude"), ["∅", "∅"]);
    assert_eq!(summary.columns_missing, ["dep"]);
}

#[test]
fn a_sink_that_fails_ends_the_run() {
    struct Full;
    impl ChunkSink for Full {
        fn take(&mut self, _: Chunk) -> Result<(), SinkError> {
            Err("the disk is full".into())
        }
    }
    let outcome =
        Normaliser::new(&keyed_table("", &[]), &Secret::new("k")).run(vec![part("a.csv", "id\n1\n")], &mut Full);
    let error = outcome.unwrap_err();
    assert!(matches!(error, NormaliseError::Sink { .. }));
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the disk is full");
}

#[test]
fn nothing_but_a_header_makes_no_chunk() {
    let (summary, out) = run_csv(&keyed_table("", &[]), "id\n");
    assert!(out.chunks.is_empty());
    assert_eq!(summary.read, 0);
}

#[test]
fn very_long_texts_end_a_batch_early() {
    let long = "x".repeat(1 << 20);
    let mut text = String::from("id,n,d,b,t\n");
    for row in 0..40 {
        writeln!(text, "{row},,,,{long}").unwrap();
    }
    let (summary, out): (_, Collected) = run(&keyed_table(TYPED, &[]), vec![part("a.csv", text)]).unwrap();
    assert!(out.chunks.len() > 1 && out.chunks.iter().all(|chunk| chunk.batch.num_rows() <= 33));
    assert_eq!(summary.kept, 40);
}

const PLACES: &str = r#"{"name": "nom", "type": "string"}, {"name": "n", "type": "integer"}, {"name": "d", "type": "date"},
    {"name": "cp", "type": "string", "constraints": {"pattern": "^\\d{5}$"}}, {"name": "t", "type": "string"}"#;

#[rstest]
// The comma of `Le Lieu, Lyon` was not quoted, and the last cell is missing.
#[case::to_the_right("k,Le Lieu, Lyon,12,2024-01-01,69001", "droite", 3)]
#[case::to_the_left("k,12,2024-01-01,69001,x,", "gauche", 3)]
#[case::from_the_middle_on("k,Le Lieu,12,a,2024-01-01,69001", "droite", 2)]
fn a_shifted_row_with_as_many_cells_as_the_header_is_rejected(
    #[case] line: &str,
    #[case] side: &str,
    #[case] cells: usize,
) {
    let (summary, out) = run_csv(&keyed_table(PLACES, &[]), format!("id,nom,n,d,cp,t\n{line}\nz,Autre,1,,,\n"));
    assert_eq!(out.rejects(), [(1, Some(2), "cellules_decalees")]);
    let reject = &out.chunks[0].rejects[0];
    assert_eq!(
        reject.detail,
        format!(
            "{cells} cellules ne conviennent pas à leur colonne et conviennent à une cellule plus à {side} : elles sont \
             décalées."
        )
    );
    assert_eq!(reject.raw.len(), 6, "with all its cells");
    assert_eq!((summary.kept, summary.unfit, out.column("nom")), (1, 0, vec!["Autre".to_owned()]));
}

#[rstest]
#[case::wrong_in_themselves("k,Le Lieu,douze,hier,69001,x", 2)]
#[case::one_cell_alone("k,Le Lieu,douze,2024-01-01,69001,x", 1)]
fn cells_that_would_not_fit_elsewhere_are_listed_and_their_row_stays(#[case] line: &str, #[case] unfit: u64) {
    let (summary, _) = run_csv(&keyed_table(PLACES, &[]), format!("id,nom,n,d,cp,t\n{line}\n"));
    assert_eq!((summary.kept, summary.rejected, summary.unfit), (1, 0, unfit));
}
