//! Draws problems: with caret and colours for people, as one JSON object a line for machines.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde_json::json;

use super::{Problem, Span};

/// Whether to draw with colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Colours and Unicode.
    Color,
    /// Unicode only.
    Plain,
}

struct Drawn<'a> {
    problem: &'a Problem,
    source: Option<NamedSource<String>>,
}

/// Most lines of a file that a label is drawn along.
const LONGEST_LABEL: usize = 5;

impl Drawn<'_> {
    /// The label's place; of one that spans a whole query, its first line.
    fn shown(&self, span: &Span) -> Span {
        let text = self.problem.file.as_ref().and_then(|file| file.text.get(span.clone())).unwrap_or("");
        match text.split_once('\n') {
            Some((first, _)) if text.lines().count() > LONGEST_LABEL => span.start..span.start + first.len(),
            _ => span.clone(),
        }
    }
}

impl fmt::Debug for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.problem)
    }
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)?;
        match (&self.problem.file, &self.problem.label) {
            (Some(file), None) => write!(f, " ({})", file.path),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Drawn<'_> {}

impl Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (span, text) = self.problem.label.as_ref()?;
        let label = LabeledSpan::new_with_span(Some(text.clone()), self.shown(span));
        Some(Box::new(std::iter::once(label)))
    }
}

/// All problems for people, one after the other, with a closing count.
pub fn text(problems: &[Problem], style: Style) -> String {
    let theme = match style {
        Style::Color => GraphicalTheme::unicode(),
        Style::Plain => GraphicalTheme::unicode_nocolor(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_links(false);
    let mut out = String::new();
    for problem in problems {
        let source = match (&problem.file, &problem.label) {
            (Some(file), Some(_)) => Some(NamedSource::new(&file.path, file.text.clone())),
            _ => None,
        };
        let drawn = Drawn { problem, source };
        if handler.render_report(&mut out, &drawn).is_err() {
            out.push_str(&problem.message);
        }
        out.push('\n');
    }
    let count = problems.len();
    out + &format!("{count} problem{} found\n", if count == 1 { "" } else { "s" })
}

/// One JSON object a line: code, message, file, line, column, help.
pub fn json_lines(problems: &[Problem]) -> String {
    let mut out = String::new();
    for problem in problems {
        let place =
            problem.file.as_ref().zip(problem.label.as_ref()).map(|(file, (span, _))| file.position(span.start));
        let object = json!({
            "level": "problem",
            "code": problem.code,
            "message": problem.message,
            "file": problem.file.as_ref().map(|file| &file.path),
            "line": place.map(|(line, _)| line),
            "column": place.map(|(_, column)| column),
            "label": problem.label.as_ref().map(|(_, text)| text),
            "help": problem.help,
        });
        out.push_str(&object.to_string());
        out.push('\n');
    }
    out
}
