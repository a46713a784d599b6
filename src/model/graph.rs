//! Order and cycles of models.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::diagnostic::{Problem, Spanned};

/// Models in an order in which each comes after those that it reads. Those that read themselves, directly or through
/// others, become problems and are left out, as are those whose own references could not be read.
pub(super) fn order<'a>(
    models: &BTreeSet<&'a str>,
    references: &BTreeMap<&'a str, Vec<Spanned<String>>>,
    problems: &mut Vec<Problem>,
) -> Vec<&'a str> {
    let mut graph: DiGraphMap<&str, ()> = DiGraphMap::new();
    for model in references.keys() {
        graph.add_node(model);
    }
    for (model, reads) in references {
        for read in reads {
            if let Some(input) = models.get(read.value.as_str()).filter(|input| references.contains_key(**input)) {
                graph.add_edge(model, input, ());
            }
        }
    }
    let mut order = Vec::new();
    for component in tarjan_scc(&graph) {
        let looped = component.len() > 1 || component.iter().any(|model| graph.contains_edge(model, model));
        if looped {
            problems.extend(cycle(&component, references));
        } else {
            order.extend(component);
        }
    }
    order
}

fn cycle(component: &[&str], references: &BTreeMap<&str, Vec<Spanned<String>>>) -> Option<Problem> {
    let members: BTreeSet<&str> = component.iter().copied().collect();
    let start = members.first()?;
    let mut path = vec![*start];
    let mut seen = BTreeSet::from([*start]);
    let mut place = None;
    loop {
        let here = path.last()?;
        let reads = references.get(here)?;
        let back = reads.iter().find(|read| read.value == *start);
        let next = reads
            .iter()
            .find_map(|read| members.get(read.value.as_str()).filter(|m| !seen.contains(**m)).map(|m| (read, *m)));
        match (back, next) {
            (Some(read), _) => {
                path.push(start);
                place = place.or(Some(read));
                break;
            }
            (None, Some((read, model))) => {
                place = place.or(Some(read));
                seen.insert(model);
                path.push(model);
            }
            (None, None) => break,
        }
    }
    let place = place?;
    if let [model, _] = path.as_slice() {
        return Some(
            place
                .problem("sql::cycle", format!("model `{model}` reads itself"), "its own name")
                .help("read the tables that it is made from, or rename the model"),
        );
    }
    let drawn = path.join(" -> ");
    Some(
        place
            .problem("sql::cycle", format!("models read each other in a circle: {drawn}"), "the circle starts here")
            .help("move what both need into a model of its own"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;

    fn reads(names: &[&str]) -> Vec<Spanned<String>> {
        let file = SourceFile::new("m.sql", "");
        names
            .iter()
            .map(|name| Spanned { value: (*name).to_owned(), file: std::sync::Arc::clone(&file), span: 0..0 })
            .collect()
    }

    #[test]
    fn inputs_come_before_those_that_read_them() {
        let models = BTreeSet::from(["a", "b", "c"]);
        let references = BTreeMap::from([("a", reads(&["b", "c"])), ("b", reads(&["c"])), ("c", reads(&[]))]);
        let mut problems = Vec::new();
        assert_eq!(order(&models, &references, &mut problems), ["c", "b", "a"]);
        assert!(problems.is_empty());
    }

    #[test]
    fn a_model_that_reads_itself_is_a_circle_of_one() {
        let models = BTreeSet::from(["a"]);
        let references = BTreeMap::from([("a", reads(&["a"]))]);
        let mut problems = Vec::new();
        assert!(order(&models, &references, &mut problems).is_empty());
        assert_eq!(problems[0].message, "model `a` reads itself");
    }

    #[test]
    fn a_circle_is_told_with_its_path() {
        let models = BTreeSet::from(["a", "b", "c"]);
        let references = BTreeMap::from([("a", reads(&["b"])), ("b", reads(&["a"])), ("c", reads(&["a"]))]);
        let mut problems = Vec::new();
        assert_eq!(order(&models, &references, &mut problems), ["c"]);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "models read each other in a circle: a -> b -> a");
    }
}
