//! CSV as the world writes it.

use std::fmt::Write as _;
use std::io::Read;

use proptest::prelude::*;
use rstest::rstest;

use super::{Collected, comma, fail_csv, keyed_table, part, run, run_csv, table};
use crate::config::pipeline::{CsvSpec, Encoding, Layout, ReaderSpec, TableSpec};
use crate::normalise::{NormaliseError, Part};

const A: &str = r#"{"name": "a", "type": "string"}"#;

fn with(spec: CsvSpec) -> TableSpec {
    let mut table = keyed_table(A, &[]);
    table.reader = ReaderSpec::Csv(spec);
    table
}

fn pairs(out: &Collected) -> Vec<(String, String)> {
    out.column("id").into_iter().zip(out.column("a")).collect()
}

fn owned(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, a)| ((*id).to_owned(), (*a).to_owned())).collect()
}

#[rstest]
#[case::line_feeds("id,a\n1,x\n2,y\n", &[("1", "x"), ("2", "y")])]
#[case::carriage_returns("id,a\r\n1,x\r\n2,y\r\n", &[("1", "x"), ("2", "y")])]
#[case::a_byte_order_mark("\u{feff}id,a\n1,x\n", &[("1", "x")])]
#[case::a_byte_order_mark_before_a_quote("\u{feff}\"id\",a\n1,x\n", &[("1", "x")])]
#[case::no_line_end_at_the_end("id,a\n1,x\n2,y", &[("1", "x"), ("2", "y")])]
#[case::a_quote_at_the_very_end("id,a\n1,\"x\"", &[("1", "x")])]
#[case::blank_lines("\n\nid,a\n\n1,x\n\r\n\n2,y\n\n", &[("1", "x"), ("2", "y")])]
#[case::quoted_cells("id,a\n\"1\",\"x,\"\"y\"\"\nz\"\n", &[("1", "x,\"y\"\nz")])]
#[case::empty_and_quoted_empty("id,a\n1,\n2,\"\"\n", &[("1", "∅"), ("2", "∅")])]
#[case::a_header_with_blanks(" id , a\n1,x\n", &[("1", "x")])]
#[case::columns_in_another_order_and_more("b,a,id\n0,x,1\n", &[("1", "x")])]
#[case::only_a_header("id,a\n", &[])]
fn layouts_are_read(#[case] text: &str, #[case] expected: &[(&str, &str)]) {
    let (summary, out) = run_csv(&with(comma()), text);
    assert_eq!(pairs(&out), owned(expected));
    assert_eq!((summary.read, summary.rejected), (expected.len() as u64, 0));
}

#[rstest]
#[case::semicolons(CsvSpec { delimiter: b';', ..comma() }, "id;a\n1;x,y\n".into(), ("1", "x,y"))]
#[case::tabs(CsvSpec { delimiter: b'\t', ..comma() }, "id\ta\n1\tx\n".into(), ("1", "x"))]
#[case::apostrophes(CsvSpec { quote: b'\'', ..comma() }, "id,a\n1,'x,\"y'\n".into(), ("1", "x,\"y"))]
#[case::no_quotes(CsvSpec { quote: 0, ..comma() }, "id,a\n1,\"x\n".into(), ("1", "\"x"))]
#[case::a_header_further_down(CsvSpec { layout: Layout { header_row: 3, ..Layout::default() }, ..comma() }, "Titre\n\"sur\ndeux\"\nid,a\n1,x\n".into(), ("1", "x"))]
#[case::windows_1252(CsvSpec { encoding: Encoding::Windows1252, ..comma() }, b"id,a\n1,\xe9t\xe9 \x80\n".to_vec(), ("1", "été €"))]
fn declared_layouts_are_read(#[case] spec: CsvSpec, #[case] bytes: Vec<u8>, #[case] expected: (&str, &str)) {
    let (_, out) = run_csv(&with(spec), bytes);
    assert_eq!(pairs(&out), owned(&[expected]));
}

#[rstest]
#[case::too_few("id,a\n1\n2,y\n", 2)]
#[case::too_many("id,a\n1,x,z\n2,y\n", 2)]
#[case::after_line_feeds_in_cells("id,a\n0,\"p\nq\nr\"\n1\n2,y\n", 5)]
#[case::after_carriage_returns("id,a\r\n0,p\r\n1\r\n2,y\r\n", 3)]
#[case::after_blank_lines("id,a\n\n\n0,p\n\n1\n2,y\n", 6)]
#[case::with_line_feeds_itself("id,a\n0,p\n1,\"x\ny\",z\n2,y\n", 3)]
#[case::at_the_end("id,a\n0,p\n1", 3)]
fn a_row_of_another_width_is_rejected_with_its_line(#[case] text: &str, #[case] line: u64) {
    let (summary, out) = run_csv(&with(comma()), text);
    let rejects = out.rejects();
    assert_eq!(rejects.len(), 1);
    assert_eq!((rejects[0].1, rejects[0].2), (Some(line), "nombre_de_cellules"));
    assert_eq!(summary.by_reason.get("nombre_de_cellules"), Some(&1));
    assert!(!out.column("id").contains(&"1".to_owned()));
}

#[test]
fn a_reject_keeps_every_cell_under_its_name() {
    let (_, out) = run_csv(&with(comma()), "id,a\n1,x,z\n");
    let raw = &out.chunks[0].rejects[0].raw;
    let raw: Vec<(&str, &str)> = raw.iter().map(|(name, cell)| (name.as_str(), cell.as_str())).collect();
    assert_eq!(raw, [("id", "1"), ("a", "x"), ("(cellule 3)", "z")]);
    assert_eq!(out.chunks[0].rejects[0].detail, "La ligne a 3 cellules, l'en-tête en a 2.");
}

#[rstest]
#[case::one_byte(
    b"id,a\n1,ok\n2,\xe9t\xe9\n3,ok\n",
    "L'octet 0xE9, à la position 1 de la cellule 2, n'est pas de l'UTF-8."
)]
#[case::a_character_torn_by_a_delimiter(
    b"id,a\n1,ok\n2\xc3,\xa9\n3,ok\n",
    "L'octet 0xC3, à la position 2 de la cellule 1, n'est pas de l'UTF-8."
)]
#[case::a_column_that_nobody_reads(
    b"id,a,b\n1,ok,\n2,x,\xff\n3,ok,\n",
    "L'octet 0xFF, à la position 1 de la cellule 3, n'est pas de l'UTF-8."
)]
fn a_row_that_is_not_text_is_rejected_alone(#[case] bytes: &[u8], #[case] detail: &str) {
    let (summary, out) = run_csv(&with(comma()), bytes);
    assert_eq!(out.column("id"), ["1", "3"]);
    assert_eq!(out.rejects(), [(2, Some(3), "texte_illisible")]);
    assert_eq!(out.chunks.last().unwrap().rejects[0].detail, detail);
    assert_eq!((summary.read, summary.kept, summary.rejected), (3, 2, 1));
}

#[test]
fn rows_of_several_parts_are_numbered_through() {
    let parts = vec![part("a.csv", "id,a\n1,x\n"), part("b.csv", "a,id\ny,2\n,3\n")];
    let (summary, out) = run(&with(comma()), parts).unwrap();
    assert_eq!((summary.read, out.rows()), (3, vec![1, 2, 3]));
    assert_eq!(pairs(&out), owned(&[("1", "x"), ("2", "y"), ("3", "∅")]));
}

#[test]
fn a_column_that_one_part_lacks_is_listed_and_not_shown_there() {
    let mut table = keyed_table(r#"{"name": "a", "type": "string", "essaim": {"status": true}}"#, &[]);
    table.mappings[1].from = vec!["a".into(), "alt".into()];
    let (summary, out) = run(&table, vec![part("a.csv", "id,alt\n1,x\n"), part("b.csv", "id\n2\n")]).unwrap();
    assert_eq!(summary.columns_missing, ["a | alt"]);
    assert_eq!(out.column("a"), ["x", "∅"]);
    assert_eq!(out.column("a_statut"), ["answered", "not_shown"]);
}

#[rstest]
#[case::an_empty_file(
    "",
    "table `t`: part `a.csv` has no header, its record 1 is missing: check that the download is not empty, and `header_row`"
)]
#[case::two_columns_of_one_name(
    "id,a, id\n",
    "table `t`: part `a.csv` has 2 columns `id`: say which one is meant, `id#1` for the first, `id#2` for the second"
)]
#[case::no_key(
    "ID_,a\n",
    "table `t`: part `a.csv` has no column `id`, which the primary key is made of; did you mean `ID_`?"
)]
#[case::no_key_and_nothing_near(
    "x,y\n",
    "table `t`: part `a.csv` has no column `id`, which the primary key is made of; it has `x`, `y`"
)]
fn a_source_that_cannot_be_judged_is_an_error(#[case] text: &str, #[case] message: &str) {
    assert_eq!(fail_csv(&with(comma()), text).to_string(), message);
}

#[test]
fn a_header_in_another_encoding_is_an_error() {
    let error = fail_csv(&with(comma()), b"id,\xe9\n1,x\n");
    assert!(matches!(error, NormaliseError::HeaderEncoding { line: 1, .. }), "{error}");
}

#[test]
fn a_cell_longer_than_any_sound_one_is_an_error_with_its_line() {
    let mut bytes = b"id,a\n1,x\n2,\"".to_vec();
    bytes.resize(17 << 20, b'x');
    let error = fail_csv(&with(comma()), bytes);
    assert!(matches!(error, NormaliseError::LongRecord { line: 3, .. }), "{error}");
}

const PLACES: &str =
    r#"{"name": "nom", "type": "string"}, {"name": "gerant", "type": "string"}, {"name": "commune", "type": "string"}"#;

fn places() -> TableSpec {
    let mut table = keyed_table(PLACES, &[]);
    table.reader = ReaderSpec::Csv(CsvSpec { delimiter: b';', ..comma() });
    table
}

#[test]
fn a_stray_quote_takes_no_other_row_in() {
    let mut text = String::from("id;nom;gerant;commune\n");
    for row in 1..=20 {
        match row {
            5 => text.push_str("5;\"Lieu 5;Mme A;Rennes\n"),
            8 => text.push_str("8;Le \"bar\" du port;Mme B;Brest\n"),
            _ => writeln!(text, "{row};Lieu {row};M. {row};Lyon").unwrap(),
        }
    }
    for step in [1, 7, 10_000] {
        let (summary, out) = run(&places(), drip(text.as_str(), step, false)).unwrap();
        assert_eq!((summary.read, summary.kept, summary.rejected), (20, 19, 1));
        assert_eq!(out.rejects(), [(5, Some(6), "guillemet_ouvert")]);
        let reject = &out.chunks.iter().find(|chunk| !chunk.rejects.is_empty()).unwrap().rejects[0];
        assert_eq!(
            reject.detail,
            "Le guillemet qui ouvre une cellule à la ligne 6 ne se ferme qu'à la ligne 9, au milieu d'un texte. 4 lignes \
             seraient lues comme une : la ligne 6 est écartée seule, et la lecture reprend à la suivante."
        );
        assert_eq!(reject.raw[1], ("nom".to_owned(), "\"Lieu 5".to_owned()));
        assert_eq!(out.column("nom")[6], "Le \"bar\" du port");
        assert_eq!(out.column("gerant")[3..5], ["M. 4", "M. 6"]);
        let lines: Vec<u64> = out.rows();
        assert_eq!(lines, (1..=20).filter(|row| *row != 5).collect::<Vec<_>>());
    }
}

#[rstest]
#[case::a_text_after_it("1;\"Le\" bar;x;y\n2;a;b;c\n", 2, &["2"], "Le guillemet qui ouvre une cellule à la ligne 2 se ferme au milieu d'un texte.")]
#[case::a_blank_after_it("2;a;b;c\n1;\"Le bar\" ;x;y\n", 3, &["2"], "Le guillemet qui ouvre une cellule à la ligne 3 se ferme au milieu d'un texte.")]
#[case::open_at_the_end("2;a;b;c\n1;\"Le bar;x;y", 3, &["2"], "Le guillemet qui ouvre une cellule à la ligne 3 n'est pas fermé à la fin du fichier, ligne 3.")]
#[case::open_to_the_end("1;\"Le bar;x;y\n2;a;b;c\n3;a;b;c\n", 2, &["2", "3"], "Le guillemet qui ouvre une cellule à la ligne 2 n'est pas fermé à la fin du fichier, ligne 4. 3 lignes seraient lues comme une : la ligne 2 est écartée seule, et la lecture reprend à la suivante.")]
#[case::with_carriage_returns("\r\n1;\"Le bar;x;y\r\n\r\n2;a;b;c\r\n3;\"a\"\"\r\n\";b;c\r\n", 3, &["2", "3"], "Le guillemet qui ouvre une cellule à la ligne 3 ne se ferme qu'à la ligne 6, au milieu d'un texte. 4 lignes seraient lues comme une : la ligne 3 est écartée seule, et la lecture reprend à la suivante.")]
#[case::after_a_sound_cell_of_two_lines("1;\"a\nb\";\"Le bar;y\n2;a;b;c\n", 2, &["2"], "Le guillemet qui ouvre une cellule à la ligne 3 n'est pas fermé à la fin du fichier, ligne 4. 2 lignes seraient lues comme une : la ligne 3 est écartée seule, et la lecture reprend à la suivante.")]
#[case::each_for_itself("1;\"a;b;c\n2;\"a;b;c\n3;a;b;c\n", 2, &["3"], "Le guillemet qui ouvre une cellule à la ligne 2 ne se ferme qu'à la ligne 3, au milieu d'un texte. 2 lignes seraient lues comme une : la ligne 2 est écartée seule, et la lecture reprend à la suivante.")]
fn a_line_whose_quote_does_not_close_its_cell_is_rejected_alone(
    #[case] rows: &str,
    #[case] line: u64,
    #[case] kept: &[&str],
    #[case] detail: &str,
) {
    for step in [1, 5, 10_000] {
        let text = format!("id;nom;gerant;commune\n{rows}");
        let (summary, out) = run(&places(), drip(text, step, false)).unwrap();
        assert_eq!(out.column("id"), kept);
        let (_, at, reason) = out.rejects()[0];
        assert_eq!((at, reason), (Some(line), "guillemet_ouvert"));
        assert_eq!(out.chunks.iter().find_map(|chunk| chunk.rejects.first()).unwrap().detail, detail);
        assert_eq!(summary.read, summary.kept + summary.rejected);
    }
}

#[rstest]
#[case::before_a_delimiter("5;\"Lieu 5;Mme A;Rennes\n6;Le Pré;M. B;Brest\n7;Lieu 12\";Mme C;Lyon\n", &["Le Pré", "Lieu 12\""], "Le guillemet qui ouvre une cellule à la ligne 2 ne se ferme qu'à la ligne 4, et chacune de ces lignes a autant de cellules que l'en-tête. 3 lignes seraient lues comme une : la ligne 2 est écartée seule, et la lecture reprend à la suivante.")]
#[case::at_the_end_of_a_line("5;\"Lieu 5;Mme A;Rennes\n6;Le Pré;M. B;Écran 12\"\n7;Lieu 7;Mme C;Lyon\n", &["Le Pré", "Lieu 7"], "Le guillemet qui ouvre une cellule à la ligne 2 ne se ferme qu'à la ligne 3, et chacune de ces lignes a autant de cellules que l'en-tête. 2 lignes seraient lues comme une : la ligne 2 est écartée seule, et la lecture reprend à la suivante.")]
#[case::at_the_end_of_the_file("4;Lieu 4;M. D;Nantes\n5;\"Lieu 5;Mme A;Rennes\n6;Le Pré;M. B;Écran 12\"", &["Lieu 4", "Le Pré"], "Le guillemet qui ouvre une cellule à la ligne 3 ne se ferme qu'à la ligne 4, et chacune de ces lignes a autant de cellules que l'en-tête. 2 lignes seraient lues comme une : la ligne 3 est écartée seule, et la lecture reprend à la suivante.")]
#[case::with_carriage_returns("5;\"Lieu 5;Mme A;Rennes\r\n6;Lieu 12\";Mme C;Lyon\r\n", &["Lieu 12\""], "Le guillemet qui ouvre une cellule à la ligne 2 ne se ferme qu'à la ligne 3, et chacune de ces lignes a autant de cellules que l'en-tête. 2 lignes seraient lues comme une : la ligne 2 est écartée seule, et la lecture reprend à la suivante.")]
fn a_quote_that_another_row_closes_takes_no_row_in(#[case] rows: &str, #[case] names: &[&str], #[case] detail: &str) {
    for step in [1, 5, 10_000] {
        let (summary, out) = run(&places(), drip(format!("id;nom;gerant;commune\n{rows}"), step, false)).unwrap();
        assert_eq!(out.column("nom"), names);
        assert_eq!((summary.rejected, out.rejects()[0].2), (1, "guillemet_ouvert"));
        assert_eq!(out.chunks.iter().find_map(|chunk| chunk.rejects.first()).unwrap().detail, detail);
    }
}

#[rstest]
#[case::of_two_lines("1;\"Accueil\nle lundi\";x;y\n", "Accueil\nle lundi")]
#[case::with_as_many_separators_as_the_header_in_sentences(
    "1;\"lundi ; mardi ; jeudi\nun ; deux ; trois ; quatre\nou ; le soir\";x;y\n",
    "lundi ; mardi ; jeudi\nun ; deux ; trois ; quatre\nou ; le soir"
)]
#[case::of_lists_of_as_many_items_as_the_header_has_columns("1;x;y;\"Horaires :\nlundi;mardi;jeudi;samedi\"\n", "x")]
#[case::of_lines_of_which_one_is_no_row("1;\"a;b;c\nd\ne;f\";x;y\n", "a;b;c\nd\ne;f")]
fn a_quoted_text_of_several_lines_stays_one_cell(#[case] rows: &str, #[case] text: &str) {
    let (summary, out) = run_csv(&places(), format!("id;nom;gerant;commune\n{rows}2;a;b;c\n"));
    assert_eq!((out.column("nom")[0].as_str(), summary.kept, summary.rejected), (text, 2, 0));
}

#[test]
fn a_quote_open_for_more_lines_than_a_cell_has_costs_its_own_line_only() {
    let mut text = String::from("id;nom;gerant;commune\n0;\"Lieu;M.;Lyon\n");
    for row in 1..=3000 {
        writeln!(text, "{row};Lieu {row};M. {row};Lyon").unwrap();
    }
    for step in [1000, 1 << 20] {
        let (summary, out) = run(&places(), drip(text.as_str(), step, false)).unwrap();
        assert_eq!((summary.kept, out.rejects()), (3000, vec![(1, Some(2), "guillemet_ouvert")]));
        let detail = &out.chunks.iter().find_map(|chunk| chunk.rejects.first()).unwrap().detail;
        assert!(
            detail.starts_with("Le guillemet qui ouvre une cellule à la ligne 2 n'est pas fermé à la ligne 1002 "),
            "{detail}"
        );
    }
}

#[test]
fn a_quoted_cell_of_many_lines_is_one_cell() {
    let cell = format!("{}\"\"fin\"\";", "une ligne; et\n".repeat(1000));
    let (summary, out) = run_csv(&places(), format!("id;nom;gerant;commune\n1;\"{cell}\";x;y\n2;a;b;c\n"));
    assert_eq!((summary.kept, summary.rejected), (2, 0));
    assert_eq!(out.column("nom")[0], cell.replace("\"\"", "\""));
}

#[test]
fn a_header_whose_quote_is_open_is_an_error_with_its_line() {
    let error = fail_csv(&places(), "id;\"nom;gerant;commune\n1;a;b;c\n");
    assert!(matches!(error, NormaliseError::HeaderQuote { line: 1, .. }), "{error}");
}

#[test]
fn no_part_at_all_is_an_error() {
    assert!(matches!(run(&with(comma()), Vec::new()), Err(NormaliseError::MissingPart { .. })));
}

/// Gives the bytes in small pieces, then perhaps a fault.
struct Drip {
    bytes: Vec<u8>,
    at: usize,
    step: usize,
    fault: bool,
}

impl Read for Drip {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        if rest.is_empty() && self.fault {
            return Err(std::io::Error::other("cut off"));
        }
        let taken = rest.len().min(self.step).min(out.len());
        out[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken;
        Ok(taken)
    }
}

fn drip(bytes: impl Into<Vec<u8>>, step: usize, fault: bool) -> Vec<Part> {
    vec![("a.csv".to_owned(), Box::new(Drip { bytes: bytes.into(), at: 0, step, fault }))]
}

#[test]
fn a_fault_while_reading_is_an_error_with_its_offset() {
    let error = run(&with(comma()), drip("id,a\n1,x\n", 4, true)).unwrap_err();
    assert!(matches!(error, NormaliseError::Read { offset: 9, .. }), "{error}");
}

fn quoted(cell: &str, always: bool, delimiter: char) -> String {
    if always || cell.contains(['"', '\n', '\r', delimiter]) || cell.starts_with('\u{feff}') {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

proptest! {
    #[test]
    fn any_table_reads_back_equal(
        rows in proptest::collection::vec(("[a-z0-9]{1,3}", "[ a-zé\",;\n\r]{0,12}", any::<bool>()), 0..20),
        (semicolon, returns, mark, last) in any::<(bool, bool, bool, bool)>(),
        step in 1_usize..40,
    ) {
        let (delimiter, end) = (if semicolon { ';' } else { ',' }, if returns { "\r\n" } else { "\n" });
        let mut text = String::from(if mark { "\u{feff}" } else { "" });
        write!(text, "n{delimiter}id{delimiter}a{end}").unwrap();
        for (at, (id, a, always)) in rows.iter().enumerate() {
            let (id, a) = (quoted(id, *always, delimiter), quoted(a, *always, delimiter));
            write!(text, "{at}{delimiter}{id}{delimiter}{a}{end}").unwrap();
        }
        if last {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        let fields = r#"{"name": "n", "type": "integer"}, {"name": "id", "type": "string"}, {"name": "a", "type": "string"}"#;
        let spec = CsvSpec { delimiter: delimiter as u8, ..comma() };
        let table = table(fields, ", \"primaryKey\": \"n\"", &[], ReaderSpec::Csv(spec));
        let (summary, out) = run(&table, drip(text, step, false)).unwrap();
        let null = |text: &str| if text.trim().is_empty() { "∅".to_owned() } else { text.trim().to_owned() };
        prop_assert_eq!(out.column("id"), rows.iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>());
        prop_assert_eq!(out.column("a"), rows.iter().map(|(_, a, _)| null(a)).collect::<Vec<_>>());
        prop_assert_eq!((summary.read, summary.rejected), (rows.len() as u64, 0));
    }

    #[test]
    fn stray_quotes_never_change_a_row_that_has_none(
        rows in proptest::collection::vec(("[a-z ]{0,9}", "[a-z]{1,3}( \"[a-z]{1,4}\" [a-z]{1,3})?", 0_u8..6), 1..20),
        returns in any::<bool>(),
        step in 1_usize..40,
    ) {
        let end = if returns { "\r\n" } else { "\n" };
        let mut text = format!("id;nom;gerant;commune{end}");
        for (at, (one, two, stray)) in rows.iter().enumerate() {
            let quote = |kind: u8| if *stray == kind { "\"" } else { "" };
            let (before, after, last) = (quote(0), quote(1), quote(2));
            write!(text, "{at};{before}{one}x{last};{after}{two};y{end}").unwrap();
        }
        let (summary, out) = run(&places(), drip(text, step, false)).unwrap();
        let sound = || rows.iter().enumerate().filter(|(_, (.., stray))| *stray > 1);
        prop_assert_eq!(out.column("id"), sound().map(|(at, _)| at.to_string()).collect::<Vec<_>>());
        prop_assert_eq!(out.column("nom"), sound().map(|(_, (one, _, stray))| format!("{one}x{}", if *stray == 2 { "\"" } else { "" }).trim().to_owned()).collect::<Vec<_>>());
        prop_assert_eq!(out.column("gerant"), sound().map(|(_, (_, two, _))| two.clone()).collect::<Vec<_>>());
        prop_assert_eq!(summary.by_reason.get("guillemet_ouvert").copied().unwrap_or(0), summary.rejected);
    }

    #[test]
    fn any_bytes_are_read_without_panic_and_every_row_is_counted(
        bytes in proptest::collection::vec(prop_oneof![Just(b','), Just(b'\n'), Just(b'"'), Just(b'\r'), any::<u8>()], 0..200),
        step in 1_usize..40,
        encoding in prop_oneof![Just(Encoding::Utf8), Just(Encoding::Windows1252), Just(Encoding::Detect)],
    ) {
        let more = r#"{"name": "a", "type": "integer"}, {"name": "b", "type": "date"}, {"name": "c", "type": "string", "essaim": {"codes": "l"}}"#;
        let mut table = keyed_table(more, &[("l", "o,oui,,\nn,non,,\n")]);
        table.reader = ReaderSpec::Csv(CsvSpec { encoding, ..comma() });
        let mut whole = b"id,a,b,c\n".to_vec();
        whole.extend(bytes);
        let (summary, out) = run(&table, drip(whole, step, false)).unwrap();
        prop_assert_eq!(summary.read, summary.kept + summary.rejected);
        prop_assert_eq!(out.rows().len() as u64, summary.kept);
        prop_assert_eq!(out.rejects().len() as u64, summary.rejected);
        prop_assert_eq!(out.unfit().len() as u64, summary.unfit);
    }
}
