use std::collections::BTreeMap;
use std::path::Path;

use super::*;

fn store(name: &str) -> Store {
    Store::open(&format!("memory://lease-{name}"), Path::new("/"), &BTreeMap::new()).unwrap()
}

fn dataset() -> DatasetId {
    "lieux".parse().unwrap()
}

fn desk(store: &Store, host: &str) -> Arc<Desk> {
    Desk::of_machine(store.clone(), dataset(), host)
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_397_400 + minute * 60, 0).unwrap()
}

async fn ours(desk: &Arc<Desk>, slot: Option<DateTime<Utc>>) -> Option<Lease> {
    match desk.take(slot, at(0)).await.unwrap() {
        Taken::Ours(lease) => Some(lease),
        Taken::Held { .. } => None,
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_two_has_the_lease_and_the_other_gets_it_once_it_is_given_back() {
    let store = store("two");
    let (a, b) = (desk(&store, "a"), desk(&store, "b"));
    let lease = ours(&a, None).await.unwrap();
    let Taken::Held { by, since } = b.take(None, at(1)).await.unwrap() else { panic!("both have it") };
    assert_eq!((by.as_str(), since), ("process 7 of a", at(0)));
    lease.release(false, at(2)).await.unwrap();
    let lease = ours(&b, None).await.unwrap();
    assert!(!lease.fence, "who gave it back needs no fence");
    assert_eq!(lease.token, 3);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_never_expires_for_others() {
    let store = store("renewed");
    let (a, b) = (desk(&store, "a"), desk(&store, "b"));
    let lease = ours(&a, None).await.unwrap();
    for _ in 0..40 {
        tokio::time::advance(DURATION / 4).await;
        tokio::task::yield_now().await;
        assert!(ours(&b, None).await.is_none());
    }
    lease.release(false, at(2)).await.unwrap();
    assert!(ours(&b, None).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_holder_is_gone_expires_by_the_clock_of_who_waits_and_asks_for_a_fence() {
    let store = store("gone");
    let (a, b) = (desk(&store, "a"), desk(&store, "b"));
    // Dropped as by a process that was killed: nothing is given back.
    drop(ours(&a, None).await.unwrap());
    assert!(ours(&b, None).await.is_none(), "it was seen for the first time");
    tokio::time::advance(DURATION).await;
    assert!(ours(&b, None).await.is_none(), "it lasts that long");
    tokio::time::advance(Duration::from_secs(1)).await;
    let lease = ours(&b, None).await.unwrap();
    assert!(lease.fence);
    assert_eq!(lease.token, 2);
}

#[tokio::test]
async fn a_holder_of_this_machine_that_has_ended_is_followed_at_once_and_without_a_fence() {
    let store = store("ended");
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let running = Holder::of(child.id());
    let a = Arc::new(Desk { holder: running, ..Arc::into_inner(desk(&store, "a")).unwrap() });
    let b = Desk::new(store.clone(), dataset());
    drop(ours(&a, None).await.unwrap());
    assert!(ours(&b, None).await.is_none(), "the process runs");
    child.kill().unwrap();
    child.wait().unwrap();
    let lease = ours(&b, None).await.unwrap();
    assert!(!lease.fence);
}

#[tokio::test(start_paused = true)]
async fn who_was_only_slow_finds_its_lease_taken_over_and_gives_nothing_back() {
    let store = store("slow");
    let (a, b) = (desk(&store, "a"), desk(&store, "b"));
    let slow = ours(&a, Some(at(0))).await.unwrap();
    slow.freeze();
    assert!(ours(&b, Some(at(0))).await.is_none());
    tokio::time::advance(DURATION * 2).await;
    let lease = ours(&b, Some(at(0))).await.unwrap();
    slow.release(true, at(5)).await.unwrap();
    assert_eq!(b.done().await.unwrap(), None, "the slot is that of the other one now");
    lease.release(true, at(6)).await.unwrap();
    assert_eq!(a.done().await.unwrap(), Some(at(0)));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_done_once_it_was_seen_to_its_end_and_stays_so() {
    let store = store("slots");
    let desk = desk(&store, "a");
    assert_eq!(desk.done().await.unwrap(), None);
    ours(&desk, Some(at(10))).await.unwrap().release(true, at(11)).await.unwrap();
    assert_eq!(desk.done().await.unwrap(), Some(at(10)));
    ours(&desk, Some(at(20))).await.unwrap().release(false, at(21)).await.unwrap();
    assert_eq!(desk.done().await.unwrap(), Some(at(10)), "an abandoned slot is not done");
    ours(&desk, None).await.unwrap().release(true, at(31)).await.unwrap();
    assert_eq!(desk.done().await.unwrap(), Some(at(10)), "a run that somebody asked for has no slot");
}

#[tokio::test(start_paused = true)]
async fn of_twenty_that_ask_at_once_one_gets_it() {
    let store = store("crowd");
    let desks: Vec<_> = (0..20).map(|n| desk(&store, &format!("m{n}"))).collect();
    let asked = desks.iter().map(|desk| ours(desk, None));
    let leases: Vec<Lease> = futures::future::join_all(asked).await.into_iter().flatten().collect();
    assert_eq!(leases.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn old_steps_are_collected_and_the_numbers_go_on() {
    let store = store("collected");
    let desk = desk(&store, "a");
    for _ in 0..100 {
        ours(&desk, None).await.unwrap().release(false, at(1)).await.unwrap();
    }
    let numbers = store.numbers(&StoreFolder::Leases { dataset: dataset() }).await.unwrap();
    assert_eq!(numbers.last(), Some(&200));
    assert!(numbers.len() as u64 <= KEPT + 2, "{}", numbers.len());
}
