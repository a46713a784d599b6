//! The data dictionary of a release: one page for people, one CSV for tools.
//!
//! Both are pure functions of a [`Dictionary`]: the same dictionary gives the same bytes. The page is in French, stands
//! alone (no script, nothing fetched), prints well and reads on a telephone.

use csv_core::Terminator;
use csv_core::WriteResult;
use csv_core::WriterBuilder;
use minijinja::context;
use serde::Serialize;

use super::page::environment;
use super::words::{self, Language, whole};

const TEMPLATE: &str = include_str!("../../web/dictionary.html");
const HEADER: [&str; 8] = ["table", "colonne", "type", "titre", "description", "unite", "obligatoire", "codes"];

/// The page could not be made: the template and what it is given do not fit.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the data dictionary of `{dataset}`")]
pub struct DictionaryError {
    /// Title of the dataset.
    pub dataset: String,
    /// What the template engine says.
    pub source: minijinja::Error,
}

/// What is said of a dataset and its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dictionary {
    /// Title of the dataset.
    pub title: String,
    /// What the dataset is; blank lines part paragraphs.
    pub description: String,
    /// The release described, absent for a dictionary of the contracts alone.
    pub release: Option<String>,
    /// Name of the licence.
    pub licence_title: String,
    /// Text of the licence; a link only if it is `http` or `https`.
    pub licence_url: String,
    /// Who publishes.
    pub publisher: String,
    /// The data are made up: a banner says so.
    pub synthetic: bool,
    /// Bases, thresholds, confidentiality: what must be known before a number is used.
    pub notes: Vec<String>,
    /// The published tables, in the order of the page.
    pub tables: Vec<Table>,
}

/// A published table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Name in SQL and in file names.
    pub name: String,
    /// Title for people.
    pub title: String,
    /// What a row is, and what else must be known.
    pub description: String,
    /// Number of rows.
    pub rows: u64,
    /// Columns of the primary key.
    pub key: Vec<String>,
    /// The files that hold it.
    pub files: Vec<File>,
    /// Its columns, in order.
    pub columns: Vec<Column>,
}

/// A published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Path relative to the page.
    pub path: String,
    /// Media type.
    pub media_type: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A published column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Name in SQL and in file headers.
    pub name: String,
    /// Type of its values.
    pub kind: Kind,
    /// Title for people.
    pub title: String,
    /// What it means.
    pub description: String,
    /// Unit of its numbers.
    pub unit: Option<String>,
    /// Whether every row has a value.
    pub required: bool,
    /// Whether no two rows share a value.
    pub unique: bool,
    /// The values it may take, with their labels; empty if it is free.
    pub codes: Vec<(String, String)>,
    /// Its base, threshold or reading.
    pub note: Option<String>,
}

/// Type of the values of a column, as Table Schema names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text.
    String,
    /// Whole number.
    Integer,
    /// Number with a fraction.
    Number,
    /// True or false.
    Boolean,
    /// Day.
    Date,
    /// Day and time.
    Datetime,
    /// Several codes, joined with `|` in CSV.
    List,
    /// Place or outline.
    Geometry,
}

impl Kind {
    /// The word of Table Schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::List => "list",
            Self::Geometry => "geometry",
        }
    }

    fn in_french(self) -> &'static str {
        match self {
            Self::String => "texte",
            Self::Integer => "nombre entier",
            Self::Number => "nombre décimal",
            Self::Boolean => "vrai ou faux",
            Self::Date => "date",
            Self::Datetime => "date et heure",
            Self::List => "liste de valeurs",
            Self::Geometry => "géométrie",
        }
    }
}

/// The dictionary as an HTML page.
pub fn html(dictionary: &Dictionary) -> Result<String, DictionaryError> {
    page(dictionary).map_err(|source| DictionaryError { dataset: dictionary.title.clone(), source })
}

fn page(dictionary: &Dictionary) -> Result<String, minijinja::Error> {
    let mut environment = environment("dictionary.html", TEMPLATE)?;
    environment.add_filter("size", |bytes: u64| size(bytes));
    environment.add_filter("link", |path: String| link(&path));
    environment.add_filter("paragraphs", |text: String| paragraphs(&text));
    let kinds: Vec<Vec<&str>> =
        dictionary.tables.iter().map(|t| t.columns.iter().map(|column| column.kind.in_french()).collect()).collect();
    let url = &dictionary.licence_url;
    let licence_is_link = url.starts_with("https://") || url.starts_with("http://");
    environment.get_template("dictionary.html")?.render(context! { d => dictionary, kinds, licence_is_link })
}

/// What the page says of a file: its size and its digest.
pub(super) fn told(bytes: u64, sha256: &str) -> String {
    let start = sha256.get(..12).unwrap_or(sha256);
    format!("{}</td><td><code title=\"{sha256}\">{start}…", size(bytes))
}

/// The page without the line of a file that is no more.
pub(super) fn without_file(page: &str, path: &str) -> String {
    let is_of = |line: &&str| line.starts_with("<tr><td><a ") && line.contains(&format!(">{path}</a></td>"));
    page.split_inclusive('\n').filter(|line| !is_of(line)).collect()
}

/// The page with another number of rows of a table.
pub(super) fn with_rows(page: &str, table: &str, before: u64, after: u64) -> String {
    let listed = |rows: u64| format!("<code>{table}</code>, {} ligne{},", whole(rows), if rows > 1 { "s" } else { "" });
    let page = page.replace(&listed(before), &listed(after));
    let counted = |rows: u64| format!("<dt>Nombre de lignes</dt><dd>{}</dd>", whole(rows));
    match page.split_once(&format!("id=\"table-{table}\"")) {
        Some((head, rest)) => {
            format!("{head}id=\"table-{table}\"{}", rest.replacen(&counted(before), &counted(after), 1))
        }
        None => page,
    }
}

/// The page of another release.
pub(super) fn with_release(page: &str, before: &str, after: &str) -> String {
    let said = |release: &str| format!("<dt>Version publiée</dt><dd>{release}</dd>");
    page.replace(&said(before), &said(after))
}

/// The dictionary as CSV (RFC 4180, UTF-8), one line per column.
///
/// `type` is the word of Table Schema, `obligatoire` is `true` or `false`, `codes` reads `code=label|code=label`; a `|` or
/// `\` in a code or label, and a `=` in a code, has a `\` before it.
pub fn csv(dictionary: &Dictionary) -> String {
    let mut lines = Lines::new();
    lines.write(&HEADER);
    for table in &dictionary.tables {
        for column in &table.columns {
            let codes: Vec<String> = column
                .codes
                .iter()
                .map(|(code, label)| format!("{}={}", escape(code).replace('=', "\\="), escape(label)))
                .collect();
            lines.write(&[
                &table.name,
                &column.name,
                column.kind.as_str(),
                &column.title,
                &column.description,
                column.unit.as_deref().unwrap_or_default(),
                if column.required { "true" } else { "false" },
                &codes.join("|"),
            ]);
        }
    }
    // Fields were UTF-8, and a delimiter is put between whole fields only.
    String::from_utf8_lossy(&lines.bytes).into_owned()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|")
}

/// CSV that grows by whole lines.
struct Lines {
    writer: csv_core::Writer,
    bytes: Vec<u8>,
}

impl Lines {
    fn new() -> Self {
        Self { writer: WriterBuilder::new().terminator(Terminator::CRLF).build(), bytes: Vec::new() }
    }

    fn write(&mut self, fields: &[&str]) {
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.put(csv_core::Writer::delimiter);
            }
            let mut rest = field.as_bytes();
            self.put(|writer, out| {
                let (result, read, written) = writer.field(rest, out);
                rest = rest.get(read..).unwrap_or_default();
                (result, written)
            });
        }
        self.put(csv_core::Writer::terminator);
    }

    /// Repeats `step` until all its output had room.
    fn put(&mut self, mut step: impl FnMut(&mut csv_core::Writer, &mut [u8]) -> (WriteResult, usize)) {
        let mut room = [0; 256];
        loop {
            let (result, written) = step(&mut self.writer, &mut room);
            self.bytes.extend_from_slice(room.get(..written).unwrap_or_default());
            if result == WriteResult::InputEmpty {
                return;
            }
        }
    }
}

/// A size as people read it; below a kilo-octet, octets are counted.
pub(super) fn size(bytes: u64) -> String {
    if bytes >= 1000 {
        return words::size(Language::French, bytes);
    }
    format!("{bytes}\u{A0}octet{}", if bytes > 1 { "s" } else { "" })
}

/// A relative path as a link that no one can take for an absolute one.
fn link(path: &str) -> String {
    let mut link = "./".to_owned();
    for byte in path.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            link.push(char::from(byte));
        } else {
            let escaped = format!("%{byte:02X}");
            link.push_str(&escaped);
        }
    }
    link
}

fn paragraphs(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    text.split("\n\n").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn column(name: &str, kind: Kind) -> Column {
        Column {
            name: name.to_owned(),
            kind,
            title: "Statut juridique".to_owned(),
            description: "Forme de la structure".to_owned(),
            unit: None,
            required: true,
            unique: false,
            codes: Vec::new(),
            note: None,
        }
    }

    fn dictionary(columns: Vec<Column>) -> Dictionary {
        let file = |path: &str, bytes| File {
            path: path.to_owned(),
            media_type: "text/csv".to_owned(),
            bytes,
            sha256: "0123456789abcdef".repeat(4),
        };
        Dictionary {
            title: "Coopérations & territoires".to_owned(),
            description: "Premier paragraphe.\n\nSecond paragraphe.".to_owned(),
            release: Some("2026-11-22".to_owned()),
            licence_title: "Licence Ouverte 2.0".to_owned(),
            licence_url: "https://www.etalab.gouv.fr/licence".to_owned(),
            publisher: "Un réseau".to_owned(),
            synthetic: true,
            notes: vec!["Les cases de moins de 5 structures sont masquées.".to_owned()],
            tables: vec![Table {
                name: "structures".to_owned(),
                title: "Annuaire".to_owned(),
                description: "Une ligne par structure.".to_owned(),
                rows: 1234,
                key: vec!["id".to_owned()],
                files: vec![file("data/structures.csv", 12_345), file("javascript:alert(1)", 1)],
                columns,
            }],
        }
    }

    fn page_of(dictionary: &Dictionary) -> String {
        // The engine writes `/` as an entity in values.
        html(dictionary).unwrap().replace("&#x2f;", "/")
    }

    #[test]
    fn the_page_tells_what_it_was_given() {
        let mut statut = column("statut", Kind::List);
        statut.codes = vec![("scic".to_owned(), "Société coopérative".to_owned())];
        statut.unit = Some("euros".to_owned());
        statut.note = Some("Base : 62".to_owned());
        let page = page_of(&dictionary(vec![statut]));
        for part in [
            "<h1>Coopérations &amp; territoires</h1>",
            "<p>Premier paragraphe.</p>\n<p>Second paragraphe.</p>",
            "<p class=\"banner\">Données synthétiques : aucune structure réelle</p>",
            "<a href=\"https://www.etalab.gouv.fr/licence\" rel=\"license\">Licence Ouverte 2.0</a>",
            "<dd>2026-11-22</dd>",
            "<li>Les cases de moins de 5 structures sont masquées.</li>",
            "<a href=\"#table-structures\">Annuaire</a>",
            "1\u{202F}234 lignes, 1 colonne<",
            "<a href=\"./data/structures.csv\">data/structures.csv</a>",
            "12,3\u{A0}ko",
            "<code title=\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\">0123456789ab…</code>",
            "<tr id=\"structures.statut\">",
            "liste de valeurs<br><span class=\"soft\">en euros</span>",
            "<p class=\"soft\">Base : 62</p>",
            "<summary>1 valeur possible</summary>",
            "<dt><code>scic</code></dt> <dd>Société coopérative</dd>",
            "obligatoire, liste fermée",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }

    #[test]
    fn real_data_bear_no_banner_and_only_web_addresses_become_links() {
        let real = Dictionary {
            synthetic: false,
            licence_url: "javascript:alert(1)".to_owned(),
            ..dictionary(vec![column("a", Kind::String)])
        };
        let page = page_of(&real);
        assert!(!page.contains("Données synthétiques"));
        assert!(page.contains("<dd>Licence Ouverte 2.0</dd>"));
        assert!(!page.contains("href=\"javascript"));
        assert!(page.contains("href=\"./javascript%3Aalert%281%29\""));
    }

    #[test]
    fn a_file_that_is_no_more_has_no_line_and_its_neighbours_keep_theirs() {
        let mut given = dictionary(vec![column("a", Kind::String)]);
        let file = |path: &str| File { path: path.to_owned(), ..given.tables[0].files[0].clone() };
        given.tables[0].files = vec![file("lieux.csv"), file("lieux.svg"), file("autres_lieux.svg")];
        let whole = page_of(&given);
        let page = without_file(&whole, "lieux.svg");
        assert!(page.contains(">lieux.csv</a>") && page.contains(">autres_lieux.svg</a>"), "{page}");
        assert!(!page.contains("./lieux.svg") && page.lines().count() == whole.lines().count() - 1, "{page}");
    }

    #[test]
    fn markup_in_values_is_text() {
        let mut hostile = column("a", Kind::String);
        hostile.description = "<script>alert(\"x\")</script>".to_owned();
        let page = page_of(&dictionary(vec![hostile]));
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn the_csv_has_one_line_per_column() {
        let mut statut = column("statut", Kind::String);
        statut.codes = vec![("a=b".to_owned(), "A|B \\".to_owned()), ("c".to_owned(), "C = D".to_owned())];
        statut.description = "Dit \"forme\", en clair".to_owned();
        let mut budget = column("budget", Kind::Number);
        budget.unit = Some("euros".to_owned());
        budget.required = false;
        assert_eq!(
            csv(&dictionary(vec![statut, budget])),
            "table,colonne,type,titre,description,unite,obligatoire,codes\r\n\
             structures,statut,string,Statut juridique,\"Dit \"\"forme\"\", en clair\",,true,a\\=b=A\\|B \\\\|c=C = D\r\n\
             structures,budget,number,Statut juridique,Forme de la structure,euros,false,\r\n"
        );
    }

    #[rstest]
    #[case(0, "0\u{A0}octet")]
    #[case(999, "999\u{A0}octets")]
    #[case(1_000, "1,0\u{A0}ko")]
    #[case(12_345, "12,3\u{A0}ko")]
    #[case::rounds_up_to_the_next_unit(999_950, "1,0\u{A0}Mo")]
    #[case(1_234_567_890_123, "1\u{202F}234,6\u{A0}Go")]
    fn sizes_are_rounded_half_up(#[case] bytes: u64, #[case] expected: &str) {
        assert_eq!(size(bytes), expected);
    }

    /// The fields of `text`, read with the same library.
    fn read(text: &str) -> Vec<Vec<String>> {
        let (mut reader, mut rest) = (csv_core::Reader::new(), text.as_bytes());
        let (mut out, mut ends) = (vec![0; text.len() + 1], vec![0; 64]);
        let mut lines = Vec::new();
        loop {
            let (result, used, _, count) = reader.read_record(rest, &mut out, &mut ends);
            rest = &rest[used..];
            match result {
                csv_core::ReadRecordResult::Record => {
                    let starts = [0].into_iter().chain(ends[..count].iter().copied());
                    let field = |(start, end): (usize, &usize)| String::from_utf8(out[start..*end].to_vec()).unwrap();
                    lines.push(starts.zip(&ends[..count]).map(field).collect());
                }
                csv_core::ReadRecordResult::End => return lines,
                _ => assert!(rest.is_empty(), "{result:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back_from_the_csv(text in any::<String>(), long in "\\PC{200,400}") {
            let mut given = column("a", Kind::String);
            given.title.clone_from(&text);
            given.description.clone_from(&long);
            let lines = read(&csv(&dictionary(vec![given])));
            prop_assert_eq!(lines.len(), 2);
            prop_assert_eq!(&lines[1][3], &text);
            prop_assert_eq!(&lines[1][4], &long);
        }

        #[test]
        fn any_text_makes_a_page(text in any::<String>()) {
            let mut given = column(&text, Kind::Geometry);
            given.codes = vec![(text.clone(), text.clone())];
            let mut about = dictionary(vec![given]);
            about.tables[0].files[0].sha256.clone_from(&text);
            about.tables[0].files[0].path.clone_from(&text);
            let page = html(&about).unwrap();
            prop_assert!(!page.contains("<script"));
        }
    }
}
