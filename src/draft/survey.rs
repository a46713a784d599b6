//! Files whose rows are people's answers.

use std::fmt::Write as _;

use super::column::{Guess, Proposal};
use crate::contract::fold::fold;

/// Columns that tools write beside answers, folded: `LimeSurvey`, `KoboToolbox` and ODK, Google Forms, Microsoft
/// Forms, Framaforms, Survey123.
const TOOLS: [&str; 16] = [
    "submitdate",
    "lastpage",
    "startlanguage",
    "id reponse",
    "id de la reponse",
    "response id",
    "respondent id",
    "horodateur",
    "heure de debut",
    "heure de fin",
    "submission time",
    "submission uuid",
    "date de soumission",
    "date d envoi",
    "numero de serie",
    "creationdate",
];
/// Fewest columns whose names are questions.
const ASKED: usize = 2;

/// Whether the rows of a file look like answers: a tool's column stands beside them, or columns are questions to somebody.
pub(super) fn is_survey(sources: &[String]) -> bool {
    let by_tool = sources.iter().any(|source| TOOLS.contains(&fold(source).as_str()));
    let is_asked = |source: &&String| source.contains('?') || fold(source).split(' ').any(|word| word == "vous");
    by_tool || sources.iter().filter(is_asked).count() >= ASKED
}

fn kind(column: &Proposal) -> Option<&'static str> {
    match column.guess {
        _ if column.personal || column.place.is_some() => None,
        Guess::Code(_) => Some("single"),
        Guess::Codes(..) | Guess::Ticks { .. } => Some("multi"),
        _ => None,
    }
}

/// The lines that declare a survey, for a person to take the `#` away.
pub(super) fn questionnaire(table: &str, columns: &[Proposal]) -> String {
    let mut out = format!(
        "\n# The rows look like people's answers. If they are, declare the survey: take the `# ` from the lines below. Each question\n\
         # is then counted in the table `indicateurs`, small numbers are withheld, and the rows are told to no owner. Publish\n\
         # `indicateurs` rather than the rows (its contract: docs/pipelines.md, [questionnaire]), or, for rows whose authors\n\
         # agreed, say so with consent = {{ row = \"column\", answers = \"column\" }} in [table.{table}].\n\
         # Answers of real people need a key of your own in essaim.toml: key = \"${{env:ESSAIM_KEY}}\".\n\
         # A number or a free text is a question too: kind = \"number\", \"text\"; an ordered one is a \"scale\".\n\
         # [questionnaire]\n# table = \"{table}\"\n# question = [\n"
    );
    for (column, kind) in columns.iter().filter_map(|column| Some((column, kind(column)?))) {
        let _infallible =
            writeln!(out, "#   {{ column = \"{}\", kind = \"{kind}\", base = \"answered\" }},", column.name);
    }
    out.push_str("# ]\n");
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_a_tool(&["id", "Horodateur", "Nom"], true)]
    #[case::questions(&["id", "Quel est votre âge ?", "Vous habitez dans quel pays"], true)]
    #[case::a_registry(&["id", "Nom", "Publics", "Services", "Ouvert le dimanche ?"], false)]
    fn surveys_are_known_by_their_tool_and_by_their_questions(#[case] sources: &[&str], #[case] expected: bool) {
        let sources: Vec<String> = sources.iter().map(|&source| source.to_owned()).collect();
        assert_eq!(is_survey(&sources), expected);
    }
}
