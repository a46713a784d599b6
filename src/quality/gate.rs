//! The gate: what a candidate may lose against the release before, and a source against what it gave before.
//!
//! A bound compares two numbers. One that is broken stops a release, or puts the last good snapshot of a source in the
//! place of the new one, unless a person accepts it with a reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::pipeline::{SourceGate, TableGate};

/// What became of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Held,
    /// It is broken.
    Broken,
    /// It is broken, and a person said why it may be.
    Accepted,
}

/// A bound and what was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// Stable id, such as `rows:structures`, `lost_keys:structures`, `empty:structures.siret`, `source_rows:registre`.
    pub id: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What was there before; a first release has nothing before it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<f64>,
    /// What is there now.
    pub now: f64,
    /// The least or the most that is allowed now.
    pub limit: f64,
    /// What is the matter, in words and without values of cells; empty when it holds.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub said: String,
    /// Why it was accepted, in the words of who did it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub because: Option<String>,
}

impl Bound {
    /// A bound that holds when `holds` is true; `said` tells otherwise.
    fn of(id: String, before: Option<f64>, now: f64, limit: f64, holds: bool, said: String) -> Self {
        let (verdict, said) = if holds { (Verdict::Held, String::new()) } else { (Verdict::Broken, said) };
        Self { id, verdict, before, now, limit, said, because: None }
    }

    /// A bound that is broken by what a person changed, not by a number.
    pub fn broken(id: String, said: String) -> Self {
        Self { id, verdict: Verdict::Broken, before: None, now: 1.0, limit: 0.0, said, because: None }
    }

    /// Whether it stops what it guards.
    pub fn blocks(&self) -> bool {
        self.verdict == Verdict::Broken
    }
}

/// What a person lets through: ids of bounds, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acceptance {
    /// Ids of bounds.
    pub bounds: Vec<String>,
    /// Why, in words that are published.
    pub because: String,
}

impl Acceptance {
    /// Takes the broken bounds that are accepted for accepted.
    pub fn apply(&self, bounds: &mut [Bound]) {
        for bound in bounds.iter_mut().filter(|bound| bound.blocks() && self.bounds.contains(&bound.id)) {
            bound.verdict = Verdict::Accepted;
            bound.because = Some(self.because.clone());
        }
    }
}

/// What a source gave: its tables by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceShape {
    /// What was read into each.
    pub tables: BTreeMap<String, ReadShape>,
}

/// What was read into a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReadShape {
    /// Rows that were read.
    pub read: u64,
    /// Rows of them that were rejected.
    pub rejected: u64,
    /// What is left, without the columns that the source does not have: what happens then is a matter of `drift`.
    pub kept: TableShape,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TableShape {
    /// Rows.
    pub rows: u64,
    /// Empty cells by column, for the columns that count.
    pub empty: BTreeMap<String, u64>,
}

#[expect(clippy::cast_precision_loss, reason = "shares of counts of rows")]
fn float(count: u64) -> f64 {
    count as f64
}

/// What may go of a number of rows: a share of them, and one in any case unless nothing may go.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count of rows, rounded down")]
fn may_go(before: u64, share: f64) -> u64 {
    ((float(before) * share).floor() as u64).max(u64::from(share > 0.0))
}

/// Rows that must be there: the declared minimum, and what was there before but for what may go. What was not empty
/// must not become so.
fn least(before: Option<u64>, minimum: u64, shrink: f64) -> u64 {
    let kept = before.map_or(0, |before| before.saturating_sub(may_go(before, shrink)).max(u64::from(before > 0)));
    if shrink >= 1.0 { minimum } else { kept.max(minimum) }
}

fn rows_said(what: &str, before: Option<u64>, now: u64, least: u64) -> String {
    let before = before.map_or_else(String::new, |before| format!(", {before} before"));
    format!("{what} has {now} rows{before}; at least {least} are asked for")
}

/// Whether a share of `now` rose by more than `rise` over that of `before`; one more may be in it unless none may.
fn rose(before: (u64, u64), now: (u64, u64), rise: f64) -> (bool, f64, f64, f64) {
    let share = |(part, whole): (u64, u64)| if whole == 0 { 0.0 } else { float(part) / float(whole) };
    let one = if now.1 == 0 || rise <= 0.0 { 0.0 } else { 1.0 / float(now.1) };
    let (before, now) = (share(before), share(now));
    let limit = before + rise.max(one);
    (now > limit + 1e-9, before, now, limit)
}

/// Bounds on the empty cells of each column. A column that loses all of several cells breaks its bound however few they
/// are: that is what a key that shows less looks like.
fn empty_bounds(
    id: &str,
    table: &str,
    before: &TableShape,
    now: &TableShape,
    may_rise: impl Fn(&str) -> f64,
) -> Vec<Bound> {
    // Of no rows no cell was filled.
    let known = now.empty.iter().filter(|_| before.rows > 0);
    let counted = known.filter_map(|(column, empty)| Some((column, *empty, *before.empty.get(column)?)));
    let bound = |(column, empty, was): (&String, u64, u64)| {
        let rise = may_rise(column);
        let (broken, was_share, share, limit) = rose((was, before.rows), (empty, now.rows), rise);
        let filled = before.rows.saturating_sub(was);
        let gone = rise < 1.0 && filled > 1 && now.rows > 0 && empty == now.rows;
        let said = format!(
            "{empty} of {} cells of column `{column}` of table `{table}` are empty, {was} of {} before",
            now.rows, before.rows
        );
        Bound::of(format!("{id}:{table}.{column}"), Some(was_share), share, limit, !broken && !gone, said)
    };
    counted.map(bound).collect()
}

/// Judges what a source gave against what it gave when it was last good. The declared minimum is that of its largest
/// table.
pub fn source_bounds(source: &str, gate: &SourceGate, before: Option<&SourceShape>, now: &SourceShape) -> Vec<Bound> {
    let largest = now.tables.iter().max_by_key(|(_, shape)| shape.read).map(|(table, _)| table);
    let mut bounds = Vec::new();
    for (table, shape) in &now.tables {
        let name = if now.tables.len() == 1 { source.to_owned() } else { format!("{source}.{table}") };
        let minimum = if Some(table) == largest { gate.minimum } else { 0 };
        let before = before.and_then(|before| before.tables.get(table));
        bounds.extend(read_bounds(&name, table, (gate, minimum), before, shape));
    }
    bounds
}

fn read_bounds(
    name: &str,
    table: &str,
    (gate, minimum): (&SourceGate, u64),
    before: Option<&ReadShape>,
    now: &ReadShape,
) -> Vec<Bound> {
    let rows_before = before.map(|shape| shape.read);
    let least = least(rows_before, minimum, gate.shrink);
    let mut bounds = vec![Bound::of(
        format!("source_rows:{name}"),
        rows_before.map(float),
        float(now.read),
        float(least),
        now.read >= least,
        rows_said(&format!("source `{name}`"), rows_before, now.read, least),
    )];
    let id = format!("source_rejects:{name}");
    let Some(before) = before.filter(|before| before.read > 0) else {
        let all = now.read > 0 && now.rejected == now.read && gate.rejects < 1.0;
        let said = format!("all {} rows of source `{name}` were rejected", now.read);
        bounds.push(Bound::of(id, None, if all { 1.0 } else { 0.0 }, gate.rejects, !all, said));
        return bounds;
    };
    let (broken, was, is, limit) = rose((before.rejected, before.read), (now.rejected, now.read), gate.rejects);
    let said = format!(
        "{} of {} rows of source `{name}` were rejected, {} of {} before",
        now.rejected, now.read, before.rejected, before.read
    );
    bounds.push(Bound::of(id, Some(was), is, limit, !broken, said));
    bounds.extend(empty_bounds("source_empty", table, &before.kept, &now.kept, |_column| gate.empty));
    bounds
}

/// Judges a published table against that of the release before. `lost_keys` is the number of its keys that are gone.
pub fn table_bounds(
    table: &str,
    gate: &TableGate,
    before: Option<&TableShape>,
    now: &TableShape,
    lost_keys: Option<u64>,
) -> Vec<Bound> {
    let rows_before = before.map(|shape| shape.rows);
    let least = least(rows_before, gate.minimum, gate.shrink);
    let mut bounds = vec![Bound::of(
        format!("rows:{table}"),
        rows_before.map(float),
        float(now.rows),
        float(least),
        now.rows >= least,
        rows_said(&format!("table `{table}`"), rows_before, now.rows, least),
    )];
    let Some(before) = before else { return bounds };
    if let Some(lost) = lost_keys {
        let most = if gate.lost_keys >= 1.0 { before.rows } else { may_go(before.rows, gate.lost_keys) };
        let said = format!("{lost} of {} keys of table `{table}` are gone; at most {most} may go", before.rows);
        let id = format!("lost_keys:{table}");
        bounds.push(Bound::of(id, Some(float(before.rows)), float(lost), float(most), lost <= most, said));
    }
    bounds.extend(empty_bounds("empty", table, before, now, |column| gate.empty_of(column)));
    bounds
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn source(before: Option<(u64, u64)>, now: (u64, u64)) -> Vec<String> {
        let shape = |(read, rejected)| SourceShape {
            tables: BTreeMap::from([("t".to_owned(), ReadShape { read, rejected, kept: TableShape::default() })]),
        };
        broken(&source_bounds("s", &SourceGate::default(), before.map(shape).as_ref(), &shape(now)))
    }

    fn broken(bounds: &[Bound]) -> Vec<String> {
        bounds.iter().filter(|bound| bound.blocks()).map(|bound| bound.id.clone()).collect()
    }

    #[rstest]
    #[case::a_fifth_may_go(Some((100, 0)), (80, 0), &[])]
    #[case::more_than_a_fifth_may_not(Some((100, 0)), (79, 0), &["source_rows:s"])]
    #[case::of_three_rows_one_may_go(Some((3, 0)), (2, 0), &[])]
    #[case::of_three_rows_two_may_not(Some((3, 0)), (1, 0), &["source_rows:s"])]
    #[case::the_last_row_may_not_go(Some((1, 0)), (0, 0), &["source_rows:s"])]
    #[case::a_first_answer_must_not_be_empty(None, (0, 0), &["source_rows:s"])]
    #[case::a_first_answer_of_rejects_only_is_none(None, (40, 40), &["source_rejects:s"])]
    #[case::growth_is_welcome(Some((3, 0)), (3000, 0), &[])]
    #[case::a_few_rejects_are_borne(Some((100, 2)), (100, 22), &[])]
    #[case::a_source_that_no_longer_fits_is_not(Some((100, 2)), (100, 23), &["source_rejects:s"])]
    #[case::one_reject_of_few_rows_is_borne(Some((3, 0)), (3, 1), &[])]
    #[case::two_rejects_of_few_rows_are_not(Some((3, 0)), (3, 2), &["source_rejects:s"])]
    fn a_source_is_judged_by_what_it_gave_before(
        #[case] before: Option<(u64, u64)>,
        #[case] now: (u64, u64),
        #[case] expected: &[&str],
    ) {
        assert_eq!(source(before, now), expected);
    }

    #[test]
    fn a_table_is_judged_by_rows_keys_and_empty_cells() {
        let shape = |rows, empty| TableShape { rows, empty: BTreeMap::from([("nom".to_owned(), empty)]) };
        let judge = |gate: &TableGate, now: &TableShape, lost| {
            broken(&table_bounds("t", gate, Some(&shape(10, 0)), now, Some(lost)))
        };
        assert!(judge(&TableGate::default(), &shape(8, 0), 2).is_empty());
        assert_eq!(judge(&TableGate::default(), &shape(7, 0), 3), ["rows:t", "lost_keys:t"]);
        assert_eq!(judge(&TableGate::default(), &shape(10, 3), 0), ["empty:t.nom"]);
        let loose =
            TableGate { minimum: 2, shrink: 1.0, lost_keys: 1.0, empty: BTreeMap::from([("nom".to_owned(), 1.0)]) };
        assert!(judge(&loose, &shape(2, 2), 8).is_empty());
        assert_eq!(judge(&loose, &shape(1, 1), 9), ["rows:t"]);
    }

    #[test]
    fn a_column_that_loses_all_its_cells_is_told_however_few_they_were() {
        let shape = |empty| TableShape { rows: 50, empty: BTreeMap::from([("courriel".to_owned(), empty)]) };
        let source = |empty| SourceShape {
            tables: BTreeMap::from([("t".to_owned(), ReadShape { read: 50, rejected: 0, kept: shape(empty) })]),
        };
        let judge = |was, is| broken(&source_bounds("s", &SourceGate::default(), Some(&source(was)), &source(is)));
        assert_eq!(judge(47, 50), ["source_empty:t.courriel"]);
        assert!(judge(47, 49).is_empty());
        assert!(judge(49, 50).is_empty(), "one cell may always go");
    }

    #[test]
    fn no_loss_at_all_means_none() {
        let gate = TableGate { shrink: 0.0, lost_keys: 0.0, ..TableGate::default() };
        let shape = |rows| TableShape { rows, empty: BTreeMap::new() };
        assert_eq!(broken(&table_bounds("t", &gate, Some(&shape(40)), &shape(39), Some(1))), ["rows:t", "lost_keys:t"]);
        assert!(broken(&table_bounds("t", &gate, Some(&shape(40)), &shape(40), Some(0))).is_empty());
    }

    #[test]
    fn every_table_of_a_source_is_bounded() {
        let source = |aides| SourceShape {
            tables: [("lieux", 100), ("aides", aides)]
                .map(|(table, read)| (table.to_owned(), ReadShape { read, ..ReadShape::default() }))
                .into(),
        };
        let judged = source_bounds("s", &SourceGate::default(), Some(&source(15)), &source(3));
        assert_eq!(broken(&judged), ["source_rows:s.aides"]);
    }

    #[test]
    fn an_accepted_bound_does_not_block_and_says_why() {
        let nothing = SourceShape { tables: BTreeMap::from([("t".to_owned(), ReadShape::default())]) };
        let mut bounds = source_bounds("s", &SourceGate::default(), None, &nothing);
        let acceptance = Acceptance { bounds: vec!["source_rows:s".to_owned()], because: "fermé en août".to_owned() };
        acceptance.apply(&mut bounds);
        assert_eq!(bounds[0].verdict, Verdict::Accepted);
        assert_eq!(bounds[0].because.as_deref(), Some("fermé en août"));
    }
}
