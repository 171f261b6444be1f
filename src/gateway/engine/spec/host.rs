//! `HostConfig`: what a container is given of the host, and what holds whoever asks.

use super::{GpuGrant, Grant};
use crate::gateway::wish::LARGEST_FILE;
use crate::policy::Driver;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Bytes of a container's message queues: two as large as they are when nothing is said of it.
const QUEUES: i64 = 204_800;
/// Signals that wait in a container, timers among them.
const SIGNALS: i64 = 1024;

impl GpuGrant {
    fn requests(&self) -> Value {
        if self.cards.is_empty() {
            return json!([]);
        }
        match self.driver {
            Driver::Nvidia => {
                json!([{ "Driver": "nvidia", "DeviceIDs": self.cards, "Capabilities": [["gpu"]] }])
            }
            Driver::Cdi => {
                let names: Vec<_> = self.cards.iter().map(|card| format!("nvidia.com/gpu={card}")).collect();
                json!([{ "Driver": "cdi", "DeviceIDs": names }])
            }
        }
    }
}

impl Grant {
    pub(super) fn host_config(&self) -> Value {
        let (allowance, settings) = (&self.allowance, &self.settings);
        let mut host = json!({
            "NetworkMode": self.network.as_deref().unwrap_or("none"),
            "AutoRemove": settings.auto_remove,
            // The engine must not start a container whose stage may be missing.
            "RestartPolicy": { "Name": "no" },
            "Init": settings.init,
            // Named, so that a default runtime that hands out GPUs is not used.
            "Runtime": "runc",
            // Of engines from 23 on the first size of a terminal; others wait for the first resize.
            "ConsoleSize": settings.console.map_or_else(|| json!([0, 0]), |console| json!(console)),
            "DeviceRequests": self.gpus.requests(),
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Privileged": false,
            "ReadonlyRootfs": settings.read_only,
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "UsernsMode": self.space.mode(),
            "PublishAllPorts": false,
            "GroupAdd": self.gids.iter().skip(1).map(u32::to_string).collect::<Vec<_>>(),
            "Memory": allowance.memory().0,
            // As much as Memory: no swap.
            "MemorySwap": allowance.memory().0,
            "NanoCpus": allowance.cpus().0,
            "PidsLimit": allowance.pids(),
            "ShmSize": allowance.shm().0,
            "Ulimits": self.ulimits(),
            "LogConfig": settings.log,
            "PortBindings": self.port_bindings(),
            "Mounts": self.mounts(),
            "Tmpfs": self.memory(),
        });
        if let (Some(host), Value::Object(asked)) = (host.as_object_mut(), self.asked()) {
            host.extend(asked);
        }
        host
    }

    /// What stands in the body only if it was asked for.
    fn asked(&self) -> Value {
        let settings = &self.settings;
        let mut asked = json!(settings.scheduling);
        if let (Some(asked), Value::Object(dns)) = (asked.as_object_mut(), json!(settings.dns)) {
            asked.extend(dns);
        }
        let optional = [
            ("CpusetCpus", self.allowance.cpuset().map(|set| json!(set.to_string()))),
            ("ExtraHosts", (!settings.extra_hosts.is_empty()).then(|| json!(settings.extra_hosts))),
            ("Sysctls", (!settings.sysctls.is_empty()).then(|| json!(settings.sysctls))),
            (
                "MemoryReservation",
                settings.scheduling.reservation(self.allowance.memory().0).map(Value::from),
            ),
        ];
        for (key, value) in optional {
            if let (Some(value), Some(asked)) = (value, asked.as_object_mut()) {
                asked.insert(key.to_owned(), value);
            }
        }
        asked
    }

    /// Core dumps of a container would land where the host puts its own: none, unless asked for. Open files are the
    /// policy's, or the engine's own limit, which a container cannot raise. Signals that wait and message queues the kernel counts for
    /// all containers of a remapped engine together, and for root: each has a part.
    fn ulimits(&self) -> Value {
        let asked = &self.settings.ulimits;
        let shared = [("msgqueue", QUEUES), ("sigpending", SIGNALS)];
        let files = self.allowance.nofile().and_then(|files| Some(("nofile", i64::try_from(files).ok()?)));
        let own = [("core", 0), ("fsize", LARGEST_FILE)].into_iter().chain(shared).chain(files);
        let own = own.collect::<Vec<_>>();
        let own = own.iter().filter(|(name, _)| !asked.iter().any(|ulimit| ulimit.name == *name));
        let own = own.map(|(name, most)| json!({ "Name": name, "Soft": most, "Hard": most }));
        Value::Array(own.chain(asked.iter().map(|ulimit| json!(ulimit))).collect())
    }

    fn port_bindings(&self) -> BTreeMap<String, Vec<Value>> {
        let mut bindings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for port in self.ports.grants() {
            let binding = json!({ "HostIp": port.address.to_string(), "HostPort": port.host.to_string() });
            bindings.entry(format!("{}/{}", port.container, port.protocol)).or_default().push(binding);
        }
        bindings
    }
}
