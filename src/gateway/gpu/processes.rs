//! Whose a process on a card is: by the pids that the engine tells of containers with cards.

use super::inventory::Process;
use super::service::Gpus;
use crate::gateway::engine::{ContainerId, EngineError, Target};
use crate::gateway::error::Error;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How long the engine may take to tell of one container's processes.
const PATIENCE: Duration = Duration::from_secs(3);

/// The processes of all containers that hold cards, by the host's pid.
#[derive(Debug, Default, Clone)]
pub(in crate::gateway) struct Owners(Arc<HashMap<u32, (String, String)>>);

impl Owners {
    /// As they were a moment ago, at most: everybody may ask, and it is the engine and the holders who are asked.
    pub(in crate::gateway) async fn of_late(gpus: &Arc<Gpus>) -> Result<Self, Error> {
        // Without processes to tell apart the engine need not be asked.
        if !gpus.inventory.busy() {
            return Ok(Self::default());
        }
        let asked = gpus.clone();
        gpus.owners.get(|| async move { Ok(Self::find(&asked).await?) }).await
    }

    async fn find(gpus: &Arc<Gpus>) -> Result<Self, EngineError> {
        let mut owners = HashMap::new();
        let everyones = gpus.engine.everyones().await?;
        let holding = everyones.iter().filter(|found| found.running() && !found.labels().cards.is_empty());
        let asked = holding.map(|found| async move {
            // A name beside a process, not more: whoever asks does not wait long for one that is busy.
            let top = tokio::time::timeout(PATIENCE, top(gpus.clone(), found.id().clone())).await;
            (found, top.unwrap_or_default())
        });
        for (found, top) in futures_util::future::join_all(asked).await {
            let owner = (found.labels().login.clone(), found.name().to_string());
            owners.extend(pids(&top).into_iter().map(|pid| (pid, owner.clone())));
        }
        Ok(Self(Arc::new(owners)))
    }

    /// A process that is in none of our containers is the host's.
    pub(in crate::gateway) fn shown(&self, process: &Process) -> Value {
        let owner = self.0.get(&process.pid);
        json!({
            "Pid": process.pid,
            "Memory": process.memory,
            "Login": owner.map(|(login, _)| login),
            "Container": owner.map(|(_, container)| container),
        })
    }
}

/// What the engine tells of a container's processes; nothing while it is still to answer who asked before. That needs no
/// place: its owner's are for the owner and for what is done for the owner.
async fn top(gpus: Arc<Gpus>, id: ContainerId) -> Value {
    if !gpus.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone()) {
        return Value::Null;
    }
    // In a task of its own: the engine goes on when nobody waits any more.
    let asked = tokio::spawn(async move {
        let target = Target::new(format!("/containers/{id}/top")).with("ps_args", "-eo pid");
        let top = gpus.engine.get(target).await;
        gpus.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        top.unwrap_or_default()
    });
    asked.await.unwrap_or_default()
}

fn pids(top: &Value) -> Vec<u32> {
    let rows = top.get("Processes").and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(|row| row.get(0)?.as_str()?.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_its_containers_or_the_hosts() {
        let top = json!({"Titles": ["PID"], "Processes": [["12"], [" 34 "], ["x"]]});
        assert_eq!(pids(&top), [12, 34]);
        let owners = Owners(Arc::new(HashMap::from([(12, ("ann".into(), "train".into()))])));
        assert_eq!(owners.shown(&Process { pid: 12, memory: Some(5) })["Login"], "ann");
        assert_eq!(owners.shown(&Process { pid: 13, memory: None })["Login"], Value::Null);
    }
}
