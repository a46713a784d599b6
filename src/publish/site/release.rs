//! The page of a release: what it is, what changed with it, its files, its checks, how to cite it. It stays when the release
//! is withdrawn or rewritten, and says so then.
//!
//! The page stands beside the release, in `versions/`, not in its folder: the bytes of a release never change, and what is
//! said of it does. Each page carries a digest of all that it was made from. Releases become many, and nearly all of their
//! pages are as they were: that digest is looked at, and only a page that should say something else is made again.

use minijinja::{Error, context};
use serde_json::json;

use super::editions::Edition;
use super::page::{TEMPLATES, described, drawn, environment, file};
use super::read::{Facts, Release};
use super::words::Language;
use super::{changed, quality, texts};
use crate::id::Digest;
use crate::publish::PublishError;
use crate::publish::changes::PAGE;
use crate::release::ChangeSummary;

/// The folder of these pages.
const FOLDER: &str = "versions";

/// A release between its neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<'a> {
    pub(super) edition: &'a Edition,
    before: Option<&'a str>,
    after: Option<&'a str>,
}

/// A leaf for every release, newest first.
pub(super) fn leaves(editions: &[Edition]) -> Vec<Leaf<'_>> {
    let numbered = editions.iter().enumerate().map(|(at, edition)| {
        // One that was rewritten stands in no row: its place is taken.
        let chained = |other: Option<usize>| {
            let other = other.and_then(|other| editions.get(other)).filter(|other| other.state != "erased");
            other.filter(|_| edition.state != "erased").map(|other| other.release.as_str())
        };
        Leaf { edition, before: chained(at.checked_add(1)), after: chained(at.checked_sub(1)) }
    });
    numbered.collect()
}

/// What is said of the dataset on a page whose release is not there.
fn named(facts: &Facts) -> (&str, bool) {
    let shown = facts.release.as_ref();
    shown.map_or((facts.dataset.as_str(), false), |shown| (&shown.manifest.title, shown.manifest.synthetic))
}

impl Leaf<'_> {
    /// Path of the page below the dataset's folder.
    pub(super) fn path(&self, language: Language) -> String {
        format!("{FOLDER}/{}/{}", self.edition.release, language.page())
    }

    /// Digest of all that the pages are made from.
    pub(super) fn recipe(&self, facts: &Facts) -> Digest {
        let Edition { release, state, issued, version, ended, reason, replaced_by, changes: _, manifest } =
            self.edition;
        let templates: Vec<Digest> = TEMPLATES.iter().map(|(_, text)| Digest::of(text.as_bytes())).collect();
        let name = if self.edition.is_shown() { ("", false) } else { named(facts) };
        let made_from = json!([
            env!("CARGO_PKG_VERSION"),
            templates,
            texts::of(Language::French),
            texts::of(Language::English),
            release,
            state,
            issued,
            version,
            ended,
            reason,
            replaced_by,
            manifest,
            self.before,
            self.after,
            name,
        ]);
        Digest::of(made_from.to_string().as_bytes())
    }

    /// Whether a stored page says that it was made from that.
    pub(super) fn is_of(page: &[u8], recipe: Digest) -> bool {
        let mark = format!("<meta name=\"essaim-made-from\" content=\"{recipe}\"/>");
        // It stands in the head.
        let head = page.get(..page.len().min(2048)).unwrap_or_default();
        memchr::memmem::find(head, mark.as_bytes()).is_some()
    }
}

/// A release whose files are there, with what changed since the one before.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) release: Release,
    pub(super) summary: Option<ChangeSummary>,
}

/// The page in one language. Of a release that is not shown, nothing is told but the log.
pub(super) fn page(
    language: Language,
    facts: &Facts,
    leaf: Leaf<'_>,
    told: Option<&Told>,
) -> Result<String, PublishError> {
    let render = || -> Result<String, Error> {
        let environment = environment(language, "release.html")?;
        let template = environment.get_template("release.html")?;
        let (title, synthetic) = named(facts);
        let common = context! {
            edition => leaf.edition,
            before => leaf.before,
            after => leaf.after,
            recipe => leaf.recipe(facts).to_string(),
        };
        match told {
            Some(told) => template.render(context! { ..measured(language, leaf, told), ..described(language, &told.release), ..common }),
            None => template.render(context! { release => (), title, synthetic, version => leaf.edition.version, publisher => "", ..common }),
        }
    };
    render().map_err(drawn("index.html of a release"))
}

fn measured(language: Language, leaf: Leaf<'_>, told: &Told) -> minijinja::Value {
    let Told { release, summary } = told;
    let manifest = &release.manifest;
    context! {
        files => manifest.files.iter().map(file).collect::<Vec<_>>(),
        manifest_sha256 => leaf.edition.manifest.map(|digest| digest.to_string()),
        summary => summary.as_ref().map(|summary| changed::changed(language, summary, &manifest.sources)),
        contract_changes => changed::contract(language, &manifest.contract_changes),
        has_changes => manifest.files.iter().any(|file| file.path == PAGE),
        erasure => manifest.erasure,
        checks => quality::checks(release),
        failing => quality::failing(release),
        gate => quality::gate(release),
        reads => quality::reads(release),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edition(release: &str, state: &'static str) -> Edition {
        Edition {
            release: release.to_owned(),
            state,
            issued: String::new(),
            version: None,
            ended: None,
            reason: None,
            replaced_by: None,
            changes: false,
            manifest: None,
        }
    }

    #[test]
    fn releases_lead_to_their_neighbours_and_rewritten_ones_stand_apart() {
        let all = [
            edition("2026-12-03", "current"),
            edition("2026-12-02", "withdrawn"),
            edition("2026-12-01-r1", "published"),
            edition("2026-12-01", "erased"),
        ];
        let leaves = leaves(&all);
        let told: Vec<_> = leaves.iter().map(|leaf| (leaf.before, leaf.after)).collect();
        assert_eq!(told[0], (Some("2026-12-02"), None));
        assert_eq!(told[1], (Some("2026-12-01-r1"), Some("2026-12-03")));
        assert_eq!(told[2], (None, Some("2026-12-02")));
        assert_eq!(told[3], (None, None));
    }
}
