//! Texts: free ones, web addresses, establishment numbers, and public ids made of them.

use std::borrow::Cow;
use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::code::pieces;
use super::store::Texts;
use super::{Cell, Fit, held};
use crate::config::pipeline::Secret;
use crate::contract::Broken;
use crate::normalise::row::Options;
use crate::normalise::scalar::{siret, text, uri};

/// Most zeros that are put back in front of a number that lost them.
const LOST_ZEROS: usize = 2;

/// What a text must be.
#[derive(Debug)]
pub(super) enum Form {
    /// Anything.
    Free,
    /// A web address.
    Uri,
    /// An establishment number.
    Siret,
    /// A value whose keyed digest stands in its place.
    Keyed(Keyed),
}

/// Makes public ids.
#[derive(Clone)]
pub(super) struct Keyed(Hmac<Sha256>);

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed(***)")
    }
}

impl Keyed {
    /// Ids of a table.
    pub(super) fn new(key: &Secret, table: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes keys of any length");
        mac.update(table.as_bytes());
        mac.update(b":");
        Self(mac)
    }

    /// The id of a value: 16 hexadecimal digits.
    fn id(&self, value: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(value.as_bytes());
        let digest = mac.finalize().into_bytes();
        hex::encode(digest.get(..8).unwrap_or(&digest))
    }
}

/// How much of HTML is in the texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Html {
    /// Entities are decoded.
    pub(super) entities: bool,
    /// Tags go; paragraphs and breaks become line feeds.
    pub(super) tags: bool,
}

/// A column of texts.
#[derive(Debug)]
pub(super) struct TextColumn {
    pub(super) texts: Texts,
    form: Form,
    /// Whether entities are decoded, and whether tags go.
    html: Html,
    missing: Vec<String>,
    options: Option<Arc<Options>>,
    scratch: String,
}

impl TextColumn {
    pub(super) fn new(form: Form, html: Html, missing: &[String]) -> Self {
        let (texts, missing) = (Texts::new(), missing.to_vec());
        Self { texts, form, html, missing, options: None, scratch: String::new() }
    }

    pub(super) fn bind(&mut self, options: Option<&Arc<Options>>) {
        self.options = options.cloned();
    }

    /// Appends a trimmed text that is not empty.
    pub(super) fn push(&mut self, trimmed: &[u8], cell: &mut Cell<'_>) -> Fit {
        let Ok(before) = std::str::from_utf8(trimmed) else { return Fit::Unfit("texte_illisible") };
        let options = self.options.clone();
        let mut value = match &options {
            Some(options) => labels(before, options),
            None => Cow::Borrowed(before),
        };
        if self.html.tags && text::has_tag(&value) {
            let plain = text::without_tags(&value);
            cell.notes.corrected(cell.column, before, "html_en_texte", plain.trim());
            value = Cow::Owned(plain);
        }
        if self.html.entities
            && let Cow::Owned(decoded) = text::without_entities(&value)
        {
            cell.notes.corrected(cell.column, before, "entites_html", decoded.trim());
            value = Cow::Owned(decoded);
        }
        if let Cow::Owned(cleaned) = text::without_noise(&value) {
            cell.notes.corrected(cell.column, &value, text::NOISE, cleaned.trim());
            value = Cow::Owned(cleaned);
        }
        let value = value.trim();
        if value.is_empty() || self.missing.iter().any(|missing| missing == value) {
            return Fit::Empty;
        }
        match &self.form {
            Form::Free => self.push_free(value, cell),
            Form::Keyed(keyed) => {
                self.texts.push(Some(&keyed.id(value)));
                Fit::Answered
            }
            Form::Uri => match uri::uri(value) {
                Ok(address) => {
                    if let Cow::Owned(whole) = &address {
                        cell.notes.corrected(cell.column, value, "schema_ajoute", whole);
                    }
                    self.push_matching(&address, cell)
                }
                Err(reason) => Fit::Unfit(reason),
            },
            Form::Siret => self.push_siret(value, cell),
        }
    }

    fn push_matching(&mut self, value: &str, cell: &Cell<'_>) -> Fit {
        let fit = held(cell.rule.broken_by_text(value));
        if fit == Fit::Answered {
            self.texts.push(Some(value));
        }
        fit
    }

    fn push_free(&mut self, value: &str, cell: &mut Cell<'_>) -> Fit {
        let broken = cell.rule.broken_by_text(value);
        if broken != Some(Broken::Pattern) {
            if broken.is_none() {
                self.texts.push(Some(value));
            }
            return held(broken);
        }
        let fits = |text: &str| cell.rule.broken_by_text(text).is_none();
        // A number that went through a table calculation: `84200.0`.
        let whole = value.strip_suffix(".0").unwrap_or(value);
        if !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()) {
            if whole.len() < value.len() && fits(whole) {
                cell.notes.corrected(cell.column, value, "decimale_nulle", whole);
                self.texts.push(Some(whole));
                return Fit::Answered;
            }
            self.scratch.clear();
            self.scratch.push_str(whole);
            for _ in 0..LOST_ZEROS {
                self.scratch.insert(0, '0');
                if fits(&self.scratch) {
                    cell.notes.corrected(cell.column, value, "zeros_de_tete", &self.scratch);
                    self.texts.push(Some(&self.scratch));
                    return Fit::Answered;
                }
            }
        }
        held(broken)
    }

    fn push_siret(&mut self, value: &str, cell: &mut Cell<'_>) -> Fit {
        match siret::siret(value.strip_suffix(".0").unwrap_or(value), &mut self.scratch) {
            Ok(mended) => {
                if mended.blanks {
                    cell.notes.corrected(cell.column, value, "espaces_siret", &self.scratch);
                }
                if mended.zeros {
                    cell.notes.corrected(cell.column, value, "zeros_de_tete", &self.scratch);
                }
                let number = std::mem::take(&mut self.scratch);
                let fit = self.push_matching(&number, cell);
                self.scratch = number;
                fit
            }
            Err(reason) => Fit::Unfit(reason),
        }
    }
}

/// What keys of a closed question stand for, as text: labels joined by `, `; as they are when one has no label.
pub(in crate::normalise) fn labels<'a>(keys: &'a str, options: &'a Options) -> Cow<'a, str> {
    if let Some(label) = options.label(keys) {
        return Cow::Borrowed(label.trim());
    }
    let each: Option<Vec<&str>> = pieces(keys.as_bytes(), b",")
        .filter_map(|key| std::str::from_utf8(key).ok())
        .map(|key| options.label(key.trim()).map(str::trim))
        .collect();
    each.map_or(Cow::Borrowed(keys), |labels| Cow::Owned(labels.join(", ")))
}
