//! `changes.html`: what changed, for people. In French, stands alone, prints well.

use minijinja::context;
use serde::Serialize;

use super::list::Change;
use crate::publish::PublishError;
use crate::publish::page::environment;
use crate::publish::words::{self, Language, shortened};
use crate::release::diff::Incomparable;
use crate::release::{ChangeKind, ChangeSummary, NotTold, TableChanges, TableState};

const TEMPLATE: &str = include_str!("../../../web/changes.html");

/// Most characters of a cell on the page; the list has all of them.
const LONGEST: usize = 160;

/// What the page shows.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Title of the dataset.
    pub title: &'a str,
    /// Whether the answers are invented: a banner says so.
    pub synthetic: bool,
    /// The counts.
    pub summary: &'a ChangeSummary,
    /// The first lines of each table.
    pub shown: &'a [Change],
    /// Lines of the whole list.
    pub lines: u64,
}

/// A table on the page.
#[derive(Debug, Serialize)]
struct Section<'a> {
    counts: &'a TableChanges,
    quiet: bool,
    state: &'static str,
    /// Lines of the list, of which `lines` are the first.
    listed: u64,
    lines: Vec<Line<'a>>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    key: &'a str,
    sign: &'static str,
    change: &'static str,
    column: Option<&'a str>,
    before: Option<String>,
    after: Option<String>,
    cause: String,
}

/// The changes as an HTML page.
pub fn html(page: &Page<'_>) -> Result<String, PublishError> {
    render(page).map_err(|error| PublishError::Page { page: super::PAGE, source: Box::new(error) })
}

fn render(page: &Page<'_>) -> Result<String, minijinja::Error> {
    let environment = environment("changes.html", TEMPLATE)?;
    let sections: Vec<Section<'_>> = page.summary.tables.iter().map(|table| section(table, page.shown)).collect();
    let moved: Vec<&str> = page.summary.moved.iter().map(|cause| word(cause.as_str())).collect();
    let not_told: Vec<&str> = page.summary.not_told.iter().map(|reason| reason_not_told(*reason)).collect();
    environment.get_template("changes.html")?.render(context! {
        title => page.title,
        synthetic => page.synthetic,
        summary => page.summary,
        lines => page.lines,
        list => super::LIST,
        counts => super::SUMMARY,
        sections,
        moved,
        not_told,
    })
}

fn section<'a>(counts: &'a TableChanges, shown: &'a [Change]) -> Section<'a> {
    let lines = shown.iter().filter(|line| line.table == counts.table).map(|line| Line {
        key: &line.key,
        sign: match line.kind {
            ChangeKind::Added => "+",
            ChangeKind::Removed => "−",
            ChangeKind::Changed => "≠",
        },
        change: match line.kind {
            ChangeKind::Added => "ajoutée",
            ChangeKind::Removed => "retirée",
            ChangeKind::Changed => "modifiée",
        },
        column: line.column.as_deref(),
        before: line.before.as_deref().map(|cell| shortened(cell, LONGEST)),
        after: line.after.as_deref().map(|cell| shortened(cell, LONGEST)),
        cause: cause_in_french(&line.cause),
    });
    Section {
        counts,
        quiet: counts.is_quiet(),
        state: state(counts),
        listed: counts.causes.values().sum(),
        lines: lines.collect(),
    }
}

fn state(counts: &TableChanges) -> &'static str {
    match (counts.state, counts.reason) {
        (TableState::Same, _) => "identique",
        (TableState::Compared, _) => "comparée",
        (TableState::Added, _) => "nouvelle table",
        (TableState::Removed, _) => "table retirée",
        (TableState::NotCompared, None) => "non comparée",
        (TableState::NotCompared, Some(Incomparable::NoKey)) => {
            "non comparée : aucune clé publique ne dit quelles lignes sont les mêmes"
        }
        (TableState::NotCompared, Some(Incomparable::OtherKey)) => "non comparée : la clé a changé",
        (TableState::NotCompared, Some(Incomparable::OtherKeyType)) => {
            "non comparée : une colonne de la clé a changé de type"
        }
        (TableState::NotCompared, Some(Incomparable::Unreadable)) => {
            "non comparée : le fichier de l’édition précédente manque ou est abîmé"
        }
    }
}

fn reason_not_told(reason: NotTold) -> &'static str {
    match reason {
        NotTold::SnapshotsGone => "les copies d’alors des sources ne sont plus conservées",
        NotTold::ReferenceGone => "le référentiel géographique d’alors n’est pas conservé",
        NotTold::OtherProgram => "le programme d’alors n’est plus là, et le projet a changé aussi",
        NotTold::CannotBeRun => "le projet d’aujourd’hui ne peut pas être exécuté sur les données d’alors",
        NotTold::NotRun => "les deux éditions ne se suivent pas",
    }
}

fn word(cause: &str) -> &'static str {
    match cause {
        "source" => "source",
        "project" => "projet (requêtes, listes de codes, contrats)",
        "program" => "programme",
        "reference" => "référentiel géographique",
        _ => "indéterminée",
    }
}

/// The name of a cause in words: `project_or_source` is "projet ou source".
pub fn cause_in_french(name: &str) -> String {
    words::cause(Language::French, name, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_in_french() {
        assert_eq!(cause_in_french("source"), "source");
        assert_eq!(cause_in_french("project_or_source"), "projet ou source");
        assert_eq!(
            cause_in_french("project_or_program_and_reference"),
            "projet ou programme et référentiel géographique"
        );
        assert_eq!(cause_in_french("undetermined"), "indéterminée");
    }

    #[test]
    fn cells_are_text_and_long_ones_are_cut() {
        let mut table = TableChanges::new("lieux", "Lieux & tiers-lieux", TableState::Compared);
        table.changed = 3;
        table.changed_unlisted = 2;
        table.causes = [("source".to_owned(), 5)].into();
        let summary = ChangeSummary {
            dataset: "lieux".parse().unwrap(),
            previous: "2026-11-22".parse().unwrap(),
            release: "2026-11-23".parse().unwrap(),
            moved: vec![crate::release::Cause::Source],
            sources: vec!["registre".to_owned()],
            told_apart: true,
            not_told: Vec::new(),
            tables: vec![table],
        };
        let change = Change {
            table: "lieux".to_owned(),
            key: "<b>1</b>".to_owned(),
            kind: ChangeKind::Changed,
            column: Some("nom".to_owned()),
            before: Some("é".repeat(200)),
            after: None,
            cause: "source".to_owned(),
        };
        let page = Page { title: "Lieux", synthetic: true, summary: &summary, shown: &[change], lines: 5 };
        let page = html(&page).unwrap().replace("&#x2f;", "/");
        for part in [
            "<p class=\"banner\">Données synthétiques",
            "<dd>source <span class=\"soft\">(registre)</span></dd>",
            "<a href=\"#table-lieux\">Lieux &amp; tiers-lieux</a>",
            "<p>2 lignes dont des réponses ne sont plus publiées, non nommées.</p>",
            "<p>Les 1 premiers changements sur 5 ;",
            "<code>&lt;b&gt;1&lt;/b&gt;</code>",
            "≠ modifiée",
            "<span class=\"soft\">vide</span>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(page.contains(&format!("<td>{}…</td>", "é".repeat(160))));
    }
}
