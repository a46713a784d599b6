//! `[source.<name>.<connector>]`: one table for each kind of source.

use std::time::Duration;

use url::Url;

use super::compile::Scope;
use super::env::{resolve, resolve_with_values};
use super::network::seconds;
use super::pipeline::{
    DataGouvSource, FileSource, GeocoderSource, GogoCartoSource, GristSource, HttpSettings, HttpSource, KoboSource,
    LimeSurveySource, OdkSource, Paging, PagingStep, SafeUrl, Secret, SourceKind, YesWikiSource,
};
use crate::diagnostic::Spanned;
use crate::diagnostic::document::{Fields, Node, Value};

/// Names of the tables.
pub(super) const KINDS: [&str; 10] =
    ["file", "http", "yeswiki", "limesurvey", "kobo", "odk", "grist", "datagouv", "gogocarto", "geocoder"];

/// The geocoder of the Géoplateforme.
const GEOPLATEFORME: &str = "https://data.geopf.fr/geocodage/";

/// Wikis stand on small servers that many share.
const PAUSE_FOR_WIKIS: Duration = Duration::from_secs(1);

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
        "limesurvey" => limesurvey(&fields, scope).map(SourceKind::LimeSurvey),
        "odk" => odk(&fields, scope).map(SourceKind::Odk),
        "geocoder" => geocoder(&fields, scope).map(SourceKind::Geocoder),
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
            Some(url) => urls.push((name.clone(), url)),
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
    (whole && !urls.is_empty()).then_some(HttpSource { parts: urls, pages: false, paging: paged, settings })
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
    let slow = scope.network.slow_settings(PAUSE_FOR_WIKIS);
    let settings = settings_over(slow, fields, key.into_iter().collect(), scope);
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
    let mut url = base(fields, None, scope);
    let mut query = None;
    if let Some(text) = fields.text("query") {
        let (text, values) = resolve_with_values(&text, scope.env, scope.problems)?;
        url = url.map(|url| url.hiding(values.into_iter().map(Secret::new)));
        query = Some(text);
    }
    let taxonomy = fields.flag("taxonomy").unwrap_or(true);
    let settings = settings(fields, headers(fields, scope), scope);
    Some(GogoCartoSource { url: url?, query, taxonomy, settings })
}

fn limesurvey(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<LimeSurveySource> {
    const COMPLETIONS: [&str; 3] = ["all", "complete", "incomplete"];
    let url = fields.required_text("url").and_then(|text| address(&text, scope));
    let survey = number(fields, "survey", scope);
    let (user, password) = (account(fields, scope), secret(fields, "password", scope));
    let language = fields.text("language").map(|text| text.value);
    let completion = fields.text("completion");
    if let Some(text) = completion.as_ref().filter(|text| !COMPLETIONS.contains(&text.value.as_str())) {
        let problem =
            text.problem("pipeline::completion", format!("`{}` says nothing about responses", text.value), "unknown");
        scope.problems.push(problem.suggest(&text.value, COMPLETIONS));
        return None;
    }
    let completion = completion.map_or_else(|| "all".to_owned(), |text| text.value);
    let page = count(fields, "page", 1, scope).and_then(|page| usize::try_from(page).ok()).unwrap_or(2000);
    let settings = settings(fields, Vec::new(), scope);
    for (key, missing) in [("user", user.is_none()), ("password", password.is_none())] {
        if missing && fields.key(key).is_none() {
            fields.missing(key);
        }
    }
    let (url, survey, user, password) = (url?, survey?, user?, password?);
    Some(LimeSurveySource { url, survey, user, password, language, completion, page, settings })
}

fn odk(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<OdkSource> {
    let url = base(fields, None, scope);
    let (project, form) = (number(fields, "project", scope), name(fields, "form", scope));
    let (user, password) = (account(fields, scope), secret(fields, "password", scope));
    let basic = fields.flag("basic").unwrap_or(false);
    let repeats = fields.texts("repeats").into_iter().map(|text| text.value).collect();
    let page = count(fields, "page", 1, scope).unwrap_or(1000);
    let settings = settings(fields, Vec::new(), scope);
    for (key, other) in [("user", "password"), ("password", "user")] {
        if fields.key(key).is_none() && fields.key(other).is_some() {
            fields.missing(key);
            return None;
        }
    }
    let account = user.zip(password);
    Some(OdkSource { url: url?, project: project?, form: form?, account, basic, repeats, page, settings })
}

fn geocoder(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<GeocoderSource> {
    let url = base(fields, Some(GEOPLATEFORME), scope);
    let batch = count(fields, "batch", 1, scope).and_then(|batch| usize::try_from(batch).ok()).unwrap_or(5000);
    let settings = settings(fields, Vec::new(), scope);
    Some(GeocoderSource { url: url?, batch, settings })
}

/// The number by which a service knows something: a number, or a text of digits.
fn number(fields: &Fields<'_>, key: &'static str, scope: &Scope<'_>) -> Option<u64> {
    let node = fields.get(key);
    if node.is_none() {
        fields.missing(key);
    }
    match &node?.value {
        Value::Text(text) if text.parse::<u64>().is_ok() => text.parse().ok(),
        _ => count(fields, key, 1, scope),
    }
}

/// A web address. What comes from the environment is not shown where it stands in a path or a query: it may be a key.
fn address(text: &Spanned<String>, scope: &Scope<'_>) -> Option<SafeUrl> {
    let (url, values) = resolve_with_values(text, scope.env, scope.problems)?;
    match Url::parse(&url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            // A variable may hold the whole address, or the beginning of it.
            let hidden = values.into_iter().filter(|value| !value.contains("://"));
            Some(SafeUrl::from(url).hiding(hidden.map(Secret::new)))
        }
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
        let typed = address(&text, scope)?;
        let mut url = typed.expose().clone();
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
        return Some(typed.at(url));
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
    let key = secret(fields, "key", scope)?;
    Some(("Authorization".to_owned(), Secret::new(format!("{scheme} {}", key.expose().trim()))))
}

/// The name of an account, which may stand in the file.
fn account(fields: &Fields<'_>, scope: &Scope<'_>) -> Option<Secret> {
    resolve(&fields.text("user")?, scope.env, scope.problems).map(Secret::new)
}

/// What stands in the environment, and never in the file.
fn secret(fields: &Fields<'_>, key: &'static str, scope: &Scope<'_>) -> Option<Secret> {
    let text = fields.text(key)?;
    if !text.value.contains("${env:") {
        scope.problems.push(
            text.problem(
                "pipeline::key_in_file",
                format!("a {key} stands in the file"),
                "whoever reads the file has it",
            )
            .help(format!(
                "write `{key} = \"${{env:NAME}}\"`, set the variable where the run starts, and have this {key} replaced"
            )),
        );
        return None;
    }
    resolve(&text, scope.env, scope.problems).map(Secret::new)
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
    settings_over(scope.network.settings(), fields, headers, scope)
}

fn settings_over(
    default: HttpSettings,
    fields: &Fields<'_>,
    headers: Vec<(String, Secret)>,
    scope: &Scope<'_>,
) -> HttpSettings {
    let time = |key, default: Duration| fields.number(key).and_then(seconds).unwrap_or(default);
    let limit = |key, default: Duration| Some(time(key, default)).filter(|time| !time.is_zero()).unwrap_or(default);
    HttpSettings {
        headers,
        max_bytes: count(fields, "max_bytes", 1, scope).unwrap_or(default.max_bytes),
        connect_timeout: limit("connect_timeout", default.connect_timeout),
        answer_timeout: limit("answer_timeout", default.answer_timeout),
        idle_timeout: limit("idle_timeout", default.idle_timeout),
        total_timeout: limit("total_timeout", default.total_timeout),
        attempts: count(fields, "attempts", 1, scope).and_then(|n| u32::try_from(n).ok()).unwrap_or(default.attempts),
        first_delay: limit("first_delay", default.first_delay),
        pause: time("pause", default.pause),
        user_agent: fields.text("user_agent").map_or(default.user_agent, |text| text.value),
        private_addresses: default.private_addresses,
    }
}
