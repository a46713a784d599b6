//! What the DCAT catalogue of a release offers: its files with their checksums, where they lie, how often they change.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use super::assemble::Assembled;
use crate::config::pipeline::Pipeline;
use crate::publish::PublishError;
use crate::publish::changes::LIST;
use crate::publish::format::Content;
use crate::publish::metadata::{Distribution, Offer, file_title, file_title_en, other_title, sha512};
use crate::release::FileRecord;

/// Times a year that are no more told apart: clearly more than one an hour.
const MANY: u32 = 10_000;

/// The end of a GeoJSON that its box stands in.
const TAIL: u64 = 256;

/// The files of the tables, the dictionary, and the list of changes. `columns` are the bytes of the dictionary.
pub(super) fn offer(
    assembled: &Assembled<'_>,
    others: &[FileRecord],
    columns: &Bytes,
    list: Option<&Path>,
) -> Result<Offer<'static>, PublishError> {
    let mut files = Vec::new();
    let mut bounds: Option<[f64; 4]> = None;
    for table in &assembled.tables {
        for file in &table.files {
            let local = assembled.folder.join(&file.path);
            if file.content == Content::GeoJson
                && let Some(found) = bounds_of(&local).map_err(|source| failed(&local, source))?
            {
                bounds = Some(bounds.map_or(found, |known| joined(known, found)));
            }
            files.push(Distribution {
                path: file.path.clone(),
                title: file_title(table.contract, file),
                title_en: file_title_en(table.contract, file),
                media_type: file.media_type.to_owned(),
                bytes: file.bytes,
                sha512: file.sha512.clone(),
                schema: (file.content == Content::Csv).then(|| table.contract.name.clone()),
            });
        }
    }
    for file in others {
        let sha512 = match (file.path.as_str(), list) {
            ("dictionary.csv", _) => sha512(&columns[..]).map_err(|source| failed(Path::new(&file.path), source))?,
            (LIST, Some(list)) => digest(list)?,
            // Pages and counts are for people.
            _ => continue,
        };
        files.push(Distribution {
            path: file.path.clone(),
            title: other_title(file).to_owned(),
            title_en: None,
            media_type: file.media_type.clone(),
            bytes: file.bytes,
            sha512,
            schema: None,
        });
    }
    let engine = concat!("essaim ", env!("CARGO_PKG_VERSION"));
    Ok(Offer { frequency: frequency(assembled.job.pipeline), bounds, engine, files })
}

fn failed(path: &Path, source: std::io::Error) -> PublishError {
    PublishError::Local { path: path.to_owned(), source }
}

fn digest(path: &Path) -> Result<String, PublishError> {
    File::open(path).and_then(sha512).map_err(|source| failed(path, source))
}

/// The box of a GeoJSON, which stands at its end.
fn bounds_of(path: &Path) -> std::io::Result<Option<[f64; 4]>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    // Within texts the quotes are escaped.
    let numbers = tail.rsplit_once("],\"bbox\":[").and_then(|(_, rest)| rest.split_once(']'));
    let numbers: Option<Vec<f64>> =
        numbers.and_then(|(numbers, _)| numbers.split(',').map(|number| number.trim().parse().ok()).collect());
    Ok(numbers.and_then(|numbers| numbers.try_into().ok()))
}

fn joined([w, s, e, n]: [f64; 4], [west, south, east, north]: [f64; 4]) -> [f64; 4] {
    [w.min(west), s.min(south), e.max(east), n.max(north)]
}

/// How often a pipeline runs by itself, as the European list of frequencies says it; one that runs when somebody asks is
/// irregular.
fn frequency(pipeline: &Pipeline) -> &'static str {
    // Times of one year: any year will do.
    let start = DateTime::<Utc>::UNIX_EPOCH;
    let end = start + TimeDelta::days(365);
    let mut times = 0_u32;
    for cron in &pipeline.schedule.crons {
        let mut at = start;
        while times < MANY {
            let Ok(next) = cron.find_next_occurrence(&at, false) else { break };
            if next >= end {
                break;
            }
            at = next;
            times += 1;
        }
    }
    term(times)
}

/// The European term for a number of times a year: the next rarer one that has a term, so that nobody waits for what does not
/// come. Terms that harvesters may not know yet, such as those of minutes, are left out.
fn term(times: u32) -> &'static str {
    match times {
        0 => "IRREG",
        1 => "ANNUAL",
        2 => "ANNUAL_2",
        3 => "ANNUAL_3",
        4..=5 => "QUARTERLY",
        6..=11 => "BIMONTHLY",
        12..=23 => "MONTHLY",
        24..=25 => "MONTHLY_2",
        26..=35 => "BIWEEKLY",
        36..=51 => "MONTHLY_3",
        52..=103 => "WEEKLY",
        104..=155 => "WEEKLY_2",
        156..=249 => "WEEKLY_3",
        // On working days, too.
        250..=729 => "DAILY",
        730..=1094 => "DAILY_2",
        // Several times a day.
        1095..=2919 => "CONT",
        2920..=4379 => "TRIHOURLY",
        4380..=8759 => "BIHOURLY",
        8760..MANY => "HOURLY",
        _ => "UPDATE_CONT",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::by_hand(0, "IRREG")]
    #[case::twice_a_year(2, "ANNUAL_2")]
    #[case::every_quarter(4, "QUARTERLY")]
    #[case::every_other_month(6, "BIMONTHLY")]
    #[case::every_month(12, "MONTHLY")]
    #[case::every_week(52, "WEEKLY")]
    #[case::in_a_year_of_fifty_three_weeks(53, "WEEKLY")]
    #[case::on_working_days(261, "DAILY")]
    #[case::every_night(365, "DAILY")]
    #[case::twice_a_day(730, "DAILY_2")]
    #[case::every_six_hours(1460, "CONT")]
    #[case::every_hour(8760, "HOURLY")]
    #[case::every_five_minutes(MANY, "UPDATE_CONT")]
    fn how_often_is_said_in_terms_of_the_european_list(#[case] times: u32, #[case] expected: &str) {
        assert_eq!(term(times), expected);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "numbers are taken over, not computed")]
    fn the_box_of_a_geojson_is_read_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lieux.geojson");
        let text = "{\"type\":\"FeatureCollection\",\"features\":[\n{\"properties\":{\"nom\":\"\\\"bbox\\\":[\"}}\n],\"bbox\":[-1.5,43.2,6,50.25]}\n";
        std::fs::write(&path, text).unwrap();
        assert_eq!(bounds_of(&path).unwrap(), Some([-1.5, 43.2, 6.0, 50.25]));
        std::fs::write(&path, "{\"type\":\"FeatureCollection\",\"features\":[\n]}\n").unwrap();
        assert_eq!(bounds_of(&path).unwrap(), None);
        assert_eq!(joined([0.0, 1.0, 2.0, 3.0], [-1.0, 2.0, 1.0, 4.0]), [-1.0, 1.0, 2.0, 4.0]);
    }
}
