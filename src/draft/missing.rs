//! Texts that stand for nothing.

use std::collections::BTreeSet;

use crate::contract::fold::fold;

/// Folded texts that people and tools write where they have no value.
const MISSING: [&str; 17] = [
    "n a",
    "na",
    "n c",
    "nc",
    "nr",
    "nd",
    "nan",
    "null",
    "-",
    "--",
    "–",
    "—",
    "?",
    "/",
    ".",
    "non renseigne",
    "non communique",
];

/// Whether a text stands for nothing.
pub(super) fn is_missing(cell: &str) -> bool {
    // Most cells are longer than all of these.
    cell.chars().count() <= 16 && MISSING.contains(&fold(cell).as_str())
}

/// Those texts among some cells, as they are written.
pub(super) fn missing_of<'a>(cells: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    cells.filter(|cell| !cell.is_empty() && is_missing(cell)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_stand_for_nothing_are_known() {
        let cells = ["N/A", "NC", "-", "Non renseigné", "#N/A", "Nantes", "-1", "NC Centre", "", "0"];
        assert_eq!(
            missing_of(cells.into_iter()).into_iter().collect::<Vec<_>>(),
            ["#N/A", "-", "N/A", "NC", "Non renseigné"]
        );
    }
}
