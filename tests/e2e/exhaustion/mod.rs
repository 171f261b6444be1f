//! One person takes all there is to take, and everybody else is served as before.

pub(crate) mod names;
pub(crate) mod press;
pub(crate) mod shared;

/// All of them.
pub(crate) fn tests() -> Vec<Vec<libtest_mimic::Trial>> {
    vec![names::tests(), press::tests(), shared::tests()]
}
