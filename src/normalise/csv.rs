//! Reads CSV as declared: delimiter, quote, encoding, header records, footer. Only an encoding may be left open.

mod quotes;
mod records;

use encoding_rs::Encoding as Charset;

use self::records::{Fault, LONGEST, Records};
use super::Part;
use super::charset::{self, Found};
use super::chunk::Remark;
use super::error::NormaliseError;
use super::grid::{self, Body};
use super::reject;
use super::row::{Header, RawRow, Rows, Slot};
use crate::config::pipeline::CsvSpec;
use crate::id::TableName;

/// Code of the remark that an encoding was found out.
const DETECTED: &str = "encodage_detecte";
/// Code of the remark that it is in doubt.
const DOUBTFUL: &str = "encodage_douteux";

/// Reads all parts, each with its own header; rows are numbered through.
pub(super) fn read(
    spec: &CsvSpec,
    table: &TableName,
    parts: Vec<Part>,
    rows: &mut dyn Rows,
) -> Result<(), NormaliseError> {
    let mut number = 0;
    for (name, input) in parts {
        let unreadable = |source| NormaliseError::Read { table: table.clone(), part: name.clone(), offset: 0, source };
        let (input, found) = charset::open(spec.encoding, input).map_err(unreadable)?;
        let mut part = PartReader { spec, table, records: Records::new(spec, input), guess: Guess::new(found), name };
        part.guess.tell(&part.name, rows);
        let header = part.header(rows)?;
        rows.header(header)?;
        number = part.rows(number, rows)?;
    }
    Ok(())
}

/// What the encoding of a part turns out to be, where it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guess {
    /// Known from the start, and how.
    Known(Found),
    /// All bytes so far were ASCII.
    Ascii,
    /// Most of what is not ASCII is UTF-8; whether something was met that is not.
    Utf8 { doubted: bool },
    /// Most of what is not ASCII is not UTF-8; whether something was met that is.
    Windows { doubted: bool },
}

/// Code and text of a remark.
type Said = (&'static str, String);

impl Guess {
    fn new(found: Found) -> Self {
        if found == Found::Open { Self::Ascii } else { Self::Known(found) }
    }

    /// Tells what the first bytes showed.
    fn tell(self, part: &str, rows: &mut dyn Rows) {
        let name = match self {
            Self::Known(Found::Utf8) => "UTF-8, par sa marque d'ordre des octets",
            Self::Known(Found::Utf16) => "UTF-16",
            _ => return,
        };
        let detail = format!("L'encodage a été reconnu : {name}.");
        rows.remark(Remark { part: part.to_owned(), code: DETECTED.to_owned(), detail });
    }

    /// Whether cells that are not UTF-8 are listed one by one. Where UTF-8 was declared, their rows are rejected: a wrong
    /// declaration must not pass for a few bad letters.
    fn lists_cells(self) -> bool {
        matches!(self, Self::Utf8 { .. } | Self::Known(Found::Utf8))
    }

    /// Decides by what is met from a line on.
    fn decide(evidence: Evidence, line: u64) -> (Self, Said) {
        let Evidence { letters, others } = evidence;
        let detected = |name: &str| (DETECTED, format!("L'encodage a été reconnu : {name}, à la ligne {line}."));
        let mixed = |what: &str| {
            let found = format!("{letters} lettres en UTF-8 et {others} octets qui n'en sont pas");
            (DOUBTFUL, format!("Deux encodages dans un fichier, à partir de la ligne {line} : {found}. {what}"))
        };
        match (letters, others) {
            (_, 0) => (Self::Utf8 { doubted: false }, detected("UTF-8")),
            (0, _) => (Self::Windows { doubted: false }, detected("Windows-1252")),
            // A letter in UTF-8 does not come about by chance, except where texts were mangled before.
            _ if letters >= others => {
                let said = mixed("Il est lu en UTF-8, et les cellules illisibles sont listées.");
                (Self::Utf8 { doubted: true }, said)
            }
            _ => {
                let said = mixed("Il est lu en Windows-1252, et les lettres en UTF-8 s'y lisent de travers.");
                (Self::Windows { doubted: true }, said)
            }
        }
    }

    /// Looks at a record that is not ASCII, after the decision; tells the first doubt.
    fn doubt(&mut self, bytes: &[u8], line: u64) -> Option<Said> {
        let valid = Charset::utf8_valid_up_to(bytes) == bytes.len();
        let detail = match self {
            Self::Utf8 { doubted } if !*doubted && !valid => {
                *doubted = true;
                format!(
                    "Des lettres en UTF-8, puis à la ligne {line} des octets qui n'en sont pas : deux encodages dans un \
                     fichier. Il est lu en UTF-8, et les cellules illisibles sont listées."
                )
            }
            Self::Windows { doubted } if !*doubted && valid => {
                *doubted = true;
                format!(
                    "Le fichier est lu en Windows-1252, et à la ligne {line} des octets seraient des lettres en UTF-8 : \
                     elles se lisent de travers."
                )
            }
            _ => return None,
        };
        Some((DOUBTFUL, detail))
    }
}

/// What bytes say about their encoding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Evidence {
    /// Letters beyond ASCII, in UTF-8.
    letters: u64,
    /// Bytes, or torn letters, that are not UTF-8.
    others: u64,
}

impl Evidence {
    /// Counts bytes in. A letter may be cut by their end unless they are `whole`.
    fn take(&mut self, bytes: &[u8], whole: bool) {
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.letters += chunk.valid().bytes().filter(|byte| *byte >= 0xc0).count() as u64;
            let cut = !whole && chunks.peek().is_none();
            self.others += u64::from(!chunk.invalid().is_empty() && !cut);
        }
    }
}

/// One part that is being read.
struct PartReader<'a> {
    spec: &'a CsvSpec,
    table: &'a TableName,
    name: String,
    records: Records,
    guess: Guess,
}

impl PartReader<'_> {
    /// Whether there is one more record.
    fn next(&mut self) -> Result<bool, NormaliseError> {
        let more = match self.records.next() {
            Ok(more) => more,
            Err(Fault::Read(source)) => {
                return Err(NormaliseError::Read {
                    table: self.table.clone(),
                    part: self.name.clone(),
                    offset: self.records.offset(),
                    source,
                });
            }
            Err(Fault::Long) => {
                return Err(NormaliseError::LongRecord {
                    table: self.table.clone(),
                    part: self.name.clone(),
                    line: self.records.row().line().unwrap_or(1),
                    limit: LONGEST,
                });
            }
        };
        Ok(more)
    }

    /// Settles an open encoding by the first record that is not ASCII and what follows it, and transcodes the record at hand
    /// when it is Windows-1252.
    fn settle(&mut self, rows: &mut dyn Rows) {
        let row = self.records.row();
        if matches!(self.guess, Guess::Known(_)) || Charset::ascii_valid_up_to(row.bytes) == row.bytes.len() {
            return;
        }
        let line = row.line().unwrap_or(1);
        let said = if self.guess == Guess::Ascii {
            let mut evidence = Evidence::default();
            evidence.take(row.bytes, true);
            let (ahead, whole) = self.records.ahead();
            evidence.take(ahead, whole);
            let (guess, said) = Guess::decide(evidence, line);
            self.guess = guess;
            Some(said)
        } else {
            self.guess.doubt(row.bytes, line)
        };
        if let Some((code, detail)) = said {
            rows.remark(Remark { part: self.name.clone(), code: code.to_owned(), detail });
        }
        if matches!(self.guess, Guess::Windows { .. }) {
            self.records.transcode();
        }
    }

    fn header(&mut self, rows: &mut dyn Rows) -> Result<Header, NormaliseError> {
        let layout = &self.spec.layout;
        let (last, count) = (layout.header_row.max(1), layout.header_rows.max(1));
        let mut lines = Vec::new();
        for at in 1..=last {
            if !self.next()? {
                return Err(NormaliseError::NoHeader {
                    table: self.table.clone(),
                    part: self.name.clone(),
                    header_row: last,
                });
            }
            if at + count <= last {
                continue;
            }
            self.settle(rows);
            let row = self.records.row();
            if self.records.broken().is_some() {
                return Err(NormaliseError::HeaderQuote {
                    table: self.table.clone(),
                    part: self.name.clone(),
                    line: row.last_line.unwrap_or(1),
                });
            }
            let Ok(text) = std::str::from_utf8(row.bytes) else {
                return Err(NormaliseError::HeaderEncoding {
                    table: self.table.clone(),
                    part: self.name.clone(),
                    line: row.line().unwrap_or(1),
                });
            };
            let name = |slot: &Slot| match slot {
                Slot::At(from, to) => text.get(*from..*to).unwrap_or("").to_owned(),
                _ => String::new(),
            };
            lines.push(row.slots.iter().map(name).collect());
        }
        let header = grid::header(&self.name, &lines, &[]);
        self.records.expect(header.names.len());
        Ok(header)
    }

    fn rows(&mut self, number: u64, rows: &mut dyn Rows) -> Result<u64, NormaliseError> {
        let mut body = Body::new(&self.spec.layout, number);
        while self.next()? {
            self.settle(rows);
            let lists_cells = self.guess.lists_cells();
            let broken = self.records.broken();
            body.take(&self.records.row(), rows, |row, rows| match (broken, broken_cell(row)) {
                (Some(detail), _) => rows.refuse(row, reject::QUOTE, detail.to_owned()),
                (None, None) => rows.row(row),
                (None, Some(_)) if lists_cells => rows.row(&RawRow { slots: &without_broken(row), ..*row }),
                (None, Some((at, offset, byte))) => {
                    let detail = format!(
                        "L'octet 0x{byte:02X}, à la position {} de la cellule {}, n'est pas de l'UTF-8.",
                        offset + 1,
                        at + 1
                    );
                    rows.refuse(row, reject::ENCODING, detail)
                }
            })?;
        }
        Ok(body.finish(rows))
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

/// Where the cells of a row are, those that are not UTF-8 marked.
fn without_broken(row: &RawRow<'_>) -> Vec<Slot> {
    let mark = |slot: &Slot| match slot {
        Slot::At(from, to) if std::str::from_utf8(row.bytes.get(*from..*to).unwrap_or(&[])).is_err() => {
            Slot::Faulty(*from, *to, reject::ENCODING)
        }
        slot => *slot,
    };
    row.slots.iter().map(mark).collect()
}
