//! How the tests reach their worlds, and how those are taken down whatever becomes of them; after a standstill the next
//! run takes them down.

use crate::world::World;
use crate::world::tools::picture;
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How long no test may come to its end before all of them are given up: far longer than the longest of them takes.
const STANDSTILL: Duration = Duration::from_secs(900);

/// The kind of a test that wants a world alone.
const ALONE: &str = "alone";

/// The first world is shared by the tests that only use it. Each other one serves the tests that stop its daemons or change
/// its policy, one after another, so that neither kind waits for the other.
static WORLDS: [Place; 5] = [const { Place::new() }; 5];

/// How many of the first kind run at once, whatever processors there are.
const SHARED_AT_ONCE: usize = 4;

/// The worlds of the second kind that no test has now.
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// The tests that are running, each with its beginning.
static RUNNING: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// The tests that have ended, each with its time.
static ENDED: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

/// Of how many the times are shown at the end.
const SLOWEST: usize = 20;

thread_local! {
    /// What the panic of this thread's test said, and where.
    static COMPLAINT: RefCell<String> = const { RefCell::new(String::new()) };
    /// Which of the worlds this thread's test has.
    static MINE: Cell<usize> = const { Cell::new(0) };
}

/// A world from the first test that wants it to the end of all.
struct Place {
    world: RwLock<Option<World>>,
    made: OnceLock<Result<(), String>>,
}

impl Place {
    const fn new() -> Self {
        Self { world: RwLock::new(None), made: OnceLock::new() }
    }

    fn make(&self) {
        let made = self.made.get_or_init(|| {
            let world = World::new()?;
            *self.world.write().unwrap_or_else(PoisonError::into_inner) = Some(world);
            Ok(())
        });
        if let Err(why) = made {
            panic!("the end-to-end tests have no world to run in: {why}");
        }
    }

    /// What the daemons said last, if there are any.
    fn last_words(&self) -> String {
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        world.as_ref().map(World::last_words).unwrap_or_default()
    }

    /// What would not go.
    fn take_down(&self) -> Vec<String> {
        let world = self.world.write().unwrap_or_else(PoisonError::into_inner).take();
        world.map(World::take_down).unwrap_or_default()
    }
}

/// The world as it is: nobody stops a daemon while this is held.
pub(crate) struct Shared(RwLockReadGuard<'static, Option<World>>);

/// A world for one test, which may stop and start its daemons.
pub(crate) struct Alone(RwLockWriteGuard<'static, Option<World>>);

/// The world, shared with other tests.
pub(crate) fn world() -> Shared {
    assert_eq!(MINE.get(), 0, "a test that is listed as `alone` has `world_alone()`");
    WORLDS[0].make();
    Shared(WORLDS[0].world.read().unwrap_or_else(PoisonError::into_inner))
}

/// A world that no other test uses; its daemons run again when it is given back.
pub(crate) fn world_alone() -> Alone {
    assert_ne!(MINE.get(), 0, "a test that wants a world alone is listed as `alone name`");
    let place = &WORLDS[MINE.get()];
    place.make();
    Alone(place.world.write().unwrap_or_else(PoisonError::into_inner))
}

impl Deref for Shared {
    type Target = World;

    fn deref(&self) -> &World {
        self.0.as_ref().unwrap()
    }
}

impl Deref for Alone {
    type Target = World;

    fn deref(&self) -> &World {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.recover();
    }
}

/// The functions of a module as tests, named by their path: `module::function`, `room::module::function`. `alone function`
/// is one that wants a world alone.
macro_rules! tests {
    ($($first:ident $($second:ident)?),* $(,)?) => {
        pub(crate) fn tests() -> Vec<libtest_mimic::Trial> {
            let module = module_path!().split_once("::").unwrap().1;
            vec![$($crate::suite::tests!(@ module, $first $($second)?)),*]
        }
    };
    (@ $module:ident, alone $name:ident) => {
        $crate::suite::alone(format!("{}::{}", $module, stringify!($name)), $name)
    };
    (@ $module:ident, $name:ident) => {
        $crate::suite::shared(format!("{}::{}", $module, stringify!($name)), $name)
    };
}
pub(crate) use tests;

pub(crate) fn shared(name: String, test: fn()) -> Trial {
    Trial::test(name.clone(), move || watched(name, test))
}

pub(crate) fn alone(name: String, test: fn()) -> Trial {
    let run = {
        let name = name.clone();
        move || {
            let mine = FREE.lock().unwrap().pop().unwrap();
            MINE.set(mine);
            let outcome = watched(name, test);
            FREE.lock().unwrap().push(mine);
            outcome
        }
    };
    Trial::test(name, run).with_kind(ALONE)
}

fn watched(name: String, test: fn()) -> Result<(), Failed> {
    let begun = Instant::now();
    RUNNING.lock().unwrap().push((name.clone(), begun));
    let outcome = panic::catch_unwind(test).map_err(|_| {
        let complaint = COMPLAINT.with(RefCell::take);
        Failed::from(format!("{complaint}\n{}", WORLDS[MINE.get()].last_words()))
    });
    RUNNING.lock().unwrap().retain(|(other, _)| *other != name);
    ENDED.lock().unwrap().push((begun.elapsed(), name));
    outcome
}

/// Ends everything when nothing goes on any more: a gate that stands still says less than one that fails.
fn watch_for_a_standstill() {
    let mut seen = Vec::new();
    let mut since = Instant::now();
    loop {
        thread::sleep(Duration::from_secs(1));
        let running = RUNNING.lock().unwrap().clone();
        if running != seen {
            (seen, since) = (running, Instant::now());
        } else if since.elapsed() > STANDSTILL && !seen.is_empty() {
            let names =
                seen.iter().map(|(name, begun)| format!("{name} for {} s", begun.elapsed().as_secs()));
            let names: Vec<_> = names.collect();
            eprintln!("no test has ended within {STANDSTILL:?}: {}", names.join(", "));
            eprintln!("{}", picture());
            std::process::exit(101);
        }
    }
}

/// Where the time of the whole went: to be looked at, and judged by nobody.
fn show_the_slowest() {
    let mut ended = ENDED.lock().unwrap().clone();
    ended.sort_by(|one, other| other.cmp(one));
    eprintln!("the slowest of {} tests:", ended.len());
    for (took, name) in ended.iter().take(SLOWEST) {
        eprintln!("{:>7.1} s  {name}", took.as_secs_f64());
    }
}

/// The tests of both kinds side by side. Many of them wait for most of their time: for the engine, for a clock.
fn run_both(arguments: &Arguments, trials: Vec<Trial>) -> [Conclusion; 2] {
    let (alone, shared): (Vec<_>, Vec<_>) = trials.into_iter().partition(|trial| trial.kind() == ALONE);
    let alone_at_once = WORLDS.len() - 1;
    FREE.lock().unwrap().extend(1..=alone_at_once);
    let for_alone = Arguments { test_threads: Some(alone_at_once), ..arguments.clone() };
    let shared_at_once = arguments.test_threads.unwrap_or(SHARED_AT_ONCE);
    let for_shared = Arguments { test_threads: Some(shared_at_once), ..arguments.clone() };
    thread::scope(|scope| {
        let alone = scope.spawn(|| libtest_mimic::run(&for_alone, alone));
        let shared = libtest_mimic::run(&for_shared, shared);
        [shared, alone.join().unwrap()]
    })
}

/// Runs the tests, each in the world it wants, and takes the worlds down.
pub(crate) fn run(arguments: &Arguments, trials: Vec<Vec<Trial>>) -> ExitCode {
    panic::set_hook(Box::new(|info| COMPLAINT.with(|cell| *cell.borrow_mut() = info.to_string())));
    let trials = trials.into_iter().flatten().collect();
    if arguments.list {
        libtest_mimic::run(arguments, trials).exit();
    }
    // The long forms are given the hours they take.
    if std::env::var_os("IE_SOAK").is_none() {
        thread::spawn(watch_for_a_standstill);
    }
    let conclusions = run_both(arguments, trials);
    show_the_slowest();
    let left: Vec<String> = WORLDS.iter().flat_map(Place::take_down).collect();
    if !left.is_empty() {
        eprintln!("the tests' worlds left behind:\n{}", left.join("\n"));
    }
    if left.is_empty() && conclusions.iter().all(|conclusion| !conclusion.has_failed()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
