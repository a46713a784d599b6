//! `[source.<name>]`: what is fetched, from where, under which licence.

use std::collections::BTreeMap;

use super::compile::Scope;
use super::connector::{KINDS, connector};
use super::gate::source_gate;
use super::pipeline::{Pipeline, Project, Source};
use crate::diagnostic::document::{Fields, Node};
use crate::diagnostic::{Problem, Problems, Spanned};
use crate::id::SourceId;

/// Reads all sources of a pipeline file.
pub(super) fn sources(top: &Fields<'_>, pipeline: &mut Pipeline, scope: &Scope<'_>) {
    if top.key("source").is_none() {
        top.missing("source");
    }
    for (name, node) in top.named("source") {
        let id = match name.value.parse::<SourceId>() {
            Ok(id) => id,
            Err(invalid) => {
                scope.problems.push(
                    name.problem("pipeline::source_name", invalid.to_string(), "this name").help("rename the source"),
                );
                pipeline.unread.sources.insert(name.value.clone());
                continue;
            }
        };
        match node.fields(scope.problems).and_then(|fields| source(id, name, fields, scope)) {
            Some(source) => pipeline.sources.push(source),
            None => {
                pipeline.unread.sources.insert(name.value.clone());
            }
        }
    }
}

/// Where a source's licence is typed.
pub(super) fn licence_place(root: &Node, source: &SourceId, problems: &Problems) -> Option<Spanned<String>> {
    let top = root.fields(problems)?;
    let (_, node) = top.named("source").into_iter().find(|(name, _)| name.value == source.as_str())?;
    node.fields(problems)?.text("licence")
}

fn source(id: SourceId, name: &Spanned<String>, fields: Fields<'_>, scope: &Scope<'_>) -> Option<Source> {
    let title = fields.text("title").map_or_else(|| id.to_string(), |text| text.value);
    let licence = fields.required_text("licence");
    let publisher = fields.text("publisher").map(|text| text.value);
    let homepage = fields.text("homepage").map(|text| text.value);
    let declared = KINDS.into_iter().filter(|kind| fields.key(kind).is_some()).count();
    let read = |kind| fields.table(kind).and_then(|table| connector(kind, table, scope));
    let mut kinds: Vec<_> = KINDS.into_iter().filter_map(read).collect();
    if declared != 1 {
        let message = if declared > 1 { "a source has one connector" } else { "the source has no connector" };
        scope.problems.push(
            name.problem("pipeline::connector", format!("{message}: `{id}`"), "this source")
                .help(format!("write exactly one of {}", KINDS.map(|kind| format!("[source.{id}.{kind}]")).join(", "))),
        );
    }
    let gate = source_gate(&fields, scope);
    fields.finish();
    let licence = licence?;
    if super::licence::licence_title(&licence.value).is_none() {
        scope.problems.push(
            licence
                .problem(
                    "pipeline::unknown_licence",
                    format!("`{}` is not a licence known here", licence.value),
                    "unknown",
                )
                .suggest(&licence.value, super::licence::licence_ids()),
        );
    }
    let kind = kinds.pop().filter(|_| declared == 1)?;
    Some(Source { id, title, licence: licence.value, publisher, homepage, kind, gate })
}

/// Snapshots belong to the source of a name: two sources of one name must be the same.
pub(super) fn shared_sources(project: &Project, problems: &Problems) {
    let mut seen: BTreeMap<&SourceId, (&Pipeline, &Source)> = BTreeMap::new();
    for (pipeline, source) in project.pipelines.iter().flat_map(|p| p.sources.iter().map(move |source| (p, source))) {
        let (first, same) = *seen.entry(&source.id).or_insert((pipeline, source));
        if same.kind != source.kind {
            let message = format!("source `{}` is another in {}", source.id, first.file.path);
            problems.push(
                Problem::of_file("pipeline::source_twice", message, &pipeline.file)
                    .help("a name stands for one source in the whole project: rename one of the two"),
            );
        }
    }
}
