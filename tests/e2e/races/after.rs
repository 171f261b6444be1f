//! What must hold once nothing is under way any more, whatever happened before.

use crate::world::tools::wait_until;
use crate::world::{User, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PREFIX: &str = "io.ie-container.";
/// Until the gateway has put right what a death left: for ten seconds it takes the engine to be at work on something.
const SETTLED: Duration = Duration::from_secs(150);

/// One container, as the engine tells of it.
pub(super) struct Held {
    pub(super) name: String,
    pub(super) state: String,
    labels: BTreeMap<String, String>,
}

impl Held {
    fn label(&self, key: &str) -> &str {
        self.labels.get(&format!("{PREFIX}{key}")).map_or("", String::as_str)
    }

    fn runs(&self) -> bool {
        self.state == "running"
    }

    pub(super) fn is_of(&self, uid: u32) -> bool {
        self.name.starts_with(&format!("ie-{uid}-"))
    }

    fn short(&self) -> &str {
        self.name.splitn(3, '-').nth(2).unwrap_or_default()
    }

    fn tokens(&self) -> Vec<String> {
        let stages: Value = serde_json::from_str(self.label("stages")).unwrap_or_default();
        let stages = stages.as_array().cloned().unwrap_or_default();
        stages.iter().filter_map(|stage| stage["token"].as_str().map(str::to_owned)).collect()
    }

    fn cards(&self) -> BTreeSet<&str> {
        self.label("cards").split(',').filter(|card| !card.is_empty()).collect()
    }

    /// What stands behind every container of the gateway's: a name and labels that agree.
    fn complaint(&self) -> Option<String> {
        let uid = self.name.strip_prefix("ie-").and_then(|rest| rest.split('-').next());
        let labelled = self.labels.keys().any(|key| key.starts_with(PREFIX));
        let fits = uid.is_some_and(|uid| uid == self.label("uid")) && !self.label("login").is_empty();
        let ours = labelled || self.name.starts_with("ie-");
        (ours && !fits).then(|| format!("{} is {} and nobody's", self.name, self.state))
    }
}

/// Every container of the engine's.
pub(super) fn held(world: &World) -> Vec<Held> {
    let (status, body) = world.ask_engine("GET", "/containers/json?all=1", "");
    assert_eq!(status, 200, "{body}");
    let listed: Vec<Value> = serde_json::from_str(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    listed
        .iter()
        .map(|one| Held {
            name: text(&one["Names"][0]).trim_start_matches('/').to_owned(),
            state: text(&one["State"]),
            labels: serde_json::from_value(one["Labels"].clone()).unwrap(),
        })
        .collect()
}

/// Waits until everything is right, and fails with what is not.
#[track_caller]
pub(super) fn settled(world: &World, users: &[&User<'_>]) {
    let mut wrong = Vec::new();
    let right = wait_until(SETTLED, || {
        wrong = wrongs(world, users);
        wrong.is_empty()
    });
    assert!(right, "after {SETTLED:?} it is still so:\n{}", wrong.join("\n"));
}

/// One sentence for everything that is not as it should be.
fn wrongs(world: &World, users: &[&User<'_>]) -> Vec<String> {
    let held = held(world);
    let mut wrong: Vec<String> = held.iter().filter_map(Held::complaint).collect();
    for user in users {
        wrong.extend(usage(user, &held));
    }
    wrong.extend(stages(world, &held));
    wrong.extend(networks(world, users, &held));
    if let Some(user) = users.first() {
        wrong.extend(cards(user, &held));
    }
    wrong
}

/// What the gateway says somebody uses is what the engine holds of theirs.
pub(super) fn usage(user: &User<'_>, held: &[Held]) -> Vec<String> {
    let own: Vec<&Held> = held.iter().filter(|one| one.is_of(user.uid)).collect();
    let running = own.iter().filter(|one| one.runs());
    let memory: u64 = running.map(|one| one.label("memory").parse::<u64>().unwrap_or(u64::MAX) >> 20).sum();
    let said = quota(user);
    let mut wrong = Vec::new();
    for (rule, there) in [("containers", own.len().to_string()), ("total.memory", mebibytes(memory))] {
        let used = said.get(rule).cloned().unwrap_or_default();
        if used != there {
            wrong.push(format!("{}: quota says {rule} {used}, the engine holds {there}", user.login));
        }
    }
    wrong
}

fn mebibytes(count: u64) -> String {
    match count {
        0 => "0".to_owned(),
        count if count % 1024 == 0 => format!("{}g", count / 1024),
        count => format!("{count}m"),
    }
}

/// `used` of each line of somebody's quota.
fn quota(user: &User<'_>) -> BTreeMap<String, String> {
    let (status, body) = user.ask("GET", "/ie/v1/quota", "");
    assert_eq!(status, 200, "{body}");
    let quota: Value = serde_json::from_str(&body).unwrap();
    let lines = quota["lines"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines.iter().map(|line| (text(&line["rule"]), text(&line["used"]))).collect()
}

/// No stage is left that no container needs, and none is missing that a running one has.
fn stages(world: &World, held: &[Held]) -> Vec<String> {
    let there: BTreeSet<String> = world
        .stages()
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let of = |which: &dyn Fn(&Held) -> bool| -> BTreeSet<String> {
        held.iter().filter(|one| which(one)).flat_map(Held::tokens).collect()
    };
    let needed = of(&|one| !matches!(one.state.as_str(), "exited" | "dead" | "removing"));
    let left = there.difference(&needed).map(|token| format!("stage {token} is left"));
    let running = of(&Held::runs);
    let missing = running.difference(&there).map(|token| format!("stage {token} is missing"));
    left.chain(missing).collect()
}

/// A user without containers has no network.
fn networks(world: &World, users: &[&User<'_>], held: &[Held]) -> Vec<String> {
    let (_, body) = world.ask_engine("GET", "/networks", "");
    let networks: Vec<Value> = serde_json::from_str(&body).unwrap();
    let there = |name: &str| networks.iter().any(|network| network["Name"] == name);
    let idle = users.iter().filter(|user| !held.iter().any(|one| one.is_of(user.uid)));
    let names = idle.map(|user| format!("ie{}", user.uid)).filter(|name| there(name));
    names.map(|name| format!("network {name} is left")).collect()
}

/// Each card that is held is held by one container, which is there and has it; each that runs holds what it has.
fn cards(user: &User<'_>, held: &[Held]) -> Vec<String> {
    let (status, body) = user.ask("GET", "/ie/v1/gpus", "");
    assert_eq!(status, 200, "{body}");
    let told: Value = serde_json::from_str(&body).unwrap();
    let mut wrong = Vec::new();
    for card in told["Cards"].as_array().unwrap() {
        let (id, holders) = (card["Uuid"].as_str().unwrap(), card["Holders"].as_array().unwrap());
        if holders.len() > 1 {
            wrong.push(format!("{id} is held by {}", card["Holders"]));
        }
        for holder in holders {
            let is =
                |one: &&Held| holder["Login"] == one.label("login") && holder["Container"] == one.short();
            // A lease is a running container's; one that was just made has a promise for a moment.
            let alive = |one: &Held| one.runs() || holder["Until"].is_null() && one.state == "created";
            if !held.iter().find(is).is_some_and(|one| alive(one) && one.cards().contains(id)) {
                wrong.push(format!("{id} is held by {holder}, which does not run with it"));
            }
        }
        for one in held.iter().filter(|one| one.runs() && one.cards().contains(id)) {
            if !holders.iter().any(|holder| holder["Container"] == one.short()) {
                wrong.push(format!("{} runs with {id} and does not hold it", one.name));
            }
        }
    }
    wrong
}
