//! Names and digests that travel through every layer, each its own type so that they cannot be mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Why a text is not a name of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a {kind}: {rule}")]
pub struct InvalidId {
    /// What was asked for, in words.
    pub kind: &'static str,
    /// The text that was given.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(value: &str) -> Result<Self, InvalidId> {
                let check: fn(&str) -> bool = $check;
                if check(value) {
                    Ok(Self(value.to_owned()))
                } else {
                    Err(InvalidId { kind: $kind, value: value.to_owned(), rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(value: String) -> Result<Self, InvalidId> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn is_slug(value: &str, extra: u8) -> bool {
    let bytes = value.as_bytes();
    (1..=80).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == extra)
}

name_type!(
    /// A source of a pipeline: lower-case letters, digits and `-`.
    SourceId, "source name", "lower-case letters, digits and `-`, a letter first", |v| is_slug(v, b'-')
);
name_type!(
    /// A dataset, named after its pipeline file: lower-case letters, digits and `-`.
    DatasetId, "dataset name", "lower-case letters, digits and `-`, a letter first", |v| is_slug(v, b'-')
);
name_type!(
    /// A table or column name: lower-case letters, digits and `_`, as data.gouv.fr asks of CSV headers.
    TableName, "table name", "lower-case letters, digits and `_`, a letter first", |v| is_slug(v, b'_')
);
name_type!(
    /// A release: a date, then `.2`, `.3`... for further ones of that day, then `-r1`... when it was rewritten.
    ReleaseId, "release id", "`2026-11-22`, or `2026-11-22.2` for the second of a day", is_release_id
);
name_type!(
    /// One execution of a pipeline.
    RunId, "run id", "letters, digits, `-`", |v| !v.is_empty()
        && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);

impl DatasetId {
    /// The name of the dataset's schema in SQL: `_` for `-`.
    pub fn sql_name(&self) -> String {
        self.0.replace('-', "_")
    }
}

/// The id without `-r2`, and the number there; 0 when a release was never rewritten.
fn split_rewrite(value: &str) -> (&str, &str) {
    value.rsplit_once("-r").unwrap_or((value, "0"))
}

fn is_release_id(value: &str) -> bool {
    let is_number = |text: &str, least: u32| text.parse::<u32>().is_ok_and(|n| n >= least && n.to_string() == text);
    let (made, rewrite) = split_rewrite(value);
    let (date, count) = match made.split_once('.') {
        Some((date, count)) => (date, Some(count)),
        None => (made, None),
    };
    let date_ok = date.len() == 10
        && date.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    date_ok && count.is_none_or(|count| is_number(count, 2)) && (made == value || is_number(rewrite, 1))
}

impl ReleaseId {
    /// The `count`-th release of `date` (`YYYY-MM-DD`); the first bears the date alone.
    pub fn of(date: &str, count: u32) -> Result<Self, InvalidId> {
        if count <= 1 { date.parse() } else { format!("{date}.{count}").parse() }
    }

    /// The date, the count, and how often it was rewritten, for sorting.
    pub fn sort_key(&self) -> (&str, u32, u32) {
        let (made, _) = split_rewrite(&self.0);
        match made.split_once('.') {
            Some((date, count)) => (date, count.parse().unwrap_or(u32::MAX), self.rewritten()),
            None => (made, 1, self.rewritten()),
        }
    }

    /// How often the release was rewritten after a legal demand.
    pub fn rewritten(&self) -> u32 {
        split_rewrite(&self.0).1.parse().unwrap_or(0)
    }

    /// The id of the release once it is rewritten again: `2026-11-22-r1`.
    #[must_use]
    pub fn next_rewrite(&self) -> Self {
        Self(format!("{}-r{}", split_rewrite(&self.0).0, self.rewritten() + 1))
    }
}

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = InvalidId;

    fn from_str(value: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0_u8; 32];
        match hex::decode_to_slice(value, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(InvalidId { kind: "SHA-256 digest", value: value.to_owned(), rule: "64 hexadecimal digits" }),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidId;

    fn try_from(value: String) -> Result<Self, InvalidId> {
        value.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// SHA-256 taken while bytes pass by.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Digest of all bytes taken in.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::first_of_a_day("2026-11-22", true)]
    #[case::second_of_a_day("2026-11-22.2", true)]
    #[case::a_count_of_one_is_not_written("2026-11-22.1", false)]
    #[case::leading_zero("2026-11-22.02", false)]
    #[case::path_escape("../2026-11-22", false)]
    #[case::no_dashes("20261122", false)]
    #[case::rewritten("2026-11-22-r1", true)]
    #[case::second_of_a_day_rewritten_twice("2026-11-22.2-r2", true)]
    #[case::rewritten_no_time("2026-11-22-r0", false)]
    #[case::rewritten_by_a_word("2026-11-22-rx", false)]
    fn release_ids_are_dates_with_a_count(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<ReleaseId>().is_ok(), valid);
    }

    #[test]
    fn release_ids_sort_by_count_not_by_text() {
        let tenth: ReleaseId = "2026-11-22.10".parse().unwrap();
        let second: ReleaseId = "2026-11-22.2".parse().unwrap();
        assert!(tenth.sort_key() > second.sort_key());
    }

    #[test]
    fn a_rewritten_release_sorts_behind_itself_and_before_the_next() {
        let id = |text: &str| text.parse::<ReleaseId>().unwrap();
        assert_eq!(id("2026-11-22.2").next_rewrite(), id("2026-11-22.2-r1"));
        assert_eq!(id("2026-11-22-r1").next_rewrite(), id("2026-11-22-r2"));
        assert!(id("2026-11-22-r2").sort_key() > id("2026-11-22-r1").sort_key());
        assert!(id("2026-11-22-r2").sort_key() < id("2026-11-22.2").sort_key());
    }

    #[test]
    fn a_digest_reads_back_from_its_text() {
        let digest = Digest::of(b"essaim");
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
    }
}
