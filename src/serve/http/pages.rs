//! The few pages that the server makes itself, for people who look with a browser: why something is not to be had, and what
//! is in a release. French, with the same in English below.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use html_escape::{encode_double_quoted_attribute as attribute, encode_text as escaped};

use super::policy;
use crate::serve::error::{Gone, ServeError};
use crate::serve::published::{Contents, Release};
use crate::store::media_type_of;

const STYLE: &str = "body { font: 1.05rem/1.55 system-ui, sans-serif; max-width: 56rem; margin: 3rem auto; padding: 0 1rem; \
color-scheme: light dark } h1 { font-size: 1.6rem; line-height: 1.25 } table { border-collapse: collapse } \
th, td { text-align: left; padding: .3rem .9rem .3rem 0; font-weight: 400 } .number { text-align: right } \
section + section { margin-top: 3rem }";

/// Whether who asks is somebody at a browser.
pub(super) fn is_browser(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// The answer to a request that is not answered as it was asked: a page for browsers, JSON for all others.
pub(super) fn refusal(error: ServeError, headers: &HeaderMap) -> Response {
    if !is_browser(headers) {
        return error.into_response();
    }
    let (french, english) = texts(&error);
    let mut response = page(french.0, &section("fr", french.0, &french.1), &section("en", english.0, &english.1));
    *response.status_mut() = error.status();
    error.set_headers(&mut response);
    response
}

type Text = (&'static str, String);

/// Title and text, in French and in English.
fn texts(error: &ServeError) -> (Text, Text) {
    match error {
        ServeError::Gone(gone) => gone_texts(gone),
        ServeError::NotFound { .. } => (
            (
                "Rien n’est publié à cette adresse",
                "Vérifiez l’adresse, ou partez du <a href=\"/\">catalogue</a>.".into(),
            ),
            ("Nothing is published here", "Check the address, or begin at the <a href=\"/\">catalogue</a>.".into()),
        ),
        ServeError::Unavailable | ServeError::Busy => (
            ("Momentanément indisponible", "Réessayez dans un instant.".into()),
            ("Not available just now", "Try again in a moment.".into()),
        ),
        other => (
            ("Cette demande ne peut pas être satisfaite", escaped(&other.to_string()).into_owned()),
            ("This request cannot be answered", escaped(&other.to_string()).into_owned()),
        ),
    }
}

fn gone_texts(gone: &Gone) -> (Text, Text) {
    let Gone { dataset, release, at, reason, replaced_by } = gone;
    let day = at.split('T').next().unwrap_or(at);
    let reason = reason.as_deref().map(|reason| format!("<blockquote lang=\"fr\">{}</blockquote>", escaped(reason)));
    let reason = reason.unwrap_or_default();
    let link = |to: &str, text: &str| format!("<a href=\"/{dataset}/{to}\">{text}</a>");
    match replaced_by {
        Some(new) => {
            let to = format!("releases/{new}/");
            (
                (
                    "Cette édition a été réécrite",
                    format!(
                        "L’édition {release} de {dataset} a été réécrite le {day} après une demande d’effacement.{reason}\
                         Elle est remplacée par l’édition {}.",
                        link(&to, new.as_str())
                    ),
                ),
                (
                    "This release was rewritten",
                    format!(
                        "Release {release} of {dataset} was rewritten on {day} after a demand to erase a record. Release \
                         {} stands in its place.",
                        link(&to, new.as_str())
                    ),
                ),
            )
        }
        None => (
            (
                "Cette édition a été retirée",
                format!(
                    "L’édition {release} de {dataset} a été retirée le {day}.{reason}Voir {}.",
                    link("", "les éditions publiées")
                ),
            ),
            (
                "This release was withdrawn",
                format!(
                    "Release {release} of {dataset} was withdrawn on {day}. See {}.",
                    link("", "what is published")
                ),
            ),
        ),
    }
}

fn section(language: &str, title: &str, text: &str) -> String {
    format!("<section lang=\"{language}\"><h1>{title}</h1><div>{text}</div></section>")
}

/// The folder of a release: its files, with their sizes and digests.
pub(super) fn folder(release: &Release, contents: &Contents) -> Response {
    let manifest = &contents.manifest;
    let title = format!("{} – {}", manifest.title, release.id);
    let mut rows = String::new();
    for (path, (digest, size)) in &contents.files {
        write!(
            rows,
            "<tr><th scope=\"row\"><a href=\"{}\">{}</a></th><td>{}</td><td class=\"number\">{size}</td><td><code>{digest}\
             </code></td></tr>",
            attribute(path),
            escaped(path),
            media_type_of(path),
        )
        .expect("writing to a String cannot fail");
    }
    let synthetic = if manifest.synthetic { "<p>Données synthétiques : aucune structure réelle.</p>" } else { "" };
    let body = format!(
        "<section lang=\"fr\"><h1>{}</h1>{synthetic}<p>Édition {} publiée le <time datetime=\"{at}\">{day}</time>. Voir <a \
         href=\"../../\">la page du jeu de données</a>.</p><table><thead><tr><th scope=\"col\">Fichier</th><th scope=\"col\">\
         Type</th><th scope=\"col\" class=\"number\">Octets</th><th scope=\"col\">SHA-256</th></tr></thead><tbody>{rows}</tbody>\
         </table></section>",
        escaped(&manifest.title),
        release.id,
        at = release.issued,
        day = release.issued.split('T').next().unwrap_or_default(),
    );
    page(&title, &body, "")
}

fn page(title: &str, first: &str, second: &str) -> Response {
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"fr\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{}</title><link rel=\"icon\" href=\"data:,\"><style>{STYLE}\
         </style></head><body>{first}{second}</body></html>\n",
        escaped(title)
    );
    let policy = policy::of_document(text.as_bytes());
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_text_and_never_markup() {
        let gone = Gone {
            dataset: "lieux".parse().unwrap(),
            release: "2026-11-22".parse().unwrap(),
            at: "2026-11-23T08:00:00Z".to_owned(),
            reason: Some("<script>alert(1)</script>".to_owned()),
            replaced_by: None,
        };
        let ((title, text), _) = gone_texts(&gone);
        assert_eq!(title, "Cette édition a été retirée");
        assert!(text.contains("&lt;script&gt;") && !text.contains("<script"), "{text}");
    }
}
