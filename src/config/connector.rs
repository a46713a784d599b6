//! `[source.<name>.<connector>]`: one table for each kind of source.

use std::time::Duration;

use url::Url;

use super::compile::Scope;
use super::env::resolve;
use super::pipeline::{
    DataGouvSource, FileSource, GogoCartoSource, GristSource, HttpSettings, HttpSource, KoboSource, Paging, PagingStep,
    SafeUrl, Secret, SourceKind, YesWikiSource,
};
use crate::diagnostic::Spanned;
use crate::diagnostic::document::{Fields, Node, Value};

/// Names of the tables.
pub(super) const KINDS: [&str; 7] = ["file", "http", "yeswiki", "grist", "datagouv", "kobo", "gogocarto"];

/// Where the national open data portal is.
const DATA_GOUV: &str = "https://www.data.gouv.fr/";

/// Reads one of them.
pub(super) fn connector(kind: &str, fields: Fields<'_>, scope: &Scope<'_>) -> Option<SourceKind> {
    let source = match kind {
        "file" => file(&fields, scope).map(SourceKind::File),
        "http" => http(&fields, scope).map(SourceKind::Http),
        "yeswiki" => yeswiki(&fields, scope).map(SourceKind::YesWiki),
        "grist" => grist(&fields, scope).map(SourceKind::Grist),
        "datagouv" => datagouv(&fields, scope).map(SourceKind::DataGouv),
        "kobo" => kobo(&fields, scope).map(SourceKind::Kobo),
        _ => gogocarto(&fields, scope).map(SourceKind::GogoCarto),
    };
    fields.finish();
    source
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

fn file(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<FileSource> {
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

fn http(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<HttpSource> {
    let declared = parts(fields, "url", scope);
    let mut urls = Vec::new();
    let mut whole = true;
    for (name, text) in &declared {
        match address(text, scope) {
            Some(url) => urls.push((name.clone(), url.into())),
            None => whole = false,
        }
    }
    let settings = settings(fields, headers(fields, scope), scope);
    let mut paged = None;
    if let Some(table) = fields.table("paging") {
        paged = paging(&table, scope);
        whole &= paged.is_some();
        table.finish();
        if let Some((_, text)) = declared.iter().find(|(name, _)| !name.is_empty()) {
            whole = false;
            scope.problems.push(
                text.problem("pipeline::paging", "paging goes from one address, and this is a named part", "here")
                    .help("write `url = \"…\"` with the address of the first page; other documents are another source"),
            );
        }
    }
    (whole && !urls.is_empty()).then_some(HttpSource { parts: urls, paging: paged, settings })
}

/// How the next page is found: exactly one of `next`, `cursor`, `offset`, `page`.
fn paging(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<Paging> {
    const STEPS: [&str; 4] = ["next", "cursor", "offset", "page"];
    let place = |key| fields.get(key).and_then(|node| path(node, scope));
    let next = place("next");
    let cursor = place("cursor");
    let offset = fields.text("offset").map(|text| text.value);
    let page = fields.text("page").map(|text| text.value);
    let (rows, total) = (place("rows"), place("total"));
    let parameter = fields.text("parameter").map(|text| text.value);
    let first = count(fields, "first", 0, scope);
    let max_pages = count(fields, "max_pages", 1, scope);
    let declared = STEPS.into_iter().filter(|key| fields.key(key).is_some()).count();
    if declared != 1 {
        let message =
            if declared == 0 { "nothing says how the next page is found" } else { "pages are found in one way" };
        scope.problems.push(fields.node().problem("pipeline::paging", message, "this paging").help(
            "write exactly one of `next = \"member with the link\"`, `cursor = \"member with the cursor\"` with \
                 `parameter`, `offset = \"parameter\"`, `page = \"parameter\"`",
        ));
        return None;
    }
    let counted = offset.is_some() || page.is_some();
    if counted && fields.key("rows").is_none() {
        fields.missing("rows");
        return None;
    }
    for (key, used) in [("parameter", cursor.is_some()), ("first", page.is_some())] {
        if let Some(name) = fields.key(key).filter(|_| !used) {
            let with = if key == "first" { "page" } else { "cursor" };
            scope.problems.push(
                name.problem("pipeline::paging", format!("`{key}` goes with `{with}`"), "nothing reads this")
                    .help(format!("leave `{key}` out")),
            );
        }
    }
    let step = match (next, cursor, offset, page) {
        (Some(path), ..) => PagingStep::Next { path },
        (_, Some(path), ..) => {
            let Some(parameter) = parameter else {
                fields.missing("parameter");
                return None;
            };
            PagingStep::Cursor { path, parameter }
        }
        (_, _, Some(parameter), _) => PagingStep::Offset { parameter },
        (.., Some(parameter)) => PagingStep::Page { parameter, first: first.unwrap_or(1) },
        _ => return None,
    };
    let plain = Paging::new(step);
    Some(Paging { rows, total, max_pages: max_pages.unwrap_or(plain.max_pages), ..plain })
}

/// Members that lead to a value: `"links.next"`, or a list when a name holds a dot; empty for the document itself.
fn path(node: &Node, scope: &Scope<'_>) -> Option<Vec<String>> {
    match &node.value {
        Value::List(items) => items.iter().map(|item| item.text(scope.problems).map(|text| text.value)).collect(),
        _ => {
            let text = node.text(scope.problems)?.value;
            Some(text.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect())
        }
    }
}

fn yeswiki(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<YesWikiSource> {
    let url = base(fields, None, scope);
    let form_id = fields.required_text("form_id").and_then(|id| {
        let whole = !id.value.is_empty() && id.value.bytes().all(|byte| byte.is_ascii_digit());
        if !whole {
            scope.problems.push(
                id.problem("pipeline::form_id", format!("`{}` is not the id of a form", id.value), "digits only")
                    .help("the address `?api/forms` of the wiki lists its forms by id"),
            );
        }
        whole.then_some(id.value)
    });
    let lists = fields.flag("lists").unwrap_or(true);
    let key = key(fields, "Bearer", scope);
    let with_key = key.is_some();
    let settings = settings(fields, key.into_iter().collect(), scope);
    Some(YesWikiSource { url: url?, form_id: form_id?, lists, with_key, settings })
}

fn grist(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<GristSource> {
    let url = base(fields, None, scope);
    let (document, table) = (name(fields, "document", scope), name(fields, "table", scope));
    let settings = settings(fields, key(fields, "Bearer", scope).into_iter().collect(), scope);
    Some(GristSource { url: url?, document: document?, table: table?, settings })
}

fn datagouv(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<DataGouvSource> {
    let url = base(fields, Some(DATA_GOUV), scope);
    let dataset = name(fields, "dataset", scope);
    let resource = fields.required_text("resource").map(|text| text.value.trim().to_owned());
    let settings = settings(fields, Vec::new(), scope);
    Some(DataGouvSource { url: url?, dataset: dataset?, resource: resource?, settings })
}

fn kobo(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<KoboSource> {
    let url = base(fields, None, scope);
    let asset = name(fields, "asset", scope);
    let settings = settings(fields, key(fields, "Token", scope).into_iter().collect(), scope);
    Some(KoboSource { url: url?, asset: asset?, settings })
}

fn gogocarto(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<GogoCartoSource> {
    let url = base(fields, None, scope);
    let query = match fields.text("query") {
        Some(text) => Some(resolve(&text, scope.env, scope.problems)?),
        None => None,
    };
    let taxonomy = fields.flag("taxonomy").unwrap_or(true);
    let settings = settings(fields, headers(fields, scope), scope);
    Some(GogoCartoSource { url: url?, query, taxonomy, settings })
}

/// A web address.
fn address(text: &Spanned<String>, scope: &Scope<'_>) -> Option<Url> {
    let url = resolve(text, scope.env, scope.problems)?;
    match Url::parse(&url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
        _ => {
            scope.problems.push(
                text.problem("pipeline::bad_url", "this is not a web address", "here")
                    .help("write an absolute address: https://host/path"),
            );
            None
        }
    }
}

/// The base address of a service: what its routes are appended to.
fn base(fields: &Fields<'_>, default: Option<&str>, scope: &Scope<'_>) -> Option<SafeUrl> {
    let Some(default) = default.filter(|_| fields.key("url").is_none()) else {
        let text = fields.required_text("url")?;
        let mut url = address(&text, scope)?;
        if url.query().is_some() || url.fragment().is_some() {
            scope.problems.push(
                text.problem(
                    "pipeline::base_url",
                    "this is the address of a page",
                    "more than the service's own address",
                )
                .help("write it without what follows `?` or `#`"),
            );
            return None;
        }
        // A folder, so that the server need not redirect; a script such as `wakka.php` stays as it is.
        let script = url.path().rsplit('/').next().is_some_and(|last| last.contains('.'));
        if !script && let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("");
        }
        return Some(url.into());
    };
    fields.text("url");
    Url::parse(default).ok().map(SafeUrl::from)
}

/// A name that becomes one step of an address.
fn name(fields: &Fields<'_>, key: &'static str, scope: &Scope<'_>) -> Option<String> {
    let text = fields.required_text(key)?;
    if matches!(text.value.as_str(), "" | "." | "..") || text.value.contains(['/', '?', '#']) {
        scope.problems.push(
            text.problem("pipeline::service_name", format!("`{}` is not a name of the service", text.value), "here")
                .help(format!("write the {key} as the service names it in its addresses, without the address")),
        );
        return None;
    }
    Some(text.value)
}

/// The key of a service, as the header that takes it.
fn key(fields: &Fields<'_>, scheme: &str, scope: &Scope<'_>) -> Option<(String, Secret)> {
    let text = fields.text("key")?;
    if !text.value.contains("${env:") {
        scope.problems.push(
            text.problem("pipeline::key_in_file", "a key stands in the file", "whoever reads the file has it").help(
                "write `key = \"${env:NAME}\"`, set the variable where the run starts, and have this key replaced",
            ),
        );
        return None;
    }
    let key = resolve(&text, scope.env, scope.problems)?;
    Some(("Authorization".to_owned(), Secret::new(format!("{scheme} {}", key.trim()))))
}

fn headers(fields: &Fields<'_>, scope: &Scope<'_>) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    for (name, node) in fields.named("headers") {
        if let Some(text) = node.text(scope.problems)
            && let Some(value) = resolve(&text, scope.env, scope.problems)
        {
            headers.push((name.value.clone(), Secret::new(value)));
        }
    }
    headers
}

/// A whole number that is not below the least.
fn count(fields: &Fields<'_>, key: &'static str, least: u64, scope: &Scope<'_>) -> Option<u64> {
    let typed = fields.integer(key)?;
    let number = u64::try_from(typed.value).ok().filter(|number| *number >= least);
    if number.is_none() {
        let problem = typed.problem("pipeline::number", "a positive number is expected", "here");
        scope.problems.push(problem.help("leave it out for the default"));
    }
    number
}

fn settings(fields: &Fields<'_>, headers: Vec<(String, Secret)>, scope: &Scope<'_>) -> HttpSettings {
    let seconds = |key, default: Duration| {
        let typed = fields.number(key).filter(|s| *s > 0.0 && *s < 1e6);
        typed.map_or(default, Duration::from_secs_f64)
    };
    let default = HttpSettings::default();
    HttpSettings {
        headers,
        max_bytes: count(fields, "max_bytes", 1, scope).unwrap_or(default.max_bytes),
        connect_timeout: seconds("connect_timeout", default.connect_timeout),
        idle_timeout: seconds("idle_timeout", default.idle_timeout),
        total_timeout: seconds("total_timeout", default.total_timeout),
        attempts: count(fields, "attempts", 1, scope).and_then(|n| u32::try_from(n).ok()).unwrap_or(default.attempts),
        first_delay: seconds("first_delay", default.first_delay),
        user_agent: fields.text("user_agent").map_or(default.user_agent, |text| text.value),
    }
}
