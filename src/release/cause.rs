//! Why a release differs from another one: which of its inputs moved, and which of them changed a row or a cell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, SourceRecord};
use crate::id::Digest;

/// An input of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The project's files: pipeline, SQL, contracts, code lists.
    Project,
    /// The version of the program.
    Program,
    /// The official geography.
    Reference,
    /// What a source said.
    Source,
}

impl Cause {
    /// Its name in the files of a release.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Program => "program",
            Self::Reference => "reference",
            Self::Source => "source",
        }
    }
}

/// Digests of what a release was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// Keyed digest of the snapshot of each source.
    pub sources: BTreeMap<String, String>,
    /// Digest of the project's files.
    pub project: Digest,
    /// Digest of the official geography; releases of the first versions do not say it.
    pub reference: Option<Digest>,
    /// Version of the program.
    pub program: String,
}

impl Inputs {
    /// Inputs of a release.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            sources: Self::snapshots(&manifest.sources),
            project: manifest.project,
            reference: manifest.reference,
            program: manifest.engine.clone(),
        }
    }

    /// The snapshot of each source.
    pub fn snapshots(sources: &[SourceRecord]) -> BTreeMap<String, String> {
        sources.iter().map(|source| (source.source.clone(), source.snapshot.clone())).collect()
    }

    /// Sources that both have and that say something else now. One that only one of them has came or went with the
    /// project's files.
    pub fn sources_moved(&self, after: &Self) -> Vec<String> {
        let other =
            |(name, snapshot): &(&String, &String)| after.sources.get(*name).is_some_and(|now| now != *snapshot);
        self.sources.iter().filter(other).map(|(name, _)| name.clone()).collect()
    }

    /// What differs, in the order of [`Cause`]. What is not known of one of them may have moved.
    pub fn moved(&self, after: &Self) -> Vec<Cause> {
        let reference = self.reference.is_none() || self.reference != after.reference;
        [
            (Cause::Project, self.project != after.project),
            (Cause::Program, self.program != after.program),
            (Cause::Reference, reference),
            (Cause::Source, !self.sources_moved(after).is_empty()),
        ]
        .into_iter()
        .filter_map(|(cause, moved)| moved.then_some(cause))
        .collect()
    }
}

/// Which steps of a way from one version to another changed something: bit *i* is the step from version *i* to the next.
pub type Taken = u8;

/// The steps from one release to another: what moved in each. Several causes of one step cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps(Vec<Vec<Cause>>);

impl Steps {
    /// Most steps of a way.
    pub const MOST: usize = 7;

    /// A way of these steps.
    ///
    /// # Panics
    /// With more than [`Steps::MOST`] of them: there are not that many causes.
    pub fn new(steps: Vec<Vec<Cause>>) -> Self {
        assert!(steps.len() <= Self::MOST, "a way has a step for each cause at most");
        Self(steps)
    }

    /// What moved in each step.
    pub fn causes(&self) -> &[Vec<Cause>] {
        &self.0
    }

    /// Whether no step holds more than one cause.
    pub fn told_apart(&self) -> bool {
        self.0.iter().all(|causes| causes.len() == 1)
    }

    fn taken(&self, taken: Taken) -> impl Iterator<Item = &Vec<Cause>> {
        self.0.iter().enumerate().filter(move |(at, _)| taken & (1 << at) != 0).map(|(_, causes)| causes)
    }

    /// Whether a source may have done it: also when nothing is known to have moved.
    pub fn may_be_source(&self, taken: Taken) -> bool {
        self.taken(taken).any(|causes| causes.is_empty() || causes.contains(&Cause::Source))
    }

    /// Name of the cause: `source`; `project_or_source` when they could not be told apart, `project_and_source` when
    /// each had its part, `undetermined` when nothing is known to have moved.
    pub fn name(&self, taken: Taken) -> String {
        let step = |causes: &Vec<Cause>| match causes.as_slice() {
            [] => "undetermined".to_owned(),
            causes => causes.iter().map(|cause| cause.as_str()).collect::<Vec<_>>().join("_or_"),
        };
        self.taken(taken).map(step).collect::<Vec<_>>().join("_and_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(source: &str, project: &str, reference: Option<&str>, program: &str) -> Inputs {
        Inputs {
            sources: [("registre".to_owned(), source.to_owned())].into(),
            project: Digest::of(project.as_bytes()),
            reference: reference.map(|reference| Digest::of(reference.as_bytes())),
            program: program.to_owned(),
        }
    }

    #[test]
    fn what_differs_has_moved() {
        let old = inputs("s", "p", Some("r"), "1");
        assert_eq!(old.moved(&old), []);
        assert_eq!(old.moved(&inputs("t", "p", Some("r"), "1")), [Cause::Source]);
        assert_eq!(old.moved(&inputs("s", "q", Some("r"), "2")), [Cause::Project, Cause::Program]);
        assert_eq!(old.moved(&inputs("t", "q", Some("q"), "1")), [Cause::Project, Cause::Reference, Cause::Source]);
    }

    #[test]
    fn what_an_older_release_does_not_say_may_have_moved() {
        let old = inputs("s", "p", None, "1");
        assert_eq!(old.moved(&inputs("s", "p", Some("r"), "1")), [Cause::Reference]);
    }

    #[test]
    fn a_source_that_is_new_in_the_pipeline_has_not_moved() {
        let old = inputs("s", "p", Some("r"), "1");
        let mut new = inputs("s", "q", Some("r"), "1");
        new.sources.insert("autre".to_owned(), "x".to_owned());
        assert_eq!(old.moved(&new), [Cause::Project]);
        assert_eq!(new.moved(&old), [Cause::Project]);
    }

    #[test]
    fn causes_are_named_by_the_steps_that_were_taken() {
        let steps = Steps::new(vec![vec![Cause::Project, Cause::Program], vec![Cause::Reference], vec![Cause::Source]]);
        assert_eq!(steps.name(0b100), "source");
        assert_eq!(steps.name(0b001), "project_or_program");
        assert_eq!(steps.name(0b110), "reference_and_source");
        assert!(steps.may_be_source(0b110));
        assert!(!steps.may_be_source(0b011));
        let unknown = Steps::new(vec![vec![]]);
        assert_eq!(unknown.name(1), "undetermined");
        assert!(unknown.may_be_source(1));
    }
}
