//! The catalogue of `PostgreSQL` over what is published, and the SQL of its clients put into words that the engine has.

use std::sync::Arc;

use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::setup_pg_catalog;
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;

use super::failure::Failure;
use super::variables::{SERVER_VERSION, Variables};
use crate::engine::{CATALOG, add_lookup, add_text};
use crate::serve::sql::{Client, Prepared, Refusal, SqlService};
use crate::serve::words::{Kind, Word, words};

/// Most words of a statement that is put into other words; those of tools have some hundred.
const MOST_WORDS: usize = 4000;

/// Statements are taken apart by recursion, and may be nested as deeply as they are long.
const STACK: usize = 64 << 20;

/// The service as clients of `PostgreSQL` see it.
#[derive(Debug)]
pub(super) struct Catalogue {
    service: SqlService,
    parser: Arc<PostgresCompatibilityParser>,
}

/// Why the catalogue is not shown.
#[derive(Debug, thiserror::Error)]
#[error("the catalogue of PostgreSQL could not be made: {0}")]
pub struct NoCatalogue(String);

impl Catalogue {
    /// Adds `pg_catalog` and its functions to what a service shows.
    pub(super) fn over(service: &SqlService) -> Result<Self, NoCatalogue> {
        let service = service.variant(|context| {
            setup_pg_catalog(context, CATALOG, EmptyContextProvider).map_err(|error| NoCatalogue(error.to_string()))?;
            add_text(context, "version", &format!("PostgreSQL {SERVER_VERSION}"));
            add_lookup(context, "current_setting", |name| Some(Variables::default().show(name).ok()?.1));
            Ok(())
        })?;
        Ok(Self { service, parser: Arc::new(PostgresCompatibilityParser::new()) })
    }

    pub(super) fn service(&self) -> &SqlService {
        &self.service
    }

    /// Plans a query behind the guard. One that speaks of the catalogue is put into words that the engine has, others
    /// when they cannot be planned as they stand; the guard judges those in the same way. What is told of a mistake is about
    /// the client's own words.
    pub(super) async fn prepare(&self, client: &Client, sql: &str) -> Result<Prepared, Failure> {
        let speaks = speaks_of_the_catalogue(sql);
        if speaks == Speaks::Only
            && let Some(prepared) = self.prepare_in_other_words(client, sql).await
        {
            return Ok(prepared);
        }
        let refusal = match self.service.prepare(client, sql).await {
            Ok(prepared) => return Ok(prepared),
            Err(refusal) => refusal,
        };
        if speaks == Speaks::Perhaps
            && matches!(refusal, Refusal::Problems(_))
            && let Some(prepared) = self.prepare_in_other_words(client, sql).await
        {
            return Ok(prepared);
        }
        Err(refusal.into())
    }

    async fn prepare_in_other_words(&self, client: &Client, sql: &str) -> Option<Prepared> {
        let other = self.in_other_words(sql).await?;
        self.service.prepare(client, &other).await.ok()
    }

    async fn in_other_words(&self, sql: &str) -> Option<String> {
        let (parser, sql) = (Arc::clone(&self.parser), replaced(sql));
        let rewritten = tokio::task::spawn_blocking(move || {
            let rewrite = move || {
                let statements = parser.parse(&sql).ok()?;
                match statements.as_slice() {
                    [one] => Some(one.to_string()),
                    _ => None,
                }
            };
            // A thread of its own for its stack. What breaks there is a statement that is refused.
            let thread = std::thread::Builder::new().stack_size(STACK).spawn(rewrite).ok()?;
            thread.join().ok().flatten()
        });
        rewritten.await.ok().flatten()
    }
}

/// How much a statement speaks of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaks {
    /// It has names that only `PostgreSQL` has.
    Only,
    /// It has words that `PostgreSQL` understands in its own way.
    Perhaps,
    Not,
}

fn speaks_of_the_catalogue(sql: &str) -> Speaks {
    let words = words(sql);
    if words.len() > MOST_WORDS {
        return Speaks::Not;
    }
    let names = words.iter().filter(|word| matches!(word.kind, Kind::Word | Kind::Quoted)).map(Word::value);
    let mut speaks = Speaks::Not;
    for name in names {
        match name.as_str() {
            "information_schema" | "regclass" | "regproc" | "regtype" | "regnamespace" | "regrole" | "regoper"
            | "regprocedure" => return Speaks::Only,
            name if name.starts_with("pg_") => return Speaks::Only,
            "any" | "all" | "version" | "user" | "session_user" => speaks = Speaks::Perhaps,
            name if name.starts_with("current_") => speaks = Speaks::Perhaps,
            _ => {}
        }
    }
    speaks
}

/// What tools write that has other words with the same meaning: the numbers of the schemas in the search path, of which there
/// is one, and whether there are rows.
fn replaced(sql: &str) -> String {
    const NUMBERS: [&str; 14] = [
        "generate_series",
        "(",
        "1",
        ",",
        "array_upper",
        "(",
        "current_schemas",
        "(",
        "false",
        ")",
        ",",
        "1",
        ")",
        ")",
    ];
    let words = words(sql);
    let same =
        |window: &[Word<'_>]| window.iter().zip(NUMBERS).all(|(word, part)| word.text.eq_ignore_ascii_case(part));
    let mut text = String::with_capacity(sql.len());
    let mut copied = 0;
    for window in words.windows(NUMBERS.len()).filter(|window| same(window)) {
        if let [first, .., last] = window {
            text.push_str(sql.get(copied..first.at).unwrap_or_default());
            text.push_str("(VALUES (1))");
            copied = last.at + last.text.len();
        }
    }
    text.push_str(sql.get(copied..).unwrap_or_default());
    match words.as_slice() {
        [select, exists, open, .., close] if select.is("select") && exists.is("exists") && open.text == "(" => {
            let whole = close.text == ")" && encloses(&words, close.at);
            let inner = sql.get(open.at + 1..close.at).filter(|_| whole);
            inner.map_or(text, |inner| format!("SELECT count(*) > 0 AS \"exists\" FROM ({inner}) AS t"))
        }
        _ => text,
    }
}

/// Whether the first bracket is closed by the one at a byte.
fn encloses(words: &[Word<'_>], at: usize) -> bool {
    let mut depth = 0_usize;
    for word in words.iter().filter(|word| word.kind == Kind::Symbol) {
        match word.text {
            "(" => depth += 1,
            ")" if depth == 1 => return word.at == at,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.sqlstate().into(),
            message: refusal.to_string(),
            hint: refusal.help().map(ToOwned::to_owned),
            position: refusal.place().map(|place| place.characters + 1),
            fatal: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::table("SELECT * FROM pg_catalog.pg_class", Speaks::Only)]
    #[case::cast("SELECT 'lieux'::regclass", Speaks::Only)]
    #[case::any("SELECT id FROM lieux WHERE id = ANY($1)", Speaks::Perhaps)]
    #[case::in_a_text("SELECT 'pg_class'", Speaks::Not)]
    #[case::own("SELECT region FROM lieux", Speaks::Not)]
    fn statements_about_the_catalogue_are_told_from_others(#[case] sql: &str, #[case] expected: Speaks) {
        assert_eq!(speaks_of_the_catalogue(sql), expected);
    }

    #[rstest]
    #[case::numbers(
        "SELECT r FROM generate_series(1, array_upper(current_schemas(false), 1)) as s(r)",
        "SELECT r FROM (VALUES (1)) as s(r)"
    )]
    #[case::exists("SELECT EXISTS ( SELECT (1) )", "SELECT count(*) > 0 AS \"exists\" FROM ( SELECT (1) ) AS t")]
    #[case::exists_and_more("SELECT EXISTS (SELECT 1) AND (true)", "SELECT EXISTS (SELECT 1) AND (true)")]
    #[case::other("SELECT ')'", "SELECT ')'")]
    fn what_has_no_words_in_the_engine_gets_others(#[case] sql: &str, #[case] expected: &str) {
        assert_eq!(replaced(sql), expected);
    }
}
