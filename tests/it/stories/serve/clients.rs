//! Programs that people read with.

use std::process::Command;

use super::{Service, published};
use crate::harness::python_path;
use crate::harness::repository;

#[test]
fn duckdb_pyarrow_geopandas_and_gdal_read_it_by_its_address() {
    let project = published();
    let service = Service::start(&project);
    let release = project.releases("lieux").remove(0);
    let output = Command::new(python_path())
        .arg(repository().join("tests/python/served.py"))
        .arg(format!("http://{}/lieux/releases/{release}/", service.address))
        .arg(project.path(&format!("data/public/lieux/releases/{release}")))
        .arg("lieux")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.lines().filter(|line| line.ends_with(": the same")).count(), 4, "{told}");
    let log = service.end().expect(0).stdout;
    let parts = log.lines().filter(|line| line.contains("lieux.parquet\t206\t")).count();
    assert!(parts >= 2, "DuckDB and pyarrow read parts:\n{log}");
}

#[test]
fn curl_goes_on_with_a_download_that_was_cut() {
    let project = published();
    let service = Service::start(&project);
    let stored = std::fs::read(project.latest("lieux").join("lieux.parquet")).unwrap();
    project.write("partly.parquet", &stored[..stored.len() / 2]);
    let target = project.path("partly.parquet");
    let url = format!("http://{}/lieux/latest/lieux.parquet", service.address);
    let curl = Command::new("curl").args(["-sS", "--fail", "-C", "-", "-o"]).arg(&target).arg(&url).status();
    match curl {
        Ok(status) => assert!(status.success()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("SKIPPED: curl is not installed");
            return;
        }
        Err(error) => panic!("{error}"),
    }
    assert!(std::fs::read(&target).unwrap() == stored);
    let log = service.end().expect(0).stdout;
    assert!(log.contains("/lieux/latest/lieux.parquet\t206\t"), "only the rest was sent:\n{log}");
}
