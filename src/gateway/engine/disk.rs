//! What each user's containers and volumes hold on the engine's disk, as it was last measured.

use super::label::UID;
use super::{ContainerId, Engine, EngineError, Found, Owned, Target, short_volume};
use crate::policy::Held;
use crate::protocol::amount::Bytes;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

const MIB: u64 = 1 << 20;

/// One thing on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Holding {
    pub(in crate::gateway) thing: Thing,
    pub(in crate::gateway) bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::gateway) enum Thing {
    /// Its own layer and the volumes without a name, by its id and short name.
    Container(ContainerId, String),
    /// By its name in the engine.
    Volume(String),
}

/// By uid.
pub(in crate::gateway) type Holdings = HashMap<u32, Vec<Holding>>;

#[derive(Debug, Default)]
pub(super) struct Disk(RwLock<Holdings>);

impl Engine {
    /// Measures all of it: the engine walks through every layer and volume, which takes it seconds on a full disk.
    pub(in crate::gateway) async fn measure(&self) -> Result<Holdings, EngineError> {
        let target = Target::new("/system/df").with("type", "container").with("type", "volume");
        let holdings = holdings(&self.get(target).await?);
        *self.disk.0.write().unwrap_or_else(PoisonError::into_inner) = holdings.clone();
        Ok(holdings)
    }

    /// What a user holds, of the containers that are still there.
    pub(in crate::gateway) fn held(&self, uid: u32, own: &[Owned]) -> Vec<Held> {
        let all = self.disk.0.read().unwrap_or_else(PoisonError::into_inner);
        let there = |holding: &&Holding| match &holding.thing {
            Thing::Container(id, _) => own.iter().any(|owned| owned.id() == id),
            Thing::Volume(_) => true,
        };
        all.get(&uid).into_iter().flatten().filter(there).map(|holding| holding.told(uid)).collect()
    }

    /// A volume is gone, and what it held with it.
    pub(in crate::gateway) fn forget_volume(&self, engine_name: &str) {
        let mut all = self.disk.0.write().unwrap_or_else(PoisonError::into_inner);
        let gone = Thing::Volume(engine_name.to_owned());
        all.values_mut().for_each(|holdings| holdings.retain(|holding| holding.thing != gone));
    }
}

impl Holding {
    /// As its owner reads it.
    pub(in crate::gateway) fn told(&self, uid: u32) -> Held {
        // Nobody wants to read 31457432.
        let bytes = Bytes(if self.bytes < MIB { self.bytes } else { self.bytes / MIB * MIB });
        match &self.thing {
            Thing::Container(_, name) => Held { name: name.clone(), volume: None, bytes },
            Thing::Volume(name) => {
                let short = short_volume(uid, name).unwrap_or(name).to_owned();
                Held { name: format!("volume {short}"), volume: Some(short), bytes }
            }
        }
    }
}

/// The engine's account, by whose it is. What is nobody's here is left out.
fn holdings(df: &Value) -> Holdings {
    let list = |key: &str| df.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut nameless = HashMap::new();
    let mut holdings = Holdings::new();
    for found in list("Containers").cloned().filter_map(Found::parse) {
        let mounts = found.summary().get("Mounts").and_then(Value::as_array);
        let volumes = mounts.into_iter().flatten().filter_map(|mount| mount.get("Name")?.as_str());
        for volume in volumes.filter(|name| short_volume(found.owner(), name).is_none()) {
            nameless.insert(volume.to_owned(), found.id().clone());
        }
        let bytes = found.summary().get("SizeRw").and_then(Value::as_u64).unwrap_or(0);
        let thing = Thing::Container(found.id().clone(), found.name().to_string());
        holdings.entry(found.owner()).or_default().push(Holding { thing, bytes });
    }
    for volume in list("Volumes") {
        let Some(name) = volume.get("Name").and_then(Value::as_str) else { continue };
        // The engine says -1 of what it could not measure.
        let bytes = volume.pointer("/UsageData/Size").and_then(Value::as_u64).unwrap_or(0);
        if let Some(id) = nameless.get(name) {
            let its =
                |holding: &&mut Holding| matches!(&holding.thing, Thing::Container(one, _) if one == id);
            if let Some(holding) = holdings.values_mut().flatten().find(its) {
                holding.bytes = holding.bytes.saturating_add(bytes);
            }
        } else if let Some(uid) = owner(volume).filter(|uid| short_volume(*uid, name).is_some()) {
            let thing = Thing::Volume(name.to_owned());
            holdings.entry(uid).or_default().push(Holding { thing, bytes });
        }
    }
    holdings
}

fn owner(volume: &Value) -> Option<u32> {
    volume.get("Labels")?.get(UID)?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::label::Labels;
    use super::*;
    use serde_json::json;

    fn container(uid: u32, name: &str, digit: char, bytes: u64, volume: &str) -> Value {
        let labels = Labels {
            uid,
            login: "ann".into(),
            cpus: Default::default(),
            memory: Default::default(),
            pids: 1,
            cards: vec![],
            time: Default::default(),
            ports: vec![],
            stages: vec![],
            auto_remove: false,
            tty: false,
        };
        json!({ "Id": digit.to_string().repeat(64), "Names": [format!("/ie-{uid}-{name}")], "State": "exited",
            "Labels": labels.write().unwrap(), "SizeRw": bytes, "Mounts": [{"Type": "volume", "Name": volume}] })
    }

    #[test]
    fn everything_is_counted_once_and_for_its_owner() {
        let nameless = "f".repeat(64);
        let df = json!({
            "Containers": [
                container(1000, "web", 'a', 5 << 20, &nameless),
                container(1000, "db", 'b', 7, "ie-1000-data"),
                container(1001, "web", 'c', 9, "ie-1001-data"),
                {"Id": "d".repeat(64), "Names": ["/web"], "Labels": {}, "SizeRw": 1u64 << 40},
            ],
            "Volumes": [
                {"Name": nameless, "Labels": null, "UsageData": {"Size": 3 << 20, "RefCount": 1}},
                {"Name": "ie-1000-data", "Labels": {UID: "1000"}, "UsageData": {"Size": (2 << 20) + 1}},
                {"Name": "ie-1001-data", "Labels": {UID: "1001"}, "UsageData": {"Size": -1}},
                {"Name": "ie-1000-odd", "Labels": {UID: "1001"}, "UsageData": {"Size": 1u64 << 40}},
                {"Name": "byhand", "Labels": null, "UsageData": {"Size": 1u64 << 40}},
            ],
        });
        let told = |uid| {
            let mut held: Vec<Held> = holdings(&df)[&uid].iter().map(|holding| holding.told(uid)).collect();
            held.sort_by(|one, other| one.name.cmp(&other.name));
            held.into_iter().map(|held| format!("{} {}", held.name, held.bytes)).collect::<Vec<_>>()
        };
        assert_eq!(told(1000), ["db 7", "volume data 2m", "web 8m"]);
        assert_eq!(told(1001), ["volume data 0", "web 9"]);
        assert_eq!(holdings(&df).len(), 2);
    }
}
