//! `[source.<name>]`: what is fetched, from where, under which licence.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::compile::Scope;
use super::env::resolve;
use super::gate::source_gate;
use super::pipeline::{FileSource, HttpSource, Pipeline, Project, Secret, Source, SourceKind};
use crate::diagnostic::document::{Fields, Node};
use crate::diagnostic::{Problem, Problems, Spanned};
use crate::id::SourceId;

const KINDS: [&str; 2] = ["file", "http"];

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
    let file = fields.table("file").map(|file| file_source(&file, scope));
    let http = fields.table("http").map(|http| http_source(&http, scope));
    let ambiguous = file.is_some() && http.is_some();
    if ambiguous || (file.is_none() && http.is_none()) {
        let message = if ambiguous { "a source has one connector" } else { "the source has no connector" };
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
    let kind = match (file, http) {
        (Some(file), None) => SourceKind::File(file?),
        (None, Some(http)) => SourceKind::Http(http?),
        _ => return None,
    };
    Some(Source { id, title, licence: licence.value, publisher, homepage, kind, gate })
}

/// Part names and the texts beside them: `path = "…"` for one, `[parts]` for several.
fn parts(fields: &Fields<'_>, single: &'static str, scope: &Scope<'_>) -> Vec<(String, Spanned<String>)> {
    let mut parts = Vec::new();
    if let Some(one) = fields.text(single) {
        parts.push((String::new(), one));
    }
    for (name, node) in fields.named("parts") {
        if let Some(text) = node.text(scope.problems) {
            parts.push((name.value.clone(), text));
        }
    }
    if parts.is_empty() {
        fields.missing(single);
    }
    parts
}

fn file_source(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<FileSource> {
    let declared = parts(fields, "path", scope);
    let mut resolved = Vec::new();
    for (name, text) in &declared {
        let path = resolve(text, scope.env, scope.problems)?;
        if !path.contains("://")
            && let Err(error) = glob::Pattern::new(&path)
        {
            scope.problems.push(
                text.problem("pipeline::bad_glob", "the pattern cannot be read", error.msg)
                    .help("`*` stands for any text in a name, `**` for any folders, `[a-z]` for a character"),
            );
        }
        resolved.push((name.clone(), path));
    }
    Some(FileSource { parts: resolved, base: scope.files.root.clone() })
}

fn http_source(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<HttpSource> {
    let declared = parts(fields, "url", scope);
    let mut urls = Vec::new();
    for (name, text) in &declared {
        let url = resolve(text, scope.env, scope.problems)?;
        match Url::parse(&url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => urls.push((name.clone(), url.into())),
            _ => scope.problems.push(
                text.problem("pipeline::bad_url", "this is not a web address", "here")
                    .help("write an absolute address: https://host/path"),
            ),
        }
    }
    let mut headers = Vec::new();
    for (name, node) in fields.named("headers") {
        if let Some(text) = node.text(scope.problems) {
            headers.push((name.value.clone(), Secret::new(resolve(&text, scope.env, scope.problems)?)));
        }
    }
    let seconds = |key, default: Duration| {
        let typed = fields.number(key).filter(|s| *s > 0.0 && *s < 1e6);
        typed.map_or(default, Duration::from_secs_f64)
    };
    let positive = |key: &'static str| {
        let typed = fields.integer(key)?;
        let number = u64::try_from(typed.value).ok().filter(|number| *number > 0);
        if number.is_none() {
            let problem = typed.problem("pipeline::number", "a positive number is expected", "here");
            scope.problems.push(problem.help("leave it out for the default"));
        }
        number
    };
    let default = HttpSource::default();
    Some(HttpSource {
        parts: urls,
        headers,
        max_bytes: positive("max_bytes").unwrap_or(default.max_bytes),
        connect_timeout: seconds("connect_timeout", default.connect_timeout),
        idle_timeout: seconds("idle_timeout", default.idle_timeout),
        total_timeout: seconds("total_timeout", default.total_timeout),
        attempts: positive("attempts").and_then(|n| u32::try_from(n).ok()).unwrap_or(default.attempts),
        first_delay: seconds("first_delay", default.first_delay),
        user_agent: fields.text("user_agent").map_or(default.user_agent, |text| text.value),
    })
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
