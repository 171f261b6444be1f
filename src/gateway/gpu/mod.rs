//! GPUs: which there are, who holds them and until when, and who waits.
//!
//! - [`inventory`] is what there is, [`allocate`] which of it is granted, [`queue`] in what order, and
//!   [`pass`] what comes of that at once.
//! - [`desk`] hands out and keeps the line, [`held`] what it keeps, [`service`] is what the verbs call, [`reaper`] ends what is over.
//! - [`lease`] is until when it is held, [`hours`] what that adds up to in a week.
//!
//! Docker stays the database: a card is held by the container that bears it in a label and runs, or was made a moment ago.

pub(super) mod allocate;
pub(super) mod card;
pub(super) mod desk;
mod held;
pub(super) mod hours;
pub(super) mod inventory;
pub(super) mod lease;
mod pass;
pub(super) mod processes;
pub(super) mod queue;
pub(super) mod reaper;
mod refusal;
pub(super) mod service;
