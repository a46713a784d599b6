//! Keeps the schedule of a project: one tick after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use tracing::{error, info, warn};

use super::ScheduleError;
use super::alarm::{Board, Concern, Kind, Outlet, concerns};
use super::due::next;
use super::metrics::Metrics;
use super::slot::take_due;
use super::watch::{Look, Watch};
use crate::config::env::Env;
use crate::config::pipeline::{Pipeline, Project};
use crate::id::DatasetId;
use crate::publish::freshness::freshness;
use crate::quality::gate::Acceptance;
use crate::release::DatasetFreshness;
use crate::run::project::{Loaded, NotLoaded};
use crate::run::{Desk, From, Job, Lease, Reporter, RunOptions, RunRecord, chain, run_slot};
use crate::source::notify;
use crate::store::Store;

/// Is told what happens.
pub trait Audience: Reporter {
    /// A run came to its end.
    fn ran(&self, record: &RunRecord, project: &Project);
    /// An edit of the project files is refused.
    fn refused(&self, why: &NotLoaded);
    /// Something else that a person may want to know.
    fn news(&self, line: &str);
}

/// What a keeper knows of the world around it.
pub struct World {
    /// Folder of the project.
    pub folder: PathBuf,
    /// Environment variables.
    pub env: Arc<Env>,
    /// The time.
    pub now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// The time as a release tells it.
    pub clock: fn() -> String,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What is kept of each dataset, and of the project under no name.
#[derive(Debug)]
struct Stand {
    desk: Option<Arc<Desk>>,
    board: Board,
    /// What was told last of what is stale or broken.
    told: Mutex<Option<Vec<Concern>>>,
}

/// The stores of a project with what stands in them.
#[derive(Debug)]
struct Stage {
    loaded: Arc<Loaded>,
    public: Store,
    stands: BTreeMap<Option<DatasetId>, Stand>,
}

/// Keeps a schedule.
pub struct Keeper {
    world: World,
    audience: Arc<dyn Audience>,
    watch: Mutex<Watch>,
    stage: Mutex<Arc<Stage>>,
    /// Held while pipelines run, one after the other.
    running: Mutex<()>,
    /// What is known, for those who measure.
    pub metrics: Metrics,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("world", &self.world).finish_non_exhaustive()
    }
}

impl Stage {
    fn open(loaded: Arc<Loaded>, env: &Env) -> Result<Self, ScheduleError> {
        let project = &loaded.project;
        let store = |which, url| {
            Store::open(url, &project.root, env)
                .map_err(|source| ScheduleError::Store { which, source: Box::new(source) })
        };
        let (private, public) = (store("private", &project.private_store)?, store("public", &project.public_store)?);
        let datasets = project.pipelines.iter().map(|pipeline| Some(pipeline.id.clone()));
        let stand = |dataset: Option<DatasetId>| Stand {
            desk: dataset.clone().map(|dataset| Desk::new(private.clone(), dataset)),
            board: Board::new(private.clone(), dataset),
            told: Mutex::default(),
        };
        let stands = datasets.chain([None]).map(|dataset| (dataset.clone(), stand(dataset))).collect();
        Ok(Self { loaded, public, stands })
    }

    fn stand(&self, dataset: Option<&DatasetId>) -> &Stand {
        self.stands.get(&dataset.cloned()).expect("every dataset of the project has its stand")
    }

    fn pipeline(&self, at: usize) -> &Pipeline {
        &self.loaded.project.pipelines[at]
    }

    /// Places of the pipelines that run by themselves.
    fn scheduled(&self) -> Vec<usize> {
        let all = 0..self.loaded.project.pipelines.len();
        all.filter(|at| !self.pipeline(*at).schedule.crons.is_empty()).collect()
    }
}

impl Keeper {
    /// Reads the project and opens its stores.
    pub fn start(world: World, audience: Arc<dyn Audience>) -> Result<Self, ScheduleError> {
        let watch = Watch::start(world.folder.clone(), &world.env).map_err(ScheduleError::Project)?;
        let stage = Stage::open(watch.project(), &world.env)?;
        Ok(Self {
            world,
            audience,
            watch: Mutex::new(watch),
            stage: Mutex::new(Arc::new(stage)),
            running: Mutex::default(),
            metrics: Metrics::default(),
        })
    }

    /// When each scheduled pipeline is due next.
    pub async fn upcoming(&self) -> Vec<(DatasetId, chrono_tz::Tz, Option<DateTime<Utc>>)> {
        let (stage, now) = (self.stage().await, (self.world.now)());
        let times = stage.scheduled().into_iter().map(|at| {
            let pipeline = stage.pipeline(at);
            (pipeline.id.clone(), pipeline.time_zone, next(&pipeline.schedule.crons, pipeline.time_zone, now))
        });
        times.collect()
    }

    async fn stage(&self) -> Arc<Stage> {
        Arc::clone(&*self.stage.lock().await)
    }

    /// One tick: reads what changed, runs what is due unless a tick before is still at it, and looks at what became old.
    pub async fn tick(&self) {
        self.look().await;
        if let Ok(_running) = self.running.try_lock() {
            let stage = self.stage().await;
            for at in stage.scheduled() {
                self.run_due(&stage, at).await;
            }
        }
        let stage = self.stage().await;
        for at in 0..stage.loaded.project.pipelines.len() {
            self.look_at_age(&stage, at).await;
        }
        self.metrics.ticked((self.world.now)());
    }

    /// Takes changed project files into use, or tells why not.
    async fn look(&self) {
        let mut watch = self.watch.lock().await;
        match watch.look(&self.world.env) {
            Look::Same => {}
            Look::Changed => match Stage::open(watch.project(), &self.world.env) {
                Ok(stage) => {
                    *self.stage.lock().await = Arc::new(stage);
                    self.audience.news("the project files changed and are in use");
                }
                Err(failure) => error!("The changed project is not in use: {}", chain(&failure).join(": ")),
            },
            Look::Broken(why) => self.audience.refused(&why),
        }
        let wrong =
            watch.broken().map(|code| Concern { kind: Kind::ProjectBroken, code: Some(code.to_owned()), source: None });
        drop(watch);
        let stage = self.stage().await;
        self.standing(&stage, None, &[Kind::ProjectBroken], wrong.into_iter().collect()).await;
    }

    /// Runs a pipeline when it is due and nobody else has it.
    async fn run_due(&self, stage: &Stage, at: usize) {
        let pipeline = stage.pipeline(at);
        let stand = stage.stand(Some(&pipeline.id));
        let Some(desk) = &stand.desk else { return };
        let wish = (&pipeline.id, &pipeline.schedule, pipeline.time_zone);
        let now = (self.world.now)();
        match take_due(desk, wish, now).await {
            Ok(Some(turn)) => self.run(stage, at, turn).await,
            Ok(None) => {}
            Err(failure) => {
                self.metrics.failed_to_schedule(&pipeline.id);
                error!("Whether `{}` is due cannot be told: {}", pipeline.id, chain(&failure).join(": "));
            }
        }
    }

    async fn run(&self, stage: &Stage, at: usize, (lease, slot): (Lease, DateTime<Utc>)) {
        let project = &stage.loaded.project;
        let pipeline = &project.pipelines[at];
        info!(pipeline.id = %pipeline.id, %slot, "Running `{}` for {slot}", pipeline.id);
        let options = RunOptions {
            from: From::Source,
            dry_run: false,
            acceptance: Acceptance::default(),
            turn: None,
            now: (self.world.now)(),
            clock: self.world.clock,
            env: Env::clone(&self.world.env),
        };
        let job = Job { project, files: &stage.loaded.files, pipeline, plan: &stage.loaded.plans[at] };
        let reporter: &dyn Reporter = self.audience.as_ref();
        let record = run_slot(job, &options, reporter, (lease, slot)).await;
        self.metrics.ran(&record);
        self.audience.ran(&record, project);
        if record.is_superseded() {
            return;
        }
        let stand = stage.stand(Some(&pipeline.id));
        let kinds = [Kind::RunFailed, Kind::Blocked, Kind::HeldBack];
        if let Err(failure) = stand.board.observe(&kinds, &concerns(&record), &self.outlet(stage)).await {
            error!("The alarm about `{}` could not be raised: {}", pipeline.id, chain(&failure).join(": "));
        }
        if let (Some(ping), false) = (&project.alarm.ping, record.failed())
            && let Err(failure) = notify(ping, None, &self.world.env).await
        {
            warn!("The sign of life was not taken: {}", chain(&failure).join(": "));
        }
    }

    /// Raises the alarm when the last success of a dataset is too old, and keeps what is measured.
    async fn look_at_age(&self, stage: &Stage, at: usize) {
        let pipeline = stage.pipeline(at);
        let known = match freshness(&stage.public, &pipeline.id).await {
            Ok(known) => known,
            Err(failure) => {
                warn!("How fresh `{}` is cannot be read: {}", pipeline.id, chain(&failure).join(": "));
                return;
            }
        };
        let now = (self.world.now)();
        let coming = next(&pipeline.schedule.crons, pipeline.time_zone, now);
        self.metrics.seen(&pipeline.id, &known, coming);
        let wrong = stale(&known, pipeline.schedule.stale_after, now);
        self.standing(stage, Some(&pipeline.id), &[Kind::Stale], wrong).await;
    }

    /// Tells of what is wrong as long as it is, when it is not what was told last.
    async fn standing(&self, stage: &Stage, dataset: Option<&DatasetId>, kinds: &[Kind], wrong: Vec<Concern>) {
        let stand = stage.stand(dataset);
        let mut told = stand.told.lock().await;
        if told.as_ref() == Some(&wrong) && !stand.board.is_unsent() {
            return;
        }
        match stand.board.observe(kinds, &wrong, &self.outlet(stage)).await {
            Ok(()) => *told = Some(wrong),
            Err(failure) => error!("An alarm could not be raised: {}", chain(&failure).join(": ")),
        }
    }

    fn outlet(&self, stage: &Stage) -> Outlet {
        let (settings, env) = (stage.loaded.project.alarm.clone(), Arc::clone(&self.world.env));
        Outlet { settings, env, now: (self.world.now)() }
    }
}

fn stale(known: &DatasetFreshness, limit: Option<Duration>, now: DateTime<Utc>) -> Vec<Concern> {
    let last = known.dataset.last_success.as_ref().and_then(|at| at.parse::<DateTime<Utc>>().ok());
    let (Some(limit), Some(last)) = (limit, last) else { return Vec::new() };
    let age = (now - last).to_std().unwrap_or_default();
    if age <= limit {
        return Vec::new();
    }
    let since = last.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    vec![Concern { kind: Kind::Stale, code: Some(format!("last success {since}")), source: None }]
}
