//! Statements about the session: transactions, settings, cursors. They are answered here and never reach the engine.

use super::failure::Failure;
use crate::serve::words::{Kind, Word, words};

/// What a statement asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Nothing at all.
    Empty,
    /// Something for the engine, behind the guard.
    Query,
    Begin,
    Commit,
    Rollback,
    Savepoint,
    ReleaseSavepoint,
    RollbackToSavepoint,
    /// A setting; `None` is its default.
    Set {
        name: String,
        value: Option<String>,
    },
    /// Something of which nothing is kept, with the tag of its answer.
    Nothing(&'static str),
    ResetAll,
    DiscardAll,
    Show(String),
    /// A prepared statement; `None` is all of them.
    Deallocate(Option<String>),
    /// A cursor over the query that begins at a byte.
    Declare {
        cursor: String,
        hold: bool,
        query: usize,
    },
    /// Rows of a cursor.
    Fetch {
        cursor: String,
        rows: usize,
    },
    /// A cursor; `None` is all of them.
    Close(Option<String>),
}

/// The words of a statement, read from its beginning.
struct Reader<'a> {
    words: Vec<Word<'a>>,
    next: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&Word<'a>> {
        self.words.get(self.next)
    }

    /// Whether a keyword comes next, which is then read.
    fn eat(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.is(keyword));
        self.next += usize::from(found);
        found
    }

    fn eat_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.eat(keyword))
    }

    fn name(&mut self) -> Result<String, Failure> {
        let word = self.peek().filter(|word| matches!(word.kind, Kind::Word | Kind::Quoted));
        let name = word.map(Word::value).ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(name)
    }

    fn rest_has(&self, keywords: &[&str]) -> bool {
        self.words.iter().skip(self.next).any(|word| keywords.iter().any(|keyword| word.is(keyword)))
    }

    fn unexpected(&self) -> Failure {
        match self.peek() {
            Some(word) => Failure {
                // A byte for now; whoever knows the text makes characters of it.
                position: Some(word.at),
                ..Failure::new("42601", format!("syntax error at or near \"{}\"", word.text))
            },
            None => Failure::new("42601", "syntax error at end of input"),
        }
    }

    fn end(&self, command: Command) -> Result<Command, Failure> {
        if self.peek().is_some() { Err(self.unexpected()) } else { Ok(command) }
    }
}

const READ_ONLY: &str = "published data is read-only: nothing can be written here";

/// Reads what a statement asks for.
pub(super) fn command(text: &str) -> Result<Command, Failure> {
    let mut reader = Reader { words: words(text), next: 0 };
    let read = session_command(&mut reader);
    read.map_err(|failure| {
        let characters = |byte: usize| text.char_indices().filter(|(at, _)| *at < byte).count() + 1;
        Failure { position: failure.position.map(characters), ..failure }
    })
}

fn session_command(reader: &mut Reader<'_>) -> Result<Command, Failure> {
    let Some(first) = reader.peek().filter(|word| word.kind == Kind::Word).map(Word::value) else {
        return Ok(Command::Query);
    };
    reader.next += 1;
    match first.as_str() {
        "begin" | "start" => begin(reader),
        "commit" | "end" => {
            reader.eat_any(&["work", "transaction"]);
            reader.end(Command::Commit)
        }
        "rollback" | "abort" => {
            reader.eat_any(&["work", "transaction"]);
            if !reader.eat("to") {
                return reader.end(Command::Rollback);
            }
            reader.eat("savepoint");
            reader.name()?;
            reader.end(Command::RollbackToSavepoint)
        }
        "savepoint" => {
            reader.name()?;
            reader.end(Command::Savepoint)
        }
        "release" => {
            reader.eat("savepoint");
            reader.name()?;
            reader.end(Command::ReleaseSavepoint)
        }
        "set" => set(reader),
        "reset" => reset(reader),
        "show" => show(reader),
        "discard" => {
            reader.eat_any(&["all", "plans", "sequences", "temp", "temporary"]);
            reader.end(Command::DiscardAll)
        }
        "unlisten" => Ok(Command::Nothing("UNLISTEN")),
        "copy" => Err(Failure::new("0A000", "COPY is not answered here")
            .hint("SELECT the rows, or download the files of the release")),
        "deallocate" => {
            reader.eat("prepare");
            if reader.eat("all") {
                return reader.end(Command::Deallocate(None));
            }
            let name = reader.name()?;
            reader.end(Command::Deallocate(Some(name)))
        }
        "declare" => declare(reader),
        "fetch" => fetch(reader),
        "close" => {
            if reader.eat("all") {
                return reader.end(Command::Close(None));
            }
            let name = reader.name()?;
            reader.end(Command::Close(Some(name)))
        }
        _ => Ok(Command::Query),
    }
}

fn begin(reader: &mut Reader<'_>) -> Result<Command, Failure> {
    reader.eat_any(&["work", "transaction"]);
    modes(reader)?;
    Ok(Command::Begin)
}

/// `ISOLATION LEVEL …`, `READ ONLY`, `DEFERRABLE`: all that is read is published, and stays so.
fn modes(reader: &mut Reader<'_>) -> Result<(), Failure> {
    let allowed = ["isolation", "level", "serializable", "repeatable", "read", "committed", "uncommitted", "only"];
    while let Some(word) = reader.peek() {
        if word.is("write") {
            return Err(Failure::new("25006", READ_ONLY));
        }
        let known = allowed.iter().any(|known| word.is(known)) || word.is("not") || word.is("deferrable");
        if !known && word.text != "," {
            return Err(reader.unexpected());
        }
        reader.next += 1;
    }
    Ok(())
}

fn set(reader: &mut Reader<'_>) -> Result<Command, Failure> {
    if reader.eat("session") && reader.eat("characteristics") {
        reader.eat("as");
        reader.eat("transaction");
        modes(reader)?;
        return Ok(Command::Nothing("SET"));
    }
    reader.eat("local");
    if reader.eat("transaction") {
        modes(reader)?;
        return Ok(Command::Nothing("SET"));
    }
    if reader.peek().is_some_and(|word| word.is("role") || word.is("authorization")) {
        return Err(Failure::new("42501", "there is one role here, that of a reader"));
    }
    let name = if reader.eat("time") {
        reader.eat("zone");
        "timezone".to_owned()
    } else if reader.eat("names") {
        "client_encoding".to_owned()
    } else {
        let name = setting_name(reader)?;
        if !reader.eat("to") && reader.peek().is_none_or(|word| word.text != "=") {
            return Err(reader.unexpected());
        }
        reader.next += usize::from(reader.peek().is_some_and(|word| word.text == "="));
        name
    };
    if reader.eat("default") || (name == "timezone" && reader.eat("local")) {
        return reader.end(Command::Set { name, value: None });
    }
    let mut value = String::new();
    while let Some(word) = reader.peek() {
        let text = match word.kind {
            Kind::Word => word.text.to_owned(),
            Kind::Symbol if matches!(word.text, "," | "-" | "+" | "." | "/") => word.text.to_owned(),
            Kind::Text | Kind::Quoted => word.value(),
            _ => return Err(reader.unexpected()),
        };
        let follows_comma = value.ends_with(',');
        value.push_str(if follows_comma { " " } else { "" });
        value.push_str(&text);
        reader.next += 1;
    }
    if reader.words.len() < 3 {
        return Err(reader.unexpected());
    }
    Ok(Command::Set { name, value: Some(value) })
}

/// A name that may have a part before a dot.
fn setting_name(reader: &mut Reader<'_>) -> Result<String, Failure> {
    let mut name = reader.name()?;
    while reader.peek().is_some_and(|word| word.text == ".") {
        reader.next += 1;
        name = format!("{name}.{}", reader.name()?);
    }
    Ok(name)
}

fn reset(reader: &mut Reader<'_>) -> Result<Command, Failure> {
    if reader.eat("all") {
        return reader.end(Command::ResetAll);
    }
    if reader.eat("session") || reader.eat("role") {
        return Ok(Command::Nothing("RESET"));
    }
    let name = if reader.eat("time") {
        reader.eat("zone");
        "timezone".to_owned()
    } else {
        setting_name(reader)?
    };
    reader.end(Command::Set { name, value: None })
}

fn show(reader: &mut Reader<'_>) -> Result<Command, Failure> {
    // Of tables the engine tells.
    if reader.peek().is_some_and(|word| word.is("tables") || word.is("columns")) {
        return Ok(Command::Query);
    }
    let name = if reader.eat("transaction") {
        reader.eat("isolation");
        reader.eat("level");
        "transaction_isolation".to_owned()
    } else if reader.eat("session") {
        reader.eat("authorization");
        "session_authorization".to_owned()
    } else if reader.eat("time") {
        reader.eat("zone");
        "timezone".to_owned()
    } else {
        setting_name(reader)?
    };
    reader.end(Command::Show(name))
}

fn declare(reader: &mut Reader<'_>) -> Result<Command, Failure> {
    let cursor = reader.name()?;
    let mut hold = false;
    while !reader.eat("for") {
        if reader.peek().is_some_and(|word| word.is("scroll")) && !reader.words.iter().any(|word| word.is("no")) {
            return Err(Failure::new("0A000", "a cursor goes forward only").hint("leave SCROLL out"));
        }
        match reader.peek() {
            Some(word) if word.is("with") => hold = true,
            Some(word) if word.is("without") => hold = false,
            Some(word)
                if ["binary", "insensitive", "asensitive", "no", "scroll", "cursor", "hold"]
                    .iter()
                    .any(|known| word.is(known)) => {}
            _ => return Err(reader.unexpected()),
        }
        reader.next += 1;
    }
    let query = reader.peek().map(|word| word.at).ok_or_else(|| reader.unexpected())?;
    Ok(Command::Declare { cursor, hold, query })
}

fn fetch(reader: &mut Reader<'_>) -> Result<Command, Failure> {
    if reader.rest_has(&["backward", "prior", "first", "last", "absolute", "relative"]) {
        return Err(Failure::new("0A000", "a cursor goes forward only").hint("FETCH FORWARD n FROM cursor"));
    }
    let forward = reader.eat("forward");
    let rows = if reader.eat("all") {
        usize::MAX
    } else if let Some(count) = reader.peek().and_then(|word| word.text.parse::<usize>().ok()) {
        reader.next += 1;
        count
    } else {
        // Without a word that it could be, the name of the cursor comes next.
        if !forward {
            reader.eat("next");
        }
        1
    };
    reader.eat_any(&["from", "in"]);
    let cursor = reader.name()?;
    reader.end(Command::Fetch { cursor, rows })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn set_to(name: &str, value: &str) -> Command {
        Command::Set { name: name.to_owned(), value: Some(value.to_owned()) }
    }

    #[rstest]
    #[case("SELECT 1", Command::Query)]
    #[case("SHOW TABLES", Command::Query)]
    #[case("BEGIN", Command::Begin)]
    #[case("begin transaction isolation level serializable, read only", Command::Begin)]
    #[case("START TRANSACTION READ ONLY", Command::Begin)]
    #[case("COMMIT WORK", Command::Commit)]
    #[case("ROLLBACK TO SAVEPOINT \"a\"", Command::RollbackToSavepoint)]
    #[case("SET client_encoding = 'UTF8'", set_to("client_encoding", "UTF8"))]
    #[case("SET NAMES 'utf8'", set_to("client_encoding", "utf8"))]
    #[case("SET DateStyle TO ISO, MDY", set_to("datestyle", "ISO, MDY"))]
    #[case("SET extra_float_digits = -1", set_to("extra_float_digits", "-1"))]
    #[case("SET TIME ZONE 'Europe/Paris'", set_to("timezone", "Europe/Paris"))]
    #[case("SET datafusion.execution.batch_size = 1", set_to("datafusion.execution.batch_size", "1"))]
    #[case("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", Command::Nothing("SET"))]
    #[case("RESET statement_timeout", Command::Set { name: "statement_timeout".to_owned(), value: None })]
    #[case("SHOW TRANSACTION ISOLATION LEVEL", Command::Show("transaction_isolation".to_owned()))]
    #[case("DEALLOCATE ALL", Command::Deallocate(None))]
    #[case("DECLARE \"C\" NO SCROLL CURSOR WITH HOLD FOR SELECT 1",
        Command::Declare { cursor: "C".to_owned(), hold: true, query: 43 })]
    #[case("FETCH FORWARD 10 FROM \"C\"", Command::Fetch { cursor: "C".to_owned(), rows: 10 })]
    #[case("FETCH ALL IN c", Command::Fetch { cursor: "c".to_owned(), rows: usize::MAX })]
    #[case("FETCH c", Command::Fetch { cursor: "c".to_owned(), rows: 1 })]
    #[case("FETCH NEXT FROM c", Command::Fetch { cursor: "c".to_owned(), rows: 1 })]
    #[case("CLOSE ALL", Command::Close(None))]
    fn statements_about_the_session_are_told_apart(#[case] text: &str, #[case] expected: Command) {
        assert_eq!(command(text), Ok(expected));
    }

    #[rstest]
    #[case::write("BEGIN READ WRITE", "25006")]
    #[case::write_later("SET TRANSACTION READ WRITE", "25006")]
    #[case::role("SET ROLE postgres", "42501")]
    #[case::copy("COPY (SELECT 1) TO STDOUT", "0A000")]
    #[case::backward("FETCH BACKWARD 1 FROM c", "0A000")]
    #[case::scroll("DECLARE c SCROLL CURSOR FOR SELECT 1", "0A000")]
    #[case::no_value("SET application_name", "42601")]
    fn what_cannot_be_is_refused(#[case] text: &str, #[case] code: &str) {
        assert_eq!(command(text).unwrap_err().code, code);
    }

    #[test]
    fn a_mistake_has_its_place_in_characters() {
        assert_eq!(command("COMMIT /* é */ now").unwrap_err().position, Some(16));
    }
}
