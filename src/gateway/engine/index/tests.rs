//! The index against an engine whose events are dropped, delayed, doubled and broken off, at any moment of any list and create.

use super::*;
use proptest::prelude::*;
use proptest::sample::Index as Any;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const ANN: u32 = 1000;

fn id(number: usize) -> ContainerId {
    ContainerId::parse(&format!("{number:064x}")).unwrap()
}

fn event(action: &str, uid: u32, number: usize) -> Value {
    let id = id(number).to_string();
    json!({ "Type": "container", "Action": action, "Actor": { "ID": id, "Attributes": { UID: uid.to_string() } } })
}

fn numbers(index: &Index, uid: u32) -> Option<Vec<usize>> {
    let mut numbers: Vec<usize> =
        index.ids_of(uid)?.iter().map(|id| usize::from_str_radix(id.as_str(), 16).unwrap()).collect();
    numbers.sort_unstable();
    Some(numbers)
}

/// A list of everybody's that is over as soon as it has begun.
fn list(index: &Index, all: &[(u32, usize)]) {
    index.listed(index.list_begins(), all.iter().map(|(uid, number)| (*uid, id(*number))));
}

/// One that answers, with this list.
fn answering(all: &[(u32, usize)]) -> (Arc<Index>, Hearing) {
    let index = Arc::new(Index::default());
    let hearing = index.hears();
    list(&index, all);
    (index, hearing)
}

#[tokio::test(start_paused = true)]
async fn it_answers_while_events_are_heard_and_a_list_has_begun_since() {
    let index = Arc::new(Index::default());
    list(&index, &[(ANN, 1)]);
    assert_eq!(numbers(&index, ANN), None, "nobody hears");
    let early = index.list_begins();
    let hearing = index.hears();
    assert_eq!(numbers(&index, ANN), None, "the list is from before");
    index.listed(early, [(ANN, id(1))].into_iter());
    assert_eq!(numbers(&index, ANN), None, "the list has begun before");
    list(&index, &[(ANN, 1)]);
    assert_eq!(numbers(&index, ANN), Some(vec![1]));
    assert_eq!(numbers(&index, 1001), Some(vec![]));
    drop(hearing);
    assert_eq!(numbers(&index, ANN), None, "the events have broken off");
    let _hearing = index.hears();
    assert_eq!(numbers(&index, ANN), None, "what came in between is not known");
}

#[tokio::test(start_paused = true)]
async fn an_old_list_is_not_gone_by() {
    let (index, _hearing) = answering(&[(ANN, 1)]);
    tokio::time::advance(OLDEST - Duration::from_millis(1)).await;
    assert_eq!(numbers(&index, ANN), Some(vec![1]));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(numbers(&index, ANN), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_and_what_is_made_is_known_at_once() {
    let (index, mut hearing) = answering(&[(ANN, 1), (1001, 2)]);
    hearing.hear(&event("create", ANN, 3));
    index.note(ANN, id(4));
    hearing.hear(&event("destroy", ANN, 1));
    // Of nobody's, of another kind, and of none.
    hearing.hear(&json!({ "Type": "container", "Action": "create", "Actor": { "ID": id(5).to_string() } }));
    hearing.hear(&json!({ "Type": "image", "Action": "create" }));
    assert_eq!((numbers(&index, ANN), numbers(&index, 1001)), (Some(vec![3, 4]), Some(vec![2])));
    // Something that nobody understood may have been one more.
    hearing.missed();
    assert_eq!(numbers(&index, ANN), None);
    list(&index, &[(ANN, 4)]);
    assert_eq!(numbers(&index, ANN), Some(vec![4]));
    drop(hearing);
    assert_eq!(numbers(&index, ANN), None);
}

#[tokio::test(start_paused = true)]
async fn a_list_does_not_undo_what_was_learned_since_it_began() {
    let (index, hearing) = answering(&[(ANN, 1)]);
    let (older, newer) = (index.list_begins(), index.list_begins());
    hearing.hear(&event("create", ANN, 2));
    index.listed(newer, [(ANN, id(1))].into_iter());
    assert_eq!(numbers(&index, ANN), Some(vec![1, 2]));
    // The older of two comes last: what it has more is gone.
    index.listed(older, [(ANN, id(1)), (ANN, id(9))].into_iter());
    assert_eq!(numbers(&index, ANN), Some(vec![1, 2]));
}

#[tokio::test(start_paused = true)]
async fn more_than_a_question_holds_are_asked_for_by_label() {
    let all: Vec<(u32, usize)> = (0..=MOST).map(|number| (ANN, number)).collect();
    let (index, hearing) = answering(&all);
    assert_eq!(numbers(&index, ANN), None);
    hearing.hear(&event("destroy", ANN, 7));
    assert_eq!(numbers(&index, ANN).unwrap().len(), MOST);
}

/// Whether it answers for ann after a create that ended so, and whether with the container.
async fn after(result: Result<ContainerId, EngineError>) -> Option<Vec<usize>> {
    let (index, _hearing) = answering(&[]);
    let within = index.clone();
    let create = async move {
        assert_eq!((numbers(&within, ANN), numbers(&within, 1001)), (None, Some(vec![])), "one is under way");
        result
    };
    drop(index.creating(ANN, create).await);
    assert_eq!(numbers(&index, 1001), Some(vec![]));
    numbers(&index, ANN)
}

#[tokio::test(start_paused = true)]
async fn a_create_of_ones_own_that_leaves_a_doubt_is_looked_for_by_label() {
    let said = || EngineError::Said { status: hyper::StatusCode::CONFLICT, message: "in use".into() };
    assert_eq!(after(Ok(id(1))).await, Some(vec![1]));
    assert_eq!(after(Err(said())).await, None);
    assert_eq!(after(Err(EngineError::Late)).await, None);
    assert_eq!(after(Err(EngineError::Odd("?".into()))).await, None);
    assert_eq!(after(Err(EngineError::Crowded(1))).await, Some(vec![]), "nobody was asked");
    // Who asks goes away.
    let (index, _hearing) = answering(&[]);
    let mut create = Box::pin(index.creating(ANN, std::future::pending()));
    assert!(futures_util::poll!(&mut create).is_pending());
    drop(create);
    list(&index, &[]);
    assert_eq!(numbers(&index, ANN), None);
}

#[derive(Debug, Clone)]
enum Step {
    /// Somebody makes one at the engine, past the gateway.
    ByHand(u32),
    CreateBegins(u32),
    /// The engine makes what one of the creates is for, also of those that were given up.
    Made(Any),
    /// The engine's answer: what it has made, or that it does not.
    Answered(Any),
    GivenUp(Any),
    Removed(Any),
    Told,
    ToldAgain(Any),
    ToldLate,
    /// Nobody ever says it.
    Dropped(Any),
    Hears,
    Breaks,
    ListBegins,
    /// The engine looks at what it has.
    ListTaken(Any),
    ListEnds(Any),
    Waits(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<Any>;
    let uid = || ANN..ANN + 2;
    prop_oneof![
        3 => uid().prop_map(Step::ByHand),
        3 => uid().prop_map(Step::CreateBegins),
        3 => any().prop_map(Step::Made),
        3 => any().prop_map(Step::Answered),
        1 => any().prop_map(Step::GivenUp),
        2 => any().prop_map(Step::Removed),
        4 => Just(Step::Told),
        1 => any().prop_map(Step::ToldAgain),
        1 => Just(Step::ToldLate),
        1 => any().prop_map(Step::Dropped),
        3 => Just(Step::Hears),
        1 => Just(Step::Breaks),
        4 => Just(Step::ListBegins),
        4 => any().prop_map(Step::ListTaken),
        4 => any().prop_map(Step::ListEnds),
        1 => (1u64..400).prop_map(Step::Waits),
    ]
}

/// A create, at the gateway and at the engine.
struct Create {
    uid: u32,
    creating: Option<Creating>,
    made: Option<usize>,
    /// Ten minutes later the engine does not come to it any more.
    begun: Instant,
}

struct List {
    listing: Listing,
    taken: Option<Vec<(u32, usize)>>,
}

#[derive(Default)]
struct Scene {
    index: Arc<Index>,
    newest: usize,
    /// What the engine has: the truth.
    there: BTreeMap<usize, u32>,
    creates: Vec<Create>,
    lists: Vec<List>,
    hearing: Option<Hearing>,
    /// What it will tell whoever hears.
    telling: VecDeque<Value>,
    told: Vec<Value>,
    /// Made by hand, and not told yet: all that may be missing.
    untold: BTreeSet<usize>,
}

impl Scene {
    fn make(&mut self, uid: u32) -> usize {
        self.newest += 1;
        self.there.insert(self.newest, uid);
        self.tell("create", uid, self.newest);
        self.newest
    }

    fn tell(&mut self, action: &str, uid: u32, number: usize) {
        if self.hearing.is_some() {
            self.telling.push_back(event(action, uid, number));
        }
    }

    fn hear(&mut self, event: Value) {
        let Some(hearing) = &self.hearing else { return };
        hearing.hear(&event);
        if event["Action"] == "create" {
            let number = event["Actor"]["ID"].as_str().unwrap();
            self.untold.remove(&usize::from_str_radix(number, 16).unwrap());
        }
        self.told.push(event);
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::ByHand(uid) => {
                let number = self.make(uid);
                self.untold.insert(number);
            }
            Step::CreateBegins(uid) => {
                let creating = Some(self.index.create_begins(uid));
                self.creates.push(Create { uid, creating, made: None, begun: Instant::now() });
            }
            Step::Made(any) if !self.creates.is_empty() => {
                let at = any.index(self.creates.len());
                let create = &self.creates[at];
                let late = create.creating.is_none() && create.begun.elapsed() >= Duration::from_secs(600);
                if create.made.is_none() && !late {
                    let number = self.make(create.uid);
                    self.creates[at].made = Some(number);
                }
            }
            Step::Answered(any) if !self.creates.is_empty() => {
                let create = self.creates.swap_remove(any.index(self.creates.len()));
                match (create.creating, create.made) {
                    (Some(creating), Some(number)) => creating.made(id(number)),
                    (Some(creating), None) => creating.ends(End::Refused),
                    (None, _) => {}
                }
            }
            Step::GivenUp(any) if !self.creates.is_empty() => {
                let create = any.index(self.creates.len());
                drop(self.creates[create].creating.take());
                self.creates[create].begun = Instant::now();
            }
            Step::Removed(any) if !self.there.is_empty() => {
                let number = *any.get(&self.there.keys().copied().collect::<Vec<_>>());
                let uid = self.there.remove(&number).unwrap();
                self.tell("destroy", uid, number);
            }
            Step::Told => {
                if let Some(event) = self.telling.pop_front() {
                    self.hear(event);
                }
            }
            Step::ToldAgain(any) if !self.told.is_empty() => self.hear(any.get(&self.told).clone()),
            Step::ToldLate => self.telling.rotate_left(self.telling.len().min(1)),
            Step::Dropped(any) if !self.telling.is_empty() => {
                self.telling.remove(any.index(self.telling.len()));
            }
            Step::Hears => {
                self.telling.clear();
                self.untold.clear();
                self.hearing = None;
                self.hearing = Some(self.index.hears());
            }
            Step::Breaks => self.hearing = None,
            Step::ListBegins => {
                self.lists.push(List { listing: self.index.list_begins(), taken: None });
            }
            Step::ListTaken(any) if !self.lists.is_empty() => {
                let at = any.index(self.lists.len());
                let all = self.there.iter().map(|(number, uid)| (*uid, *number)).collect();
                self.lists[at].taken.get_or_insert(all);
            }
            Step::ListEnds(any) if !self.lists.is_empty() => {
                let at = any.index(self.lists.len());
                if self.lists[at].taken.is_some() {
                    let List { listing, taken } = self.lists.swap_remove(at);
                    let all = taken.unwrap();
                    self.index.listed(listing, all.into_iter().map(|(uid, number)| (uid, id(number))));
                }
            }
            Step::Waits(seconds) => {
                tokio::time::advance(Duration::from_secs(seconds)).await;
                if seconds >= 300 {
                    self.untold.clear();
                }
            }
            _ => {}
        }
    }

    /// Whoever is answered for misses nothing but what was made by hand and was not told yet, for five minutes at the most.
    fn misses(&self) -> Vec<usize> {
        let answered: BTreeMap<u32, Option<Vec<usize>>> =
            (ANN..ANN + 2).map(|uid| (uid, numbers(&self.index, uid))).collect();
        let missing = |(number, uid): (&usize, &u32)| {
            let known = answered[uid].as_ref().is_none_or(|known| known.contains(number));
            (!known && !self.untold.contains(number)).then_some(*number)
        };
        self.there.iter().filter_map(missing).collect()
    }

    /// At rest: all is told, and a list has come. Then nothing is missing, and nobody is asked for by label without a reason.
    async fn rest(&mut self) {
        self.creates.clear();
        self.take(Step::Hears).await;
        self.lists.clear();
        let all: Vec<(u32, usize)> = self.there.iter().map(|(number, uid)| (*uid, *number)).collect();
        tokio::time::advance(Duration::from_secs(600)).await;
        list(&self.index, &all);
    }
}

proptest! {
    #[test]
    fn whatever_becomes_of_the_events_nothing_is_missing(steps in prop::collection::vec(step(), 0..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut scene = Scene::default();
            for step in steps {
                scene.take(step.clone()).await;
                prop_assert!(scene.misses().is_empty(), "after {step:?} {:?} are missing", scene.misses());
            }
            scene.rest().await;
            for uid in ANN..ANN + 2 {
                let there = scene.there.iter().filter(|(_, owner)| **owner == uid).map(|(number, _)| *number);
                prop_assert_eq!(numbers(&scene.index, uid), Some(there.collect::<Vec<_>>()));
            }
            Ok(())
        })?;
    }
}
