//! A release of large files, sent to a bucket in parts.
//!
//! With `ESSAIM_LARGE=/path/to/a.csv` that file is published, all of its columns as texts, the first one as the key.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::bench::{Bench, DATASET, Place};

/// Rows of the usual file: its CSV takes several parts.
const ROWS: u32 = 120_000;

/// Most memory that the run may take, in kB: the engine's pool, and a row group of each format of the widest table.
const MOST: u64 = 320 << 10;

/// The same for a file of any size whose rows are 600 bytes wide: 1.26 GB of release were written within 706 MiB.
const MOST_OF_WIDE_ROWS: u64 = 1 << 20;

/// The most memory that a process had, in kB, seen until it ends.
fn peak_memory(child: &mut Child) -> u64 {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let Ok(text) = fs::read_to_string(&status) else { continue };
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(peak.unwrap_or(0));
        std::thread::yield_now();
    }
    most
}

/// The usual file and its columns.
fn usual() -> (String, Vec<String>) {
    let mut text = "id,nom,adresse,note\n".to_owned();
    for id in 0..ROWS {
        writeln!(
            text,
            "L{id:07},Lieu {id} de l’essai,{} rue des Parts,Une note qui prend un peu de place ici",
            id % 97
        )
        .unwrap();
    }
    (text, ["id", "nom", "adresse", "note"].map(str::to_owned).to_vec())
}

#[test]
fn a_large_release_goes_to_a_bucket_in_parts_and_in_bounded_memory() {
    let bench = Bench::new(Place::Bucket);
    let large = std::env::var("ESSAIM_LARGE").ok();
    let columns = if let Some(path) = &large {
        bench.project.replace("pipelines/lieux.toml", "seeds/lieux.csv", path);
        let mut reader = csv::Reader::from_path(path).unwrap();
        reader.headers().unwrap().iter().map(str::to_owned).collect()
    } else {
        let (text, columns) = usual();
        bench.project.write("seeds/lieux.csv", text);
        columns
    };
    let field = |name: &String| {
        serde_json::json!({"name": name, "type": "string", "title": name, "description": name,
            "essaim": {"visibility": "public"}})
    };
    let fields: Vec<_> = columns.iter().map(field).collect();
    let contract = serde_json::json!({"title": "Lieux", "primaryKey": [columns[0]], "fields": fields});
    bench.project.write("schemas/lieux.schema.json", contract.to_string());
    let said = fs::File::create(bench.project.path("said.txt")).unwrap();
    let mut run = bench.project.command(&["run"]).stdout(Stdio::null()).stderr(said).spawn().unwrap();
    let most = peak_memory(&mut run);
    assert!(run.wait().unwrap().success(), "{}", bench.project.read("said.txt"));
    let verified = bench.project.essaim(&["releases", "verify"]).expect(0);
    println!("{} kB at the most; {}", most, verified.stderr.trim());
    let limit = if large.is_some() { MOST_OF_WIDE_ROWS } else { MOST };
    assert!(most > 0 && most < limit, "{most} kB");
    if large.is_none() {
        let release = bench.listed().into_keys().next().unwrap();
        let csv = bench.stores().join(format!("essaim/public/{DATASET}/releases/{release}/lieux.csv"));
        let written = fs::metadata(&csv).unwrap().len();
        assert!(written > 8 << 20, "{written} bytes take one part only");
        assert_eq!(fs::read_to_string(csv).unwrap().lines().count(), ROWS as usize + 1);
    }
}
