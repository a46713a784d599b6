//! The last look at values: e-mail addresses, telephone numbers, IBANs and social-security numbers (NIR).

use std::sync::LazyLock;

use arrow::array::{AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use regex::Regex;

/// What kind of personal value a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// An e-mail address.
    Email,
    /// A French or international telephone number.
    Telephone,
    /// A bank account number with a right check.
    Iban,
    /// A French social-security number with a right key.
    Nir,
}

impl Finding {
    /// Code of the finding in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "courriel",
            Self::Telephone => "telephone",
            Self::Iban => "iban",
            Self::Nir => "nir",
        }
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns of this file are tested")
}

static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)[a-z0-9._%+-]+\s?(?:@|\[at\]|\(at\))\s?[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}"));
static TELEPHONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[^\w.,+-])((?:\+33|0033)[ .-]?(?:\(0\))?[1-9]|0[1-9])(?:[ .-]?[0-9]{2}){4}(?:$|[^\w.,-]|[.,](?:\D|$))",
    )
});
static IBAN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,4})?\b"));
static NIR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b[1-478] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b")
});

/// The first personal value in a text.
pub fn find(text: &str) -> Option<Finding> {
    let bytes = text.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if (bytes.contains(&b'@') || text.contains("at")) && EMAIL.is_match(text) {
        return Some(Finding::Email);
    }
    if digits < 10 {
        return None;
    }
    if IBAN.find_iter(text).any(|found| iban_is_right(found.as_str())) {
        return Some(Finding::Iban);
    }
    if NIR.find_iter(text).any(|found| nir_is_right(found.as_str())) {
        return Some(Finding::Nir);
    }
    TELEPHONE.is_match(text).then_some(Finding::Telephone)
}

/// The text with its personal values struck out, for cells that may not be empty.
pub fn struck_out(text: &str) -> String {
    let strike = |rest: String, pattern: &LazyLock<Regex>| match find(&rest) {
        Some(_) => pattern.replace_all(&rest, " […] ").trim().to_owned(),
        None => rest,
    };
    let rest = [&EMAIL, &IBAN, &NIR, &TELEPHONE].into_iter().fold(text.to_owned(), strike);
    if find(&rest).is_some() { "[…]".to_owned() } else { rest }
}

/// ISO 13616: country and check moved to the end, letters as 10 to 35, remainder by 97 is 1.
fn iban_is_right(text: &str) -> bool {
    let compact: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let (Some(head), Some(tail)) = (compact.get(..4), compact.get(4..)) else { return false };
    let rest = tail.iter().chain(head).fold(0_u64, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u64::from(byte - b'0')) % 97,
        _ => (rest * 100 + u64::from(byte - b'A') + 10) % 97,
    });
    rest == 1 && (15..=34).contains(&compact.len())
}

/// INSEE: the key is 97 less the remainder of the number by 97, with 2A as 19 and 2B as 18.
fn nir_is_right(text: &str) -> bool {
    let compact: String = text.chars().filter(|c| *c != ' ').collect();
    let compact = compact.replace("2A", "19").replace("2B", "18");
    let (Some(number), Some(key)) = (compact.get(..13), compact.get(13..)) else { return false };
    match (number.parse::<u64>(), key.parse::<u64>()) {
        (Ok(number), Ok(key)) => key == 97 - number % 97,
        _ => false,
    }
}

/// A personal value in a batch: column, row within the batch, kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The column.
    pub column: String,
    /// Row of the batch, from 0.
    pub row: usize,
    /// What it holds.
    pub finding: Finding,
}

/// All hits in the text columns of a batch.
pub fn batch(batch: &RecordBatch) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let mut take = |row: usize, text: &str| {
            if let Some(finding) = find(text) {
                hits.push(Hit { column: field.name().clone(), row, finding });
            }
        };
        match field.data_type() {
            DataType::Utf8 => {
                let texts: &StringArray = column.as_string();
                texts.iter().enumerate().for_each(|(row, text)| text.into_iter().for_each(|text| take(row, text)));
            }
            DataType::List(item) if item.data_type() == &DataType::Utf8 => {
                for (row, list) in column.as_list::<i32>().iter().enumerate() {
                    let Some(list) = list else { continue };
                    list.as_string::<i32>().iter().flatten().for_each(|text| take(row, text));
                }
            }
            _ => {}
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::email("écrire à jean.dupont@example.org svp", Some(Finding::Email))]
    #[case::disguised_email("contact [at] exemple.fr", Some(Finding::Email))]
    #[case::telephone("tél. 02 99 12 34 56", Some(Finding::Telephone))]
    #[case::telephone_in_dots("06.12.34.56.78", Some(Finding::Telephone))]
    #[case::telephone_abroad("+33 6 12 34 56 78", Some(Finding::Telephone))]
    #[case::telephone_at_the_end_of_a_sentence("Appeler le 0612345678.", Some(Finding::Telephone))]
    #[case::iban("FR14 2004 1010 0505 0001 3M02 606", Some(Finding::Iban))]
    #[case::iban_with_a_wrong_check("FR15 2004 1010 0505 0001 3M02 606", None)]
    #[case::nir("2 55 08 14 168 025 38", Some(Finding::Nir))]
    #[case::siret("73282932000074", None)]
    #[case::siren("732829320", None)]
    #[case::coordinates("48.856613, 2.352222", None)]
    #[case::timestamp("2026-11-22T20:19:12", None)]
    #[case::number("0123456789.25", None)]
    #[case::handle_without_domain("@essaim", None)]
    #[case::sentence("Nous accompagnons 62 structures depuis 2014", None)]
    fn personal_values_are_found_and_public_ones_are_not(#[case] text: &str, #[case] finding: Option<Finding>) {
        assert_eq!(find(text), finding);
    }

    #[rstest]
    #[case::email("Chez Paul, paul@exemple.fr", "Chez Paul, […]")]
    #[case::both("tél. 02 99 12 34 56 ou a@b.fr", "tél. […] ou […]")]
    #[case::nothing("Chez Paul", "Chez Paul")]
    fn personal_values_are_struck_out(#[case] text: &str, #[case] expected: &str) {
        let found = struck_out(text);
        assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), expected);
        assert_eq!(find(&found), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_scan_fail(text in ".*") {
            let _ = find(&text);
        }
    }
}
