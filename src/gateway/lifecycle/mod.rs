//! From a wish to a container that runs: what is granted, where it is mounted, and in which user namespace.
//!
//! A create goes: body to [`Wish`](super::wish::Wish), the image, the caller's turn, usage, the policy's allowance.
//! Then it takes the claims of ports and cards, the stages, and `turn.create(&grant)`. Each step is undone when a later
//! one fails.
//!
//! A start holds image, size, ports and mounts against the policy of its turn (`limits.still_allows()`). It holds
//! running totals under the turn (`limits.readmit()`), and cards at their desk. Then stages are made, and the engine
//! starts the container.
//!
//! Work that has waited for its turn is judged anew, wholly, where the policy was read anew meanwhile. No create and no
//! start is judged by two policies.
//!
//! Creates, starts and removals run in tasks of their own (`task.rs`). A caller who goes away leaves a whole container
//! or none.

pub(super) mod account_files;
pub(super) mod admission;
mod borrowed;
pub(super) mod creator;
mod naming;
pub(super) mod networks;
pub(super) mod remover;
pub(super) mod restarter;
mod space;
mod staged;
mod standing;
pub(super) mod starter;
pub(super) mod updater;
pub(super) mod volumes;
