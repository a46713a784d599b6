//! The words of SQL with their places: enough to tell statements apart and to see what they begin with, not to
//! understand them. What a statement may do is decided by the guard alone.

/// What kind of word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, a name without quotes or a number.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A string.
    Text,
    /// `?`, where a value is bound later.
    Question,
    /// `;`.
    End,
    /// Any other character.
    Symbol,
}

/// A word and the byte where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub at: usize,
}

impl Word<'_> {
    /// Whether it is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// What it says: without its quotes, and in lower case where it had none.
    pub(super) fn value(&self) -> String {
        let inner = |quote: char| {
            let body = self.text.strip_prefix(quote).unwrap_or(self.text);
            let body = body.strip_suffix(quote).unwrap_or(body);
            body.replace(&format!("{quote}{quote}"), &quote.to_string())
        };
        match self.kind {
            Kind::Word => self.text.to_lowercase(),
            Kind::Quoted => inner('"'),
            Kind::Text => inner('\''),
            Kind::Question | Kind::End | Kind::Symbol => self.text.to_owned(),
        }
    }
}

/// A statement of a text that may hold several, and the byte where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Statement<'a> {
    pub text: &'a str,
    pub at: usize,
}

/// Splits a text at its semicolons. What holds comments and spaces only is no statement.
pub(super) fn statements(text: &str) -> Vec<Statement<'_>> {
    let mut found = Vec::new();
    let mut begin: Option<usize> = None;
    let mut end = 0;
    for word in words(text) {
        if word.kind == Kind::End {
            if let Some(at) = begin.take() {
                found.push(Statement { text: text.get(at..end).unwrap_or_default(), at });
            }
        } else {
            begin.get_or_insert(word.at);
            end = word.at + word.text.len();
        }
    }
    if let Some(at) = begin {
        found.push(Statement { text: text.get(at..end).unwrap_or_default(), at });
    }
    found
}

/// Numbers the question marks of a statement: `? + ?` becomes `$1 + $2`.
pub(super) fn number_questions(text: &str) -> String {
    let mut numbered = String::with_capacity(text.len() + 8);
    let (mut copied, mut count) = (0, 0);
    for word in words(text).iter().filter(|word| word.kind == Kind::Question) {
        count += 1;
        numbered.push_str(text.get(copied..word.at).unwrap_or_default());
        numbered.push('$');
        numbered.push_str(&count.to_string());
        copied = word.at + word.text.len();
    }
    numbered.push_str(text.get(copied..).unwrap_or_default());
    numbered
}

/// All words of a text, comments left out. A string that does not end goes on to the end of the text.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        let (kind, end) = match byte {
            _ if byte.is_ascii_whitespace() => (None, at + 1),
            b'-' if next == Some(b'-') => (None, after(bytes, at, b"\n")),
            b'/' if next == Some(b'*') => (None, comment(bytes, at)),
            b'\'' => (Some(Kind::Text), quoted(bytes, at, b'\'', false)),
            b'E' | b'e' if next == Some(b'\'') => (Some(Kind::Text), quoted(bytes, at + 1, b'\'', true)),
            b'"' => (Some(Kind::Quoted), quoted(bytes, at, b'"', false)),
            b'$' => dollar(bytes, at),
            b';' => (Some(Kind::End), at + 1),
            b'?' => (Some(Kind::Question), at + 1),
            _ if in_word(byte) => {
                (Some(Kind::Word), bytes.iter().skip(at).position(|b| !in_word(*b)).map_or(bytes.len(), |n| at + n))
            }
            _ => (Some(Kind::Symbol), at + 1),
        };
        if let Some(kind) = kind {
            found.push(Word { kind, text: text.get(at..end).unwrap_or_default(), at });
        }
        at = end;
    }
    found
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The place after the next `sought`, or the end.
fn after(bytes: &[u8], from: usize, sought: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(sought.len()).position(|window| window == sought).map_or(bytes.len(), |n| from + n + sought.len())
}

/// The place after a comment in which others may stand.
fn comment(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_usize);
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// The place after a closing quote; a doubled one does not close.
fn quoted(bytes: &[u8], from: usize, quote: u8, escapes: bool) -> usize {
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            b'\\' if escapes => 2,
            _ if byte == quote && bytes.get(at + 1) == Some(&quote) => 2,
            _ if byte == quote => return at + 1,
            _ => 1,
        };
    }
    bytes.len()
}

/// `$1`, or a string between `$tag$` and the same again.
fn dollar(bytes: &[u8], from: usize) -> (Option<Kind>, usize) {
    let length = bytes.iter().skip(from + 1).position(|byte| !in_word(*byte)).unwrap_or(bytes.len() - from - 1);
    let end = from + 1 + length;
    let numbered = bytes.get(from + 1).is_some_and(u8::is_ascii_digit);
    if bytes.get(end) == Some(&b'$') && !numbered {
        let tag = bytes.get(from..=end).unwrap_or_default();
        return (Some(Kind::Text), after(bytes, end + 1, tag));
    }
    (Some(Kind::Word), end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one("SELECT 1", &["SELECT 1"])]
    #[case::nothing("  ;; -- SELECT 1\n /* ; */", &[])]
    #[case::two("SELECT 1; SELECT 2;", &["SELECT 1", "SELECT 2"])]
    #[case::in_a_string("SELECT 'a;''b'; SELECT 2", &["SELECT 'a;''b'", "SELECT 2"])]
    #[case::in_a_name(r#"SELECT ";" ; x"#, &[r#"SELECT ";""#, "x"])]
    #[case::escaped(r"SELECT E'\';' ; x", &[r"SELECT E'\';'", "x"])]
    #[case::dollars("SELECT $a$ ; $$ $a$, $1; x", &["SELECT $a$ ; $$ $a$, $1", "x"])]
    #[case::comments("SELECT /* ; /* ; */ ; */ 1 -- ;\n; x", &["SELECT /* ; /* ; */ ; */ 1", "x"])]
    #[case::open_to_the_end("SELECT 'a; b", &["SELECT 'a; b"])]
    fn a_text_is_split_at_semicolons_that_end_a_statement(#[case] text: &str, #[case] expected: &[&str]) {
        let found: Vec<&str> = statements(text).iter().map(|statement| statement.text).collect();
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::two("SELECT ? + ?", "SELECT $1 + $2")]
    #[case::not_in_a_string("SELECT '?', \"?\", ?", "SELECT '?', \"?\", $1")]
    #[case::none("SELECT 'é'", "SELECT 'é'")]
    fn question_marks_are_numbered(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(number_questions(text), expected);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in r#"[a'"$;*/\-?é\\ E1\n]{0,40}"#) {
            let words = words(&text);
            for word in &words {
                prop_assert_eq!(text.get(word.at..word.at + word.text.len()), Some(word.text));
                prop_assert!(!word.text.is_empty());
            }
            prop_assert!(statements(&text).iter().all(|statement| text.get(statement.at..).is_some_and(|rest| rest.starts_with(statement.text))));
        }
    }
}
