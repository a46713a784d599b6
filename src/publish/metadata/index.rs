//! `index.html`: what is in the folder of a release, for whoever opens the folder and for search engines. In French, stands
//! alone, without script.
//!
//! It is a file of the release and never changes. What is said of a release later, such as that it was withdrawn, stands on the
//! page of the site, which it leads to.

use minijinja::{Value as Cell, context};
use serde::Serialize;
use serde_json::{Value, json};

use super::readme::form;
use super::{
    Context, TableFiles, bare, interval, keywords, licence_address, licence_title, organisation, other_title,
    push_sentence,
};
use crate::publish::dictionary::size;
use crate::publish::page::environment;
use crate::publish::words::whole;

const TEMPLATE: &str = include_str!("../../../web/index.html");

/// Where the description for search engines begins and ends.
const DATASET: (&str, &str) = ("<script type=\"application/ld+json\">", "</script>");
/// Characters of a description that Google's search for datasets takes, at least and at most.
const DESCRIPTION: (usize, usize) = (50, 5000);

/// What tools and people find beside the data, in the order of the page.
const BESIDE: [(&str, &str); 10] = [
    ("README.md", "Présentation, licence, citation, façons d’ouvrir les fichiers"),
    ("LICENSE", "Licence et mention de la source"),
    ("CITATION.cff", "Citation, pour les logiciels de bibliographie"),
    ("dictionary.html", "Dictionnaire des tables et des colonnes, page à lire"),
    ("datapackage.json", "Fichiers et colonnes (Data Package)"),
    ("csv-metadata.json", "Colonnes des CSV (CSV on the Web)"),
    ("croissant.json", "Fichiers et enregistrements (Croissant)"),
    ("catalog.jsonld", "Notice pour les catalogues (DCAT-AP)"),
    ("gate.json", "Décision de publication : chaque borne, et ce qui a été vu"),
    ("manifest.json", "Manifeste : empreintes, sources, contrôles"),
];

/// A file on the page.
#[derive(Serialize)]
struct Line {
    path: String,
    title: String,
    told: Cell,
}

/// What the page says of a file behind its title: rows and size.
pub(in crate::publish) fn told(rows: Option<u64>, bytes: u64) -> String {
    let rows = rows.map(whole).unwrap_or_default();
    format!("<td class=\"number\">{rows}</td><td class=\"number\">{}</td></tr>", size(bytes))
}

/// The page of the folder of a release. `bounds` are west, south, east and north of all published places.
pub fn index(
    about: &Context<'_>,
    tables: &[TableFiles<'_>],
    bounds: Option<[f64; 4]>,
) -> Result<String, minijinja::Error> {
    let mut environment = environment("index.html", TEMPLATE)?;
    // Addresses stay as they are spelled: the text of a page is corrected when a record is erased.
    environment.add_filter("plain", |text: String| Cell::from_safe_string(plain(&text)));
    let line = |path: &str, title: String, rows, bytes| Line {
        path: path.to_owned(),
        title,
        told: Cell::from_safe_string(told(rows, bytes)),
    };
    let written = tables.iter().flat_map(|table| {
        let (contract, files) = (table.contract, table.files.iter());
        let title = move |content| format!("{}, {}", contract.title, form(content));
        files.map(move |file| line(&file.path, title(file.content), Some(file.rows), file.bytes))
    });
    let others = about.others.iter().map(|file| line(&file.path, other_title(file).to_owned(), file.rows, file.bytes));
    environment.get_template("index.html")?.render(context! {
        title => about.full_title(),
        synthetic => about.synthetic,
        description => about.description,
        release => about.release.as_str(),
        version => about.version,
        day => about.day(),
        publisher => about.publisher.name,
        licence => licence_title(about.licence).unwrap_or(about.licence),
        citation => about.citation(),
        page => about.page_url(),
        homepage => about.homepage,
        files => written.chain(others).collect::<Vec<_>>(),
        beside => BESIDE,
        dataset => script(&dataset(about, tables, bounds)),
    })
}

/// A text between tags, or between the quotes of an attribute.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A description as it stands in a `script` element: no character of it can end one, nor is any markup.
fn script(dataset: &Value) -> String {
    let text = dataset.to_string();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// The page with another description for search engines.
pub(in crate::publish) fn with_dataset(page: &str, change: impl FnOnce(&mut Value)) -> String {
    let (start, end) = DATASET;
    let parts = page.split_once(start).and_then(|(head, rest)| Some((head, rest.split_once(end)?)));
    let Some((head, (text, tail))) = parts else { return page.to_owned() };
    let Ok(mut dataset) = serde_json::from_str::<Value>(text) else { return page.to_owned() };
    change(&mut dataset);
    format!("{head}{start}{}{end}{tail}", script(&dataset))
}

/// The release as schema.org's `Dataset`.
fn dataset(context: &Context<'_>, tables: &[TableFiles<'_>], bounds: Option<[f64; 4]>) -> Value {
    let publisher = organisation(context.publisher);
    let mut dataset = json!({
        "@context": "https://schema.org",
        "@type": "Dataset",
        "@id": context.release_url,
        "url": context.release_url,
        "identifier": context.page_url(),
        "name": context.full_title(),
        "description": searched(context),
        "keywords": keywords(context),
        "license": licence_address(context.licence),
        "creator": publisher.clone(),
        "publisher": publisher,
        "datePublished": context.issued,
        "dateModified": context.issued,
        "version": context.version,
        "inLanguage": "fr",
        "isAccessibleForFree": true,
    });
    if let Some(period) = context.period {
        dataset["temporalCoverage"] = json!(interval(period));
    }
    if let Some([west, south, east, north]) = bounds {
        let shape = json!({ "@type": "GeoShape", "box": format!("{south} {west} {north} {east}") });
        dataset["spatialCoverage"] = json!({ "@type": "Place", "geo": shape });
    }
    let columns = tables.iter().flat_map(|table| {
        let contract = table.contract;
        contract.public_columns().map(move |column| {
            json!({
                "@type": "PropertyValue",
                "name": format!("{}.{}", contract.name, column.name),
                "description": column.title,
            })
        })
    });
    dataset["variableMeasured"] = columns.collect();
    let download = |path: &str, media: &str, bytes: u64, digest: crate::id::Digest| {
        json!({
            "@type": "DataDownload",
            "name": path,
            "contentUrl": format!("{}{path}", context.release_url),
            "encodingFormat": bare(media),
            "contentSize": format!("{bytes} B"),
            "sha256": digest.to_string(),
        })
    };
    let written = tables.iter().flat_map(|table| table.files);
    let written = written.map(|file| download(&file.path, file.media_type, file.bytes, file.digest));
    let others = context.others.iter().map(|file| download(&file.path, &file.media_type, file.bytes, file.sha256));
    dataset["distribution"] = written.chain(others).collect();
    dataset
}

/// The description in the length that Google's search for datasets takes.
fn searched(context: &Context<'_>) -> String {
    let (least, most) = DESCRIPTION;
    let mut text = context.full_description();
    if text.chars().count() < least {
        push_sentence(&mut text, &context.citation());
    }
    if text.chars().count() > most {
        text = text.chars().take(most - 1).chain(['…']).collect();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::pipeline::Period;
    use crate::publish::metadata::tests::{PLACED, PLAIN, Sample, files, other};

    fn page(sample: &Sample, synthetic: bool) -> String {
        let (structures, regions) = (files("structures", &PLAIN), files("regions", &PLACED));
        let others = [other("dictionary.csv", None), other("changes.parquet", Some(3))];
        let day = |day| chrono::NaiveDate::from_ymd_opt(2024, 1, day);
        let period = Some(Period { from: day(17), to: day(31) });
        let context = Context { others: &others, period, ..sample.context(synthetic) };
        let tables = [
            TableFiles { contract: &sample.structures, files: &structures },
            TableFiles { contract: &sample.regions, files: &regions },
        ];
        index(&context, &tables, Some([-1.5, 43.2, 6.0, 50.25])).unwrap()
    }

    fn dataset_of(page: &str) -> Value {
        let (_, rest) = page.split_once("<script type=\"application/ld+json\">").unwrap();
        serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
    }

    #[test]
    fn the_page_leads_to_every_file_of_the_folder_and_to_the_page_that_stays() {
        let page = page(&Sample::new(), true);
        for part in [
            "<title>Édition 2026-11-22, Coopérations (données synthétiques)</title>",
            "<p class=\"banner\">Données synthétiques : aucune structure réelle</p>",
            "<tr><th scope=\"row\"><a href=\"structures.csv\">structures.csv</a></th><td>Structures, CSV (UTF-8, virgules)</td><td class=\"number\">62</td><td class=\"number\">1,2\u{A0}ko</td></tr>",
            "<a href=\"changes.parquet\">changes.parquet</a>",
            "<a href=\"CITATION.cff\">CITATION.cff</a>",
            "<a href=\"https://data.example.org/cooperations/versions/2026-11-22/\">sa page</a>",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }

    #[test]
    fn search_engines_read_where_when_and_what() {
        let dataset = dataset_of(&page(&Sample::new(), false));
        assert_eq!((&dataset["@type"], &dataset["name"]), (&json!("Dataset"), &json!("Coopérations")));
        assert_eq!(dataset["temporalCoverage"], "2024-01-17/2024-01-31");
        // South, west, north, east.
        assert_eq!(dataset["spatialCoverage"]["geo"]["box"], "43.2 -1.5 50.25 6");
        assert_eq!(dataset["variableMeasured"].as_array().unwrap().len(), 10, "{dataset}");
        assert!(!dataset.to_string().contains("courriel"), "{dataset}");
        let description = dataset["description"].as_str().unwrap();
        assert!(description.starts_with("Qui coopère avec qui. Les Exemples, « Coopérations »"), "{description}");
        let downloads = dataset["distribution"].as_array().unwrap();
        assert_eq!(downloads.len(), 9);
        let first = "https://data.example.org/cooperations/releases/2026-11-22/structures.parquet";
        assert_eq!(downloads[0]["contentUrl"], first);
    }

    #[test]
    fn no_text_ends_the_description_and_it_can_be_changed() {
        let mut sample = Sample::new();
        sample.publisher.name = "</script><b>& fils".to_owned();
        let page = page(&sample, false);
        assert_eq!(page.matches("</script>").count(), 1, "{page}");
        assert_eq!(dataset_of(&page)["creator"]["name"], "</script><b>& fils");
        let changed = with_dataset(&page, |dataset| dataset["version"] = json!("</script>"));
        assert_eq!(dataset_of(&changed)["version"], "</script>");
        let (head, _) = page.split_once("<script").unwrap();
        let (_, tail) = page.split_once("</script>").unwrap();
        assert!(changed.starts_with(head) && changed.ends_with(tail));
        assert_eq!(with_dataset("<p>rien</p>", |_| {}), "<p>rien</p>");
    }
}
