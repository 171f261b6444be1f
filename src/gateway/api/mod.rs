//! What is served: the route table, and a handler for each route.

mod admin;
pub(super) mod answer;
mod archive;
pub(super) mod body;
pub(super) mod containers;
mod disk;
mod events;
pub(super) mod exec;
mod filters;
mod gpus;
mod images;
mod networks;
pub(super) mod parts;
pub(super) mod pull;
mod quota;
pub(super) mod response_permits;
pub(super) mod routes;
pub(super) mod system;
mod unserved;
pub(super) mod version;
mod volumes;
mod words;
