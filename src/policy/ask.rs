//! What a caller asks for, in the policy's words; the gateway fills it from a request.

use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::cpu_set::CpuSet;
use crate::protocol::stage::Access;
use crate::protocol::told::Told;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// One container as asked for. An amount that is absent, or 0 as Docker's clients send it, takes the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    pub image: ImageAsk,
    pub cpus: Option<Cpus>,
    pub memory: Option<Bytes>,
    pub pids: Option<u64>,
    pub shm: Option<Bytes>,
    /// The processors that it is to be bound to.
    pub cpuset: Option<CpuSet>,
    pub ports: Vec<PortAsk>,
    pub mounts: Vec<MountAsk>,
    /// Where file systems in memory are mounted in the container.
    pub memory_mounts: Vec<PathBuf>,
    /// Where the image itself wants volumes.
    pub image_volumes: Vec<PathBuf>,
    pub gpus: u32,
    /// Whether it starts again by itself.
    pub restart: bool,
}

/// An image and every full name it goes by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageAsk {
    /// What the caller typed.
    pub shown: String,
    /// Full references (`docker.io/library/ubuntu:24.04`); one of them must be allowed.
    pub references: Vec<String>,
    /// Whether the caller made this image here.
    pub own: bool,
}

/// A container's port to publish on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortAsk {
    pub container: u16,
    pub protocol: Protocol,
    pub host: HostPort,
    /// Absent: the policy's address.
    pub address: Option<IpAddr>,
}

/// Which of the host's ports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HostPort {
    /// The lowest free one of the caller's range.
    #[default]
    Free,
    Named(u16),
    /// The lowest free one from the first to the last of these.
    Within(u16, u16),
}

impl From<Option<u16>> for HostPort {
    fn from(port: Option<u16>) -> Self {
        port.map_or(Self::Free, Self::Named)
    }
}

/// A host directory to mount at `target`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountAsk {
    pub source: PathBuf,
    pub target: PathBuf,
    pub access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// Why a word is no protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Told)]
#[error("a port is published over tcp or udp, not {0:?}")]
pub struct ProtocolError(String);

impl std::str::FromStr for Protocol {
    type Err = ProtocolError;

    fn from_str(word: &str) -> Result<Self, ProtocolError> {
        match word {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            _ => Err(ProtocolError(word.to_owned())),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}
