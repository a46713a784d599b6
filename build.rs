//! Puts the scripts of the site into the program, when `web/app/dist` holds them: `npm ci && npm run build` in `web/app`
//! makes them. Without them the program is built all the same, and its pages have no script.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let app = root.join("web/app");
    let dist = app.join("dist");
    println!("cargo::rerun-if-changed=build.rs");
    // A path that is not there counts as changed at every build: its folder is watched for it instead.
    println!("cargo::rerun-if-changed={}", if dist.is_dir() { &dist } else { &app }.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("app_files.rs");
    fs::write(out, table(&dist)?)
}

/// The files by name, as the source of a constant.
fn table(dist: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    if dist.is_dir() {
        for entry in fs::read_dir(dist)? {
            let path = entry?.path();
            println!("cargo::rerun-if-changed={}", path.display());
            if path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    let mut table = "&[\n".to_owned();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let path = path.to_string_lossy();
        writeln!(table, "    ({name:?}, include_bytes!({path:?}).as_slice()),").map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    Ok(table)
}
