//! GPUs: which there are, who holds them and until when, and who waits.
//!
//! - [`card`] is what there is, [`allocate`] which of it is granted, [`queue`] in what order.
//!
//! Docker stays the database: a card is held by the container that bears it in a label and runs, or was made a moment ago.

pub(super) mod allocate;
pub(super) mod card;
pub(super) mod queue;
