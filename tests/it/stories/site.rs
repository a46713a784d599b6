//! The site in the public store: pages that anyone opens, without a server and without a script.

mod assets;
mod followed;
mod pictures;
mod releases;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use roxmltree::{Document, Node, ParsingOptions};

use crate::harness::{Project, rows, walk};

const DATASET: &str = "cooperations-territoriales";
/// What the first page may weigh, before its map.
const LIGHT: u64 = 150_000;

fn parsed(text: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn text_of(node: Node<'_, '_>) -> String {
    let text: String = node.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number as digits alone, whatever the language.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '\u{A0}' | '\u{202F}' | ',')).collect()
}

fn has_class(node: &Node<'_, '_>, class: &str) -> bool {
    node.attribute("class").is_some_and(|classes| classes.split(' ').any(|known| known == class))
}

/// A small project of invented places.
fn small() -> Project {
    let project = Project::empty();
    project.essaim(&["init", "."]).expect(0);
    project
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}

fn page(project: &Project, path: &str) -> String {
    project.read(&format!("data/public/{path}"))
}

/// Every page that links lead to from the catalogue, with every link looked at on the way.
fn crawled(public: &Path) -> BTreeSet<PathBuf> {
    let mut waiting = vec![public.join("index.html")];
    let mut seen: BTreeSet<PathBuf> = waiting.iter().cloned().collect();
    let link = regex::Regex::new(r#"(href|src)="([^"]*)""#).unwrap();
    while let Some(path) = waiting.pop() {
        let text = fs::read_to_string(&path).unwrap();
        // The pages of a release are older than the site, and HTML that is no XML.
        let links: Vec<(String, bool)> = if path.ends_with("index.html") {
            links_of(&parsed(&text))
        } else {
            link.captures_iter(&text).map(|found| (found[2].replace("&#x2f;", "/"), true)).collect()
        };
        for (link, may_leave) in links {
            if link.starts_with("http://") || link.starts_with("https://") {
                assert!(may_leave, "{} fetches {link}", path.display());
                continue;
            }
            if link.starts_with("data:") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let target =
                fs::canonicalize(&target).unwrap_or_else(|error| panic!("{} leads to {link}: {error}", path.display()));
            assert!(target.is_file(), "{} leads to the folder {link}", path.display());
            let html = target.extension().is_some_and(|extension| extension == "html");
            if !fragment.is_empty() {
                let aim = fs::read_to_string(&target).unwrap();
                assert!(aim.contains(&format!("id=\"{fragment}\"")), "{} leads to {link}", path.display());
            }
            if html && seen.insert(target.clone()) {
                waiting.push(target);
            }
        }
    }
    seen
}

/// Links of a page, and whether each is one that a person follows; others are fetched with the page.
fn links_of(page: &Document<'_>) -> Vec<(String, bool)> {
    let links = page.descendants().flat_map(|node| {
        let followed = node.tag_name().name() == "a";
        ["href", "src"].into_iter().filter_map(move |name| Some((node.attribute(name)?.to_owned(), followed)))
    });
    links.collect()
}

#[test]
fn a_release_brings_a_site_that_works_from_the_disk() {
    let project = Project::shipped();
    let said = project.run();
    assert!(said.stderr.contains(&format!("data/public/{DATASET}/index.html")), "{}", said.stderr);
    let public = fs::canonicalize(project.path("data/public")).unwrap();
    let pages = crawled(&public);
    for name in ["index.html", "en/index.html"] {
        assert!(pages.contains(&public.join(name)));
        let dataset = public.join(DATASET).join(name);
        assert!(pages.contains(&dataset));
        let bytes = fs::metadata(&dataset).unwrap().len();
        assert!(bytes < LIGHT, "{name} has {bytes} bytes");
        println!("{DATASET}/{name}: {bytes} bytes");
    }
    let pattern = |text: &str| regex::Regex::new(text).unwrap();
    let beside = pattern(r#"^ defer="defer" src="[./&#x2f;]*assets[^"]*/?app-[0-9a-f]{12}\.js"></script>"#);
    let inline = pattern(r#"<style|\sstyle="|\son[a-z]+="|javascript:"#);
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        let told =
            text.contains("class=\"banner\">Données synthétiques") || text.contains("class=\"banner\">Synthetic data");
        assert!(told, "{} does not say that the data are invented", page.display());
        for script in text.split("<script").skip(1) {
            // What is loaded from beside the pages adds to them; nothing runs that stands in a page.
            let data = script.starts_with(" type=\"application/ld+json\"");
            assert!(data || beside.is_match(script), "{} has a script", page.display());
        }
        assert!(!text.contains("@import") && !text.contains("url("), "{} fetches something", page.display());
        // A strict policy of the server blocks style and script that stand in a page of the site. The page in the folder of a
        // release is a file of the release, which stands alone.
        let is_file = page.components().any(|part| part.as_os_str() == "releases" || part.as_os_str() == "latest");
        if page.ends_with("index.html") && !is_file {
            assert!(!inline.is_match(&text), "{} has style or script in it", page.display());
        }
    }
    let style = page(&project, "site.css");
    assert!(!style.contains("@import") && !style.contains("url("), "the style fetches something");
    figures_are_those_of_the_files(&project);
    nothing_is_told_that_is_withheld(&project);
}

fn figures_are_those_of_the_files(project: &Project) {
    let files = project.latest(DATASET);
    let key_figures = rows(&files.join("chiffres_cles.csv"));
    assert_eq!(key_figures.len(), 6);
    let texts = ["index.html", "en/index.html"].map(|name| page(project, &format!("{DATASET}/{name}")));
    let [french, english] = [parsed(&texts[0]), parsed(&texts[1])];
    for (document, label) in [(&french, "libelle"), (&english, "libelle_en")] {
        let keys = document.descendants().find(|node| has_class(node, "keys")).unwrap();
        let cards: Vec<Node<'_, '_>> = keys.children().filter(Node::is_element).collect();
        assert_eq!(cards.len(), key_figures.len());
        for (card, row) in cards.iter().zip(&key_figures) {
            let value = text_of(card.children().find(|node| node.tag_name().name() == "strong").unwrap());
            let expected = match row["pourcentage"].as_str() {
                "" => row["n"].clone(),
                percentage => format!("{percentage}%"),
            };
            assert_eq!(plain(&value), expected);
            assert_eq!(text_of(card.children().find(|node| has_class(node, "label")).unwrap()), row[label]);
            if !row["base"].is_empty() {
                let words = text_of(*card);
                assert!(words.contains(&row["n"]) && words.contains(&row["base"]), "{words}");
            }
        }
    }
    for table in ["figure_1_echelle_action", "figure_2_types_accompagnes", "figure_3_modalites"] {
        let caption = french.descendants().find(|node| node.attribute("id") == Some(&format!("bars-{table}"))).unwrap();
        let body = caption.parent().unwrap().descendants().find(|node| node.tag_name().name() == "tbody").unwrap();
        let bars: Vec<Vec<String>> = body
            .children()
            .filter(Node::is_element)
            .map(|row| row.children().filter(Node::is_element).map(text_of).collect())
            .collect();
        let expected: Vec<Vec<String>> = rows(&files.join(format!("{table}.csv")))
            .iter()
            .map(|row| {
                let share = row["part_repondants"].parse::<f64>().unwrap() * 100.0;
                vec![row["libelle"].clone(), row["n"].clone(), format!("{} %", (share + 0.5).floor())]
            })
            .collect();
        let spaced = |row: &Vec<String>| row.iter().map(|cell| cell.replace('\u{A0}', " ")).collect::<Vec<_>>();
        assert_eq!(bars.iter().map(spaced).collect::<Vec<_>>(), expected, "{table}");
    }
    // The same numbers in the same order in either language.
    let numbers = |document: &Document<'_>| -> Vec<String> {
        let cells =
            document.descendants().filter(|node| has_class(node, "number") || node.tag_name().name() == "strong");
        let digits = |cell| text_of(cell).chars().filter(char::is_ascii_digit).collect::<String>();
        cells.map(digits).filter(|digits| !digits.is_empty()).collect()
    };
    assert!(numbers(&french).len() > 60);
    assert_eq!(numbers(&french), numbers(&english));
    // The map counts what the files hold.
    let map = page(project, &format!("{DATASET}/map.svg"));
    assert_eq!(parsed(&map).descendants().filter(|node| node.attribute("id") == Some("structures")).count(), 1);
    for table in ["structures", "reseaux_implantations"] {
        let places =
            rows(&files.join(format!("{table}.csv"))).iter().filter(|row| !row["longitude"].is_empty()).count();
        assert!(texts[0].contains(&format!("({places} lieux sur la carte")), "{places} {table}");
    }
}

/// Who agreed to be shown, and nothing that is personal.
fn nothing_is_told_that_is_withheld(project: &Project) {
    let answers: BTreeMap<String, serde_json::Value> =
        serde_json::from_value(project.json("seeds/exemple/questionnaire.synthetique.entries.json")).unwrap();
    let mut site = String::new();
    walk(&project.path("data/public"), &mut |path| {
        let text = path.to_string_lossy();
        if text.ends_with("index.html") || text.ends_with("map.svg") {
            site.push_str(&fs::read_to_string(path).unwrap());
        }
    });
    let mut hidden = 0;
    for (id, answer) in &answers {
        assert!(!site.contains(id.as_str()), "{id}");
        for column in ["bf_contact_nom", "bf_contact_courriel", "bf_contact_telephone", "bf_siret"] {
            if let Some(value) = answer[column].as_str().filter(|value| !value.trim().is_empty()) {
                assert!(!site.contains(value), "{value}");
                hidden += 1;
            }
        }
    }
    assert!(hidden > 100, "{hidden}");
    let shown: BTreeSet<String> =
        rows(&project.latest(DATASET).join("structures.csv")).into_iter().map(|row| row["nom"].clone()).collect();
    for answer in answers.values() {
        let name = answer["bf_titre"].as_str().unwrap();
        assert!(shown.contains(name) || !site.contains(name), "{name} did not agree");
    }
}

#[test]
fn a_withdrawn_release_is_marked_with_its_reason_and_its_figures_are_gone() {
    let project = small();
    project.run();
    let first = project.releases("lieux").pop().unwrap();
    let before = project.public();
    project
        .essaim(&["releases", "withdraw", &format!("lieux@{first}"), "--because", "Une colonne <était> décalée."])
        .expect(0);
    for name in ["index.html", "en/index.html"] {
        let text = page(&project, &format!("lieux/{name}"));
        parsed(&text);
        let word = if name == "index.html" { "<strong>retirée</strong>" } else { "<strong>withdrawn</strong>" };
        assert!(text.contains(word) && text.contains("Une colonne &lt;était&gt; décalée."), "{text}");
        assert!(!text.contains("id=\"tables\""));
    }
    assert!(page(&project, "index.html").contains("Aucune version n’est publiée actuellement."));
    assert!(!project.path("data/public/lieux/map.svg").exists());
    crawled(&fs::canonicalize(project.path("data/public")).unwrap());
    let said = project.essaim(&["releases", "verify"]).expect(0).stderr;
    assert!(said.contains("0 faults, 0 stale"), "{said}");
    project.essaim(&["releases", "restore", &format!("lieux@{first}"), "--because", "Corrigée."]).expect(0);
    assert_eq!(project.public()["public/lieux/index.html"], before["public/lieux/index.html"]);
}

#[test]
fn a_page_that_is_lost_or_altered_is_stale_and_made_again() {
    let project = small();
    project.run();
    let good = project.public();
    fs::remove_file(project.path("data/public/index.html")).unwrap();
    project.write("data/public/lieux/en/index.html", "altered");
    let output = project.essaim(&["releases", "verify"]).expect(0);
    assert!(output.stderr.contains("0 faults, 2 stale"), "{}{}", output.stdout, output.stderr);
    let said = project.essaim(&["catalog", "rebuild"]).expect(0).stderr;
    assert!(said.contains("lieux: pages, releases.json and latest/ are as the log says"), "{said}");
    assert!(project.public() == good);
    // What is there is not written again.
    let changed = |name: &str| fs::metadata(project.path(name)).unwrap().modified().unwrap();
    let before = changed("data/public/index.html");
    project.essaim(&["catalog", "rebuild"]).expect(0);
    project.run();
    assert_eq!(changed("data/public/index.html"), before);
    assert!(project.public() == good);
}

#[test]
fn a_page_that_cannot_be_written_fails_no_release() {
    let project = small();
    // A folder stands where the page belongs.
    project.write("data/public/lieux/index.html/x", "");
    let said = project.essaim(&["run"]).expect(0).stderr;
    assert!(said.contains("the site is stale and will be repaired by the next run"), "{said}");
    assert_eq!(project.releases("lieux").len(), 1);
    let output = project.essaim(&["releases", "verify"]).expect(0);
    assert!(output.stderr.contains("0 faults, 1 stale"), "{}{}", output.stdout, output.stderr);
    fs::remove_dir_all(project.path("data/public/lieux/index.html")).unwrap();
    project.run();
    let said = project.essaim(&["releases", "verify"]).expect(0).stderr;
    assert!(said.contains("0 faults, 0 stale"), "{said}");
}
