//! What a column seems to hold.

use std::collections::BTreeSet;

use regex::Regex;

use super::missing::is_missing;
use super::place::place_of;
use super::several::{Choice, in_one_cell};
use crate::contract::fold::fold;

/// Most options of a closed column.
pub(super) const MOST: usize = 40;
/// Characters of the longest option.
pub(super) const LONGEST: usize = 80;
/// How often each option must come, on average, for a column to be closed.
pub(super) const REPEATED: usize = 3;

/// What a column seems to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guess {
    /// Free text, or an identifier.
    Text,
    /// A whole number.
    Integer,
    /// A decimal number, and whether it has a decimal comma.
    Number(bool),
    /// Yes or no.
    Boolean,
    /// A date, in a `strftime` format when it is not ISO 8601.
    Date(Option<&'static str>),
    /// An establishment number.
    Siret,
    /// A web address.
    Uri,
    /// One of some options.
    Code(Vec<String>),
    /// Several of some options in a cell: what parts them (nothing for JSON lists), and the options.
    Codes(Option<String>, Vec<String>),
    /// One column per option.
    Ticks {
        /// Names of the columns, with `*` in the option's place.
        pattern: String,
        /// The options.
        choices: Vec<Choice>,
        /// Whether one of them takes free text, and whether that may say who a person is.
        other: Option<bool>,
    },
}

/// A column of a source, and what is proposed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Name in the source.
    pub source: String,
    /// Name in the contract.
    pub name: String,
    /// What it holds.
    pub guess: Guess,
    /// Whether it may say who or how to reach a person.
    pub personal: bool,
    /// The key of a place that it gives: `code_postal`, `commune`, `longitude` …
    pub place: Option<&'static str>,
    /// Whether each row has another value.
    pub unique: bool,
    /// Cells that were looked at and do not fit the guess.
    pub misfits: usize,
}

/// A name of lower-case ASCII letters, digits and `_`.
pub(super) fn slug(text: &str) -> String {
    let folded = fold(text).replace(' ', "_");
    let plain: String = folded.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
    let plain = plain.trim_matches('_');
    if plain.starts_with(|c: char| c.is_ascii_alphabetic()) { plain.to_owned() } else { format!("c_{plain}") }
}

/// Finds out whether a text holds a personal value: an address, a telephone or account number.
pub type Finds = fn(&str) -> bool;

/// Words of columns that hold personal values, alone: longer ones (`personnel`, `responsables`) mean something else.
const ALONE: [&str; 12] = [
    "ip",
    "nir",
    "iban",
    "gsm",
    "gerant",
    "gerante",
    "president",
    "presidente",
    "responsable",
    "nomprenom",
    "personne",
    // `adresse_perso`, `tel. perso`
    "perso",
];

/// Words of columns that hold personal values; the longer ones in other words too.
const PERSONAL: [&str; 24] = [
    "courriel",
    "email",
    "e mail",
    "mail",
    "telephone",
    "tel",
    "mobile",
    "portable",
    "prenom",
    "contact",
    "referent",
    "naissance",
    "respondent",
    "repondant",
    // Who wrote the entry: an account, often an address.
    "user",
    "username",
    "owner",
    "login",
    "auteur",
    "autrice",
    "createur",
    "proprietaire",
    "utilisateur",
    "utilisatrice",
];

pub(super) fn is_personal(name: &str, cells: &[&str], finds: Finds) -> bool {
    let folded = fold(name);
    let words: Vec<&str> = folded.split(' ').collect();
    let named = words.iter().any(|word| ALONE.contains(word))
        || PERSONAL.iter().any(|mark| words.contains(mark) || (mark.len() > 5 && folded.contains(mark)));
    let pattern = Regex::new(r"[\w.+-]+@[\w-]+\.\w+|\b0[1-9](?:[ .-]?\d\d){4}\b|\+33");
    // Looser than the last scan before a release: here a doubt costs nothing.
    named || cells.iter().any(|cell| finds(cell) || pattern.as_ref().is_ok_and(|pattern| pattern.is_match(cell)))
}

const DATES: [(&str, &str); 4] = [
    (r"^\d{4}-\d\d-\d\d$", ""),
    (r"^\d\d/\d\d/\d{4}$", "%d/%m/%Y"),
    (r"^\d{4}/\d\d/\d\d$", "%Y/%m/%d"),
    (r"^\d\d-\d\d-\d{4}$", "%d-%m-%Y"),
];

/// One cell in so many may be wrong, in a column whose other cells leave no doubt of what it holds.
const SLIP: usize = 50;

/// What the filled cells of a column have in common, but for a slip here and there, and how many these are.
fn guess_but_slips(cells: &[&str], identifier: bool) -> (Guess, usize) {
    let guessed = guess(cells, identifier);
    let is_open = matches!(guessed, Guess::Text | Guess::Code(_) | Guess::Codes(..));
    if !is_open || identifier || cells.is_empty() {
        return (guessed, 0);
    }
    let dates = DATES.map(|(pattern, format)| (pattern, Guess::Date(Some(format).filter(|format| !format.is_empty()))));
    let strict = dates.into_iter().chain([(r"^\d{14}$", Guess::Siret), (ADDRESS, Guess::Uri)]);
    let few = strict.filter_map(|(pattern, guess)| {
        let pattern = Regex::new(pattern).ok()?;
        let wrong = cells.iter().filter(|cell| !pattern.is_match(cell)).count();
        (wrong * SLIP <= cells.len()).then_some((guess, wrong))
    });
    few.min_by_key(|(_, wrong)| *wrong).unwrap_or((guessed, 0))
}

/// A web address.
const ADDRESS: &str = r"^(?i)(https?://|www\.)\S+$";

/// What the filled cells of a column have in common.
fn guess(cells: &[&str], identifier: bool) -> Guess {
    let all = |pattern: &str| Regex::new(pattern).is_ok_and(|pattern| cells.iter().all(|cell| pattern.is_match(cell)));
    if cells.is_empty() || identifier {
        return Guess::Text;
    }
    if all(r"^\d{14}$") {
        return Guess::Siret;
    }
    if all(r"^(?i)(oui|non|vrai|faux|true|false|yes|no|o|n)$") {
        return Guess::Boolean;
    }
    if let Some((_, format)) = DATES.iter().find(|(pattern, _)| all(pattern)) {
        return Guess::Date(Some(*format).filter(|format| !format.is_empty()));
    }
    // A leading zero, or very many digits, are those of an identifier.
    if all(r"^-?(0|[1-9]\d{0,11})$") {
        return Guess::Integer;
    }
    let padded = cells
        .iter()
        .any(|cell| cell.starts_with('0') && cell.len() > 1 && !cell.starts_with("0.") && !cell.starts_with("0,"));
    if all(r"^-?\d{1,12}(\.\d+)?$") && !padded {
        return Guess::Number(false);
    }
    if all(r"^-?\d{1,3}([ \u{a0}\u{202f}]?\d{3})*(,\d+)?$") && !padded {
        return Guess::Number(true);
    }
    if all(ADDRESS) {
        return Guess::Uri;
    }
    if let Some((separator, options)) = in_one_cell(cells) {
        return Guess::Codes(separator, options);
    }
    closed(cells).map_or(Guess::Text, Guess::Code)
}

/// The options of a column with few values that come again and again.
fn closed(cells: &[&str]) -> Option<Vec<String>> {
    let mut options: Vec<String> = Vec::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for cell in cells {
        let folded = fold(cell);
        if cell.chars().count() > LONGEST || folded.is_empty() {
            return None;
        }
        if known.insert(folded) {
            if options.len() == MOST {
                return None;
            }
            options.push((*cell).to_owned());
        }
    }
    (options.len() > 1 && cells.len() >= options.len() * REPEATED).then_some(options)
}

/// Looks at one column.
pub(super) fn propose(source: &str, name: String, column: &[&str], rows: usize, finds: Finds) -> Proposal {
    let cells: Vec<&str> = column.iter().copied().filter(|cell| !cell.is_empty() && !is_missing(cell)).collect();
    let mut distinct = cells.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let unique = cells.len() == rows && distinct.len() == rows;
    let personal = is_personal(source, &cells, finds);
    let place = place_of(source).filter(|_| !personal);
    let folded = fold(source);
    let identifier = matches!(place, Some("code_insee" | "code_postal" | "departement" | "region"))
        || folded
            .split(' ')
            .any(|word| word.ends_with("code") || matches!(word, "id" | "siren" | "rna" | "identifiant" | "numero"));
    let (guess, misfits) = guess_but_slips(&cells, identifier || personal);
    Proposal { source: source.to_owned(), name, guess, personal, place, unique, misfits }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::integers(&["1", "25", "-3"], Guess::Integer)]
    #[case::decimal_commas(&["1,5", "1 250,75"], Guess::Number(true))]
    #[case::lost_in_zeros(&["01000", "75012"], Guess::Text)]
    #[case::french_dates(&["31/12/2025", "01/02/2026"], Guess::Date(Some("%d/%m/%Y")))]
    #[case::yes_and_no(&["oui", "Non"], Guess::Boolean)]
    #[case::addresses(&["https://a.example.org", "www.b.example.org"], Guess::Uri)]
    #[case::establishments(&["73282932000074"], Guess::Siret)]
    #[case::options(&["Public", "Privé", "public", "Privé", "Public", "privé"], Guess::Code(vec!["Public".to_owned(), "Privé".to_owned()]))]
    #[case::free_text(&["un", "deux", "trois"], Guess::Text)]
    #[case::several_options(&["a;b", "b", "b;a", "a"], Guess::Codes(Some(";".to_owned()), vec!["a".to_owned(), "b".to_owned()]))]
    fn types_are_those_of_all_cells(#[case] cells: &[&str], #[case] expected: Guess) {
        assert_eq!(guess(cells, false), expected);
    }

    #[rstest]
    #[case::one_date_in_a_hundred("01/02/2024", "en cours", 99, Guess::Date(Some("%d/%m/%Y")), 1)]
    #[case::one_date_in_ten("01/02/2024", "en cours", 9, Guess::Code(vec!["01/02/2024".to_owned(), "en cours".to_owned()]), 0)]
    #[case::an_address("https://a.example.org/", "à venir", 60, Guess::Uri, 1)]
    #[case::a_number_is_not_without_doubt("12", "douze", 99, Guess::Code(vec!["12".to_owned(), "douze".to_owned()]), 0)]
    fn a_slip_here_and_there_does_not_hide_a_type(
        #[case] cell: &str,
        #[case] slip: &str,
        #[case] cells: usize,
        #[case] expected: Guess,
        #[case] misfits: usize,
    ) {
        let mut all = vec![cell; cells];
        all.push(slip);
        assert_eq!(guess_but_slips(&all, false), (expected, misfits));
        assert_eq!(guess_but_slips(&[], false), (Guess::Text, 0), "nothing is no date");
    }

    #[rstest]
    #[case::by_name("Courriel du référent", &["x"], true)]
    #[case::by_content("Remarques", &["appeler le 06 12 34 56 78"], true)]
    #[case::an_address("Notes", &["voir quelquun@example.org"], true)]
    #[case::an_account("owner", &["MarieDupont"], true)]
    #[case::a_user("user", &["MarieDupont"], true)]
    #[case::a_president("Nom du Président", &["x"], true)]
    #[case::a_manager("GÉRANT", &["x"], true)]
    #[case::names("nom_prenom", &["x"], true)]
    #[case::an_address_at_home("adresse_perso", &["x"], true)]
    #[case::a_number_of_the_state("NIR", &["x"], true)]
    #[case::found_in_a_cell("Divers", &["rien", "FOUND"], true)]
    #[case::no_person("Achats responsables, personnel", &["x"], false)]
    #[case::nothing("Commune", &["Rennes"], false)]
    #[case::no_telephone("Code postal", &["35000"], false)]
    fn personal_columns_are_known_by_name_and_by_content(
        #[case] name: &str,
        #[case] cells: &[&str],
        #[case] personal: bool,
    ) {
        assert_eq!(is_personal(name, cells, |text| text == "FOUND"), personal);
    }
}
