//! Names of the communes of one département, and the ways in which people write them.

use super::fold::fold;

/// Folded names in order: (name, how far it is from the official one, row).
pub(super) struct Names(Vec<(Box<str>, u8, u32)>);

impl Names {
    pub(super) fn new<'a>(communes: impl Iterator<Item = (u32, &'a str)>) -> Self {
        let mut names = Vec::new();
        for (row, nom) in communes {
            let whole = fold(nom);
            if let Some(bare) = without_article(&whole) {
                names.push((bare.into(), 1, row));
            }
            if let Some((short, _)) = nom.split_once('(') {
                names.push((fold(short).into(), 1, row));
            }
            names.push((whole.into_boxed_str(), 0, row));
        }
        names.sort_unstable();
        Self(names)
    }

    /// Rows of a name, with the distance of each from what was asked for: 0 is the official name.
    pub(super) fn find<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = (u8, u32)> + 'a {
        let bare = without_article(&name.folded).map(|bare| (bare, 1));
        [(name.folded.as_str(), 0)].into_iter().chain(bare).flat_map(|(key, far)| {
            let from = self.0.partition_point(|(name, _, _)| &**name < key);
            let rest = self.0.get(from..).unwrap_or_default();
            let same = rest.iter().take_while(move |(name, _, _)| &**name == key);
            same.map(move |(_, off, row)| (far + off, *row))
        })
    }
}

fn without_article(folded: &str) -> Option<&str> {
    let (first, rest) = folded.split_once(' ')?;
    is_article(first).then_some(rest)
}

fn is_article(word: &str) -> bool {
    matches!(word, "le" | "la" | "les" | "l")
}

/// The three communes with arrondissements: folded name, INSEE code, number of arrondissements.
const CITIES: [(&str, u32, u32); 3] = [("paris", 75_056, 20), ("lyon", 69_123, 9), ("marseille", 13_055, 16)];

/// The name of a commune as a source wrote it, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Folded, without CEDEX, postal code, département and arrondissement, article first.
    pub(super) folded: String,
    /// INSEE code of the arrondissement that the name gives.
    pub(super) arrondissement: Option<u32>,
    /// INSEE code of Paris, Lyon or Marseille, if it is one of them.
    pub(super) city: Option<u32>,
    /// A postal code that stood before the name.
    pub(super) postal: Option<u32>,
    /// There was a CEDEX.
    pub(super) cedex: bool,
}

impl Name {
    pub(super) fn parse(text: &str) -> Self {
        let folded = fold(text);
        let mut words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
        let cedex = words.iter().position(|word| word.starts_with("cedex"));
        words.truncate(cedex.unwrap_or(words.len()));
        let leading = words.first().filter(|word| word.len() == 5).and_then(|word| word.parse().ok());
        if leading.is_some() {
            words.remove(0);
        }
        let city = words.first().and_then(|word| CITIES.iter().find(|(name, _, _)| name == word));
        let numbered = city.and_then(|city| arrondissement(city, words.get(1..).unwrap_or_default()));
        if numbered.is_some() {
            words.truncate(1);
        } else if text.contains('(') && words.len() > 1 && words.last().is_some_and(|word| is_departement(word)) {
            words.pop();
        }
        if words.len() > 1 && words.last().is_some_and(|word| is_article(word)) {
            words.rotate_right(1);
        }
        let city = city.filter(|_| words.len() == 1).map(|(_, code, _)| *code);
        Self { folded: words.join(" "), arrondissement: numbered, city, postal: leading, cedex: cedex.is_some() }
    }
}

/// Code of a département in the shape that people put behind a name.
fn is_departement(word: &str) -> bool {
    matches!(word, "2a" | "2b") || (matches!(word.len(), 2 | 3) && word.bytes().all(|b| b.is_ascii_digit()))
}

/// INSEE code of `1er arrondissement`, `03`, `11e`, `12eme arrdt`, `2 nd` and the like.
fn arrondissement(city: &(&str, u32, u32), words: &[&str]) -> Option<u32> {
    let (first, rest) = words.split_first()?;
    let digits = first.bytes().take_while(u8::is_ascii_digit).count();
    let (number, ending) = first.split_at_checked(digits)?;
    let number: u32 = number.parse().ok()?;
    let ordinal = |word: &str| matches!(word, "" | "e" | "er" | "eme" | "ieme" | "nd" | "nde" | "d" | "o");
    let unit = |word: &str| word.starts_with("arr") || word == "ardt" || ordinal(word);
    if !(1..=city.2).contains(&number) || !ordinal(ending) || !rest.iter().all(|word| unit(word)) {
        return None;
    }
    Some(match city.1 {
        75_056 => 75_100 + number,
        69_123 => 69_380 + number,
        _ => 13_200 + number,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("Le Havre", "le havre", None)]
    #[case::article_behind("Havre (Le)", "le havre", None)]
    #[case::article_behind_a_comma("HAVRE, LE", "le havre", None)]
    #[case::elided_article_behind("Haÿ-les-Roses (L')", "l hay les roses", None)]
    #[case::cedex("LYON CEDEX 03", "lyon", None)]
    #[case::cedex_glued("RENNES CEDEX7", "rennes", None)]
    #[case::arrondissement_and_cedex("LYON 03 CEDEX", "lyon", Some(69383))]
    #[case::postal_code_before("35000 Rennes", "rennes", None)]
    #[case::departement_behind("Saint-Denis (93)", "saint denis", None)]
    #[case::corsica_behind("Bastia (2B)", "bastia", None)]
    #[case::first("MARSEILLE 1ER ARRONDISSEMENT", "marseille", Some(13201))]
    #[case::short("Paris 11e", "paris", Some(75111))]
    #[case::accented("Paris 12ème", "paris", Some(75112))]
    #[case::padded("Lyon 03", "lyon", Some(69383))]
    #[case::parentheses("Paris (20)", "paris", Some(75120))]
    #[case::arrdt("Paris 2nd arrdt", "paris", Some(75102))]
    #[case::no_such_arrondissement("Lyon 10", "lyon 10", None)]
    #[case::another_commune("Paris-l'Hôpital", "paris l hopital", None)]
    #[case::empty("", "", None)]
    #[case::only_cedex("CEDEX 9", "", None)]
    fn names_are_taken_apart(#[case] text: &str, #[case] folded: &str, #[case] arrondissement: Option<u32>) {
        let name = Name::parse(text);
        assert_eq!((name.folded.as_str(), name.arrondissement), (folded, arrondissement));
    }

    #[rstest]
    #[case::exact("Le Mesnil", &[(0, 1)])]
    #[case::article_left_out("Mesnil", &[(0, 2), (1, 1)])]
    #[case::article_added("La Rochelle", &[(1, 3)])]
    #[case::parentheses_left_out("Château-Chinon", &[(1, 4), (1, 5)])]
    #[case::parentheses_kept("Chateau Chinon (Ville)", &[(0, 4)])]
    #[case::none("Autre", &[])]
    fn names_are_found(#[case] text: &str, #[case] rows: &[(u8, u32)]) {
        let communes = ["Le Mesnil", "Mesnil", "Rochelle", "Château-Chinon (Ville)", "Château-Chinon (Campagne)"];
        let names = Names::new((1..).zip(communes));
        let mut found: Vec<_> = names.find(&Name::parse(text)).collect();
        found.sort_unstable();
        let best = found.iter().filter(|(far, _)| rows.iter().any(|(rank, _)| rank == far));
        assert_eq!(best.copied().collect::<Vec<_>>(), rows);
    }
}
