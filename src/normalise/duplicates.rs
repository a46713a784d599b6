//! Which of several rows with one primary key stays, found while rows pass by.
//!
//! A short key is remembered as it is, a longer one as half of its SHA-256 digest: 32 bytes a row, whatever its length.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use sha2::{Digest as _, Sha256};

/// A key of at most [`SHORT`] bytes with its length at the end, or the first 128 bits of a longer one's digest, which end
/// otherwise.
type KeyHash = (u64, u64);

/// Longest key that is remembered as it is, in bytes.
const SHORT: usize = 15;

/// Parts of the keys that are seen.
const PARTS: usize = 16;

/// What rows with one key are compared by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rank<'a> {
    /// A number, a date or a time.
    Number(i64),
    /// A text.
    Text(&'a str),
}

/// What a row is, seen from those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays, for now.
    Stays,
    /// This earlier row stays in its place.
    Loses(u64),
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    row: u64,
    /// The rank, or where it is in `texts`.
    rank: i64,
}

/// Mixes the halves of a key: one multiplication to 128 bits, folded.
#[derive(Debug, Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        let product = u128::from(self.0) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        let (high, low) = ((product >> 64) & u128::from(u64::MAX), product & u128::from(u64::MAX));
        u64::try_from(high ^ low).unwrap_or_default()
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, bits: u64) {
        self.0 = self.0.rotate_left(29) ^ bits;
    }
}

/// Keys seen so far, and the row that holds each.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    /// By a part of the key: a table that grows is copied, and so only a part of it is there twice.
    holders: [HashMap<KeyHash, Holder, BuildHasherDefault<Folded>>; PARTS],
    texts: Vec<Box<str>>,
    /// Whether the smallest rank stays.
    least: bool,
    displaced: Vec<(u64, KeyHash)>,
}

impl Duplicates {
    /// Keys of which the row with the smallest rank stays.
    pub(super) fn least() -> Self {
        Self { least: true, ..Self::default() }
    }

    /// Takes a row in. `rank` is none when the first row of a key stays.
    pub(super) fn take(&mut self, key: &str, row: u64, rank: Option<Rank<'_>>) -> Verdict {
        let hash = key_hash(key);
        let holders = &mut self.holders[part(hash)];
        let Some(holder) = holders.get_mut(&hash) else {
            let rank = match rank {
                Some(Rank::Number(number)) => number,
                Some(Rank::Text(text)) => {
                    self.texts.push(text.into());
                    i64::try_from(self.texts.len() - 1).unwrap_or(i64::MAX)
                }
                None => 0,
            };
            holders.insert(hash, Holder { row, rank });
            return Verdict::Stays;
        };
        let wins = match rank {
            Some(Rank::Number(number)) if number != holder.rank && (number < holder.rank) == self.least => {
                holder.rank = number;
                true
            }
            Some(Rank::Text(text)) => match usize::try_from(holder.rank).ok().and_then(|at| self.texts.get_mut(at)) {
                Some(known) if text != &**known && (text < &**known) == self.least => {
                    *known = text.into();
                    true
                }
                _ => false,
            },
            _ => false,
        };
        if !wins {
            return Verdict::Loses(holder.row);
        }
        self.displaced.push((holder.row, hash));
        holder.row = row;
        Verdict::Stays
    }

    /// Rows that had stayed at first and lost against a later one, ascending, each with the row that stays.
    pub(super) fn displaced(&mut self) -> Vec<(u64, u64)> {
        let mut rows: Vec<(u64, u64)> = std::mem::take(&mut self.displaced)
            .into_iter()
            .filter_map(|(row, hash)| self.holders[part(hash)].get(&hash).map(|holder| (row, holder.row)))
            .collect();
        rows.sort_unstable();
        rows
    }
}

/// The part that a key belongs to.
fn part((one, other): KeyHash) -> usize {
    let mut hasher = Folded::default();
    hasher.write_u64(other);
    hasher.write_u64(one);
    usize::try_from(hasher.finish() >> 32).unwrap_or_default() % PARTS
}

fn key_hash(key: &str) -> KeyHash {
    let mut bytes = [0_u8; 16];
    if let (true, Some(own)) = (key.len() <= SHORT, bytes.get_mut(..key.len())) {
        own.copy_from_slice(key.as_bytes());
        bytes[SHORT] = u8::try_from(key.len()).unwrap_or(u8::MAX);
    } else {
        bytes.iter_mut().zip(Sha256::digest(key.as_bytes())).for_each(|(byte, digested)| *byte = digested);
        bytes[SHORT] = u8::MAX;
    }
    let whole = u128::from_le_bytes(bytes);
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    (half(whole), half(whole >> 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_a_rank_the_first_stays() {
        let mut seen = Duplicates::default();
        assert_eq!(seen.take("a", 1, None), Verdict::Stays);
        assert_eq!(seen.take("b", 2, None), Verdict::Stays);
        assert_eq!(seen.take("a", 3, None), Verdict::Loses(1));
        assert_eq!(seen.displaced(), []);
    }

    #[test]
    fn the_greatest_rank_stays_and_the_first_of_equals() {
        let mut seen = Duplicates::default();
        assert_eq!(seen.take("a", 1, Some(Rank::Number(5))), Verdict::Stays);
        assert_eq!(seen.take("a", 2, Some(Rank::Number(5))), Verdict::Loses(1));
        assert_eq!(seen.take("a", 3, Some(Rank::Number(7))), Verdict::Stays);
        assert_eq!(seen.take("a", 4, Some(Rank::Number(6))), Verdict::Loses(3));
        assert_eq!(seen.take("a", 5, Some(Rank::Number(9))), Verdict::Stays);
        assert_eq!(seen.displaced(), [(1, 5), (3, 5)]);
    }

    #[test]
    fn the_smallest_rank_stays_where_it_was_asked_for() {
        let mut seen = Duplicates::least();
        assert_eq!(seen.take("a", 1, Some(Rank::Number(5))), Verdict::Stays);
        assert_eq!(seen.take("a", 2, Some(Rank::Number(5))), Verdict::Loses(1));
        assert_eq!(seen.take("a", 3, Some(Rank::Number(7))), Verdict::Loses(1));
        assert_eq!(seen.take("a", 4, Some(Rank::Number(-2))), Verdict::Stays);
        assert_eq!(seen.displaced(), [(1, 4)]);
    }

    #[test]
    fn texts_rank_by_their_bytes() {
        let mut seen = Duplicates::default();
        seen.take("a", 1, Some(Rank::Text("2024")));
        assert_eq!(seen.take("a", 2, Some(Rank::Text("2025"))), Verdict::Stays);
        assert_eq!(seen.take("a", 3, Some(Rank::Text("2024"))), Verdict::Loses(2));
    }

    proptest! {
        #[test]
        fn exactly_one_row_of_each_key_is_left(rows in proptest::collection::vec((0_u8..6, -3_i64..3), 0..60)) {
            let mut seen = Duplicates::default();
            let mut left: BTreeMap<u64, u8> = BTreeMap::new();
            for (row, (key, rank)) in (1_u64..).zip(&rows) {
                if seen.take(&key.to_string(), row, Some(Rank::Number(*rank))) == Verdict::Stays {
                    left.insert(row, *key);
                }
            }
            for (row, _) in seen.displaced() {
                prop_assert!(left.remove(&row).is_some());
            }
            for key in 0..6 {
                let best = (1_u64..).zip(&rows).filter(|(_, (k, _))| *k == key).max_by_key(|(row, (_, rank))| (*rank, std::cmp::Reverse(*row)));
                let kept: Vec<u64> = left.iter().filter(|(_, k)| **k == key).map(|(row, _)| *row).collect();
                prop_assert_eq!(kept, best.map(|(row, _)| row).into_iter().collect::<Vec<_>>());
            }
        }
    }
}
