//! Looking a container up and proving whose it is, in one step.
//!
//! Docker is the only database. A container that the gateway makes is named `ie-<uid>-<name>` in the engine and bears
//! the labels of `label.rs`. It is its caller's when the name, the uid label and the login label agree with the caller.
//!
//! A uid whose login has changed sees nothing of its predecessor's, and cannot enter the predecessor's network. What
//! was left is the administrator's to remove, and is not removed for its age.

use super::bounded_list::{Things, read_bounded};
use super::label::{Labels, UID};
use super::whose::{Estate, LeftContainer, Whose};
use super::{ContainerId, Engine, EngineError, FindError, ImageId, Target, read};
use crate::gateway::caller::Admin;
use crate::gateway::caller::peer::Peer;
use crate::policy::Used;
use crate::protocol::name::{ContainerName, ContainerRef};
use crate::protocol::stage::Token;
use crate::protocol::told::told;
use hyper::body::Incoming;
use hyper::{Method, Response};
use serde_json::Value;
use std::collections::BTreeMap;

/// A container as the engine lists it, with our labels and a name of ours; whose it is remains to be proved.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Found {
    id: ContainerId,
    owner: u32,
    name: ContainerName,
    running: bool,
    state: String,
    labels: Labels,
    summary: Value,
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

fn split_engine_name(name: &str) -> Option<(u32, ContainerName)> {
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
        (labels.uid == owner).then_some(Self { id, owner, name, running, state, labels, summary })
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
        self.summary.get("Created").and_then(Value::as_i64).unwrap_or_default()
    }

    pub(in crate::gateway) fn summary(&self) -> &Value {
        &self.summary
    }

    /// Of the directories that are staged for it.
    pub(in crate::gateway) fn stage_tokens(&self) -> Vec<Token> {
        self.labels().stages.iter().map(|stage| stage.token.clone()).collect()
    }

    /// Whether it has this volume, by the engine's name.
    pub(in crate::gateway) fn mounts_volume(&self, name: &str) -> bool {
        let mounts = self.summary.get("Mounts").and_then(Value::as_array);
        mounts.into_iter().flatten().any(|mount| mount.get("Name").and_then(Value::as_str) == Some(name))
    }

    /// The engine's own name of the image it was made of, which no tag can move.
    pub(in crate::gateway) fn image_id(&self) -> Option<ImageId> {
        ImageId::parse(self.summary.get("ImageID")?.as_str()?)
    }

    /// For the admin socket, which root alone reaches.
    pub(in crate::gateway) fn for_admin(self, _: &Admin) -> Owned {
        Owned { found: self }
    }
}

impl Owned {
    /// The short name of the container that an event is about, if it is the caller's: name and labels must agree.
    pub(in crate::gateway) fn named_in_event(peer: &Peer, name: &str, labels: &Value) -> Option<String> {
        let (uid, short) = split_engine_name(&format!("/{name}"))?;
        let own = uid == peer.uid() && Whose::by_labels(peer, labels) == Whose::Callers;
        own.then(|| short.to_string())
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
        let name = self.name();
        Err(FindError::NotRunning(told!("{name} is not running; start it first (ie-container start {name})")))
    }

    pub(in crate::gateway) fn labels(&self) -> &Labels {
        &self.found.labels
    }

    pub(in crate::gateway) fn found(&self) -> &Found {
        &self.found
    }

    /// Whether it is in any network; what the engine does not say counts as one.
    pub(in crate::gateway) fn networked(&self) -> bool {
        self.found.summary.pointer("/HostConfig/NetworkMode").and_then(Value::as_str) != Some("none")
    }

    /// Whether it was made in the network that every user has.
    pub(in crate::gateway) fn on_own_network(&self) -> bool {
        let mode = self.found.summary.pointer("/HostConfig/NetworkMode").and_then(Value::as_str);
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

impl Engine {
    /// The caller's own containers, stopped ones included.
    pub(in crate::gateway) async fn own(&self, peer: &Peer, size: bool) -> Result<Vec<Owned>, EngineError> {
        let listed = self.of_uid(peer, size).await?;
        Ok(listed.into_iter().filter_map(|found| found.claim(peer)).collect())
    }

    /// The same, and what else counts for the caller.
    pub(in crate::gateway) async fn containers_of(&self, peer: &Peer) -> Result<Containers, EngineError> {
        let mut all = Estate { own: Vec::new(), left: Vec::new() };
        for found in self.of_uid(peer, false).await? {
            match found.whose(peer) {
                Whose::Callers => all.own.push(Owned { found }),
                Whose::Left(_) => all.left.push(LeftContainer { found }),
                Whose::Others => {}
            }
        }
        Ok(all)
    }

    async fn of_uid(&self, peer: &Peer, size: bool) -> Result<Vec<Found>, EngineError> {
        let filter = format!("{UID}={}", peer.uid());
        // Each is held whole while it is read.
        let _permit = self.reads.of(peer.uid()).acquire_owned().await;
        let listed: Vec<Value> = read(self.list(&filter, size).await?).await?;
        Ok(listed.into_iter().filter_map(Found::parse).collect())
    }

    /// Everybody's containers: for tidying, port numbers, and the admin. Without what is long in them.
    pub(in crate::gateway) async fn everyones(&self) -> Result<Vec<Found>, EngineError> {
        let Things::<true>(listed) = read_bounded(self.list(UID, false).await?).await?;
        Ok(listed.into_iter().filter_map(Found::parse).collect())
    }

    async fn list(&self, label: &str, size: bool) -> Result<Response<Incoming>, EngineError> {
        let filters = serde_json::json!({ "label": [label] }).to_string();
        let mut target = Target::new("/containers/json").with("all", "1").with("filters", &filters);
        if size {
            target = target.with("size", "1");
        }
        self.call(Method::GET, target).await
    }

    /// The only way to hold a container: by the word its owner uses for it.
    pub(in crate::gateway) async fn owned(
        &self,
        peer: &Peer,
        word: &ContainerRef,
    ) -> Result<Owned, FindError> {
        pick(self.own(peer, false).await?, word)
    }

    /// The caller's container of this id, which the engine named as an exec's.
    pub(in crate::gateway) async fn owned_by_id(
        &self,
        peer: &Peer,
        id: &ContainerId,
    ) -> Result<Option<Owned>, FindError> {
        Ok(self.own(peer, false).await?.into_iter().find(|owned| owned.id() == id))
    }
}

/// A name first, then a full id, then the beginning of exactly one id.
pub(in crate::gateway) fn pick(own: Vec<Owned>, word: &ContainerRef) -> Result<Owned, FindError> {
    let word = word.as_str();
    if let Some(named) = own.iter().find(|owned| owned.name().as_str() == word) {
        return Ok(named.clone());
    }
    pick_by_id(own, word)
}

/// A full id, or the beginning of exactly one: several people's containers may have one name.
pub(in crate::gateway) fn pick_by_id(own: Vec<Owned>, word: &str) -> Result<Owned, FindError> {
    // Ids are shown in small letters and may be typed in others.
    let beginning = word.to_ascii_lowercase();
    let mut matching = own.into_iter().filter(|owned| owned.id().as_str().starts_with(&beginning));
    match (matching.next(), matching.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(FindError::NoContainer(word.to_owned())),
        (Some(_), Some(_)) => Err(FindError::Ambiguous(told!("several containers' ids begin with {word}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn summary(name: &str, uid: u32, login: &str, id: char) -> Value {
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

    #[test]
    fn a_word_finds_a_name_before_an_id() {
        let ann = Peer::fake(1000, "ann");
        let own = |name, id| Found::parse(summary(name, 1000, "ann", id)).unwrap().claim(&ann).unwrap();
        let all = vec![own("/ie-1000-web", 'a'), own("/ie-1000-aa", 'b')];
        let found =
            |word: &str| pick(all.clone(), &word.parse().unwrap()).map(|owned| owned.name().to_string());
        assert_eq!(found("web").unwrap(), "web");
        assert_eq!(found("aa").unwrap(), "aa");
        assert_eq!((found("aaa").unwrap(), found("AAA").unwrap()), ("web".to_owned(), "web".to_owned()));
        assert!(found("WEB").is_err());
        assert!(matches!(found("c"), Err(FindError::NoContainer(_))));
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
