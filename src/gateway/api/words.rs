//! What a handler takes of a request: who asks, and the words of its path.

use crate::gateway::caller::peer::Refused;
use crate::gateway::caller::{Admin, Caller, Identity};
use crate::gateway::error::Error;
use crate::protocol::escape::escape_line;
use crate::protocol::name::ContainerRef;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::Deserialize;

/// A handler that takes a [`Caller`] is only reached by an accepted user.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        match parts.extensions.get::<Identity>() {
            Some(Identity::User(caller)) => Ok(caller.clone()),
            Some(Identity::Refused(refused)) => Err(refused.clone().into()),
            Some(Identity::Admin(_)) | None => Err(Refused::Unknown.into()),
        }
    }
}

/// A handler that takes an [`Admin`] is only reached by root.
impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        match parts.extensions.get::<Identity>() {
            Some(Identity::Admin(admin)) => Ok(admin.clone()),
            Some(Identity::Refused(refused)) => Err(refused.clone().into()),
            Some(Identity::User(_)) | None => Err(Refused::NotRoot.into()),
        }
    }
}

/// The `{word}` of a path; one that could name no container names none.
pub(in crate::gateway) struct Word(pub(in crate::gateway) ContainerRef);

impl<S: Send + Sync> FromRequestParts<S> for Word {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(word) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::NoContainer("(unreadable)".into()))?;
        ContainerRef::try_from(word.clone())
            .map(Word)
            .map_err(|_| Error::NoContainer(escape_line(&word).chars().take(200).collect()))
    }
}

/// `h` and `w`: the size of a terminal, in lines and columns.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct TerminalSize {
    h: u16,
    w: u16,
}

impl TerminalSize {
    pub(super) fn lines_and_columns(&self) -> (u16, u16) {
        (self.h, self.w)
    }
}
