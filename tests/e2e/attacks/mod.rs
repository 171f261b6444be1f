//! Attacks, each shown to succeed on the bare engine, as a member of group docker would use it, and to fail through the
//! gateway. What an attack was worth is judged on the host, by an ordinary user who runs and opens what it left.

pub(crate) mod around;
pub(crate) mod callers;
pub(crate) mod devices;
mod ground;
pub(crate) mod hostile_images;
pub(crate) mod joined;
pub(crate) mod layers;
pub(crate) mod links;
pub(crate) mod planted;
pub(crate) mod remapped;
pub(crate) mod runtime;
pub(crate) mod swaps;
pub(crate) mod words;

/// All of them; the long ones first.
pub(crate) fn tests() -> Vec<Vec<libtest_mimic::Trial>> {
    vec![
        hostile_images::tests(),
        planted::tests(),
        devices::tests(),
        runtime::tests(),
        around::tests(),
        layers::tests(),
        links::tests(),
        swaps::tests(),
        // There is nothing of it in the host's user namespace.
        if crate::world::is_remapped() { remapped::tests() } else { Vec::new() },
        joined::tests(),
        words::tests(),
        callers::tests(),
    ]
}
