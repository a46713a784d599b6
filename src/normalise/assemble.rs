//! From rows to chunks: each row is decoded, judged, and kept or rejected.

mod send;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::chunk::{BATCH_ROWS, ChunkSink, Reject, Remark, Summary};
use super::crs;
use super::decode::notes::Notes;
use super::decode::{ColumnDecoder, PlaceForm, PlaceText, RawText, Status};
use super::duplicates::{Duplicates, Verdict};
use super::error::NormaliseError;
use super::first::{First, Held};
use super::kept_raw;
use super::matching::Matcher;
use super::reject::{self, Rule};
use super::row::{Header, RawRow, Rows};
use super::shape::ColumnShape;
use super::shift::{Checked, Reading, Shifts};
use super::staged_schema;
use crate::config::pipeline::{Keep, Place, ReaderSpec, Secret, TableSpec};

/// Most entries of the lists of one chunk.
const LISTED: usize = 8192;
/// Most bytes of texts in one batch, or of rejects in one chunk.
const BYTES: usize = 32 << 20;
/// Between the values of a key of several columns; texts hold no control characters.
const KEY_SEPARATOR: char = '\u{1f}';

/// Makes the chunks of one table.
pub(super) struct Assembler<'a> {
    table: &'a TableSpec,
    sink: &'a mut dyn ChunkSink,
    schema: SchemaRef,
    header: Header,
    columns: Vec<ColumnDecoder>,
    /// Columns in the order in which they are filled: those that take free text of others come last.
    order: Vec<usize>,
    /// Free text for a column, from the option `autre` of another.
    extras: Vec<String>,
    places: Vec<PlaceText>,
    /// Finds the rows of another table.
    matcher: Option<Matcher>,
    /// What it found for the row at hand.
    found: Option<u32>,
    /// Cells that rows keep as they are.
    raw: Vec<RawText>,
    rules: Vec<Rule>,
    /// Columns of the primary key; empty when a later step makes the key.
    key_columns: Vec<usize>,
    required: Vec<usize>,
    /// Whether a column takes the free text of another.
    shares_text: bool,
    key: String,
    statuses: Vec<Status>,
    numbers: Vec<u64>,
    /// Lines at which the rows start; 0 where the source has none.
    lines: Vec<u64>,
    /// Bytes of the rows of this batch: more than their texts take, or what those were found to take.
    row_bytes: usize,
    duplicates: Duplicates,
    notes: Notes,
    rejects: Vec<Reject>,
    reject_bytes: usize,
    /// Rows that were in batches.
    staged: u64,
    summary: Summary,
    /// Part about whose coordinate system a remark was made.
    crs_of: Option<String>,
    /// What in the row at hand does not fit what was promised of it.
    unfit: Vec<Checked>,
    /// The first rows of a part, until enough are there.
    first: First,
    shifts: Shifts,
    /// What the header at hand lacks; a header that grows may still get it.
    lacks: Lacks,
}

/// Why a row must go: reason, explanation, and the column that decided.
type Why = (String, String, Option<String>);

/// What a header lacks.
#[derive(Debug, Default)]
struct Lacks {
    /// Mapped columns whose cells are then not shown.
    absent: Vec<Vec<String>>,
    /// A column without which no row can be judged.
    needed: Option<NormaliseError>,
}

impl<'a> Assembler<'a> {
    /// An empty table.
    pub(super) fn new(
        table: &'a TableSpec,
        key: &Secret,
        matcher: Option<Matcher>,
        sink: &'a mut dyn ChunkSink,
    ) -> Self {
        let contract = &table.contract;
        let entities = matches!(table.reader, ReaderSpec::YesWiki(_));
        let columns: Vec<ColumnDecoder> = contract
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let mapping = table.mappings.iter().find(|mapping| mapping.column == at);
                let secret = (key, table.name.as_str());
                ColumnDecoder::new(column, mapping, &contract.missing_values, entities, secret)
            })
            .collect();
        let fed = |at: usize| columns.iter().any(|column| column.other == Some(at));
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|at| fed(*at));
        let position = |name: &String| contract.columns.iter().position(|column| column.name == *name);
        let mapped = |at: &usize| table.mappings.iter().any(|mapping| mapping.column == *at);
        let key_columns: Vec<usize> = contract.primary_key.iter().filter_map(position).collect();
        let key_columns = if key_columns.iter().all(mapped) { key_columns } else { Vec::new() };
        Self {
            schema: staged_schema(table),
            header: Header::new("", Vec::new(), false),
            extras: vec![String::new(); columns.len()],
            statuses: vec![Status::NotShown; columns.len()],
            order,
            places: table.place.as_ref().map_or_else(Vec::new, |place| place_texts(place, &contract.missing_values)),
            raw: kept_raw(table).iter().map(|(_, source)| RawText::new(source)).collect(),
            matcher,
            found: None,
            rules: table.rejects.iter().map(Rule::new).collect(),
            key_columns,
            required: (0..columns.len()).filter(|at| columns[*at].required).collect(),
            shares_text: columns.iter().any(|column| column.other.is_some()),
            key: String::new(),
            columns,
            numbers: Vec::new(),
            lines: Vec::new(),
            row_bytes: 0,
            duplicates: if matches!(table.keep, Keep::Oldest(_)) { Duplicates::least() } else { Duplicates::default() },
            notes: Notes::default(),
            rejects: Vec::new(),
            reject_bytes: 0,
            staged: 0,
            crs_of: None,
            unfit: Vec::new(),
            first: First::none(),
            shifts: Shifts::default(),
            summary: Summary { shapes: contract.columns.iter().map(ColumnShape::new).collect(), ..Summary::default() },
            lacks: Lacks::default(),
            table,
            sink,
        }
    }

    /// Hands on what is left, and tells what became of all rows.
    pub(super) fn finish(mut self) -> Result<Summary, NormaliseError> {
        self.begin()?;
        self.settle_header()?;
        for (row, winner) in self.duplicates.displaced() {
            let older = if matches!(self.table.keep, Keep::Oldest(_)) { "ancienne" } else { "récente" };
            let detail = format!("Même clé que la ligne {winner}, plus {older}, qui est gardée.");
            let reason = self.table.duplicate_reason().to_owned();
            self.take_reject(Reject { row, line: None, reason, column: None, detail, raw: Vec::new() });
            self.summary.duplicates.push(row);
        }
        self.send(true)?;
        let duplicates = self.summary.duplicates.len() as u64;
        let mut summary = self.summary;
        summary.kept = self.staged - duplicates;
        summary.rejected = summary.by_reason.values().sum();
        if summary.read == summary.kept + summary.rejected {
            Ok(summary)
        } else {
            let table = self.table.name.clone();
            Err(NormaliseError::Count { table, read: summary.read, kept: summary.kept, rejected: summary.rejected })
        }
    }

    fn take_reject(&mut self, reject: Reject) {
        self.reject_bytes += reject::weight(&reject);
        *self.summary.by_reason.entry(reject.reason.clone()).or_default() += 1;
        self.rejects.push(reject);
    }

    /// Decodes a row into all columns.
    fn decode(&mut self, row: &RawRow<'_>) {
        self.unfit.clear();
        if self.shares_text {
            self.extras.iter_mut().for_each(String::clear);
        }
        for &at in &self.order {
            let Some(column) = self.columns.get_mut(at) else { continue };
            let extra = std::mem::take(&mut self.extras[at]);
            let free = column.other.and_then(|other| self.extras.get_mut(other));
            let listed = self.notes.unfit.len();
            let status = column.push(row, &extra, free, &mut self.notes);
            self.summary.shapes[at].take(status, self.notes.unfit.get(listed..).unwrap_or(&[]));
            if !extra.is_empty() {
                // Keep the room that the text had.
                self.extras[at] = extra;
                self.extras[at].clear();
            }
            // What cannot be read at all says nothing about where it stands.
            let hints = status == Status::Unknown && !column.was_faulty();
            if hints && column.is_checked() {
                self.unfit.push(Checked::Column(at));
            }
            self.statuses[at] = status;
        }
        for (at, place) in self.places.iter_mut().enumerate() {
            place.push(row);
            if self.header.positional && place.is_checked() && place.would_be(row) == Status::Unknown {
                self.unfit.push(Checked::Place(at));
            }
        }
    }

    /// Why the row that was just decoded must go; none when it stays.
    fn judge(&mut self, row: &RawRow<'_>) -> Option<Why> {
        if self.header.positional && !self.unfit.is_empty() {
            let made: usize = self.table.derived.iter().map(|derived| derived.names().len()).sum();
            let width = row.slots.len().saturating_sub(made);
            let (columns, places, len) = (self.columns.as_mut_slice(), self.places.as_slice(), self.numbers.len() + 1);
            let mut reading = Reading { columns, places, len, width };
            if let Some(detail) = self.shifts.told(&mut reading, &self.unfit, row) {
                return Some((reject::SHIFTED.to_owned(), detail, None));
            }
        }
        if let Some(why) = self.ruled_out(row) {
            return Some(why);
        }
        for &at in &self.key_columns {
            if self.statuses[at] != Status::Answered {
                return Some(self.why(reject::KEY, "La clé", at));
            }
        }
        if let Some(&at) = self.required.iter().find(|at| self.statuses[**at] != Status::Answered) {
            return Some(self.why(reject::REQUIRED, "La colonne requise", at));
        }
        if let Some(matcher) = &mut self.matcher {
            self.found = matcher.find(row);
            if let Some(reason) = matcher.reason.as_ref().filter(|_| self.found.is_none()) {
                let other = self.table.matched.as_ref().map_or("", |matched| matched.table.as_str());
                let detail = format!("Aucune ligne de `{other}` ne correspond à celle-ci.");
                return Some((reason.clone(), detail, None));
            }
        }
        self.key.clear();
        for (nth, &at) in self.key_columns.iter().enumerate() {
            if nth > 0 {
                self.key.push(KEY_SEPARATOR);
            }
            self.columns[at].write_last(&mut self.key);
        }
        self.rival(row.number)
    }

    /// Why a declared rule takes the row out: the first that does.
    fn ruled_out(&mut self, row: &RawRow<'_>) -> Option<Why> {
        let statuses = &self.statuses;
        let at = self.rules.iter_mut().position(|rule| match rule.unread {
            Some(at) => statuses.get(at) != Some(&Status::Answered),
            None => rule.rejects(row, &self.header),
        })?;
        let rule = &self.rules[at];
        Some(match rule.unread {
            Some(at) => self.why(&rule.reason, "La colonne", at),
            None => (rule.reason.clone(), rule.detail(row), Some(rule.column[0].clone())),
        })
    }

    /// Whether an earlier row with the same key stays in this one's place.
    fn rival(&mut self, row: u64) -> Option<Why> {
        if self.key_columns.is_empty() {
            return None;
        }
        let rank = match self.table.keep {
            Keep::First => None,
            Keep::Newest(by) | Keep::Oldest(by) => self.columns.get(by).map(ColumnDecoder::rank),
        };
        let Verdict::Loses(other) = self.duplicates.take(&self.key, row, rank) else { return None };
        let stays = match self.table.keep {
            Keep::First => "qui est gardée",
            Keep::Newest(_) => "qui n'est pas plus ancienne",
            Keep::Oldest(_) => "qui n'est pas plus récente",
        };
        Some((self.table.duplicate_reason().to_owned(), format!("Même clé que la ligne {other}, {stays}."), None))
    }

    /// Says why a cell has no value.
    fn why(&self, reason: &str, what: &str, at: usize) -> Why {
        let name = &self.columns[at].name;
        let detail = match self.statuses[at] {
            Status::Masked => format!("{what} `{name}` est masquée par la source."),
            Status::NotShown => format!("{what} `{name}` n'est pas dans la source pour cette ligne."),
            Status::Unknown => {
                let cell = self.notes.of_row().iter().find(|cell| cell.column == *name);
                let (value, reason) = cell.map_or(("", ""), |cell| (&cell.value, &cell.reason));
                format!("{what} `{name}` ne se lit pas : « {value} » ({reason}).")
            }
            Status::Empty | Status::Answered => format!("{what} `{name}` est vide."),
        };
        (reason.to_owned(), detail, Some(name.clone()))
    }

    fn cut_back(&mut self) {
        let len = self.numbers.len();
        for column in &mut self.columns {
            column.truncate(len);
        }
        for place in &mut self.places {
            place.truncate(len);
        }
        self.notes.drop_row();
    }

    /// Hands a chunk on when enough has come together.
    fn send_when_due(&mut self) -> Result<(), NormaliseError> {
        let listed = self.rejects.len() + self.notes.unfit.len() + self.notes.corrections.len();
        let due = self.numbers.len() >= BATCH_ROWS || self.is_long();
        if due || listed >= LISTED || self.reject_bytes >= BYTES { self.send(due) } else { Ok(()) }
    }

    /// Whether the texts of this batch have grown too long; they are only summed up when the rows were.
    fn is_long(&mut self) -> bool {
        if self.row_bytes >= BYTES {
            self.row_bytes = self.text_bytes();
        }
        self.row_bytes >= BYTES
    }

    /// Names of source columns that are asked for.
    fn wanted(&self) -> impl Iterator<Item = &[String]> {
        let columns = self.columns.iter().map(ColumnDecoder::wanted);
        let places = self.places.iter().map(|place| place.wanted.as_slice());
        let matched = self.matcher.iter().flat_map(Matcher::wanted);
        let raw = self.raw.iter().map(RawText::wanted);
        columns.chain(places).chain(matched).chain(raw).chain(self.rules.iter().map(Rule::wanted))
    }

    /// Notes what the header of the part that ends did not get.
    fn settle_header(&mut self) -> Result<(), NormaliseError> {
        let Lacks { absent, needed } = std::mem::take(&mut self.lacks);
        // A part with nothing in it lacks nothing: it has no rows, and that is told by their number.
        if self.header.names.is_empty() {
            return Ok(());
        }
        for names in absent.iter().map(|wanted| wanted.join(" | ")) {
            if !self.summary.columns_missing.contains(&names) {
                self.summary.columns_missing.push(names);
            }
        }
        needed.map_or(Ok(()), Err)
    }
}

impl Rows for Assembler<'_> {
    fn header(&mut self, header: Header) -> Result<(), NormaliseError> {
        self.begin()?;
        if header.part != self.header.part {
            self.settle_header()?;
        }
        let missing = |wanted: &[String], needed_for: &'static str| {
            NormaliseError::missing_column(&self.table.name, &header.part, wanted, needed_for, &header.names)
        };
        header.refuse_ambiguous(&self.table.name, self.wanted().flatten())?;
        let others = self.columns.iter().flat_map(ColumnDecoder::wanted_beside);
        header.refuse_ambiguous(&self.table.name, others)?;
        if self.crs_of.as_ref() != Some(&header.part)
            && let Some(remark) = crs::check(self.table, &header)?
        {
            self.crs_of = Some(header.part.clone());
            self.summary.remarks.push(remark);
        }
        let mut lacks = Lacks::default();
        let fed: Vec<usize> = self.columns.iter().filter_map(|column| column.other).collect();
        for (at, column) in self.columns.iter_mut().enumerate() {
            if column.bind(&header) {
                continue;
            }
            // Free text of another column is enough.
            if fed.contains(&at) {
                continue;
            }
            if self.key_columns.contains(&at) {
                lacks.needed.get_or_insert_with(|| missing(column.wanted(), "the primary key is made of"));
            }
            lacks.absent.push(column.wanted().to_vec());
        }
        for rule in &mut self.rules {
            if !rule.bind(&header) && !rule.optional {
                lacks.needed.get_or_insert_with(|| missing(rule.wanted(), "a rule that takes rows out looks at"));
            }
        }
        for place in &mut self.places {
            if !place.bind(&header) {
                lacks.absent.push(place.wanted.clone());
            }
        }
        lacks.absent.extend(self.matcher.iter_mut().flat_map(|matcher| matcher.bind(&header)));
        self.raw.iter_mut().for_each(|raw| raw.bind(&header));
        self.lacks = lacks;
        self.first = if header.positional { First::default() } else { First::none() };
        self.header = header;
        if self.header.grows { Ok(()) } else { self.settle_header() }
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        if self.first.is_over() {
            return self.take(row);
        }
        if self.first.hold(row, None) { self.begin() } else { Ok(()) }
    }

    fn refuse(&mut self, row: &RawRow<'_>, reason: &str, detail: String) -> Result<(), NormaliseError> {
        if self.first.is_over() {
            return self.take_refused(row, reason, detail);
        }
        if self.first.hold(row, Some((reason, detail))) { self.begin() } else { Ok(()) }
    }

    fn remark(&mut self, remark: Remark) {
        self.summary.remarks.push(remark);
    }

    fn ignore(&mut self, members: u64) {
        self.summary.ignored += members;
    }
}

impl Assembler<'_> {
    /// Takes the rows in that waited.
    fn begin(&mut self) -> Result<(), NormaliseError> {
        if self.first.is_over() {
            return Ok(());
        }
        let first: Arc<[Held]> = self.first.end().into();
        self.shifts.begin(Arc::clone(&first));
        for held in first.iter() {
            match held {
                Held::Row(row) => self.take(&row.borrow())?,
                Held::Refused(row, reason, detail) => self.take_refused(&row.borrow(), reason, detail.clone())?,
            }
        }
        Ok(())
    }

    /// Keeps a row or rejects it.
    fn take(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        if self.header.positional && row.slots.len() != self.header.names.len() {
            let (found, expected) = (row.slots.len(), self.header.names.len());
            let detail = format!("La ligne a {found} cellules, l'en-tête en a {expected}.");
            return self.take_refused(row, reject::WIDTH, detail);
        }
        self.summary.read += 1;
        self.notes.begin(row.number);
        self.decode(row);
        if let Some((reason, detail, column)) = self.judge(row) {
            self.cut_back();
            let reject = reject::reject(row, &self.header, &reason, detail, column);
            self.take_reject(reject);
        } else {
            let line = row.line();
            self.numbers.push(row.number);
            self.lines.push(line.unwrap_or(0));
            self.raw.iter_mut().for_each(|raw| raw.push(row));
            if let Some(matcher) = &mut self.matcher {
                matcher.push(self.found);
            }
            self.row_bytes += row.bytes.len();
            if !self.notes.is_clean() {
                self.notes.keep(&self.key.replace(KEY_SEPARATOR, " | "), line);
            }
        }
        self.send_when_due()
    }

    fn take_refused(&mut self, row: &RawRow<'_>, reason: &str, detail: String) -> Result<(), NormaliseError> {
        self.summary.read += 1;
        let reject = reject::reject(row, &self.header, reason, detail, None);
        self.take_reject(reject);
        self.send_when_due()
    }
}

/// The texts that say where a row is, in the order of [`PLACE_TEXTS`](super::PLACE_TEXTS).
fn place_texts(place: &Place, missing: &[String]) -> Vec<PlaceText> {
    let Place { code_insee, code_postal, commune, departement, region, longitude, latitude, crs: _, geocode: _ } =
        place;
    let code = [(code_insee, PlaceForm::Insee), (code_postal, PlaceForm::Postal)];
    let names = [commune, departement, region].map(|wanted| (wanted, PlaceForm::Any));
    let point = [longitude, latitude].map(|wanted| (wanted, PlaceForm::Number));
    let all = code.into_iter().chain(names).chain(point);
    all.map(|(wanted, form)| PlaceText::new(wanted, form, missing)).collect()
}
