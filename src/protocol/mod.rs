//! What crosses a socket: words, amounts, reports and the stage messages.
#![deny(clippy::missing_errors_doc)]

pub mod amount;
pub mod card;
pub mod copying;
pub mod escape;
pub mod leash;
pub mod name;
pub mod path;
pub mod place;
pub mod report;
pub mod stage;
