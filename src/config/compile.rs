//! From what was typed to what is meant: a [`Project`], and all mistakes at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::env::{Env, resolve};
use super::gate::table_gates;
use super::licence;
use super::load::ProjectFiles;
use super::network::Network;
use super::pipeline::{DEMO_KEY, Model, Pipeline, Project, Publisher, ReadBack, Secret, Unread};
use super::table::Lookups;
use super::{
    REFERENCE_TABLES, alarm, check, coverage, crosstab, figure, keys, long, questionnaire, schedule, source, sql,
    table, testing,
};
use crate::contract::parse::CodeLists;
use crate::contract::{CodeList, Contract, parse};
use crate::diagnostic::document::{Fields, parse_toml};
use crate::diagnostic::{Problem, Problems, SourceFile, Spanned};
use crate::id::{DatasetId, TableName};

/// Fewest characters of the key of public ids.
const SHORTEST_KEY: usize = 16;

/// Contracts of the project, by table name.
pub type Contracts = BTreeMap<String, Arc<Contract>>;

/// What all parts of a pipeline file are read against.
pub(super) struct Scope<'a> {
    pub(super) files: &'a ProjectFiles,
    pub(super) contracts: &'a Contracts,
    pub(super) env: &'a Env,
    pub(super) lookups: &'a Lookups,
    pub(super) network: Network,
    pub(super) problems: &'a Problems,
}

impl Scope<'_> {
    /// Whether a table has a contract, with or without mistakes.
    pub(super) fn has_contract(&self, table: &str) -> bool {
        self.contracts.contains_key(table) || self.files.files.contains_key(&format!("schemas/{table}.schema.json"))
    }
}

/// Compiles the project. Where a mistake leaves a part without meaning, that part is left out and the rest still
/// compiles, so that one go finds the mistakes of all files; a project with problems must not be run.
pub fn compile(files: &ProjectFiles, env: &Env, problems: &Problems) -> Option<Project> {
    let lists = code_lists(files, problems);
    let contracts = contracts(files, &lists, problems);
    let lookups = table::lookups(files, problems);
    let network = Network::default();
    let mut scope = Scope { files, contracts: &contracts, env, lookups: &lookups, network, problems };
    let mut project = essaim_toml(&mut scope)?;
    for (name, file) in files.folder("pipelines", ".toml") {
        match name.parse::<DatasetId>() {
            Ok(id) if taken(name).is_none() => project.pipelines.extend(pipeline(id, file, &project, &scope)),
            other => {
                let what = |_| format!("`{name}` is {}", taken(name).unwrap_or_default());
                let problem = Problem::of_file("pipeline::name", other.map_or_else(|why| why.to_string(), what), file);
                problems.push(problem.help("rename the file: it names the dataset"));
            }
        }
    }
    source::shared_sources(&project, problems);
    if project.pipelines.is_empty() && problems.is_empty() {
        problems.push(
            Problem::of_project("project::no_pipeline", "the project has no pipeline").help("add a file to pipelines/"),
        );
    }
    for folder in files.files.keys().filter_map(|path| path.strip_prefix("sql/")?.split_once('/')).map(|(f, _)| f) {
        if !files.files.contains_key(&format!("pipelines/{folder}.toml")) {
            let known = files.folder("pipelines", ".toml").map(|(name, _)| name);
            problems.push(
                Problem::of_project("project::orphan_models", format!("sql/{folder}/ belongs to no pipeline"))
                    .suggest(folder, known),
            );
        }
    }
    Some(project)
}

/// What has the place of a dataset's folder already, when something has.
fn taken(name: &str) -> Option<&'static str> {
    match name {
        "en" => Some("the site's English folder"),
        "assets" => Some("the folder of the site's scripts"),
        "api" | "sql" | "healthz" | "readyz" | "metrics" => Some("an address of `essaim serve`"),
        _ => None,
    }
}

fn code_lists(files: &ProjectFiles, problems: &Problems) -> CodeLists {
    let lists = files.folder("seeds/codes", ".csv");
    lists.filter_map(|(name, file)| Some((name.to_owned(), CodeList::parse(name, file, problems)?))).collect()
}

fn contracts(files: &ProjectFiles, lists: &CodeLists, problems: &Problems) -> Contracts {
    let mut contracts = Contracts::new();
    for (name, file) in files.folder("schemas", ".schema.json") {
        match name.parse::<TableName>() {
            Ok(table) => {
                if let Some(contract) = parse::parse(&table, file, lists, problems) {
                    contracts.insert(name.to_owned(), Arc::new(contract));
                }
            }
            Err(invalid) => problems.push(
                Problem::of_file("contract::name", invalid.to_string(), file)
                    .help("rename the file: it names the table"),
            ),
        }
    }
    contracts
}

fn essaim_toml(scope: &mut Scope<'_>) -> Option<Project> {
    let file = scope.files.files.get("essaim.toml")?;
    let root = parse_toml(file, scope.problems);
    let top = root.fields(scope.problems)?;
    let mut project = Project {
        root: scope.files.root.clone(),
        publisher: Publisher { name: String::new(), url: None, email: None },
        private_store: "data/private".to_owned(),
        public_store: "data/public".to_owned(),
        public_url: Url::parse("https://donnees.example.org/").ok()?,
        read_back: ReadBack::default(),
        key: Secret::new(DEMO_KEY),
        alarm: alarm::alarm(&top, scope),
        sql: sql::sql(&top, scope),
        pipelines: Vec::new(),
    };
    let resolved = |text: Option<Spanned<String>>| text.and_then(|text| resolve(&text, scope.env, scope.problems));
    match top.table("project") {
        Some(fields) => {
            if let Some(text) = fields.required_text("public_url") {
                let url = resolve(&text, scope.env, scope.problems);
                project.public_url =
                    url.and_then(|url| public_url(&url, &text, scope.problems)).unwrap_or(project.public_url);
            }
            let place = fields.required_text("key");
            if let Some(key) = resolved(place.clone()) {
                if key.len() < SHORTEST_KEY
                    && let Some(place) = place
                {
                    scope.problems.push(
                        place
                            .problem("project::weak_key", "the key of public ids is too short", "guessed in no time")
                            .help(format!("use {SHORTEST_KEY} random characters or more, in an environment variable")),
                    );
                }
                project.key = Secret::new(key);
            }
            fields.finish();
        }
        None => top.missing("project"),
    }
    match top.table("publisher") {
        Some(fields) => {
            project.publisher.name = fields.required_text("name").map(|text| text.value).unwrap_or_default();
            project.publisher.url = fields.text("url").map(|text| text.value);
            project.publisher.email = fields.text("email").map(|text| text.value);
            fields.finish();
        }
        None => top.missing("publisher"),
    }
    if let Some(fields) = top.table("stores") {
        project.private_store = resolved(fields.text("private")).unwrap_or(project.private_store);
        project.public_store = resolved(fields.text("public")).unwrap_or(project.public_store);
        if let Some(text) = fields.text("read_back") {
            match text.value.as_str() {
                "store" => project.read_back = ReadBack::Store,
                "url" => project.read_back = ReadBack::Url,
                other => scope.problems.push(
                    text.problem(
                        "project::read_back",
                        format!("`{other}` is no way to read a release back"),
                        "unknown",
                    )
                    .suggest(other, ["store", "url"]),
                ),
            }
        }
        fields.finish();
    }
    scope.network = Network::read(&top, project.publisher.email.as_deref(), &project.public_url);
    top.finish();
    Some(project)
}

fn public_url(url: &str, text: &Spanned<String>, problems: &Problems) -> Option<Url> {
    let with_slash = if url.ends_with('/') { url.to_owned() } else { format!("{url}/") };
    let parsed = Url::parse(&with_slash).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if parsed.is_none() {
        problems
            .push(text.problem("project::public_url", "this is not an absolute web address", "here").help(
                "write the address under which the public store is served, such as https://donnees.example.org/",
            ));
    }
    parsed
}

fn pipeline(id: DatasetId, file: &Arc<SourceFile>, project: &Project, scope: &Scope<'_>) -> Option<Pipeline> {
    let root = parse_toml(file, scope.problems);
    let top = root.fields(scope.problems)?;
    let text = |key| top.required_text(key).map(|text: Spanned<String>| text.value).unwrap_or_default();
    let mut pipeline = Pipeline {
        id,
        file: Arc::clone(file),
        title: text("title"),
        description: text("description"),
        version: version(&top, scope.problems),
        licence: String::new(),
        synthetic: top.flag("synthetic").unwrap_or(top.key("synthetic").is_some()),
        time_zone: chrono_tz::Europe::Paris,
        schedule: schedule::schedule(&top, scope),
        keywords: top.texts("keywords").into_iter().map(|text| text.value).collect(),
        themes: coverage::themes(&top, scope.problems),
        period: coverage::period(&top, scope.problems),
        notes: top.texts("notes").into_iter().map(|text| text.value).collect(),
        sources: Vec::new(),
        tables: Vec::new(),
        questionnaire: None,
        crosstabs: Vec::new(),
        longs: Vec::new(),
        models: Vec::new(),
        indicators: scope.contracts.get("indicateurs").cloned(),
        published: Vec::new(),
        exempt: Vec::new(),
        smallest_cell: 5,
        excel_fr: true,
        geoparquet: true,
        latest: true,
        gates: BTreeMap::new(),
        figures: Vec::new(),
        checks: Vec::new(),
        tests: Vec::new(),
        unread: Unread::default(),
    };
    if let Some(zone) = top.text("time_zone") {
        match zone.value.parse() {
            Ok(zone) => pipeline.time_zone = zone,
            Err(_) => scope.problems.push(
                zone.problem("pipeline::time_zone", format!("`{}` is not an IANA time zone", zone.value), "unknown")
                    .suggest(&zone.value, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())),
            ),
        }
    }
    let licence = top.required_text("licence");
    source::sources(&top, &mut pipeline, scope);
    if let Some(licence) = &licence {
        pipeline.licence.clone_from(&licence.value);
        check_licences(licence, &pipeline, &root, scope);
    }
    table::tables(&top, &mut pipeline, scope);
    pipeline.models = models(&top, &pipeline, scope);
    if let Some(fields) = top.table("questionnaire") {
        pipeline.questionnaire = questionnaire::questionnaire(fields, &mut pipeline, scope.problems);
    }
    crosstab::crosstabs(&top, &mut pipeline, scope.problems);
    long::longs(&top, &mut pipeline, scope.problems);
    check_demo_key(&pipeline, project, &top, scope.problems);
    publish(&top, &mut pipeline, scope);
    keys::check(&pipeline, scope);
    pipeline.checks = check::checks(&top, scope.problems);
    pipeline.tests = testing::tests(&top, scope);
    top.finish();
    Some(pipeline)
}

/// The version of the published contract.
fn version(top: &Fields<'_>, problems: &Problems) -> semver::Version {
    let first = semver::Version::new(1, 0, 0);
    let Some(text) = top.text("version") else { return first };
    text.value.parse().unwrap_or_else(|error: semver::Error| {
        problems.push(
            text.problem("pipeline::version", format!("`{}` is not a semantic version", text.value), error.to_string())
                .help("write three numbers, such as \"1.0.0\": see https://semver.org"),
        );
        first
    })
}

fn check_demo_key(pipeline: &Pipeline, project: &Project, top: &Fields<'_>, problems: &Problems) {
    if pipeline.questionnaire.is_some() && !pipeline.synthetic && project.key.expose() == DEMO_KEY {
        let place = top.key("questionnaire");
        if let Some(place) = place {
            problems.push(
                place
                    .problem(
                        "project::demo_key",
                        "a real survey cannot be published with the printed demonstration key",
                        "this survey is not declared `synthetic = true`",
                    )
                    .help(
                        "in essaim.toml write key = \"${env:ESSAIM_KEY}\" and set ESSAIM_KEY to 32 random characters",
                    ),
            );
        }
    }
}

fn check_licences(
    release: &Spanned<String>,
    pipeline: &Pipeline,
    root: &crate::diagnostic::document::Node,
    scope: &Scope<'_>,
) {
    if licence::licence_title(&release.value).is_none() {
        scope.problems.push(
            release
                .problem(
                    "pipeline::unknown_licence",
                    format!("`{}` is not a licence known here", release.value),
                    "unknown",
                )
                .suggest(&release.value, licence::licence_ids()),
        );
        return;
    }
    for source in &pipeline.sources {
        if licence::licence_title(&source.licence).is_some() && !licence::compatible(&source.licence, &release.value) {
            let place = source::licence_place(root, &source.id, scope.problems);
            let place = place.as_ref().unwrap_or(release);
            scope.problems.push(
                place
                    .problem(
                        "pipeline::licence_mix",
                        format!(
                            "source `{}` under {} does not go into a release under {}",
                            source.id, source.licence, release.value
                        ),
                        "this licence",
                    )
                    .help(format!("publish under {} instead, or leave the source out", source.licence)),
            );
        }
    }
}

fn models(top: &Fields<'_>, pipeline: &Pipeline, scope: &Scope<'_>) -> Vec<Model> {
    let folder = format!("sql/{}", pipeline.id);
    let mut models: Vec<Model> = Vec::new();
    for (name, file) in scope.files.folder(&folder, ".sql") {
        let Ok(table) = name.parse::<TableName>() else {
            scope.problems.push(
                Problem::of_file("sql::name", format!("`{name}` cannot name a table"), file)
                    .help("rename the file: lower-case ASCII letters, digits and `_`"),
            );
            continue;
        };
        let taken = pipeline.has_table(name) || REFERENCE_TABLES.contains(&name);
        if taken {
            scope.problems.push(
                Problem::of_file("pipeline::duplicate_name", format!("there already is a table `{name}`"), file)
                    .help("rename the model's file"),
            );
            continue;
        }
        let contract = scope.contracts.get(name).cloned();
        models.push(Model { name: table, file: Arc::clone(file), contract, personal: false });
    }
    for (name, node) in top.named("model") {
        let Some(fields) = node.fields(scope.problems) else { continue };
        let personal = fields.flag("personal").unwrap_or(false);
        fields.finish();
        match models.iter_mut().find(|model| model.name.as_str() == name.value) {
            Some(model) => model.personal = personal,
            None => scope.problems.push(
                name.problem("pipeline::unknown_table", format!("there is no model `{}`", name.value), "no such file")
                    .suggest(&name.value, scope.files.folder(&folder, ".sql").map(|(name, _)| name)),
            ),
        }
    }
    models
}

fn publish(top: &Fields<'_>, pipeline: &mut Pipeline, scope: &Scope<'_>) {
    let Some(fields) = top.table("publish") else {
        top.missing("publish");
        return;
    };
    for name in fields.texts("tables") {
        published(&name, pipeline, scope);
    }
    for name in fields.texts("exempt") {
        match name.value.parse::<TableName>() {
            Ok(table) if pipeline.published.contains(&table) => pipeline.exempt.push(table),
            _ => scope.problems.push(
                name.problem(
                    "pipeline::unknown_table",
                    format!("`{}` is not published", name.value),
                    "exempt from what?",
                )
                .suggest(&name.value, pipeline.published.iter().map(TableName::as_str)),
            ),
        }
    }
    if let Some(k) = fields.integer("smallest_cell") {
        match u64::try_from(k.value) {
            Ok(value) if value >= 3 => pipeline.smallest_cell = value,
            _ => scope.problems.push(
                k.problem("pipeline::smallest_cell", "the smallest cell is at least 3", "too small")
                    .help("under 3, a respondent can work out the answer of the other; 5 is the default"),
            ),
        }
    }
    pipeline.excel_fr = fields.flag("excel_fr").unwrap_or(true);
    pipeline.geoparquet = fields.flag("geoparquet").unwrap_or(true);
    pipeline.latest = fields.flag("latest").unwrap_or(true);
    table_gates(&fields, pipeline, scope);
    for typed in fields.tables("figure") {
        if let Some(figure) = figure::figure(typed, pipeline, scope) {
            pipeline.figures.push(figure);
        }
    }
    fields.finish();
}

/// Files of a release that are named as a table of that name would name its own.
const OWN_FILES: [&str; 2] = ["changes", "dictionary"];

/// Takes a table into what is published.
fn published(name: &Spanned<String>, pipeline: &mut Pipeline, scope: &Scope<'_>) {
    let Ok(table) = name.value.parse::<TableName>() else {
        unknown_table(name, pipeline, scope.problems);
        return;
    };
    if name.value == "indicateurs_groupes" {
        scope.problems.push(
            name.problem(
                "disclosure::grouping",
                "groupings of a survey are not published",
                "this table breaks answers down by group",
            )
            .help("design.md section 7: no grouping before secondary suppression and its attack test are in place"),
        );
    } else if OWN_FILES.contains(&name.value.as_str()) {
        scope.problems.push(
            name.problem(
                "pipeline::table_name",
                format!("a published table cannot be called `{table}`"),
                "every release has files of that name",
            )
            .help("rename the table, with its contract and its SQL"),
        );
    } else if pipeline.published.contains(&table) {
        scope.problems.push(
            name.problem("pipeline::duplicate_name", format!("`{table}` is published twice"), "the second time")
                .help("remove one of the two"),
        );
    } else if !is_table(&name.value, pipeline) {
        unknown_table(name, pipeline, scope.problems);
    } else if !scope.has_contract(&name.value) {
        scope.problems.push(
            name.problem(
                "pipeline::no_contract",
                format!("`{table}` has no contract, so nothing of it is public"),
                "published here",
            )
            .help(format!("write schemas/{table}.schema.json")),
        );
    } else {
        pipeline.published.push(table);
    }
}

fn is_table(name: &str, pipeline: &Pipeline) -> bool {
    pipeline.tables.iter().any(|table| table.name.as_str() == name)
        || pipeline.models.iter().any(|model| model.name.as_str() == name)
        || (name == "indicateurs" && pipeline.questionnaire.is_some())
        || pipeline.unread.tables.contains(name)
}

fn unknown_table(name: &Spanned<String>, pipeline: &Pipeline, problems: &Problems) {
    let crossed =
        pipeline.crosstabs.iter().map(|crosstab| (crosstab.name.as_str(), "pipeline::crosstab", "cross-table"));
    let long = pipeline.longs.iter().map(|long| (long.name.as_str(), "pipeline::long", "long table"));
    if let Some((_, code, kind)) = crossed.chain(long).find(|(known, ..)| *known == name.value) {
        problems.push(
            name.problem(code, format!("`{}` is a {kind}", name.value), "published here")
                .help("publish a model that reads it, under a name and a contract of its own"),
        );
        return;
    }
    let tables = pipeline.tables.iter().map(|table| table.name.as_str());
    let models = pipeline.models.iter().map(|model| model.name.as_str());
    let known: Vec<&str> = tables.chain(models).chain(["indicateurs"]).collect();
    problems.push(
        name.problem(
            "pipeline::unknown_table",
            format!("there is no table `{}`", name.value),
            "neither table nor model",
        )
        .suggest(&name.value, known),
    );
}
