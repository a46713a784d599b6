//! The files of a drafted project.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::column::{Finds, Guess, Proposal, propose, slug};
use super::format::Format;
use super::missing::missing_of;
use super::place;
use super::several::{Choice, Question, in_columns, is_other};
use super::survey;
use crate::config::REFERENCE_TABLES;
use crate::contract::fold::fold;
use crate::normalise::Look;

/// Columns that a place lookup fills.
const FILLED: [(&str, &str, &str); 12] = [
    ("code_insee", "string", "Code INSEE de la commune"),
    ("commune", "string", "Commune"),
    ("code_postal", "string", "Code postal"),
    ("code_departement", "string", "Code du département"),
    ("departement", "string", "Département"),
    ("code_region", "string", "Code de la région"),
    ("region", "string", "Région"),
    ("longitude", "number", "Longitude"),
    ("latitude", "number", "Latitude"),
    ("lieu_niveau", "string", "Niveau de localisation"),
    ("lieu_methode", "string", "Méthode de localisation"),
    ("lieu_confiance", "number", "Confiance de la localisation"),
];

/// Words that SQL keeps to itself: a table of such a name needs quotes in every query.
const RESERVED: [&str; 12] =
    ["all", "case", "from", "group", "join", "order", "select", "table", "union", "user", "values", "where"];
/// The column that stands for a key where the file has none.
const KEY: &str = "cle";

/// A project as it was drafted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// Paths and contents of its files.
    pub files: Vec<(String, String)>,
    /// What was seen in each column.
    pub columns: Vec<Proposal>,
    /// Columns of the key.
    pub key: Vec<String>,
    /// EPSG code of the coordinates, when they are no degrees.
    pub crs: Option<u16>,
    /// Texts that are read as nothing.
    pub missing: Vec<String>,
    /// Whether its rows look like people's answers.
    pub survey: bool,
}

/// Names of the source columns that may be the key, the likeliest first: each row that was looked at has another value.
pub fn candidates(look: &Look, finds: Finds) -> Vec<String> {
    let columns = columns_of(look, finds).0;
    let able = |column: &&Proposal| column.unique && !column.personal && column.place.is_none();
    let (named, others): (Vec<&Proposal>, Vec<&Proposal>) = columns.iter().filter(able).partition(|column| {
        column
            .name
            .split('_')
            .any(|word| matches!(word, "id" | "code" | "identifiant" | "gid" | "index" | "uuid" | "ref"))
    });
    named.into_iter().chain(others).map(|column| column.source.clone()).collect()
}

/// Drafts the project of a file: `name` names pipeline and table, `path` is where the file will be, `key` the source
/// column that tells all rows apart. None where no column has a name: nothing can be said of such a file.
pub fn draft(name: &str, path: &str, format: &Format, look: &Look, key: Option<&str>, finds: Finds) -> Option<Drafted> {
    let (columns, crs) = columns_of(look, finds);
    if columns.is_empty() {
        return None;
    }
    let missing: BTreeSet<&str> = look.rows.iter().flat_map(|row| missing_of(row.iter().map(String::as_str))).collect();
    let plan = Plan {
        table: table_name(name),
        path,
        format,
        key: columns.iter().find(|column| key == Some(column.source.as_str())).map(|column| column.name.clone()),
        made_key: unused(KEY, &columns),
        sources: look.columns.iter().filter(|source| !source.is_empty()).collect(),
        columns: &columns,
        crs,
        missing: missing.into_iter().map(str::to_owned).collect(),
    };
    let table = &plan.table;
    let mut files = vec![
        ("essaim.toml".to_owned(), PROJECT.to_owned()),
        (".gitignore".to_owned(), "data/\n".to_owned()),
        (format!("pipelines/{}.toml", table.replace('_', "-")), plan.pipeline()),
        (format!("schemas/{table}.schema.json"), plan.schema()),
    ];
    for column in &columns {
        let unaliased =
            |options: &[String]| codes(&options.iter().map(|option| (option.clone(), Vec::new())).collect::<Vec<_>>());
        let list = match &column.guess {
            Guess::Code(options) | Guess::Codes(_, options) => unaliased(options),
            Guess::Ticks { choices, .. } => codes(choices),
            _ => continue,
        };
        files.push((format!("seeds/codes/{table}_{}.csv", column.name), list));
    }
    let (key, missing) = (plan.key.iter().cloned().collect(), plan.missing.clone());
    let survey = survey::is_survey(&look.columns);
    Some(Drafted { files, columns, key, crs, missing, survey })
}

/// A table's name that no table has already.
fn table_name(name: &str) -> String {
    let table = slug(name);
    let taken = REFERENCE_TABLES.contains(&table.as_str()) || RESERVED.contains(&table.as_str());
    if taken { format!("{table}_source") } else { table }
}

fn unused(base: &str, columns: &[Proposal]) -> String {
    let is_used =
        |name: &str| columns.iter().any(|column| column.name == name || format!("{}_autre", column.name) == name);
    let mut names = std::iter::once(base.to_owned()).chain((2..).map(|nth| format!("{base}_{nth}")));
    names.find(|name| !is_used(name)).unwrap_or_default()
}

/// What the columns seem to hold, questions with one column per option as one, and the coordinate system.
fn columns_of(look: &Look, finds: Finds) -> (Vec<Proposal>, Option<u16>) {
    let cells: Vec<Vec<&str>> = (0..look.columns.len())
        .map(|at| look.rows.iter().map(|row| row.get(at).map_or("", String::as_str)).collect())
        .collect();
    let mut questions = in_columns(&look.columns, &cells, finds);
    let mut columns: Vec<Proposal> = Vec::new();
    for (at, source) in look.columns.iter().enumerate().filter(|(_, source)| !source.is_empty()) {
        let asked = questions.iter().position(|question| question.columns.contains(&at));
        if let Some(asked) = asked.filter(|asked| questions[*asked].columns.first() == Some(&at)) {
            let Question { proposal, .. } = &mut questions[asked];
            proposal.name = unused(&proposal.name, &columns);
            columns.push(proposal.clone());
        } else if asked.is_none() {
            let name = unused(&slug(source), &columns);
            columns.push(propose(source, name, &cells[at], look.rows.len(), finds));
        }
    }
    let of = |column: &Proposal| -> Vec<String> {
        let at = look.columns.iter().position(|source| *source == column.source);
        at.map(|at| cells[at].iter().map(|&cell| cell.to_owned()).collect()).unwrap_or_default()
    };
    let crs = place::settle(&mut columns, look.crs, of);
    (columns, crs)
}

/// A text as TOML writes it: JSON's escapes are TOML's.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// What is known before the files are written.
struct Plan<'a> {
    table: String,
    path: &'a str,
    format: &'a Format,
    /// The key among the columns.
    key: Option<String>,
    /// Name of the key that is made where there is none.
    made_key: String,
    sources: Vec<&'a String>,
    columns: &'a [Proposal],
    crs: Option<u16>,
    missing: Vec<String>,
}

impl Plan<'_> {
    /// The source column that holds all others; no file has one of the second name.
    fn joined(&self) -> &'static str {
        if self.sources.iter().any(|source| *source == KEY) { "#cle" } else { KEY }
    }

    fn pipeline(&self) -> String {
        let (table, path) = (&self.table, self.path);
        let mut out = format!(
            "# A draft of what {path} holds. Three steps from here to a release:\n\
             #   1. essaim check --sample 5           look at the first rows, raw beside typed, and correct this file\n\
             #   2. schemas/{table}.schema.json       \"undeclared\" becomes \"public\" where everyone may see a column; check the licence\n\
             #   3. [publish] tables = [\"{table}\"]    and essaim run\n\n\
             title = \"{table}\"\ndescription = \"À écrire : ce que contient ce jeu de données, et pour qui.\"\n\
             licence = \"etalab-2.0\"    # the licence of the release\n\n\
             [source.{source}]\nlicence = \"etalab-2.0\"    # the licence of the source: check it\nfile.path = {path}\n\n\
             [table.{table}]\nsource = \"{source}\"\n{line}\n",
            source = table.replace('_', "-"),
            path = quoted(path),
            line = self.format.line,
        );
        if !self.missing.is_empty() {
            let texts: Vec<String> = self.missing.iter().map(|text| quoted(text)).collect();
            let _infallible = write!(
                out,
                "\n# Read as empty, by \"missingValues\" of the contract: {}. Where a tool means \"not asked\", take the text out of there\n\
                 # and write not_shown = {} on its columns.\n",
                texts.join(", "),
                texts.first().map_or("", String::as_str)
            );
        }
        if self.key.is_none() {
            let all: Vec<String> = self.sources.iter().map(|source| quoted(source)).collect();
            let _infallible = write!(
                out,
                "\n# No column tells the rows apart: all of them together do, until you know better.\n\
                 [table.{table}.derive]\n{} = {{ from = [{}], join = \" | \" }}\n",
                quoted(self.joined()),
                all.join(", ")
            );
        }
        let _infallible = writeln!(out, "\n[table.{table}.columns]");
        if self.key.is_none() {
            let joined = quoted(self.joined());
            let _infallible = writeln!(out, "{} = {{ from = {joined}, keyed = true }}", self.made_key);
        }
        for column in self.columns.iter().filter(|column| column.place.is_none()) {
            let _infallible = writeln!(out, "{} = {}", column.name, mapping(column));
        }
        self.place(&mut out);
        let sources: Vec<String> = self.sources.iter().map(|source| (*source).clone()).collect();
        if survey::is_survey(&sources) {
            out.push_str(&survey::questionnaire(&self.table, self.columns));
        }
        let table = &self.table;
        let _infallible =
            write!(out, "\n[publish]\ntables = []    # tables = [\"{table}\"] once some of its columns are public\n");
        out
    }

    fn place(&self, out: &mut String) {
        let places: Vec<&Proposal> = self.columns.iter().filter(|column| column.place.is_some()).collect();
        if places.is_empty() {
            return;
        }
        let _infallible = writeln!(out, "\n[table.{}.place]", self.table);
        let mut told: Vec<&str> = Vec::new();
        for place in places.iter().filter_map(|column| column.place) {
            if !told.contains(&place) {
                told.push(place);
                let same = places.iter().filter(|column| column.place == Some(place));
                let names: Vec<String> = same.map(|column| quoted(&column.source)).collect();
                let _infallible = writeln!(out, "{place} = [{}]", names.join(", "));
            }
        }
        if let Some(epsg) = self.crs {
            let title =
                crate::config::crs::KNOWN.iter().find(|(known, _)| *known == epsg).map_or("", |(_, title)| title);
            let _infallible = writeln!(
                out,
                "crs = \"EPSG:{epsg}\"    # {title}, by the file, its columns or the size of the numbers"
            );
        }
    }

    fn schema(&self) -> String {
        let mut fields: Vec<Value> = Vec::new();
        if self.key.is_none() {
            let name = &self.made_key;
            let required = json!({ "required": true });
            fields.push(
                json!({ "name": name, "type": "string", "title": "Clé", "constraints": required, "essaim": open() }),
            );
        }
        for column in self.columns.iter().filter(|column| column.place.is_none()) {
            fields.extend(self.fields(column));
        }
        if self.columns.iter().any(|column| column.place.is_some()) {
            let own = |name: &str| fields.iter().any(|field| field["name"] == name);
            let filled: Vec<Value> = FILLED
                .iter()
                .filter(|(name, ..)| !own(name))
                .map(|(name, kind, title)| json!({ "name": name, "type": kind, "title": title, "essaim": open() }))
                .collect();
            fields.extend(filled);
        }
        let key = self.key.as_ref().unwrap_or(&self.made_key);
        let mut missing = vec![String::new()];
        missing.extend(self.missing.iter().cloned());
        let lines: Vec<String> = fields.iter().map(|field| format!("    {field}")).collect();
        let is_number = |name: &str| fields.iter().any(|field| field["name"] == name && field["type"] == "number");
        // Nothing is drawn before both columns are public.
        let map = if ["longitude", "latitude"].into_iter().all(is_number) { MAP } else { "" };
        format!(
            "{{\n  \"name\": {table:?},\n  \"title\": {table:?},\n  \"primaryKey\": {},\n  \"missingValues\": {},\n  \"fields\": [\n{}\n  ]{map}\n}}\n",
            json!([key]),
            json!(missing),
            lines.join(",\n"),
            table = self.table,
        )
    }

    /// The fields of a column: one, and one more for free text.
    fn fields(&self, column: &Proposal) -> Vec<Value> {
        let (kind, format) = match &column.guess {
            Guess::Text | Guess::Code(_) => ("string", None),
            Guess::Codes(..) | Guess::Ticks { .. } => ("list", None),
            Guess::Siret => ("string", Some("siret")),
            Guess::Uri => ("string", Some("uri")),
            Guess::Integer => ("integer", None),
            Guess::Number(_) => ("number", None),
            Guess::Boolean => ("boolean", None),
            Guess::Date(_) => ("date", None),
        };
        let mut field = json!({ "name": column.name, "type": kind, "title": title(&column.source) });
        if let Some(format) = format {
            field["format"] = format.into();
        }
        if self.key.as_ref() == Some(&column.name) {
            field["constraints"] = json!({ "required": true });
        }
        let codes = format!("{}_{}", self.table, column.name);
        match &column.guess {
            _ if column.personal => field["essaim"] = json!({ "visibility": "personal" }),
            Guess::Code(_) => field["essaim"] = json!({ "visibility": UNDECLARED, "codes": codes }),
            Guess::Codes(..) | Guess::Ticks { .. } => {
                field["essaim"] = json!({ "visibility": UNDECLARED, "codes": codes, "multi": true });
            }
            _ => field["essaim"] = open(),
        }
        let mut fields = vec![field];
        if let Guess::Ticks { other: Some(personal), .. } = &column.guess {
            let (name, title) = (format!("{}_autre", column.name), format!("{} : autre", title(&column.source)));
            let essaim = if *personal { json!({ "visibility": "personal" }) } else { open() };
            fields.push(json!({ "name": name, "type": "string", "title": title, "essaim": essaim }));
        }
        fields
    }
}

/// What a contract says of the columns that give a row its point.
const MAP: &str = ",\n  \"essaim\": {\"geometry\": {\"longitude\": \"longitude\", \"latitude\": \"latitude\"}}";

/// A name as people read it: `NOM_DU_LIEU` as `Nom du lieu`; short names in capitals are abbreviations.
fn title(source: &str) -> String {
    let plain = source.replace('_', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.chars().any(char::is_lowercase) || plain.chars().count() <= SHORT {
        return plain;
    }
    let mut chars = plain.chars();
    chars.next().into_iter().chain(chars.flat_map(char::to_lowercase)).collect()
}

/// Longest abbreviation, in characters.
const SHORT: usize = 5;

/// The visibility of a column of which a person has still to decide: one word to change.
const UNDECLARED: &str = "undeclared";

fn open() -> Value {
    json!({ "visibility": UNDECLARED })
}

/// The right side of a column's line.
fn mapping(column: &Proposal) -> String {
    let from = quoted(&column.source);
    match &column.guess {
        Guess::Number(true) => format!("{{ from = {from}, decimal = \",\" }}"),
        Guess::Date(Some(format)) => format!("{{ from = {from}, format = {} }}", quoted(format)),
        Guess::Codes(Some(separator), _) => format!("{{ from = {from}, separator = {} }}", quoted(separator)),
        Guess::Ticks { pattern, other, .. } => {
            let other = other.map(|_| format!(", other = \"{}_autre\"", column.name)).unwrap_or_default();
            format!("{{ columns = {}{other} }}", quoted(pattern))
        }
        _ => from,
    }
}

/// A code list: codes made of the labels, none of which is another one's spelling.
fn codes(choices: &[Choice]) -> String {
    let mut out = "code,label,label_en,aliases\n".to_owned();
    let spelled: Vec<Vec<String>> = choices
        .iter()
        .map(|(label, aliases)| std::iter::once(label).chain(aliases).map(|text| fold(text)).collect())
        .collect();
    let mut known: Vec<String> = Vec::new();
    for (at, (label, aliases)) in choices.iter().enumerate() {
        let base = if is_other(label) { "autre".to_owned() } else { slug(label) };
        let is_free = |code: &String| {
            let folded = fold(code);
            let others = spelled.iter().enumerate().filter(|(other, _)| *other != at);
            !known.contains(&folded) && !others.flat_map(|(_, spellings)| spellings).any(|other| *other == folded)
        };
        let mut names = std::iter::once(base.clone()).chain((2..).map(|nth| format!("{base}_{nth}")));
        let code = names.find(is_free).unwrap_or_default();
        let mut own: Vec<&String> = Vec::new();
        for alias in aliases.iter().filter(|alias| !alias.contains('|')) {
            let taken = spelled.iter().enumerate().any(|(other, texts)| other != at && texts.contains(&fold(alias)));
            if !taken {
                own.push(alias);
            }
        }
        let joined = own.iter().map(|alias| alias.as_str()).collect::<Vec<_>>().join("|");
        let _infallible = writeln!(out, "{code},{},,{}", cell(label), cell(&joined));
        known.push(fold(&code));
    }
    out
}

fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// The file of a project that nobody has told anything yet.
pub(super) const PROJECT: &str = include_str!("sample/essaim.toml");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::detect;
    use crate::normalise::Head;

    #[test]
    fn titles_are_names_as_people_read_them() {
        let titles = ["NOM_DU_LIEU", "SIRET", "Nom du lieu", "code_postal", "ÉTAT"].map(title);
        assert_eq!(titles, ["Nom du lieu", "SIRET", "Nom du lieu", "code postal", "ÉTAT"]);
    }

    #[test]
    fn nothing_is_drafted_where_no_column_has_a_name() {
        let format = detect(&Head::default());
        let of = |columns: [&str; 2]| {
            let columns = columns.map(str::to_owned).to_vec();
            let look = Look { columns, rows: vec![vec!["0".to_owned(), String::new()]], ..Look::default() };
            draft("t", "seeds/t.csv", &format, &look, None, |_| false).map(|drafted| drafted.columns.len())
        };
        assert_eq!((of(["", ""]), of(["id", ""])), (None, Some(1)));
    }
}
