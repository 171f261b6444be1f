//! What crosses a socket: words, amounts, reports and the stage messages.
#![deny(clippy::missing_errors_doc)]

pub mod amount;
pub mod card;
pub mod copying;
pub mod cpu_set;
pub mod escape;
pub mod layout;
pub mod name;
pub mod nonce;
pub mod path;
pub mod report;
pub mod restart;
pub mod stage;
pub mod sysctl;
pub mod told;
