//! `[[check]]`: SELECTs that give the rows that are wrong.

use std::sync::Arc;

use crate::diagnostic::document::Fields;
use crate::diagnostic::{Problem, Problems, SourceFile, Spanned};
use crate::id::TableName;

/// What happens when a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The release is not made.
    Block,
    /// The release is made, and says so.
    Warn,
}

impl Severity {
    /// Code in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Warn => "warn",
        }
    }
}

/// A declared check.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its name, and that of the file with failing rows.
    pub name: TableName,
    /// What happens when it fails.
    pub severity: Severity,
    /// Why it is there, for people.
    pub because: String,
    /// Whether it may read personal columns.
    pub personal: bool,
    /// The SELECT, at the place that it has in the pipeline file: what stands before it is blank.
    pub sql: Arc<SourceFile>,
    /// The same in the pipeline file.
    pub place: Spanned<String>,
}

impl Check {
    /// A problem of the SELECT as one of the pipeline file.
    pub fn placed(&self, mut problem: Problem) -> Problem {
        if problem.file.as_ref().is_some_and(|file| file.path == self.sql.path) {
            let (span, label) = problem.label.unwrap_or_else(|| (self.place.span.clone(), "this SELECT".to_owned()));
            let start = span.start.max(self.place.span.start);
            problem.label = Some((start..span.end.max(start), label));
            problem.file = Some(Arc::clone(&self.place.file));
            if problem.code == "sql::one_select" {
                problem.message = problem.message.replace("the file", "the check");
                problem.help = Some("a check is one SELECT of the rows that are wrong".to_owned());
            }
        }
        problem
    }
}

/// Reads the declared checks.
pub(super) fn checks(top: &Fields<'_>, problems: &Problems) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for fields in top.tables("check") {
        let name = fields.required_text("name");
        let severity = fields.text("severity");
        let because = fields.required_text("because");
        let personal = fields.flag("personal").unwrap_or(false);
        let sql = fields.required_text("sql");
        fields.finish();
        let severity = severity_of(severity.as_ref(), problems);
        let (Some(name), Some(because), Some(place)) = (name, because, sql) else { continue };
        let taken = checks.iter().any(|check| check.name.as_str() == name.value);
        let parsed = match name.value.parse::<TableName>() {
            Ok(parsed) if !taken => parsed,
            Ok(_) => {
                let what = format!("check `{}` is declared twice", name.value);
                problems.push(name.problem("pipeline::duplicate_name", what, "the second time").help("rename one"));
                continue;
            }
            Err(_) => {
                let what = format!("`{}` cannot name a check", name.value);
                let help = "lower-case ASCII letters, digits and `_`: it names a file too";
                problems.push(name.problem("pipeline::name", what, "this name").help(help));
                continue;
            }
        };
        if let Some((sql, place)) = select(&parsed, &place, problems) {
            checks.push(Check { name: parsed, severity, because: because.value, personal, sql, place });
        }
    }
    checks
}

fn severity_of(severity: Option<&Spanned<String>>, problems: &Problems) -> Severity {
    match severity.map(|severity| severity.value.as_str()) {
        None | Some("block") => Severity::Block,
        Some("warn") => Severity::Warn,
        Some(other) => {
            if let Some(place) = severity {
                let what = format!("`{other}` is not a severity");
                problems.push(place.problem("pipeline::severity", what, "unknown").suggest(other, ["block", "warn"]));
            }
            Severity::Block
        }
    }
}

/// The SELECT as a file of its own, in which everything has the place that it has in the pipeline file.
fn select(name: &TableName, text: &Spanned<String>, problems: &Problems) -> Option<(Arc<SourceFile>, Spanned<String>)> {
    let whole = &text.file.text;
    let offset = whole.get(text.span.clone()).and_then(|raw| raw.find(&text.value));
    let Some(offset) = offset else {
        problems.push(
            text.problem("pipeline::sql_escapes", "this SQL is written with escapes", "not as it would be run")
                .help("write it between ''' and ''', where nothing needs an escape"),
        );
        return None;
    };
    let start = text.span.start + offset;
    let before = whole.get(..start).unwrap_or("");
    let blank: String = before.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    let sql = SourceFile::new(format!("{name}.sql"), blank + &text.value);
    let span = start..start + text.value.len();
    Some((sql, Spanned { value: text.value.clone(), file: Arc::clone(&text.file), span }))
}
