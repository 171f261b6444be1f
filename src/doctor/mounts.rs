//! The host's mounts, as the kernel lists them.

use super::host::Host;
use crate::mountinfo::{self, Mount};

pub(crate) fn mounts(host: &Host) -> Vec<Mount> {
    mountinfo::read(host.text("/proc/self/mountinfo").unwrap_or_default().as_bytes())
}
