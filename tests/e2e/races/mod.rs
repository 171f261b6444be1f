//! Races: everything that may happen at once, again and again, and a gateway that dies in the midst of it. What counts
//! is what the engine holds afterwards, asked directly.

mod after;
pub(crate) mod quota;
pub(crate) mod steps;

use std::env;

/// All of them.
pub(crate) fn tests() -> Vec<Vec<libtest_mimic::Trial>> {
    vec![quota::tests(), steps::tests()]
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
