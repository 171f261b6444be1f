//! Standing in line for GPUs.

use super::connect::Api;
use super::error::Error;
use super::language;
use super::lines::Lines;
use super::output::say;
use super::route::Route;
use crate::protocol::amount::Span;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Told, told};
use bollard_stubs::models::DeviceRequest;
use serde::Deserialize;
use std::time::Duration;

/// One line of what the gateway says meanwhile.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Said {
    before: Option<usize>,
    /// One's own containers hold as many as one may have.
    own: bool,
    granted: Option<Vec<String>>,
    error: Option<String>,
    told: Option<Told>,
}

/// What is waited for.
pub(crate) enum For<'a> {
    /// What `--gpus` says.
    Cards(&'a DeviceRequest),
    /// The cards of a container that exists.
    Container(&'a str),
}

/// A turn that has come: kept until it is used, or this is dropped.
pub(crate) struct Turn(tokio::task::JoinHandle<()>);

impl Turn {
    /// The gateway says no more when the turn is used; until then it watches whether somebody is there.
    fn kept_by(mut lines: Lines) -> Self {
        Self(tokio::spawn(async move { while let Ok(Some(_)) = lines.next().await {} }))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits until the cards are there, telling of the place on stderr. Whoever ends this program leaves the line.
pub(crate) async fn stand(
    api: &Api,
    what: For<'_>,
    longest: Option<Span>,
    quiet: bool,
) -> Result<Turn, Error> {
    let route = Route::new("/ie/v1/gpus/wait");
    let route = match what {
        For::Container(name) => route.with("container", name),
        For::Cards(DeviceRequest { device_ids: Some(cards), .. }) => route.with("cards", &cards.join(",")),
        For::Cards(DeviceRequest { count: Some(-1), .. }) => route.with("all", "1"),
        For::Cards(asked) => route.with("count", &asked.count.unwrap_or_default().to_string()),
    };
    let waiting = wait(api, &route, quiet);
    match longest {
        None => waiting.await,
        Some(span) => tokio::time::timeout(Duration::from_secs(span.0), waiting).await.unwrap_or_else(|_| {
            let message = told!("no gpus came free within {span}");
            let refusal = Refusal::new("conflict", message)
                .hint(told!("ie-container gpus shows until when they are held"));
            Err(Error::Refused { status: 409, refusal: Box::new(refusal) })
        }),
    }
}

async fn wait(api: &Api, route: &Route, quiet: bool) -> Result<Turn, Error> {
    let mut lines = Lines::of(api.post_stream(route).await?);
    while let Some(line) = lines.next().await? {
        let said: Said = super::connect::parse(&line)?;
        if let Some(error) = said.error {
            let message = said.told.unwrap_or(Told::Text(error));
            return Err(Error::Refused { status: 409, refusal: Box::new(Refusal::new("gpus", message)) });
        }
        if said.granted.is_some() {
            return Ok(Turn::kept_by(lines));
        }
        let news = match said.before {
            _ if said.own => told!("waiting for gpus, your own containers hold as many as you may have"),
            Some(0) => told!("waiting for gpus, you are next"),
            Some(before) => told!("waiting for gpus, {before} before you"),
            None => continue,
        };
        if !quiet {
            say(&format!("{}\n", language::own().tell(&news)));
        }
    }
    Err(Error::Lost)
}
