//! Where everything stands, and the SVG that says so.

use super::Figure;
use super::Language;
use super::Shown;
use super::number;
use super::number::Axis;
use super::text;
use super::text::Font;
use super::text::Line;
use super::words;

const WIDTH: f64 = 680.0;
const MARGIN: f64 = 16.0;
const INNER: f64 = WIDTH - 2.0 * MARGIN;

/// Widest column of labels; longer ones are wrapped.
const LABELS: f64 = 280.0;
const GUTTER: f64 = 10.0;
const BAR: f64 = 18.0;
/// Length of a stub: the same for all, since it must not tell the value.
const STUB: f64 = 26.0;
const ROW_GAP: f64 = 10.0;

const TITLE: Font = Font::bold(17.0);
const SUBTITLE: Font = Font::regular(13.0);
const LABEL: Font = Font::regular(13.0);
const VALUE: Font = Font::bold(13.0);
const TICK: Font = Font::regular(11.0);
const BASE: Font = Font::bold(11.5);
const NOTE: Font = Font::regular(11.5);
const MENTION: Font = Font::bold(12.0);

const INK: &str = "#161616";
const SOFT_INK: &str = "#3a3a3a";
const FILL: &str = "#1f3f6b";
const GRID: &str = "#d4d4d4";
const AXIS: &str = "#5c5c5c";
const PAPER: &str = "#ffffff";

/// The whole document.
pub(super) fn document(figure: &Figure) -> String {
    let mut sheet = Sheet { body: String::new(), y: MARGIN, prefix: id_prefix(&figure.id_prefix) };
    sheet.head(figure);
    if figure.bars.is_empty() {
        sheet.empty(figure.language);
    } else {
        sheet.chart(figure);
    }
    sheet.foot(figure);
    let (language, prefix) = (if figure.language == Language::Fr { "fr" } else { "en" }, &sheet.prefix);
    let (width, height) = (px(WIDTH), px((sheet.y + MARGIN).ceil()));
    let title = if figure.title.trim().is_empty() { words::no_title(figure.language) } else { figure.title.trim() };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:lang=\"{language}\" lang=\"{language}\" role=\"img\" \
         aria-labelledby=\"{prefix}-title {prefix}-desc\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"Marianne, 'DejaVu Sans', Arial, sans-serif\" fill=\"{INK}\">\n\
         <title id=\"{prefix}-title\">{}</title>\n<desc id=\"{prefix}-desc\">{}</desc>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{PAPER}\"/>\n{}</svg>\n",
        text::escape(title),
        text::escape(&words::description(figure)),
        sheet.body,
    )
}

/// One row of the chart.
struct Row {
    label: Vec<Line>,
    value: String,
    shown: Shown,
    /// Height of what it holds, without the gap to the next.
    height: f64,
}

/// Body of the document, filled from top to bottom.
struct Sheet {
    body: String,
    y: f64,
    prefix: String,
}

impl Sheet {
    fn head(&mut self, figure: &Figure) {
        if figure.synthetic {
            let mention = text::wrap(words::synthetic(figure.language), INNER - 20.0, MENTION);
            self.rect((MARGIN, self.y, INNER, 24.0), "fill=\"#eeeeee\"");
            self.rect((MARGIN, self.y, 4.0, 24.0), &format!("fill=\"{INK}\""));
            self.text((MARGIN + 14.0, self.y + 16.5), &mention, MENTION, INK);
            self.y += 24.0 + 12.0;
        }
        self.paragraph(&figure.title, TITLE, INK, true);
        if let Some(subtitle) = &figure.subtitle {
            self.y += 2.0;
            self.paragraph(subtitle, SUBTITLE, SOFT_INK, true);
        }
        self.y += 12.0;
    }

    fn empty(&mut self, language: Language) {
        let style = format!("fill=\"none\" stroke=\"{AXIS}\" stroke-dasharray=\"4 3\"");
        self.rect((MARGIN, self.y, INNER, 64.0), &style);
        let words = words::no_data(language);
        let line = Line { text: words.to_owned(), broken: false };
        self.text((WIDTH / 2.0 - LABEL.measure(words) / 2.0, self.y + 36.5), &[line], LABEL, INK);
        self.y += 64.0;
    }

    fn chart(&mut self, figure: &Figure) {
        let rows: Vec<Row> = figure.bars.iter().map(|bar| row(figure, bar)).collect();
        let widest = |widths: &mut dyn Iterator<Item = f64>| widths.fold(0.0, f64::max);
        let labels = widest(&mut rows.iter().flat_map(|row| &row.label).map(|line| LABEL.measure(&line.text))).ceil();
        let values = widest(&mut rows.iter().map(|row| VALUE.measure(&row.value))).ceil() + 10.0;
        let left = MARGIN + labels + GUTTER;
        let plot = (WIDTH - MARGIN - values - left).max(40.0);
        let known: Vec<f64> = rows.iter().filter_map(|row| row.shown.value()).collect();
        // The axis knows only what is shown; without any value it has no scale.
        let axis = (!known.is_empty())
            .then(|| number::axis(known.iter().copied().fold(0.0, f64::max), figure.unit, figure.language));
        let bottom = self.y + ROW_GAP + rows.iter().map(|row| row.height + ROW_GAP).sum::<f64>();
        self.grid(axis.as_ref(), (left, plot), bottom);
        if rows.iter().any(|row| row.shown == Shown::Secret) {
            self.hatching();
        }
        let mut top = self.y + ROW_GAP;
        for row in &rows {
            self.row(row, top, left, axis.as_ref().map_or(0.0, |axis| plot / axis.end));
            top += row.height + ROW_GAP;
        }
        self.line((left, self.y), (left, bottom), AXIS);
        self.y = bottom + if axis.is_some() { 20.0 } else { 6.0 };
    }

    fn grid(&mut self, axis: Option<&Axis>, (left, plot): (f64, f64), bottom: f64) {
        let Some(axis) = axis else { return };
        for (at, words) in &axis.ticks {
            let x = left + plot * at / axis.end;
            if *at > 0.0 {
                self.line((x, self.y), (x, bottom), GRID);
            }
            let line = Line { text: words.clone(), broken: false };
            self.text((x - TICK.measure(words) / 2.0, bottom + 14.0), &[line], TICK, SOFT_INK);
        }
    }

    /// Diagonal lines that stay apart from a full bar in print and on a poor copy.
    fn hatching(&mut self) {
        self.push(&format!(
            "<defs><pattern id=\"{}-hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
             <rect width=\"6\" height=\"6\" fill=\"{PAPER}\"/>\
             <path d=\"M-1.5 1.5 1.5 -1.5M0 6 6 0M4.5 7.5 7.5 4.5\" stroke=\"{AXIS}\" stroke-width=\"1.3\"/>\
             </pattern></defs>",
            self.prefix
        ));
    }

    fn row(&mut self, row: &Row, top: f64, left: f64, scale: f64) {
        let middle = top + row.height / 2.0;
        let first = (row.label.iter().skip(1)).fold(middle, |y, _| y - LABEL.leading() / 2.0);
        self.text((MARGIN, first + LABEL.size * 0.36), &row.label, LABEL, INK);
        let length = match row.shown {
            // However small, what is not zero is seen.
            Shown::Value(value) if value > 0.0 => (value * scale).max(1.0),
            Shown::Secret => STUB,
            Shown::Value(_) | Shown::Missing => 0.0,
        };
        // Paper behind the value, so that no grid line runs through it.
        let x = left + length + 7.0;
        let width = VALUE.measure(&row.value);
        self.rect((x - 3.0, middle - BAR / 2.0, width + 6.0, BAR), &format!("fill=\"{PAPER}\""));
        if row.shown == Shown::Secret {
            let style = format!("fill=\"url(#{}-hatch)\" stroke=\"{AXIS}\"", self.prefix);
            self.rect((left, middle - BAR / 2.0 + 0.5, length, BAR - 1.0), &style);
        } else if length > 0.0 {
            self.rect((left, middle - BAR / 2.0, length, BAR), &format!("fill=\"{FILL}\""));
        }
        let line = Line { text: row.value.clone(), broken: false };
        self.text((x, middle + VALUE.size * 0.36), &[line], VALUE, INK);
    }

    fn foot(&mut self, figure: &Figure) {
        self.y += 12.0;
        self.line((MARGIN, self.y), (WIDTH - MARGIN, self.y), GRID);
        self.y += 8.0;
        self.paragraph(&figure.base, BASE, INK, false);
        let shown = |wanted| figure.bars.iter().any(|bar| bar.shown() == wanted);
        if shown(Shown::Secret) {
            self.paragraph(&words::secret_note(figure), NOTE, SOFT_INK, false);
        }
        if shown(Shown::Missing) {
            self.paragraph(words::missing_note(figure.language), NOTE, SOFT_INK, false);
        }
        for note in figure.notes.iter().chain([&figure.source]) {
            self.paragraph(note, NOTE, SOFT_INK, false);
        }
    }

    /// Text over the whole width, and the pen below it.
    fn paragraph(&mut self, words: &str, font: Font, ink: &str, even: bool) {
        let lines = if even { text::wrap_evenly(words, INNER, font) } else { text::wrap(words, INNER, font) };
        if lines.is_empty() {
            return;
        }
        self.y += 3.0;
        self.text((MARGIN, self.y + font.size), &lines, font, ink);
        self.y = lines.iter().fold(self.y, |y, _| y + font.leading());
    }

    /// Lines one under the other, the first on the baseline `y`, as one text that reads whole.
    fn text(&mut self, (x, y): (f64, f64), lines: &[Line], font: Font, ink: &str) {
        let weight = if font.bold { " font-weight=\"700\"" } else { "" };
        let fill = if ink == INK { String::new() } else { format!(" fill=\"{ink}\"") };
        let mut element =
            format!("<text x=\"{}\" y=\"{}\" font-size=\"{}\"{weight}{fill}>", px(x), px(y), px(font.size));
        let last = lines.len().saturating_sub(1);
        for (at, line) in lines.iter().enumerate() {
            let words = text::escape(&line.text);
            if last == 0 {
                element.push_str(&words);
                continue;
            }
            let dy = px(if at == 0 { 0.0 } else { font.leading() });
            // The space that the line end stood for, so that a copy of the text has it.
            let space = if line.broken || at == last { "" } else { " " };
            let tspan = format!("<tspan x=\"{}\" dy=\"{dy}\">{words}{space}</tspan>", px(x));
            element.push_str(&tspan);
        }
        self.push(&(element + "</text>"));
    }

    fn rect(&mut self, (x, y, width, height): (f64, f64, f64, f64), style: &str) {
        let (x, y, width, height) = (px(x), px(y), px(width), px(height));
        self.push(&format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {style}/>"));
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), ink: &str) {
        let (x1, y1, x2, y2) = (px(x1), px(y1), px(x2), px(y2));
        self.push(&format!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{ink}\"/>"));
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

fn row(figure: &Figure, bar: &super::Bar) -> Row {
    let label = text::wrap_evenly(&bar.label, LABELS, LABEL);
    let height = label.iter().fold(0.0, |height, _| height + LABEL.leading()).max(BAR);
    Row { label, value: words::value(figure, bar), shown: bar.shown(), height }
}

/// A length with two decimals at most, always written the same way.
fn px(value: f64) -> String {
    let text = format!("{:.2}", value + 0.0);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// `wanted` made into the start of an XML id: letters, digits, `-` and `_`, a letter first.
fn id_prefix(wanted: &str) -> String {
    let kept: String = wanted.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    if kept.starts_with(|c: char| c.is_ascii_alphabetic()) { kept } else { format!("figure-{kept}") }
}
