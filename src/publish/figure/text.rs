//! Measuring, wrapping and escaping text.

use super::widths;

/// A size and a weight; the family is always the stack of the figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Font {
    pub(super) size: f64,
    pub(super) bold: bool,
}

impl Font {
    pub(super) const fn regular(size: f64) -> Self {
        Self { size, bold: false }
    }

    pub(super) const fn bold(size: f64) -> Self {
        Self { size, bold: true }
    }

    /// Distance from one baseline to the next.
    pub(super) fn leading(self) -> f64 {
        (self.size * 1.32).ceil()
    }

    /// Width of `text` on one line.
    pub(super) fn measure(self, text: &str) -> f64 {
        let units: u32 = text.chars().map(|c| u32::from(advance(c, self.bold))).sum();
        f64::from(units) * self.size / f64::from(widths::UNITS_PER_EM)
    }
}

/// One line of wrapped text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// The next line goes on with the same word.
    pub(super) broken: bool,
}

fn advance(c: char, bold: bool) -> u16 {
    let (ascii, latin) = if bold {
        (&widths::ASCII_BOLD, &widths::LATIN_BOLD)
    } else {
        (&widths::ASCII_REGULAR, &widths::LATIN_REGULAR)
    };
    let code = u32::from(c);
    let listed = |table: &[u16], first: u32| {
        code.checked_sub(first).and_then(|i| usize::try_from(i).ok()).and_then(|i| table.get(i).copied())
    };
    if let Some(width) = listed(ascii, 0x20).or_else(|| listed(latin, 0xA0)) {
        return width;
    }
    match code {
        0x0300..=0x036F | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060 | 0xFE00..=0xFE0F => 0,
        0x2009 | 0x202F => 409,
        0x2018..=0x201B => 778,
        0x2039 | 0x203A | 0x2010 | 0x2011 => 850,
        0x2013 => 1024,
        0x201C..=0x201F | 0x2022 => 1346,
        0x20AC => 1425,
        0x2190..=0x22FF => 1716,
        // Neighbouring scripts: well above their median, so that a line is rather too short than too long.
        0x0180..=0x10FF | 0x1E00..=0x1FFF => 1750,
        0x2030 | 0x2031 => 3864,
        _ => widths::UNITS_PER_EM,
    }
}

/// Whether a line may end here: every white space but those made to hold words together.
fn is_break(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{A0}' | '\u{202F}' | '\u{2007}')
}

/// Lines of `text` no wider than `width`; words stay whole unless one alone is wider.
pub(super) fn wrap(text: &str, width: f64, font: Font) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut current = String::new();
    for word in units(text) {
        let joined = if current.is_empty() { word.clone() } else { format!("{current} {word}") };
        if font.measure(&joined) <= width {
            current = joined;
            continue;
        }
        // A unit held together by punctuation is taken apart before any word is cut.
        let parts =
            if font.measure(&word) <= width { vec![word] } else { word.split(' ').map(str::to_owned).collect() };
        for part in parts {
            let joined = if current.is_empty() { part.clone() } else { format!("{current} {part}") };
            if font.measure(&joined) <= width {
                current = joined;
                continue;
            }
            if !current.is_empty() {
                lines.push(Line { text: std::mem::take(&mut current), broken: false });
            }
            let mut pieces = cut(&part, width, font);
            current = pieces.pop().unwrap_or_default();
            lines.extend(pieces.into_iter().map(|text| Line { text, broken: true }));
        }
    }
    if !current.is_empty() {
        lines.push(Line { text: current, broken: false });
    }
    lines
}

/// As [`wrap`], then made as narrow as the number of lines allows, so that no word is left alone on the last line.
pub(super) fn wrap_evenly(text: &str, width: f64, font: Font) -> Vec<Line> {
    let mut best = wrap(text, width, font);
    if best.len() < 2 || best.iter().any(|line| line.broken) {
        return best;
    }
    let (mut low, mut high) = (width * 0.4, width);
    for _ in 0..8 {
        let middle = f64::midpoint(low, high);
        let tried = wrap(text, middle, font);
        if tried.len() == best.len() && tried.iter().all(|line| !line.broken) {
            best = tried;
            high = middle;
        } else {
            low = middle;
        }
    }
    best
}

/// Words, with French punctuation kept beside its word: `« non modélisée »`, `Base :`, `87 %`.
fn units(text: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    for word in text.split(is_break).filter(|word| !word.is_empty()) {
        let closes = matches!(word.chars().next(), Some(':' | ';' | '!' | '?' | '»' | '%'));
        match units.last_mut() {
            Some(last) if closes || last.ends_with('«') => {
                last.push(' ');
                last.push_str(word);
            }
            _ => units.push(word.to_owned()),
        }
    }
    units
}

/// A word in pieces that each fit, cut after a hyphen or slash where there is one late enough.
fn cut(word: &str, width: f64, font: Font) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece: Vec<char> = Vec::new();
    for c in word.chars() {
        let mut longer: String = piece.iter().collect();
        longer.push(c);
        // A mark that stands on the letter before it stays with that letter.
        let is_mark = advance(c, font.bold) == 0;
        if !piece.is_empty() && !is_mark && font.measure(&longer) > width {
            let soft = piece.iter().rposition(|c| matches!(c, '-' | '/' | '_' | '.' | '@')).map(|at| at + 1);
            let at = soft.filter(|at| at * 2 > piece.len()).unwrap_or(piece.len());
            let rest = piece.split_off(at);
            pieces.push(piece.iter().collect());
            piece = rest;
        }
        piece.push(c);
    }
    pieces.push(piece.iter().collect());
    pieces
}

/// `text` fit for XML content and attributes; characters that XML 1.0 does not know become U+FFFD.
pub(in crate::publish) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const FONT: Font = Font::regular(13.0);

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn widths_are_those_of_dejavu() {
        let units = |text: &str, bold| text.chars().map(|c| advance(c, bold)).collect::<Vec<_>>();
        assert_eq!(units("Aéœ\u{202F}", false), [1401, 1260, 2095, 409]);
        assert_eq!(units("Aé", true), [1585, 1389]);
    }

    #[rstest]
    #[case::colon("xxxx xxxx Base : 62", &["xxxx xxxx", "Base : 62"])]
    #[case::percent("xxxx xxxxxx 87 %", &["xxxx xxxxxx", "87 %"])]
    #[case::quotes("xxxxxxxxx « autre » y", &["xxxxxxxxx", "« autre » y"])]
    #[case::no_break_space("xxxxxx yy\u{A0}zzz", &["xxxxxx", "yy\u{A0}zzz"])]
    fn punctuation_stays_beside_its_word(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(texts(&wrap(text, 86.0, FONT)), expected);
    }

    #[test]
    fn a_word_wider_than_the_column_is_cut_after_its_hyphen() {
        let lines = wrap("anticonstitutionnel-lement", 150.0, FONT);
        assert_eq!(texts(&lines), ["anticonstitutionnel-", "lement"]);
        assert!(lines[0].broken && !lines[1].broken);
    }

    #[test]
    fn lines_are_evened_out() {
        let text = "aaaa bbbb cccc dddd eeee f";
        let width = FONT.measure("aaaa bbbb cccc dddd eeee");
        assert_eq!(texts(&wrap(text, width, FONT)), ["aaaa bbbb cccc dddd eeee", "f"]);
        assert_eq!(texts(&wrap_evenly(text, width, FONT)), ["aaaa bbbb cccc", "dddd eeee f"]);
    }

    proptest! {
        #[test]
        fn wrapping_keeps_every_character_and_the_width(text in "\\PC{0,200}", width in 60.0..400.0_f64) {
            for lines in [wrap(&text, width, FONT), wrap_evenly(&text, width, FONT)] {
                for line in &lines {
                    prop_assert!(FONT.measure(&line.text) <= width, "{line:?}");
                }
                let kept: String = lines.iter().flat_map(|l| l.text.chars()).filter(|c| !is_break(*c)).collect();
                let given: String = text.chars().filter(|c| !is_break(*c)).collect();
                prop_assert_eq!(kept, given);
                let line = |l: &Line| if l.broken { l.text.clone() } else { format!("{} ", l.text) };
                let read: String = lines.iter().map(line).collect();
                let words: Vec<&str> = text.split(is_break).filter(|word| !word.is_empty()).collect();
                prop_assert_eq!(read.trim_end_matches(' '), words.join(" "));
            }
        }
    }
}
