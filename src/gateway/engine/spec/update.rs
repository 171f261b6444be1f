//! The body of an engine's update.

use super::super::{Engine, EngineError, Owned, Size, read};
use crate::gateway::wish::Scheduling;
use hyper::Method;
use serde_json::{Value, json};

impl Engine {
    /// Gives a container these limits: all of them, as its owner's usage says them. Under its lock.
    pub(in crate::gateway) async fn update(
        &self,
        container: &Owned,
        size: Size,
        scheduling: &Scheduling,
    ) -> Result<(), EngineError> {
        let target = container.target("/update").of_nobody();
        let answer = self.call_with(Method::POST, target, &body(size, scheduling)).await?;
        read::<Value>(answer).await.map(drop)
    }
}

fn body(size: Size, scheduling: &Scheduling) -> Value {
    let mut body = json!(scheduling);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("NanoCpus".into(), json!(size.cpus.0));
        fields.insert("Memory".into(), json!(size.memory.0));
        // As much as Memory: no swap.
        fields.insert("MemorySwap".into(), json!(size.memory.0));
        fields.insert("PidsLimit".into(), json!(size.pids));
        if let Some(reservation) = scheduling.reservation(size.memory.0) {
            fields.insert("MemoryReservation".into(), json!(reservation));
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::wish::update_wish;
    use crate::protocol::amount::{Bytes, Cpus};

    #[test]
    fn an_engine_is_told_all_limits_and_nothing_else() {
        let size = Size { cpus: Cpus(500_000_000), memory: Bytes(64 << 20), pids: 32 };
        let limits =
            json!({"NanoCpus": 500_000_000, "Memory": 64 << 20, "MemorySwap": 64 << 20, "PidsLimit": 32});
        assert_eq!(body(size, &Scheduling::default()), limits);
        let asked = json!({"CpuShares": 512, "BlkioWeight": 100, "MemoryReservation": 1 << 30});
        let mut more = limits;
        more["CpuShares"] = json!(512);
        more["BlkioWeight"] = json!(100);
        more["MemoryReservation"] = json!(64 << 20);
        assert_eq!(body(size, &update_wish(asked).unwrap().scheduling), more);
    }
}
