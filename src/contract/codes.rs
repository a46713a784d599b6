//! Code lists: the codes and labels of a closed question or column.
//!
//! A list is `seeds/codes/<name>.csv` with the columns `code,label,label_en,aliases`; aliases are joined by `|`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::contract::fold::fold;
use crate::diagnostic::{Problem, Problems, SourceFile};

/// One code of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The code, as published.
    pub code: String,
    /// French label.
    pub label: String,
    /// English label.
    pub label_en: String,
    /// Other spellings that sources use.
    pub aliases: Vec<String>,
}

/// Codes and labels of one closed question.
#[derive(Debug)]
pub struct CodeList {
    /// Name: the file's stem.
    pub name: String,
    /// In the order of the file, which is the order of publication.
    pub codes: Vec<Code>,
    by_fold: HashMap<String, u16>,
}

impl CodeList {
    /// Position of the code that a text means: a code, a label or an alias; case, accents and blanks do not matter.
    pub fn find(&self, text: &str) -> Option<u16> {
        self.by_fold.get(fold(text).as_str()).copied()
    }

    /// Position of an exact code.
    pub fn position(&self, code: &str) -> Option<u16> {
        self.codes.iter().position(|c| c.code == code).and_then(|at| u16::try_from(at).ok())
    }

    /// The code at a position.
    pub fn get(&self, at: u16) -> Option<&Code> {
        self.codes.get(usize::from(at))
    }

    /// All codes, as published.
    pub fn code_names(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().map(|code| code.code.as_str())
    }

    /// Reads a list; mistakes become problems, and a list that cannot be read at all has no codes.
    pub fn parse(name: &str, file: &Arc<SourceFile>, problems: &Problems) -> Option<Arc<Self>> {
        let records = read_records(&file.text);
        let mut list = Self { name: name.to_owned(), codes: Vec::new(), by_fold: HashMap::new() };
        let first = records.first().map(|(_, cells)| cells.iter().map(String::as_str).collect());
        let header: Vec<&str> = first.unwrap_or_default();
        let find = |wanted: &str| header.iter().position(|name| *name == wanted);
        let (Some(code_at), Some(label_at)) = (find("code"), find("label")) else {
            problems.push(
                Problem::at("codes::header", "a code list needs the columns `code` and `label`", file, 0..0, "header")
                    .help("first line: code,label,label_en,aliases"),
            );
            return Some(Arc::new(list));
        };
        if records.len() == 1 {
            problems.push(
                Problem::at("codes::empty", format!("the code list `{name}` has no code"), file, 0..0, "only a header")
                    .help(
                        "write a line for each code; leave `codes` out of the contract when the column is not closed",
                    ),
            );
        }
        let (english_at, aliases_at) = (find("label_en"), find("aliases"));
        for (offset, cells) in records.into_iter().skip(1) {
            let cell = |at: Option<usize>| at.and_then(|at| cells.get(at)).map_or("", |cell| cell.trim());
            let code = Code {
                code: cell(Some(code_at)).to_owned(),
                label: cell(Some(label_at)).to_owned(),
                label_en: cell(english_at).to_owned(),
                aliases: cell(aliases_at).split('|').filter(|alias| !alias.is_empty()).map(str::to_owned).collect(),
            };
            list.take(code, file, offset, problems);
        }
        Some(Arc::new(list))
    }

    fn take(&mut self, code: Code, file: &Arc<SourceFile>, offset: usize, problems: &Problems) {
        let end = file.text.get(offset..).and_then(|rest| rest.lines().next()).map_or(offset, |l| offset + l.len());
        let at = |message: String, label: &str| Problem::at("codes::ambiguous", message, file, offset..end, label);
        if code.code.is_empty() || code.label.is_empty() {
            problems.push(at("a code and its label may not be empty".into(), "this line").help("fill both cells"));
            return;
        }
        let Ok(position) = u16::try_from(self.codes.len()) else {
            problems.push(at("a code list holds at most 65,535 codes".into(), "this is one too many"));
            return;
        };
        let spellings = [&code.code, &code.label].into_iter().chain(&code.aliases);
        for spelling in spellings {
            let other = *self.by_fold.entry(fold(spelling)).or_insert(position);
            if other != position {
                let taken = &self.codes[usize::from(other)].code;
                problems.push(
                    at(format!("`{spelling}` already means `{taken}`"), "here again")
                        .help("case, accents and blanks do not tell spellings apart: remove it from one of the two"),
                );
            }
        }
        self.codes.push(code);
    }
}

/// Records of a small CSV text with the byte offset of each.
pub fn read_records(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut reader = csv_core::Reader::new();
    // A record ends with its line, the last one too.
    let ended = format!("{text}\n");
    let body = ended.strip_prefix('\u{feff}').unwrap_or(&ended);
    let (mut input, mut offset) = (body.as_bytes(), ended.len() - body.len());
    let mut records = Vec::new();
    let (mut bytes, mut ends) = (vec![0_u8; ended.len() + 1], vec![0_usize; 64]);
    loop {
        let (result, read, _, fields) = reader.read_record(input, &mut bytes, &mut ends);
        input = input.get(read..).unwrap_or(&[]);
        // The reader takes blank lines before a record with it.
        let blank =
            text.as_bytes().get(offset..).unwrap_or(&[]).iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let start = offset + blank;
        offset += read;
        match result {
            csv_core::ReadRecordResult::Record => {
                let mut from = 0;
                let cells = ends.iter().take(fields).map(|end| {
                    let cell = String::from_utf8_lossy(bytes.get(from..*end).unwrap_or(&[])).into_owned();
                    from = *end;
                    cell
                });
                let cells: Vec<String> = cells.collect();
                records.push((start, cells));
            }
            csv_core::ReadRecordResult::InputEmpty if !input.is_empty() => {}
            csv_core::ReadRecordResult::InputEmpty if read > 0 => {}
            _ => return records,
        }
    }
}
