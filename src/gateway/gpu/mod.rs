//! GPUs: which there are, who holds them and until when, and who waits.
//!
//! - [`inventory`] is what there is, [`allocate`] which of it is granted, [`queue`] in what order, and
//!   [`pass`] what comes of that at once.
//! - [`desk`] hands out and keeps the line, [`held`] what it keeps, [`service`] is what the verbs call, [`reaper`] ends what is over.
//! - [`lease`] is until when it is held, [`hours`] what that adds up to in a week.
//!
//! Docker stays the database: a card is held by the container that bears it in a label and runs, or was made a moment ago.
//!
//! The lease is the device grant: what a container holds is what it sees. [`inventory`] knows the cards through NVML or
//! the policy's list; [`allocate`] picks without a clock or an engine. [`desk`] is the one place that gives. Under one
//! lock it looks at each holder, serves the line, and keeps a claim until the container exists.
//!
//! The claim goes into the labels `cards` and `time`, which are the record. A gateway that starts counts its cards from
//! the labels of the containers that run. An extension is not in the labels, which the engine never changes, so
//! [`lease`] is the file of ends. Without the file a lease is its start plus its time. [`reaper`] looks each second for
//! warnings and ends.
//!
//! A container that is stopped holds nothing. Its start asks anew for the same cards, because the engine cannot change
//! a container's device request. If somebody else has them, the start is refused or waits.
//!
//! A container sees a device request with the cards' UUIDs or CDI names. `NVIDIA_VISIBLE_DEVICES` says the same in
//! create and in exec, over whatever image and caller say. The runtime is named, so that a default `nvidia` runtime
//! hands out nothing.

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
