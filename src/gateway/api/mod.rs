//! What is served: the route table, and a handler for each route.

pub(super) mod admin;
pub(super) mod answer;
pub(super) mod body;
pub(super) mod containers;
mod events;
mod exec;
mod extension;
mod few_at_once;
pub(super) mod filters;
mod gpus;
mod images;
mod networks;
pub(super) mod pull;
pub(super) mod routes;
mod system;
mod unserved;
pub(super) mod volumes;
