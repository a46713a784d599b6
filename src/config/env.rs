//! `${env:NAME}` in project files: resolved on the tree, after parsing, so that places stay true and a value can never
//! change the structure of a file.

use std::collections::BTreeMap;

use crate::diagnostic::{Problems, Spanned};

/// Environment variables, as the command line read them.
pub type Env = BTreeMap<String, String>;

const OPEN: &str = "${env:";

/// Replaces each `${env:NAME}`; a missing variable becomes a problem and the result `None`.
pub fn resolve(text: &Spanned<String>, env: &Env, problems: &Problems) -> Option<String> {
    resolve_with_values(text, env, problems).map(|(text, _)| text)
}

/// The same, and the values that were put in.
pub fn resolve_with_values(text: &Spanned<String>, env: &Env, problems: &Problems) -> Option<(String, Vec<String>)> {
    let mut out = String::new();
    let mut values = Vec::new();
    let mut rest = text.value.as_str();
    let mut whole = true;
    while let Some((before, after)) = rest.split_once(OPEN) {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            problems.push(
                text.problem("env::syntax", "a variable is not closed", "`}` is missing").help("write `${env:NAME}`"),
            );
            return None;
        };
        match env.get(name) {
            Some(value) => {
                out.push_str(value);
                values.push(value.clone());
            }
            None => {
                whole = false;
                let near = env.keys().map(String::as_str);
                let problem = text.problem(
                    "env::missing",
                    format!("the environment variable `{name}` is not set"),
                    "needed here",
                );
                let set = format!("set it before the run: export {name}=…");
                problems.push(match crate::diagnostic::nearest(name, near) {
                    Some(near) => problem.help(format!("{set} (`{near}` is set)")),
                    None => problem.help(set),
                });
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    whole.then_some((out, values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;

    fn spanned(text: &str) -> Spanned<String> {
        Spanned { value: text.to_owned(), file: SourceFile::new("essaim.toml", text), span: 0..text.len() }
    }

    #[test]
    fn variables_are_replaced_wherever_they_stand() {
        let env = Env::from([("HOST".to_owned(), "example.org".to_owned())]);
        let problems = Problems::new();
        let url = resolve(&spanned("https://${env:HOST}/a?b=${env:HOST}"), &env, &problems);
        assert_eq!(url.as_deref(), Some("https://example.org/a?b=example.org"));
        assert!(problems.is_empty());
    }

    #[test]
    fn a_value_that_looks_like_a_variable_is_not_resolved_again() {
        let env = Env::from([("A".to_owned(), "${env:B}".to_owned())]);
        assert_eq!(resolve(&spanned("${env:A}"), &env, &Problems::new()).as_deref(), Some("${env:B}"));
    }

    #[test]
    fn every_missing_variable_is_reported() {
        let problems = Problems::new();
        assert_eq!(resolve(&spanned("${env:A}${env:B}"), &Env::new(), &problems), None);
        assert_eq!(problems.into_sorted().len(), 2);
    }
}
