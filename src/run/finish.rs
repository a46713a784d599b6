//! What a release says of itself once its id and the release before are known: metadata and manifest.

use std::path::Path;

use bytes::Bytes;

use super::assemble::{Assembled, file_record};
use super::{describe, gate, offer, text};
use crate::id::ReleaseId;
use crate::publish::PublishError;
use crate::publish::commit::{Finished, Previous, json_bytes};
use crate::publish::dictionary;
use crate::publish::metadata::{
    citation_file, croissant, csvw, datapackage, dcat, index, licence_notice, readme, schema_path, table_schema,
};
use crate::quality::gate::Bound;
use crate::release::{FileRecord, Manifest};

/// The manifest of a candidate as long as it has no other files than those of its data.
pub(super) fn manifest(assembled: &Assembled<'_>, release: &ReleaseId, previous: Option<&Previous>) -> Manifest {
    let pipeline = assembled.job.pipeline;
    Manifest {
        dataset: pipeline.id.clone(),
        release: release.clone(),
        title: pipeline.title.clone(),
        version: pipeline.version.to_string(),
        issued: assembled.issued.clone(),
        synthetic: pipeline.synthetic,
        licence: pipeline.licence.clone(),
        content: assembled.content(),
        texts: Some(assembled.texts()),
        erasure: None,
        latest: pipeline.latest,
        engine: concat!("essaim ", env!("CARGO_PKG_VERSION")).to_owned(),
        project: assembled.project,
        reference: Some(assembled.reference),
        previous: previous.map(|previous| previous.release.clone()),
        contract_changes: previous.map(|previous| gate::changes(assembled, &previous.manifest)).unwrap_or_default(),
        tables: assembled.table_records(),
        files: assembled.data.clone(),
        sources: assembled.sources.clone(),
        checks: assembled.checks.clone(),
        read: assembled.read.clone(),
        rejects: assembled.rejects.clone(),
        unfit_cells: assembled.unfit.clone(),
        corrections: assembled.corrections.clone(),
    }
}

/// The files that tell what changed since the release before; none in a first release.
#[derive(Clone, Copy, Default)]
pub(super) struct Changes<'a> {
    pub(super) records: &'a [FileRecord],
    /// Where the list is.
    pub(super) list: Option<&'a Path>,
}

/// Adds what a candidate says of its data, and of the files that tell what changed, to its manifest.
pub(super) fn finish(
    assembled: &Assembled<'_>,
    mut manifest: Manifest,
    previous: Option<&Previous>,
    bounds: &[Bound],
    changes: Changes<'_>,
) -> Result<Finished, PublishError> {
    let metadata = metadata(assembled, &manifest, previous, bounds, changes)?;
    let Changes { records: changes, .. } = changes;
    manifest.files.extend(changes.iter().cloned());
    manifest.files.extend(metadata.iter().map(|(path, bytes)| file_record(path, bytes)));
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Finished { files: Vec::new(), metadata, manifest })
}

fn metadata(
    assembled: &Assembled<'_>,
    manifest: &Manifest,
    previous: Option<&Previous>,
    bounds: &[Bound],
    changes: Changes<'_>,
) -> Result<Vec<(String, Bytes)>, PublishError> {
    let release = &manifest.release;
    let urls = describe::Urls::of(assembled.job, release);
    let dictionary = describe::dictionary(assembled, release);
    let columns = text(dictionary::csv(&dictionary));
    let figures = assembled.data.iter().filter(|file| file.rows.is_none()).cloned();
    let dictionary_record = file_record("dictionary.csv", &columns);
    let others: Vec<FileRecord> = figures.chain([dictionary_record]).chain(changes.records.iter().cloned()).collect();
    let context = describe::context(assembled, release, &urls, &others);
    let tables = assembled.table_files();
    let page = dictionary::html(&dictionary)
        .map_err(|error| PublishError::Page { page: "dictionary.html", source: Box::new(error) })?;
    let offer = offer::offer(assembled, &others, &columns, changes.list)?;
    let index = index(&context, &tables, offer.bounds)
        .map_err(|error| PublishError::Page { page: "index.html", source: Box::new(error) })?;
    let mut metadata = vec![
        ("CITATION.cff".to_owned(), text(citation_file(&context))),
        ("catalog.jsonld".to_owned(), json_bytes(&dcat(&context, &offer))),
        ("croissant.json".to_owned(), json_bytes(&croissant(&context, &tables))),
        ("csv-metadata.json".to_owned(), json_bytes(&csvw(&context, &tables))),
        ("datapackage.json".to_owned(), json_bytes(&datapackage(&context, &tables))),
        ("dictionary.csv".to_owned(), columns),
        ("dictionary.html".to_owned(), text(page)),
        ("gate.json".to_owned(), json_bytes(&describe::gate(assembled, previous, bounds))),
        ("index.html".to_owned(), text(index)),
        ("LICENSE".to_owned(), text(licence_notice(&context))),
        ("README.md".to_owned(), text(readme(&context, &tables, &manifest.contract_changes))),
    ];
    for table in &assembled.tables {
        let schema = table_schema(table.contract, &context);
        metadata.push((schema_path(&table.contract.name), json_bytes(&schema)));
    }
    Ok(metadata)
}
