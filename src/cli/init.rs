//! `essaim init`.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Exit;
use super::printer::{Printer, Text};
use crate::draft::{Drafted, Guess, detect, draft};
use crate::id::TableName;
use crate::normalise::{Part, look};

/// Rows that are looked at.
const ROWS: usize = 2000;
/// First bytes that tell a format.
const HEAD: usize = 64 << 10;

/// Arguments of `essaim init`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  essaim init lieux --from ~/Téléchargements/lieux.csv
  essaim check --project lieux --sample 5

Types, code lists, keys, places and personal columns are guessed. Nothing is published before you say which columns are
public.")]
pub(super) struct InitArguments {
    /// Folder of the new project
    folder: PathBuf,
    /// File to look at: CSV, JSON, GeoJSON, XLSX, ODS or Parquet, gzip too
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

/// Drafts a project from a file.
pub(super) fn init(arguments: &InitArguments, printer: &Printer) -> Exit {
    match start(arguments, printer) {
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

fn start(arguments: &InitArguments, printer: &Printer) -> Result<String, Failure> {
    let from = &arguments.from;
    let file_name = from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = file_name.split('.').next().unwrap_or("table").to_owned();
    let mut head = Vec::new();
    File::open(from)
        .and_then(|file| file.take(HEAD as u64).read_to_end(&mut head))
        .map_err(|error| unusable(from, &error))?;
    let format = detect(&head);
    let table: TableName = "table".parse().expect("a plain word names a table");
    let file = File::open(from).map_err(|error| unusable(from, &error))?;
    let part: Part = (String::new(), Box::new(file));
    let seen =
        look(&format.reader, &table, vec![part], ROWS).map_err(|error| (Exit::Failed, crate::run::chain(&error)))?;
    if seen.columns.is_empty() || seen.rows.is_empty() {
        return Err((Exit::Failed, vec![format!("{} has no rows to look at", from.display())]));
    }
    let drafted = draft(&stem, &format!("seeds/{file_name}"), &format, &seen);
    write(arguments, &file_name, &drafted)?;
    let _ = printer;
    Ok(describe(arguments, &drafted, &seen.remarks, seen.rows.len()))
}

/// Writes the files; none is overwritten.
fn write(arguments: &InitArguments, file_name: &str, drafted: &Drafted) -> Result<(), Failure> {
    let folder = &arguments.folder;
    let copy = format!("seeds/{file_name}");
    let paths = drafted.files.iter().map(|(path, _)| path).chain([&copy]);
    let there: Vec<String> = paths.filter(|path| folder.join(path).exists()).cloned().collect();
    if !there.is_empty() {
        let line = format!("{} already has {}", folder.display(), there.join(", "));
        return Err((Exit::Mistake, vec![line, "choose another folder: nothing is overwritten".to_owned()]));
    }
    let make = |path: &str| {
        let full = folder.join(path);
        let parent = full.parent().unwrap_or(folder).to_path_buf();
        fs::create_dir_all(&parent).map_err(|error| unusable(&parent, &error)).map(|()| full)
    };
    for (path, text) in &drafted.files {
        let full = make(path)?;
        fs::write(&full, text).map_err(|error| unusable(&full, &error))?;
    }
    let full = make(&copy)?;
    fs::copy(&arguments.from, &full).map_err(|error| unusable(&full, &error))?;
    Ok(())
}

fn describe(arguments: &InitArguments, drafted: &Drafted, remarks: &[String], rows: usize) -> String {
    let mut out = Text::default();
    let folder = arguments.folder.display();
    out.line(format_args!("Drafted {folder} from the first {rows} rows of {}:", arguments.from.display()));
    for remark in remarks {
        out.line(format_args!("  {remark}"));
    }
    for column in &drafted.columns {
        let kind = match &column.guess {
            Guess::Text => "text".to_owned(),
            Guess::Integer => "whole number".to_owned(),
            Guess::Number(true) => "number with a decimal comma".to_owned(),
            Guess::Number(false) => "number".to_owned(),
            Guess::Boolean => "yes or no".to_owned(),
            Guess::Date(format) => format!("date {}", format.unwrap_or("")).trim_end().to_owned(),
            Guess::Siret => "SIRET".to_owned(),
            Guess::Uri => "web address".to_owned(),
            Guess::Code(options) => format!("one of {} options", options.len()),
        };
        let place = column.place.map(|place| format!(", gives the place ({place})")).unwrap_or_default();
        let personal = if column.personal { ", PERSONAL" } else { "" };
        let key = if drafted.key.contains(&column.name) { ", the key" } else { "" };
        out.line(format_args!("  {:<28} {kind}{place}{key}{personal}", column.name));
    }
    if drafted.key.is_empty() {
        out.line(format_args!("  no column tells the rows apart: all of them together are the key"));
    }
    out.line(format_args!("\nNothing is public yet. Next:\n  essaim --project {folder} check --sample 5"));
    out.line(format_args!(
        "  then say \"visibility\": \"public\" in {folder}/schemas/, name the table in [publish], and essaim run"
    ));
    out.finish()
}
