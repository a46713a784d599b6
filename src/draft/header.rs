//! Which of the first records names the columns.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::contract::fold::fold;

/// Numbers, shares and dates, whatever their country.
static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    let text = r"^(?:[-+]?\d[\d\s.,]*[%€]?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T\s][\d:.,Z+-]+)?)$";
    Regex::new(text).expect("the pattern is tested")
});
static YEAR: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:19|20)\d\d$").expect("the pattern is tested"));

/// The widths that most records have, the largest first, and how often they come. Lines of one cell are titles and notes
/// rather than rows, until they are three times as many as the others.
pub(super) fn widths(records: &[Vec<String>]) -> (Vec<usize>, usize) {
    let mut known: BTreeSet<usize> = records.iter().map(Vec::len).collect();
    known.remove(&0);
    let count = |width: usize| records.iter().filter(|record| record.len() == width).count();
    let weight = |width: usize| count(width) * if width == 1 { 1 } else { 3 };
    let most = known.iter().map(|width| weight(*width)).max().unwrap_or(0);
    let widths: Vec<usize> = known.into_iter().rev().filter(|width| weight(*width) == most).collect();
    let times = widths.first().map_or(0, |width| count(*width));
    (widths, times)
}

/// Position of the header in a text, whose rows all have its width.
pub(super) fn in_text(records: &[Vec<String>]) -> usize {
    let (widths, _) = widths(records);
    let first = |fits: fn(&[String]) -> bool| {
        widths.iter().find_map(|width| records.iter().position(|record| record.len() == *width && fits(record)))
    };
    first(is_header).or_else(|| first(is_filled)).unwrap_or(0)
}

/// Position of the header in a sheet, where rows end at their last filled cell.
pub(super) fn in_sheet(rows: &[Vec<String>]) -> usize {
    let width = widths(rows).0.first().copied().unwrap_or(0);
    let first = |fits: fn(&[String]) -> bool| rows.iter().position(|row| row.len() >= width && fits(row));
    first(is_header).or_else(|| first(is_filled)).or_else(|| rows.iter().position(|row| !row.is_empty())).unwrap_or(0)
}

fn filled(record: &[String]) -> Vec<&str> {
    record.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect()
}

fn is_filled(record: &[String]) -> bool {
    filled(record).len() * 2 > record.len()
}

/// Whether the cells of a record are names: most are there, they differ but for a few, and none is a value. Years may be
/// names beside others that are none.
fn is_header(record: &[String]) -> bool {
    let cells = filled(record);
    let distinct: BTreeSet<String> = cells.iter().map(|cell| fold(cell)).collect();
    let years = cells.iter().filter(|cell| YEAR.is_match(cell)).count();
    let values = cells.iter().filter(|cell| VALUE.is_match(cell)).count();
    let named = values == 0 || (values == years && cells.len() >= years + 2);
    is_filled(record) && distinct.len() * 4 >= cells.len() * 3 && named
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn records(lines: &[&str]) -> Vec<Vec<String>> {
        let cells = |line: &&str| line.split(';').filter(|_| !line.is_empty()).map(str::to_owned).collect();
        lines.iter().map(cells).collect()
    }

    #[rstest]
    #[case::first(&["id;nom", "1;a", "2;b"], 0)]
    #[case::one_longer_row(&["id;nom;ville", "1;a;b;c", "2;d;e"], 0)]
    #[case::the_only_row_is_longer(&["id;nom", "1;a;b"], 0)]
    #[case::a_title(&["Liste des lieux;;", "id;nom;ville", "1;a;b"], 1)]
    #[case::titles_of_one_cell(&["Liste", "au 1er mars", "Source : X", "id;nom", "1;a", "2;b"], 3)]
    #[case::a_line_of_values(&["Total;350;12/03/2024", "id;nom;date", "1;a;b"], 1)]
    #[case::groups(&["Lieu;Lieu;Contact;Contact", "nom;ville;nom;mail", "a;b;c;d"], 1)]
    #[case::a_name_twice(&["nom;adresse;contact;contact", "a;b;c;d", "e;f;g;h"], 0)]
    #[case::years(&["code;libelle;2018;2019", "a;Rennes;12;13", "b;Brest;NC;secret"], 0)]
    #[case::one_column(&["nom", "a;b", "c", "d", "e"], 0)]
    #[case::nothing_but_values(&["1;2", "3;4"], 0)]
    #[case::nothing(&[], 0)]
    fn the_header_is_the_first_record_of_names(#[case] lines: &[&str], #[case] expected: usize) {
        assert_eq!(in_text(&records(lines)), expected);
    }

    #[rstest]
    #[case::a_merged_title(&["Liste des lieux", "", "id;nom;ville;site", "1;a;b", "2;c;d", "3;e;f;g"], 2)]
    #[case::first(&["id;nom", "1;a"], 0)]
    #[case::blank_above(&["", "id;nom", "1;a"], 1)]
    #[case::a_title_alone(&["", "Titre"], 1)]
    fn the_header_of_a_sheet_may_be_wider_than_its_rows(#[case] lines: &[&str], #[case] expected: usize) {
        assert_eq!(in_sheet(&records(lines)), expected);
    }
}
