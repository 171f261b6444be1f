//! One key of a table, read: what it is laid over is an exhaustive match, so no accepted key can do nothing.

use super::cap::Cap;
use super::images::Pattern;
use super::mounts::Offer;
use super::ports::PortRange;
use super::source::Sourced;
use crate::protocol::amount::{Bytes, Cpus, Span};
use crate::protocol::cpu_set::CpuSet;
use crate::protocol::stage::Access;
use std::net::IpAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    Containers(Sourced<Cap<u64>>),
    EachCpus(Sourced<Cpus>),
    EachMemory(Sourced<Bytes>),
    EachPids(Sourced<u64>),
    EachShm(Sourced<Bytes>),
    EachNofile(Sourced<Option<u64>>),
    MaxCpus(Sourced<Cap<Cpus>>),
    MaxMemory(Sourced<Cap<Bytes>>),
    MaxPids(Sourced<Cap<u64>>),
    MaxShm(Sourced<Cap<Bytes>>),
    TotalCpus(Sourced<Cap<Cpus>>),
    TotalMemory(Sourced<Cap<Bytes>>),
    TotalPids(Sourced<Cap<u64>>),
    TotalGpus(Sourced<Cap<u64>>),
    TotalDisk(Sourced<Cap<Bytes>>),
    TotalOutput(Sourced<Cap<Cpus>>),
    CpuSet(Sourced<Option<CpuSet>>),
    Networks(Sourced<Cap<u64>>),
    Volumes(Sourced<Cap<u64>>),
    GpuTime(Sourced<Cap<Span>>),
    GpuHoursWeek(Sourced<Cap<u64>>),
    StoppedFor(Sourced<Cap<Span>>),
    Restart(Sourced<bool>),
    Images(Sourced<Vec<Pattern>>),
    PortRange(Sourced<Option<PortRange>>),
    PortMax(Sourced<Cap<u64>>),
    PortAddress(Sourced<IpAddr>),
    Home(Sourced<Option<Access>>),
    Mounts(Sourced<Vec<Offer>>),
}
