//! Records of a part, one at a time; a line whose quote would take others in stands alone.

use std::io::Read;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use encoding_rs::{Encoding as Charset, WINDOWS_1252};
use memchr::{memchr_iter, memchr2};

use super::quotes::{How, MOST_FEEDS, Quotes, Stray};
use crate::config::pipeline::CsvSpec;
use crate::normalise::row::{RawRow, Slot};

/// Bytes read at once.
const BLOCK: usize = 256 << 10;
/// Most bytes looked at to tell an encoding, from the first that is not ASCII on.
const AHEAD: usize = 1 << 20;
/// Most bytes of one record: beyond it a quote was never closed.
pub(super) const LONGEST: usize = 16 << 20;

/// Why there is no next record.
pub(super) enum Fault {
    Read(std::io::Error),
    Long,
}

/// Blocks of a part.
struct Input {
    inner: Box<dyn Read + Send>,
    block: Vec<u8>,
    /// Where the record at hand begins: from here on the bytes are held.
    from: usize,
    at: usize,
    filled: usize,
    offset: u64,
    ended: bool,
    /// A fault that was met ahead of the reading.
    fault: Option<std::io::Error>,
}

impl Input {
    /// Bytes that come next, at most [`AHEAD`], and whether the part ends with them.
    fn ahead(&mut self) -> (&[u8], bool) {
        self.block.copy_within(self.at..self.filled, 0);
        (self.from, self.at, self.filled) = (0, 0, self.filled - self.at);
        if self.block.len() < AHEAD {
            self.block.resize(AHEAD, 0);
        }
        while self.filled < AHEAD && !self.ended && self.fault.is_none() {
            match self.inner.read(self.block.get_mut(self.filled..).unwrap_or_default()) {
                Ok(read) => {
                    self.ended = read == 0;
                    self.offset += read as u64;
                    self.filled += read;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => self.fault = Some(error),
            }
        }
        (self.block.get(..self.filled).unwrap_or(&[]), self.ended)
    }

    /// Lets go of what was read.
    fn let_go(&mut self) {
        self.from = self.at;
    }

    /// What is held.
    fn held(&self) -> &[u8] {
        self.block.get(self.from..self.filled).unwrap_or(&[])
    }

    /// Reads the next block behind what is held; it is empty at the end.
    fn refill(&mut self) -> std::io::Result<()> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let held = self.filled - self.from;
        self.block.copy_within(self.from..self.filled, 0);
        (self.from, self.at, self.filled) = (0, held, held);
        if held * 2 > self.block.len() {
            self.block.resize(self.block.len() * 2, 0);
        }
        let read = loop {
            match self.inner.read(self.block.get_mut(held..).unwrap_or_default()) {
                Ok(read) => break read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        self.ended = read == 0;
        self.offset += read as u64;
        self.filled += read;
        Ok(())
    }
}

/// Records of a part, in buffers that are used again.
pub(super) struct Records {
    reader: Reader,
    input: Input,
    bytes: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    slots: Vec<Slot>,
    /// Line at which the record at hand ends.
    last_line: u64,
    /// Line at which what is held of the record begins.
    first_line: u64,
    delimiter: u8,
    /// None where quotes are letters.
    quotes: Option<Quotes>,
    /// Cells of the header; 0 as long as it is not read.
    width: usize,
    /// Why the record at hand is a line that cannot be read as one.
    broken: Option<String>,
}

impl Records {
    pub(super) fn new(spec: &CsvSpec, inner: Box<dyn Read + Send>) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(spec.delimiter);
        if spec.quote == 0 {
            builder.quoting(false);
        } else {
            builder.quote(spec.quote);
        }
        Self {
            reader: builder.build(),
            input: Input {
                inner,
                block: vec![0; BLOCK],
                from: 0,
                at: 0,
                filled: 0,
                offset: 0,
                ended: false,
                fault: None,
            },
            bytes: vec![0; 16 << 10],
            filled: 0,
            ends: vec![0; 64],
            slots: Vec::new(),
            last_line: 1,
            first_line: 1,
            delimiter: spec.delimiter,
            quotes: (spec.quote != 0).then(|| Quotes::new(spec.quote, spec.delimiter)),
            width: 0,
            broken: None,
        }
    }

    /// Tells how many cells the header has.
    pub(super) fn expect(&mut self, width: usize) {
        self.width = width;
    }

    /// Bytes of the part that were read.
    pub(super) fn offset(&self) -> u64 {
        self.input.offset
    }

    /// Bytes that come next, and whether the part ends with them.
    pub(super) fn ahead(&mut self) -> (&[u8], bool) {
        self.input.ahead()
    }

    /// Why the record at hand is a line that cannot be read as one, for people.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The record at hand.
    pub(super) fn row(&self) -> RawRow<'_> {
        let bytes = self.bytes.get(..self.filled).unwrap_or(&[]);
        RawRow { number: 0, last_line: Some(self.last_line), bytes, slots: &self.slots }
    }

    /// Takes the record at hand for Windows-1252.
    pub(super) fn transcode(&mut self) {
        let raw = self.bytes.get(..self.filled).unwrap_or(&[]);
        if Charset::ascii_valid_up_to(raw) == raw.len() {
            return;
        }
        let mut text: Vec<u8> = Vec::with_capacity(raw.len() + 16);
        for slot in &mut self.slots {
            let Slot::At(from, to) = *slot else { continue };
            let start = text.len();
            let (cell, _) = WINDOWS_1252.decode_without_bom_handling(raw.get(from..to).unwrap_or(&[]));
            text.extend_from_slice(cell.as_bytes());
            *slot = Slot::At(start, text.len());
        }
        self.filled = text.len();
        if self.bytes.len() < self.filled {
            self.bytes.resize(self.filled * 2, 0);
        }
        if let Some(bytes) = self.bytes.get_mut(..self.filled) {
            bytes.copy_from_slice(&text);
        }
    }

    /// Reads the next record; `false` at the end.
    pub(super) fn next(&mut self) -> Result<bool, Fault> {
        (self.filled, self.last_line, self.broken) = (0, self.reader.line(), None);
        self.begin();
        let mut cells = 0;
        loop {
            while self.input.at == self.input.filled && !self.input.ended {
                self.input.refill().map_err(Fault::Read)?;
            }
            let block = self.input.block.get(self.input.at..self.input.filled).unwrap_or(&[]);
            let bytes = self.bytes.get_mut(self.filled..).unwrap_or_default();
            let ends = self.ends.get_mut(cells..).unwrap_or_default();
            let (result, read, written, ended) = self.reader.read_record(block, bytes, ends);
            let taken = block.get(..read).unwrap_or(&[]);
            let closed_by = taken.last().copied();
            let stray = self.quotes.as_mut().and_then(|quotes| quotes.take(taken));
            self.input.at += read;
            self.filled += written;
            cells += ended;
            if let Some(stray) = stray {
                return self.set_apart(stray).map(|()| true);
            }
            match result {
                ReadRecordResult::InputEmpty => {
                    // Nothing but blank lines so far, or nothing that could be read again.
                    let blank = self.filled == 0 && cells == 0;
                    if self.quotes.as_ref().is_none_or(|quotes| blank && quotes.at_edge()) {
                        self.begin();
                    }
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull
                    if self.bytes.len().max(self.ends.len()) >= LONGEST =>
                {
                    let spanning = self.quotes.as_ref().filter(|quotes| quotes.spans_lines());
                    if let Some(stray) = spanning.and_then(|quotes| quotes.open(How::Long)) {
                        return self.set_apart(stray).map(|()| true);
                    }
                    self.last_line = self.reader.line();
                    return Err(Fault::Long);
                }
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::End => return Ok(false),
                ReadRecordResult::Record => {
                    if let Some(stray) = self.stray() {
                        return self.set_apart(stray).map(|()| true);
                    }
                    self.last_line = self.reader.line() - u64::from(closed_by == Some(b'\n'));
                    self.slots.clear();
                    let mut from = 0;
                    for end in self.ends.iter().take(cells) {
                        self.slots.push(Slot::At(from, *end));
                        from = *end;
                    }
                    return Ok(true);
                }
            }
        }
    }

    /// The quote for which the record at hand, which was read to its end, is none.
    fn stray(&mut self) -> Option<Stray> {
        let record = self.input.block.get(self.input.from..self.input.at).unwrap_or(&[]);
        let quotes = self.quotes.as_mut()?;
        quotes.open(How::End).or_else(|| quotes.takes_rows(record, self.width))
    }

    /// Begins a record at what comes next.
    fn begin(&mut self) {
        self.input.let_go();
        self.first_line = self.reader.line();
        if let Some(quotes) = &mut self.quotes {
            quotes.begin();
        }
    }

    /// Makes a record that cannot be read of what is held, to the end of the line at which its quote opened, and goes on
    /// reading behind it: the lines that the quote would take in are rows of their own.
    fn set_apart(&mut self, stray: Stray) -> Result<(), Fault> {
        let mut looked = stray.opened;
        let end = loop {
            let held = self.input.held();
            if let Some(end) = memchr2(b'\n', b'\r', held.get(looked..).unwrap_or(&[])) {
                break looked + end;
            }
            looked = held.len();
            if self.input.ended {
                break looked;
            }
            if looked >= 2 * LONGEST {
                (self.filled, self.last_line) = (0, self.first_line);
                return Err(Fault::Long);
            }
            self.input.refill().map_err(Fault::Read)?;
        };
        let held = self.input.held();
        let feeds = |from: usize, to: usize| memchr_iter(b'\n', held.get(from..to).unwrap_or(&[])).count() as u64;
        let line = self.first_line + feeds(0, stray.opened);
        let reaches = match stray.how {
            How::End => held.trim_ascii_end().len(),
            How::Text | How::Rows | How::Long => stray.until,
        };
        self.broken = Some(told(stray.how, line, line + feeds(stray.opened, reaches)));
        self.last_line = line;

        let record = held.get(..end).unwrap_or(held);
        let blank = record.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let record = record.get(blank..).unwrap_or(&[]);
        self.filled = record.len();
        self.bytes.resize(self.bytes.len().max(record.len()), 0);
        if let Some(bytes) = self.bytes.get_mut(..record.len()) {
            bytes.copy_from_slice(record);
        }
        self.slots.clear();
        let quote = self.quotes.as_ref().map(|quotes| quotes.quote);
        let mut from = 0;
        for to in memchr_iter(self.delimiter, record).chain([record.len()]) {
            // For people, and for a key that is told by its cell: without the quotes around it.
            let cell = record.get(from..to).unwrap_or(&[]);
            let quoted = cell.len() > 1 && cell.first().copied() == quote && cell.last().copied() == quote;
            self.slots.push(if quoted { Slot::At(from + 1, to - 1) } else { Slot::At(from, to) });
            from = to + 1;
        }

        let fed = held.get(end) == Some(&b'\n');
        self.input.at = (self.input.from + end + 1).min(self.input.filled);
        self.reader.reset();
        self.reader.set_line(line + u64::from(fed));
        if let Some(quotes) = &mut self.quotes {
            quotes.reset();
        }
        Ok(())
    }
}

/// What a quote does that opens a cell at `line` and reaches to `last`, in a sentence.
fn told(how: How, line: u64, last: u64) -> String {
    let found = match how {
        How::Text if line == last => {
            format!("Le guillemet qui ouvre une cellule à la ligne {line} se ferme au milieu d'un texte.")
        }
        How::Text => {
            format!(
                "Le guillemet qui ouvre une cellule à la ligne {line} ne se ferme qu'à la ligne {last}, au milieu d'un texte."
            )
        }
        How::Rows => format!(
            "Le guillemet qui ouvre une cellule à la ligne {line} ne se ferme qu'à la ligne {last}, et chacune de ces lignes a \
             autant de cellules que l'en-tête."
        ),
        How::Long => format!(
            "Le guillemet qui ouvre une cellule à la ligne {line} n'est pas fermé à la ligne {last} (au plus \
             {MOST_FEEDS} sauts de ligne par cellule)."
        ),
        How::End => format!(
            "Le guillemet qui ouvre une cellule à la ligne {line} n'est pas fermé à la fin du fichier, ligne {last}."
        ),
    };
    match last - line {
        0 => found,
        more => format!(
            "{found} {} lignes seraient lues comme une : la ligne {line} est écartée seule, et la lecture reprend à la \
             suivante.",
            more + 1
        ),
    }
}
