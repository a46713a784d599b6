//! The rules of the house that the compiler does not know: layers, fences, sizes.
//!
//! Every rule is a function of a file's path and text, so that the last tests can plant a violation and see it caught.

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;

use crate::harness::{repository, walk};

/// Modules and their layers. A module imports lower layers only; equal layers do not know each other.
const LAYERS: [(&str, u8); 21] = [
    ("id", 0),
    ("secret", 0),
    ("diagnostic", 0),
    ("contract", 1),
    ("store", 1),
    ("config", 2),
    ("engine", 2),
    ("source", 3),
    ("normalise", 4),
    ("territory", 5),
    ("survey", 5),
    ("draft", 6),
    ("model", 6),
    ("quality", 7),
    ("disclosure", 7),
    ("release", 8),
    ("publish", 9),
    ("run", 10),
    ("schedule", 11),
    ("serve", 11),
    ("cli", 12),
];

/// Heavy crates and the modules that may name them.
const FENCES: [(&str, &[&str]); 19] = [
    ("datafusion", &["engine"]),
    ("datafusion_postgres", &["serve"]),
    ("datafusion_pg_catalog", &["serve"]),
    ("arrow_flight", &["serve"]),
    ("tonic", &["serve"]),
    ("rustls", &["serve"]),
    // DataFusion hands its own copy of the crate out; the engine takes the store's handle by it.
    ("object_store", &["store", "engine"]),
    ("reqwest", &["source"]),
    ("clap", &["cli"]),
    ("miette", &["diagnostic"]),
    ("minijinja", &["publish"]),
    // The server that connectors are tested against is one of theirs.
    ("axum", &["serve", "source"]),
    ("hyper", &["serve"]),
    ("utoipa", &["serve"]),
    ("tokio_cron_scheduler", &["schedule"]),
    ("lettre", &["schedule"]),
    ("resvg", &["publish"]),
    ("dejavu", &["publish"]),
    ("atom_syndication", &["publish"]),
];

const LONGEST_FILE: usize = 500;

/// A Rust file of the repository.
struct File {
    path: String,
    text: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The module below the crate's root that it belongs to; `main` and `lib` for these two.
    fn module(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let name = below.split('/').next().unwrap_or(below);
        name.strip_suffix(".rs").unwrap_or(name)
    }

    /// Whether its `super` is the crate's root.
    fn at_the_top(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        matches!(parts.as_slice(), ["src", _] | ["src", _, "mod.rs"])
    }

    /// Its text without comments and the contents of literals; lines stay where they are.
    fn code(&self) -> String {
        let literals = r##"(?s)//[^\n]*|/\*.*?\*/|\br"[^"]*"|\br#".*?"#|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'"##;
        let literals = Regex::new(literals).unwrap();
        let blank = |found: &regex::Captures<'_>| "\n".repeat(found[0].matches('\n').count());
        literals.replace_all(&self.text, blank).into_owned()
    }

    /// The same without what stands under `#[cfg(test)]`.
    fn released_code(&self) -> String {
        let mut kept = String::new();
        let mut inside = false;
        for line in self.code().lines() {
            inside = inside || line.trim_start() == "#[cfg(test)]";
            kept.push_str(if inside { "" } else { line });
            kept.push('\n');
            inside = inside && !(line == "}" || line.ends_with(';') && !line.starts_with(' '));
        }
        kept
    }

    /// Files that `#[cfg(test)] mod name;` lines of this one bring in.
    fn test_files(&self) -> Vec<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs")) => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let parent = self.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let line =
            r#"#\[cfg\(test\)\]\s*(?:#\[path = "(?P<path>[^"]+)"\]\s*)?(?:pub(?:\([a-z]+\))? )?mod (?P<name>\w+);"#;
        let found = Regex::new(line).unwrap();
        let files = found.captures_iter(&self.text).map(|mods| match mods.name("path") {
            Some(path) => format!("{parent}/{}", path.as_str()),
            None => format!("{folder}/{}", &mods["name"]),
        });
        files.collect()
    }

    fn place(&self, code: &str, at: usize) -> String {
        let line = code.char_indices().filter(|(offset, c)| *offset < at && *c == '\n').count() + 1;
        format!("{}:{line}", self.path)
    }
}

fn rust_files(folders: &[&str]) -> Vec<File> {
    let mut files = Vec::new();
    for folder in folders {
        walk(&repository().join(folder), &mut |path| {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(repository()).unwrap().to_str().unwrap();
                files.push(File::new(name, &fs::read_to_string(path).unwrap()));
            }
        });
    }
    assert!(files.len() > 10, "the files of the repository should have been found");
    files
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// Imports that do not point down, group whole layers together, or leave the crate's modules unnamed.
fn import_violations(file: &File) -> Vec<String> {
    let mut violations = Vec::new();
    let module = file.module();
    if matches!(module, "main" | "lib") {
        return violations;
    }
    let code = file.code();
    let Some(own) = layer(module) else {
        return vec![format!("{}: module `{module}` has no layer", file.path)];
    };
    // A suite that several implementations share is told about them.
    let looks_sideways = file.path.ends_with("/conformance.rs");
    for found in Regex::new(r"\bcrate::(\w+|\{|\*)").unwrap().captures_iter(&code) {
        let (name, place) = (&found[1], file.place(&code, found.get(0).unwrap().start()));
        match layer(name) {
            _ if name == "{" || name == "*" => {
                violations.push(format!("{place}: `crate::{name}` hides what is imported"));
            }
            None => violations.push(format!("{place}: `crate::{name}` is no module of a layer")),
            Some(_) if name == module || looks_sideways => {}
            Some(other) if other < own => {}
            Some(other) => {
                violations.push(format!("{place}: `{module}` (layer {own}) imports `{name}` (layer {other})"));
            }
        }
    }
    let climbs = if file.at_the_top() {
        r"(?m)^(?:pub(?:\([a-z]+\))? )?use super::|\bsuper::super\b"
    } else {
        r"\bsuper::super\b"
    };
    for found in Regex::new(climbs).unwrap().find_iter(&code) {
        violations.push(format!("{}: write `crate::…` instead of climbing", file.place(&code, found.start())));
    }
    violations
}

/// Names of fenced crates outside their fences.
fn fence_violations(file: &File) -> Vec<String> {
    let code = file.code();
    let mut violations = Vec::new();
    for (name, allowed) in FENCES {
        if code.contains(name) && !allowed.contains(&file.module()) {
            let named = Regex::new(&format!(r"\b{name}(?:_\w+)?\s*::|\b(?:use|extern crate)\s+{name}\b")).unwrap();
            // A crate whose name begins with another's has a fence of its own.
            let longer = FENCES.iter().filter(|(other, _)| other.len() > name.len() && other.starts_with(name));
            let found = named.find_iter(&code);
            let found = found.filter(|found| !longer.clone().any(|(other, _)| found.as_str().starts_with(other)));
            violations.extend(found.map(|found| {
                format!("{}: `{name}` is named outside {}", file.place(&code, found.start()), allowed.join(", "))
            }));
        }
    }
    violations
}

/// Notes to oneself, and files that are too long.
fn size_violations(file: &File) -> Vec<String> {
    let notes = Regex::new(concat!(r"\b(?:TO", r"DO|FIX", r"ME|to", r"do!|unimple", r"mented!)")).unwrap();
    let mut violations: Vec<String> = notes
        .find_iter(&file.text)
        .map(|found| format!("{}: unfinished", file.place(&file.text, found.start())))
        .collect();
    let lines = file.text.lines().count();
    if lines > LONGEST_FILE {
        violations.push(format!("{}: {lines} lines, {LONGEST_FILE} at most", file.path));
    }
    violations
}

/// `unwrap` in code that is shipped.
fn unwrap_violations(file: &File) -> Vec<String> {
    let code = file.released_code();
    let unwraps = Regex::new(r"\.unwrap(?:_err|_unchecked)?\(\)").unwrap();
    unwraps
        .find_iter(&code)
        .map(|found| format!("{}: `unwrap` outside tests", file.place(&code, found.start())))
        .collect()
}

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn imports_point_down() {
    let files = rust_files(&["src"]);
    assert_none(&files.iter().flat_map(import_violations).collect::<Vec<_>>());
}

#[test]
fn heavy_crates_stay_behind_their_fences() {
    let files = rust_files(&["src"]);
    assert_none(&files.iter().flat_map(fence_violations).collect::<Vec<_>>());
    for (name, allowed) in FENCES {
        let named = files.iter().filter(|file| allowed.contains(&file.module()));
        let used = named.filter(|file| file.code().contains(name)).count();
        assert!(used > 0, "nobody uses `{name}`: its fence, and the crate, can go");
    }
}

#[test]
fn files_are_short_and_finished() {
    let files = rust_files(&["src", "tests"]);
    assert_none(&files.iter().flat_map(size_violations).collect::<Vec<_>>());
}

#[test]
fn shipped_code_never_unwraps() {
    let files = rust_files(&["src"]);
    let tests: BTreeSet<String> = files.iter().flat_map(File::test_files).collect();
    let is_test = |file: &&File| {
        let stem = file.path.trim_end_matches(".rs");
        tests.iter().any(|test| test.trim_end_matches(".rs") == stem || file.path.starts_with(&format!("{test}/")))
    };
    let shipped: Vec<&File> = files.iter().filter(|file| !is_test(file)).collect();
    assert!(shipped.len() < files.len(), "some files hold tests only");
    assert_none(&shipped.into_iter().flat_map(unwrap_violations).collect::<Vec<_>>());
}

#[test]
fn the_library_lists_its_modules_in_the_order_of_their_layers() {
    let lib = File::new("src/lib.rs", &fs::read_to_string(repository().join("src/lib.rs")).unwrap());
    let declared = Regex::new(r"(?m)^pub mod (\w+);").unwrap();
    let code = lib.code();
    let modules: Vec<&str> = declared.captures_iter(&code).map(|found| found.get(1).unwrap().as_str()).collect();
    let unknown: Vec<&&str> = modules.iter().filter(|module| layer(module).is_none()).collect();
    assert!(unknown.is_empty(), "modules without a layer: {unknown:?}");
    assert!(modules.is_sorted_by_key(|module| layer(module)), "{modules:?}");
}

mod planted {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::upwards(
        "src/store/mod.rs",
        "use crate::config::Pipeline;\n",
        "src/store/mod.rs:1: `store` (layer 1) imports `config` (layer 2)"
    )]
    #[case::sideways(
        "src/config/load.rs",
        "use crate::engine::Engine;\n",
        "src/config/load.rs:1: `config` (layer 2) imports `engine` (layer 2)"
    )]
    #[case::inline(
        "src/id.rs",
        "\n\nfn f() -> crate::cli::Exit {}\n",
        "src/id.rs:3: `id` (layer 0) imports `cli` (layer 12)"
    )]
    #[case::in_a_test_module(
        "src/id.rs",
        "#[cfg(test)]\nmod tests {\n    use crate::run::run;\n}\n",
        "src/id.rs:3: `id` (layer 0) imports `run` (layer 10)"
    )]
    #[case::groups(
        "src/run/mod.rs",
        "use crate::{id, store};\n",
        "src/run/mod.rs:1: `crate::{` hides what is imported"
    )]
    #[case::everything("src/run/mod.rs", "use crate::*;\n", "src/run/mod.rs:1: `crate::*` hides what is imported")]
    #[case::unknown_module(
        "src/run/mod.rs",
        "use crate::util::join;\n",
        "src/run/mod.rs:1: `crate::util` is no module of a layer"
    )]
    #[case::unknown_file("src/util.rs", "", "src/util.rs: module `util` has no layer")]
    #[case::by_super("src/id.rs", "use super::cli::Exit;\n", "src/id.rs:1: write `crate::…` instead of climbing")]
    #[case::by_two_supers(
        "src/store/key.rs",
        "use super::super::cli::Exit;\n",
        "src/store/key.rs:1: write `crate::…` instead of climbing"
    )]
    fn an_import_that_does_not_point_down_is_caught(#[case] path: &str, #[case] text: &str, #[case] expected: &str) {
        assert_eq!(import_violations(&File::new(path, text)), [expected]);
    }

    #[rstest]
    #[case::down("src/run/mod.rs", "use crate::id::RunId;\nuse crate::run::record;\n")]
    #[case::comment("src/id.rs", "// use crate::cli::Exit;\n/// [`crate::run`]\n")]
    #[case::text("src/id.rs", "const A: &str = \"crate::cli\";\nconst B: &str = r#\"use \"crate::cli\"\"#;\n")]
    #[case::suite("src/store/conformance.rs", "use crate::source::Connector;\n")]
    #[case::own_parent("src/store/key.rs", "use super::Store;\n")]
    #[case::root("src/main.rs", "use crate::anything;\n")]
    fn an_import_that_points_down_is_fine(#[case] path: &str, #[case] text: &str) {
        assert_eq!(import_violations(&File::new(path, text)), Vec::<String>::new());
    }

    #[rstest]
    #[case::import("src/run/build.rs", "use datafusion::prelude::*;\n", "datafusion")]
    #[case::inline("src/run/build.rs", "fn f(e: datafusion::error::DataFusionError) {}\n", "datafusion")]
    #[case::part_of_it("src/run/build.rs", "use datafusion_common::Column;\n", "datafusion")]
    #[case::store("src/source/file.rs", "use object_store::path::Path;\n", "object_store")]
    #[case::web("src/run/mod.rs", "use reqwest as web;\n", "reqwest")]
    #[case::arguments("src/run/mod.rs", "#[derive(clap::Args)]\nstruct A;\n", "clap")]
    #[case::drawing("src/cli/printer.rs", "use miette::Report;\n", "miette")]
    #[case::pages("src/release/mod.rs", "use minijinja::Environment;\n", "minijinja")]
    fn a_crate_outside_its_fence_is_caught(#[case] path: &str, #[case] text: &str, #[case] name: &str) {
        let violations = fence_violations(&File::new(path, text));
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].starts_with(&format!("{path}:1: `{name}` is named outside ")), "{violations:?}");
    }

    #[test]
    fn a_crate_behind_its_fence_is_fine() {
        let file =
            File::new("src/engine/plan.rs", "use datafusion::prelude::*;\nuse datafusion::object_store::path::Path;\n");
        assert_eq!(fence_violations(&file), Vec::<String>::new());
    }

    #[test]
    fn an_unfinished_or_long_file_is_caught() {
        let text = format!("// {}: later\n{}", concat!("TO", "DO"), "\n".repeat(500));
        let violations = size_violations(&File::new("src/id.rs", &text));
        assert_eq!(violations, ["src/id.rs:1: unfinished", "src/id.rs: 501 lines, 500 at most"]);
    }

    #[test]
    fn an_unwrap_is_caught_in_shipped_code_only() {
        let text = "fn f() {\n    a().unwrap();\n}\n\n#[cfg(test)]\nmod tests {\n    fn g() {\n        b().unwrap();\n    }\n}\n";
        let text =
            format!("{text}#[cfg(test)]\nmod others;\nfn h() {{\n    // c().unwrap()\n    d().unwrap_err();\n}}\n");
        let violations = unwrap_violations(&File::new("src/id.rs", &text));
        assert_eq!(violations, ["src/id.rs:2: `unwrap` outside tests", "src/id.rs:15: `unwrap` outside tests"]);
    }

    #[test]
    fn files_of_tests_are_known_by_their_declaration() {
        let text = "#[cfg(test)]\nmod tests;\n\n#[cfg(test)]\n#[path = \"lookup_tests.rs\"]\nmod more;\n#[cfg(test)]\npub(crate) mod faulty;\nmod kept;\n";
        let of = |path: &str| File::new(path, text).test_files();
        assert_eq!(
            of("src/territory/lookup.rs"),
            ["src/territory/lookup/tests", "src/territory/lookup_tests.rs", "src/territory/lookup/faulty"]
        );
        assert_eq!(of("src/store/mod.rs"), ["src/store/tests", "src/store/lookup_tests.rs", "src/store/faulty"]);
    }
}
