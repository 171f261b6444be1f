//! A connection that was lost, as while the gateway is brought up to date: made again as soon as the gateway is back.

use super::connect::Api;
use super::error::Error;
use super::language;
use super::output::say;
use super::patience::longest;
use crate::protocol::told::{Told, told};
use std::time::Duration;

/// Between two tries, when nothing holds them.
const PAUSE: Duration = Duration::from_millis(200);

/// Whether whoever served us has gone.
pub(crate) fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Lost | Error::NoGateway(_) | Error::Answer(_))
}

/// Asks again until there is an answer, and tells of both on stderr; for how long, too. What is asked ends with the head of
/// its answer: the rest may take hours.
pub(crate) async fn again<T>(api: &Api, ask: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let longest = longest();
    if !api.is_away.replace(true) {
        tell(&told!("connection lost, waiting {} seconds at the most for the gateway", longest.as_secs()));
    }
    let asked = async {
        loop {
            match ask().await {
                Err(error) if is_away(&error) => tokio::time::sleep(PAUSE).await,
                answered => return answered,
            }
        }
    };
    let answered = tokio::time::timeout(longest, asked).await.unwrap_or(Err(Error::Lost))?;
    if api.is_away.replace(false) {
        tell(&told!("the connection is back"));
    }
    Ok(answered)
}

/// A container that was not there any more.
pub(crate) fn gone_meanwhile(error: Error, name: &str) -> Error {
    if error.is_not_found() { Error::GoneMeanwhile(name.to_owned()) } else { error }
}

/// What passes: no gateway, or one that has no engine yet.
fn is_away(error: &Error) -> bool {
    is_lost(error) || matches!(error, Error::Slow(_) | Error::Refused { status: 502..=504, .. })
}

pub(crate) fn tell(sentence: &Told) {
    say(&format!("ie-container: {}\n", language::own().tell(sentence)));
}
