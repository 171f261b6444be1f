//! Images: which a caller may use, what the engine has of them, and pulling.

use super::answer;
use super::audit;
use super::engine::Target;
use super::error::Error;
use super::filters;
use super::peer::Peer;
use super::reference;
use super::state::Gateway;
use crate::policy::ImageAsk;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// An image the policy allows and the engine has.
#[derive(Debug)]
pub(super) struct Admitted {
    /// The word Docker shows for it.
    pub(super) shown: String,
    pub(super) ask: ImageAsk,
    /// The keys of the image's own labels.
    pub(super) labels: Vec<String>,
}

/// An image with more volumes than this makes a new directory of the engine's for each, at each run.
const MOST_VOLUMES: usize = 16;

/// A full reference: the short forms are expanded as Docker does.
pub(super) fn full(word: &str) -> Result<String, Error> {
    let bad = || Error::Bad(format!("{word:?} is not an image's reference such as ubuntu:24.04"));
    reference::full(word).ok_or_else(bad)
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

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The references an image answers to, in full.
fn references(image: &Value) -> Vec<String> {
    let names = strings(image.get("RepoTags")).into_iter().chain(strings(image.get("RepoDigests")));
    names.filter(|name| !name.contains("<none>")).filter_map(|name| full(&name).ok()).collect()
}

/// Labels that an image may have.
const MOST_LABELS: usize = 256;
const MOST_LABEL_BYTES: usize = 64 << 10;

/// Looks an image up for a create: first the policy, so that nobody learns what else the engine has.
pub(super) async fn admit(gateway: &Gateway, peer: &Peer, word: &str) -> Result<Admitted, Error> {
    let (ask, image) = look_up(gateway, peer, word).await?;
    let volumes = image.pointer("/Config/Volumes").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    if volumes > MOST_VOLUMES {
        return Err(Error::not_allowed(&format!("the image {word}"), "it declares more than 16 volumes"));
    }
    let labels = image.pointer("/Config/Labels").and_then(Value::as_object);
    // They stand in every list and every event of the engine's that has a container of it, everybody's among them.
    let weight = |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
    let bytes: usize = labels.into_iter().flatten().map(weight).sum();
    if bytes > MOST_LABEL_BYTES || labels.is_some_and(|labels| labels.len() > MOST_LABELS) {
        let why =
            format!("its labels are more than {MOST_LABELS}, or longer than {} KiB", MOST_LABEL_BYTES >> 10);
        return Err(Error::not_allowed(&format!("the image {word}"), &why));
    }
    let labels = labels.map(|labels| labels.keys().cloned().collect()).unwrap_or_default();
    Ok(Admitted { shown: ask.shown.clone(), ask, labels })
}

/// The image that a container was made of, as the policy judges it: by the name it was granted under, which stays when
/// the tag has moved on; by whatever it is called now when it was granted by its id.
pub(super) async fn of_container(gateway: &Gateway, details: &Value) -> Result<ImageAsk, Error> {
    let text = |pointer: &str| details.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let word = text("/Config/Image");
    let references = match id_digits(word) {
        None => full(word).into_iter().collect(),
        Some(_) => match gateway.engine.image(text("/Image")).await {
            Err(error) if error.is_not_found() => Vec::new(),
            image => references(&image?),
        },
    };
    Ok(ImageAsk { shown: word.to_owned(), references, own: false })
}

async fn look_up(gateway: &Gateway, peer: &Peer, word: &str) -> Result<(ImageAsk, Value), Error> {
    let limits = gateway.limits(peer.account()?);
    let missing = || Error::NoImage(crate::protocol::escape::escape_line(word));
    let reference = full(word);
    if let Ok(reference) = &reference {
        let ask =
            ImageAsk { shown: familiar(word, reference), references: vec![reference.clone()], own: false };
        let allowed = limits.admit_image(&ask);
        if id_digits(word).is_none() {
            allowed?;
        }
        match (gateway.engine.image(reference).await, limits.admit_image(&ask)) {
            (Ok(image), Ok(())) => return Ok((ask, image)),
            (Err(error), _) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    // By id: allowed when one of its own references is; otherwise it is as if it were not there.
    let Some(digits) = id_digits(word) else { return Err(reference.err().unwrap_or_else(missing)) };
    let image = match gateway.engine.image(digits).await {
        Err(error) if error.is_not_found() => return Err(missing()),
        image => image?,
    };
    let ask = ImageAsk { shown: digits.to_owned(), references: references(&image), own: false };
    limits.admit_image(&ask).map_err(|_| missing())?;
    Ok((ask, image))
}

pub(super) async fn inspect(
    peer: Peer,
    State(gateway): State<Arc<Gateway>>,
    Path(rest): Path<String>,
) -> Result<Json<Value>, Error> {
    let Some(word) = rest.strip_suffix("/json") else {
        return Err(Error::NotServed(
            format!("GET /images/{rest}"),
            "images belong to everybody here: they are listed, inspected and pulled",
        ));
    };
    Ok(Json(answer::image(look_up(&gateway, &peer, word).await?.1)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    all: answer::Flag,
    filters: String,
}

/// The engine's images that the policy lets the caller use.
pub(super) async fn list(
    peer: Peer,
    State(gateway): State<Arc<Gateway>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<Value>>, Error> {
    let Wanted { references: wanted, dangling } = Wanted::parse(&query.filters)?;
    // What has no name is in no list of allowed names.
    if dangling {
        return Ok(Json(Vec::new()));
    }
    let limits = gateway.limits(peer.account()?);
    let listed = gateway.engine.get(Target::new("/images/json").with("all", query.all.word())).await?;
    let Value::Array(listed) = listed else { return Ok(Json(Vec::new())) };
    let allowed = |word: &str| {
        let references = full(word).map(|full| vec![full]).unwrap_or_default();
        limits.admit_image(&ImageAsk { shown: word.to_owned(), references, own: false }).is_ok()
    };
    let kept = listed.into_iter().filter_map(|mut image| {
        let tags: Vec<String> =
            strings(image.get("RepoTags")).into_iter().filter(|tag| allowed(tag)).collect();
        let tags: Vec<String> =
            tags.into_iter().filter(|tag| wanted.iter().all(|wanted| is(tag, wanted))).collect();
        if tags.is_empty() {
            return None;
        }
        image.as_object_mut()?.insert("RepoTags".into(), tags.into());
        Some(image)
    });
    Ok(Json(kept.collect()))
}

/// `reference=` and `dangling=`, the filters that are served.
#[derive(Debug, Default)]
struct Wanted {
    references: Vec<String>,
    dangling: bool,
}

impl Wanted {
    fn parse(filters: &str) -> Result<Self, Error> {
        let mut words = filters::parse(filters, &["dangling", "reference"])?;
        let dangling = words.remove("dangling").unwrap_or_default();
        Ok(Self {
            references: words.remove("reference").unwrap_or_default(),
            dangling: dangling.iter().any(|word| matches!(word.as_str(), "1" | "true")),
        })
    }
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
        _ => Err(Error::not_allowed("platform", &format!("images run as they are, on linux/{machine}"))),
    }
}

fn is(tag: &str, wanted: &str) -> bool {
    let repository = tag.rsplit_once(':').map_or(tag, |(repository, _)| repository);
    tag == wanted
        || repository == wanted
        || full(tag).is_ok_and(|tag| full(wanted).is_ok_and(|wanted| tag == wanted))
}

/// Pulls under way: one per uid, a few for everybody.
#[derive(Debug)]
pub(super) struct Pulls {
    busy: Arc<Mutex<HashSet<u32>>>,
    places: Arc<Semaphore>,
}

/// Pulls at once, for everybody together.
const MOST_PULLS: usize = 4;

impl Default for Pulls {
    fn default() -> Self {
        Self { busy: Arc::default(), places: Arc::new(Semaphore::new(MOST_PULLS)) }
    }
}

/// One pull's place, given back when its answer ends.
struct Pulling {
    uid: u32,
    busy: Arc<Mutex<HashSet<u32>>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Pulling {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.uid);
    }
}

impl Pulls {
    fn enter(&self, uid: u32) -> Result<Pulling, Error> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| {
            Error::Conflict(format!(
                "{MOST_PULLS} pulls are under way, the most at once; try again in a while"
            ))
        })?;
        if !self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(uid) {
            return Err(Error::Conflict("another pull of yours is under way; wait for it to end".into()));
        }
        Ok(Pulling { uid, busy: self.busy.clone(), _place: place })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PullQuery {
    from_image: String,
    from_src: String,
    repo: String,
    tag: String,
    message: String,
    platform: String,
}

/// Pulls what the policy allows; the engine's progress is passed on as it comes.
pub(super) async fn pull(
    peer: Peer,
    State(gateway): State<Arc<Gateway>>,
    Query(query): Query<PullQuery>,
) -> Result<Response, Error> {
    own_platform(&query.platform)?;
    let others = [&query.from_src, &query.repo, &query.message];
    if others.iter().any(|word| !word.is_empty()) || query.from_image.is_empty() {
        return Err(Error::not_allowed("import", "images are pulled by name only"));
    }
    let word = match query.tag.as_str() {
        "" => query.from_image.clone(),
        digest if digest.contains(':') => format!("{}@{digest}", query.from_image),
        tag => format!("{}:{tag}", query.from_image),
    };
    let reference = full(&word)?;
    let ask = ImageAsk { shown: word.clone(), references: vec![reference.clone()], own: false };
    let admitted = gateway.limits(peer.account()?).admit_image(&ask).map_err(Error::from);
    if let Err(error) = admitted {
        audit::refused(&peer, "pull", &word, &error);
        return Err(error);
    }
    let pulling = gateway.pulls.enter(peer.uid())?;
    audit::allowed(Some(&peer), "pull", &reference);
    // The whole reference in one word: no tag, and a tag of "latest" is not "all tags".
    let answer = gateway
        .engine
        .call(Method::POST, Target::new("/images/create").with("fromImage", &reference))
        .await?;
    let progress = answer.into_body().into_data_stream().map(move |chunk| {
        let _until_it_ends = &pulling;
        chunk
    });
    let headers = [(axum::http::header::CONTENT_TYPE, "application/json")];
    Ok((headers, axum::body::Body::from_stream(progress)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_expanded_as_docker_does() {
        for (word, reference) in [
            ("ubuntu", "docker.io/library/ubuntu:latest"),
            ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
            ("pytorch/pytorch", "docker.io/pytorch/pytorch:latest"),
            ("nvcr.io/nvidia/cuda:12", "nvcr.io/nvidia/cuda:12"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
        ] {
            assert_eq!(full(word).unwrap(), reference);
            assert_eq!(familiar(word, reference), word);
        }
        for long in ["docker.io/library/a/b:1", "docker.io/a.b/c:1", "docker.io/library/localhost/c:1"] {
            assert_eq!(full(&familiar(long, &full(long).unwrap())).unwrap(), long, "shown as another image");
        }
        for bad in ["", "UPPER", "a b", "../x", "x\n", "http://x/y"] {
            assert!(full(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_pull_per_uid_and_a_few_for_all() {
        let pulls = Pulls::default();
        let first = pulls.enter(1).unwrap();
        assert!(pulls.enter(1).is_err());
        let others: Vec<_> = (2..=4).map(|uid| pulls.enter(uid).unwrap()).collect();
        assert!(pulls.enter(5).is_err());
        drop((first, others));
        assert!(pulls.enter(1).is_ok());
    }
}
