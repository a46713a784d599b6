//! Readers: what a part is and where its rows are.

use crate::config::pipeline::{CsvSpec, Encoding, JsonSpec, Layout, ReaderSpec, SheetSpec, YesWikiSpec};
use crate::diagnostic::document::Fields;
use crate::diagnostic::{Problems, Spanned};
use crate::id::TableName;

/// Names of the readers.
const READERS: [&str; 7] = ["csv", "json", "geojson", "sheet", "parquet", "yeswiki", "limesurvey"];

/// The one reader of a table.
pub(super) fn reader(
    table: &TableName,
    name: &Spanned<String>,
    fields: &Fields<'_>,
    problems: &Problems,
) -> Option<ReaderSpec> {
    let mut readers: Vec<Option<ReaderSpec>> = Vec::new();
    readers.extend(fields.table("csv").map(|csv| csv_spec(csv, problems).map(ReaderSpec::Csv)));
    readers.extend(fields.table("json").map(|json| Some(ReaderSpec::Json(json_spec(json, problems)))));
    readers.extend(fields.table("geojson").map(|geojson| {
        geojson.finish();
        Some(ReaderSpec::GeoJson)
    }));
    readers.extend(fields.table("sheet").map(|sheet| sheet_spec(sheet, problems).map(ReaderSpec::Sheet)));
    readers.extend(fields.table("parquet").map(|parquet| {
        parquet.finish();
        Some(ReaderSpec::Parquet)
    }));
    readers.extend(fields.table("limesurvey").map(|fields| {
        let attachments = fields.texts("attachments").into_iter().map(|text| text.value).collect();
        fields.finish();
        Some(ReaderSpec::Json(JsonSpec::lime_survey(attachments)))
    }));
    readers.extend(fields.table("yeswiki").map(|yeswiki| yeswiki_spec(yeswiki).map(ReaderSpec::YesWiki)));
    if readers.len() == 1 {
        return readers.pop().flatten();
    }
    problems.push(
        name.problem("pipeline::reader", format!("table `{table}` needs exactly one reader"), "this table")
            .help(format!("write one of {}", READERS.map(|reader| format!("[table.{table}.{reader}]")).join(", "))),
    );
    None
}

fn csv_spec(fields: Fields<'_>, problems: &Problems) -> Option<CsvSpec> {
    let byte = |key, default: u8| match fields.text(key) {
        None => Some(default),
        Some(text) => match text.value.as_bytes() {
            [byte] => Some(*byte),
            _ => {
                problems.push(
                    text.problem("pipeline::csv", format!("`{key}` is one ASCII character"), "this text")
                        .help("write \",\", \";\", \"|\" or \"\\t\""),
                );
                None
            }
        },
    };
    let (delimiter, quote) = (byte("delimiter", b','), byte("quote", b'"'));
    let encoding = fields.text("encoding");
    let layout = layout(&fields, problems);
    fields.finish();
    let encoding = match encoding.as_ref().map(|text| (text, text.value.to_ascii_lowercase())) {
        None => Encoding::Utf8,
        Some((_, name)) if matches!(name.as_str(), "utf-8" | "utf8") => Encoding::Utf8,
        Some((_, name)) if matches!(name.as_str(), "windows-1252" | "cp1252" | "latin-1" | "iso-8859-1") => {
            Encoding::Windows1252
        }
        Some((_, name)) if matches!(name.as_str(), "utf-16" | "utf16" | "utf-16le" | "utf-16be") => Encoding::Utf16,
        Some((_, name)) if name == "detect" => Encoding::Detect,
        Some((text, name)) => {
            problems.push(
                text.problem("pipeline::encoding", format!("`{name}` is not an encoding known here"), "unknown")
                    .suggest(&name, ["utf-8", "windows-1252", "utf-16", "detect"]),
            );
            return None;
        }
    };
    Some(CsvSpec { delimiter: delimiter?, quote: quote?, encoding, layout: layout? })
}

fn json_spec(fields: Fields<'_>, problems: &Problems) -> JsonSpec {
    let (path, lines) = (fields.text("rows"), fields.flag("lines").unwrap_or(false));
    let attachments = fields.texts("attachments").into_iter().map(|text| text.value).collect();
    fields.finish();
    if let Some(path) = path.as_ref().filter(|_| lines) {
        problems.push(
            path.problem("pipeline::json", "in JSON lines each line is a row: there is no path to them", "to where?")
                .help("remove `rows`, or `lines` when the document is one object that holds a list"),
        );
    }
    let rows = path.map(|path| path.value).unwrap_or_default();
    let rows = rows.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    JsonSpec { rows, lines, attachments, ..JsonSpec::default() }
}

fn sheet_spec(fields: Fields<'_>, problems: &Problems) -> Option<SheetSpec> {
    let sheet = fields.text("sheet").map(|text| text.value);
    let layout = layout(&fields, problems);
    fields.finish();
    Some(SheetSpec { sheet, layout: layout? })
}

/// Where header and rows are.
fn layout(fields: &Fields<'_>, problems: &Problems) -> Option<Layout> {
    let count = |key: &'static str| match fields.integer(key) {
        None => Some((None, 1)),
        Some(typed) => match u64::try_from(typed.value) {
            Ok(number) if number >= 1 => Some((Some(typed), number)),
            _ => {
                let problem = typed.problem("pipeline::layout", "rows count from 1", "this number");
                problems.push(problem.help("write 1 or more"));
                None
            }
        },
    };
    let (header_row, header_rows) = (count("header_row"), count("header_rows"));
    let footer = fields.text("footer").map(|text| text.value);
    let ((last_typed, last), (typed, header_rows)) = (header_row?, header_rows?);
    // Without a row of its own the header is the first lines.
    let header_row = if last_typed.is_none() { last.max(header_rows) } else { last };
    if let Some(typed) = typed.filter(|_| header_rows > header_row) {
        problems.push(
            typed
                .problem("pipeline::layout", format!("the header ends at row {header_row}"), "more lines than that")
                .help("`header_row` is the header's last line"),
        );
    }
    Some(Layout { header_row, header_rows, footer })
}

fn yeswiki_spec(fields: Fields<'_>) -> Option<YesWikiSpec> {
    let form_id = fields.required_text("form_id");
    let part = |key: &'static str| fields.text(key).map_or_else(|| key.to_owned(), |text| text.value);
    let spec = YesWikiSpec {
        form_id: String::new(),
        form: part("form"),
        lists: fields.text("lists").map(|text| text.value),
        entries: part("entries"),
        admin: fields.flag("admin").unwrap_or(false),
    };
    fields.finish();
    Some(YesWikiSpec { form_id: form_id?.value, ..spec })
}
