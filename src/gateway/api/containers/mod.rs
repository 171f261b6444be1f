//! The handlers below `/containers`: look up and authorise in one step, note the decision, act.

mod act;
mod attach;
mod create;
mod filter;
mod list;
mod people;
mod removed;
mod start;
mod stream;
mod top;

pub(in crate::gateway) use act::{kill, prune, remove, remove_now, rename, stop, stop_now, tokens};
pub(in crate::gateway) use attach::{Side, Tied, attach, join};
pub(in crate::gateway) use create::{create, plan};
pub(in crate::gateway) use filter::Filters;
pub(in crate::gateway) use list::{inspect, list};
pub(in crate::gateway) use start::{restart, start};
pub(in crate::gateway) use stream::{is_time, logs, resize, stats, wait};
pub(in crate::gateway) use top::{TOPS, top};
