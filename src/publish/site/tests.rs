//! Pages of a dataset that was made up here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::editions::Edition;
use super::map::Layer;
use super::read::{Card, Facts, Release, TableFacts};
use super::release::{Told, leaves};
use super::sheet::Sheet;
use super::words::Language;
use super::{console, page, quality, release};
use crate::release::{DatasetFreshness, Manifest};

fn manifest() -> Manifest {
    let column = |name: &str| json!({ "name": name, "type": "Utf8" });
    let file = |path: &str| json!({ "path": path, "media_type": "text/csv", "bytes": 1500, "sha256": "0".repeat(64), "rows": 2 });
    let table = |name: &str| {
        json!({
            "name": name, "title": "Titre & <b>", "rows": 2, "secret_rows": 1, "key": ["rang"],
            "columns": [column("rang"), column("libelle")],
        })
    };
    serde_json::from_value(json!({
        "dataset": "lieux", "release": "2026-12-01", "title": "Lieux <i>inventés</i>", "version": "1.0.0",
        "issued": "2026-12-01T00:09:22Z", "synthetic": true, "licence": "etalab-2.0", "content": "0".repeat(64),
        "engine": "essaim", "project": "0".repeat(64), "previous": null, "tables": [table("chiffres_cles")],
        "files": [file("chiffres_cles.csv"), file("chiffres_cles.parquet"), file("LICENSE")],
        "sources": [{
            "source": "registre", "title": "Registre", "licence": "etalab-2.0", "snapshot": "0",
            "fetched_at": "2026-12-01T00:00:00Z", "held_back": "source_rows", "parts": [],
        }],
        "checks": [{
            "id": "range:n", "table": "chiffres_cles", "severity": "warn", "outcome": "fail", "failing_rows": null,
        }],
        "read": { "lieux": 3 }, "rejects": { "lieux": { "doublon": 1 } }, "unfit_cells": {}, "corrections": {},
    }))
    .unwrap()
}

fn package() -> Value {
    json!({
        "id": "https://donnees.example.org/lieux/releases/2026-12-01/",
        "homepage": "https://donnees.example.org/lieux/",
        "title": "Lieux",
        "description": "Ferme une balise : </script><script>alert(1)</script>.",
        "contributors": [{ "title": "Nous", "path": "javascript:alert(1)" }],
        "licenses": [{ "title": "Licence Ouverte", "path": "https://www.etalab.gouv.fr/licence-ouverte-open-licence" }],
        "sources": [],
    })
}

fn facts() -> Facts {
    let manifest = manifest();
    let csv = "rang,libelle,libelle_en,n,base,base_libelle,pourcentage,secret\n\
               1,Réponses,Answers,1234,,,,false\n\
               2,Sont petites,Are small,,62,structures,,true\n";
    let table = TableFacts {
        record: manifest.tables[0].clone(),
        files: manifest.files[..2].to_vec(),
        sheet: Sheet::parse(csv.as_bytes(), 200, true),
        figure: Some("chiffres_cles.svg".to_owned()),
        description: "Un chiffre par ligne.".to_owned(),
    };
    let geojson =
        br#"{"features":[{"geometry":{"type":"Point","coordinates":[2.3,48.8]},"properties":{"region":"R"}}]}"#;
    let layers = vec![Layer::parse("lieux", "Lieux", geojson).unwrap()];
    let gate = json!({ "bounds": [
        { "id": "rows:lieux", "verdict": "held" },
        { "id": "rows:autres", "verdict": "accepted", "because": "C’est voulu." },
    ] });
    let version = Edition {
        release: "2026-11-30".to_owned(),
        state: "withdrawn",
        issued: "2026-11-30T00:00:00Z".to_owned(),
        version: None,
        ended: Some("2026-12-01T00:00:00Z".to_owned()),
        reason: Some("<em>Non</em>".to_owned()),
        replaced_by: None,
        changes: false,
        manifest: None,
    };
    Facts {
        dataset: "lieux".parse().unwrap(),
        release: Some(Release { manifest, package: package(), gate, tables: vec![table], layers }),
        freshness: DatasetFreshness::default(),
        editions: vec![version],
        summaries: BTreeMap::new(),
    }
}

fn parsed(page: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    roxmltree::Document::parse_with_options(page, options).unwrap()
}

#[test]
fn markup_in_published_texts_is_text_also_in_the_head() {
    for language in Language::ALL {
        let page = page::dataset(language, &facts()).unwrap();
        let document = parsed(&page);
        let data = |node: &roxmltree::Node<'_, '_>| node.attribute("type") == Some("application/ld+json");
        let scripts: Vec<_> =
            document.descendants().filter(|node| node.tag_name().name() == "script" && data(node)).collect();
        assert_eq!(scripts.len(), 1);
        let told: Value = serde_json::from_str(scripts[0].text().unwrap()).unwrap();
        assert_eq!(told["@type"], "Dataset");
        assert_eq!(told["description"], package()["description"]);
        assert_eq!(told["distribution"].as_array().unwrap().len(), 2);
        assert!(page.contains("Lieux &lt;i&gt;inventés&lt;") && page.contains("&lt;em&gt;Non&lt;"), "{page}");
        assert!(!page.contains("href=\"javascript"), "only web addresses become links");
    }
}

#[test]
fn what_is_secret_is_said_to_be_withheld() {
    let page = page::dataset(Language::French, &facts()).unwrap();
    assert!(page.contains("<strong>retenu</strong>") && page.contains("<strong>1\u{202F}234</strong>"), "{page}");
    let page = page::dataset(Language::English, &facts()).unwrap();
    assert!(page.contains("<strong>withheld</strong>") && page.contains("<strong>1,234</strong>"), "{page}");
    assert!(page.contains(">Are small<"));
}

#[test]
fn quality_tells_what_failed_what_was_let_through_and_what_is_old() {
    let page = page::dataset(Language::French, &facts()).unwrap();
    for part in [
        "<code>range:n</code>",
        "Bornes respectées\u{A0}: 1 sur 2, acceptées par décision\u{A0}: 1",
        "<code>rows:autres</code>\u{A0}: <span lang=\"fr\" xml:lang=\"fr\">C’est voulu.</span>",
        "<code>doublon</code> 1",
        "Réponses plus anciennes que la dernière tentative",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

#[test]
fn headings_go_down_one_step_at_a_time_and_ids_are_used_once() {
    for language in Language::ALL {
        let page = page::dataset(language, &facts()).unwrap();
        let document = parsed(&page);
        let mut last = 0;
        for node in document.descendants() {
            let name = node.tag_name().name();
            if let Some(level) = name.strip_prefix('h').and_then(|level| level.parse::<u32>().ok()) {
                assert!(level <= last + 1, "{name} after h{last}");
                last = level;
            }
        }
        let mut ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
        for node in document.descendants() {
            for id in node.attribute("aria-labelledby").unwrap_or_default().split_whitespace() {
                assert!(ids.binary_search(&id).is_ok(), "{id} names nothing");
            }
        }
    }
}

#[test]
fn the_page_for_queries_names_tables_as_sql_does_and_is_whole_without_script() {
    for language in Language::ALL {
        let page = console::page(language, &facts()).unwrap().unwrap();
        let document = parsed(&page);
        let code = |text: &str| document.descendants().any(|node| node.text() == Some(text));
        assert!(code("lieux.chiffres_cles"), "{page}");
        assert!(code("SELECT count(*) AS n\nFROM \"lieux@2026-12-01\".chiffres_cles"), "{page}");
        assert!(
            page.contains("https://donnees.example.org/sql") || page.contains("donnees.example.org&#x2f;sql"),
            "{page}"
        );
        let place = document.descendants().find(|node| node.attribute("data-console").is_some()).unwrap();
        assert_eq!(place.attribute("hidden"), Some("hidden"), "an empty console says nothing");
        let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
        for node in document.descendants().filter_map(|node| node.attribute("aria-labelledby")) {
            assert!(ids.contains(&node), "{node} names nothing");
        }
    }
    let none = Facts { release: None, ..facts() };
    assert_eq!(console::page(Language::French, &none).unwrap(), None);
}

#[test]
fn a_catalogue_lists_what_is_published_and_what_is_not() {
    let card = |title: &str, release: Option<&str>| Card {
        dataset: "lieux".to_owned(),
        title: title.to_owned(),
        description: "Des lieux.".to_owned(),
        publisher: "Nous".to_owned(),
        licence: "Licence Ouverte".to_owned(),
        synthetic: release.is_some(),
        release: release.map(str::to_owned),
        issued: "2026-12-01T00:09:22Z".to_owned(),
        tables: 2,
    };
    let cards = [card("Lieux", Some("2026-12-01")), card("Vide", None)];
    let french = page::catalogue(Language::French, &cards, true).unwrap();
    parsed(&french);
    assert!(
        french.contains("href=\"lieux&#x2f;index.html\"") || french.contains("href=\"lieux/index.html\""),
        "{french}"
    );
    assert!(french.contains("marqués «\u{A0}données synthétiques\u{A0}»"), "one of them is not invented");
    let english = page::catalogue(Language::English, &cards, true).unwrap();
    assert!(
        english.contains("No release is published at present.") && english.contains("/en&#x2f;index.html\""),
        "{english}"
    );
    assert!(page::catalogue(Language::French, &[], false).unwrap().contains("Aucun jeu de données"));
}

#[test]
fn a_source_is_cited_under_its_own_title_and_not_under_one_that_begins_alike() {
    let mut release = facts().release.unwrap();
    release.manifest.sources[0].title = "Communes".to_owned();
    release.package["sources"] = json!([
        { "title": "Communes associées, Insee", "path": "https://a.example.org/" },
        { "title": "Communes, Insee", "path": "https://b.example.org/" },
    ]);
    let cited = |release: &Release| serde_json::to_value(quality::sources(release)).unwrap()[0].clone();
    let told = cited(&release);
    assert_eq!((&told["title"], &told["homepage"]), (&json!("Communes, Insee"), &json!("https://b.example.org/")));
    release.package["sources"][1]["title"] = json!("Communes");
    assert_eq!(cited(&release)["homepage"], json!("https://b.example.org/"), "one without a publisher");
}

#[test]
fn a_release_with_nothing_to_compare_is_the_first_one_only_when_there_was_none() {
    let mut facts = facts();
    let withdrawn = facts.editions[0].clone();
    let current = Edition { release: "2026-12-01".to_owned(), state: "current", ..withdrawn.clone() };
    let told = Told { release: facts.release.take().unwrap(), summary: None };
    let page = |editions: Vec<Edition>, language: Language| {
        let facts = Facts { editions, ..self::facts() };
        release::page(language, &facts, leaves(&facts.editions)[0], Some(&told)).unwrap()
    };
    let first = page(vec![current.clone()], Language::French);
    assert!(first.contains("C’est la première version publiée"), "{first}");
    let second = page(vec![current, withdrawn], Language::French);
    assert!(second.contains("Aucune version visible ne la précédait") && !second.contains("la première"), "{second}");
}

#[test]
fn every_page_of_a_dataset_says_in_both_languages_what_it_has_in_common_with_the_others() {
    let facts = facts();
    for (language, invented) in [(Language::French, "Données synthétiques"), (Language::English, "Synthetic data")] {
        let sql = console::page(language, &facts).unwrap().unwrap();
        for page in [page::dataset(language, &facts).unwrap(), sql] {
            let document = parsed(&page);
            let banners = document.descendants().filter(|node| node.attribute("class") == Some("banner"));
            assert_eq!(
                banners.filter(|banner| banner.text().is_some_and(|text| text.starts_with(invented))).count(),
                2
            );
            assert_eq!(page.contains("as they were published"), language == Language::English);
            let feed = document.descendants().find(|node| node.attribute("type") == Some("application/atom+xml"));
            assert_eq!(feed.unwrap().attribute("href"), Some([language.up(), "feed.atom"].concat().as_str()));
        }
    }
}
