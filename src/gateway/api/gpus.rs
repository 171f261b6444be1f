//! `/ie/v1/gpus`, `/ie/v1/gpus/wait` and `/ie/v1/containers/{word}/extend`.

use super::answer::Flag;
use super::words::Word;
use crate::gateway::caller::Caller;
use crate::gateway::engine::Engine;
use crate::gateway::error::Error;
use crate::gateway::gpu::desk::{Asker, Standing};
use crate::gateway::gpu::service::Gpus;
use crate::gateway::wish::CardWish;
use crate::protocol::amount::Span;
use crate::protocol::card::CardWord;
use crate::protocol::name::ContainerRef;
use crate::protocol::report::Refusal;
use crate::protocol::told::told;
use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;

/// Every card, who holds it, and what NVML tells of it.
pub(in crate::gateway) async fn list(
    caller: Caller,
    State(gpus): State<Arc<Gpus>>,
) -> Result<Json<Value>, Error> {
    caller.account()?;
    let now = Timestamp::now();
    let holders = gpus.desk.holders(&gpus.leased(), now);
    let processes = crate::gateway::gpu::processes::Owners::of_late(&gpus).await?;
    let cards = gpus.inventory.numbered().into_iter().map(|(number, card)| {
        let held = holders.iter().filter(|holder| holder.cards.contains(&card.id)).map(|holder| {
            let since = gpus.since(holder, &card.id);
            json!({
                "Login": holder.login, "Container": holder.container, "Until": holder.until, "Since": since,
            })
        });
        let row = gpus.inventory.row(&card.id).unwrap_or_default();
        json!({
            "Uuid": card.id, "Name": card.name, "Index": number, "Share": card.share, "Fault": card.fault,
            "Holders": held.collect::<Vec<_>>(),
            "Load": row.load, "MemoryUsed": row.memory_used, "MemoryTotal": row.memory_total,
            "Processes": row.processes.iter().map(|process| processes.shown(process)).collect::<Vec<_>>(),
        })
    });
    Ok(Json(json!({ "Cards": cards.collect::<Vec<_>>(), "Waiting": gpus.desk.waiting() })))
}

#[derive(Debug, Deserialize)]
pub(in crate::gateway) struct ExtendQuery {
    time: Span,
}

/// Moves the end of a running container's lease.
pub(in crate::gateway) async fn extend(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(gpus): State<Arc<Gpus>>,
    Word(word): Word,
    Query(query): Query<ExtendQuery>,
) -> Result<Json<Value>, Error> {
    let limits = caller.limits()?;
    let container = engine.owned(&caller, &word).await?;
    let until = gpus.extend(&container, query.time, &limits, Timestamp::now())?;
    Ok(Json(json!({ "Until": until })))
}

/// For how many cards, which (with commas between), or those of which container.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::gateway) struct WaitQuery {
    count: Option<usize>,
    all: Flag,
    cards: String,
    container: String,
}

impl WaitQuery {
    async fn wish(self, engine: &Engine, caller: &Caller) -> Result<CardWish, Error> {
        if !self.container.is_empty() {
            let word =
                ContainerRef::try_from(self.container).map_err(|error| Error::Bad(told!("{error}")))?;
            let cards = engine.owned(caller, &word).await?.labels().cards.clone();
            return Ok(CardWish::These(cards.into_iter().map(CardWord::Uuid).collect()));
        }
        match self.count {
            _ if self.all.0 => Ok(CardWish::All),
            Some(count) => Ok(CardWish::Count(count)),
            None => {
                let cards = self.cards.split(',').map(str::parse).collect::<Result<Vec<CardWord>, _>>();
                cards.map(CardWish::These).map_err(|error| Error::Bad(told!("{error}")))
            }
        }
    }
}

/// Stands in line: a line of JSON whenever the place changes, and a last one with the cards or the reason why not.
///
/// The place is given up when the caller goes. So is what was given, which must be used by a create or a start within a
/// minute: the caller stays until that is answered.
pub(in crate::gateway) async fn wait(
    caller: Caller,
    State(engine): State<Arc<Engine>>,
    State(gpus): State<Arc<Gpus>>,
    Query(query): Query<WaitQuery>,
) -> Result<Response, Error> {
    let limits = caller.limits()?;
    let wish = query.wish(&engine, &caller).await?;
    if matches!(&wish, CardWish::Count(0)) || matches!(&wish, CardWish::These(cards) if cards.is_empty()) {
        return Err(Error::Bad(told!("there are no gpus to wait for")));
    }
    let wanted = gpus.wanted(&wish, &limits)?;
    if limits.most_gpus().is_some_and(|most| u64::try_from(wanted.count()).unwrap_or(u64::MAX) > most) {
        let message = told!("total.gpus: asked {}, and that many are never granted to you", wanted.count());
        return Err(Refusal::new("quota", message)
            .rule("total.gpus")
            .hint(told!("ie-container quota shows your limits"))
            .into());
    }
    let asker = Asker { uid: caller.uid(), login: caller.account()?.login() };
    gpus.may_wait_for(asker, &wanted)?;
    // Whoever has no hours left could not use what is given.
    limits.lease(None, wanted.count(), gpus.week(caller.uid(), Timestamp::now()))?;
    let ticket = gpus.desk.join(asker, wanted, limits.most_gpus()).map_err(|message| {
        Error::from(Refusal::new("quota", message).rule("gpus").hint(told!("let the first of them begin")))
    })?;
    let waiting = Waiting { changes: gpus.changes(), gpus: gpus.clone(), ticket, told: None, caller };
    gpus.moved();
    let lines = stream::unfold(Some(waiting), async |waiting| {
        let mut waiting = waiting?;
        let (line, over) = waiting.next().await?;
        let line = Bytes::from(format!("{line}\n"));
        Some((Ok::<_, Infallible>(line), (!over).then_some(waiting)))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response
        .headers_mut()
        .insert("content-type", axum::http::HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// A caller in the line; dropped, its place is given up.
struct Waiting {
    gpus: Arc<Gpus>,
    changes: watch::Receiver<u64>,
    ticket: u64,
    told: Option<Standing>,
    /// Holds the connection's place in the count.
    caller: Caller,
}

impl Waiting {
    /// The next line, and whether it is the last; nothing more once what was given is used, or was not in time.
    async fn next(&mut self) -> Option<(Value, bool)> {
        loop {
            self.changes.mark_unchanged();
            let stands = self.gpus.stands(self.ticket);
            if self.told.as_ref() != Some(&stands) {
                let before = self.told.replace(stands.clone());
                return self.line(stands, before.as_ref());
            }
            // Also now and then without news: others may have left.
            let _news = tokio::time::timeout(std::time::Duration::from_secs(5), self.changes.changed()).await;
        }
    }

    fn line(&self, stands: Standing, before: Option<&Standing>) -> Option<(Value, bool)> {
        match stands {
            Standing::Waits(before) => Some((json!({ "Before": before }), false)),
            Standing::HasEnough => Some((json!({ "Own": true }), false)),
            Standing::Given(cards) => {
                tracing::info!(uid = self.caller.uid(), login = self.caller.login(), "gpus given in line");
                Some((json!({ "Granted": cards }), false))
            }
            Standing::Gone if matches!(before, Some(Standing::Given(_))) => None,
            Standing::Gone => {
                let why = told!("these gpus are not to be had any more, ie-container gpus shows why");
                Some((json!({ "Error": why.to_string(), "Told": why }), true))
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.gpus.desk.leave(self.ticket, Timestamp::now());
        self.gpus.moved();
    }
}
