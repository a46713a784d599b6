//! `feed.atom` (RFC 4287): what happened to the releases of a dataset, and of all datasets, for those who follow them.
//!
//! Every entry of the log that matters to readers is an entry of the feed, under an id that is made from the log entry's
//! digest: it never changes, whatever address the data moves to. Texts are in French.

use std::io::Cursor;

use atom_syndication::{Category, Entry, Feed, FixedDateTime, Generator, Link, Person, Text, WriteConfig};
use bytes::Bytes;

use super::editions::Edition;
use super::read::{Card, Facts, licence, text};
use super::words::Language;
use super::{changed, texts};
use crate::id::{DatasetId, Digest};
use crate::publish::PublishError;
use crate::publish::metadata::SYNTHETIC;
use crate::release::{LogEntry, LogKind};
use crate::store::{Store, StoreError, StoreKey};

/// Name of the file.
pub(super) const PATH: &str = "feed.atom";
/// The newest events that a feed holds.
pub(super) const EVENTS: usize = 40;

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> PublishError {
    PublishError::Page { page: PATH, source: Box::new(error) }
}

/// A name for good, made from what never changes (UUID of version 8).
fn urn(parts: &[&str]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Digest::of(parts.join("\n").as_bytes()).as_bytes()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    let group = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-{}-{}-{}", group(0, 8), group(8, 12), group(12, 16), group(16, 20), group(20, 32))
}

fn time(text: &str) -> Result<FixedDateTime, PublishError> {
    FixedDateTime::parse_from_rfc3339(text).map_err(broken)
}

fn link(rel: &str, href: String, media_type: &str, language: Option<Language>) -> Link {
    Link {
        href,
        rel: rel.to_owned(),
        hreflang: language.map(|language| language.tag().to_owned()),
        mime_type: Some(media_type.to_owned()),
        ..Link::default()
    }
}

/// Links to a page in both languages.
fn pages(folder: &str) -> Vec<Link> {
    let page =
        |language: Language| link("alternate", format!("{folder}{}", language.page()), "text/html", Some(language));
    Language::ALL.map(page).to_vec()
}

fn generator() -> Generator {
    Generator { value: "Essaim".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()), uri: None }
}

/// The feed of a dataset. Its addresses are absolute as long as a release tells the address of the dataset.
pub(super) fn of_dataset(facts: &Facts, entries: &[(u64, LogEntry)]) -> Result<Feed, PublishError> {
    let release = facts.release.as_ref();
    let base = release.map(|release| text(&release.package["homepage"])).unwrap_or_default();
    let title = match release {
        Some(release) => text(&release.package["title"]),
        None => facts.dataset.to_string(),
    };
    let told = Teller { facts, base: &base, title: &title };
    let mut events = Vec::new();
    for (number, entry) in entries.iter().rev() {
        if events.len() < EVENTS
            && let Some(event) = told.event(*number, entry)?
        {
            events.push(event);
        }
    }
    let updated = events.iter().map(|event| event.updated).max().unwrap_or_default();
    let first = entries.first().and_then(|(_, entry)| entry.digest).map(|digest| digest.to_string());
    let mut links = vec![link("self", format!("{base}{PATH}"), "application/atom+xml", None)];
    links.extend(pages(&base));
    Ok(Feed {
        id: urn(&["feed", facts.dataset.as_str(), first.as_deref().unwrap_or_default()]),
        subtitle: release.map(|release| Text::plain(text(&release.package["description"]))),
        rights: release.map(|release| Text::plain(licence(&release.manifest, &release.package))),
        title: Text::plain(title.clone()),
        updated,
        authors: vec![author(facts)],
        links,
        generator: Some(generator()),
        lang: Some("fr".to_owned()),
        entries: events,
        ..Feed::default()
    })
}

/// Who publishes; the dataset's name when no release tells.
fn author(facts: &Facts) -> Person {
    let known = facts.release.as_ref().map(|release| &release.package["contributors"][0]);
    let of = |member: &str| known.and_then(|known| known[member].as_str()).map(str::to_owned);
    let name = of("title").unwrap_or_else(|| facts.dataset.to_string());
    Person { name, email: of("email"), uri: of("path"), ..Person::default() }
}

/// Tells the entries of a log.
struct Teller<'a> {
    facts: &'a Facts,
    base: &'a str,
    title: &'a str,
}

impl Teller<'_> {
    /// An event; none for an entry that changes nothing for readers.
    fn event(&self, number: u64, entry: &LogEntry) -> Result<Option<Entry>, PublishError> {
        let Some(release) = &entry.release else { return Ok(None) };
        let edition = self.facts.editions.iter().find(|edition| edition.release == release.as_str());
        let published = time(&entry.at)?;
        let mut updated = published;
        let (what, mut said) = match entry.kind {
            LogKind::Publish => {
                if let Some(ended) = edition.and_then(|edition| edition.ended.as_deref()) {
                    updated = updated.max(time(ended)?);
                }
                (format!("version {release} publiée"), self.changes(edition))
            }
            LogKind::Withdraw => {
                (format!("version {release} retirée"), "Ses fichiers ne sont plus diffusés.".to_owned())
            }
            LogKind::Restore => {
                (format!("version {release} rétablie"), "Ses fichiers sont de nouveau diffusés.".to_owned())
            }
            LogKind::Erase => {
                let old = entry.replaces.as_ref().map(ToString::to_string).unwrap_or_default();
                let said = format!("Un enregistrement en a été effacé. Supprimez vos copies de la version {old}.");
                (format!("version {old} réécrite en {release}"), said)
            }
            LogKind::Fence => return Ok(None),
        };
        if let Some(reason) = &entry.reason {
            said = format!("{said} Motif : {reason}");
        }
        if self.facts.release.as_ref().is_some_and(|release| release.manifest.synthetic) {
            said = format!("{SYNTHETIC} {said}");
        }
        let digest = entry.digest.map(|digest| digest.to_string()).unwrap_or_default();
        Ok(Some(Entry {
            id: urn(&["entry", self.facts.dataset.as_str(), &number.to_string(), &digest]),
            title: Text::plain(format!("{} : {what}", self.title)),
            updated,
            published: Some(published),
            categories: vec![Category { term: term(entry.kind).to_owned(), ..Category::default() }],
            links: pages(&format!("{}versions/{release}/", self.base)),
            summary: Some(Text::plain(said)),
            ..Entry::default()
        }))
    }

    /// Whether no other release was published before.
    fn is_first(&self, edition: &Edition) -> bool {
        let oldest = self.facts.editions.iter().rfind(|known| known.state != "erased");
        oldest.is_some_and(|oldest| oldest.release == edition.release)
    }

    /// What changed with a release.
    fn changes(&self, edition: Option<&Edition>) -> String {
        let language = Language::French;
        let Some(edition) = edition else { return String::new() };
        let summary = self.facts.summaries.get(&edition.release);
        match (edition.state, summary) {
            ("withdrawn", _) => "Cette version a été retirée depuis.".to_owned(),
            ("erased", _) => "Cette version a été réécrite depuis.".to_owned(),
            (_, Some(summary)) => {
                let causes = changed::causes(language, summary);
                let said = changed::sentence(language, summary);
                if causes.is_empty() { said } else { format!("{said} Origine : {}.", causes.join(", ")) }
            }
            (_, None) if self.is_first(edition) => "Première version publiée.".to_owned(),
            (_, None) => "Ce qui a changé est dit sur la page de la version.".to_owned(),
        }
    }
}

/// The kind of an event, for programs.
fn term(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Publish => "publish",
        LogKind::Withdraw => "withdraw",
        LogKind::Restore => "restore",
        LogKind::Erase => "erase",
        LogKind::Fence => "fence",
    }
}

/// The feed as it is stored.
pub(super) fn written(feed: &Feed) -> Result<Bytes, PublishError> {
    let config = WriteConfig { write_document_declaration: true, indent_size: Some(1) };
    let mut bytes = feed.write_with_config(Vec::new(), config).map_err(broken)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

/// The newest events of all datasets: of the dataset that is at hand, and of the others as their feeds tell them.
pub(super) async fn of_all(store: &Store, facts: &Facts, own: &Feed, cards: &[Card]) -> Result<Bytes, PublishError> {
    let mut feeds = vec![(facts.dataset.clone(), own.clone())];
    for dataset in cards.iter().filter_map(|card| card.dataset.parse::<DatasetId>().ok()) {
        if dataset != facts.dataset {
            let found = other(store, &dataset).await.map_err(super::failed(&facts.dataset))?;
            feeds.extend(found.map(|feed| (dataset, feed)));
        }
    }
    feeds.sort_by(|(a, _), (b, _)| a.cmp(b));
    let publisher = cards.iter().map(|card| card.publisher.as_str()).find(|name| !name.is_empty());
    let root = feeds.iter().find_map(|(dataset, feed)| root(dataset, feed)).unwrap_or_default();
    let id = match feeds.first() {
        Some((_, feed)) if root.is_empty() => urn(&["catalogue", &feed.id]),
        _ => format!("{root}{PATH}"),
    };
    let words = texts::of(Language::French);
    let title = words.get("catalogue").copied().unwrap_or_default();
    let mut entries: Vec<Entry> = feeds.iter().flat_map(|(dataset, feed)| events(dataset, feed)).collect();
    // Events of one moment stay in the order that their own feed tells them in.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.published));
    entries.truncate(EVENTS);
    let mut links = vec![link("self", format!("{root}{PATH}"), "application/atom+xml", None)];
    links.extend(pages(&root));
    let author = publisher.map(|name| Person { name: name.to_owned(), ..Person::default() });
    written(&Feed {
        id,
        title: Text::plain(publisher.map_or_else(|| title.to_owned(), |name| format!("{title} – {name}"))),
        subtitle: words.get("catalogue_lead").map(|lead| Text::plain(*lead)),
        updated: entries.iter().map(|entry| entry.updated).max().unwrap_or_default(),
        authors: author.into_iter().collect(),
        links,
        generator: Some(generator()),
        lang: Some("fr".to_owned()),
        entries,
        ..Feed::default()
    })
}

/// The feed of another dataset, when there is one that can be read.
async fn other(store: &Store, dataset: &DatasetId) -> Result<Option<Feed>, StoreError> {
    let key = StoreKey::DatasetPage { dataset: dataset.clone(), path: PATH.to_owned() };
    let bytes = store.get(&key).await?;
    Ok(bytes.and_then(|bytes| Feed::read_from(Cursor::new(bytes)).ok()))
}

/// Address of the folder that a dataset's folder is in, when its feed tells.
fn root(dataset: &DatasetId, feed: &Feed) -> Option<String> {
    let own = feed.links.iter().find(|link| link.rel == "self")?;
    own.href.strip_suffix(&format!("{dataset}/{PATH}")).filter(|root| !root.is_empty()).map(str::to_owned)
}

/// The events of a dataset's feed, as they stand in that of all.
fn events(dataset: &DatasetId, feed: &Feed) -> Vec<Entry> {
    let absolute = |href: &str| href.starts_with("https://") || href.starts_with("http://");
    let entries = feed.entries.iter().map(|entry| {
        let mut entry = entry.clone();
        entry.authors.clone_from(&feed.authors);
        for link in entry.links.iter_mut().filter(|link| !absolute(&link.href)) {
            link.href = format!("{dataset}/{}", link.href);
        }
        entry
    });
    entries.collect()
}
