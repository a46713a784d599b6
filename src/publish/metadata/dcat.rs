//! `catalog.jsonld`: the release as a DCAT catalogue (DCAT-AP 3.0.1), in the form that data.gouv.fr harvests.
//!
//! What that harvester asks beyond the standard, and why it is written so:
//! - files are named by their address in `latest/`: it tells them apart by address and forgets none, so that an address with
//!   a release in it would add a file with each release;
//! - checksums are SHA-512: the standard wants `xsd:hexBinary`, which it takes for bytes, and with SHA-256 it then gives up
//!   the whole dataset;
//! - the context stands in the file, so that nothing is fetched to read it.

use std::io::Read;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::{Context, bare, keywords, licence_address, licence_title, schema_path};
use crate::config::pipeline::{Period, Theme};
use crate::id::TableName;

/// Prefix of the European code lists.
const EU: &str = "http://publications.europa.eu/resource/authority/";

/// A file that is offered for download.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// Path below the release's folder.
    pub path: String,
    /// Title for people.
    pub title: String,
    /// The same in English, when its table has one.
    pub title_en: Option<String>,
    /// Media type.
    pub media_type: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-512, hexadecimal.
    pub sha512: String,
    /// The table whose schema it follows, of the CSV for machines.
    pub schema: Option<TableName>,
}

/// What only the catalogue says of a release.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    /// How often it is brought up to date: a term of the European list of frequencies.
    pub frequency: &'a str,
    /// West, south, east and north of all published places.
    pub bounds: Option<[f64; 4]>,
    /// The program that made it.
    pub engine: &'a str,
    /// The files.
    pub files: Vec<Distribution>,
}

/// SHA-512 of what is read, hexadecimal.
pub fn sha512(mut read: impl Read) -> std::io::Result<String> {
    let mut hasher = Sha512::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match read.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            n => hasher.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

/// The prefixes that catalogues are written with.
pub fn dcat_context() -> Value {
    json!({
        "adms": "http://www.w3.org/ns/adms#",
        "dcat": "http://www.w3.org/ns/dcat#",
        "dcatap": "http://data.europa.eu/r5r/",
        "dct": "http://purl.org/dc/terms/",
        "foaf": "http://xmlns.com/foaf/0.1/",
        "geo": "http://www.opengis.net/ont/geosparql#",
        "prov": "http://www.w3.org/ns/prov#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "spdx": "http://spdx.org/rdf/terms#",
        "vcard": "http://www.w3.org/2006/vcard/ns#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    })
}

/// A text in French.
pub fn french(text: &str) -> Value {
    json!({ "@value": text, "@language": "fr" })
}

/// A title in French, and in English where there is one.
fn titles(title: &str, english: Option<&str>) -> Value {
    match english {
        Some(english) => json!([french(title), { "@value": english, "@language": "en" }]),
        None => french(title),
    }
}

/// The time that the data speak of. Harvesters would fetch a period that is an address.
fn temporal(period: Period) -> Value {
    let mut time = json!({ "@type": "dct:PeriodOfTime" });
    for (key, day) in [("dcat:startDate", period.from), ("dcat:endDate", period.to)] {
        if let Some(day) = day {
            time[key] = typed(&day.to_string(), "date");
        }
    }
    time
}

fn typed(value: &str, kind: &str) -> Value {
    json!({ "@value": value, "@type": format!("xsd:{kind}") })
}

fn term(list: &str, name: &str, kind: &str) -> Value {
    json!({ "@id": format!("{EU}{list}/{name}"), "@type": kind })
}

fn concept(list: &str, name: &str, label: &str) -> Value {
    let mut concept = term(list, name, "skos:Concept");
    concept["skos:prefLabel"] = french(label);
    concept
}

fn licence(spdx: &str) -> Value {
    let title = french(licence_title(spdx).unwrap_or(spdx));
    json!({ "@id": licence_address(spdx), "@type": "dct:LicenseDocument", "dct:title": title })
}

fn publisher(context: &Context<'_>) -> Value {
    let known = context.publisher;
    let mut agent = json!({ "@type": "foaf:Agent", "foaf:name": french(&known.name) });
    if let Some(url) = &known.url {
        agent["@id"] = json!(format!("{url}#publisher"));
        agent["foaf:homepage"] = json!({ "@id": url, "@type": "foaf:Document" });
    }
    if let Some(email) = &known.email {
        agent["foaf:mbox"] = json!({ "@id": format!("mailto:{email}") });
    }
    agent
}

fn contact(context: &Context<'_>) -> Option<Value> {
    let known = context.publisher;
    let mut contact = json!({ "@type": "vcard:Kind", "vcard:fn": french(&known.name) });
    if let Some(email) = &known.email {
        contact["vcard:hasEmail"] = json!({ "@id": format!("mailto:{email}") });
    }
    if let Some(url) = &known.url {
        contact["vcard:hasURL"] = json!({ "@id": url });
    }
    (known.email.is_some() || known.url.is_some()).then_some(contact)
}

/// A box as a polygon; the harvester reads neither a box by name nor a point.
fn polygon([west, south, east, north]: [f64; 4]) -> Value {
    let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
    let corners = ring.map(|[longitude, latitude]| format!("{longitude} {latitude}")).join(", ");
    json!({
        "@type": "dct:Location",
        "dcat:bbox": { "@value": format!("POLYGON(({corners}))"), "@type": "geo:wktLiteral" },
    })
}

fn sources(context: &Context<'_>) -> String {
    let source = |source: &super::Citation<'_>| match source.publisher {
        Some(by) => format!("{}, {by}", source.title),
        None => source.title.to_owned(),
    };
    context.sources.iter().map(source).collect::<Vec<_>>().join(" ; ")
}

fn distribution(context: &Context<'_>, file: &Distribution) -> Value {
    let address = format!("{}{}", context.latest_url, file.path);
    let media_type = bare(&file.media_type);
    let ending = file.path.rsplit('.').next().unwrap_or_default();
    let mut distribution = json!({
        "@id": format!("{address}#distribution"),
        "@type": "dcat:Distribution",
        "dct:identifier": file.path,
        "dct:title": titles(&file.title, file.title_en.as_deref()),
        "dcat:accessURL": { "@id": context.homepage },
        "dcat:downloadURL": { "@id": address },
        "dct:license": licence(context.licence),
        "dct:format": term("file-type", &ending.to_ascii_uppercase(), "dct:MediaTypeOrExtent"),
        "dcat:mediaType": {
            "@id": format!("https://www.iana.org/assignments/media-types/{media_type}"),
            "@type": "dct:MediaType",
        },
        "dcat:byteSize": typed(&file.bytes.to_string(), "nonNegativeInteger"),
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {
                "@id": "http://spdx.org/rdf/terms#checksumAlgorithm_sha512",
                "@type": "spdx:ChecksumAlgorithm",
            },
            "spdx:checksumValue": typed(&file.sha512, "hexBinary"),
        },
        "dcatap:availability": concept("planned-availability", "STABLE", "stable"),
        "dct:modified": typed(context.issued, "dateTime"),
    });
    if let Some(table) = &file.schema {
        distribution["dct:conformsTo"] = json!({
            "@id": format!("{}{}", context.latest_url, schema_path(table)),
            "@type": "dct:Standard",
            "dct:title": french(table.as_str()),
        });
    }
    distribution
}

/// Describes the dataset and the files of its newest release.
pub fn dcat(context: &Context<'_>, offer: &Offer<'_>) -> Value {
    let keywords: Vec<Value> = keywords(context).iter().map(|word| french(word)).collect();
    let language = term("language", "FRA", "dct:LinguisticSystem");
    let homepage = json!({ "@id": context.homepage, "@type": "foaf:Document" });
    let mut dataset = json!({
        "@id": format!("{}#dataset", context.homepage),
        "@type": "dcat:Dataset",
        "dct:identifier": context.dataset.as_str(),
        "dct:title": french(&context.full_title()),
        "dct:description": french(&context.full_description()),
        "dcat:keyword": keywords,
        "dct:publisher": publisher(context),
        "dct:license": licence(context.licence),
        "dct:accessRights": term("access-right", "PUBLIC", "dct:RightsStatement"),
        "dct:language": language.clone(),
        "dct:accrualPeriodicity": term("frequency", offer.frequency, "dct:Frequency"),
        "dct:modified": typed(context.issued, "dateTime"),
        "dcat:landingPage": homepage.clone(),
        "dcat:version": context.version,
        "adms:versionNotes": french(&format!("Édition {}.", context.release)),
        "prov:wasGeneratedBy": { "@type": "prov:Activity", "rdfs:label": offer.engine },
    });
    if !context.themes.is_empty() {
        let theme = |theme: &Theme| concept("data-theme", theme.code, theme.name);
        dataset["dcat:theme"] = context.themes.iter().map(theme).collect();
    }
    if let Some(period) = context.period {
        dataset["dct:temporal"] = temporal(period);
    }
    if let Some(contact) = contact(context) {
        dataset["dcat:contactPoint"] = contact;
    }
    if let Some(bounds) = offer.bounds {
        dataset["dct:spatial"] = polygon(bounds);
    }
    if !context.sources.is_empty() {
        let label = french(&format!("Sources : {}.", sources(context)));
        dataset["dct:provenance"] = json!({ "@type": "dct:ProvenanceStatement", "rdfs:label": label });
    }
    dataset["dcat:distribution"] = offer.files.iter().map(|file| distribution(context, file)).collect();
    json!({
        "@context": dcat_context(),
        "@id": format!("{}#catalogue", context.homepage),
        "@type": "dcat:Catalog",
        "dct:title": french(&context.full_title()),
        "dct:description": french(&context.full_description()),
        "dct:publisher": publisher(context),
        "dct:license": licence(context.licence),
        "dct:language": language,
        "foaf:homepage": homepage,
        "dct:modified": typed(context.issued, "dateTime"),
        "dcat:dataset": [dataset],
    })
}
