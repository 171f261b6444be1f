//! The handlers below `/containers`: look up and authorise in one step, note the decision, act.

mod act;
mod attach;
mod create;
mod filter;
mod list;
mod pause;
mod people;
mod removed;
mod start;
mod stream;
mod top;
mod update;
mod walks;

pub(super) use act::{kill, prune, remove, rename, stop};
pub(super) use attach::{Side, Tied, attach, join};
pub(super) use create::{create, dry_run};
pub(super) use filter::Filters;
pub(super) use list::{inspect, list};
pub(super) use pause::{pause, unpause};
pub(super) use start::{restart, start};
pub(super) use stream::{is_time, logs, resize, stats, wait};
pub(super) use top::top;
pub(super) use update::update;

pub(in crate::gateway) use list::Ends;
pub(in crate::gateway) use top::TopPermits;
pub(in crate::gateway) use walks::Walks;
