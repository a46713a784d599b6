//! `README.md` and `LICENSE` of a release, in French.

use std::fmt::Write as _;

use super::{Context, SYNTHETIC, TableFiles, contract_change, licence_text, licence_title, licence_url, other_title};
use crate::publish::format::Content;
use crate::release::{ContractChange, Level};

/// The README of a release: what it holds, under which licence, how to cite it and how to open it.
pub fn readme(context: &Context<'_>, tables: &[TableFiles<'_>], changes: &[ContractChange]) -> String {
    let mut text = format!("# {}\n\n", context.full_title());
    if context.synthetic {
        paragraph(&mut text, format_args!("**{SYNTHETIC}**"));
    }
    if !context.description.is_empty() {
        paragraph(&mut text, format_args!("{}", context.description));
    }
    paragraph(
        &mut text,
        format_args!(
            "Édition {} (version {} du contrat), publiée le {} par {}. Page du jeu de données : <{}>.",
            context.release,
            context.version,
            context.day(),
            context.publisher.name,
            context.homepage,
        ),
    );
    changes_section(&mut text, changes);
    licence_section(&mut text, context);
    paragraph(&mut text, format_args!("## Citer ces données"));
    paragraph(&mut text, format_args!("> {}", context.citation()));
    sources_section(&mut text, context);
    files_section(&mut text, context, tables);
    opening_section(&mut text, context, tables);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What changed in the contract since the release before; nothing when nothing did.
fn changes_section(text: &mut String, changes: &[ContractChange]) {
    if changes.is_empty() {
        return;
    }
    paragraph(text, format_args!("## Ce qui change depuis l’édition précédente"));
    for change in changes {
        let what = contract_change(&change.change).map_or(change.change.as_str(), |[french, _]| french);
        let column = change.column.as_ref().map_or_else(String::new, |column| format!(", colonne `{column}`"));
        let detail = if change.detail.is_empty() { String::new() } else { format!(" ({})", change.detail) };
        let breaks = if change.level == Level::Major { " **Incompatible.**" } else { "" };
        line(text, format_args!("- Table `{}`{column} : {what}{detail}.{breaks}", change.table));
    }
    text.push('\n');
}

/// The text of the `LICENSE` file: name, address and gist of the licence, and how to name the source.
pub fn licence_notice(context: &Context<'_>) -> String {
    let mut text = format!("{}\n\n", context.full_title());
    let title = licence_title(context.licence).unwrap_or(context.licence);
    paragraph(&mut text, format_args!("Ces données sont publiées sous {title} ({}).", context.licence));
    if let Some(notice) = licence_text(context.licence) {
        paragraph(&mut text, format_args!("{notice}"));
    }
    if let Some(url) = licence_url(context.licence) {
        paragraph(&mut text, format_args!("Le texte de la licence fait foi : {url}"));
    }
    paragraph(&mut text, format_args!("Mention de la source :\n{}", context.citation()));
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn paragraph(text: &mut String, content: std::fmt::Arguments<'_>) {
    line(text, content);
    text.push('\n');
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    text.write_fmt(content).expect("a text takes what it is given");
    text.push('\n');
}

fn licence_section(text: &mut String, context: &Context<'_>) {
    paragraph(text, format_args!("## Licence"));
    let title = licence_title(context.licence).unwrap_or(context.licence);
    match licence_url(context.licence) {
        Some(url) => paragraph(text, format_args!("[{title}]({url}) (`{}`).", context.licence)),
        None => paragraph(text, format_args!("{title}.")),
    }
    if let Some(notice) = licence_text(context.licence) {
        paragraph(text, format_args!("{notice}"));
    }
}

fn sources_section(text: &mut String, context: &Context<'_>) {
    if context.sources.is_empty() {
        return;
    }
    paragraph(text, format_args!("## Sources"));
    for source in &context.sources {
        let by = source.publisher.map_or_else(String::new, |by| format!(", {by}"));
        let licence = licence_title(source.licence).unwrap_or(source.licence);
        match source.homepage {
            Some(url) => line(text, format_args!("- [{}]({url}){by} : {licence}", source.title)),
            None => line(text, format_args!("- {}{by} : {licence}", source.title)),
        }
    }
    text.push('\n');
}

/// What a file of a table is, in a list that names the table.
pub(super) fn form(content: Content) -> &'static str {
    match content {
        Content::Parquet => "Parquet",
        Content::Csv => "CSV (UTF-8, virgules)",
        Content::ExcelFr => "CSV pour tableur français (points-virgules, virgules décimales)",
        Content::GeoJson => "GeoJSON (WGS 84)",
    }
}

fn files_section(text: &mut String, context: &Context<'_>, tables: &[TableFiles<'_>]) {
    paragraph(text, format_args!("## Fichiers"));
    line(text, format_args!("| Fichier | Contenu | Lignes | Octets |"));
    line(text, format_args!("|---|---|---:|---:|"));
    for table in tables {
        for file in table.files {
            let what = form(file.content);
            let title = table.contract.title.replace('|', "\\|");
            line(text, format_args!("| [{0}]({0}) | {title}, {what} | {1} | {2} |", file.path, file.rows, file.bytes));
        }
    }
    for file in context.others {
        let rows = file.rows.map(|rows| rows.to_string()).unwrap_or_default();
        line(text, format_args!("| [{0}]({0}) | {1} | {rows} | {2} |", file.path, other_title(file), file.bytes));
    }
    text.push('\n');
    paragraph(
        text,
        format_args!(
            "Une ligne par observation. Une case vide est une valeur absente. Dans les CSV, les valeurs d'une liste sont \
             séparées par `|`. Les colonnes sont décrites dans `datapackage.json` et dans le dossier `schemas/`, et pour les \
             outils qui les attendent ailleurs dans `csv-metadata.json` (CSVW) et `croissant.json` (Croissant). \
             `CITATION.cff` dit comment citer. Pour vérifier les fichiers téléchargés : `sha256sum -c SHA256SUMS`."
        ),
    );
}

fn opening_section(text: &mut String, context: &Context<'_>, tables: &[TableFiles<'_>]) {
    let Some(first) = tables.first() else { return };
    let address = |table: &TableFiles<'_>, content: Content| {
        format!("{}{}", context.release_url, content.file_name(&table.contract.name))
    };
    let parquet = address(first, Content::Parquet);
    let placed = tables.iter().find(|table| table.files.iter().any(|file| file.content == Content::GeoJson));
    paragraph(text, format_args!("## Ouvrir ces données"));
    paragraph(
        text,
        format_args!(
            "Les adresses ci-dessous sont celles de cette édition, qui ne change pas. Pour l'édition la plus récente, \
             remplacez `{}` par `{}`.",
            context.release_url, context.latest_url,
        ),
    );
    paragraph(text, format_args!("DuckDB :"));
    code(text, "sql", &format!("SELECT * FROM read_parquet('{parquet}') LIMIT 10;"));
    paragraph(text, format_args!("Python :"));
    code(text, "python", &format!("import pandas as pd\n\ntable = pd.read_parquet(\"{parquet}\")"));
    if let Some(placed) = placed {
        let geojson = address(placed, Content::GeoJson);
        code(text, "python", &format!("import geopandas as gpd\n\nplaces = gpd.read_file(\"{geojson}\")"));
    }
    paragraph(text, format_args!("R :"));
    code(text, "r", &format!("library(arrow)\n\ntable <- read_parquet(\"{parquet}\")"));
    if let Some(placed) = placed {
        paragraph(
            text,
            format_args!(
                "QGIS : *Couche*, *Ajouter une couche*, *Ajouter une couche vecteur*, type de source *Protocole : HTTP(S)*, \
                 URI :"
            ),
        );
        code(text, "text", &address(placed, Content::GeoJson));
    }
    if first.files.iter().any(|file| file.content == Content::ExcelFr) {
        paragraph(
            text,
            format_args!(
                "Tableur (Excel ou LibreOffice en français) : téléchargez ce fichier et ouvrez-le. Pour garder le zéro en tête \
                 des codes (`01`), passez par l'import et donnez à ces colonnes le type texte."
            ),
        );
        code(text, "text", &address(first, Content::ExcelFr));
    }
}

fn code(text: &mut String, language: &str, lines: &str) {
    paragraph(text, format_args!("```{language}\n{lines}\n```"));
}
