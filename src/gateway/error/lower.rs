//! The errors of the rooms below, which know nothing of answers.

use super::Error;
use crate::gateway::bounds::Lost;
use crate::gateway::caller::absent::AbsentError;
use crate::gateway::engine::ports::{PortError, PortTaken};
use crate::gateway::engine::{FindError, NetworkError};
use crate::gateway::host::channel::NoRandomness;
use crate::gateway::host::wall::WallDown;
use crate::gateway::wish::WishError;
use crate::protocol::report::Refusal;
use crate::protocol::told::{Tell, told};

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        Self::Internal(told!("{lost}"))
    }
}

impl From<NoRandomness> for Error {
    fn from(none: NoRandomness) -> Self {
        Self::Internal(told!("{none}"))
    }
}

impl From<WishError> for Error {
    fn from(error: WishError) -> Self {
        match error {
            WishError::Bad(why) => Self::Bad(why),
            WishError::NotAllowed { field, reason } => Self::not_allowed(&field, reason),
            WishError::NoContainer(word) => Self::NoContainer(word),
            WishError::NoRandomness(_) => Self::Internal(told!("{error}")),
        }
    }
}

impl From<AbsentError> for Error {
    fn from(error: AbsentError) -> Self {
        match error {
            AbsentError::Account(error) => Self::Account(error),
            AbsentError::Refused(refused) => Self::Peer(refused),
        }
    }
}

impl From<FindError> for Error {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Engine(error) => Self::Engine(error),
            FindError::NoContainer(word) => Self::NoContainer(word),
            FindError::NoNetwork(word) => Self::NoNetwork(word),
            FindError::NoVolume(word) => Self::NoVolume(word),
            FindError::Ambiguous(why) => Self::Bad(why),
            FindError::NotRunning(ref id, _) => {
                let dockers = format!("container {id} is not running");
                Refusal::new("conflict", error.told()).dockers(dockers).into()
            }
        }
    }
}

impl From<NetworkError> for Error {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Engine(error) => Self::Engine(error),
            NetworkError::PoolEmpty(..) => Refusal::new("quota", told!("{error}"))
                .rule("gateway.networks")
                .hint(told!("use --network none, or ask the admin for a larger pool"))
                .into(),
            NetworkError::Outside { .. } | NetworkError::TooLarge { .. } => {
                Refusal::new("forbidden", told!("{error}")).rule("gateway.networks").into()
            }
            NetworkError::NotFree { .. } => Refusal::new("conflict", told!("{error}"))
                .rule("gateway.networks")
                .hint(told!("choose another block, or leave it to the gateway"))
                .into(),
            NetworkError::NotYours(_) => Refusal::new("conflict", told!("{error}"))
                .rule("network")
                .hint(told!("ask your administrator to remove its containers, or use --network none"))
                .into(),
        }
    }
}

impl From<WallDown> for Error {
    fn from(down: WallDown) -> Self {
        Refusal::new("forbidden", told!("{down}"))
            .rule("network")
            .hint(told!("use --network none, or ask the admin to look at systemctl status ie-wall"))
            .into()
    }
}

impl From<PortTaken> for Error {
    fn from(taken: PortTaken) -> Self {
        let hint = match taken {
            PortTaken::OwnRuns(_) => told!("stop that one first: ie-container ps shows its ports"),
            PortTaken::BeingStarted(_) => told!("try again in a moment"),
            PortTaken::Held(_) => {
                told!("remove this one and run it anew: `-p` without a host port takes a free one")
            }
        };
        Refusal::new("conflict", told!("{taken}")).rule("ports").hint(hint).into()
    }
}

impl From<PortError> for Error {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Engine(error) => Self::Engine(error),
            PortError::Taken(taken) => taken.into(),
        }
    }
}
