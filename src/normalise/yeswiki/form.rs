//! What a form's definition says about its entries.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::normalise::row::{Header, Options};
use crate::normalise::scalar::text;

/// Keys of an entry that no form lists.
pub(super) const SYSTEM: [&str; 6] =
    ["id_fiche", "id_typeannonce", "date_creation_fiche", "date_maj_fiche", "statut_fiche", "url"];
/// Keys of an entry that are never read: the address of whoever answered, their account, and a copy of all values.
const NEVER: [&str; 3] = ["user", "owner", "html_data"];

/// Labels of the wiki's lists, by list and key.
#[derive(Debug, Default)]
pub(super) struct Labels(BTreeMap<String, FxHashMap<String, String>>);

impl Labels {
    /// Reads the lists as either version stores them: `label` (keys and labels), or `nodes` (a tree).
    pub(super) fn of_lists(document: &Value) -> Self {
        let mut labels = Self::default();
        for (name, list) in document.as_object().into_iter().flatten() {
            let mut known = FxHashMap::default();
            if let Some(flat) = list.get("label") {
                take_options(flat, &mut known);
            }
            take_nodes(list.get("nodes"), &mut known);
            labels.0.insert(name.clone(), known);
        }
        labels
    }
}

/// Takes in keys and labels: an object, or an array whose positions are the keys.
fn take_options(options: &Value, known: &mut FxHashMap<String, String>) {
    let mut take = |key: String, label: &Value| {
        if let Some(label) = scalar(label) {
            known.insert(key, text::without_entities(&label).into_owned());
        }
    };
    match options {
        Value::Object(options) => options.iter().for_each(|(key, label)| take(key.clone(), label)),
        Value::Array(options) => options.iter().enumerate().for_each(|(at, label)| take(at.to_string(), label)),
        _ => {}
    }
}

/// Takes in a tree of options; ids are numbers or texts.
fn take_nodes(nodes: Option<&Value>, known: &mut FxHashMap<String, String>) {
    for node in nodes.and_then(Value::as_array).into_iter().flatten() {
        if let (Some(id), Some(label)) = (node.get("id").and_then(scalar), node.get("label").and_then(scalar)) {
            known.insert(id, text::without_entities(&label).into_owned());
        }
        take_nodes(node.get("children"), known);
    }
}

/// A text or a number as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Where a column is found in an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Under its own name.
    Key,
    /// A coordinate: under its own name, in the object of a map field, or in `carte_google` as first or second number.
    Coordinate { map: String, second: bool },
}

/// A column that entries may have.
#[derive(Debug)]
pub(super) struct FormColumn {
    pub(super) name: String,
    pub(super) place: Place,
    /// Whether an empty text means that the source holds the answer back.
    pub(super) masked: bool,
    options: Option<Arc<Options>>,
}

/// A form's columns.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) columns: Vec<FormColumn>,
}

impl Form {
    /// Reads a definition: the form itself, an array of one, or an object of forms by id. An error says what is there.
    pub(super) fn read(document: &Value, id: &str, admin: bool, lists: &Labels) -> Result<Self, String> {
        let form = choose(document, id)?;
        let prepared = form.get("prepared").and_then(|prepared| match prepared {
            Value::Array(fields) => Some(fields.iter().collect::<Vec<_>>()),
            Value::Object(fields) => Some(fields.values().collect()),
            _ => None,
        });
        let Some(prepared) = prepared else { return Err("it has no list `prepared` of fields".to_owned()) };
        let mut form = Self { columns: Vec::new() };
        for name in SYSTEM {
            form.take(FormColumn { name: name.to_owned(), place: Place::Key, masked: false, options: None });
        }
        for field in prepared {
            form.take_field(field, admin, lists);
        }
        Ok(form)
    }

    fn take(&mut self, column: FormColumn) {
        let known = self.columns.iter().any(|other| other.name == column.name);
        if !known && !column.name.is_empty() && !NEVER.contains(&column.name.as_str()) {
            self.columns.push(column);
        }
    }

    fn take_field(&mut self, field: &Value, admin: bool, lists: &Labels) {
        let text_of = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or("").trim();
        let id = match text_of("id") {
            "" => text_of("propertyname"),
            id => id,
        };
        let readers = text_of("read_acl");
        let contact = text_of("type") == "email" && field.get("showContactForm").is_some_and(is_true);
        let masked = !admin && (contact || !matches!(readers, "" | "*"));
        if text_of("type") == "map" {
            for (key, default, second) in
                [("latitudeField", "bf_latitude", false), ("longitudeField", "bf_longitude", true)]
            {
                let name = match text_of(key) {
                    "" => default,
                    name => name,
                };
                let place = Place::Coordinate { map: id.to_owned(), second };
                self.take(FormColumn { name: name.to_owned(), place, masked, options: None });
            }
            return;
        }
        let options = options(field, lists).map(Arc::new);
        self.take(FormColumn { name: id.to_owned(), place: Place::Key, masked, options });
    }

    /// The columns, as rows are told of them.
    pub(super) fn header(&self, part: &str) -> Header {
        let names = self.columns.iter().map(|column| column.name.clone()).collect();
        let options = self.columns.iter().map(|column| column.options.clone()).collect();
        Header { options, ..Header::new(part, names, false) }
    }
}

/// PHP writes flags as booleans, numbers or texts.
fn is_true(value: &Value) -> bool {
    scalar(value).is_some_and(|text| matches!(text.as_str(), "true" | "1" | "form"))
}

/// Types of closed questions, whether or not the form says their options.
const CLOSED: [&str; 4] = ["radio", "liste", "checkbox", "tags"];

/// Keys and labels of a closed question: those of the form; those of the list for keys that the form does not have.
fn options(field: &Value, lists: &Labels) -> Option<Options> {
    let choices = field.get("options").filter(|options| options.is_object() || options.is_array());
    let text_of = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or("");
    if choices.is_none() && !CLOSED.contains(&text_of("type")) {
        return None;
    }
    let mut known = lists.0.get(text_of("linkedObjectName")).cloned().unwrap_or_default();
    if let Some(choices) = choices {
        take_options(choices, &mut known);
    }
    Some(Options(known))
}

/// The form with an id in a document.
fn choose<'a>(document: &'a Value, id: &str) -> Result<&'a Value, String> {
    let is_form = |value: &Value| value.get("prepared").is_some();
    let is_wanted = |value: &Value| value.get("bn_id_nature").and_then(scalar).is_none_or(|own| own == id);
    let forms: Vec<&Value> = match document {
        form if is_form(form) => vec![form],
        Value::Array(forms) => forms.iter().filter(|form| is_form(form)).collect(),
        Value::Object(forms) => forms.values().filter(|form| is_form(form)).collect(),
        _ => Vec::new(),
    };
    if let Some(form) = forms.iter().find(|form| is_wanted(form)) {
        return Ok(form);
    }
    let own: Vec<String> = forms.iter().filter_map(|form| form.get("bn_id_nature").and_then(scalar)).collect();
    if own.is_empty() {
        Err("it holds no form at all".to_owned())
    } else {
        Err(format!(
            "it holds the form {}",
            crate::diagnostic::quoted(&own.iter().map(String::as_str).collect::<Vec<_>>())
        ))
    }
}
