//! Reads CSV as declared: delimiter, quote, encoding, header record. Nothing is sniffed.

use std::collections::HashMap;
use std::io::Read;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use encoding_rs::{CoderResult, Decoder, Encoding as Charset, WINDOWS_1252};

use super::Part;
use super::error::NormaliseError;
use super::reject;
use super::row::{Header, RawRow, Rows, Slot};
use crate::config::pipeline::{CsvSpec, Encoding};
use crate::id::TableName;

/// Bytes read at once.
const BLOCK: usize = 256 << 10;
/// Most bytes of one record: beyond it a quote was never closed.
const LONGEST: usize = 16 << 20;
/// Byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads all parts, each with its own header; rows are numbered through.
pub(super) fn read(
    spec: &CsvSpec,
    table: &TableName,
    parts: Vec<Part>,
    rows: &mut dyn Rows,
) -> Result<(), NormaliseError> {
    if parts.is_empty() {
        let (part, known) = ("*".to_owned(), "none at all".to_owned());
        return Err(NormaliseError::MissingPart { table: table.clone(), part, known });
    }
    let mut number = 0;
    for (name, input) in parts {
        let mut part = PartReader { spec, table, name, records: Records::new(spec, input), number };
        let header = part.header()?;
        rows.header(header)?;
        part.rows(rows)?;
        number = part.number;
    }
    Ok(())
}

/// One part that is being read.
struct PartReader<'a> {
    spec: &'a CsvSpec,
    table: &'a TableName,
    name: String,
    records: Records,
    number: u64,
}

impl PartReader<'_> {
    /// Whether there is one more record.
    fn next(&mut self) -> Result<bool, NormaliseError> {
        match self.records.next() {
            Ok(more) => Ok(more),
            Err(Fault::Read(source)) => Err(NormaliseError::Read {
                table: self.table.clone(),
                part: self.name.clone(),
                offset: self.records.input.offset,
                source,
            }),
            Err(Fault::Long) => Err(NormaliseError::LongRecord {
                table: self.table.clone(),
                part: self.name.clone(),
                line: self.row().line().unwrap_or(1),
                limit: LONGEST,
            }),
        }
    }

    /// The record at hand.
    fn row(&self) -> RawRow<'_> {
        let bytes = self.records.bytes.get(..self.records.filled).unwrap_or(&[]);
        RawRow { number: self.number, last_line: Some(self.records.last_line), bytes, slots: &self.records.slots }
    }

    fn header(&mut self) -> Result<Header, NormaliseError> {
        for _ in 0..self.spec.layout.header_row.max(1) {
            if !self.next()? {
                return Err(NormaliseError::NoHeader {
                    table: self.table.clone(),
                    part: self.name.clone(),
                    header_row: self.spec.layout.header_row,
                });
            }
        }
        let row = self.row();
        let Ok(text) = std::str::from_utf8(row.bytes) else {
            return Err(NormaliseError::HeaderEncoding {
                table: self.table.clone(),
                part: self.name.clone(),
                line: row.line().unwrap_or(1),
            });
        };
        let name = |slot: &Slot| match slot {
            Slot::At(from, to) => text.get(*from..*to).unwrap_or("").trim().to_owned(),
            _ => String::new(),
        };
        let names: Vec<String> = row.slots.iter().map(name).collect();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (at, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            if let Some(first) = seen.insert(name, at) {
                return Err(NormaliseError::RepeatedColumn {
                    table: self.table.clone(),
                    part: self.name.clone(),
                    column: name.clone(),
                    first: first + 1,
                    second: at + 1,
                });
            }
        }
        Ok(Header::new(&self.name, names, true))
    }

    fn rows(&mut self, rows: &mut dyn Rows) -> Result<(), NormaliseError> {
        while self.next()? {
            self.number += 1;
            let row = self.row();
            match broken_cell(&row) {
                None => rows.row(&row)?,
                Some((at, offset, byte)) => {
                    let detail = format!(
                        "L'octet 0x{byte:02X}, à la position {} de la cellule {}, n'est pas de l'UTF-8.",
                        offset + 1,
                        at + 1
                    );
                    rows.refuse(&row, reject::ENCODING, detail)?;
                }
            }
        }
        Ok(())
    }
}

/// The first cell that is not UTF-8, where in it, and the byte there.
fn broken_cell(row: &RawRow<'_>) -> Option<(usize, usize, u8)> {
    let starts_inside = |slot: &Slot| match slot {
        Slot::At(from, to) => from < to && row.bytes.get(*from).is_some_and(|byte| byte & 0xc0 == 0x80),
        _ => false,
    };
    if Charset::utf8_valid_up_to(row.bytes) == row.bytes.len() && !row.slots.iter().any(starts_inside) {
        return None;
    }
    row.slots.iter().enumerate().find_map(|(at, slot)| {
        let Slot::At(from, to) = slot else { return None };
        let cell = row.bytes.get(*from..*to)?;
        let valid = Charset::utf8_valid_up_to(cell);
        cell.get(valid).map(|byte| (at, valid, *byte))
    })
}

/// Why there is no next record.
enum Fault {
    Read(std::io::Error),
    Long,
}

/// Blocks of a part, as UTF-8 where they were Windows-1252.
struct Input {
    inner: Box<dyn Read + Send>,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    block: Vec<u8>,
    at: usize,
    filled: usize,
    offset: u64,
    ended: bool,
}

impl Input {
    /// Reads the next block, which is empty at the end, and after a lone byte order mark. The first block has at least three bytes when the part has.
    fn refill(&mut self) -> std::io::Result<()> {
        let first = self.offset == 0;
        let target = if self.decoder.is_some() { &mut self.raw } else { &mut self.block };
        let mut read = 0;
        while !self.ended && read < if first { MARK.len() } else { 1 } {
            match self.inner.read(target.get_mut(read..).unwrap_or_default()) {
                Ok(0) => self.ended = true,
                Ok(more) => read += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.offset += read as u64;
        self.at = 0;
        self.filled = read;
        if let Some(decoder) = &mut self.decoder {
            let raw = self.raw.get(..read).unwrap_or(&[]);
            let (result, _, written, _) = decoder.decode_to_utf8(raw, &mut self.block, false);
            debug_assert_eq!(result, CoderResult::InputEmpty, "the block has room for three bytes a byte");
            self.filled = written;
        } else if first && self.block.get(..read).is_some_and(|block| block.starts_with(MARK)) {
            self.at = MARK.len();
        }
        Ok(())
    }
}

/// Records of a part, one at a time, in buffers that are used again.
struct Records {
    reader: Reader,
    input: Input,
    bytes: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    slots: Vec<Slot>,
    /// Line at which the record at hand ends.
    last_line: u64,
}

impl Records {
    fn new(spec: &CsvSpec, inner: Box<dyn Read + Send>) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(spec.delimiter);
        if spec.quote == 0 {
            builder.quoting(false);
        } else {
            builder.quote(spec.quote);
        }
        let decoder = match spec.encoding {
            Encoding::Utf8 | Encoding::Utf16 | Encoding::Detect => None,
            Encoding::Windows1252 => Some(WINDOWS_1252.new_decoder_without_bom_handling()),
        };
        let raw = if decoder.is_some() { vec![0; BLOCK] } else { Vec::new() };
        let room = if decoder.is_some() { BLOCK * 3 + 16 } else { BLOCK };
        Self {
            reader: builder.build(),
            input: Input { inner, decoder, raw, block: vec![0; room], at: 0, filled: 0, offset: 0, ended: false },
            bytes: vec![0; 16 << 10],
            filled: 0,
            ends: vec![0; 64],
            slots: Vec::new(),
            last_line: 1,
        }
    }

    /// Reads the next record; `false` at the end.
    fn next(&mut self) -> Result<bool, Fault> {
        (self.filled, self.last_line) = (0, self.reader.line());
        let mut cells = 0;
        loop {
            while self.input.at == self.input.filled && !self.input.ended {
                self.input.refill().map_err(Fault::Read)?;
            }
            let block = self.input.block.get(self.input.at..self.input.filled).unwrap_or(&[]);
            let bytes = self.bytes.get_mut(self.filled..).unwrap_or_default();
            let ends = self.ends.get_mut(cells..).unwrap_or_default();
            let (result, read, written, ended) = self.reader.read_record(block, bytes, ends);
            let closed_by = block.get(..read).and_then(<[u8]>::last).copied();
            self.input.at += read;
            self.filled += written;
            cells += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull
                    if self.bytes.len().max(self.ends.len()) >= LONGEST =>
                {
                    self.last_line = self.reader.line();
                    return Err(Fault::Long);
                }
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::End => return Ok(false),
                ReadRecordResult::Record => {
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
}
