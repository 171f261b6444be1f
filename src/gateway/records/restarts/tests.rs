//! What starts again and when: what is kept, and in which order it comes.

use super::*;
use crate::gateway::engine::ContainerId;

fn id(digit: char) -> ContainerId {
    ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
}

fn found(digit: char, uid: u32, policy: Restart) -> Found {
    Found::fake(id(digit), uid, policy)
}

#[test]
fn what_is_kept_is_read() {
    for kept in [
        Kept::default(),
        Kept { stopped: true, times: 7, policy: None },
        Kept { stopped: false, times: 0, policy: Some(Restart::OnFailure(3)) },
    ] {
        assert_eq!(Kept::parse(&kept.text()), Some(kept));
    }
    for wrong in ["", "runs", "runs x -", "runs 1", "goes 1 -", "runs 1 sometimes", "runs 1 - 2"] {
        assert_eq!(Kept::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_next_gateway_knows_what_was_stopped_and_how_often_it_has_started() {
    let dir = tempfile::tempdir().unwrap();
    let web = found('a', 1000, Restart::OnFailure(3));
    let restarts = Restarts::open(dir.path());
    assert!(restarts.applies(&web, 1));
    (0..3).for_each(|_| restarts.started_again(web.id()));
    let next = Restarts::open(dir.path());
    assert_eq!(next.times(web.id()), 3);
    assert!(!next.applies(&web, 1), "three times are over");
    assert!(!next.starts(web.id()));
    assert!(next.applies(&web, 1) && !next.applies(&web, 0));
    next.stop(&web);
    assert!(!Restarts::open(dir.path()).applies(&web, 1));
    assert!(next.starts(web.id()));
    assert!(Restarts::open(dir.path()).applies(&web, 1));
    // Of what has no policy nothing is written.
    next.stop(&found('b', 1000, Restart::No));
    assert!(!next.noted().contains(&id('b')));
}

#[test]
fn an_update_counts_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let restarts = Restarts::open(dir.path());
    let (plain, always) = (found('a', 1000, Restart::No), found('b', 1000, Restart::Always));
    assert!(!restarts.concerns(plain.id(), Some("no")) && restarts.concerns(always.id(), Some("always")));
    restarts.set_policy(plain.id(), Restart::Always, true);
    restarts.set_policy(always.id(), Restart::No, true);
    let next = Restarts::open(dir.path());
    assert_eq!((next.policy(&plain), next.policy(&always)), (Restart::Always, Restart::No));
    assert!(next.concerns(plain.id(), Some("no")) && !next.concerns(always.id(), Some("always")));
    assert!(next.applies(&plain, 0) && !next.applies(&always, 0));
    // Why it was not started by the policy before is told no more.
    next.refused(plain.id(), "no room".to_owned(), 0);
    next.set_policy(plain.id(), Restart::OnFailure(1), true);
    assert_eq!(next.shown(plain.id()), None);
    next.refused(plain.id(), "no room".to_owned(), 0);
    assert!(!next.applies(&plain, 0));
    assert_eq!(next.shown(plain.id()), None);
    next.set_policy(plain.id(), Restart::Always, true);
    // What does not run is not started by it.
    next.set_policy(plain.id(), Restart::Always, false);
    assert!(!next.applies(&plain, 0));
}

#[test]
fn pauses_are_dockers() {
    let dir = tempfile::tempdir().unwrap();
    let restarts = Restarts::open(dir.path());
    let (short, long) = (SignedDuration::from_secs(1), SignedDuration::from_secs(10));
    let millis = || restarts.pause(&id('a'), short).as_millis();
    assert_eq!([millis(), millis(), millis(), millis()], [100, 200, 400, 800]);
    (0..20).for_each(|_| assert!(millis() > 800));
    assert_eq!(millis(), 60_000);
    assert_eq!(restarts.pause(&id('a'), long).as_millis(), 100);
    assert_eq!(restarts.shown(&id('a')), Some(Shown::Waits));
    let refused = |tries| restarts.refused(&id('a'), "no room".to_owned(), tries).as_secs();
    assert_eq!([refused(0), refused(1), refused(40)], [1, 2, 300]);
    assert_eq!(restarts.shown(&id('a')), Some(Shown::Refused("no room".to_owned())));
    restarts.started_again(&id('a'));
    assert_eq!(restarts.shown(&id('a')), None);
}

/// The engine lists the newest first, each user's start in the order in which they were made.
#[tokio::test]
async fn what_was_left_starts_in_the_order_in_which_it_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let restarts = Arc::new(Restarts::open(dir.path()));
    let all = [
        found('f', 1000, Restart::Always),
        found('e', 1001, Restart::UnlessStopped),
        found('d', 1000, Restart::No),
        found('c', 1000, Restart::UnlessStopped),
        found('b', 1000, Restart::OnFailure(0)),
        found('a', 1000, Restart::Always),
    ];
    restarts.stop(&all[3]);
    let busy = restarts.claim(Ended { id: id('a'), uid: 1000 }).unwrap();
    restarts.left(&all);
    let ended = |digit, uid| Ended { id: id(digit), uid };
    assert_eq!(restarts.next().await, Work::Left(vec![ended('b', 1000), ended('f', 1000)]));
    assert_eq!(restarts.next().await, Work::Left(vec![ended('e', 1001)]));
    // One that ends once more while it is looked at is looked at once more.
    assert!(restarts.claim(ended('a', 1000)).is_none());
    assert_eq!(busy.ended(), &ended('a', 1000));
    drop(busy);
    assert_eq!(restarts.next().await, Work::Ended(ended('a', 1000)));
    // What its policy lets stay is not looked at again.
    assert!(!restarts.applies(&all[4], 0));
    restarts.forget(all[0].id());
    restarts.left(&all[4..5]);
    assert!(restarts.work().is_empty());
}
