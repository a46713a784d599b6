//! Loads, compiles and checks a project, whatever the command.

use std::path::Path;

use super::Exit;
use super::printer::Printer;
use crate::config::env::Env;
use crate::config::load::ProjectFiles;
use crate::config::pipeline::Project;
use crate::diagnostic::{Problem, nearest};
use crate::model::ModelPlan;
use crate::run::project::{self, Loaded, NotLoaded};

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
pub(super) fn environment() -> Env {
    std::env::vars().collect()
}

/// Reads the project's files, without looking for mistakes in SQL.
pub(super) fn open(folder: &Path, printer: &Printer) -> Result<Checked, Exit> {
    let env = environment();
    told(project::open(folder, &env), env, printer)
}

/// Reads the project's files and reports every mistake, SQL and confidentiality included.
pub(super) fn check(folder: &Path, printer: &Printer) -> Result<Checked, Exit> {
    let env = environment();
    told(project::check(folder, &env), env, printer)
}

/// The same, with the positions of the pipelines that are meant: the named one, or all.
pub(super) fn check_selected(
    folder: &Path,
    name: Option<&str>,
    printer: &Printer,
) -> Result<(Checked, Vec<usize>), Exit> {
    let checked = check(folder, printer)?;
    let selected = checked.selected(name, printer)?;
    Ok((checked, selected))
}

fn told(loaded: Result<Loaded, NotLoaded>, env: Env, printer: &Printer) -> Result<Checked, Exit> {
    match loaded {
        Ok(Loaded { files, project, plans }) => Ok(Checked { files, project, plans, env }),
        Err(NotLoaded::Mistakes(problems)) => {
            printer.problems(&problems);
            Err(Exit::Mistake)
        }
        Err(NotLoaded::Files(error)) => {
            printer.failure(&error);
            Err(Exit::Mistake)
        }
        Err(NotLoaded::Engine(error)) => {
            printer.failure(&error);
            Err(Exit::Failed)
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
