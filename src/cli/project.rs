//! Loads, compiles and checks a project, whatever the command.

use std::path::Path;

use super::Exit;
use super::printer::Printer;
use crate::config::compile::compile;
use crate::config::env::Env;
use crate::config::load::{ProjectFiles, load};
use crate::config::pipeline::{Pipeline, Project};
use crate::diagnostic::{Problem, Problems, nearest};
use crate::disclosure::lineage;
use crate::engine::{Engine, EngineOptions};
use crate::model::{ModelPlan, plan};

/// A project without mistakes.
#[derive(Debug)]
pub(super) struct Checked {
    /// Its files.
    pub(super) files: ProjectFiles,
    /// What they mean.
    pub(super) project: Project,
    /// The models of each pipeline, in order.
    pub(super) plans: Vec<ModelPlan>,
    /// Environment variables.
    pub(super) env: Env,
}

#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
fn environment() -> Env {
    std::env::vars().collect()
}

/// Reads the project's files, without looking for mistakes in SQL.
pub(super) fn open(folder: &Path, printer: &Printer) -> Result<Checked, Exit> {
    let problems = Problems::new();
    let (files, project, env) = read(folder, &problems, printer)?;
    finish(files, project, env, Vec::new(), problems, printer)
}

/// Reads the project's files and reports every mistake, SQL and confidentiality included.
pub(super) fn check(folder: &Path, printer: &Printer) -> Result<Checked, Exit> {
    let problems = Problems::new();
    let (files, project, env) = read(folder, &problems, printer)?;
    let mut plans = Vec::new();
    for pipeline in project.iter().flat_map(|project| &project.pipelines) {
        match check_models(pipeline, &problems) {
            Ok(plan) => plans.push(plan),
            Err(error) => {
                printer.failure(&error);
                return Err(Exit::Failed);
            }
        }
    }
    finish(files, project, env, plans, problems, printer)
}

fn read(folder: &Path, problems: &Problems, printer: &Printer) -> Result<(ProjectFiles, Option<Project>, Env), Exit> {
    let root = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let files = load(&root, problems).map_err(|error| {
        printer.failure(&error);
        Exit::Mistake
    })?;
    let env = environment();
    let project = compile(&files, &env, problems);
    Ok((files, project, env))
}

fn check_models(pipeline: &Pipeline, problems: &Problems) -> Result<ModelPlan, crate::engine::EngineError> {
    let options = EngineOptions { memory_bytes: 64 << 20, temp_dir: std::env::temp_dir(), partitions: 1 };
    let engine = Engine::new(&options)?;
    let (plan, found) = plan(pipeline, &engine)?;
    for problem in found.into_iter().chain(lineage::check(pipeline, &plan)) {
        problems.push(problem);
    }
    Ok(plan)
}

fn finish(
    files: ProjectFiles,
    project: Option<Project>,
    env: Env,
    plans: Vec<ModelPlan>,
    problems: Problems,
    printer: &Printer,
) -> Result<Checked, Exit> {
    let problems = problems.into_sorted();
    match project {
        Some(project) if problems.is_empty() => Ok(Checked { files, project, plans, env }),
        _ => {
            printer.problems(&problems);
            Err(Exit::Mistake)
        }
    }
}

impl Checked {
    /// Positions of the pipelines that are meant: the named one, or all.
    pub(super) fn selected(&self, name: Option<&str>, printer: &Printer) -> Result<Vec<usize>, Exit> {
        let Some(name) = name else { return Ok((0..self.project.pipelines.len()).collect()) };
        let names = || self.project.pipelines.iter().map(|pipeline| pipeline.id.as_str());
        match names().position(|known| known == name) {
            Some(at) => Ok(vec![at]),
            None => {
                let problem = Problem::of_project("cli::unknown_pipeline", format!("there is no pipeline `{name}`"));
                let help = match nearest(name, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("pipelines here: {}", names().collect::<Vec<_>>().join(", ")),
                };
                printer.problems(&[problem.help(help)]);
                Err(Exit::Mistake)
            }
        }
    }
}
