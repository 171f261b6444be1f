//! How the tests reach their one world, and how it is taken down whatever becomes of them; after a standstill the next
//! run takes it down.

use crate::world::World;
use crate::world::tools::picture;
use libtest_mimic::{Arguments, Failed, Trial};
use std::cell::RefCell;
use std::ops::Deref;
use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How long no test may come to its end before all of them are given up: far longer than the longest of them takes.
const STANDSTILL: Duration = Duration::from_secs(900);

/// Read by tests that share the world, written by those that want it alone, emptied at the end.
static WORLD: RwLock<Option<World>> = RwLock::new(None);

/// The tests that are running or wait for the world, each with its beginning.
static RUNNING: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// The tests that have ended, each with its time.
static ENDED: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

/// Of how many the times are shown at the end.
const SLOWEST: usize = 20;

thread_local! {
    /// What the panic of this thread's test said, and where.
    static COMPLAINT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The world as it is: nobody stops a daemon while this is held.
pub(crate) struct Shared(RwLockReadGuard<'static, Option<World>>);

/// The world for one test, which may stop and start its daemons.
pub(crate) struct Alone(RwLockWriteGuard<'static, Option<World>>);

/// The world, shared with other tests.
pub(crate) fn world() -> Shared {
    Shared(WORLD.read().unwrap_or_else(PoisonError::into_inner))
}

/// The world, once no other test uses it; its daemons run again when it is given back.
pub(crate) fn world_alone() -> Alone {
    Alone(WORLD.write().unwrap_or_else(PoisonError::into_inner))
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

/// The functions of a module as tests, named by their path: `module::function`, `room::module::function`.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) fn tests() -> Vec<libtest_mimic::Trial> {
            let module = module_path!().split_once("::").unwrap().1;
            vec![$($crate::suite::trial(format!("{module}::{}", stringify!($name)), $name)),*]
        }
    };
}
pub(crate) use tests;

pub(crate) fn trial(name: String, test: fn()) -> Trial {
    Trial::test(name.clone(), move || {
        let begun = Instant::now();
        RUNNING.lock().unwrap().push((name.clone(), begun));
        let outcome = panic::catch_unwind(test).map_err(|_| {
            let complaint = COMPLAINT.with(RefCell::take);
            let words = world().last_words();
            Failed::from(format!("{complaint}\n{words}"))
        });
        RUNNING.lock().unwrap().retain(|(other, _)| *other != name);
        ENDED.lock().unwrap().push((begun.elapsed(), name));
        outcome
    })
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

/// Where the time of the whole went: to be looked at, and judged by nobody. Waiting for the world is in it.
fn show_the_slowest() {
    let mut ended = ENDED.lock().unwrap().clone();
    ended.sort_by(|one, other| other.cmp(one));
    eprintln!("the slowest of {} tests:", ended.len());
    for (took, name) in ended.iter().take(SLOWEST) {
        eprintln!("{:>7.1} s  {name}", took.as_secs_f64());
    }
}

/// Makes the world, runs the tests, takes the world down.
pub(crate) fn run(arguments: &Arguments, trials: Vec<Vec<Trial>>) -> ExitCode {
    panic::set_hook(Box::new(|info| COMPLAINT.with(|cell| *cell.borrow_mut() = info.to_string())));
    let trials = trials.into_iter().flatten().collect();
    if arguments.list {
        libtest_mimic::run(arguments, trials).exit();
    }
    match World::new() {
        Ok(world) => *WORLD.write().unwrap() = Some(world),
        Err(why) => {
            eprintln!("the end-to-end tests have no world to run in: {why}");
            return ExitCode::FAILURE;
        }
    }
    // The long forms are given the hours they take.
    if std::env::var_os("IE_SOAK").is_none() {
        thread::spawn(watch_for_a_standstill);
    }
    let conclusion = libtest_mimic::run(arguments, trials);
    show_the_slowest();
    let world = WORLD.write().unwrap_or_else(PoisonError::into_inner).take();
    let left = world.map(World::take_down).unwrap_or_default();
    if left.is_empty() {
        return conclusion.exit_code();
    }
    eprintln!("the tests' world left behind:\n{}", left.join("\n"));
    ExitCode::FAILURE
}
