//! Whether those who use a release can use the next one: what changed in the published contract, and the version that it
//! asks for.
//!
//! A column, an option, a key or a table that is gone or of another type breaks what others built on it, and asks for the
//! next major version; what is added asks for the next minor one (<https://semver.org>). A number in another unit, a column
//! that may be empty from now on, and a column whose options are no longer told break it as well: what reads it is not
//! made for that. A promise that is added (never empty, a list of options) breaks nothing.

use serde::{Deserialize, Serialize};

use super::manifest::{ColumnRecord, TableRecord};

/// How much a change matters to those who use the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something is added.
    Minor,
    /// Something that others may rely on is gone or means something else.
    Major,
}

/// A change of the published contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractChange {
    /// The table.
    pub table: String,
    /// The column, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<String>,
    /// How much it matters.
    pub level: Level,
    /// What changed, a stable code such as `column_gone`.
    pub change: String,
    /// The option, type or key that changed, as it was and as it is.
    pub detail: String,
}

impl std::fmt::Display for ContractChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { table, column, change, detail, .. } = self;
        let change = change.replace('_', " ");
        match column {
            Some(column) => write!(f, "{change}: `{table}.{column}`")?,
            None => write!(f, "{change}: `{table}`")?,
        }
        if detail.is_empty() { Ok(()) } else { write!(f, " ({detail})") }
    }
}

/// What changed between the tables of two releases.
pub fn contract_changes(before: &[TableRecord], now: &[TableRecord]) -> Vec<ContractChange> {
    let mut changes = Vec::new();
    for table in before {
        match now.iter().find(|other| other.name == table.name) {
            None => changes.push(change(&table.name, None, Level::Major, "table_gone", String::new())),
            Some(other) => table_changes(table, other, &mut changes),
        }
    }
    for table in now.iter().filter(|table| !before.iter().any(|other| other.name == table.name)) {
        changes.push(change(&table.name, None, Level::Minor, "table_added", String::new()));
    }
    changes
}

fn change(table: &str, column: Option<&str>, level: Level, change: &str, detail: String) -> ContractChange {
    ContractChange {
        table: table.to_owned(),
        column: column.map(str::to_owned),
        level,
        change: change.to_owned(),
        detail,
    }
}

fn table_changes(before: &TableRecord, now: &TableRecord, changes: &mut Vec<ContractChange>) {
    let name = &before.name;
    if before.key != now.key {
        let detail = format!("{} → {}", before.key.join(", "), now.key.join(", "));
        changes.push(change(name, None, Level::Major, "key_changed", detail));
    }
    for column in &before.columns {
        match now.columns.iter().find(|other| other.name == column.name) {
            None => changes.push(change(name, Some(&column.name), Level::Major, "column_gone", String::new())),
            Some(other) => column_changes(name, column, other, changes),
        }
    }
    for column in now.columns.iter().filter(|column| !before.columns.iter().any(|other| other.name == column.name)) {
        changes.push(change(name, Some(&column.name), Level::Minor, "column_added", String::new()));
    }
}

fn column_changes(table: &str, before: &ColumnRecord, now: &ColumnRecord, changes: &mut Vec<ContractChange>) {
    let name = Some(before.name.as_str());
    if before.kind != now.kind {
        let detail = format!("{} → {}", before.kind, now.kind);
        changes.push(change(table, name, Level::Major, "type_changed", detail));
    }
    // What an older manifest does not say may have been anything.
    if let (Some(required), Some(required_now)) = (before.required, now.required) {
        match (required, required_now) {
            (true, false) => changes.push(change(table, name, Level::Major, "required_dropped", String::new())),
            (false, true) => changes.push(change(table, name, Level::Minor, "required_added", String::new())),
            _ => {}
        }
        if before.unit != now.unit {
            let unit = |unit: &Option<String>| unit.clone().unwrap_or_else(|| "–".to_owned());
            let detail = format!("{} → {}", unit(&before.unit), unit(&now.unit));
            changes.push(change(table, name, Level::Major, "unit_changed", detail));
        }
    }
    let (options, options_now) = match (&before.options, &now.options) {
        (Some(options), Some(now)) => (options, now),
        (Some(_), None) => return changes.push(change(table, name, Level::Major, "codes_gone", String::new())),
        (None, Some(_)) => return changes.push(change(table, name, Level::Minor, "codes_added", String::new())),
        (None, None) => return,
    };
    for option in options.iter().filter(|option| !options_now.contains(option)) {
        changes.push(change(table, name, Level::Major, "option_gone", option.clone()));
    }
    for option in options_now.iter().filter(|option| !options.contains(option)) {
        changes.push(change(table, name, Level::Minor, "option_added", option.clone()));
    }
}

/// The lowest version that may follow `before` with these changes. Before 1.0.0 a minor version may break things, and a
/// patch may add to them.
pub fn version_asked(before: &semver::Version, changes: &[ContractChange]) -> semver::Version {
    let level = changes.iter().map(|change| change.level).max();
    let (major, minor, patch) = (before.major, before.minor, before.patch);
    match (level, major) {
        (None, _) => before.clone(),
        (Some(Level::Major), 0) => semver::Version::new(0, minor + 1, 0),
        (Some(Level::Minor), 0) => semver::Version::new(0, minor, patch + 1),
        (Some(Level::Major), _) => semver::Version::new(major + 1, 0, 0),
        (Some(Level::Minor), _) => semver::Version::new(major, minor + 1, 0),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn column(name: &str, kind: &str, options: &[&str]) -> ColumnRecord {
        let options = (!options.is_empty()).then(|| options.iter().map(|&option| option.to_owned()).collect());
        ColumnRecord {
            name: name.to_owned(),
            kind: kind.to_owned(),
            options,
            empty: None,
            volatile: false,
            unit: None,
            required: None,
        }
    }

    fn promised(unit: Option<&str>, required: bool) -> Vec<TableRecord> {
        let unit = unit.map(str::to_owned);
        lieux(vec![ColumnRecord { unit, required: Some(required), ..column("n", "Int64", &[]) }])
    }

    fn table(name: &str, columns: Vec<ColumnRecord>) -> TableRecord {
        TableRecord {
            name: name.to_owned(),
            title: String::new(),
            rows: 0,
            secret_rows: 0,
            rows_of: crate::release::RowsOf::Entries,
            key: vec!["id".to_owned()],
            columns,
        }
    }

    fn lieux(columns: Vec<ColumnRecord>) -> Vec<TableRecord> {
        vec![table("lieux", columns)]
    }

    #[rstest]
    #[case::nothing(lieux(vec![column("id", "Utf8", &["a", "b"])]), "1.2.3", &[])]
    #[case::a_column_gone(lieux(vec![]), "2.0.0", &["column gone: `lieux.id`"])]
    #[case::a_type_changed(lieux(vec![column("id", "Int64", &["a", "b"])]), "2.0.0",
        &["type changed: `lieux.id` (Utf8 → Int64)"])]
    #[case::an_option_gone(lieux(vec![column("id", "Utf8", &["a"])]), "2.0.0", &["option gone: `lieux.id` (b)"])]
    #[case::an_option_more(lieux(vec![column("id", "Utf8", &["a", "b", "c"])]), "1.3.0",
        &["option added: `lieux.id` (c)"])]
    #[case::a_column_more(lieux(vec![column("id", "Utf8", &["a", "b"]), column("x", "Utf8", &[])]), "1.3.0",
        &["column added: `lieux.x`"])]
    #[case::a_table_gone(vec![], "2.0.0", &["table gone: `lieux`"])]
    fn each_change_asks_for_its_version(
        #[case] now: Vec<TableRecord>,
        #[case] version: &str,
        #[case] expected: &[&str],
    ) {
        let before = lieux(vec![column("id", "Utf8", &["a", "b"])]);
        let changes = contract_changes(&before, &now);
        assert_eq!(changes.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        assert_eq!(version_asked(&"1.2.3".parse().unwrap(), &changes).to_string(), version);
    }

    #[rstest]
    #[case::nothing(promised(Some("m"), true), promised(Some("m"), true), "1.2.3", &[])]
    #[case::another_unit(promised(Some("m"), true), promised(Some("km"), true), "2.0.0",
        &["unit changed: `lieux.n` (m → km)"])]
    #[case::a_unit_gone(promised(Some("m"), true), promised(None, true), "2.0.0", &["unit changed: `lieux.n` (m → –)"])]
    #[case::may_be_empty(promised(None, true), promised(None, false), "2.0.0", &["required dropped: `lieux.n`"])]
    #[case::never_empty(promised(None, false), promised(None, true), "1.3.0", &["required added: `lieux.n`"])]
    #[case::not_said_before(lieux(vec![column("n", "Int64", &[])]), promised(Some("m"), true), "1.2.3", &[])]
    #[case::a_list_gone(lieux(vec![column("n", "Utf8", &["a"])]), lieux(vec![column("n", "Utf8", &[])]), "2.0.0",
        &["codes gone: `lieux.n`"])]
    #[case::a_list_more(lieux(vec![column("n", "Utf8", &[])]), lieux(vec![column("n", "Utf8", &["a"])]), "1.3.0",
        &["codes added: `lieux.n`"])]
    fn a_promise_that_changes_asks_for_its_version(
        #[case] before: Vec<TableRecord>,
        #[case] now: Vec<TableRecord>,
        #[case] version: &str,
        #[case] expected: &[&str],
    ) {
        let changes = contract_changes(&before, &now);
        assert_eq!(changes.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        assert_eq!(version_asked(&"1.2.3".parse().unwrap(), &changes).to_string(), version);
    }

    #[test]
    fn before_the_first_version_a_minor_one_may_break_things() {
        let changes = contract_changes(&lieux(vec![column("id", "Utf8", &[])]), &[]);
        assert_eq!(version_asked(&"0.4.1".parse().unwrap(), &changes).to_string(), "0.5.0");
    }
}
