//! What a person can do about a check that failed.

use super::printer::Text;
use crate::run::FailedCheck;

/// Adds what to do to the summary of a run, where the check itself leaves it open.
pub(super) fn add(out: &mut Text, check: &FailedCheck) {
    if check.id != "no_formula" {
        return;
    }
    let column = check.sample.first().and_then(|(_, detail)| detail.split_once(" : ")).map_or("nom", |(name, _)| name);
    let table = &check.table;
    for line in [
        "what to do: a spreadsheet runs a text that begins with `=` or `@` (`@name` too), and `+` or `-` before a call.".to_owned(),
        "Nothing is altered silently: correct the cell at its source, or say in the pipeline what becomes of it.".to_owned(),
        "  without the sign, for a handle such as `@reseau` (SOURCE is the name of the column in the file):".to_owned(),
        format!("    [table.{table}.derive]"),
        "    sans_signe = { from = \"SOURCE\", pattern = '^[=@]*(?<texte>.*)$' }".to_owned(),
        format!("    [table.{table}.columns]"),
        format!("    {column} = \"sans_signe.texte\""),
        format!("  without the row:  [[table.{table}.reject]] column = \"SOURCE\", matches = '^[=@]', reason = \"lu_comme_formule\""),
        format!("  in a table made by SQL:  ltrim({column}, '=@') AS {column}"),
    ] {
        out.line(format_args!("      {line}"));
    }
}
