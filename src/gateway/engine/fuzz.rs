//! What fuzzing sees of the engine's side: containers out of a list, bodies out of a grant.

use super::label::Labels;
use super::{EngineError, Found, Grant, Owned, PREFIX};
use crate::gateway::caller::peer::Peer;
use crate::protocol::amount::{Bytes, Cpus, Span};
use crate::protocol::card::CardId;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A container of a list, if it is one of ours at all.
pub(in crate::gateway) fn found(summary: Value) -> Option<Found> {
    Found::parse(summary)
}

/// The same, if it is this caller's.
pub(in crate::gateway) fn claimed(summary: Value, peer: &Peer) -> Option<Owned> {
    Found::parse(summary)?.claim(peer)
}

/// A running container of this caller's, with these cards.
pub(in crate::gateway) fn owned(peer: &Peer, cards: &[CardId]) -> Option<Owned> {
    let labels = Labels {
        uid: peer.uid(),
        login: peer.account().ok()?.login().to_owned(),
        cpus: Cpus(1),
        memory: Bytes(1),
        pids: 1,
        cards: cards.to_vec(),
        time: Span(1),
        ports: vec![],
        stages: vec![],
        auto_remove: false,
        restart: crate::protocol::restart::Restart::No,
        tty: false,
        channel: None,
        image: None,
        space: super::Space::Host,
    };
    let name = format!("/ie-{}-web", peer.uid());
    let summary =
        json!({ "Id": "a".repeat(64), "Names": [name], "Labels": labels.write().ok()?, "State": "running" });
    claimed(summary, peer)
}

pub(in crate::gateway) fn body(grant: &Grant) -> Result<Value, EngineError> {
    grant.body()
}

/// Holds that the labels of a body are the grant's: read back they are what was granted, and no other one is ours.
pub(in crate::gateway) fn check_labels(labels: &Value, granted: &Labels) {
    let labels: BTreeMap<String, String> = serde_json::from_value(labels.clone()).unwrap_or_default();
    assert_eq!(Labels::read(&labels).as_ref(), Some(granted), "the labels are not what was granted");
    let written = granted.write().unwrap_or_default();
    for (key, value) in labels.iter().filter(|(key, _)| key.to_ascii_lowercase().starts_with(PREFIX)) {
        let ours = written.get(key) == Some(value);
        assert!(ours || value.is_empty(), "a label under our prefix that is not ours: {key}={value}");
    }
}

/// Holds that labels that can be read are written as they were.
pub(in crate::gateway) fn check_reading(labels: &BTreeMap<String, String>) {
    let Some(read) = Labels::read(labels) else { return };
    let again = Labels::read(&read.write().unwrap_or_default());
    assert_eq!(again, Some(read), "labels do not survive being written");
}
