//! Follows the quotes of a record, since a parser that prefers any reading to none reads past a stray one.

use memchr::{memchr, memchr_iter};

/// Most line feeds of one quoted cell: beyond it its quote was never closed.
pub(super) const MOST_FEEDS: usize = 1000;
/// Fewest columns of a table whose lines tell rows from a text.
const NARROWEST: usize = 3;
/// What may stand before the first cell of a part.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a record is, as far as it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a cell.
    Edge,
    /// In a cell that no quote opened, or after a quote in one: further quotes are letters.
    Plain,
    /// In a quoted cell.
    Quoted,
    /// After a quote in a quoted cell, which closes it or is the first of two.
    Closed,
}

/// How a quote does not close the cell that it opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The next one stands before a text.
    Text,
    /// The next one ends a cell of a later line, and all lines from one to the other are rows as the header has them.
    Rows,
    /// None comes for too long.
    Long,
    /// None comes at all.
    End,
}

/// A quote that does not close the cell that it opened; places are counted from the start of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stray {
    /// The quote.
    pub(super) opened: usize,
    /// As far as it reaches.
    pub(super) until: usize,
    pub(super) how: How,
}

/// The quotes of the record at hand.
#[derive(Debug)]
pub(super) struct Quotes {
    pub(super) quote: u8,
    delimiter: u8,
    state: State,
    /// Bytes of the record that were looked at.
    taken: usize,
    /// The quote that opened the last quoted cell.
    opened: usize,
    /// Line feeds in that cell.
    feeds: usize,
    /// The first quoted cell with line feeds: its two quotes.
    lines: Option<(usize, usize)>,
    /// Whether a byte order mark may come.
    fresh: bool,
}

impl Quotes {
    pub(super) fn new(quote: u8, delimiter: u8) -> Self {
        Self { quote, delimiter, state: State::Edge, taken: 0, opened: 0, feeds: 0, lines: None, fresh: true }
    }

    /// Begins a record.
    pub(super) fn begin(&mut self) {
        (self.state, self.taken, self.lines) = (State::Edge, 0, None);
    }

    /// Begins a record with a parser that was reset, which takes a byte order mark away again.
    pub(super) fn reset(&mut self) {
        self.begin();
        self.fresh = true;
    }

    /// Whether a cell would begin here.
    pub(super) fn at_edge(&self) -> bool {
        self.state == State::Edge
    }

    /// The quote that is open at the end of a record, after `how`; a record that ended otherwise has none.
    pub(super) fn open(&self, how: How) -> Option<Stray> {
        (self.state == State::Quoted).then_some(Stray { opened: self.opened, until: self.taken, how })
    }

    /// Whether the cell at hand is quoted and has line feeds.
    pub(super) fn spans_lines(&self) -> bool {
        self.state == State::Quoted && self.feeds > 0
    }

    /// Follows the next bytes of the record, to the first quote that does not close the cell that it opened.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<Stray> {
        let mut at = if std::mem::take(&mut self.fresh) && bytes.starts_with(MARK) { MARK.len() } else { 0 };
        let mut found = None;
        while let Some((first, _)) = bytes.get(at..).and_then(<[u8]>::split_first)
            && found.is_none()
        {
            let rest = bytes.get(at..).unwrap_or(&[]);
            match self.state {
                State::Edge | State::Plain => {
                    let Some(quote) = memchr(self.quote, rest) else {
                        let last = rest.last().copied();
                        self.state = if last.is_some_and(|byte| self.ends(byte)) { State::Edge } else { State::Plain };
                        break;
                    };
                    let before = quote.checked_sub(1).and_then(|before| rest.get(before));
                    if before.map_or(self.state == State::Edge, |byte| self.ends(*byte)) {
                        (self.state, self.opened, self.feeds) = (State::Quoted, self.taken + at + quote, 0);
                    } else {
                        self.state = State::Plain;
                    }
                    at += quote + 1;
                }
                State::Quoted => {
                    let quote = memchr(self.quote, rest);
                    let cell = rest.get(..quote.unwrap_or(rest.len())).unwrap_or(rest);
                    if let Some(beyond) = memchr_iter(b'\n', cell).nth(MOST_FEEDS - self.feeds) {
                        found = Some(Stray { opened: self.opened, until: self.taken + at + beyond, how: How::Long });
                        break;
                    }
                    self.feeds += memchr_iter(b'\n', cell).count();
                    at += cell.len();
                    if quote.is_some() {
                        self.state = State::Closed;
                        at += 1;
                    }
                }
                State::Closed => {
                    self.state = match *first {
                        byte if byte == self.quote => State::Quoted,
                        byte if self.ends(byte) => {
                            self.close(self.taken + at);
                            State::Edge
                        }
                        _ => {
                            found = Some(Stray { opened: self.opened, until: self.taken + at, how: How::Text });
                            State::Plain
                        }
                    };
                    at += 1;
                }
            }
        }
        self.taken += bytes.len();
        found
    }

    /// Notes a quoted cell that has line feeds and whose last quote stands before `end`.
    fn close(&mut self, end: usize) {
        if self.feeds > 0 && self.lines.is_none() {
            self.lines = Some((self.opened, end.saturating_sub(1)));
        }
    }

    /// The quote of a cell that takes rows in, of a record that was read to its end and whose header has `width` cells. Its
    /// line, the last one and all between them are then rows of that width, the quotes taken for letters; each begins with
    /// the same kind of number, as the lines of a text do not; and no blank follows most of their separators, as in a
    /// sentence.
    pub(super) fn takes_rows(&mut self, record: &[u8], width: usize) -> Option<Stray> {
        if self.state == State::Closed {
            self.close(self.taken);
        }
        let (opened, closed) = self.lines.filter(|_| width >= NARROWEST)?;
        let inside = record.get(opened + 1..closed)?;
        let (before, behind) = (record.get(..opened)?, record.get(closed + 1..)?);
        let own = self.first_cell(before.trim_ascii_start());
        let lines = || inside.split(|byte| *byte == b'\n');
        let mut counts = lines().map(|line| self.delimiters(line));
        let first = self.delimiters_outside(before) + counts.next()?;
        let last = self.delimiters_outside(behind) + counts.next_back()?;
        let are_rows = [first, last].into_iter().chain(counts).all(|delimiters| delimiters + 1 == width)
            && own.contains(&b'9')
            && lines().skip(1).all(|line| self.first_cell(line) == own);
        let blanks =
            inside.windows(2).filter(|pair| pair.first() == Some(&self.delimiter) && pair.last() == Some(&b' '));
        let is_sentence = blanks.count() * 2 > self.delimiters(inside);
        (are_rows && !is_sentence).then_some(Stray { opened, until: closed, how: How::Rows })
    }

    /// What the first cell of a line looks like: runs of digits and of letters as one of them.
    fn first_cell(&self, line: &[u8]) -> Vec<u8> {
        let cell = line.split(|byte| *byte == self.delimiter).next().unwrap_or(&[]).trim_ascii();
        let mut kinds: Vec<u8> = cell
            .iter()
            .filter(|byte| **byte != self.quote)
            .map(|byte| match byte {
                b'0'..=b'9' => b'9',
                byte if byte.is_ascii_alphabetic() || !byte.is_ascii() => b'a',
                byte => *byte,
            })
            .collect();
        kinds.dedup();
        kinds
    }

    fn delimiters(&self, bytes: &[u8]) -> usize {
        memchr_iter(self.delimiter, bytes).count()
    }

    /// Delimiters that no quotes are around.
    fn delimiters_outside(&self, bytes: &[u8]) -> usize {
        let mut quoted = false;
        let mut count = 0;
        for byte in bytes {
            quoted ^= *byte == self.quote;
            count += usize::from(*byte == self.delimiter && !quoted);
        }
        count
    }

    /// Whether a byte ends a cell.
    fn ends(&self, byte: u8) -> bool {
        byte == self.delimiter || byte == b'\n' || byte == b'\r'
    }
}
