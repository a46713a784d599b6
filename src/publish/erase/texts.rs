//! What a release says about its files, corrected where the files are others now.

use bytes::Bytes;
use serde_json::Value;

use crate::publish::dictionary;
use crate::publish::metadata::{told, with_dataset};
use crate::release::{FileRecord, Manifest};

/// Turns the texts of a release into those of the rewritten one.
pub(super) struct Patch<'a> {
    old: &'a Manifest,
    new: Manifest,
    /// Files that are others now, before and after.
    files: Vec<(&'a FileRecord, FileRecord)>,
}

impl<'a> Patch<'a> {
    pub(super) fn new(old: &'a Manifest, new: &Manifest) -> Self {
        let pair = |file: &FileRecord| {
            let before = old.files.iter().find(|before| before.path == file.path && before.sha256 != file.sha256)?;
            Some((before, file.clone()))
        };
        Self { old, new: new.clone(), files: new.files.iter().filter_map(pair).collect() }
    }

    /// Whether a file tells of others.
    pub(super) fn is_about(path: &str) -> bool {
        const ABOUT: [&str; 9] = [
            "CITATION.cff",
            "LICENSE",
            "README.md",
            "catalog.jsonld",
            "croissant.json",
            "csv-metadata.json",
            "datapackage.json",
            "dictionary.html",
            "index.html",
        ];
        ABOUT.contains(&path) || path.starts_with("schemas/")
    }

    pub(super) fn apply(&self, path: &str, bytes: &Bytes) -> Bytes {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (old, new) = (&self.old.release, &self.new.release);
        let text = text
            .replace(&format!("/releases/{old}/"), &format!("/releases/{new}/"))
            .replace(&format!("/versions/{old}/"), &format!("/versions/{new}/"));
        let text = match path {
            "README.md" => self.readme(&text),
            "catalog.jsonld" => self.catalogue(&text),
            "croissant.json" => self.croissant(&text),
            "datapackage.json" => self.datapackage(&text),
            "index.html" => self.index(&text),
            "dictionary.html" => self.dictionary(text),
            _ => text,
        };
        // `Édition` and `édition`.
        text.replace(&format!("dition {old} ("), &format!("dition {new} ("))
            .replace(&format!("dition {old},"), &format!("dition {new},"))
            .replace(&format!("dition {old}.\""), &format!("dition {new}.\""))
            .into()
    }

    fn readme(&self, text: &str) -> String {
        let line = |line: &str| {
            let about = |file: &FileRecord| line.starts_with(&format!("| [{0}]({0}) |", file.path));
            let found = self.files.iter().find(|(before, _)| about(before));
            let gone = self.old.files.iter().any(about) && !self.new.files.iter().any(about);
            match found {
                _ if gone => String::new(),
                Some((before, after)) => {
                    let tail = |file: &FileRecord| format!("| {} | {} |", file.rows.unwrap_or(0), file.bytes);
                    line.replace(&tail(before), &tail(after))
                }
                None => line.to_owned(),
            }
        };
        text.split_inclusive('\n').map(line).collect()
    }

    fn datapackage(&self, text: &str) -> String {
        let Ok(mut package) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
        if let Some(resources) = package.get_mut("resources").and_then(Value::as_array_mut) {
            let path_of = |resource: &Value| resource.get("path").and_then(Value::as_str).map(str::to_owned);
            resources.retain(|resource| {
                path_of(resource).is_none_or(|path| self.new.files.iter().any(|file| file.path == path))
            });
            for resource in resources {
                let Some(path) = path_of(resource) else { continue };
                let Some((_, file)) = self.files.iter().find(|(_, file)| file.path == path) else { continue };
                if resource.get("bytes").is_some() {
                    resource["bytes"] = file.bytes.into();
                }
                resource["hash"] = format!("sha256:{}", file.sha256).into();
            }
        }
        let mut text = serde_json::to_string_pretty(&package).unwrap_or_else(|_| text.to_owned());
        text.push('\n');
        text
    }

    /// Files that are others now have another size and lose their checksum, which is of a kind that no manifest holds. The
    /// box around all places goes: its corners may be those of the record.
    fn catalogue(&self, text: &str) -> String {
        let Ok(mut catalogue) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
        let datasets = catalogue.get_mut("dcat:dataset").and_then(Value::as_array_mut);
        for dataset in datasets.into_iter().flatten() {
            if let Some(members) = dataset.as_object_mut() {
                members.shift_remove("dct:spatial");
            }
            let Some(files) = dataset.get_mut("dcat:distribution").and_then(Value::as_array_mut) else { continue };
            files.retain(|file| self.new.files.iter().any(|known| file["dct:identifier"] == known.path.as_str()));
            for file in files {
                let about = |(_, known): &&(&FileRecord, FileRecord)| file["dct:identifier"] == known.path.as_str();
                let Some((_, known)) = self.files.iter().find(about) else { continue };
                file["dcat:byteSize"]["@value"] = known.bytes.to_string().into();
                if let Some(members) = file.as_object_mut() {
                    members.shift_remove("spdx:checksum");
                }
            }
        }
        let mut text = serde_json::to_string_pretty(&catalogue).unwrap_or_else(|_| text.to_owned());
        text.push('\n');
        text
    }

    fn croissant(&self, text: &str) -> String {
        let Ok(mut dataset) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
        self.downloads(&mut dataset);
        let mut text = serde_json::to_string_pretty(&dataset).unwrap_or_else(|_| text.to_owned());
        text.push('\n');
        text
    }

    /// Sizes and digests of files that are others now, as schema.org has them.
    fn downloads(&self, dataset: &mut Value) {
        let Some(files) = dataset.get_mut("distribution").and_then(Value::as_array_mut) else { return };
        files.retain(|file| self.new.files.iter().any(|known| file["name"] == known.path.as_str()));
        for file in files {
            let about = |(_, known): &&(&FileRecord, FileRecord)| file["name"] == known.path.as_str();
            let Some((_, known)) = self.files.iter().find(about) else { continue };
            file["contentSize"] = format!("{} B", known.bytes).into();
            file["sha256"] = known.sha256.to_string().into();
        }
    }

    /// The page of the folder, without lines of files that are gone, nor the box around all places.
    fn index(&self, text: &str) -> String {
        let page = with_dataset(text, |dataset| {
            self.downloads(dataset);
            if let Some(members) = dataset.as_object_mut() {
                members.shift_remove("spatialCoverage");
            }
        });
        let line = |line: &str| {
            let about = |file: &FileRecord| {
                line.starts_with(&format!("<tr><th scope=\"row\"><a href=\"{0}\">{0}</a>", file.path))
            };
            let gone = self.old.files.iter().any(about) && !self.new.files.iter().any(about);
            match self.files.iter().find(|(before, _)| about(before)) {
                _ if gone => String::new(),
                Some((before, after)) => line.replace(&told(before.rows, before.bytes), &told(after.rows, after.bytes)),
                None => line.to_owned(),
            }
        };
        page.split_inclusive('\n').map(line).collect()
    }

    fn dictionary(&self, mut text: String) -> String {
        let gone = |file: &&FileRecord| !self.new.files.iter().any(|known| known.path == file.path);
        for file in self.old.files.iter().filter(gone) {
            text = dictionary::without_file(&text, &file.path);
        }
        for (before, after) in &self.files {
            let told = |file: &FileRecord| dictionary::told(file.bytes, &file.sha256.to_string());
            text = text.replace(&told(before), &told(after));
        }
        for (before, after) in self.old.tables.iter().zip(&self.new.tables) {
            if before.rows != after.rows {
                text = dictionary::with_rows(&text, &before.name, before.rows, after.rows);
            }
        }
        dictionary::with_release(&text, self.old.release.as_str(), self.new.release.as_str())
    }
}
