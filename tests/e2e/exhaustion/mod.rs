//! One person takes all there is to take, and everybody else is served as before.

pub(crate) mod names;
pub(crate) mod press;

/// All of them.
pub(crate) fn tests() -> Vec<Vec<libtest_mimic::Trial>> {
    vec![names::tests(), press::tests()]
}
