//! A container of the engine's, and the proof of whose it is.
//!
//! Docker is the only database. A container that the gateway makes is named `ie-<uid>-<name>` in the engine and bears
//! the labels of `label.rs`. It is its caller's when the name, the uid label and the login label agree with the caller.
//!
//! A uid whose login has changed sees nothing of its predecessor's, and cannot enter the predecessor's network. What
//! was left is the administrator's to remove, and is not removed for its age.

use super::label::Labels;
use super::sizes::Size;
use super::whose::{Estate, LeftContainer, Whose};
use super::{ContainerId, FindError, ImageId, Target};
use crate::gateway::caller::Admin;
use crate::gateway::caller::peer::Peer;
use crate::policy::Used;
use crate::protocol::name::ContainerName;
use crate::protocol::stage::Token;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A container as the engine lists it, with our labels and a name of ours; whose it is remains to be proved.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Found {
    id: ContainerId,
    owner: u32,
    name: ContainerName,
    running: bool,
    state: String,
    labels: Labels,
    created: i64,
    image_id: Option<ImageId>,
    /// By the engine's names.
    volumes: Vec<String>,
    network_mode: Option<String>,
    /// As the engine told it. As text, which takes a tenth of what is parsed of it: everybody's are in memory at once.
    summary: Arc<str>,
}

/// A caller's own container: the only way to hold one is to look it up as its owner.
///
/// ```compile_fail,E0603
/// use ie_container::gateway::engine::Owned;
/// ```
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Owned {
    found: Found,
}

/// All containers that count for a caller.
pub(in crate::gateway) type Containers = Estate<Owned, LeftContainer>;

/// The engine's name of a container: digits cannot hold the separator, so no two (uid, name) pairs meet.
pub(super) fn engine_name(uid: u32, name: &ContainerName) -> String {
    format!("ie-{uid}-{name}")
}

/// Whose container has this name in the engine, and what its owner calls it.
pub(in crate::gateway) fn split_engine_name(name: &str) -> Option<(u32, ContainerName)> {
    let (uid, name) = name.strip_prefix("/ie-")?.split_once('-')?;
    // "007" would be a second spelling of 7.
    let plain = uid == "0" || !uid.starts_with('0');
    let uid = uid.bytes().all(|b| b.is_ascii_digit()).then(|| uid.parse().ok())??;
    Some((plain.then_some(uid)?, ContainerName::try_from(name.to_owned()).ok()?))
}

impl Found {
    /// Nothing for a container that is not one of ours, or whose name and labels disagree.
    pub(super) fn parse(summary: Value) -> Option<Self> {
        let text = |key: &str| summary.get(key).and_then(Value::as_str);
        let id = ContainerId::parse(text("Id")?)?;
        let names = summary.get("Names")?.as_array()?;
        // Names with a second slash are links of the legacy kind.
        let mut own = names.iter().filter_map(Value::as_str).filter_map(split_engine_name);
        let (owner, name) = own.next()?;
        let labels: BTreeMap<String, String> = serde_json::from_value(summary.get("Labels")?.clone()).ok()?;
        let labels = Labels::read(&labels)?;
        let state = text("State").unwrap_or_default().to_owned();
        let running = matches!(state.as_str(), "running" | "paused" | "restarting");
        if labels.uid != owner {
            return None;
        }
        let mounts = summary.get("Mounts").and_then(Value::as_array).into_iter().flatten();
        let volumes = mounts.filter_map(|mount| mount.get("Name")?.as_str()).map(str::to_owned).collect();
        let mode = summary.pointer("/HostConfig/NetworkMode").and_then(Value::as_str);
        Some(Self {
            created: summary.get("Created").and_then(Value::as_i64).unwrap_or_default(),
            image_id: text("ImageID").and_then(ImageId::parse),
            network_mode: mode.map(str::to_owned),
            summary: summary.to_string().into(),
            volumes,
            id,
            owner,
            name,
            running,
            state,
            labels,
        })
    }

    /// With other limits than those that it was made with.
    pub(super) fn resized(mut self, size: &Size) -> Self {
        let Size { cpus, memory, pids } = *size;
        self.labels = Labels { cpus, memory, pids, ..self.labels };
        self
    }

    /// A reused uid has another login and inherits nothing. That the uids of name and label agree was looked at before.
    fn whose(&self, peer: &Peer) -> Whose {
        Whose::of(peer, self.owner, &self.labels.login)
    }

    pub(super) fn claim(self, peer: &Peer) -> Option<Owned> {
        (self.whose(peer) == Whose::Callers).then_some(Owned { found: self })
    }

    pub(in crate::gateway) fn id(&self) -> &ContainerId {
        &self.id
    }

    pub(in crate::gateway) fn owner(&self) -> u32 {
        self.owner
    }

    pub(in crate::gateway) fn state(&self) -> &str {
        &self.state
    }

    pub(in crate::gateway) fn running(&self) -> bool {
        self.running
    }

    pub(in crate::gateway) fn labels(&self) -> &Labels {
        &self.labels
    }

    pub(in crate::gateway) fn name(&self) -> &ContainerName {
        &self.name
    }

    /// When it was created, in seconds since 1970.
    pub(in crate::gateway) fn created(&self) -> i64 {
        self.created
    }

    /// As the engine told it, parsed anew.
    pub(in crate::gateway) fn summary(&self) -> Value {
        serde_json::from_str(&self.summary).unwrap_or_default()
    }

    /// Of the directories that are staged for it.
    pub(in crate::gateway) fn stage_tokens(&self) -> Vec<Token> {
        self.labels().stages.iter().map(|stage| stage.token.clone()).collect()
    }

    /// The volumes that it has, by the engine's names.
    pub(in crate::gateway) fn volumes(&self) -> &[String] {
        &self.volumes
    }

    /// The engine's own name of the image it was made of, which no tag can move.
    pub(in crate::gateway) fn image_id(&self) -> Option<ImageId> {
        self.image_id.clone()
    }

    /// For the admin socket, which root alone reaches.
    pub(in crate::gateway) fn for_admin(self, _: &Admin) -> Owned {
        Owned { found: self }
    }
}

impl Containers {
    /// Those among these that count for a caller.
    pub(super) fn among(peer: &Peer, all: Vec<Found>) -> Self {
        let (mut own, mut left) = (Vec::new(), Vec::new());
        for found in all {
            match found.whose(peer) {
                Whose::Callers => own.push(Owned { found }),
                Whose::Left(_) => left.push(LeftContainer { found }),
                Whose::Others => {}
            }
        }
        Self { own, left }
    }
}

impl Owned {
    /// The short name of the container that an event is about, if it is the caller's: name and labels must agree.
    pub(in crate::gateway) fn named_in_event(peer: &Peer, name: &str, labels: &Value) -> Option<String> {
        let (uid, short) = split_engine_name(&format!("/{name}"))?;
        let own = uid == peer.uid() && Whose::by_labels(peer, labels) == Whose::Callers;
        own.then(|| short.to_string())
    }

    /// The same, shown as one that waits to be started again. Docker counts that as running.
    pub(in crate::gateway) fn shown_as_restarting(mut self) -> Self {
        self.found.state = "restarting".to_owned();
        self.found.running = true;
        self
    }

    pub(in crate::gateway) fn id(&self) -> &ContainerId {
        &self.found.id
    }

    pub(in crate::gateway) fn name(&self) -> &ContainerName {
        &self.found.name
    }

    pub(in crate::gateway) fn running(&self) -> bool {
        self.found.running
    }

    /// For what needs a process inside.
    pub(in crate::gateway) fn must_run(&self) -> Result<(), FindError> {
        if self.running() {
            return Ok(());
        }
        Err(FindError::NotRunning(self.id().clone(), self.name().clone()))
    }

    pub(in crate::gateway) fn labels(&self) -> &Labels {
        &self.found.labels
    }

    pub(in crate::gateway) fn found(&self) -> &Found {
        &self.found
    }

    /// Whether it is in any network; what the engine does not say counts as one.
    pub(in crate::gateway) fn networked(&self) -> bool {
        self.found.network_mode.as_deref() != Some("none")
    }

    /// Whether it was made in the network that every user has.
    pub(in crate::gateway) fn on_own_network(&self) -> bool {
        let mode = self.found.network_mode.as_deref();
        mode == Some(super::network::network_name(self.found.owner).as_str())
    }

    pub(in crate::gateway) fn used(&self) -> Used {
        self.found.labels.used(&self.found.name, self.found.running)
    }

    /// The engine's path of this container, and `tail` after it.
    pub(in crate::gateway) fn target(&self, tail: &str) -> Target {
        Target::new(format!("/containers/{}{tail}", self.found.id)).of(self.found.owner)
    }

    /// The word Docker's answers use for it in the engine.
    pub(in crate::gateway) fn engine_name(&self) -> String {
        engine_name(self.found.owner, &self.found.name)
    }
}

#[cfg(test)]
impl Found {
    /// One that has ended.
    pub(in crate::gateway) fn fake(
        id: ContainerId,
        owner: u32,
        restart: crate::protocol::restart::Restart,
    ) -> Self {
        let summary = tests::summary(&format!("/ie-{owner}-web"), owner, "ann", 'a');
        let found = Self::parse(summary).unwrap();
        Self {
            id,
            running: false,
            state: "exited".to_owned(),
            labels: Labels { restart, ..found.labels },
            ..found
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    pub(in crate::gateway::engine) fn summary(name: &str, uid: u32, login: &str, id: char) -> Value {
        let labels = Labels {
            uid,
            login: login.into(),
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
        json!({ "Id": id.to_string().repeat(64), "Names": [name], "Labels": labels.write().unwrap(), "State": "running" })
    }

    fn claimed(name: &str, uid: u32, login: &str) -> bool {
        let ann = Peer::fake(1000, "ann");
        Found::parse(summary(name, uid, login, 'a')).and_then(|found| found.claim(&ann)).is_some()
    }

    #[test]
    fn name_and_labels_must_both_be_the_callers() {
        assert!(claimed("/ie-1000-web", 1000, "ann"));
        assert!(!claimed("/ie-1001-web", 1000, "ann"), "another's name");
        assert!(!claimed("/ie-1000-web", 1001, "ann"), "another's label");
        assert!(!claimed("/ie-1000-web", 1000, "bob"), "the uid had another login");
        assert!(!claimed("/ie-01000-web", 1000, "ann"), "a second spelling of the uid");
        assert!(!claimed("/web", 1000, "ann"), "made by hand");
        assert!(!claimed("/ie-1000-", 1000, "ann"));
    }

    proptest! {
        #[test]
        fn no_two_names_meet(a in any::<u32>(), b in any::<u32>(), x in "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}", y in "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}") {
            if let (Ok(x), Ok(y)) = (ContainerName::try_from(x), ContainerName::try_from(y)) {
                prop_assert_eq!(engine_name(a, &x) == engine_name(b, &y), a == b && x == y);
                let slashed = format!("/{}", engine_name(a, &x));
                prop_assert_eq!(split_engine_name(&slashed), Some((a, x)));
            }
        }
    }
}
