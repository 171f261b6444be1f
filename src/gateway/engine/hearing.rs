//! The engine's events, heard without a gap: the index hears each before whoever follows them does.

use super::json_lines::read_all_lines;
use super::{Engine, EngineError, Target};
use futures_util::{Stream, StreamExt};
use hyper::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::error::Error;

/// What containers and images come and go by.
const EVENTS: [&str; 9] = ["create", "destroy", "die", "commit", "delete", "import", "load", "pull", "tag"];

/// What a stream of events ends with.
type Broken = Box<dyn Error + Send + Sync>;

impl Engine {
    /// What happens from now on, as it happens. While this is held, look-ups may go by the index.
    pub(in crate::gateway) async fn hear(
        &self,
    ) -> Result<impl Stream<Item = Result<Value, Broken>>, EngineError> {
        // An engine says that it has begun before it has: what happens between the two comes by its time.
        let since = Timestamp::now();
        let since = format!("{}.{:09}", since.as_second(), since.subsec_nanosecond());
        let filters = json!({ "type": ["container", "image"], "event": EVENTS }).to_string();
        let target = Target::new("/events").with("since", &since).with("filters", &filters);
        let answer = self.call(Method::GET, target).await?;
        let mut hearing = self.index.hears();
        Ok(read_all_lines(answer.into_body()).filter_map(move |line| {
            let event = match line {
                Ok(Some(line)) => Some(serde_json::from_slice(&line).map_err(Broken::from)),
                Ok(None) => None,
                Err(error) => Some(Err(error.into())),
            };
            match &event {
                Some(Ok(event)) => hearing.hear(event),
                Some(Err(_)) | None => hearing.missed(),
            }
            std::future::ready(event)
        }))
    }
}
