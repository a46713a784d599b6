//! Reads spreadsheets: XLSX cell by cell, ODS and XLS as a whole. Which of them it is, the bytes say.
//!
//! A row is what a person sees as one: its number in the sheet is the line that rejects name. Rows without a filled cell
//! are no rows. Numbers, dates and truth values keep their type, so that no locale can change them.

use std::fs::File;
use std::io::{self, BufReader, Write as _};

use calamine::{
    Data, DataRef, ExcelDateTime, Ods, Range, Reader as _, SheetVisible, Xls, Xlsx, XlsxCellReader, XlsxError,
};
use rustc_hash::FxHashMap;

use super::Part;
use super::charset::peek;
use super::chunk::Remark;
use super::error::NormaliseError;
use super::grid::{self, Body};
use super::reject;
use super::row::{RawRow, Rows, Slot};
use super::unpack::spool;
use crate::config::pipeline::SheetSpec;
use crate::diagnostic::{nearest, quoted};
use crate::id::TableName;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Reads all parts; rows are numbered through.
pub(super) fn read(
    spec: &SheetSpec,
    table: &TableName,
    parts: Vec<Part>,
    rows: &mut dyn Rows,
) -> Result<(), NormaliseError> {
    let mut number = 0;
    for (part, input) in parts {
        let mut sheet = Sheet {
            spec,
            table,
            part: &part,
            body: Body::new(&spec.layout, number),
            lines: vec![Vec::new(); usize::try_from(spec.layout.header_rows.max(1)).unwrap_or(1)],
            merged: Vec::new(),
            width: None,
            row: None,
            bytes: Vec::new(),
            slots: Vec::new(),
            errors: 0,
            rows: &mut *rows,
        };
        let (head, input) = peek(input, 512);
        let unreadable =
            |source: io::Error| NormaliseError::Read { table: table.clone(), part: part.clone(), offset: 0, source };
        let file = BufReader::new(spool(input).map_err(unreadable)?);
        match Kind::of(&head) {
            Some(Kind::Xlsx) => sheet.read_xlsx(file)?,
            Some(Kind::Ods) => {
                let book: Ods<_> = Ods::new(file).map_err(|error| sheet.broken(error))?;
                sheet.read_whole(book)?;
            }
            Some(Kind::Xls) => {
                let book: Xls<_> = Xls::new(file).map_err(|error| sheet.broken(error))?;
                sheet.read_whole(book)?;
            }
            None => return Err(sheet.wrong_kind(&head)),
        }
        number = sheet.finish()?;
    }
    Ok(())
}

/// What kind of spreadsheet it is.
pub(super) enum Kind {
    Xlsx,
    Ods,
    Xls,
}

impl Kind {
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let has = |text: &[u8]| head.windows(text.len()).any(|window| window == text);
        match head {
            _ if head.starts_with(b"PK") && has(b"opendocument.spreadsheet") => Some(Self::Ods),
            _ if head.starts_with(b"PK") => Some(Self::Xlsx),
            _ if head.starts_with(b"\xd0\xcf\x11\xe0") => Some(Self::Xls),
            _ => None,
        }
    }
}

/// A sheet that is being read.
struct Sheet<'a> {
    spec: &'a SheetSpec,
    table: &'a TableName,
    part: &'a str,
    body: Body<'a>,
    /// Lines of the header.
    lines: Vec<Vec<String>>,
    /// Merged cells: first and last row and column, from 0.
    merged: Vec<((u32, u32), (u32, u32))>,
    /// Columns, once the header was told.
    width: Option<usize>,
    /// Row at hand, from 1.
    row: Option<u64>,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    errors: u64,
    rows: &'a mut dyn Rows,
}

impl Sheet<'_> {
    fn broken(&self, source: impl Into<Fault>) -> NormaliseError {
        let source = source.into();
        let secret = source.to_string().to_lowercase().contains("password");
        let found = if secret {
            "it asks for a password: save it without one"
        } else {
            "it is damaged: open it in a spreadsheet program and save it again"
        };
        self.wrong(found.to_owned(), Some(source))
    }

    fn wrong(&self, found: String, source: Option<Fault>) -> NormaliseError {
        let (table, part) = (self.table.clone(), self.part.to_owned());
        NormaliseError::WrongKind { table, part, expected: "spreadsheet (XLSX, XLS, ODS)", found, source }
    }

    fn wrong_kind(&self, head: &[u8]) -> NormaliseError {
        let start = String::from_utf8_lossy(head).trim_start_matches('\u{feff}').trim_start().to_lowercase();
        let found = if start.starts_with("<!doctype") || start.starts_with("<html") {
            "it is a web page: open the address in a browser, a login page is the usual cause"
        } else if start.starts_with('{') || start.starts_with('[') {
            "it looks like JSON: declare the reader `json`"
        } else if head.is_empty() {
            "it is empty: check the download"
        } else if std::str::from_utf8(head).is_ok() || !head.contains(&0) {
            "it looks like text: declare the reader `csv`"
        } else {
            "its first bytes are those of no spreadsheet: check the download"
        };
        self.wrong(found.to_owned(), None)
    }

    /// The sheet that is declared, or the first one that is shown.
    fn choose(&self, sheets: &[calamine::Sheet]) -> Result<String, NormaliseError> {
        let names: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
        let found = match &self.spec.sheet {
            Some(wanted) => names.iter().find(|name| *name == wanted).map(|name| (*name).to_owned()),
            None => {
                let shown = sheets.iter().find(|sheet| sheet.visible == SheetVisible::Visible);
                shown.or(sheets.first()).map(|sheet| sheet.name.clone())
            }
        };
        found.ok_or_else(|| {
            let wanted = self.spec.sheet.as_deref().unwrap_or("");
            let hint = nearest(wanted, names.iter().copied())
                .map_or_else(|| format!("it has {}", quoted(&names)), |near| format!("did you mean `{near}`?"));
            self.wrong(format!("it has no sheet `{wanted}`: {hint}"), None)
        })
    }

    fn read_xlsx(&mut self, file: BufReader<File>) -> Result<(), NormaliseError> {
        let mut book: Xlsx<_> = Xlsx::new(file).map_err(|error| self.broken(error))?;
        let name = self.choose(book.sheets_metadata())?;
        if self.lines.len() > 1 {
            let merged = book.merge_cells_by_sheet_name(&name).map_err(|error| self.broken(error))?;
            self.merged = merged.into_iter().map(|cells| (cells.start, cells.end)).collect();
        }
        let mut strange = Strange::default();
        let mut done = 0;
        loop {
            let mut cells = book.worksheet_cells_reader(&name).map_err(|error| self.broken(error))?;
            let Some(at) = self.read_cells(&mut cells, done, &strange)? else { return Ok(()) };
            done = at;
            drop(cells);
            let cells = book.worksheet_cells_reader(&name).map_err(|error| self.broken(error))?;
            strange = strange_cells(cells).map_err(|error| self.broken(error))?;
        }
    }

    /// Reads cells from the `done`th on. Gives the number of the first that has an error of an unknown name and is not among
    /// the `strange` ones, none at the end.
    fn read_cells(
        &mut self,
        cells: &mut XlsxCellReader<'_, BufReader<File>>,
        done: u64,
        strange: &Strange,
    ) -> Result<Option<u64>, NormaliseError> {
        for at in 0.. {
            // Where a cell is, is told without looking at its value.
            let known = strange.get(&at);
            if at < done || known.is_some() {
                let Some(cell) = cells.next_formula().map_err(|error| self.broken(error))? else { break };
                let (row, column) = cell.get_position();
                if let Some(text) = known.filter(|_| at >= done) {
                    self.faulty(u64::from(row) + 1, column as usize, text)?;
                }
                continue;
            }
            let cell = match cells.next_cell() {
                Ok(Some(cell)) => cell,
                Ok(None) => break,
                Err(error) if strange_text(&error).is_some() => return Ok(Some(at)),
                Err(error) => return Err(self.broken(error)),
            };
            let (row, column) = cell.get_position();
            let value = cell.get_value();
            self.cell(u64::from(row) + 1, column as usize, value)?;
        }
        Ok(None)
    }

    fn read_whole<R>(&mut self, mut book: R) -> Result<(), NormaliseError>
    where
        R: calamine::Reader<BufReader<File>>,
        R::Error: Into<Fault>,
    {
        let name = self.choose(book.sheets_metadata())?;
        let range: Range<Data> = book.worksheet_range(&name).map_err(|error| self.broken(error))?;
        let (first_row, first_column) = range.start().unwrap_or((0, 0));
        for (row, column, value) in range.used_cells() {
            let row = u64::from(first_row) + row as u64 + 1;
            self.cell(row, first_column as usize + column, &as_ref(value))?;
        }
        Ok(())
    }

    /// Takes a cell in.
    fn cell(&mut self, row: u64, column: usize, value: &DataRef<'_>) -> Result<(), NormaliseError> {
        if let DataRef::Error(error) = value {
            return self.faulty(row, column, &error.to_string());
        }
        self.begin(row)?;
        let from = self.bytes.len();
        let slot = match write(value, &mut self.bytes) {
            Some(true) => Slot::Typed(from, self.bytes.len()),
            Some(false) => Slot::At(from, self.bytes.len()),
            None => return Ok(()),
        };
        self.put(column, slot);
        Ok(())
    }

    /// Takes a cell in whose formula came to an error.
    fn faulty(&mut self, row: u64, column: usize, error: &str) -> Result<(), NormaliseError> {
        self.begin(row)?;
        let from = self.bytes.len();
        self.bytes.extend_from_slice(error.as_bytes());
        self.errors += 1;
        self.put(column, Slot::Faulty(from, self.bytes.len(), reject::FORMULA));
        Ok(())
    }

    /// The row before ends when the next cell is of another one.
    fn begin(&mut self, row: u64) -> Result<(), NormaliseError> {
        if self.row != Some(row) {
            self.end_row()?;
            self.row = Some(row);
        }
        Ok(())
    }

    fn put(&mut self, column: usize, slot: Slot) {
        if self.slots.len() <= column {
            self.slots.resize(column + 1, Slot::Empty);
        }
        if let Some(place) = self.slots.get_mut(column) {
            *place = slot;
        }
    }

    fn end_row(&mut self) -> Result<(), NormaliseError> {
        let Some(number) = self.row.take() else { return Ok(()) };
        let layout = &self.spec.layout;
        let last = layout.header_row.max(1);
        if number <= last {
            let first = last + 1 - (self.lines.len() as u64).min(last);
            if let Some(at) = number.checked_sub(first) {
                let texts = self.slots.iter().map(|slot| match slot {
                    Slot::At(from, to) | Slot::Typed(from, to) | Slot::Faulty(from, to, _) => {
                        String::from_utf8_lossy(self.bytes.get(*from..*to).unwrap_or(&[])).into_owned()
                    }
                    _ => String::new(),
                });
                let texts = texts.collect();
                if let Some(line) = usize::try_from(at).ok().and_then(|at| self.lines.get_mut(at)) {
                    *line = texts;
                }
            }
        } else if !self.slots.is_empty() {
            let width = self.tell_header()?;
            let beyond = self.slots.len() > width;
            if !beyond {
                self.slots.resize(width, Slot::Empty);
            }
            let row = RawRow { number: 0, last_line: Some(number), bytes: &self.bytes, slots: &self.slots };
            let filled = self.slots.len();
            self.body.take(&row, &mut *self.rows, |row, rows| {
                // Line feeds in cells are no lines of a sheet.
                let feeds = memchr::memchr_iter(b'\n', row.bytes).count() as u64;
                let row = RawRow { last_line: row.last_line.map(|line| line + feeds), ..*row };
                if beyond {
                    let detail =
                        format!("La ligne a des cellules jusqu'à la colonne {filled}, l'en-tête en a {width}.");
                    rows.refuse(&row, reject::WIDTH, detail)
                } else {
                    rows.row(&row)
                }
            })?;
        }
        self.bytes.clear();
        self.slots.clear();
        Ok(())
    }

    /// Tells the header before the first row; gives the number of columns.
    fn tell_header(&mut self) -> Result<usize, NormaliseError> {
        if let Some(width) = self.width {
            return Ok(width);
        }
        if self.lines.last().is_none_or(Vec::is_empty) {
            return Err(NormaliseError::NoHeader {
                table: self.table.clone(),
                part: self.part.to_owned(),
                header_row: self.spec.layout.header_row,
            });
        }
        let whole = self.spread_merged();
        let header = grid::header(self.part, &self.lines, &whole);
        let width = header.names.len();
        self.rows.header(header)?;
        self.width = Some(width);
        Ok(width)
    }

    /// Writes the text of merged header cells into each cell that they cover. Tells of which lines no group reaches beyond
    /// its own cells: those in which some were merged.
    fn spread_merged(&mut self) -> Vec<bool> {
        let first = self.spec.layout.header_row.max(1).saturating_sub(self.lines.len() as u64);
        let count = self.lines.len();
        let mut whole = vec![false; count];
        for ((top, left), (bottom, right)) in std::mem::take(&mut self.merged) {
            let Some(at) = u64::from(top).checked_sub(first).and_then(|at| usize::try_from(at).ok()) else { continue };
            let (left, right) = (left as usize, right as usize);
            let Some(text) = self.lines.get(at).and_then(|line| line.get(left)).cloned() else { continue };
            if text.is_empty() {
                continue;
            }
            if let Some(whole) = whole.get_mut(at) {
                *whole |= left < right;
            }
            let rows_down = usize::try_from(bottom - top).unwrap_or(0);
            let last = at + rows_down;
            // A name that is merged down over all lines is the name of the column alone.
            let (from, to) = if last + 1 >= count && left == right { (last, last) } else { (at, at) };
            if from != at
                && let Some(place) = self.lines.get_mut(at).and_then(|line| line.get_mut(left))
            {
                place.clear();
            }
            for line in self.lines.iter_mut().take(to + 1).skip(from) {
                if line.len() <= right {
                    line.resize(right + 1, String::new());
                }
                line.iter_mut().take(right + 1).skip(left).for_each(|cell| cell.clone_from(&text));
            }
        }
        whole
    }

    fn finish(mut self) -> Result<u64, NormaliseError> {
        self.end_row()?;
        self.tell_header()?;
        if self.errors > 0 {
            let detail = format!("{} cellules portent une erreur de formule : elles n'ont pas de valeur.", self.errors);
            let remark = Remark { part: self.part.to_owned(), code: "cellules_en_erreur".to_owned(), detail };
            self.rows.remark(remark);
        }
        Ok(self.body.finish(self.rows))
    }
}

/// Cells whose errors have names that the library does not know (`#SPILL!`), by their number in the sheet.
type Strange = FxHashMap<u64, String>;

/// Finds all of them.
fn strange_cells(mut cells: XlsxCellReader<'_, BufReader<File>>) -> Result<Strange, XlsxError> {
    let mut strange = Strange::default();
    for at in 0.. {
        match cells.next_cell() {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                let Some(text) = strange_text(&error).map(str::to_owned) else { return Err(error) };
                strange.insert(at, text);
            }
        }
    }
    Ok(strange)
}

/// The text of a cell that the library cannot make sense of, and can go on after.
pub(super) fn strange_text(error: &XlsxError) -> Option<&str> {
    match error {
        XlsxError::CellError(text) | XlsxError::Unrecognized { typ: "boolean cell value", val: text } => Some(text),
        _ => None,
    }
}

/// A cell of a sheet that is held as a whole.
pub(super) fn as_ref(value: &Data) -> DataRef<'_> {
    match value {
        Data::Int(value) => DataRef::Int(*value),
        Data::Float(value) => DataRef::Float(*value),
        Data::String(text) => DataRef::SharedString(text),
        Data::Bool(value) => DataRef::Bool(*value),
        Data::DateTime(value) => DataRef::DateTime(*value),
        Data::DateTimeIso(text) => DataRef::DateTimeIso(text.clone()),
        Data::DurationIso(text) => DataRef::DurationIso(text.clone()),
        Data::Error(error) => DataRef::Error(error.clone()),
        Data::Empty => DataRef::Empty,
    }
}

/// Writes a cell; tells whether it has a type, and nothing for a cell without value.
pub(super) fn write(value: &DataRef<'_>, out: &mut Vec<u8>) -> Option<bool> {
    let written = match value {
        DataRef::Int(value) => write!(out, "{value}"),
        DataRef::Float(value) => write!(out, "{value}"),
        DataRef::Bool(value) => write!(out, "{value}"),
        DataRef::DateTime(value) => {
            moment(*value, out);
            return Some(!value.is_duration());
        }
        DataRef::DateTimeIso(text) => {
            out.extend_from_slice(text.strip_suffix("T00:00:00").unwrap_or(text).as_bytes());
            return Some(true);
        }
        DataRef::String(text) | DataRef::DurationIso(text) => return texted(text, out),
        DataRef::SharedString(text) => return texted(text, out),
        DataRef::Error(_) | DataRef::Empty => return None,
    };
    debug_assert!(written.is_ok(), "a buffer takes everything");
    Some(true)
}

fn texted(text: &str, out: &mut Vec<u8>) -> Option<bool> {
    out.extend_from_slice(text.as_bytes());
    (!text.is_empty()).then_some(false)
}

/// A date, or a date with its time, ISO 8601; a time alone and a duration as hours, minutes and seconds.
fn moment(value: ExcelDateTime, out: &mut Vec<u8>) {
    let (year, month, day, hour, minute, second, milli) = value.to_ymd_hms_milli();
    let serial = value.as_f64();
    let written = if value.is_duration() || serial < 1.0 {
        #[expect(clippy::cast_possible_truncation, reason = "hours of a cell are few")]
        let hours = (serial * 24.0 + 1e-9) as i64;
        write!(out, "{hours:02}:{minute:02}:{second:02}")
    } else if (hour, minute, second, milli) == (0, 0, 0, 0) {
        write!(out, "{year:04}-{month:02}-{day:02}")
    } else if milli == 0 {
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    } else {
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}")
    };
    debug_assert!(written.is_ok(), "a buffer takes everything");
}
