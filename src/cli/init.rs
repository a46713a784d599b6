//! `essaim init`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Exit;
use super::printer::{Printer, Text};
use crate::config::pipeline::ReaderSpec;
use crate::disclosure::scan;
use crate::draft::{Drafted, Format, Guess, candidates, choose, detect, draft, is_html, sample};
use crate::id::TableName;
use crate::normalise::{Head, Look, NormaliseError, Part, SheetHead, head, look, sheets, tells_apart};

/// Rows that are looked at.
const ROWS: usize = 2000;
/// Rows of a sheet among which the header is looked for.
const TOP: usize = 40;
/// Most columns that are tried as the key on the whole file.
const KEYS: usize = 4;

/// Arguments of `essaim init`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  essaim init exemple                          a small project that runs at once
  essaim run --project exemple

  essaim init lieux --from ~/Téléchargements/lieux.csv
  essaim check --project lieux --sample 5

Types, code lists, keys, places and personal columns of a file are guessed. Nothing of it is published before you say
which columns are public.")]
pub(super) struct InitArguments {
    /// Folder of the new project
    folder: PathBuf,
    /// File to look at: CSV, JSON, GeoJSON, XLSX, ODS or Parquet, in gzip or ZIP too
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

/// Writes a project: the example, or one drafted from a file.
pub(super) fn init(arguments: &InitArguments, printer: &Printer) -> Exit {
    let made = match &arguments.from {
        Some(from) => start(&arguments.folder, from),
        None => example(&arguments.folder),
    };
    match made {
        Ok(text) => {
            printer.talk(&text);
            Exit::Done
        }
        Err((exit, lines)) => {
            printer.failure_lines(&lines);
            exit
        }
    }
}

type Failure = (Exit, Vec<String>);

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    (Exit::Failed, vec![format!("cannot use {}", path.display()), error.to_string()])
}

fn example(folder: &Path) -> Result<String, Failure> {
    write(folder, &sample(), None)?;
    let mut out = Text::default();
    let folder = folder.display();
    out.line(format_args!("Wrote a small project of invented places to {folder}. Next:"));
    out.line(format_args!("  essaim run --project {folder}"));
    out.line(format_args!("  essaim check --project {folder} --sample 3"));
    out.line(format_args!("{folder}/README.md says which file is what."));
    Ok(out.finish())
}

/// Whether the last scan before a release would stop at a text.
fn is_personal(text: &str) -> bool {
    scan::find(text).is_some()
}

/// A file that is looked at, and how.
struct Looked<'a> {
    from: &'a Path,
    file_name: String,
    table: TableName,
    format: Format,
    head: Head,
    /// The sheets of a spreadsheet.
    sheets: Vec<SheetHead>,
    /// Name of the one that is read.
    sheet: Option<String>,
}

impl Looked<'_> {
    fn of(from: &Path) -> Result<Looked<'_>, Failure> {
        let table: TableName = "table".parse().expect("a plain word names a table");
        let file_name = from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = File::open(from).map_err(|error| unusable(from, &error))?;
        let head = head(file, &file_name, &table).map_err(|error| failed(from, &file_name, &error))?;
        if is_html(&head) {
            let line = format!(
                "{}: this is HTML, a web page and no table: download the file itself, or open the page in a spreadsheet \
                 program and save its table as XLSX or CSV",
                from.display()
            );
            return Err((Exit::Failed, vec![line]));
        }
        let format = detect(&head);
        let mut looked = Looked { from, file_name, table, format, head, sheets: Vec::new(), sheet: None };
        if matches!(looked.format.reader, ReaderSpec::Sheet(_)) {
            looked.sheets = sheets(&looked.table, looked.parts()?, TOP).map_err(|error| looked.failed(&error))?;
            if let Some((sheet, format)) = choose(&looked.sheets) {
                looked.sheet = Some(sheet.name.clone());
                looked.format = format;
            }
        }
        Ok(looked)
    }

    fn parts(&self) -> Result<Vec<Part>, Failure> {
        let file = File::open(self.from).map_err(|error| unusable(self.from, &error))?;
        Ok(vec![(self.file_name.clone(), Box::new(file))])
    }

    fn failed(&self, error: &NormaliseError) -> Failure {
        failed(self.from, &self.file_name, error)
    }

    fn look(&self) -> Result<Look, Failure> {
        let member = self.head.member.as_deref();
        match look(&self.format.reader, member, &self.table, self.parts()?, ROWS) {
            Ok(seen) if seen.columns.is_empty() || seen.rows.is_empty() => Err(self.no_rows()),
            Err(NormaliseError::NoHeader { .. }) if self.sheet.is_some() => Err(self.no_rows()),
            seen => seen.map_err(|error| self.failed(&error)),
        }
    }

    fn no_rows(&self) -> Failure {
        let mut line = format!("{} has no rows to look at", self.from.display());
        if let Some(sheet) = &self.sheet {
            let sheets = self.sheets.iter().map(|sheet| format!("`{}` ({} filled cells)", sheet.name, sheet.filled));
            let sheets: Vec<String> = sheets.collect();
            let _infallible = write!(
                line,
                " in its sheet `{sheet}`; it has the sheets {}: where there are rows, a pipeline file says \
                 `sheet = {{ sheet = {}, header_row = N }}`",
                sheets.join(", "),
                serde_json::json!(sheet),
            );
        }
        (Exit::Failed, vec![line])
    }

    /// The first of the likely keys that tells the rows of the whole file apart, and the number of its rows.
    fn key(&self, seen: &Look) -> Result<(Option<String>, u64), Failure> {
        let mut likely = candidates(seen, is_personal);
        likely.truncate(KEYS);
        let at = |name: &String| seen.columns.iter().position(|known| known == name);
        let columns: Vec<usize> = likely.iter().filter_map(at).collect();
        let member = self.head.member.as_deref();
        let (telling, rows) = tells_apart(&self.format.reader, member, &self.table, self.parts()?, &columns)
            .map_err(|error| self.failed(&error))?;
        Ok((likely.into_iter().zip(telling).find(|(_, tells)| *tells).map(|(name, _)| name), rows))
    }
}

/// What is wrong with a file at hand: it has a path, and is neither a table nor part of a source yet.
fn failed(from: &Path, file_name: &str, error: &NormaliseError) -> Failure {
    let mut lines = crate::run::chain(error);
    let from = from.display();
    let plain = match error {
        NormaliseError::Json { line, column, .. } => {
            format!("{from} is not readable JSON, line {line}, column {column}: check that the file is whole")
        }
        NormaliseError::MissingPart { part, .. } => format!("{from} holds no file that can be drafted from: no {part}"),
        _ => {
            let line = lines.first().map_or("", String::as_str);
            let line = line.strip_prefix("table `table`: ").unwrap_or(line);
            format!("{from}: {}", line.replacen(&format!("part `{file_name}`"), "it", 1))
        }
    };
    if let Some(first) = lines.first_mut() {
        *first = plain;
    }
    (Exit::Failed, lines)
}

fn start(folder: &Path, from: &Path) -> Result<String, Failure> {
    let looked = Looked::of(from)?;
    let file_name = &looked.file_name;
    let named = looked.head.member.as_deref().unwrap_or(file_name);
    let stem = named.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or("table").to_owned();
    let seen = looked.look()?;
    let (key, rows) = looked.key(&seen)?;
    let copy = format!("seeds/{file_name}");
    let Some(drafted) = draft(&stem, &copy, &looked.format, &seen, key.as_deref(), is_personal) else {
        let line = format!(
            "{}: no column has a name in its header, line {}: write names there, or a header above the rows",
            from.display(),
            looked.format.header
        );
        return Err((Exit::Failed, vec![line]));
    };
    let files: Vec<(&str, &str)> = drafted.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    write(folder, &files, Some((from, &copy)))?;
    Ok(describe(folder, &looked, &drafted, &seen, rows))
}

/// Writes files, and a copy of one; none is overwritten.
fn write(folder: &Path, files: &[(&str, &str)], copied: Option<(&Path, &str)>) -> Result<(), Failure> {
    let paths = files.iter().map(|(path, _)| *path).chain(copied.map(|(_, to)| to));
    let there: Vec<&str> = paths.filter(|path| folder.join(path).exists()).collect();
    if !there.is_empty() {
        let line = format!("{} already has {}", folder.display(), there.join(", "));
        return Err((Exit::Mistake, vec![line, "choose another folder: nothing is overwritten".to_owned()]));
    }
    let make = |path: &str| {
        let full = folder.join(path);
        let parent = full.parent().unwrap_or(folder).to_path_buf();
        fs::create_dir_all(&parent).map_err(|error| unusable(&parent, &error)).map(|()| full)
    };
    for (path, text) in files {
        let full = make(path)?;
        fs::write(&full, text).map_err(|error| unusable(&full, &error))?;
    }
    if let Some((from, to)) = copied {
        let full = make(to)?;
        fs::copy(from, &full).map_err(|error| unusable(&full, &error))?;
    }
    Ok(())
}

fn describe(folder: &Path, looked: &Looked<'_>, drafted: &Drafted, seen: &Look, rows: u64) -> String {
    let mut out = Text::default();
    let folder = folder.display();
    let from = looked.from.display();
    out.line(format_args!("Drafted {folder} from the first {} of {rows} rows of {from}:", seen.rows.len()));
    for remark in &seen.remarks {
        out.line(format_args!("  {remark}"));
    }
    if let Some(member) = &looked.head.member {
        out.line(format_args!("  read from its member {member}"));
        if !looked.head.others.is_empty() {
            out.line(format_args!("  not looked at: {}", looked.head.others.join(", ")));
        }
    }
    if let Some(sheet) = looked.sheet.as_ref().filter(|_| looked.sheets.len() > 1) {
        let others = looked.sheets.iter().filter(|other| other.name != *sheet).map(|other| other.name.as_str());
        out.line(format_args!("  read from its sheet {sheet}, which has most filled cells"));
        out.line(format_args!("  not looked at: {}", others.collect::<Vec<_>>().join(", ")));
    }
    let header = looked.format.header;
    if header > 1 {
        let (lines, are) = if header == 2 { ("line", "is") } else { ("lines", "are") };
        out.line(format_args!("  header at line {header}; {} {lines} above it {are} not read", header - 1));
    }
    for column in &drafted.columns {
        let place = column.place.map(|place| format!(", gives the place ({place})")).unwrap_or_default();
        let personal = if column.personal { ", PERSONAL" } else { "" };
        let key = if drafted.key.contains(&column.name) { ", the key" } else { "" };
        let misfits = match column.misfits {
            0 => String::new(),
            1 => ", but for 1 cell".to_owned(),
            more => format!(", but for {more} cells"),
        };
        out.line(format_args!("  {:<28} {}{misfits}{place}{key}{personal}", column.name, kind(&column.guess)));
    }
    if let Some(epsg) = drafted.crs {
        out.line(format_args!("  coordinates in EPSG:{epsg}, by the file, its columns or the size of the numbers"));
    }
    if drafted.survey {
        out.line(format_args!(
            "  the rows look like people's answers: the pipeline file ends with how to declare a survey"
        ));
    }
    if !drafted.missing.is_empty() {
        out.line(format_args!("  read as empty: {}", drafted.missing.join(", ")));
    }
    if drafted.key.is_empty() {
        out.line(format_args!("  no column tells the rows apart: all of them together are the key"));
    }
    out.line(format_args!("\nNothing is public yet. Next:\n  essaim --project {folder} check --sample 5"));
    out.line(format_args!(
        "  then change \"undeclared\" to \"public\" in {folder}/schemas/ for what everyone may see, name the table in\n  \
         [publish] of {folder}/pipelines/, and essaim --project {folder} run"
    ));
    out.finish()
}

/// What a column holds, in words.
fn kind(guess: &Guess) -> String {
    match guess {
        Guess::Text => "text".to_owned(),
        Guess::Integer => "whole number".to_owned(),
        Guess::Number(true) => "number with a decimal comma".to_owned(),
        Guess::Number(false) => "number".to_owned(),
        Guess::Boolean => "yes or no".to_owned(),
        Guess::Date(format) => format!("date {}", format.unwrap_or("")).trim_end().to_owned(),
        Guess::Siret => "SIRET".to_owned(),
        Guess::Uri => "web address".to_owned(),
        Guess::Code(options) => format!("one of {} options", options.len()),
        Guess::Codes(Some(separator), options) => {
            format!("several of {} options, parted by {separator:?}", options.len())
        }
        Guess::Codes(None, options) => format!("several of {} options, a list in each cell", options.len()),
        Guess::Ticks { choices, .. } => format!("several of {} options, one column each", choices.len()),
    }
}
