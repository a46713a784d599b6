//! A commit that loses the race for its log entry and goes on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

fn dataset() -> DatasetId {
    "courses".parse().unwrap()
}

/// In its first turn it tells what changed, and somebody else is faster; in the second there is nothing to compare with.
struct Overtaken {
    store: Store,
    turns: AtomicU32,
}

#[async_trait]
impl Finish for Overtaken {
    async fn judge(
        &self,
        _store: &Store,
        _previous: Option<&Previous>,
        _taken_back: &[ReleaseState<'_>],
    ) -> Result<Vec<Bound>, PublishError> {
        Ok(Vec::new())
    }

    async fn finish(
        &self,
        release: &ReleaseId,
        _previous: Option<&Previous>,
        _bounds: &[Bound],
    ) -> Result<Finished, PublishError> {
        let mut metadata = vec![("LICENSE".to_owned(), Bytes::from_static(b"Licence\n"))];
        if self.turns.fetch_add(1, Ordering::SeqCst) == 0 {
            raise_fence(&self.store, &dataset(), 1, "other", "").await?;
            metadata.push(("changes.json".to_owned(), Bytes::from_static(b"{}\n")));
        }
        let nothing = Digest::of(b"");
        let manifest: Manifest = serde_json::from_value(serde_json::json!({
            "dataset": dataset(), "release": release, "title": "Courses", "version": "1.0.0", "issued": "",
            "synthetic": true, "licence": "etalab-2.0", "content": nothing, "engine": "0", "project": nothing,
            "previous": null, "files": [], "tables": [], "sources": [], "checks": [], "read": {},
            "rejects": {}, "unfit_cells": {}, "corrections": {},
        }))
        .unwrap();
        Ok(Finished { files: Vec::new(), metadata, manifest })
    }
}

#[tokio::test]
async fn what_an_overtaken_turn_wrote_and_the_last_one_did_not_is_in_no_release() {
    let store = Store::open("memory://overtaken", Path::new("/"), &BTreeMap::new()).unwrap();
    let finish = Overtaken { store: store.clone(), turns: AtomicU32::new(0) };
    let candidate = Candidate {
        dataset: dataset(),
        date: "2026-12-01".to_owned(),
        issued: "2026-12-01T09:00:00Z".to_owned(),
        version: "1.0.0".to_owned(),
        attempt: "one".to_owned(),
        turn: None,
        content: Digest::of(b"content"),
        files: Vec::new(),
        clock: String::new,
        finish: &finish,
    };
    let Committed::Published { release, .. } = commit(&store, &candidate).await.unwrap() else { panic!("published") };
    assert_eq!(finish.turns.load(Ordering::SeqCst), 2);
    let folder = StoreFolder::Release { dataset: dataset(), release };
    let listed = store.list(&folder).await.unwrap();
    let names: Vec<&str> = listed.iter().filter_map(|(path, _)| path.rsplit('/').next()).collect();
    assert_eq!(names, ["LICENSE", "SHA256SUMS", "manifest.json"]);
}
