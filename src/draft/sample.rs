//! A small project that is complete: what `essaim init` writes when it has no file to look at.

use super::write::PROJECT;

/// Paths and contents of its files. The places in it are invented.
pub fn sample() -> Vec<(&'static str, &'static str)> {
    vec![
        ("essaim.toml", PROJECT),
        (".gitignore", "data/\n"),
        ("README.md", include_str!("sample/README.md")),
        ("pipelines/lieux.toml", include_str!("sample/pipelines/lieux.toml")),
        ("schemas/lieux.schema.json", include_str!("sample/schemas/lieux.schema.json")),
        ("schemas/lieux_par_region.schema.json", include_str!("sample/schemas/lieux_par_region.schema.json")),
        ("seeds/codes/types.csv", include_str!("sample/seeds/codes/types.csv")),
        ("seeds/lieux.csv", include_str!("sample/seeds/lieux.csv")),
        ("sql/lieux/lieux_par_region.sql", include_str!("sample/sql/lieux/lieux_par_region.sql")),
    ]
}
