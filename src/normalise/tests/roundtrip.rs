//! The same table, written in different ways, reads back the same.

use std::io::Cursor;

use proptest::prelude::*;
use rust_xlsxwriter::Workbook;

use super::{Collected, NULL, keyed_table};
use crate::config::pipeline::{
    CsvSpec, JsonSpec, Mapping, OptionColumns, ReaderSpec, Secret, SheetSpec, TableSpec, Ticks,
};
use crate::normalise::{Normaliser, Part};

const OPTIONS: [(&str, &str); 5] = [
    ("conseil", "Conseil"),
    ("formation", "Formation, ateliers"),
    ("reseau", "Mise en réseau"),
    ("ailleurs", "Accompagnement ailleurs que dans nos murs"),
    ("autre", "Autre"),
];

/// One answer: a text, a number, a date and the ticked options.
#[derive(Debug, Clone)]
struct Answer {
    text: String,
    number: i32,
    day: (i32, u32, u32),
    ticked: Vec<usize>,
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let text = "[a-zéèà;,\"'|\\[ ]{0,12}[a-z]".prop_map(|text| text.trim().to_owned());
    let day = (2000..2030, 1_u32..=12, 1_u32..=28);
    let ticked = proptest::sample::subsequence((0..OPTIONS.len()).collect::<Vec<_>>(), 0..=OPTIONS.len());
    let answer = (text, -9999..9999_i32, day, ticked).prop_map(|(text, number, day, ticked)| Answer {
        text,
        number,
        day,
        ticked,
    });
    proptest::collection::vec(answer, 1..12)
}

fn table(reader: ReaderSpec, multi: Mapping) -> TableSpec {
    let lines = OPTIONS.map(|(code, label)| format!("{code},\"{label}\",,\n")).concat();
    let fields = "{\"name\": \"texte\", \"type\": \"string\"}, {\"name\": \"nombre\", \"type\": \"integer\"}, \
                  {\"name\": \"jour\", \"type\": \"date\"}, \
                  {\"name\": \"options\", \"type\": \"list\", \"essaim\": {\"codes\": \"l\", \"multi\": true}}";
    let mut table = keyed_table(fields, &[("l", lines.as_str())]);
    table.reader = reader;
    let at = table.contract.columns.iter().position(|column| column.name == "options").unwrap();
    table.mappings[at] = Mapping { column: at, ..multi };
    table
}

fn read(table: &TableSpec, bytes: Vec<u8>) -> Vec<Vec<String>> {
    let mut out = Collected::default();
    let part: Part = ("p".to_owned(), Box::new(Cursor::new(bytes)));
    let summary = Normaliser::new(table, &Secret::new("k")).run(vec![part], &mut out).unwrap();
    assert_eq!(summary.rejected, 0, "{:?}", out.chunks);
    ["id", "texte", "nombre", "jour", "options"].map(|name| out.column(name)).into()
}

fn expected(answers: &[Answer]) -> Vec<Vec<String>> {
    let or_null = |text: String| if text.is_empty() { NULL.to_owned() } else { text };
    let options = |answer: &Answer| answer.ticked.iter().map(|at| OPTIONS[*at].0).collect::<Vec<_>>().join("|");
    vec![
        (1..=answers.len()).map(|id| id.to_string()).collect(),
        answers.iter().map(|answer| or_null(answer.text.clone())).collect(),
        answers.iter().map(|answer| answer.number.to_string()).collect(),
        answers.iter().map(|Answer { day: (y, m, d), .. }| format!("{y:04}-{m:02}-{d:02}")).collect(),
        answers.iter().map(|answer| or_null(options(answer))).collect(),
    ]
}

/// How the ticked options are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Keys(char),
    Labels,
    Cut,
    JsonList,
    Grist,
    Postgres,
    Columns(&'static str, &'static str),
    LabelColumns,
}

const CODINGS: [Coding; 12] = [
    Coding::Keys(';'),
    Coding::Keys('|'),
    Coding::Keys(','),
    Coding::Keys(' '),
    Coding::Labels,
    Coding::Cut,
    Coding::JsonList,
    Coding::Grist,
    Coding::Postgres,
    Coding::Columns("Oui", "Non"),
    Coding::Columns("X", ""),
    Coding::LabelColumns,
];

impl Coding {
    /// Columns of the options, with the cells of an answer.
    fn cells(self, answer: &Answer) -> Vec<(String, String)> {
        let codes: Vec<&str> = answer.ticked.iter().map(|at| OPTIONS[*at].0).collect();
        let labels: Vec<&str> = answer.ticked.iter().map(|at| OPTIONS[*at].1).collect();
        let one = |text: String| vec![("options".to_owned(), text)];
        let columns = |cell: &dyn Fn(usize) -> String| {
            (0..OPTIONS.len()).map(|at| (format!("Question [{}]", OPTIONS[at].1), cell(at))).collect()
        };
        match self {
            Self::Keys(separator) => one(codes.join(&separator.to_string())),
            Self::Labels => one(labels.join(", ")),
            Self::Cut => {
                let cut = |label: &&str| label.replace(' ', "_").replace(',', "").chars().take(20).collect::<String>();
                one(labels.iter().map(cut).collect::<Vec<_>>().join(","))
            }
            Self::JsonList => one(serde_json::to_string(&codes).unwrap()),
            Self::Grist => one(serde_json::to_string(&[&["L"], codes.as_slice()].concat()).unwrap()),
            Self::Postgres => {
                one(format!("{{{}}}", labels.iter().map(|l| format!("\"{l}\"")).collect::<Vec<_>>().join(",")))
            }
            Self::Columns(yes, no) => columns(&|at| if answer.ticked.contains(&at) { yes } else { no }.to_owned()),
            Self::LabelColumns => {
                columns(&|at| if answer.ticked.contains(&at) { OPTIONS[at].1 } else { "" }.to_owned())
            }
        }
    }

    fn mapping(self) -> Mapping {
        let from = vec!["options".to_owned()];
        match self {
            Self::Keys(separator) => Mapping { from, separator: Some(separator.to_string()), ..Mapping::default() },
            Self::Labels => Mapping { from, separator: Some(", ".to_owned()), labels: true, ..Mapping::default() },
            Self::Cut => Mapping { from, separator: Some(",".to_owned()), cut_at: Some(20), ..Mapping::default() },
            Self::JsonList | Self::Grist | Self::Postgres => {
                Mapping { from, separator: Some("|".to_owned()), ..Mapping::default() }
            }
            Self::Columns(..) | Self::LabelColumns => {
                let columns = OptionColumns::Pattern("Question [*]".to_owned());
                let ticks = Ticks { columns, ticked: Vec::new(), unticked: Vec::new() };
                Mapping { ticks: Some(ticks), ..Mapping::default() }
            }
        }
    }
}

/// The whole table as texts, the header first.
fn grid(answers: &[Answer], coding: Coding) -> Vec<Vec<String>> {
    let mut grid = Vec::new();
    for (nth, answer) in answers.iter().enumerate() {
        let cells = coding.cells(answer);
        if nth == 0 {
            let own = ["id", "texte", "nombre", "jour"].map(str::to_owned);
            grid.push(own.into_iter().chain(cells.iter().map(|(name, _)| name.clone())).collect());
        }
        let (y, m, d) = answer.day;
        let own =
            [(nth + 1).to_string(), answer.text.clone(), answer.number.to_string(), format!("{y:04}-{m:02}-{d:02}")];
        grid.push(own.into_iter().chain(cells.into_iter().map(|(_, cell)| cell)).collect());
    }
    grid
}

fn csv_bytes(grid: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in grid {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

fn json_lines(grid: &[Vec<String>]) -> Vec<u8> {
    let (header, rows) = grid.split_first().unwrap();
    let line = |row: &Vec<String>| {
        let cells = header.iter().zip(row).map(|(name, cell)| {
            let value = match (name.as_str(), cell.parse::<i64>()) {
                ("nombre", Ok(number)) => number.into(),
                ("options", _) if cell.starts_with('[') => serde_json::from_str(cell).unwrap(),
                _ => serde_json::Value::String(cell.clone()),
            };
            (name.clone(), value)
        });
        format!("{}\n", serde_json::Value::Object(cells.collect()))
    };
    rows.iter().map(line).collect::<String>().into_bytes()
}

fn xlsx(grid: &[Vec<String>]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in (0..).zip(grid) {
        for (column, cell) in (0..).zip(cells) {
            match (row > 0 && column == 2, cell.parse::<f64>()) {
                (true, Ok(number)) => sheet.write_number(row, column, number).unwrap(),
                _ => sheet.write_string(row, column, cell.as_str()).unwrap(),
            };
        }
    }
    book.save_to_buffer().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_table_in_any_coding_reads_back_the_same(answers in answers(), coding in proptest::sample::select(&CODINGS[..])) {
        let grid = grid(&answers, coding);
        let expected = expected(&answers);
        let csv = table(ReaderSpec::Csv(CsvSpec::default()), coding.mapping());
        prop_assert_eq!(&read(&csv, csv_bytes(&grid)), &expected, "CSV, {:?}", coding);
        let lines = table(ReaderSpec::Json(JsonSpec { rows: Vec::new(), lines: true, ..JsonSpec::default() }), coding.mapping());
        prop_assert_eq!(&read(&lines, json_lines(&grid)), &expected, "JSON lines, {:?}", coding);
        let sheet = table(ReaderSpec::Sheet(SheetSpec::default()), coding.mapping());
        prop_assert_eq!(&read(&sheet, xlsx(&grid)), &expected, "XLSX, {:?}", coding);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), zip in any::<bool>()) {
        let bytes = if zip { [b"PK\x03\x04".as_slice(), &bytes].concat() } else { bytes };
        let readers = [
            ReaderSpec::Csv(CsvSpec { encoding: crate::config::pipeline::Encoding::Detect, ..CsvSpec::default() }),
            ReaderSpec::Json(JsonSpec::default()),
            ReaderSpec::Json(JsonSpec { rows: vec!["a".to_owned()], lines: true, ..JsonSpec::default() }),
            ReaderSpec::GeoJson,
            ReaderSpec::Sheet(SheetSpec::default()),
            ReaderSpec::Parquet,
        ];
        for reader in readers {
            let table = table(reader, Coding::Labels.mapping());
            let part: Part = ("p".to_owned(), Box::new(Cursor::new(bytes.clone())));
            let outcome = Normaliser::new(&table, &Secret::new("k")).run(vec![part], &mut Collected::default());
            prop_assert!(outcome.is_err() || outcome.is_ok_and(|summary| summary.read == summary.kept + summary.rejected));
        }
    }
}
