//! What others follow the datasets by: Atom feeds, and the catalogue that harvesters read.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use sha2::{Digest as _, Sha512};

use super::releases::{next, released};
use super::{DATASET, page, small};
use crate::harness::Project;

/// An entry of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    id: String,
    term: String,
    title: String,
    updated: String,
    summary: String,
    links: Vec<String>,
}

/// A feed: its id, when it was updated, its events.
fn feed(project: &Project, path: &str) -> (String, String, Vec<Event>) {
    let text = page(project, path);
    let document = roxmltree::Document::parse(&text).unwrap();
    let root = document.root_element();
    assert_eq!((root.tag_name().name(), root.tag_name().namespace()), ("feed", Some("http://www.w3.org/2005/Atom")));
    let of = |node: roxmltree::Node<'_, '_>, name: &str| {
        let found: Vec<_> = node.children().filter(|child| child.tag_name().name() == name).collect();
        assert_eq!(found.len(), 1, "{path} has {} {name}", found.len());
        found[0].text().unwrap().to_owned()
    };
    let entries = root.children().filter(|child| child.tag_name().name() == "entry").map(|entry| {
        let inside = |name: &'static str| entry.children().filter(move |child| child.tag_name().name() == name);
        Event {
            id: of(entry, "id"),
            term: inside("category").next().unwrap().attribute("term").unwrap().to_owned(),
            title: of(entry, "title"),
            updated: of(entry, "updated"),
            summary: of(entry, "summary"),
            links: inside("link").map(|link| link.attribute("href").unwrap().to_owned()).collect(),
        }
    });
    let entries = entries.collect();
    let own = root.children().filter(|child| child.attribute("rel") == Some("self")).count();
    assert_eq!(own, 1);
    of(root, "title");
    assert!(root.descendants().any(|node| node.tag_name().name() == "author"));
    (of(root, "id"), of(root, "updated"), entries)
}

#[test]
fn a_feed_tells_every_event_and_an_event_keeps_its_id() {
    let (project, releases) = released(2);
    let (id, _, first) = feed(&project, "lieux/feed.atom");
    assert_eq!(first.iter().map(|event| event.term.as_str()).collect::<Vec<_>>(), ["publish", "publish"]);
    assert!(first[0].title.contains(&releases[1]) && first[1].title.contains(&releases[0]), "{first:?}");
    assert!(first[0].summary.contains("ajoutée") && first[0].summary.contains("Origine : les sources"), "{first:?}");
    assert!(first[1].summary.contains("Première version"), "{first:?}");
    let about = format!("lieux@{}", releases[1]);
    project.essaim(&["releases", "withdraw", &about, "--because", "Essai."]).expect(0);
    project.essaim(&["releases", "restore", &about, "--because", "Fini."]).expect(0);
    let (same, updated, events) = feed(&project, "lieux/feed.atom");
    assert_eq!(same, id);
    let terms: Vec<&str> = events.iter().map(|event| event.term.as_str()).collect();
    assert_eq!(terms, ["restore", "withdraw", "publish", "publish"]);
    assert!(events[0].summary.contains("Fini.") && events[1].summary.contains("Essai."), "{events:?}");
    let ids: BTreeSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
    assert!(ids.len() == 4 && ids.iter().all(|id| id.starts_with("urn:uuid:")), "{ids:?}");
    for (old, new) in first.iter().zip(&events[2..]) {
        assert_eq!(old.id, new.id);
    }
    assert!(events.iter().all(|event| event.updated <= updated));
    // Every link leads to a stored page.
    for link in events.iter().flat_map(|event| &event.links) {
        let path = link.strip_prefix("https://donnees.example.org/").unwrap();
        assert!(project.path(&format!("data/public/{path}")).is_file(), "{link}");
    }
    // With nothing published the feed tells on, without addresses that nobody knows then.
    for release in &releases {
        project.essaim(&["releases", "withdraw", &format!("lieux@{release}"), "--because", "Fin."]).expect(0);
    }
    let (same, _, events) = feed(&project, "lieux/feed.atom");
    assert_eq!((same, events.len()), (id, 6));
    assert!(events[0].links[0].starts_with("versions/"), "{events:?}");
    assert!(!project.path("data/public/catalog.jsonld").exists());
}

#[test]
fn the_feed_of_all_datasets_holds_the_events_of_each() {
    let project = small();
    // A second dataset, made of the same files.
    project.write(
        "pipelines/autres.toml",
        project.read("pipelines/lieux.toml").replace("Lieux de l'exemple", "Autres lieux"),
    );
    project.write("sql/autres/lieux_par_region.sql", project.read("sql/lieux/lieux_par_region.sql"));
    project.run();
    next(&project, 1);
    project.essaim(&["run", "lieux"]).expect(0);
    let each: Vec<Event> =
        ["autres", "lieux"].iter().flat_map(|dataset| feed(&project, &format!("{dataset}/feed.atom")).2).collect();
    let (_, _, all) = feed(&project, "feed.atom");
    let ids = |events: &[Event]| events.iter().map(|event| event.id.clone()).collect::<BTreeSet<_>>();
    assert_eq!(ids(&all), ids(&each));
    let of_one: Vec<&Event> = all.iter().filter(|event| event.title.contains("Lieux de l'exemple")).collect();
    let released = project.releases("lieux");
    assert!(of_one[0].title.contains(&released[1]) && of_one[1].title.contains(&released[0]), "{of_one:?}");
    let catalogue: Value = serde_json::from_str(&page(&project, "catalog.jsonld")).unwrap();
    let names: Vec<&Value> = datasets(&catalogue).iter().map(|dataset| &dataset["dct:identifier"]).collect();
    assert_eq!(names, ["autres", "lieux"]);
    let said = project.essaim(&["releases", "verify"]).expect(0).stderr;
    assert!(said.contains("0 stale"), "{said}");
}

fn datasets(catalogue: &Value) -> &Vec<Value> {
    catalogue["dcat:dataset"].as_array().unwrap()
}

#[test]
fn harvesters_read_every_download_with_its_size_and_digest() {
    let project = Project::shipped();
    project.run();
    let files = project.latest(DATASET);
    let own: Value = serde_json::from_str(&fs::read_to_string(files.join("catalog.jsonld")).unwrap()).unwrap();
    let all: Value = serde_json::from_str(&page(&project, "catalog.jsonld")).unwrap();
    assert_eq!(datasets(&own), datasets(&all));
    for catalogue in [&own, &all] {
        assert!(catalogue["@context"].is_object(), "nothing is fetched to read it");
        assert_eq!(catalogue["@type"], "dcat:Catalog");
        for member in ["dct:title", "dct:description", "dct:publisher"] {
            assert!(!catalogue[member].is_null(), "{member}");
        }
    }
    let dataset = &datasets(&own)[0];
    assert_eq!(dataset["dct:identifier"], DATASET);
    for member in ["dct:title", "dct:description"] {
        assert!(
            dataset[member]["@value"].as_str().unwrap().to_lowercase().contains("données synthétiques"),
            "{dataset}"
        );
    }
    assert_eq!(dataset["dct:license"]["@id"], "https://www.etalab.gouv.fr/licence-ouverte-open-licence");
    assert_eq!(dataset["dct:modified"]["@type"], "xsd:dateTime");
    let place = dataset["dct:spatial"]["dcat:bbox"]["@value"].as_str().unwrap();
    assert!(place.starts_with("POLYGON(("), "{place}");
    let mut seen = BTreeSet::new();
    for file in dataset["dcat:distribution"].as_array().unwrap() {
        let address = file["dcat:downloadURL"]["@id"].as_str().unwrap();
        let path = address.strip_prefix(&format!("https://donnees.example.org/{DATASET}/latest/")).unwrap();
        let bytes = fs::read(files.join(path)).unwrap();
        assert_eq!(file["dcat:byteSize"]["@value"], bytes.len().to_string(), "{path}");
        let sum = &file["spdx:checksum"]["spdx:checksumValue"];
        assert_eq!(sum["@value"], hex::encode(Sha512::digest(&bytes)), "{path}");
        assert_eq!(sum["@type"], "xsd:hexBinary");
        assert!(file["dcat:mediaType"]["@id"].as_str().unwrap().starts_with("https://www.iana.org/assignments/"));
        seen.insert(path.to_owned());
    }
    // All data files, and no page.
    let manifest: Value = serde_json::from_str(&fs::read_to_string(files.join("manifest.json")).unwrap()).unwrap();
    let data = manifest["files"].as_array().unwrap().iter().filter_map(|file| file["path"].as_str());
    let data: BTreeSet<String> = data
        .filter(|path| [".csv", ".parquet", ".geojson"].iter().any(|end| path.ends_with(end)))
        .map(str::to_owned)
        .collect();
    assert_eq!(seen, data);
    println!("{} downloads described", seen.len());
}
