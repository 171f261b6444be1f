//! Races: everything that may happen at once, again and again, and a gateway that dies in the midst of it. What counts
//! is what the engine holds afterwards, asked directly.

mod after;
mod chance;
pub(crate) mod kills;
pub(crate) mod ports;
pub(crate) mod quota;
pub(crate) mod reload;
pub(crate) mod returning;
pub(crate) mod steps;
pub(crate) mod swaps;
pub(crate) mod verbs;

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};

/// All of them.
pub(crate) fn tests() -> Vec<Vec<libtest_mimic::Trial>> {
    vec![
        quota::tests(),
        ports::tests(),
        swaps::tests(),
        verbs::tests(),
        reload::tests(),
        returning::tests(),
        kills::tests(),
        steps::tests(),
    ]
}

/// How often something is tried.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    /// In `make test`.
    pub(crate) short: usize,
    /// In `make soak`.
    pub(crate) long: usize,
}

impl Rounds {
    /// How often today; says so, for whoever reads the tests' output.
    pub(crate) fn of(self, what: &str) -> usize {
        let count = if env::var_os("IE_SOAK").is_some() { self.long } else { self.short };
        eprintln!("{what}: {count} rounds ({} in make test, {} in make soak)", self.short, self.long);
        count
    }
}

/// Says that it is over when dropped, by a panic too: whoever goes on until then would go on for ever.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
