//! What can be read in SQL: `dataset.table` of current releases, `"dataset@release".table` of any that stands.
//!
//! A [`View`] is what the logs said at one moment. It is made of what [`Published`] keeps in memory, so it costs no list
//! and mostly no request; footers of Parquet files are read once and kept.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::future::join_all;
use tokio::time::Instant;

use crate::engine::{DEFAULT_SCHEMA, Engine, EngineError, Library, Missing, ReleaseTable, below};
use crate::id::{DatasetId, ReleaseId};
use crate::serve::error::{Gone, ServeError};
use crate::serve::published::{Contents, Dataset, FRESH, Published, Release, Standing};
use crate::store::StoreKey;

/// Name of the public store inside the engine.
const STORE: &str = "release://public";

/// Most footers that are kept.
const KEPT: usize = 4096;

/// A table of a current release.
#[derive(Debug, Clone)]
pub struct ListedTable {
    /// The dataset.
    pub dataset: DatasetId,
    /// Its current release.
    pub release: ReleaseId,
    /// The schema that it stands under in SQL.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Its title.
    pub title: String,
    /// Its rows.
    pub rows: u64,
    /// Its columns.
    pub columns: SchemaRef,
}

/// All that is published, for SQL.
pub(super) struct Catalogue {
    published: Published,
    engine: Engine,
    /// By path.
    opened: Mutex<HashMap<String, ReleaseTable>>,
    last: RwLock<Arc<View>>,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue").finish_non_exhaustive()
    }
}

/// What the logs said at one moment.
pub(super) struct View {
    /// By the name of the schema.
    datasets: BTreeMap<String, Shown>,
    /// Whether all current releases could be read.
    whole: bool,
    made: Instant,
}

impl Default for View {
    fn default() -> Self {
        Self { datasets: BTreeMap::new(), whole: true, made: Instant::now() }
    }
}

/// A dataset in a view.
struct Shown {
    dataset: Arc<Dataset>,
    latest: Option<(Arc<Release>, Arc<Contents>)>,
    /// Whether its current release could not be read.
    unread: bool,
}

impl Catalogue {
    pub(super) fn new(published: Published, engine: Engine) -> Result<Arc<Self>, EngineError> {
        let store = published.store();
        engine.register_store(STORE, below(store.handle(), store.root_url()))?;
        Ok(Arc::new(Self { published, engine, opened: Mutex::default(), last: RwLock::default() }))
    }

    /// What the logs say now; the same view as long as they say the same. A dataset whose release cannot be read is no reason
    /// not to answer about the others; such a view is not kept for longer than [`FRESH`].
    pub(super) async fn view(&self) -> Result<Arc<View>, ServeError> {
        let now = self.published.datasets().await?;
        let last = Arc::clone(&self.last.read().unwrap_or_else(PoisonError::into_inner));
        let kept = last.whole || last.made.elapsed() < FRESH;
        let same = |dataset: &Arc<Dataset>| {
            last.datasets.get(&dataset.id.sql_name()).is_some_and(|shown| Arc::ptr_eq(&shown.dataset, dataset))
        };
        if kept && last.datasets.len() == now.len() && now.iter().all(same) {
            return Ok(last);
        }
        let shown = join_all(now.into_iter().map(|dataset| self.shown(dataset))).await;
        let whole = shown.iter().all(|shown| !shown.unread);
        let datasets = shown.into_iter().map(|shown| (shown.dataset.id.sql_name(), shown)).collect();
        let view = Arc::new(View { datasets, whole, made: Instant::now() });
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&view);
        Ok(view)
    }

    /// A dataset with what is in its current release; why that cannot be read was logged where it was noticed.
    async fn shown(&self, dataset: Arc<Dataset>) -> Shown {
        let (mut latest, mut unread) = (None, false);
        if let Some(release) = &dataset.latest {
            match self.published.contents(&dataset.id, release).await {
                Ok(contents) => latest = Some((Arc::clone(release), contents)),
                Err(_) => unread = true,
            }
        }
        Shown { dataset, latest, unread }
    }

    fn last(&self) -> Arc<View> {
        Arc::clone(&self.last.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A table's file, opened once.
    async fn open(&self, dataset: &DatasetId, release: &ReleaseId, table: &str) -> Result<ReleaseTable, Missing> {
        let path = format!("{table}.parquet");
        let key = StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path };
        let path = key.path();
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        if let Some(opened) = opened {
            return Ok(opened);
        }
        let opened = self.engine.release_table(STORE, &path).await;
        let opened = opened.map_err(|error| {
            // A release that has just been withdrawn has no files any more.
            self.published.doubt(dataset);
            Missing::Failed(Arc::new(error))
        })?;
        let mut kept = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(path, opened.clone());
        Ok(opened)
    }

    /// All tables of current releases that can be read.
    pub(super) async fn tables(&self) -> Result<Vec<ListedTable>, Missing> {
        let view = self.view().await.map_err(|error| Missing::Failed(Arc::new(error)))?;
        let mut listed = Vec::new();
        for (schema, shown) in &view.datasets {
            let Some((release, contents)) = &shown.latest else { continue };
            for table in &contents.manifest.tables {
                let opened = match self.open(&shown.dataset.id, &release.id, &table.name).await {
                    Ok(opened) => opened,
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(error, "The table `{schema}.{}` cannot be read", table.name);
                        continue;
                    }
                };
                listed.push(ListedTable {
                    dataset: shown.dataset.id.clone(),
                    release: release.id.clone(),
                    schema: schema.clone(),
                    table: table.name.clone(),
                    title: table.title.clone(),
                    rows: table.rows,
                    columns: opened.schema(),
                });
            }
        }
        Ok(listed)
    }
}

impl View {
    /// The one dataset whose tables need no prefix, when there is one.
    fn alone(&self) -> Option<(&String, &Shown)> {
        // A name must not stand for something else because a release cannot be read just now.
        let mut with_release = self.datasets.iter().filter(|(_, shown)| shown.latest.is_some() || shown.unread);
        with_release.next().filter(|(_, shown)| with_release.next().is_none() && !shown.unread)
    }

    /// The dataset and release that a schema stands for.
    fn release(&self, schema: &str) -> Option<(DatasetId, ReleaseId)> {
        let (name, release) = match schema.split_once('@') {
            Some((name, release)) => (name, release.parse().ok()),
            None => (schema, None),
        };
        let shown = self.shown(name)?;
        let release = release.or_else(|| Some(shown.latest.as_ref()?.0.id.clone()))?;
        Some((shown.dataset.id.clone(), release))
    }

    /// The release of a table as a statement names it.
    pub(super) fn release_of(&self, table: &str) -> Option<(DatasetId, ReleaseId)> {
        self.release(table.rsplit_once('.').map_or(DEFAULT_SCHEMA, |(schema, _)| schema))
    }

    /// A dataset by the name of its schema, or its own.
    fn shown(&self, name: &str) -> Option<&Shown> {
        match self.datasets.get(&name.replace('-', "_")) {
            None if name == DEFAULT_SCHEMA => self.alone().map(|(_, shown)| shown),
            found => found,
        }
    }

    /// All names, as a statement writes them.
    fn names(&self) -> Vec<String> {
        let of = |(schema, shown): (&String, &Shown)| {
            let tables = shown.latest.iter().flat_map(|(_, contents)| &contents.manifest.tables);
            tables.map(|table| format!("{schema}.{}", table.name)).collect::<Vec<_>>()
        };
        self.datasets.iter().flat_map(of).collect()
    }

    fn schemas(&self) -> Vec<String> {
        let with_release = self.datasets.iter().filter(|(_, shown)| shown.latest.is_some());
        let mut schemas: Vec<String> = with_release.map(|(schema, _)| schema.clone()).collect();
        if self.alone().is_some() && !self.datasets.contains_key(DEFAULT_SCHEMA) {
            schemas.push(DEFAULT_SCHEMA.to_owned());
        }
        schemas
    }

    fn tables(&self, schema: &str) -> Vec<String> {
        let latest = self.shown(schema).and_then(|shown| shown.latest.as_ref()).filter(|_| !schema.contains('@'));
        latest
            .map(|(_, contents)| contents.manifest.tables.iter().map(|table| table.name.clone()).collect())
            .unwrap_or_default()
    }

    /// What a schema and a table stand for, or why for nothing.
    async fn find(&self, published: &Published, schema: &str, table: &str) -> Result<(DatasetId, ReleaseId), Missing> {
        let (name, wanted) = match schema.split_once('@') {
            Some((name, wanted)) => (name, Some(wanted)),
            None => (schema, None),
        };
        let typed = if schema == DEFAULT_SCHEMA { table.to_owned() } else { format!("{schema}.{table}") };
        let Some(shown) = self.shown(name) else {
            let message = format!("unknown table `{typed}`");
            let mut known = self.names();
            if schema == DEFAULT_SCHEMA {
                // A table's own name is nearer to what was typed than one with its dataset before it.
                known.sort_by_key(|name| name.rsplit_once('.').is_none_or(|(_, own)| own != table));
                let own = known.first().filter(|name| name.ends_with(&format!(".{table}"))).cloned();
                known = own.map_or(known, |own| vec![own]);
            }
            return Err(Missing::Unknown { message, typed, known });
        };
        let dataset = &shown.dataset;
        let (release, contents) = match wanted {
            None if shown.unread => return Err(Missing::Failed(Arc::new(ServeError::Unavailable))),
            None => shown.latest.clone().ok_or_else(|| Missing::Unknown {
                message: format!("no release of `{}` is published", dataset.id),
                typed: typed.clone(),
                known: self.names(),
            })?,
            Some(wanted) => {
                let release = standing(dataset, wanted)?;
                let contents = published.contents(&dataset.id, &release).await;
                (release, contents.map_err(|error| Missing::Failed(Arc::new(error)))?)
            }
        };
        let tables = contents.manifest.tables.iter().map(|table| table.name.as_str());
        if tables.clone().any(|known| known == table) {
            return Ok((dataset.id.clone(), release.id.clone()));
        }
        let prefix = if schema == DEFAULT_SCHEMA { String::new() } else { format!("{schema}.") };
        let known = tables.map(|known| format!("{prefix}{known}")).collect();
        Err(Missing::Unknown { message: format!("unknown table `{typed}`"), typed, known })
    }
}

/// A release that may be read, or what happened to it.
fn standing(dataset: &Dataset, wanted: &str) -> Result<Arc<Release>, Missing> {
    let id = wanted.parse::<ReleaseId>().ok();
    let found = id.as_ref().and_then(|id| dataset.releases().into_iter().find(|(known, _)| *known == id));
    match found {
        Some((_, Standing::Visible(release))) => Ok(Arc::clone(release)),
        Some((_, Standing::Gone(gone))) => Err(told(gone, dataset)),
        None => {
            let schema = dataset.id.sql_name();
            let visible = dataset.releases().into_iter().filter(|(_, state)| matches!(state, Standing::Visible(_)));
            let known = visible.map(|(id, _)| format!("{schema}@{id}")).collect();
            let message = format!("`{}` has no release `{wanted}`", dataset.id);
            Err(Missing::Unknown { message, typed: format!("{schema}@{wanted}"), known })
        }
    }
}

fn told(gone: &Gone, dataset: &Dataset) -> Missing {
    let Gone { release, at, reason, replaced_by, .. } = gone;
    let day = at.split('T').next().unwrap_or(at);
    let because = reason.as_ref().map(|reason| format!(" because: {reason}")).unwrap_or_default();
    let schema = dataset.id.sql_name();
    let (message, instead) = match replaced_by {
        Some(new) => (format!("release `{release}` was rewritten on {day}{because}"), Some(new)),
        None => {
            let latest = dataset.latest.as_ref().map(|latest| &latest.id);
            (format!("release `{release}` was withdrawn on {day}{because}"), latest)
        }
    };
    let help = match instead {
        Some(new) => format!("read \"{schema}@{new}\" instead"),
        None => "no release of this dataset is published".to_owned(),
    };
    Missing::Gone { message, help }
}

/// The tables of one view.
#[derive(Debug)]
pub(super) struct Frozen {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) view: Arc<View>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.datasets.keys()).finish()
    }
}

#[async_trait]
impl Library for Frozen {
    fn schemas(&self) -> Vec<String> {
        self.view.schemas()
    }

    fn tables(&self, schema: &str) -> Vec<String> {
        self.view.tables(schema)
    }

    async fn table(&self, schema: &str, table: &str) -> Result<ReleaseTable, Missing> {
        let (dataset, release) = self.view.find(&self.catalogue.published, schema, table).await?;
        self.catalogue.open(&dataset, &release, table).await
    }
}

/// The tables of the view that was made last, for what stays longer than a statement.
#[derive(Debug)]
pub(super) struct Latest(pub(super) Arc<Catalogue>);

#[async_trait]
impl Library for Latest {
    fn schemas(&self) -> Vec<String> {
        self.0.last().schemas()
    }

    fn tables(&self, schema: &str) -> Vec<String> {
        self.0.last().tables(schema)
    }

    async fn table(&self, schema: &str, table: &str) -> Result<ReleaseTable, Missing> {
        let frozen = Frozen { catalogue: Arc::clone(&self.0), view: self.0.last() };
        frozen.table(schema, table).await
    }
}
