//! Rows that a separator shifted, and rows that only look like it.

use rstest::rstest;

use super::{keyed_table, run_csv};
use crate::config::pipeline::Place;

const NAME: &str = r#"{"name": "nom", "type": "string"}, "#;
const REST: &str =
    r#", {"name": "a", "type": "string"}, {"name": "b", "type": "string"}, {"name": "c", "type": "string"}"#;

/// Lines of so many rows.
fn rows(count: u32, line: impl Fn(u32) -> String) -> String {
    (1..=count).map(line).collect::<Vec<_>>().concat()
}

/// Rows that stand right, with a value of the typed column.
fn right(value: &str) -> String {
    rows(9, |row| format!("{row},Lieu {row},{value},un texte,un autre,\n"))
}

const DATE: (&str, &str) = (r#""type": "date""#, "2024-05-06");
const LISTS: [(&str, &str); 1] = [("etats", "ouvert,Ouvert,Open,\nferme,Fermé,Closed,\n")];

#[rstest]
#[case::by_one(DATE, "k,Le Lieu, Lyon,2024-01-01,texte,", "une cellule plus à droite")]
#[case::by_two(DATE, "k,Le Lieu, Lyon, Rhône,2024-01-01,texte", "deux cellules plus à droite")]
#[case::by_three(DATE, "k,Le Lieu, Lyon, Rhône, France,2024-01-01", "trois cellules plus à droite")]
#[case::without_blanks(DATE, "k,Le Lieu,Lyon,2024-01-01,texte,", "une cellule plus à droite")]
#[case::to_the_left(DATE, "k,2024-01-01,texte,un autre,,", "une cellule plus à gauche")]
#[case::siret((r#""type": "string", "format": "siret""#, "73282932000074"), "k,Le Lieu, Lyon,73282932000074,,", "une cellule plus à droite")]
#[case::address((r#""type": "string", "format": "uri""#, "https://a.example/"), "k,Le Lieu, Lyon,https://b.example/,,", "une cellule plus à droite")]
#[case::e_mail((r#""type": "string", "constraints": {"pattern": "[^@ ]+@[^@ ]+"}"#, "a@b.example"), "k,Le Lieu, Lyon,c@d.example,,", "une cellule plus à droite")]
#[case::code((r#""type": "string", "constraints": {"pattern": "\\d[\\dAB]\\d{3}"}"#, "35238"), "k,Le Lieu, Lyon,69123,,", "une cellule plus à droite")]
#[case::option((r#""type": "string", "essaim": {"codes": "etats"}"#, "Ouvert"), "k,Le Lieu, Lyon,Fermé,,", "une cellule plus à droite")]
#[case::number((r#""type": "integer""#, "12"), "k,Le Lieu,Lyon,30,texte,", "une cellule plus à droite")]
fn one_typed_column_tells_a_shifted_row(#[case] (kind, value): (&str, &str), #[case] line: &str, #[case] far: &str) {
    let fields = format!("{NAME}{{\"name\": \"x\", {kind}}}{REST}");
    let table = keyed_table(&fields, &LISTS);
    let text = format!("id,nom,x,a,b,c\n{}{line}\n{}", right(value), right(value).replace("Lieu", "Halle"));
    let (summary, out) = run_csv(&table, text);
    let rejects = out.rejects();
    let shifted: Vec<_> = rejects.iter().filter(|(_, _, reason)| *reason == "cellules_decalees").collect();
    assert_eq!(shifted, [&(10, Some(11), "cellules_decalees")], "{:?}", out.unfit());
    let detail = out.chunks.iter().flat_map(|chunk| &chunk.rejects).find(|reject| reject.row == 10);
    assert!(detail.unwrap().detail.contains(far), "{detail:?}");
    assert_eq!((summary.kept, summary.unfit), (9, 0));
}

#[rstest]
#[case::date(DATE.0, "k,Le Lieu, Lyon,2024-01-01,texte,")]
#[case::number_behind_a_piece_of_a_text(r#""type": "integer""#, "k,Le Lieu, Lyon,12,texte,")]
fn a_file_of_one_row_is_enough(#[case] kind: &str, #[case] line: &str) {
    let fields = format!("{NAME}{{\"name\": \"x\", {kind}}}{REST}");
    let (_, out) = run_csv(&keyed_table(&fields, &[]), format!("id,nom,x,a,b,c\n{line}\n"));
    assert_eq!(out.rejects(), [(1, Some(2), "cellules_decalees")]);
}

#[rstest]
#[case::a_telephone_in_the_place_of_a_date(DATE.0, "0102030405,texte,autre,", "2024-05-06,x,y,")]
#[case::a_word_before_a_number(r#""type": "integer""#, "douze,texte,12,", "12,x,,")]
// The column behind it holds texts of the same form in every row.
#[case::a_word_before_a_text_that_is_a_date(DATE.0, "hier,2024-01-01,,", "2024-05-06,2024-02-02,,")]
#[case::a_word_before_a_postal_code(r#""type": "integer""#, "douze,69001,Lyon,", "12,35000,Rennes,")]
#[case::a_word_before_another_address(
    r#""type": "string", "format": "uri""#,
    "en cours,https://b.example/,,",
    "https://a.example/,https://c.example/,,"
)]
#[case::a_date_that_does_not_exist(DATE.0, "2024-02-31,,,", "2024-05-06,,,")]
fn a_row_in_which_one_cell_is_wrong_is_not_called_shifted(
    #[case] kind: &str,
    #[case] cells: &str,
    #[case] right: &str,
) {
    let fields = format!("{NAME}{{\"name\": \"x\", {kind}}}{REST}");
    let rows: String = rows(9, |row| format!("{row},Lieu {row},{right}\n"));
    let (summary, out) = run_csv(&keyed_table(&fields, &[]), format!("id,nom,x,a,b,c\nk,Le Lieu,{cells}\n{rows}"));
    assert_eq!((out.rejects(), summary.kept, summary.unfit), (vec![], 10, 1));
}

#[rstest]
#[case::beside("hier,2024-01-01,,")]
#[case::two_cells_beside("hier,,2024-01-01,")]
fn a_date_that_fits_where_it_stands_proves_nothing(#[case] cells: &str) {
    let dates = r#"{"name": "x", "type": "date"}, {"name": "a", "type": "date"}, {"name": "b", "type": "date"}"#;
    let fields = format!("{NAME}{dates}, {{\"name\": \"c\", \"type\": \"string\"}}");
    let (summary, out) = run_csv(&keyed_table(&fields, &[]), format!("id,nom,x,a,b,c\nk,Le Lieu,{cells}\n"));
    assert_eq!((out.rejects(), summary.kept, summary.unfit), (vec![], 1, 1));
}

#[test]
fn a_column_with_a_wrong_type_says_nothing_though_what_stands_behind_it_would_fit() {
    let fields = format!("{NAME}{{\"name\": \"x\", \"type\": \"date\"}}{REST}");
    let rows: String = rows(100, |row| format!("{row},Lieu {row},au printemps,2024-01-01,,\n"));
    let (summary, out) = run_csv(&keyed_table(&fields, &[]), format!("id,nom,x,a,b,c\n{rows}"));
    assert_eq!((out.rejects(), summary.kept, summary.unfit), (vec![], 100, 100));
}

#[test]
fn codes_of_a_place_tell_a_shifted_row_too() {
    let mut table = keyed_table(r#"{"name": "adresse", "type": "string"}, {"name": "commune", "type": "string"}"#, &[]);
    table.mappings.truncate(2);
    let from = |name: &str| vec![name.to_owned()];
    table.place = Some(Place { code_postal: from("cp"), commune: from("ville"), ..Place::default() });
    let rows: String = rows(9, |row| format!("{row},{row} rue Haute,35000,Rennes,\n"));
    let text = format!(
        "id,adresse,cp,ville,note\n{rows}k,3 rue Basse, bâtiment B,69001,Lyon\nb,3 rue Basse,B-1000,Bruxelles,\n"
    );
    let (summary, out) = run_csv(&table, text);
    assert_eq!((out.rejects(), summary.kept), (vec![(10, Some(11), "cellules_decalees")], 10));
}

#[test]
fn what_is_derived_from_a_shifted_cell_says_nothing_against_it() {
    let fields =
        format!("{NAME}{{\"name\": \"x\", \"type\": \"date\"}}{REST}, {{\"name\": \"nombre\", \"type\": \"integer\"}}");
    let mut table = keyed_table(&fields, &[]);
    table.derived = vec![crate::config::pipeline::Derived {
        name: "nombre".into(),
        from: vec!["a".into()],
        how: crate::config::pipeline::Derivation::Take { separator: " ".into(), nth: 1 },
    }];
    let rows: String = rows(9, |row| format!("{row},Lieu {row},2024-05-06,12 places,,\n"));
    let (_, out) = run_csv(&table, format!("id,nom,x,a,b,c\n{rows}k,Le Lieu, Lyon,2024-01-01,12 places,\n"));
    assert_eq!(out.rejects(), [(10, Some(11), "cellules_decalees")]);
}
