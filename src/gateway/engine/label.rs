//! The labels under `io.ie-container.`: written at create, read back as the record of what was granted.
//!
//! The gateway sets all of its labels on each container, because an image's LABEL would fill a gap. Labels that an
//! image adds under the prefix are blanked. Labels that a user adds under it are refused.

use super::{ImageId, Space};
use crate::policy::Used;
use crate::protocol::amount::{Bytes, Cpus, Span};
use crate::protocol::card::CardId;
use crate::protocol::name::ContainerName;
use crate::protocol::restart::Restart;
use crate::protocol::stage::{Access, Map, Shape, Stage, Token};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What all our labels start with; users' and images' labels under it never survive.
pub(in crate::gateway) use crate::gateway::wish::PREFIX;

/// The label an engine filter finds one user's containers by.
pub(super) const UID: &str = "io.ie-container.uid";
pub(super) const LOGIN: &str = "io.ie-container.login";
/// On a volume that the engine made for a container in which volumes are given: nobody has it.
pub(super) const GIVEN: &str = "io.ie-container.given";

/// What the gateway writes under [`PREFIX`], each beside every container.
const KEYS: [&str; 16] = [
    "uid", "login", "version", "cpus", "memory", "pids", "cards", "time", "ports", "stages", "rm", "tty",
    "channel", "image", "userns", "restart",
];

/// Whether a label is one that the gateway writes: anything else under its prefix is an image's.
pub(super) fn is_ours(key: &str) -> bool {
    key.strip_prefix(PREFIX).is_some_and(|key| KEYS.contains(&key))
}

/// One staged directory or file, as it must be made again before each start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::gateway) struct StageLabel {
    pub(in crate::gateway) token: Token,
    pub(in crate::gateway) root: PathBuf,
    pub(in crate::gateway) relative: PathBuf,
    pub(in crate::gateway) target: PathBuf,
    pub(in crate::gateway) access: Access,
    /// What it was when the container was made, and is bound as.
    #[serde(default, skip_serializing_if = "is_directory")]
    pub(in crate::gateway) shape: Shape,
}

fn is_directory(shape: &Shape) -> bool {
    *shape == Shape::Directory
}

impl StageLabel {
    /// Where it is on the host.
    pub(in crate::gateway) fn host_path(&self) -> PathBuf {
        if self.relative.as_os_str().is_empty() { self.root.clone() } else { self.root.join(&self.relative) }
    }

    /// What it is asked for as; of the first time whatever it is then.
    pub(in crate::gateway) fn request(
        &self,
        uid: u32,
        gids: Vec<u32>,
        map: Map,
        shape: Option<Shape>,
    ) -> Stage {
        Stage {
            token: self.token.clone(),
            uid,
            gids,
            root: self.root.clone(),
            relative: self.relative.clone(),
            access: self.access,
            shape,
            map,
        }
    }
}

/// Everything that is written beside a container in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Labels {
    pub(in crate::gateway) uid: u32,
    pub(in crate::gateway) login: String,
    pub(in crate::gateway) cpus: Cpus,
    pub(in crate::gateway) memory: Bytes,
    pub(in crate::gateway) pids: u64,
    /// The cards it was granted, and for how long from each start on.
    pub(in crate::gateway) cards: Vec<CardId>,
    pub(in crate::gateway) time: Span,
    pub(in crate::gateway) ports: Vec<u16>,
    pub(in crate::gateway) stages: Vec<StageLabel>,
    /// Removed by the engine when it ends; one that was never started is tidied away.
    pub(in crate::gateway) auto_remove: bool,
    /// Whether it starts again by itself: the engine's own policy is "no".
    pub(in crate::gateway) restart: Restart,
    /// Its own streams are a terminal, on which there is a place for a word of ours.
    pub(in crate::gateway) tty: bool,
    /// Its own directory of the copy helper's channel. One that was made before there was this key has none.
    pub(in crate::gateway) channel: Option<Token>,
    /// The image whose words were looked at before it was made. One that was made before there was this key has none,
    /// and is not started again.
    pub(in crate::gateway) image: Option<ImageId>,
    /// The user namespace it was made for. One that was made before there was this key is in the host's.
    pub(in crate::gateway) space: Space,
}

impl Labels {
    /// As the engine stores them: always every key, because an image's LABEL would fill a gap.
    pub(super) fn write(&self) -> Result<BTreeMap<String, String>, serde_json::Error> {
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        Ok([
            ("uid", self.uid.to_string()),
            ("login", self.login.clone()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("cpus", self.cpus.0.to_string()),
            ("memory", self.memory.0.to_string()),
            ("pids", self.pids.to_string()),
            ("cards", self.cards.iter().map(CardId::as_str).collect::<Vec<_>>().join(",")),
            ("time", self.time.0.to_string()),
            ("ports", ports.join(",")),
            ("stages", serde_json::to_string(&self.stages)?),
            ("rm", self.auto_remove.to_string()),
            ("tty", self.tty.to_string()),
            ("restart", self.restart.to_string()),
            ("channel", self.channel.as_ref().map(Token::as_str).unwrap_or_default().to_owned()),
            ("image", self.image.as_ref().map(ImageId::as_str).unwrap_or_default().to_owned()),
            ("userns", self.space.word()),
        ]
        .into_iter()
        .map(|(key, value)| (format!("{PREFIX}{key}"), value))
        .collect())
    }

    /// Nothing if a key that decides something is missing or does not parse: such a container is nobody's.
    pub(super) fn read(labels: &BTreeMap<String, String>) -> Option<Self> {
        let get = |key: &str| labels.get(&format!("{PREFIX}{key}")).map(String::as_str);
        Some(Self {
            uid: get("uid")?.parse().ok()?,
            login: get("login")?.to_owned(),
            cpus: Cpus(get("cpus")?.parse().ok()?),
            memory: Bytes(get("memory")?.parse().ok()?),
            pids: get("pids")?.parse().ok()?,
            cards: words(get("cards")?).map(str::parse).collect::<Result<_, _>>().ok()?,
            time: Span(get("time")?.parse().ok()?),
            ports: words(get("ports")?).map(str::parse).collect::<Result<_, _>>().ok()?,
            stages: serde_json::from_str(get("stages")?).ok()?,
            auto_remove: get("rm")?.parse().ok()?,
            // One that was made before there was this key has its words too; an image that says it speaks for itself alone.
            tty: get("tty") == Some("true"),
            restart: get("restart").and_then(|word| Restart::typed(word).ok()).unwrap_or_default(),
            channel: get("channel").and_then(|word| Token::try_from(word.to_owned()).ok()),
            image: get("image").and_then(ImageId::parse),
            space: get("userns").map_or(Some(Space::Host), Space::parse)?,
        })
    }

    /// What the container counts for in its owner's usage.
    pub(super) fn used(&self, name: &ContainerName, running: bool) -> Used {
        Used {
            name: name.to_string(),
            running,
            cpus: self.cpus,
            memory: self.memory,
            pids: self.pids,
            gpus: u32::try_from(self.cards.len()).unwrap_or(u32::MAX),
            ports: self.ports.clone(),
            left_by: None,
        }
    }
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|word| !word.is_empty())
}

/// The tokens in a `stages` label, as the engine's events carry it.
pub(in crate::gateway) fn stage_tokens(label: &str) -> Option<Vec<Token>> {
    let stages: Vec<StageLabel> = serde_json::from_str(label).ok()?;
    Some(stages.into_iter().map(|stage| stage.token).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::stage::Shift;

    fn labels() -> Labels {
        Labels {
            uid: 1000,
            login: "ann".into(),
            cpus: Cpus(2_000_000_000),
            memory: Bytes(4 << 30),
            pids: 512,
            cards: vec!["GPU-0".parse().unwrap(), "MIG-1".parse().unwrap()],
            time: Span(3600),
            ports: vec![40000, 40001],
            stages: vec![stage("ann", Shape::Directory), stage("ann/.gitconfig", Shape::File)],
            auto_remove: true,
            restart: Restart::OnFailure(3),
            tty: true,
            channel: Some(Token::from_bytes([2; 16])),
            image: ImageId::parse(&format!("sha256:{}", "0f".repeat(32))),
            space: Space::Own(Shift { uid: 900_000, gid: 800_000 }),
        }
    }

    fn stage(relative: &str, shape: Shape) -> StageLabel {
        StageLabel {
            token: Token::from_bytes([1; 16]),
            root: "/home".into(),
            relative: relative.into(),
            target: PathBuf::from("/home").join(relative),
            access: Access::ReadWrite,
            shape,
        }
    }

    /// What was made before there were files has directories.
    #[test]
    fn a_stage_without_a_shape_is_a_directory() {
        let written = serde_json::to_value(stage("ann", Shape::Directory)).unwrap();
        assert!(written.get("shape").is_none());
        assert_eq!(serde_json::from_value::<StageLabel>(written).unwrap(), stage("ann", Shape::Directory));
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Labels::read(&labels().write().unwrap()), Some(labels()));
    }

    #[test]
    fn ours_is_what_is_written_and_nothing_else() {
        let written = labels().write().unwrap();
        assert_eq!(written.len(), KEYS.len());
        assert!(written.keys().all(|key| is_ours(key)));
        for other in
            ["io.ie-container.x", "io.ie-container.", "io.ie-container.UID", "uid", "io.ie-container.uid.x"]
        {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_missing_label_makes_it_nobodys() {
        let written = labels().write().unwrap();
        let decides = |key: &&String| {
            ![".version", ".tty", ".channel", ".image", ".userns", ".restart"]
                .iter()
                .any(|end| key.ends_with(end))
        };
        for key in written.keys().filter(decides) {
            let mut fewer = written.clone();
            fewer.remove(key);
            assert_eq!(Labels::read(&fewer), None, "{key}");
        }
    }
}
