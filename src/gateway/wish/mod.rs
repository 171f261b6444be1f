//! A create body becomes a [`Wish`]: known fields are read, every other one must be at its zero value.

mod addresses;
mod body;
mod builder;
mod console;
mod dns;
mod endpoint;
mod env;
mod exec;
mod fields;
mod gpus;
mod health;
mod host;
mod log;
mod mounts;
mod names;
mod network;
mod ports;
mod refused;
mod scheduling;
mod sysctls;
mod things;
mod tmpfs;
mod update;
mod volumes_from;
mod words;
mod zero;

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod classified;

pub(super) use addresses::Range;
pub(super) use body::{Settings, Wish, container_name, parse};
pub(super) use builder::BUILD_INSTEAD;
pub(super) use endpoint::Endpoint;
pub(super) use env::{DRIVER_CAPABILITIES, VISIBLE_DEVICES};
pub(super) use exec::{ExecWish, detach_keys, parse_exec};
pub(super) use gpus::CardWish;
#[cfg(test)]
pub(super) use health::HealthWish;
pub(super) use host::LARGEST_FILE;
pub(super) use log::Log;
pub(super) use mounts::VolumeAsk;
pub(super) use network::{NetworkWord, Networks};
pub(super) use refused::WishError;
pub(super) use scheduling::Scheduling;
pub(super) use things::{
    ANONYMOUS, NetworkWish, VolumeWish, connect_wish, disconnect_wish, network_wish, volume_wish,
};
#[cfg(test)]
pub(super) use tmpfs::Tmpfs;
pub(super) use update::{UpdateWish, update_wish};
pub(super) use volumes_from::VolumesFrom;
pub(super) use words::signal;

/// What the keys of the gateway's own labels begin with: nobody else's may.
pub(super) const PREFIX: &str = "io.ie-container.";
