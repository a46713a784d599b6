//! `CITATION.cff`: how to cite a release, for programs that keep references (Citation File Format 1.2.0).

use std::fmt::Write as _;

use super::{Context, keywords, licence_id};

/// The citation of a release, as YAML.
///
/// # Why not a crate for YAML
/// The file has ten keys that never change. Every text stands in double quotes, which makes it a JSON string, and these are
/// YAML.
pub fn citation_file(context: &Context<'_>) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("cff-version: 1.2.0"));
    line(
        &mut text,
        format_args!("message: {}", quoted("Pour citer ces données, reprenez les indications de ce fichier.")),
    );
    line(&mut text, format_args!("type: dataset"));
    line(&mut text, format_args!("title: {}", quoted(&context.full_title())));
    let description = context.full_description();
    if !description.trim().is_empty() {
        line(&mut text, format_args!("abstract: {}", quoted(description.trim())));
    }
    line(&mut text, format_args!("version: {}", quoted(&context.version)));
    line(&mut text, format_args!("date-released: {}", quoted(context.day())));
    line(&mut text, format_args!("license: {}", quoted(licence_id(context.licence).unwrap_or(context.licence))));
    line(&mut text, format_args!("url: {}", quoted(&context.page_url())));
    line(&mut text, format_args!("identifiers:\n  - type: url\n    value: {}", quoted(context.release_url)));
    let what = format!("Fichiers de l’édition {}.", context.release);
    line(&mut text, format_args!("    description: {}", quoted(&what)));
    let publisher = context.publisher;
    line(&mut text, format_args!("authors:\n  - name: {}", quoted(&publisher.name)));
    // The format takes addresses of the web and of mail only.
    if let Some(url) = publisher.url.as_ref().filter(|url| url.starts_with("https://") || url.starts_with("http://")) {
        line(&mut text, format_args!("    website: {}", quoted(url)));
    }
    if let Some(email) = publisher.email.as_ref().filter(|email| is_address(email)) {
        line(&mut text, format_args!("    email: {}", quoted(email)));
    }
    let mut words = keywords(context);
    let mut seen = std::collections::BTreeSet::new();
    words.retain(|word| !word.is_empty() && seen.insert(word.clone()));
    if !words.is_empty() {
        line(&mut text, format_args!("keywords:"));
    }
    for word in words {
        line(&mut text, format_args!("  - {}", quoted(&word)));
    }
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    text.write_fmt(content).expect("a text takes what it is given");
    text.push('\n');
}

/// Whether a text has the form that the format asks of an address of mail.
fn is_address(text: &str) -> bool {
    let has_blank = text.chars().any(char::is_whitespace);
    let parts = text.split_once('@').and_then(|(name, host)| Some((name, host.rsplit_once('.')?)));
    parts.is_some_and(|(name, (host, end))| !has_blank && !name.is_empty() && !host.is_empty() && end.len() >= 2)
}

/// A text in double quotes. What YAML takes for a line end or for no text at all is written as its number.
fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).expect("a text is JSON");
    let mut quoted = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                write!(quoted, "\\u{:04x}", u32::from(c)).expect("a text takes what it is given");
            }
            _ => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::publish::metadata::tests::Sample;

    #[test]
    fn the_citation_names_title_edition_licence_and_publisher() {
        let expected = r#"cff-version: 1.2.0
message: "Pour citer ces données, reprenez les indications de ce fichier."
type: dataset
title: "Coopérations (données synthétiques)"
abstract: "Données synthétiques : les réponses sont inventées et ne décrivent aucune structure réelle. Qui coopère avec qui."
version: "1.2.0"
date-released: "2026-11-22"
license: "etalab-2.0"
url: "https://data.example.org/cooperations/versions/2026-11-22/"
identifiers:
  - type: url
    value: "https://data.example.org/cooperations/releases/2026-11-22/"
    description: "Fichiers de l’édition 2026-11-22."
authors:
  - name: "Les Exemples"
    website: "https://example.org/"
    email: "contact@example.org"
keywords:
  - "coopération"
  - "données synthétiques"
"#;
        assert_eq!(citation_file(&Sample::new().context(true)), expected);
    }

    #[test]
    fn what_the_format_does_not_take_is_left_out_and_the_licence_is_spelled_as_spdx_does() {
        let mut sample = Sample::new();
        sample.publisher.url = Some("example.org".to_owned());
        sample.publisher.email = Some("par le site".to_owned());
        let words = ["eau".to_owned(), "eau".to_owned()];
        let context = Context { licence: "ETALAB-2.0", keywords: &words, description: "", ..sample.context(false) };
        let text = citation_file(&context);
        assert!(!text.contains("website") && !text.contains("email") && !text.contains("abstract"), "{text}");
        assert!(text.contains("\nlicense: \"etalab-2.0\"\n"), "{text}");
        assert!(text.ends_with("keywords:\n  - \"eau\"\n"), "{text}");
    }

    #[rstest]
    #[case::plain("Coopérations", "\"Coopérations\"")]
    #[case::quotes("Dit « non » ou \"oui\"", "\"Dit « non » ou \\\"oui\\\"\"")]
    #[case::colon_and_mark("a: b # c", "\"a: b # c\"")]
    #[case::lines("a\nb", "\"a\\nb\"")]
    #[case::next_line("a\u{85}b", "\"a\\u0085b\"")]
    #[case::line_separator("a\u{2028}b", "\"a\\u2028b\"")]
    #[case::backslash("a\\b", "\"a\\\\b\"")]
    fn texts_are_quoted_so_that_yaml_reads_them_as_they_are(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(quoted(text), expected);
    }

    #[rstest]
    #[case("contact@example.org", true)]
    #[case("contact@example", false)]
    #[case("contact @example.org", false)]
    #[case("@example.org", false)]
    #[case("contact@example.o", false)]
    fn addresses_of_mail_are_told_from_other_texts(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_address(text), expected);
    }
}
