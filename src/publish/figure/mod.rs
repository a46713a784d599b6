//! Figures for a printed report: a horizontal bar chart as SVG, and the same as PNG.
//!
//! [`svg`] is a pure function: the same figure gives the same bytes. Labels are wrapped and never cut, every bar says its
//! value, base, notes and source stand under the chart, text is text (it can be searched, copied and read aloud), and the
//! whole is readable in grey. Nothing outside the file is referred to, and there is no script.
//!
//! # Why not a chart library
//! Those for Rust measure text through the system's fonts, or neither wrap labels nor write values at the bars.

mod draw;
mod number;
mod picture;
mod text;
mod widths;
mod words;

#[cfg(test)]
mod tests;

pub use picture::{PictureError, png};
pub(super) use text::escape;

/// A bar chart and all that is printed with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Said in bold above the chart.
    pub title: String,
    /// What is counted, under the title.
    pub subtitle: Option<String>,
    /// From top to bottom, in the order given.
    pub bars: Vec<Bar>,
    /// Unit of all values.
    pub unit: Unit,
    /// Whom the figure speaks of: `Base : 62 structures répondantes`.
    pub base: String,
    /// How to read it, one paragraph each.
    pub notes: Vec<String>,
    /// Where it comes from: `Source : …`.
    pub source: String,
    /// The data are made up: a mention stands above the title and in the description.
    pub synthetic: bool,
    /// How numbers and our own words are written.
    pub language: Language,
    /// Put before every `id`, so that several figures can stand in one page.
    pub id_prefix: String,
    /// Numbers below this are withheld: the 5 of `< 5`.
    pub threshold: u32,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Printed whole, however long.
    pub label: String,
    /// A count, or a percentage from 0 to 100. Not drawn when absent, negative, not finite or above 10^15.
    pub value: Option<f64>,
    /// The value is withheld: a hatched stub is drawn, and `value`, if there is one, is nowhere in the output.
    pub secret: bool,
}

/// What a bar's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things; decimals are shown if there are any.
    Count,
    /// Percent, with one decimal.
    Percent,
}

/// Language of numbers and of the words that the figure adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `1 234`, `87,1 %`, with narrow no-break spaces.
    Fr,
    /// `1,234`, `87.1%`.
    En,
}

/// What is shown of a bar; the only way to its value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shown {
    Value(f64),
    Secret,
    Missing,
}

impl Shown {
    fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Secret | Self::Missing => None,
        }
    }
}

impl Bar {
    fn shown(&self) -> Shown {
        match self.value.and_then(number::drawable) {
            _ if self.secret => Shown::Secret,
            Some(value) => Shown::Value(value),
            None => Shown::Missing,
        }
    }
}

/// The figure as an SVG document, without an XML declaration so that it can also stand inside a page.
pub fn svg(figure: &Figure) -> String {
    draw::document(figure)
}
