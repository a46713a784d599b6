//! From what is known of a dataset to its page, in one language.

use minijinja::{Environment, Error, context};
use serde::Serialize;
use serde_json::Value;

use super::read::{Card, Facts, Release, TableFacts, description, licence, text, without_notice};
use super::sheet::Sheet;
use super::words::{self, Language};
use super::{MAP, app, editions, jsonld, quality, texts};
use crate::publish::metadata::page_url;
use crate::publish::{PublishError, page};
use crate::release::FileRecord;

/// The templates: four pages, what they are built on, and what some of them share.
pub(super) const TEMPLATES: [(&str, &str); 9] = [
    ("base.html", include_str!("../../../web/site/base.html")),
    ("dataset.html", include_str!("../../../web/site/dataset.html")),
    ("release.html", include_str!("../../../web/site/release.html")),
    ("catalogue.html", include_str!("../../../web/site/catalogue.html")),
    ("sql.html", include_str!("../../../web/site/sql.html")),
    ("cells.html", include_str!("../../../web/site/cells.html")),
    ("licence.html", include_str!("../../../web/site/licence.html")),
    ("quality.html", include_str!("../../../web/site/quality.html")),
    ("provenance.html", include_str!("../../../web/site/provenance.html")),
];

/// Most characters of a cell in a preview.
const LONGEST: usize = 80;

#[derive(Serialize)]
struct KeyFigure {
    value: String,
    label: String,
    lang: &'static str,
    n: String,
    base: String,
    of: String,
}

#[derive(Serialize)]
struct Bar {
    label: String,
    lang: &'static str,
    n: String,
    share: String,
}

#[derive(Serialize)]
struct Figure<'a> {
    table: &'a str,
    title: &'a str,
    path: &'a str,
    /// The drawing and its rows in all forms.
    files: Vec<File<'a>>,
    base: String,
    bars: Vec<Bar>,
    preview: Preview,
}

#[derive(Serialize, Default)]
struct Preview {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

#[derive(Serialize)]
struct Table<'a> {
    name: &'a str,
    title: &'a str,
    description: String,
    rows: u64,
    secret_rows: u64,
    columns: usize,
    files: Vec<File<'a>>,
    /// Whether all of its rows stand beside its figure.
    figure: bool,
    preview: Preview,
}

/// A file of a release.
#[derive(Serialize)]
pub(super) struct File<'a> {
    path: &'a str,
    format: &'static str,
    media_type: &'a str,
    bytes: u64,
    sha256: String,
}

#[derive(Serialize)]
struct Places<'a> {
    look: &'static str,
    table: &'a str,
    title: &'a str,
    drawn: usize,
    elsewhere: usize,
}

#[derive(Serialize)]
struct Region<'a> {
    name: &'a str,
    counts: Vec<u64>,
}

#[derive(Serialize)]
struct Use {
    parquet: String,
    geojson: Option<String>,
    excel: Option<String>,
    release_url: String,
    latest_url: String,
}

/// An environment for one of the pages, with the words and filters of a language.
pub(super) fn environment(language: Language, name: &'static str) -> Result<Environment<'static>, Error> {
    let is_it = |known: &str| known == name;
    let template = TEMPLATES.iter().find(|(known, _)| is_it(known)).map_or("", |(_, template)| *template);
    let mut environment = page::environment(name, template)?;
    for (other, template) in TEMPLATES.iter().filter(|(known, _)| !is_it(known)) {
        environment.add_template(other, template)?;
    }
    environment.add_filter("number", move |value: minijinja::Value| words::number(language, &value.to_string()));
    environment.add_filter("size", move |bytes: u64| words::size(language, bytes));
    environment.add_filter("day", move |time: String| words::day(language, &time));
    environment.add_filter("minute", move |time: String| words::minute(language, &time));
    environment.add_global("t", minijinja::Value::from_serialize(texts::of(language)));
    environment.add_global("lang", language.tag());
    // From the page to its folder, to that of the dataset, and to the top of the site.
    let up = language.up();
    let (home, top) = match name {
        "catalogue.html" => ("", ""),
        "release.html" => ("../../", "../../../"),
        _ => ("", "../"),
    };
    environment.add_global("up", up);
    environment.add_global("home", format!("{up}{home}"));
    environment.add_global("top", format!("{up}{top}"));
    // Pages of this language in their folder, and this one in French.
    environment.add_global("page", language.page());
    environment.add_global("here", if is_it("sql.html") { "sql.html" } else { "index.html" });
    // What runs on a page.
    environment.add_global("app", app::loader().filter(|_| is_it("dataset.html") || is_it("sql.html")));
    Ok(environment)
}

pub(super) fn drawn(page: &'static str) -> impl Fn(Error) -> PublishError {
    move |error| PublishError::Page { page, source: Box::new(error) }
}

/// The catalogue.
pub(super) fn catalogue(language: Language, cards: &[Card], harvested: bool) -> Result<String, PublishError> {
    let render = || {
        let publisher = cards.iter().map(|card| card.publisher.as_str()).find(|name| !name.is_empty());
        environment(language, "catalogue.html")?.get_template("catalogue.html")?.render(context! {
            cards,
            publisher => publisher.unwrap_or_default(),
            synthetic => cards.iter().any(|card| card.synthetic),
            all_synthetic => cards.iter().all(|card| card.synthetic),
            harvested,
        })
    };
    render().map_err(drawn("index.html"))
}

/// The page of a dataset.
pub(super) fn dataset(language: Language, facts: &Facts) -> Result<String, PublishError> {
    let render = || {
        let environment = environment(language, "dataset.html")?;
        let template = environment.get_template("dataset.html")?;
        let (versions, more_versions) = editions::listed(&facts.editions);
        let common = context! {
            dataset => facts.dataset.as_str(),
            versions,
            more_versions,
            freshness => quality::freshness(facts),
        };
        let Some(release) = &facts.release else {
            let none = context! { release => (), title => facts.dataset.as_str(), synthetic => false };
            return template.render(context! { ..none, ..common });
        };
        template.render(context! { ..described(language, release), ..measured(language, release), ..common })
    };
    render().map_err(drawn("index.html of a dataset"))
}

/// What a release is: its texts, licence, sources and how to use it.
pub(super) fn described(language: Language, release: &Release) -> minijinja::Value {
    let (manifest, package) = (&release.manifest, &release.package);
    let publisher = &package["contributors"][0];
    let licence = licence(manifest, package);
    let url = page_url(&text(&package["homepage"]), manifest.release.as_str());
    let title = text(&package["title"]);
    let (id, by) = (&manifest.release, text(&publisher["title"]));
    let citation = match language {
        Language::French => format!("{by}, « {title} », édition {id}, {licence}, {url}"),
        Language::English => format!("{by}, “{title}”, release {id}, {licence}, {url}"),
    };
    let jsonld = jsonld::dataset(manifest, package);
    context! {
        release => manifest.release.as_str(),
        title => manifest.title,
        synthetic => manifest.synthetic,
        description => description(package),
        version => manifest.version,
        issued => manifest.issued,
        publisher => by,
        publisher_url => address(&publisher["path"]),
        licence => licence,
        licence_url => address(&package["licenses"][0]["path"]),
        keywords => package["keywords"],
        citation,
        usage => usage(release),
        sources => quality::sources(release),
        previous => manifest.previous,
        jsonld,
    }
}

/// What a release holds: figures, places, tables, checks.
fn measured(language: Language, release: &Release) -> minijinja::Value {
    let manifest = &release.manifest;
    let own = |file: &&FileRecord| {
        let of_table = release.tables.iter().any(|table| table.files.iter().any(|known| known.path == file.path));
        !of_table && !file.path.contains('/')
    };
    let others: Vec<File<'_>> = manifest.files.iter().filter(own).map(file).collect();
    let has = |path: &str| manifest.files.iter().any(|file| file.path == path);
    context! {
        key_figures => key_figures(language, release),
        figures => release.tables.iter().filter_map(|table| figure(language, table)).collect::<Vec<_>>(),
        layers => layers(release),
        regions => regions(release),
        map => MAP,
        tables => release.tables.iter().map(table).collect::<Vec<_>>(),
        others,
        has_dictionary => has("dictionary.html"),
        has_changes => has("changes.html"),
        checks => quality::checks(release),
        failing => quality::failing(release),
        gate => quality::gate(release),
        reads => quality::reads(release),
    }
}

/// An address that may become a link.
fn address(value: &Value) -> Option<&str> {
    value.as_str().filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

/// The label of a row in a language, and the language that it is in.
fn label(language: Language, sheet: &Sheet, row: &[String]) -> (String, &'static str) {
    let english = sheet.cell(row, "libelle_en");
    if language == Language::English && !english.is_empty() {
        return (english.to_owned(), "en");
    }
    (sheet.cell(row, "libelle").to_owned(), "fr")
}

fn is_secret(sheet: &Sheet, row: &[String]) -> bool {
    sheet.cell(row, "secret") == "true"
}

fn withheld(language: Language) -> String {
    texts::of(language).get("secret").copied().unwrap_or_default().to_owned()
}

fn key_figures(language: Language, release: &Release) -> Vec<KeyFigure> {
    let Some(table) = release.tables.iter().find(|table| table.record.name == super::KEY_FIGURES) else {
        return Vec::new();
    };
    let sheet = &table.sheet;
    let figure = |row: &Vec<String>| {
        let cell = |column: &str| sheet.cell(row, column);
        let (label, lang) = label(language, sheet, row);
        let (secret, percentage) = (is_secret(sheet, row), cell("pourcentage"));
        let value = match (secret, percentage.is_empty()) {
            (true, _) => withheld(language),
            (_, false) => words::percent(language, percentage),
            (_, true) => words::number(language, cell("n")),
        };
        let has_base = !cell("base").is_empty() && !secret;
        let or_empty = |text: String| if has_base { text } else { String::new() };
        KeyFigure {
            value,
            label,
            lang,
            n: or_empty(words::number(language, cell("n"))),
            base: or_empty(words::number(language, cell("base"))),
            of: or_empty(cell("base_libelle").to_owned()),
        }
    };
    sheet.rows.iter().map(figure).filter(|figure| !figure.label.is_empty()).collect()
}

/// Whether rows are bars with a label and a number.
fn is_bars(sheet: &Sheet) -> bool {
    sheet.at("libelle").is_some() && sheet.at("n").is_some()
}

fn figure(language: Language, table: &TableFacts) -> Option<Figure<'_>> {
    let (path, sheet) = (table.figure.as_deref()?, &table.sheet);
    let bar = |row: &Vec<String>| {
        let (label, lang) = label(language, sheet, row);
        let secret = is_secret(sheet, row);
        let n = if secret { withheld(language) } else { words::number(language, sheet.cell(row, "n")) };
        let share = words::share(sheet.cell(row, "part_repondants")).filter(|_| !secret);
        Bar { label, lang, n, share: share.map(|share| words::percent(language, &share)).unwrap_or_default() }
    };
    let is_bars = is_bars(sheet);
    let mut bases: Vec<&str> = sheet.rows.iter().map(|row| sheet.cell(row, "base")).collect();
    bases.dedup();
    let base = match bases.as_slice() {
        [base] => words::number(language, base),
        _ => String::new(),
    };
    Some(Figure {
        table: &table.record.name,
        title: &table.record.title,
        path,
        files: table.files.iter().map(file).collect(),
        base,
        bars: if is_bars { sheet.rows.iter().map(bar).collect() } else { Vec::new() },
        preview: if is_bars { Preview::default() } else { preview(sheet) },
    })
}

/// The first rows, without the outlines of areas.
fn preview(sheet: &Sheet) -> Preview {
    let kept: Vec<usize> = (0..sheet.columns.len()).filter(|at| sheet.columns[*at] != "geometry").collect();
    let pick = |row: &Vec<String>| {
        kept.iter().map(|at| row.get(*at).map(|cell| words::shortened(cell, LONGEST)).unwrap_or_default()).collect()
    };
    Preview { columns: pick(&sheet.columns), rows: sheet.rows.iter().take(super::PREVIEW).map(pick).collect() }
}

fn table(facts: &TableFacts) -> Table<'_> {
    let record = &facts.record;
    Table {
        name: &record.name,
        title: &record.title,
        description: without_notice(&facts.description),
        rows: record.rows,
        secret_rows: record.secret_rows,
        columns: record.columns.len(),
        files: facts.files.iter().map(file).collect(),
        figure: facts.figure.is_some() && is_bars(&facts.sheet),
        preview: preview(&facts.sheet),
    }
}

pub(super) fn file(file: &FileRecord) -> File<'_> {
    let format = match file.path.split_once('.').map_or("", |(_, extension)| extension) {
        "parquet" => "format_parquet",
        "csv" => "format_csv",
        "excel-fr.csv" => "format_excel",
        "geojson" => "format_geojson",
        "svg" => "format_svg",
        "png" => "format_png",
        _ => "",
    };
    let (path, media_type, bytes) = (file.path.as_str(), file.media_type.as_str(), file.bytes);
    File { path, format, media_type, bytes, sha256: file.sha256.to_string() }
}

fn layers(release: &Release) -> Vec<Places<'_>> {
    let layers = release.layers.iter().enumerate().map(|(at, layer)| Places {
        look: super::map::look(at),
        table: &layer.table,
        title: &layer.title,
        drawn: layer.drawn,
        elsewhere: layer.elsewhere,
    });
    layers.collect()
}

fn regions(release: &Release) -> Vec<Region<'_>> {
    let mut names: Vec<&str> =
        release.layers.iter().flat_map(|layer| layer.regions.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let counts =
        |name: &str| release.layers.iter().map(|layer| layer.regions.get(name).copied().unwrap_or(0)).collect();
    names.into_iter().map(|name| Region { name, counts: counts(name) }).collect()
}

/// Where to open the data from: the table of the places, or the first.
fn usage(release: &Release) -> Option<Use> {
    let placed = release.layers.first().map(|layer| layer.table.as_str());
    let chosen = release.tables.iter().find(|table| placed.is_none_or(|placed| table.record.name == placed))?;
    let release_url = text(&release.package["id"]);
    let url = |ending: &str| {
        let path = format!("{}.{ending}", chosen.record.name);
        chosen.files.iter().any(|file| file.path == path).then(|| format!("{release_url}{path}"))
    };
    let homepage = text(&release.package["homepage"]);
    let geojson = url("geojson").filter(|_| placed.is_some());
    Some(Use {
        parquet: url("parquet")?,
        geojson,
        excel: url("excel-fr.csv"),
        latest_url: format!("{homepage}latest/"),
        release_url,
    })
}
