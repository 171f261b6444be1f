//! One act on several operands: on past failures, in the order they were typed.

use super::context::Context;
use super::error::Error;
use super::exit::FAILED;
use super::output::{complain, print};
use futures_util::{StreamExt, stream};
use std::process::ExitCode;

/// How many names are asked for at once: stopping ten takes as long as the slowest, and leaves the gateway room.
const AT_ONCE: usize = 16;

/// Prints what each act answers on stdout, each failure on stderr; the exit code is 1 if there was one.
pub(crate) async fn each(
    context: &Context,
    words: &[String],
    act: impl AsyncFn(&str) -> Result<String, Error>,
) -> Result<ExitCode, Error> {
    let mut answers = stream::iter(words).map(|word| act(word)).buffered(AT_ONCE);
    let (mut code, mut closed) = (ExitCode::SUCCESS, false);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(_) if closed => {}
            // Who reads has enough: what was asked for is done all the same.
            Ok(text) => match print(&text) {
                Err(Error::StdoutClosed) => closed = true,
                printed => printed?,
            },
            // The same for every operand that is left.
            Err(gone @ (Error::NoGateway(_) | Error::NotPermitted(_))) => return Err(gone),
            Err(error) => {
                complain(&error, context.wants_json());
                code = ExitCode::from(FAILED);
            }
        }
    }
    Ok(code)
}

/// The word itself on a line: what most verbs answer for a success.
pub(crate) fn done(word: &str) -> Result<String, Error> {
    Ok(format!("{word}\n"))
}
