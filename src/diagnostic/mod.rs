//! Mistakes in files that a person wrote: what is wrong, where, and what to do.
//!
//! A [`Problem`] is collected, never thrown: whoever reads project files goes on and reports all of them in one go.
//! [`document`] reads TOML and JSON into trees whose every value knows its place; [`render`] draws problems for people
//! or as JSON lines.

pub mod document;
pub mod render;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

/// A place in a file: byte offsets, end excluded.
pub type Span = Range<usize>;

/// A file that a person wrote, as it was when it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as shown to people: relative to the project, with `/`.
    pub path: String,
    /// Whole text.
    pub text: String,
}

impl SourceFile {
    /// A file of a project.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { path: path.into(), text: text.into() })
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset.min(self.text.len())).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        (line, before.get(line_start..).map_or(0, |tail| tail.chars().count()) + 1)
    }

    /// Byte offset of a line and column, both from 1; columns count characters.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let mut start = 0;
        for _ in 1..line {
            match self.text.get(start..).and_then(|rest| rest.find('\n')) {
                Some(at) => start += at + 1,
                None => return self.text.len(),
            }
        }
        let rest = self.text.get(start..).unwrap_or("");
        rest.char_indices().nth(column.saturating_sub(1)).map_or(self.text.len(), |(at, _)| start + at)
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The file it stands in.
    pub file: Arc<SourceFile>,
    /// Where in the file.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), file: self.file, span: self.span }
    }

    /// A problem at this place.
    pub fn problem(&self, code: &'static str, message: impl Into<String>, label: impl Into<String>) -> Problem {
        Problem::at(code, message, &self.file, self.span.clone(), label)
    }
}

/// One mistake in a file that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable code such as `pipeline::unknown_table`.
    pub code: &'static str,
    /// What is wrong, one sentence, no full stop.
    pub message: String,
    /// The file, when the problem has one.
    pub file: Option<Arc<SourceFile>>,
    /// Where, with a short text for the caret. `None` with a file means the whole file.
    pub label: Option<(Span, String)>,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at a place of a file.
    pub fn at(
        code: &'static str,
        message: impl Into<String>,
        file: &Arc<SourceFile>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            file: Some(Arc::clone(file)),
            label: Some((span, label.into())),
            help: None,
        }
    }

    /// A problem of a whole file.
    pub fn of_file(code: &'static str, message: impl Into<String>, file: &Arc<SourceFile>) -> Self {
        Self { code, message: message.into(), file: Some(Arc::clone(file)), label: None, help: None }
    }

    /// A problem of the project as a whole, such as a file that is missing.
    pub fn of_project(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), file: None, label: None, help: None }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Suggests the nearest of the known names, or lists them all when they are few and none is near.
    #[must_use]
    pub fn suggest<'a>(self, typed: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match nearest(typed, known.iter().copied()) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None if known.is_empty() => self,
            None if known.len() <= 12 => self.help(format!("known here: {}", quoted(&known))),
            None => self.help(format!("{} names are known here, none is near to `{typed}`", known.len())),
        }
    }
}

/// Names in back quotes, joined by commas.
pub fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The name that was most likely meant, when one is near enough (Jaro-Winkler similarity of at least 0.8).
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&typed, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, name)| name)
}

/// Problems found so far. Shared by everything that reads project files.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one in.
    pub fn push(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All of them, by file and place, each once.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by_cached_key(|p| {
            let path = p.file.as_ref().map(|file| file.path.clone());
            (path, p.label.as_ref().map_or(0, |(span, _)| span.start), p.code, p.message.clone())
        });
        problems.dedup();
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let file = SourceFile::new("a.toml", "é = 1\nclé = 2\n");
        assert_eq!(file.position(file.text.find("= 2").unwrap()), (2, 5));
        assert_eq!(file.offset(2, 5), file.text.find("= 2").unwrap());
    }

    #[test]
    fn the_nearest_name_is_suggested_only_when_it_is_near() {
        assert_eq!(nearest("statut_jurdique", ["statut_juridique", "nom"]), Some("statut_juridique"));
        assert_eq!(nearest("zzz", ["statut_juridique", "nom"]), None);
    }
}
