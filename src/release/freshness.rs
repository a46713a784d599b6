//! How fresh a dataset and its sources are: kept in `releases.json`, from one run to the next, without any value of the
//! data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// Failed runs that are listed.
const FAILURES: usize = 20;

/// What is known of the attempts to keep something fresh. Times are RFC 3339, UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Freshness {
    /// When it was last tried.
    pub last_attempt: Option<String>,
    /// When that last went well.
    pub last_success: Option<String>,
    /// When it last brought something new.
    pub last_change: Option<String>,
    /// Attempts that failed since the last that went well.
    pub consecutive_failures: u64,
    /// What was wrong with the last attempt, a code; none when it went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_with: Option<String>,
}

impl Freshness {
    fn note(&mut self, at: &str, went: &Went) {
        self.last_attempt = Some(at.to_owned());
        match went {
            Went::Well { changed } => {
                self.last_success = Some(at.to_owned());
                self.consecutive_failures = 0;
                self.failing_with = None;
                if *changed || self.last_change.is_none() {
                    self.last_change = Some(at.to_owned());
                }
            }
            Went::Wrong { code } => {
                self.consecutive_failures += 1;
                self.failing_with = Some(code.clone());
            }
        }
    }
}

/// A run that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When it was tried, RFC 3339, UTC.
    pub at: String,
    /// What was wrong, a stable code.
    pub code: String,
    /// The source that failed, when it was one.
    pub source: Option<String>,
}

/// How fresh a dataset is, and each of its sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetFreshness {
    /// The dataset: a success is a release, or that nothing had changed, made from sources that all answered well.
    pub dataset: Freshness,
    /// Sources by name.
    pub sources: BTreeMap<String, Freshness>,
    /// The last runs that failed, newest first.
    pub failures: Vec<Failure>,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// Well.
    Well {
        /// Whether it brought something new.
        changed: bool,
    },
    /// Wrong.
    Wrong {
        /// What was wrong, a stable code.
        code: String,
    },
}

/// What one run has to say about freshness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it was, RFC 3339, UTC.
    pub at: String,
    /// The dataset.
    pub dataset: Went,
    /// Whether there is a new release, be it made from older snapshots.
    pub changed: bool,
    /// The sources that were asked.
    pub sources: BTreeMap<String, Went>,
    /// The source that failed, when it was one.
    pub failed_source: Option<String>,
}

impl DatasetFreshness {
    /// Digest of what it says, so that no byte of it changes unseen.
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("our own structures have text keys only"))
    }

    /// Takes in one more run.
    pub fn note(&mut self, attempt: &Attempt) {
        self.dataset.note(&attempt.at, &attempt.dataset);
        if attempt.changed {
            self.dataset.last_change = Some(attempt.at.clone());
        }
        for (source, went) in &attempt.sources {
            self.sources.entry(source.clone()).or_default().note(&attempt.at, went);
        }
        if let Went::Wrong { code } = &attempt.dataset {
            let failure = Failure { at: attempt.at.clone(), code: code.clone(), source: attempt.failed_source.clone() };
            self.failures.insert(0, failure);
            self.failures.truncate(FAILURES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(at: &str, went: Went) -> Attempt {
        Attempt {
            at: at.to_owned(),
            changed: matches!(went, Went::Well { changed: true }),
            dataset: went.clone(),
            sources: BTreeMap::from([("registre".to_owned(), went)]),
            failed_source: Some("registre".to_owned()),
        }
    }

    #[test]
    fn failures_are_counted_until_one_goes_well_and_the_last_change_stays() {
        let mut freshness = DatasetFreshness::default();
        freshness.note(&attempt("1", Went::Well { changed: true }));
        freshness.note(&attempt("2", Went::Wrong { code: "source_rows".to_owned() }));
        freshness.note(&attempt("3", Went::Wrong { code: "source_unreachable".to_owned() }));
        assert_eq!(freshness.dataset.consecutive_failures, 2);
        assert_eq!(freshness.sources["registre"].failing_with.as_deref(), Some("source_unreachable"));
        assert_eq!(freshness.dataset.last_success.as_deref(), Some("1"));
        freshness.note(&attempt("4", Went::Well { changed: false }));
        assert_eq!(freshness.dataset.consecutive_failures, 0);
        assert_eq!(freshness.dataset.last_change.as_deref(), Some("1"));
        assert_eq!(freshness.dataset.last_success.as_deref(), Some("4"));
        assert_eq!(freshness.failures.iter().map(|failure| failure.at.as_str()).collect::<Vec<_>>(), ["3", "2"]);
    }
}
