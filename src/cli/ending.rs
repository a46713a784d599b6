//! How a service is told to end: SIGTERM or SIGINT, and SIGINT once more for at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How soon it is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Soon {
    /// Not at all.
    NotYet,
    /// Once what is under way is done, within its time.
    Then,
    /// At once.
    Now,
}

/// Knows when a service is told to end. Clones are told together.
#[derive(Debug, Clone)]
pub(super) struct Ending(watch::Receiver<Soon>);

impl Ending {
    /// Takes the signals of the process over.
    pub(super) fn watch() -> std::io::Result<Self> {
        let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (tell, told) = watch::channel(Soon::NotYet);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            tell.send_replace(Soon::Then);
            interrupted.recv().await;
            tell.send_replace(Soon::Now);
            tell.closed().await;
        });
        Ok(Self(told))
    }

    /// Waits until it is told to end.
    pub(super) async fn asked(&self) {
        self.at_least(Soon::Then).await;
    }

    /// Waits until it is told to end at once.
    pub(super) async fn hurried(&self) {
        self.at_least(Soon::Now).await;
    }

    async fn at_least(&self, soon: Soon) {
        // The sender lives as long as anybody listens.
        drop(self.0.clone().wait_for(|told| *told >= soon).await);
    }
}
