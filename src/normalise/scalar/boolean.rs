//! Yes and no.

use rustc_hash::FxHashMap;

use super::Unreadable;
use crate::contract::fold::fold;

/// Texts that mean yes where a contract declares none.
const YES: [&str; 8] = ["oui", "vrai", "true", "yes", "1", "o", "y", "x"];
/// Texts that mean no where a contract declares none.
const NO: [&str; 6] = ["non", "faux", "false", "no", "0", "n"];

/// Reads the texts that a contract declares, or the usual ones; case, accents and blanks do not matter.
#[derive(Debug)]
pub(in crate::normalise) struct Booleans {
    exact: FxHashMap<String, bool>,
    folded: FxHashMap<String, bool>,
}

impl Booleans {
    /// A reader of the declared texts; of the usual ones when none is declared.
    pub(in crate::normalise) fn new(true_values: &[String], false_values: &[String]) -> Self {
        let mut booleans = Self { exact: FxHashMap::default(), folded: FxHashMap::default() };
        if true_values.is_empty() && false_values.is_empty() {
            booleans.take(&YES, true);
            booleans.take(&NO, false);
        } else {
            booleans.take(true_values, true);
            booleans.take(false_values, false);
        }
        booleans
    }

    fn take(&mut self, texts: &[impl AsRef<str>], value: bool) {
        for text in texts {
            let text = text.as_ref().trim();
            self.exact.entry(text.to_owned()).or_insert(value);
            let folded = fold(text);
            if !folded.is_empty() {
                self.folded.entry(folded).or_insert(value);
            }
        }
    }

    /// Yes or no.
    pub(in crate::normalise) fn read(&self, text: &str) -> Result<bool, Unreadable> {
        let exact = self.exact.get(text).copied();
        exact.or_else(|| self.folded.get(&fold(text)).copied()).ok_or("booleen_illisible")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::yes("Oui", Ok(true))]
    #[case::no("NON", Ok(false))]
    #[case::digits("0", Ok(false))]
    #[case::a_tick("X", Ok(true))]
    #[case::maybe("peut-être", Err("booleen_illisible"))]
    fn the_usual_words_are_known(#[case] text: &str, #[case] value: Result<bool, &str>) {
        assert_eq!(Booleans::new(&[], &[]).read(text), value);
    }

    #[rstest]
    #[case::declared("d'accord", Ok(true))]
    #[case::declared_with_other_accents("Refusé", Ok(false))]
    #[case::signs_are_compared_as_they_are("-", Ok(false))]
    #[case::other_signs("—", Err("booleen_illisible"))]
    #[case::the_usual_words_are_then_unknown("oui", Err("booleen_illisible"))]
    fn declared_texts_replace_the_usual_ones(#[case] text: &str, #[case] value: Result<bool, &str>) {
        let booleans = Booleans::new(&["D’accord".to_owned()], &["refuse".to_owned(), "-".to_owned()]);
        assert_eq!(booleans.read(text), value);
    }
}
