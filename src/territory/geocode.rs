//! What is asked of a geocoder about a row, and which of its answers are good enough.
//!
//! Pure: the answers come from a snapshot. A row without one, or with one that is refused, stays where it was.

use super::fold::fold;
use super::position::haversine_km;
use crate::source::{AddressAnswer, AddressQuestion};

/// Below this score an answer is asked for again after a week, and not used below [`LEAST`].
pub const DOUBTFUL: f64 = 0.75;
/// Lowest score of an answer that places a row.
pub const LEAST: f64 = 0.5;
/// How far from its commune's centre an address may be, in km; communes of Guyane are as large as départements.
const REACH_KM: f64 = 30.0;
const REACH_IN_GUYANE_KM: f64 = 200.0;

/// Communes whose answers bear the codes of their arrondissements.
const WITH_ARRONDISSEMENTS: [(&str, &str); 3] = [("75056", "751"), ("69123", "6938"), ("13055", "132")];

/// How much of an address is known, from coarse to fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// A commune.
    Commune,
    /// A street, or a place with a name.
    Street,
    /// A number in a street.
    Number,
}

/// Why an answer places no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing was found.
    NotFound,
    /// It fits too badly.
    Doubtful,
    /// It is coarser than the question: a commune for a street, a street for a number.
    Coarse,
    /// It is in another commune.
    Elsewhere,
}

/// Ways to write kinds of streets, and what they stand for.
const SHORT: [(&str, &str); 14] = [
    ("all", "allée"),
    ("av", "avenue"),
    ("ave", "avenue"),
    ("bd", "boulevard"),
    ("bld", "boulevard"),
    ("bvd", "boulevard"),
    ("che", "chemin"),
    ("chem", "chemin"),
    ("imp", "impasse"),
    ("pl", "place"),
    ("rte", "route"),
    ("sq", "square"),
    ("fg", "faubourg"),
    ("za", "zone artisanale"),
];

/// What is asked about a row: its address without what misleads, and its commune. None when there is nothing to ask.
pub fn question(address: &str, commune: Option<&str>, postal: Option<&str>) -> Option<AddressQuestion> {
    let commune = commune.map(str::trim).filter(|code| !code.is_empty());
    let postal = postal.map(str::trim).filter(|code| !code.is_empty());
    // An INSEE code of these is a filter that no address passes: the postal code tells the arrondissement.
    let (code_insee, code_postal) = match commune {
        Some(code) if WITH_ARRONDISSEMENTS.iter().any(|(whole, _)| *whole == code) => (None, postal),
        Some(code) => (Some(code), None),
        None => (None, postal),
    };
    code_insee.or(code_postal)?;
    let address = tidied(address);
    (!address.is_empty()).then(|| AddressQuestion {
        address,
        code_insee: code_insee.map(str::to_owned),
        code_postal: code_postal.map(str::to_owned),
    })
}

/// An address with its short words written out, without post boxes and `CEDEX`.
fn tidied(address: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut skip_number = false;
    for word in address.split(|letter: char| letter.is_whitespace() || letter == ',').filter(|word| !word.is_empty()) {
        let plain = fold(word);
        let number = plain.chars().all(|letter| letter.is_ascii_digit());
        if std::mem::take(&mut skip_number) && number {
            continue;
        }
        if matches!(plain.as_str(), "bp" | "cs" | "cedex" | "tsa") {
            skip_number = true;
            continue;
        }
        let boxed = ["bp", "cs", "tsa"].iter().any(|short| {
            plain.strip_prefix(short).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
        });
        if boxed {
            continue;
        }
        // `all` and `pl` are words of other things too, but not where they stand first or after a number.
        let leads = words.last().is_none_or(|last: &String| last.chars().any(|letter| letter.is_ascii_digit()))
            || words.last().is_some_and(|last| matches!(last.as_str(), "bis" | "ter" | "quater"));
        let long = SHORT.iter().find(|(short, _)| leads && *short == plain.trim_end_matches('.'));
        words.push(long.map_or_else(|| word.to_owned(), |(_, long)| (*long).to_owned()));
    }
    words.join(" ")
}

/// The text that two questions share when they are the same.
pub fn identity(question: &AddressQuestion) -> String {
    let AddressQuestion { address, code_insee, code_postal } = question;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}|{}|{}", fold(address), part(code_insee), part(code_postal))
}

/// How fine a question is.
pub fn grain(question: &AddressQuestion, commune: &str) -> Grain {
    let plain = fold(&question.address);
    let whole = ["bourg", "le bourg", "mairie", "la mairie", "village", "le village"].contains(&plain.as_str());
    if whole || plain == fold(commune) {
        Grain::Commune
    } else if plain.chars().next().is_some_and(|letter| letter.is_ascii_digit()) {
        Grain::Number
    } else {
        Grain::Street
    }
}

/// Whether the point of an answer may stand for the address, and which it is.
pub fn judge(
    question: &AddressQuestion,
    commune: &str,
    answer: &AddressAnswer,
    centre: Option<(f64, f64)>,
) -> Result<(f64, f64), Refusal> {
    let found = match answer.kind.as_str() {
        "housenumber" => Grain::Number,
        "street" | "locality" => Grain::Street,
        "municipality" => Grain::Commune,
        _ => return Err(Refusal::NotFound),
    };
    let point = answer.longitude.zip(answer.latitude).ok_or(Refusal::NotFound)?;
    if answer.score < LEAST {
        return Err(Refusal::Doubtful);
    }
    if found < grain(question, commune) {
        return Err(Refusal::Coarse);
    }
    let other = question.code_insee.as_ref().is_some_and(|code| *code != answer.code_insee);
    let reach = if answer.code_insee.starts_with("973") { REACH_IN_GUYANE_KM } else { REACH_KM };
    let far = centre.is_some_and(|centre| haversine_km(point, centre) > reach);
    if other || far { Err(Refusal::Elsewhere) } else { Ok(point) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::short("8 bd du Port", "8 boulevard du Port")]
    #[case::bis("8 bis av. de la Gare", "8 bis avenue de la Gare")]
    #[case::box_and_cedex("12, rue Haute BP 123 CEDEX 9", "12 rue Haute")]
    #[case::box_in_one_word("12 rue Haute BP123", "12 rue Haute")]
    #[case::not_a_kind("rue de la Pl", "rue de la Pl")]
    #[case::blank("  ", "")]
    fn addresses_are_asked_for_without_what_misleads(#[case] address: &str, #[case] expected: &str) {
        assert_eq!(tidied(address), expected);
    }

    #[rstest]
    #[case::commune(Some("35238"), Some("35000"), Some((Some("35238"), None)))]
    #[case::paris(Some("75056"), Some("75011"), Some((None, Some("75011"))))]
    #[case::postal(None, Some("35000"), Some((None, Some("35000"))))]
    #[case::nothing(None, None, None)]
    #[case::paris_alone(Some("75056"), None, None)]
    fn an_address_is_asked_for_in_its_commune(
        #[case] commune: Option<&str>,
        #[case] postal: Option<&str>,
        #[case] expected: Option<(Option<&str>, Option<&str>)>,
    ) {
        let asked = question("1 rue Haute", commune, postal);
        let filters = asked.as_ref().map(|asked| (asked.code_insee.as_deref(), asked.code_postal.as_deref()));
        assert_eq!(filters, expected);
        assert_eq!(question(" ", commune, postal), None);
    }

    #[test]
    fn communes_of_guyane_are_large() {
        let asked = question("Le Village neuf", Some("97353"), None).unwrap();
        let (longitude, latitude, code_insee) = (Some(-54.03), Some(3.64), "97353".to_owned());
        let found = AddressAnswer { kind: "locality".to_owned(), score: 0.8, longitude, latitude, code_insee };
        let centre = Some((-53.42, 2.97));
        assert!(judge(&asked, "Maripasoula", &found, centre).is_ok());
        assert_eq!(judge(&asked, "Maripasoula", &found, Some((-52.3, 4.9))), Err(Refusal::Elsewhere));
    }

    #[test]
    fn two_spellings_of_one_address_are_one_question() {
        let asked = |address| identity(&question(address, Some("35238"), None).unwrap());
        assert_eq!(asked("8 Bd du Port"), asked("8, boulevard du PORT BP 12"));
        assert_ne!(asked("8 bd du Port"), asked("9 bd du Port"));
    }

    fn answer(kind: &str, score: f64) -> AddressAnswer {
        let (longitude, latitude) = (Some(-1.68), Some(48.11));
        AddressAnswer { kind: kind.to_owned(), score, longitude, latitude, code_insee: "35238".to_owned() }
    }

    #[rstest]
    #[case::number("8 rue Haute", answer("housenumber", 0.9), Ok(()))]
    #[case::number_by_a_street("8 rue Haute", answer("street", 0.9), Err(Refusal::Coarse))]
    #[case::number_by_a_commune("8 rue Haute", answer("municipality", 0.9), Err(Refusal::Coarse))]
    #[case::street("rue Haute", answer("street", 0.9), Ok(()))]
    #[case::place("La Ville Marie", answer("locality", 0.9), Ok(()))]
    #[case::street_by_a_commune("rue Haute", answer("municipality", 0.9), Err(Refusal::Coarse))]
    #[case::village("Le Bourg", answer("municipality", 0.9), Ok(()))]
    #[case::own_name("RENNES", answer("municipality", 0.9), Ok(()))]
    #[case::doubtful("8 rue Haute", answer("housenumber", 0.48), Err(Refusal::Doubtful))]
    #[case::nothing("8 rue Haute", AddressAnswer::default(), Err(Refusal::NotFound))]
    #[case::elsewhere(
        "8 rue Haute",
        AddressAnswer { code_insee: "29019".to_owned(), ..answer("housenumber", 0.9) },
        Err(Refusal::Elsewhere)
    )]
    #[case::far(
        "8 rue Haute",
        AddressAnswer { longitude: Some(2.35), ..answer("housenumber", 0.9) },
        Err(Refusal::Elsewhere)
    )]
    fn answers_are_judged_against_their_question(
        #[case] address: &str,
        #[case] answer: AddressAnswer,
        #[case] expected: Result<(), Refusal>,
    ) {
        let question = question(address, Some("35238"), None).unwrap();
        let judged = judge(&question, "Rennes", &answer, Some((-1.6819, 48.1116)));
        assert_eq!(judged.map(|_| ()), expected);
    }
}
