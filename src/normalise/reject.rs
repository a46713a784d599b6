//! Why rows are kept out.

use regex::Regex;
use rustc_hash::FxHashMap;

use super::chunk::Reject;
use super::row::{Header, Options, RawCell, RawRow};
use super::scalar::text;
use crate::config::pipeline::RejectRule;
use crate::contract::fold::fold;

/// The primary key is empty or does not fit.
pub const KEY: &str = "cle_manquante";
/// A required column is empty or does not fit.
pub const REQUIRED: &str = "colonne_requise_illisible";
/// The row has more or fewer cells than the header.
pub const WIDTH: &str = "nombre_de_cellules";
/// Its cells do not fit their columns, and fit the ones beside them.
pub const SHIFTED: &str = "cellules_decalees";
/// A quote opens one of its cells and does not close it: what follows would be read as a part of it.
pub const QUOTE: &str = "guillemet_ouvert";
/// Another row with the same key stays.
pub use crate::config::reading::DUPLICATE;
/// The row has no filled cell, and rows follow it.
pub const BLANK: &str = "ligne_vide";
/// The row is not readable as a row at all.
pub const UNREADABLE: &str = "ligne_illisible";
/// The row's bytes are not text in the declared encoding.
pub const ENCODING: &str = "texte_illisible";
/// A cell whose formula came to an error; of a cell, never of a row.
pub const FORMULA: &str = "erreur_de_formule";
/// The entry belongs to another form.
pub const OTHER_FORM: &str = "autre_formulaire";

/// The record was erased after a legal demand, and its source still has it.
pub const ERASED: &str = "efface";

/// A reject with the cells of its row.
pub(super) fn reject(
    row: &RawRow<'_>,
    header: &Header,
    reason: &str,
    detail: String,
    column: Option<String>,
) -> Reject {
    let text_of = |at: usize| match row.cell(at) {
        RawCell::Bytes(bytes) | RawCell::Typed(bytes) | RawCell::Faulty(bytes, _) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
        RawCell::Empty | RawCell::Masked => Some(String::new()),
        RawCell::Missing => None,
    };
    let name_of = |at: usize| header.names.get(at).cloned().unwrap_or_else(|| format!("(cellule {})", at + 1));
    let raw = (0..row.slots.len()).filter_map(|at| text_of(at).map(|text| (name_of(at), text))).collect();
    Reject { row: row.number, line: row.line(), reason: reason.to_owned(), column, detail, raw }
}

/// About how many bytes a reject holds.
pub(super) fn weight(reject: &Reject) -> usize {
    reject.raw.iter().map(|(name, text)| name.len() + text.len() + 48).sum::<usize>() + reject.detail.len() + 80
}

/// A declared rule, ready to be asked.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) column: [String; 1],
    values: Vec<String>,
    folded: Vec<String>,
    matches: Option<Regex>,
    negated: bool,
    pub(super) reason: String,
    /// Whether the source may lack the column.
    pub(super) optional: bool,
    /// Column of the contract without a value of which the row goes; the source is then not looked at.
    pub(super) unread: Option<usize>,
    at: Option<usize>,
    seen: FxHashMap<Box<[u8]>, bool>,
}

/// Most texts whose judgement a rule remembers.
const REMEMBERED: usize = 4096;

impl Rule {
    /// The rule as declared.
    pub(super) fn new(rule: &RejectRule) -> Self {
        let values: Vec<String> = rule.values.iter().map(|value| value.trim().to_owned()).collect();
        let folded = values.iter().map(|value| fold(value)).filter(|value| !value.is_empty()).collect();
        Self {
            column: [rule.column.clone()],
            values,
            folded,
            matches: rule.matches.as_deref().and_then(|pattern| Regex::new(pattern).ok()),
            negated: rule.negated,
            reason: rule.reason.clone(),
            optional: rule.optional,
            unread: rule.unread,
            at: None,
            seen: FxHashMap::default(),
        }
    }

    /// Name of the source column that is looked at.
    pub(super) fn wanted(&self) -> &[String] {
        if self.unread.is_some() { &[] } else { &self.column }
    }

    /// Finds the rule's column; `false` when the source does not have it.
    pub(super) fn bind(&mut self, header: &Header) -> bool {
        if self.unread.is_some() {
            return true;
        }
        self.at = header.position(&self.column[0]);
        self.seen.clear();
        self.at.is_some()
    }

    /// Whether the rule takes the row out. A cell that is not there counts as empty.
    pub(super) fn rejects(&mut self, row: &RawRow<'_>, header: &Header) -> bool {
        let Some(at) = self.at else { return false };
        let bytes = row.cell(at).shown().unwrap_or(b"");
        if let Some(known) = self.seen.get(bytes) {
            return *known;
        }
        let listed = self.lists(bytes, header.options_of(at).map(|options| &**options));
        let rejects = listed != self.negated;
        if self.seen.len() < REMEMBERED {
            self.seen.insert(bytes.into(), rejects);
        }
        rejects
    }

    /// Whether a cell has one of the rule's values: case, accents and blanks do not matter; of a closed question the
    /// key and the label are both looked at.
    fn lists(&self, bytes: &[u8], options: Option<&Options>) -> bool {
        let text = String::from_utf8_lossy(text::trim(bytes));
        if let Some(pattern) = &self.matches {
            return pattern.is_match(&text);
        }
        let is_value = |text: &str| {
            let folded = fold(text);
            self.values.iter().any(|value| value == text) || self.folded.contains(&folded)
        };
        is_value(&text) || options.and_then(|options| options.label(&text)).is_some_and(is_value)
    }

    /// What happened, in a sentence.
    pub(super) fn detail(&self, row: &RawRow<'_>) -> String {
        let bytes = self.at.and_then(|at| row.cell(at).shown()).unwrap_or(b"");
        let value = String::from_utf8_lossy(bytes).trim().to_owned();
        let shown = if value.is_empty() { "est vide".to_owned() } else { format!("vaut « {value} »") };
        format!("La colonne `{}` {shown} : une règle du projet écarte la ligne.", self.column[0])
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::normalise::row::Slot;

    fn rule(values: &[&str], negated: bool) -> Rule {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let mut rule =
            Rule::new(&RejectRule { column: "c".into(), values, negated, reason: "r".into(), ..RejectRule::default() });
        assert!(rule.bind(&header()));
        rule
    }

    fn header() -> Header {
        Header::new("p", vec!["c".into()], true)
    }

    #[rstest]
    #[case::as_declared("non", &["non"], false, true)]
    #[case::other_case_and_blanks(" NON ", &["non"], false, true)]
    #[case::another_value("oui", &["non"], false, false)]
    #[case::all_but("oui", &["oui"], true, false)]
    #[case::all_but_rejects_the_rest("peut-être", &["oui"], true, true)]
    #[case::all_but_rejects_the_empty("", &["oui"], true, true)]
    #[case::empty_is_a_value("  ", &[""], false, true)]
    #[case::signs_do_not_mean_empty("-", &[""], false, false)]
    fn rules_compare_without_case_and_accents(
        #[case] cell: &str,
        #[case] values: &[&str],
        #[case] negated: bool,
        #[case] rejected: bool,
    ) {
        let slots = [Slot::At(0, cell.len())];
        let row = RawRow { number: 1, last_line: None, bytes: cell.as_bytes(), slots: &slots };
        let mut rule = rule(values, negated);
        assert_eq!(rule.rejects(&row, &header()), rejected);
        assert_eq!(rule.rejects(&row, &header()), rejected, "the second time it is remembered");
    }
}
