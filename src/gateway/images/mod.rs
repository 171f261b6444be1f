//! Images: how they are called, and which a caller may use.
//!
//! An engine lists everybody's images in one answer. So what an image says of itself has an end, counted in JSON.
//!
//! The volumes, labels and variables of an image are looked at before its container is made, by the name that was asked
//! for. The engine makes the container of what the name means a moment later, and a pull can have changed that. So the
//! label `image` has the id of what was looked at. A container whose own image is another one is not started.

pub(super) mod look;
mod reference;

use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, EngineError, ImageId};
use crate::gateway::error::Error;
use crate::policy::ImageAsk;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};
use serde_json::Value;
use std::path::PathBuf;

/// An image the policy allows and the engine has.
#[derive(Debug)]
pub(super) struct Admitted {
    /// The word Docker shows for it.
    pub(super) shown: String,
    /// Which one that is now: the word may mean another one in a moment.
    pub(super) id: ImageId,
    pub(super) ask: ImageAsk,
    /// The keys of the image's own labels.
    pub(super) labels: Vec<String>,
    /// The names of its variables.
    pub(super) env: Vec<String>,
    /// Its WORKDIR.
    pub(super) working_dir: Option<String>,
    /// Its HEALTHCHECK, as the engine tells it.
    pub(super) health: Option<Value>,
    /// The ports that it exposes.
    pub(super) exposed: Vec<String>,
    /// Where it wants volumes.
    pub(super) volumes: Vec<PathBuf>,
}

/// An image with more volumes than this makes a new directory of the engine's for each, at each run.
const MOST_VOLUMES: usize = 16;

/// Of any word for an image, in bytes: a name of 255, a tag of 128 and a digest.
const LONGEST_WORD: usize = 512;

/// Images that the gateway makes itself: by these names nobody pulls or runs anything, whatever the policy allows.
const RESERVED: &str = "localhost/ie-container/";

fn not_allowed(image: &str, why: Told) -> Error {
    let message = told!("the image {image} is not allowed here: {why}");
    Refusal::new("forbidden", message).rule(format!("the image {image}")).into()
}

/// A full reference: the short forms are expanded as Docker does.
pub(super) fn full(word: &str) -> Result<String, Error> {
    // In the answer and in the log no more of it than any reference has.
    let shown: String = word.chars().take(LONGEST_WORD).collect();
    let bad = || Error::Bad(told!("{shown:?} is not an image's reference such as ubuntu:24.04"));
    let reference = reference::full(word).filter(|_| word.len() <= LONGEST_WORD).ok_or_else(bad)?;
    if reference.starts_with(RESERVED) {
        let why = told!("names that begin with {RESERVED} are kept for the gateway's own images");
        return Err(not_allowed(&shown, why));
    }
    Ok(reference)
}

/// A reference as Docker shows it, written anew from what was parsed: the engine reads it as we did.
pub(super) fn familiar(word: &str, reference: &str) -> String {
    let short = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let short = match short.strip_suffix(":latest") {
        Some(bare) if !word.ends_with(":latest") => bare,
        _ => short,
    };
    // `docker.io/library/a/b` and `docker.io/a.b/c` have no short form: without its beginning each is another image.
    let same = reference::full(short).is_some_and(|full| full == reference);
    if same { short } else { reference }.to_owned()
}

/// An image's id, or the beginning of one: `sha256:…` or hexadecimal digits alone.
fn id_digits(word: &str) -> Option<&str> {
    let digits = word.strip_prefix("sha256:").unwrap_or(word);
    let hex = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (hex && (6..=64).contains(&digits.len())).then_some(digits)
}

pub(super) fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The references an image answers to, in full.
fn references(image: &Value) -> Vec<String> {
    let names = strings(image.get("RepoTags")).into_iter().chain(strings(image.get("RepoDigests")));
    names.filter(|name| !name.contains("<none>")).filter_map(|name| full(&name).ok()).collect()
}

/// Labels that an image may have: an engine tells them of each of its containers, in every list.
const MOST_LABELS: usize = 256;
/// Ports that it may expose, which an engine tells likewise.
const MOST_PORTS: usize = 256;
/// Bytes of all that its configuration says, in JSON.
const MOST_BYTES: usize = 128 << 10;

/// Looks an image up for a create: first the policy, so that nobody learns what else the engine has.
pub(super) async fn admit(engine: &Engine, caller: &Caller, word: &str) -> Result<Admitted, Error> {
    let (ask, image) = look_up(engine, caller, word).await?;
    let volumes = image.pointer("/Config/Volumes").and_then(Value::as_object);
    let volumes: Vec<PathBuf> = volumes.into_iter().flat_map(|all| all.keys().map(PathBuf::from)).collect();
    if volumes.len() > MOST_VOLUMES {
        return Err(not_allowed(word, told!("it declares more than 16 volumes")));
    }
    if let Some(why) = too_heavy(image.get("Config").unwrap_or(&Value::Null)) {
        return Err(not_allowed(word, why));
    }
    let labels = image.pointer("/Config/Labels").and_then(Value::as_object);
    let labels = labels.map(|labels| labels.keys().cloned().collect()).unwrap_or_default();
    let env = strings(image.pointer("/Config/Env"));
    let env = env.iter().map(|one| one.split('=').next().unwrap_or(one).to_owned()).collect();
    let id = image.get("Id").and_then(Value::as_str).and_then(ImageId::parse);
    let id = id.ok_or_else(|| EngineError::Odd("an image without an id".to_owned()))?;
    let working_dir = image.pointer("/Config/WorkingDir").and_then(Value::as_str).map(str::to_owned);
    let health = image.pointer("/Config/Healthcheck").filter(|health| !health.is_null()).cloned();
    let exposed = image.pointer("/Config/ExposedPorts").and_then(Value::as_object);
    let exposed = exposed.map(|ports| ports.keys().cloned().collect()).unwrap_or_default();
    Ok(Admitted { shown: ask.shown.clone(), id, ask, labels, env, working_dir, health, exposed, volumes })
}

/// What an image says stands in every list and every event of the engine's that has a container of it, everybody's among
/// them: so there is an end to it, as the engine writes it down.
fn too_heavy(config: &Value) -> Option<Told> {
    let count = |key: &str| config.get(key).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    let (labels, ports) = (count("Labels"), count("ExposedPorts"));
    if labels > MOST_LABELS {
        return Some(told!("it has {labels} labels, the most is {MOST_LABELS}"));
    }
    if ports > MOST_PORTS {
        return Some(told!("it has {ports} ports, the most is {MOST_PORTS}"));
    }
    let bytes = config.to_string().len();
    (bytes > MOST_BYTES)
        .then(|| told!("its labels, variables and commands take {bytes} bytes, the most is {MOST_BYTES}"))
}

/// The image that a container was made of, as the policy judges it: by the name it was granted under, which stays when
/// the tag has moved on; by whatever it is called now when it was granted by its id.
pub(super) async fn of_container(engine: &Engine, details: &Value) -> Result<ImageAsk, Error> {
    let text = |pointer: &str| details.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let word = text("/Config/Image");
    let references = match id_digits(word) {
        None => full(word).into_iter().collect(),
        Some(_) => match engine.image(text("/Image")).await {
            Err(error) if error.is_not_found() => Vec::new(),
            image => references(&image?),
        },
    };
    Ok(ImageAsk { shown: word.to_owned(), references, own: false })
}

pub(super) async fn look_up(
    engine: &Engine,
    caller: &Caller,
    word: &str,
) -> Result<(ImageAsk, Value), Error> {
    let limits = caller.limits()?;
    let missing = || Error::NoImage(crate::protocol::escape::escape_line(word));
    let reference = full(word);
    if let Ok(reference) = &reference {
        let ask =
            ImageAsk { shown: familiar(word, reference), references: vec![reference.clone()], own: false };
        let allowed = limits.admit_image(&ask);
        if id_digits(word).is_none() {
            allowed?;
        }
        match (engine.image(reference).await, limits.admit_image(&ask)) {
            (Ok(image), Ok(())) => return Ok((ask, image)),
            (Err(error), _) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    // By id: allowed when one of its own references is; otherwise it is as if it were not there.
    let Some(digits) = id_digits(word) else { return Err(reference.err().unwrap_or_else(missing)) };
    let image = match engine.image(digits).await {
        Err(error) if error.is_not_found() => return Err(missing()),
        image => image?,
    };
    let ask = ImageAsk { shown: digits.to_owned(), references: references(&image), own: false };
    limits.admit_image(&ask).map_err(|_| missing())?;
    Ok((ask, image))
}

/// The host's own platform may be named; what it would take to run another one is not here.
pub(super) fn own_platform(word: &str) -> Result<(), Error> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    match word.strip_prefix("linux/").unwrap_or(word) {
        "" => Ok(()),
        named if named == machine || named == "linux" => Ok(()),
        _ => Err(Error::not_allowed("platform", told!("images run as they are, on linux/{machine}"))),
    }
}

#[cfg(test)]
mod tests;
