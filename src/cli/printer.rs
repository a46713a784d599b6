//! Everything that is written to the terminal goes through here.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Color;
use crate::diagnostic::Problem;
use crate::diagnostic::render::{self, Style};
use crate::run::Reporter;

/// A text that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Appends without a line end.
    pub(super) fn add(&mut self, text: fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a String cannot fail");
    }

    /// Appends a line.
    pub(super) fn line(&mut self, text: fmt::Arguments<'_>) {
        self.add(text);
        self.0.push('\n');
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Writes data to stdout and talk to stderr.
#[derive(Debug)]
pub(super) struct Printer {
    json: bool,
    color: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Printer {
    /// A printer for people or for machines.
    pub(super) fn new(json: bool, color: Color) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stderr().is_terminal() && !json,
        };
        Self { json, color, bar: Mutex::new(None) }
    }

    /// Whether messages are coloured.
    pub(super) fn colored(&self) -> bool {
        self.color
    }

    /// Whether messages are JSON.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Data, to stdout. A reader that left is no failure.
    #[expect(clippy::unused_self, reason = "who prints has a printer")]
    pub(super) fn data(&self, text: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        drop(written);
    }

    /// Talk, to stderr.
    pub(super) fn talk(&self, text: &str) {
        if self.json {
            self.write(&format!("{}\n", serde_json::json!({ "level": "info", "message": text.trim() })));
        } else {
            self.write(text);
        }
    }

    /// A JSON object as a line of its own.
    pub(super) fn object(&self, object: &serde_json::Value) {
        self.write(&format!("{object}\n"));
    }

    fn write(&self, text: &str) {
        self.end_progress();
        let written = io::stderr().lock().write_all(text.as_bytes());
        drop(written);
    }

    /// Mistakes in project files.
    pub(super) fn problems(&self, problems: &[Problem]) {
        if self.json {
            self.write(&render::json_lines(problems));
        } else {
            self.write(&render::text(problems, if self.color { Style::Color } else { Style::Plain }));
        }
    }

    /// An error with its causes, once.
    pub(super) fn failure(&self, error: &dyn std::error::Error) {
        self.failure_lines(&crate::run::chain(error));
    }

    /// The same, from lines.
    pub(super) fn failure_lines(&self, lines: &[String]) {
        if self.json {
            self.object(&serde_json::json!({ "level": "error", "error": lines }));
            return;
        }
        let mut text = String::new();
        for (at, line) in lines.iter().enumerate() {
            text.push_str(if at == 0 { "error: " } else { "  caused by: " });
            text.push_str(line);
            text.push('\n');
        }
        self.talk(&text);
    }

    /// Ends the progress line.
    pub(super) fn end_progress(&self) {
        if let Ok(mut bar) = self.bar.lock()
            && let Some(bar) = bar.take()
        {
            bar.finish_and_clear();
        }
    }
}

impl Reporter for Printer {
    fn step(&self, text: &str) {
        if self.json {
            return;
        }
        if !io::stderr().is_terminal() {
            self.talk(&format!("{text}\n"));
            return;
        }
        if let Ok(mut bar) = self.bar.lock() {
            let bar = bar.get_or_insert_with(|| {
                let bar = ProgressBar::new_spinner();
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            bar.set_message(text.to_owned());
        }
    }
}
