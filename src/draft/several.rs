//! Questions with several answers: in one cell, or in one column per option.

use std::collections::BTreeSet;

use super::column::{Finds, Guess, LONGEST, MOST, Proposal, REPEATED, is_personal, slug};
use super::missing::is_missing;
use crate::contract::fold::fold;
use crate::normalise::listed_items;

/// Texts between the answers of a cell. A comma comes last: options may hold it themselves.
const SEPARATORS: [&str; 6] = [";", "|", "\n", " – ", " / ", ","];
/// Marks that tick an option, and nothing else.
const MARKS: [&str; 5] = ["x", "✔", "✓", "☑", "coche"];
/// Words that tick an option or do not, where the column's name is that of an option without doubt.
const WORDS: [&str; 16] =
    ["1", "0", "oui", "non", "o", "n", "yes", "no", "y", "true", "false", "vrai", "faux", "x", "✔", "☐"];
/// Fewest columns of a question whose options are only the ends of names.
const FEWEST: usize = 3;
/// Between the name of a question and an option.
const JOINTS: [&str; 5] = [" - ", " : ", ": ", "_", " "];

/// An option: its label, and other spellings.
pub type Choice = (String, Vec<String>);

/// The separator (none for JSON lists and arrays of `PostgreSQL`) and the options of cells with several answers.
pub(super) fn in_one_cell(cells: &[&str]) -> Option<(Option<String>, Vec<String>)> {
    let lists: Option<Vec<Vec<String>>> = cells.iter().map(|cell| listed_items(cell)).collect();
    if let Some(items) = lists {
        return Some((None, options(&items)?));
    }
    let whole: BTreeSet<String> = cells.iter().map(|cell| fold(cell)).collect();
    SEPARATORS.into_iter().find_map(|separator| {
        let parted = cells.iter().filter(|cell| cell.contains(separator)).count();
        if parted < 2 || parted * 20 < cells.len() {
            return None;
        }
        let split = |cell: &&str| -> Vec<String> {
            cell.split(separator).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        };
        let items: Vec<Vec<String>> = cells.iter().map(split).collect();
        let options = options(&items)?;
        // Were the pieces parts of one option, they would always come together.
        let alone = items.iter().any(|items| items.len() == 1);
        (alone && options.len() < whole.len()).then(|| (Some(separator.to_owned()), options))
    })
}

/// The options of items that come again and again.
fn options(items: &[Vec<String>]) -> Option<Vec<String>> {
    let (mut options, mut known): (Vec<String>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
    for item in items.iter().flatten() {
        if item.chars().count() > LONGEST {
            return None;
        }
        if known.insert(fold(item)) {
            options.push(item.clone());
        }
    }
    let all: usize = items.iter().map(Vec::len).sum();
    let several = items.iter().any(|items| items.len() > 1);
    (several && (2..=MOST).contains(&options.len()) && all >= options.len() * REPEATED).then_some(options)
}

/// A question with one column per option.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Positions of its columns in the source.
    pub(super) columns: Vec<usize>,
    /// What it is proposed as.
    pub(super) proposal: Proposal,
}

/// Whether an option is the one that takes free text.
pub(super) fn is_other(label: &str) -> bool {
    let folded = fold(label);
    ["autre", "autres", "other"].iter().any(|word| folded == *word || folded.starts_with(&format!("{word} ")))
}

/// The questions among the columns of a source: `Question [Option]`, or `PUBLIC_Jeunes`, `PUBLIC_Seniors` … with marks.
pub(super) fn in_columns(names: &[String], cells: &[Vec<&str>], finds: Finds) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    for at in 0..names.len() {
        if questions.iter().any(|question| question.columns.contains(&at)) {
            continue;
        }
        let found = starts(&names[at]).into_iter().find_map(|(start, end)| question(&start, end, names, cells, finds));
        questions.extend(found.filter(|question| question.columns.contains(&at)));
    }
    questions
}

/// How the columns of a question may begin, and end.
fn starts(name: &str) -> Vec<(String, &'static str)> {
    if name.contains(['*', '#']) {
        return Vec::new();
    }
    if let Some((before, _)) = name.strip_suffix(']').and_then(|name| name.rsplit_once('[')) {
        return vec![(format!("{before}["), "]")];
    }
    let joint = |joint: &str| name.rfind(joint).and_then(|at| name.get(..at + joint.len())).map(str::to_owned);
    JOINTS.into_iter().filter_map(joint).map(|start| (start, "")).collect()
}

fn question(start: &str, end: &'static str, names: &[String], cells: &[Vec<&str>], finds: Finds) -> Option<Question> {
    let title = start.trim_end_matches(['[', ' ', '_', '-', ':']).trim();
    let columns: Vec<usize> =
        names.iter().enumerate().filter(|(_, name)| name.starts_with(start)).map(|(at, _)| at).collect();
    if title.is_empty() || columns.len() < if end.is_empty() { FEWEST } else { 2 } {
        return None;
    }
    let (mut choices, mut other, mut ticks): (Vec<Choice>, Option<bool>, usize) = (Vec::new(), None, 0);
    for at in &columns {
        let label = names[*at].strip_prefix(start)?.strip_suffix(end)?.trim().to_owned();
        let filled: Vec<&str> =
            cells[*at].iter().copied().filter(|cell| !cell.is_empty() && !is_missing(cell)).collect();
        let mut aliases = Vec::new();
        if label.is_empty() || label.contains('#') || choices.iter().any(|(known, _)| fold(known) == fold(&label)) {
            return None;
        }
        let ticked = filled.iter().all(|cell| is_tick(cell, &label, end, &mut aliases));
        if !ticked && is_other(&label) && other.is_none() {
            other = Some(is_personal(&label, &filled, finds));
            aliases.clear();
        } else if !ticked {
            return None;
        }
        ticks += filled.len();
        choices.push((label, aliases));
    }
    let guess = Guess::Ticks { pattern: format!("{start}*{end}"), choices, other };
    let name = slug(title);
    let proposal =
        Proposal { source: title.to_owned(), name, guess, personal: false, place: None, unique: false, misfits: 0 };
    (ticks > 0).then_some(Question { columns, proposal })
}

/// Whether a cell only says that its option is chosen, or not; other spellings of the option are kept.
fn is_tick(cell: &str, label: &str, end: &str, aliases: &mut Vec<String>) -> bool {
    let (folded, option) = (fold(cell), fold(label));
    if MARKS.contains(&folded.as_str()) || (!end.is_empty() && WORDS.contains(&folded.as_str())) {
        return true;
    }
    let alike = folded == option || (option.len() > 2 && (folded.starts_with(&option) || option.starts_with(&folded)));
    if alike && folded != option && !aliases.iter().any(|alias| fold(alias) == folded) {
        aliases.push(cell.to_owned());
    }
    alike && folded.len() > 1
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::semicolons(&["Jeunes;Seniors", "Jeunes", "Seniors;Jeunes", "jeunes"], Some((Some(";"), vec!["Jeunes", "Seniors"])))]
    #[case::commas(&["a, b", "b", "a,b", "a", "b"], Some((Some(","), vec!["a", "b"])))]
    #[case::json(&[r#"["a","b"]"#, r#"["b"]"#, r#"["a","b","a"]"#], Some((None, vec!["a", "b"])))]
    #[case::postgres(&["{a,\"b, c\"}", "{a}", "{\"b, c\",a}", "{}"], None)]
    #[case::postgres_often(&["{a,\"b, c\"}", "{a}", "{\"b, c\",a}", "{\"b, c\"}"], Some((None, vec!["a", "b, c"])))]
    #[case::parts_of_one_option(&["Oui, souvent", "Oui, souvent", "Oui, souvent"], None)]
    #[case::addresses(&["1 rue A, Rennes", "2 rue B, Brest", "Vannes"], None)]
    #[case::one_option_a_cell(&["a", "b", "a", "b", "a", "b"], None)]
    fn answers_of_a_cell_are_parted(#[case] cells: &[&str], #[case] expected: Option<(Option<&str>, Vec<&str>)>) {
        let owned = |(separator, options): (Option<&str>, Vec<&str>)| {
            (separator.map(str::to_owned), options.into_iter().map(str::to_owned).collect())
        };
        assert_eq!(in_one_cell(cells), expected.map(owned));
    }

    type Found = (Vec<usize>, String, Vec<Choice>, Option<bool>);

    fn found(names: &[&str], rows: &[&[&'static str]]) -> Vec<Found> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let cells: Vec<Vec<&str>> = (0..names.len()).map(|at| rows.iter().map(|row| row[at]).collect()).collect();
        let of = |question: Question| match question.proposal.guess {
            Guess::Ticks { pattern, choices, other } => (question.columns, pattern, choices, other),
            guess => panic!("{guess:?}"),
        };
        in_columns(&names, &cells, |_| false).into_iter().map(of).collect()
    }

    fn choice(label: &str, aliases: &[&str]) -> Choice {
        (label.to_owned(), aliases.iter().map(|&alias| alias.to_owned()).collect())
    }

    #[test]
    fn options_in_brackets_are_a_question() {
        let names = ["id", "Jours [Samedi]", "Jours [Dimanche]", "Jours [Autre]", "Avis [Accueil]", "Avis [Prix]"];
        let rows: [&[&str]; 2] = [&["1", "Oui", "Non", "lundi", "4", "5"], &["2", "N/A", "Oui", "", "2", "3"]];
        let choices = vec![choice("Samedi", &[]), choice("Dimanche", &[]), choice("Autre", &[])];
        assert_eq!(found(&names, &rows), [(vec![1, 2, 3], "Jours [*]".to_owned(), choices, Some(false))]);
    }

    #[test]
    fn ends_of_names_are_options_where_marks_or_labels_are_in_the_cells() {
        let names = ["PBC_Tout", "PBC_Jeunes", "PBC_Senior", "est_a", "est_b", "est_c"];
        let rows: [&[&str]; 2] =
            [&["", "x", "Séniors", "oui", "non", "oui"], &["Tout public", "", "x", "non", "non", "oui"]];
        let choices = vec![choice("Tout", &["Tout public"]), choice("Jeunes", &[]), choice("Senior", &["Séniors"])];
        assert_eq!(found(&names, &rows), [(vec![0, 1, 2], "PBC_*".to_owned(), choices, None)]);
    }
}
