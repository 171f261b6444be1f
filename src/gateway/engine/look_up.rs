//! Looking containers up: a caller's own, by id where the index knows them and by label where it does not, and everybody's.
//!
//! The owner's label stands beside the ids, so the engine judges both. What is not found by ids is looked for by label before
//! anybody is told that it is not there.

use super::bounded_list::{Things, read_bounded};
use super::index::listed;
use super::label::UID;
use super::{ContainerId, Containers, Engine, EngineError, FindError, Found, Owned, Target, read};
use crate::gateway::caller::peer::Peer;
use crate::protocol::name::ContainerRef;
use crate::protocol::told::told;
use hyper::body::Incoming;
use hyper::{Method, Response};
use serde_json::{Value, json};

impl Engine {
    /// The caller's own containers, stopped ones included.
    pub(in crate::gateway) async fn own(&self, peer: &Peer, size: bool) -> Result<Vec<Owned>, EngineError> {
        Ok(claimed(peer, self.of_uid(peer, size).await?))
    }

    /// The same, and what else counts for the caller.
    pub(in crate::gateway) async fn containers_of(&self, peer: &Peer) -> Result<Containers, EngineError> {
        Ok(Containers::among(peer, self.of_uid(peer, false).await?))
    }

    /// The same, for whoever has just seen the one of this id.
    pub(super) async fn containers_with(
        &self,
        peer: &Peer,
        id: &ContainerId,
    ) -> Result<Containers, EngineError> {
        match self.by_ids(peer, false).await? {
            Some(found) if found.iter().any(|found| found.id() == id) => Ok(Containers::among(peer, found)),
            _ => Ok(Containers::among(peer, self.by_label(peer, false).await?)),
        }
    }

    /// The only way to hold a container: by the word its owner uses for it.
    pub(in crate::gateway) async fn owned(
        &self,
        peer: &Peer,
        word: &ContainerRef,
    ) -> Result<Owned, FindError> {
        if let Some(found) = self.by_ids(peer, false).await? {
            match pick(claimed(peer, found), word) {
                Err(FindError::NoContainer(_)) => {}
                picked => return picked,
            }
        }
        pick(claimed(peer, self.by_label(peer, false).await?), word)
    }

    /// The caller's container of this id, which the engine named as an exec's. An answer about another one is none.
    pub(in crate::gateway) async fn owned_by_id(
        &self,
        peer: &Peer,
        id: &ContainerId,
    ) -> Result<Option<Owned>, FindError> {
        let found = claimed(peer, self.of_ids(peer, std::slice::from_ref(id), false).await?);
        Ok(found.into_iter().find(|owned| owned.id() == id))
    }

    /// Everybody's containers: for tidying, port numbers, and the admin. Without what is long in them.
    pub(in crate::gateway) async fn everyones(&self) -> Result<Vec<Found>, EngineError> {
        let listing = self.index.list_begins();
        let Things::<true, Listed>(all) =
            read_bounded(self.list(&json!({ "label": [UID] }), false).await?).await?;
        self.index.listed(listing, all.iter().filter_map(|listed| listed.whose.clone()));
        Ok(all.into_iter().filter_map(|listed| Some(self.sizes.over(listed.found?))).collect())
    }

    /// Whether there is any container of this uid's, whatever its name.
    pub(super) async fn has_any(&self, uid: u32) -> Result<bool, EngineError> {
        let known = self.index.ids_of(uid).unwrap_or_default();
        Ok(!known.is_empty() && !self.values(&with_ids(uid, &known), false).await?.is_empty()
            || !self.values(&with_label(uid), false).await?.is_empty())
    }

    async fn of_uid(&self, peer: &Peer, size: bool) -> Result<Vec<Found>, EngineError> {
        match self.by_ids(peer, size).await? {
            Some(found) => Ok(found),
            None => self.by_label(peer, size).await,
        }
    }

    /// Those that the index knows of; nothing where it does not answer.
    async fn by_ids(&self, peer: &Peer, size: bool) -> Result<Option<Vec<Found>>, EngineError> {
        match self.index.ids_of(peer.uid()) {
            None => Ok(None),
            Some(known) => Ok(Some(self.of_ids(peer, &known, size).await?)),
        }
    }

    async fn of_ids(&self, peer: &Peer, ids: &[ContainerId], size: bool) -> Result<Vec<Found>, EngineError> {
        // Without an id it would be everything with the label.
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.read(peer, &with_ids(peer.uid(), ids), size).await
    }

    async fn by_label(&self, peer: &Peer, size: bool) -> Result<Vec<Found>, EngineError> {
        let found = self.read(peer, &with_label(peer.uid()), size).await?;
        found.iter().for_each(|found| self.index.note(peer.uid(), found.id().clone()));
        Ok(found)
    }

    async fn read(&self, peer: &Peer, filters: &Value, size: bool) -> Result<Vec<Found>, EngineError> {
        // Each is held whole while it is read.
        let _permit = self.reads.of(peer.uid()).acquire_owned().await;
        let found = self.values(filters, size).await?.into_iter().filter_map(Found::parse);
        Ok(found.map(|found| self.sizes.over(found)).collect())
    }

    async fn values(&self, filters: &Value, size: bool) -> Result<Vec<Value>, EngineError> {
        read(self.list(filters, size).await?).await
    }

    async fn list(&self, filters: &Value, size: bool) -> Result<Response<Incoming>, EngineError> {
        let filters = filters.to_string();
        let mut target = Target::new("/containers/json").with("all", "1").with("filters", &filters);
        if size {
            target = target.with("size", "1");
        }
        self.call(Method::GET, target).await
    }
}

/// What is kept of a line of everybody's list.
struct Listed {
    /// By the label alone.
    whose: Option<(u32, ContainerId)>,
    found: Option<Found>,
}

impl From<Value> for Listed {
    fn from(summary: Value) -> Self {
        Self { whose: listed(&summary), found: Found::parse(summary) }
    }
}

fn label(uid: u32) -> String {
    format!("{UID}={uid}")
}

fn with_label(uid: u32) -> Value {
    json!({ "label": [label(uid)] })
}

fn with_ids(uid: u32, ids: &[ContainerId]) -> Value {
    let ids: Vec<&str> = ids.iter().map(ContainerId::as_str).collect();
    json!({ "id": ids, "label": [label(uid)] })
}

fn claimed(peer: &Peer, found: Vec<Found>) -> Vec<Owned> {
    found.into_iter().filter_map(|found| found.claim(peer)).collect()
}

/// A name first, then a full id, then the beginning of exactly one id.
pub(in crate::gateway) fn pick(own: Vec<Owned>, word: &ContainerRef) -> Result<Owned, FindError> {
    let word = word.as_str();
    if let Some(named) = own.iter().find(|owned| owned.name().as_str() == word) {
        return Ok(named.clone());
    }
    pick_by_id(own, word)
}

/// A full id, or the beginning of exactly one: several people's containers may have one name.
pub(in crate::gateway) fn pick_by_id(own: Vec<Owned>, word: &str) -> Result<Owned, FindError> {
    // Ids are shown in small letters and may be typed in others.
    let beginning = word.to_ascii_lowercase();
    let mut matching = own.into_iter().filter(|owned| owned.id().as_str().starts_with(&beginning));
    match (matching.next(), matching.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(FindError::NoContainer(word.to_owned())),
        (Some(_), Some(_)) => Err(FindError::Ambiguous(told!("several containers' ids begin with {word}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::owned::tests::summary;
    use super::*;

    #[test]
    fn a_word_finds_a_name_before_an_id() {
        let ann = Peer::fake(1000, "ann");
        let own = |name, id| Found::parse(summary(name, 1000, "ann", id)).unwrap().claim(&ann).unwrap();
        let all = vec![own("/ie-1000-web", 'a'), own("/ie-1000-aa", 'b')];
        let found =
            |word: &str| pick(all.clone(), &word.parse().unwrap()).map(|owned| owned.name().to_string());
        assert_eq!(found("web").unwrap(), "web");
        assert_eq!(found("aa").unwrap(), "aa");
        assert_eq!((found("aaa").unwrap(), found("AAA").unwrap()), ("web".to_owned(), "web".to_owned()));
        assert!(found("WEB").is_err());
        assert!(matches!(found("c"), Err(FindError::NoContainer(_))));
    }
}
