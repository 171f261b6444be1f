//! The handlers below `/containers`: look up and authorise in one step, note the decision, act.

mod act;
mod attach;
mod attaches;
mod create;
mod filter;
mod list;
mod lock;
mod people;
mod removed;
mod space;
mod standing;
mod start;
mod stream;
mod top;

pub(super) use act::{kill, prune, remove, remove_now, rename, stop, stop_now, tokens};
pub(super) use attach::{Side, Tied, attach, join};
pub(super) use attaches::Attaches;
pub(super) use create::{create, plan};
pub(super) use filter::Filters;
pub(super) use list::{inspect, list};
pub(super) use lock::turn;
pub(super) use start::{restart, start};
pub(super) use stream::{is_time, logs, resize, stats, wait};
pub(super) use top::{TOPS, top};
