//! What is kept of an alarm, and what is said of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::DatasetId;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A run failed.
    RunFailed,
    /// A gate or a check blocked a run.
    Blocked,
    /// A source gave nothing good, and its last good snapshot is used.
    HeldBack,
    /// What is published is older than it may be.
    Stale,
    /// The project files hold mistakes, and the ones before are used.
    ProjectBroken,
}

/// Something that is wrong. It says which, and holds no value of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concern {
    /// What kind it is.
    pub kind: Kind,
    /// A stable code.
    pub code: Option<String>,
    /// The source that it is about.
    pub source: Option<String>,
}

impl Concern {
    /// In words, after the name of the dataset.
    fn said(&self) -> String {
        let code = self.code.as_deref().unwrap_or("no code");
        let source = self.source.as_deref().map(|source| format!(" of source `{source}`")).unwrap_or_default();
        match self.kind {
            Kind::RunFailed => format!("a run failed ({code}{source}); the last release stays visible"),
            Kind::Blocked => format!("a run was blocked ({code}); the last release stays visible"),
            Kind::HeldBack => {
                let source = self.source.as_deref().unwrap_or("?");
                format!("source `{source}` gave nothing good ({code}); its last good snapshot is used")
            }
            Kind::Stale => format!("no run has gone well for longer than it may ({code})"),
            Kind::ProjectBroken => {
                format!("the project files hold mistakes ({code}); the ones read before are used")
            }
        }
    }
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    Raised {
        concern: Concern,
    },
    Cleared {
        /// The entry that raised it.
        raised: u64,
        concern: Concern,
        /// Whether it is a recovery, which is told; another trouble may have taken its place.
        told: bool,
    },
    Delivered {
        /// The entry that was sent.
        of: u64,
        channel: String,
    },
}

impl Step {
    /// Whether somebody is to be told.
    pub(super) fn is_told(&self) -> bool {
        matches!(self, Self::Raised { .. } | Self::Cleared { told: true, .. })
    }
}

/// One entry about alarms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) attempt: String,
    pub(super) at: DateTime<Utc>,
    pub(super) step: Step,
}

impl Entry {
    fn concern(&self) -> Option<(&'static str, &Concern)> {
        match &self.step {
            Step::Raised { concern } => Some(("raised", concern)),
            Step::Cleared { concern, .. } => Some(("cleared", concern)),
            Step::Delivered { .. } => None,
        }
    }

    /// One line for people.
    pub(super) fn line(&self, dataset: Option<&DatasetId>) -> String {
        let about = dataset.map_or("project", DatasetId::as_str);
        match self.concern() {
            Some(("raised", concern)) => format!("{about}: {}", concern.said()),
            _ => format!("{about}: well again"),
        }
    }

    /// The whole for machines.
    pub(super) fn json(&self, dataset: Option<&DatasetId>) -> serde_json::Value {
        let (event, concern) = self.concern().map_or(("delivered", None), |(event, concern)| (event, Some(concern)));
        serde_json::json!({
            "event": event,
            "dataset": dataset,
            "kind": concern.map(|concern| concern.kind),
            "code": concern.and_then(|concern| concern.code.as_ref()),
            "source": concern.and_then(|concern| concern.source.as_ref()),
            "at": self.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            "text": self.line(dataset),
            "id": self.attempt,
        })
    }
}

/// Alarms that were raised and not cleared, with the entries that raised them.
pub(super) fn open(entries: &[(u64, Entry)]) -> Vec<(u64, &Concern)> {
    let cleared =
        |n: u64| entries.iter().any(|(_, entry)| matches!(entry.step, Step::Cleared { raised, .. } if raised == n));
    let raised = entries.iter().filter_map(|(n, entry)| match &entry.step {
        Step::Raised { concern } => Some((*n, concern)),
        _ => None,
    });
    raised.filter(|(n, _)| !cleared(*n)).collect()
}
