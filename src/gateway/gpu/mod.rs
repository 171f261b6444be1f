//! GPUs: which there are, who holds them and until when, and who waits.
//!
//! - [`inventory`] is what there is, [`allocate`] which of it is granted, [`queue`] in what order.
//! - [`lease`] is until when it is held, [`hours`] what that adds up to in a week.
//!
//! Docker stays the database: a card is held by the container that bears it in a label and runs, or was made a moment ago.

pub(super) mod allocate;
pub(super) mod card;
pub(super) mod desk;
pub(super) mod hours;
pub(super) mod inventory;
pub(super) mod lease;
pub(super) mod queue;
