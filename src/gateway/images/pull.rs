//! Pulling: what the policy allows, one at a time for each user and a few for everybody.

use super::{full, own_platform};
use crate::gateway::audit;
use crate::gateway::engine::Target;
use crate::gateway::error::Error;
use crate::gateway::peer::Peer;
use crate::gateway::state::Gateway;
use crate::gateway::unread::read_or_cut;
use crate::policy::ImageAsk;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::Method;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pulls under way: one per uid, a few for everybody.
#[derive(Debug)]
pub(in crate::gateway) struct Pulls {
    busy: Arc<Mutex<HashSet<u32>>>,
    places: Arc<Semaphore>,
}

/// Pulls at once, for everybody together.
const MOST_PULLS: usize = 4;
/// A pull whose client takes none of its progress for so long is given up: its place is one of a few.
const LIE: Duration = Duration::from_secs(600);

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
pub(in crate::gateway) struct PullQuery {
    from_image: String,
    from_src: String,
    repo: String,
    tag: String,
    message: String,
    platform: String,
}

/// Pulls what the policy allows; the engine's progress is passed on as it comes.
pub(in crate::gateway) async fn pull(
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
        chunk.map_err(std::io::Error::other)
    });
    let headers = [(axum::http::header::CONTENT_TYPE, "application/json")];
    Ok((headers, axum::body::Body::from_stream(read_or_cut(progress, LIE))).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

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
