//! A project as it is run: its files, what they mean, and its SQL in order.

use std::path::Path;

use crate::config::compile::compile;
use crate::config::env::Env;
use crate::config::load::{LoadError, ProjectFiles, load};
use crate::config::pipeline::{Pipeline, Project};
use crate::diagnostic::{Problem, Problems};
use crate::disclosure::lineage;
use crate::engine::{Engine, EngineError, EngineOptions};
use crate::id::TableName;
use crate::model::{ModelPlan, plan};

/// A project without mistakes.
#[derive(Debug)]
pub struct Loaded {
    /// Its files.
    pub files: ProjectFiles,
    /// What they mean.
    pub project: Project,
    /// The models of each pipeline, in order; none when SQL was not looked at.
    pub plans: Vec<ModelPlan>,
}

/// A project cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum NotLoaded {
    /// There are mistakes in its files.
    #[error("there are {} mistakes in the project files", .0.len())]
    Mistakes(Vec<Problem>),
    /// Its files cannot be read.
    #[error("cannot read the project files")]
    Files(#[source] LoadError),
    /// The SQL engine does not start.
    #[error("cannot plan the SQL of the project")]
    Engine(#[source] Box<EngineError>),
}

/// Reads a project without looking for mistakes in SQL.
pub fn open(folder: &Path, env: &Env) -> Result<Loaded, NotLoaded> {
    let problems = Problems::new();
    let (files, project) = read(folder, env, &problems)?;
    finish(files, project, Vec::new(), problems)
}

/// Reads a project and finds every mistake, SQL and confidentiality included.
pub fn check(folder: &Path, env: &Env) -> Result<Loaded, NotLoaded> {
    let problems = Problems::new();
    let (files, project) = read(folder, env, &problems)?;
    let pipelines = project.iter().flat_map(|project| &project.pipelines);
    let plans: Result<Vec<ModelPlan>, EngineError> = pipelines.map(|pipeline| models(pipeline, &problems)).collect();
    let plans = plans.map_err(|source| NotLoaded::Engine(Box::new(source)))?;
    finish(files, project, plans, problems)
}

fn read(folder: &Path, env: &Env, problems: &Problems) -> Result<(ProjectFiles, Option<Project>), NotLoaded> {
    let root = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let files = load(&root, problems).map_err(NotLoaded::Files)?;
    let project = compile(&files, env, problems);
    Ok((files, project))
}

fn models(pipeline: &Pipeline, problems: &Problems) -> Result<ModelPlan, EngineError> {
    let options =
        EngineOptions { memory_bytes: 64 << 20, temp_dir: std::env::temp_dir(), partitions: 1, split_files: false };
    let engine = Engine::new(&options)?;
    let (plan, found) = plan(pipeline, &engine)?;
    for problem in found.into_iter().chain(lineage::check(pipeline, &plan)) {
        problems.push(problem);
    }
    Ok(plan)
}

/// The models of a pipeline in their order, each with the steps by which it is executed. Tables have no rows here: where the
/// plan depends on how many there are, or on their order, that of a run may differ.
pub async fn explain(pipeline: &Pipeline, models: &ModelPlan) -> Result<Vec<(TableName, String)>, EngineError> {
    let partitions = std::thread::available_parallelism().map_or(1, usize::from);
    let options =
        EngineOptions { memory_bytes: 64 << 20, temp_dir: std::env::temp_dir(), partitions, split_files: false };
    let engine = Engine::new(&options)?;
    plan(pipeline, &engine)?;
    let mut explained = Vec::new();
    for name in models.order() {
        if let Some(model) = pipeline.models.iter().find(|model| model.name == *name) {
            explained.push((name.clone(), engine.explain(&model.file).await?));
        }
    }
    Ok(explained)
}

fn finish(
    files: ProjectFiles,
    project: Option<Project>,
    plans: Vec<ModelPlan>,
    problems: Problems,
) -> Result<Loaded, NotLoaded> {
    let problems = problems.into_sorted();
    match project {
        Some(project) if problems.is_empty() => Ok(Loaded { files, project, plans }),
        _ => Err(NotLoaded::Mistakes(problems)),
    }
}
