//! Pulling: what the policy allows, one at a time for each user and a few for everybody.

use crate::gateway::audit;
use crate::gateway::bounds::backpressure::read_or_cut;
use crate::gateway::caller::Caller;
use crate::gateway::engine::{Engine, Target, explain, read_lines};
use crate::gateway::error::Error;
use crate::gateway::images::{full, own_platform};
use crate::policy::ImageAsk;
use crate::protocol::told::told;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use bytes::Bytes;
use futures_util::TryStreamExt;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
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
            Error::Conflict(told!("{MOST_PULLS} pulls are under way, the most at once; try again in a while"))
        })?;
        if !self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(uid) {
            return Err(Error::Conflict(told!("another pull of yours is under way; wait for it to end")));
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

/// Whether somebody is to be logged in somewhere. Clients send the header always, with nothing in it where there is nobody.
fn has_credentials(headers: &HeaderMap) -> bool {
    let Some(header) = headers.get("x-registry-auth") else { return false };
    let decoded = base64::engine::general_purpose::URL_SAFE
        .decode(header)
        .or_else(|_| base64::engine::general_purpose::STANDARD.decode(header));
    let told: Option<Map<String, Value>> = decoded.ok().and_then(|text| serde_json::from_slice(&text).ok());
    // What is not understood may be anything.
    let Some(told) = told else { return !header.is_empty() };
    let empty = |value: &Value| value.as_str().map_or(value.is_null(), str::is_empty);
    told.iter().any(|(key, value)| !key.eq_ignore_ascii_case("serveraddress") && !empty(value))
}

/// Pulls what the policy allows; the engine's progress is passed on as it comes.
pub(in crate::gateway) async fn pull(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(pulls): State<Arc<Pulls>>,
    Query(query): Query<PullQuery>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    own_platform(&query.platform)?;
    if has_credentials(&headers) {
        let why = told!("what is pulled here is everybody's; ask the admin to pull it");
        return Err(Error::not_allowed("X-Registry-Auth", why));
    }
    let others = [&query.from_src, &query.repo, &query.message];
    if others.iter().any(|word| !word.is_empty()) || query.from_image.is_empty() {
        return Err(Error::not_allowed("import", told!("images are pulled by name only")));
    }
    let word = match query.tag.as_str() {
        "" => query.from_image.clone(),
        digest if digest.contains(':') => format!("{}@{digest}", query.from_image),
        tag => format!("{}:{tag}", query.from_image),
    };
    let reference = full(&word)?;
    let ask = ImageAsk { shown: word.clone(), references: vec![reference.clone()], own: false };
    let admitted = caller.limits()?.admit_image(&ask).map_err(Error::from);
    if let Err(error) = admitted {
        audit::refused(&caller, "pull", &word, &error);
        return Err(error);
    }
    let pulling = pulls.enter(caller.uid())?;
    audit::allowed(&caller, "pull", &reference);
    // The whole reference in one word: no tag, and a tag of "latest" is not "all tags".
    let answer =
        engine.call(Method::POST, Target::new("/images/create").with("fromImage", &reference)).await?;
    let progress = Box::pin(read_lines(answer.into_body()).map_ok(move |line| {
        let _until_it_ends = &pulling;
        explained(line)
    }));
    let headers = [(axum::http::header::CONTENT_TYPE, "application/json")];
    Ok((headers, axum::body::Body::from_stream(read_or_cut(progress, LIE))).into_response())
}

/// A line of the progress; what it says of a failure in words for users.
fn explained(line: Bytes) -> Bytes {
    let Ok(mut said) = serde_json::from_slice::<Value>(&line) else { return line };
    let Some(error) = said.get("error").and_then(Value::as_str) else { return line };
    let told = explain(error);
    if let Some(detail) = said.pointer_mut("/errorDetail/message") {
        *detail = told.to_string().into();
    }
    if let Some(error) = said.get_mut("error") {
        *error = told.to_string().into();
    }
    if let (Some(fields), Ok(told), true) =
        (said.as_object_mut(), serde_json::to_value(&told), told.is_made())
    {
        fields.insert("told".to_owned(), told);
    }
    Bytes::from(said.to_string() + "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_from_none() {
        let engine = base64::engine::general_purpose::URL_SAFE;
        let has = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-registry-auth", engine.encode(text).parse().unwrap());
            has_credentials(&headers)
        };
        for none in ["{}", r#"{"username":"","password":"","serveraddress":"https://x"}"#, r#"{"auth":null}"#]
        {
            assert!(!has(none), "{none}");
        }
        for some in [
            r#"{"username":"ann"}"#,
            r#"{"identitytoken":"t"}"#,
            r#"{"registrytoken":"t"}"#,
            "[]",
            "x",
            r#"{"a":1}"#,
        ] {
            assert!(has(some), "{some}");
        }
        assert!(!has_credentials(&HeaderMap::new()));
        assert!(!has_credentials(&HeaderMap::from_iter([(
            axum::http::HeaderName::from_static("x-registry-auth"),
            "".parse().unwrap()
        )])));
    }

    #[test]
    fn a_failure_in_the_midst_is_told_in_words_for_users() {
        let progress = Bytes::from_static(b"{\"status\":\"Pulling\"}\r\n");
        assert_eq!(explained(progress.clone()), progress);
        let said = r#"{"errorDetail":{"message":"dial tcp: lookup r: no such host"},"error":"dial tcp: lookup r: no such host"}"#;
        let told: Value = serde_json::from_slice(&explained(Bytes::from(said))).unwrap();
        let words = "the name of the registry cannot be resolved on this host";
        let made = serde_json::json!({"template": words});
        assert_eq!(
            told,
            serde_json::json!({"errorDetail": {"message": words}, "error": words, "told": made})
        );
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
