//! What each user's containers and volumes hold on the engine's disk, as it was last measured.

use super::bounded_list::{List, Things, read_bounded};
use super::copied::Copying;
use super::holdings::{Holding, Holdings, Thing};
use super::label::{LOGIN, UID};
use super::{ContainerId, Containers, Engine, EngineError, Found, Owned, Target, short_volume};
use crate::gateway::caller::peer::Peer;
use crate::policy::Held;
use crate::protocol::amount::Bytes;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// In bytes: what is held is told in whole MiB.
const MIB: u64 = 1 << 20;

/// The engine's account; what is not asked for here is passed over as it comes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Account {
    containers: Things<true, Weighed>,
    volumes: List,
    container_usage: Usage<Weighed>,
    volume_usage: Usage<Value>,
}

/// What is kept of a container's line.
#[derive(Debug)]
struct Weighed {
    found: Option<Found>,
    /// In its own layer; nothing where it could not be measured.
    bytes: Option<u64>,
}

impl From<Value> for Weighed {
    fn from(summary: Value) -> Self {
        // The engine leaves out a zero.
        let bytes = summary.get("SizeRw").map_or(Some(0), measured);
        Self { found: Found::parse(summary), bytes }
    }
}

/// From API 1.52 on, and from 1.53 on in the place of the lists themselves.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound = "T: From<Value>")]
struct Usage<T> {
    items: Things<true, T>,
}

impl<T> Default for Usage<T> {
    fn default() -> Self {
        Self { items: Things::default() }
    }
}

impl Account {
    /// The lists, in whichever shape they came; who sends both sends the same twice.
    fn in_one_shape(mut self) -> Self {
        if self.containers.0.is_empty() {
            self.containers = std::mem::take(&mut self.container_usage.items);
        }
        if self.volumes.0.is_empty() {
            self.volumes = std::mem::take(&mut self.volume_usage.items);
        }
        self
    }
}

impl Engine {
    /// Measures all of it: the engine walks through every layer and volume, which takes it seconds on a full disk.
    pub(in crate::gateway) async fn measure(&self) -> Result<Holdings, EngineError> {
        let before = self.disk.copied.before();
        self.disk.measured.begin();
        let account = match self.account(&["container", "volume"]).await {
            Err(EngineError::Said { .. }) => self.account_one_by_one().await,
            account => account,
        };
        let account = account.inspect_err(|_| self.disk.measured.give_up())?;
        let holdings = self.disk.measured.end(holdings(account));
        self.disk
            .copied
            .measured(&before, |uid, id| holdings.get(&uid).and_then(|all| of_container(all, id)));
        Ok(holdings)
    }

    async fn account(&self, kinds: &[&str]) -> Result<Account, EngineError> {
        // Without it an engine of API 1.53 or later gives sums alone.
        let target = Target::new("/system/df").with("verbose", "1");
        let target = kinds.iter().fold(target, |target, kind| target.with("type", kind));
        let account: Account = read_bounded(self.call(Method::GET, target).await?).await?;
        Ok(account.in_one_shape())
    }

    /// The same, asked for each container: with containerd's image store the engine gives no account at all, of
    /// anybody's, when there is one layer that it cannot walk through.
    async fn account_one_by_one(&self) -> Result<Account, EngineError> {
        let mut account = self.account(&["volume"]).await?;
        account.containers.0.clear();
        for found in self.everyones().await? {
            account.containers.0.extend(self.sized(&found).await?.0);
        }
        Ok(account)
    }

    async fn sized(&self, found: &Found) -> Result<Things<true, Weighed>, EngineError> {
        let filters = json!({ "id": [found.id().as_str()] }).to_string();
        for _ in 0..TRIES {
            let target = Target::new("/containers/json").with("all", "1").with("size", "1");
            match self.call(Method::GET, target.with("filters", &filters)).await {
                // It says so too when a file goes while it walks.
                Err(EngineError::Said { .. }) => {}
                sized => return read_bounded(sized?).await,
            }
        }
        // As an engine says it of what it cannot walk through.
        Ok(Things(vec![Weighed { found: Some(found.clone()), bytes: None }]))
    }

    /// What counts for a user, of the containers that are still there, with what was copied into them since.
    pub(super) fn held(&self, peer: &Peer, containers: &Containers) -> Vec<Held> {
        self.disk.measured.of(peer.uid(), |all| {
            let volumes = all.iter().filter(|holding| matches!(holding.thing, Thing::Volume(_))).cloned();
            let left = containers.left.iter().map(|left| &left.found);
            let containers = containers.own.iter().map(Owned::found).chain(left).map(|found| {
                let bytes = of_container(all, found.id());
                let bytes = bytes.map(|bytes| self.disk.copied.holds(found.id(), bytes));
                Holding::of(found, bytes)
            });
            volumes.chain(containers).map(|holding| holding.told(|login| peer.may_be(login))).collect()
        })
    }

    /// A copy into a container of this user's that does not run; what it takes counts from now on.
    pub(in crate::gateway) fn copying(&self, container: &Owned) -> Copying {
        let (uid, id) = (container.found().owner(), container.id());
        let measured = self.disk.measured.of(uid, |all| of_container(all, id));
        self.disk.copied.begin(uid, id, measured.unwrap_or(0))
    }

    /// What was measured in a user's volumes, in bytes, by their names in the engine.
    pub(in crate::gateway) fn volume_sizes(&self, uid: u32) -> HashMap<String, Option<u64>> {
        let volume = |holding: &Holding| match &holding.thing {
            Thing::Volume(name) => Some((name.clone(), holding.bytes)),
            Thing::Container(_) => None,
        };
        self.disk.measured.of(uid, |all| all.iter().filter_map(volume).collect())
    }

    /// A volume is gone, and what it held with it.
    pub(in crate::gateway) fn forget_volume(&self, engine_name: &str) {
        self.disk.measured.forget(&Thing::Volume(engine_name.to_owned()));
    }
}

/// What was measured of one container; one that is newer than the measurement holds nothing.
fn of_container(all: &[Holding], id: &ContainerId) -> Option<u64> {
    let its = |holding: &&Holding| matches!(&holding.thing, Thing::Container(its) if its == id);
    all.iter().find(its).map_or(Some(0), |holding| holding.bytes)
}

impl Holding {
    fn of(found: &Found, bytes: Option<u64>) -> Self {
        let (thing, name) = (Thing::Container(found.id().clone()), found.name().to_string());
        Self { thing, name, login: found.labels().login.clone(), bytes }
    }

    /// As whoever has its uid reads it: not by its name, if it was made for another login.
    pub(in crate::gateway) fn told(&self, is_own: impl Fn(&str) -> bool) -> Held {
        // Nobody wants to read 31457432.
        let bytes = self.bytes.map(|bytes| Bytes(if bytes < MIB { bytes } else { bytes / MIB * MIB }));
        let (name, login) = (&self.name, &self.login);
        let left_by = (!is_own(login)).then(|| login.clone());
        match &self.thing {
            Thing::Container(_) => Held { name: name.clone(), volume: None, bytes, left_by },
            Thing::Volume(_) => {
                Held { name: format!("volume {name}"), volume: Some(name.clone()), bytes, left_by }
            }
        }
    }
}

/// How often a container is measured before it is known that it cannot be.
const TRIES: u32 = 3;

/// The engine's account, by whose it is. What is nobody's here is left out.
fn holdings(account: Account) -> Holdings {
    let mut nameless = HashMap::new();
    let mut holdings = Holdings::new();
    for Weighed { found, bytes } in account.containers.0 {
        let Some(found) = found else { continue };
        for volume in found.volumes().iter().filter(|name| short_volume(found.owner(), name).is_none()) {
            nameless.insert(volume.clone(), found.id().clone());
        }
        holdings.entry(found.owner()).or_default().push(Holding::of(&found, bytes));
    }
    for volume in &account.volumes.0 {
        let Some(name) = volume.get("Name").and_then(Value::as_str) else { continue };
        let bytes = volume.pointer("/UsageData/Size").and_then(measured);
        if let Some(id) = nameless.get(name) {
            let its = |holding: &&mut Holding| holding.thing == Thing::Container(id.clone());
            if let Some(holding) = holdings.values_mut().flatten().find(its) {
                holding.bytes = holding.bytes.zip(bytes).map(|(one, more)| one.saturating_add(more));
            }
        } else if let Some((uid, short)) = owner(volume).and_then(|uid| Some((uid, short_volume(uid, name)?)))
        {
            let (thing, name) = (Thing::Volume(name.to_owned()), short.to_owned());
            let login = volume.get("Labels").and_then(|labels| labels.get(LOGIN)?.as_str());
            let login = login.unwrap_or("nobody").to_owned();
            holdings.entry(uid).or_default().push(Holding { thing, name, login, bytes });
        }
    }
    holdings
}

/// The engine says -1 of what it could not walk through: directories deeper than a path can be long. And its sum of sizes
/// becomes negative where files claim to be larger than any disk. Neither is nothing.
fn measured(size: &Value) -> Option<u64> {
    size.as_u64()
}

/// By its label; and by its name what has none, or it would count for nobody.
fn owner(volume: &Value) -> Option<u32> {
    let label = volume.get("Labels").and_then(|labels| labels.get(UID)?.as_str());
    match label {
        Some(uid) => uid.parse().ok(),
        None => volume.get("Name")?.as_str()?.strip_prefix("ie-")?.split('-').next()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::engine::label::Labels;
    use serde_json::json;

    fn account(df: &Value) -> Account {
        serde_json::from_str::<Account>(&df.to_string()).unwrap().in_one_shape()
    }

    /// As an engine of API 1.51 gives it, one of 1.52 (both shapes) and one of 1.53.
    #[test]
    fn each_shape_of_an_account_is_read() {
        let old = container(1000, "web", 'a', 5, "ie-1000-data");
        let data = json!({"Name": "ie-1000-data", "Labels": {UID: "1000", LOGIN: "ann"},
            "UsageData": {"Size": 7, "RefCount": 1}});
        let lists = json!({ "LayersSize": 1, "Images": [], "Containers": [old], "Volumes": [data] });
        let usage = json!({
            "ImageUsage": {"ActiveCount": 0, "Reclaimable": 0, "TotalCount": 0, "TotalSize": 1, "Items": null},
            "ContainerUsage": {"ActiveCount": 1, "Reclaimable": 0, "TotalCount": 1, "TotalSize": 5, "Items": [old]},
            "VolumeUsage": {"ActiveCount": 1, "Reclaimable": 0, "TotalCount": 1, "TotalSize": 7, "Items": [data]},
        });
        let mut both = lists.clone();
        both.as_object_mut().unwrap().extend(usage.as_object().unwrap().clone());
        let told = |df: &Value| {
            let mut all: Vec<_> =
                holdings(account(df))[&1000].iter().map(|one| (one.name.clone(), one.bytes)).collect();
            all.sort();
            all
        };
        let expected = vec![("data".to_owned(), Some(7)), ("web".to_owned(), Some(5))];
        for df in [&lists, &both, &usage] {
            assert_eq!(told(df), expected, "{df}");
        }
    }

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
            restart: crate::protocol::restart::Restart::No,
            tty: false,
            channel: None,
            image: None,
            space: crate::gateway::engine::Space::Host,
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
                {"Name": "ie-1000-data", "Labels": {UID: "1000", LOGIN: "ann"}, "UsageData": {"Size": (2 << 20) + 1}},
                {"Name": "ie-1001-data", "Labels": {UID: "1001", LOGIN: "bob"}, "UsageData": {"Size": -1}},
                {"Name": "ie-1001-gone", "Labels": {UID: "1001"}},
                {"Name": "ie-1000-odd", "Labels": {UID: "1001"}, "UsageData": {"Size": 1u64 << 40}},
                {"Name": "byhand", "Labels": null, "UsageData": {"Size": 1u64 << 40}},
            ],
        });
        let told = |uid| {
            let mut held: Vec<Held> =
                holdings(account(&df))[&uid].iter().map(|held| held.told(|login| login == "ann")).collect();
            held.sort_by(|one, other| one.name.cmp(&other.name));
            let bytes = |held: &Held| held.bytes.map_or("unknown".into(), |bytes| bytes.to_string());
            let whose =
                |held: &Held| held.left_by.as_ref().map_or(String::new(), |login| format!(" of {login}"));
            held.iter()
                .map(|held| format!("{} {}{}", held.name, bytes(held), whose(held)))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(1000), ["db 7", "volume data 2m", "web 8m"]);
        assert_eq!(told(1001), ["volume data unknown of bob", "volume gone unknown of nobody", "web 9"]);
        assert_eq!(holdings(account(&df)).len(), 2);
    }

    #[test]
    fn what_cannot_be_is_unknown_and_what_is_left_out_is_nothing() {
        let nameless = "f".repeat(64);
        let mut all = ['a', 'b', 'c'].map(|digit| container(1000, &digit.to_string(), digit, 5, &nameless));
        all[0]["SizeRw"] = json!(-7_891_432_449_307_836_416_i64);
        all[1].as_object_mut().unwrap().remove("SizeRw");
        all[2]["Mounts"] = json!([]);
        let df = json!({ "Containers": all, "Volumes": [{"Name": nameless, "UsageData": {"Size": -1}}] });
        let bytes: Vec<_> = holdings(account(&df))[&1000].iter().map(|held| held.bytes).collect();
        assert_eq!(bytes, [None, None, Some(5)]);
        assert!(holdings(account(&json!({"Containers": null, "Volumes": null, "Images": [1]}))).is_empty());
    }
}
