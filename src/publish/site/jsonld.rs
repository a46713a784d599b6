//! What search engines read in the head of a dataset's page: schema.org `Dataset`.

use serde_json::{Value, json};

use super::read::text;
use crate::release::{FileRecord, Manifest};

/// The description as it stands in a `script` element: no character of it can end one, nor is any markup.
pub(super) fn dataset(manifest: &Manifest, package: &Value) -> String {
    let publisher = &package["contributors"][0];
    let organisation = json!({ "@type": "Organization", "name": publisher["title"], "url": publisher["path"] });
    let base = text(&package["id"]);
    let files: Vec<Value> =
        manifest.files.iter().filter(|file| is_data(file)).map(|file| download(file, &base)).collect();
    let document = json!({
        "@context": "https://schema.org",
        "@type": "Dataset",
        "@id": package["homepage"],
        "url": package["homepage"],
        "identifier": base,
        "name": package["title"],
        "description": package["description"],
        "keywords": package["keywords"],
        "license": package["licenses"][0]["path"],
        "creator": organisation,
        "publisher": organisation,
        "datePublished": manifest.issued,
        "dateModified": manifest.issued,
        "version": manifest.release,
        "inLanguage": "fr",
        "isAccessibleForFree": true,
        "distribution": files,
    });
    let document = serde_json::to_string(&document).expect("our own structures have text keys only");
    document.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Data in the forms for machines; what is made for one program only says the same.
fn is_data(file: &FileRecord) -> bool {
    let (_, ending) = file.path.split_once('.').unwrap_or_default();
    file.rows.is_some() && matches!(ending, "csv" | "parquet" | "geojson")
}

fn download(file: &FileRecord, base: &str) -> Value {
    json!({
        "@type": "DataDownload",
        "name": file.path,
        "contentUrl": format!("{base}{}", file.path),
        "encodingFormat": file.media_type,
        "contentSize": format!("{} B", file.bytes),
        "sha256": file.sha256,
    })
}
