//! An answer that comes line by line.

use super::error::Error;
use crate::protocol::told::told;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;

/// The longest line that is kept, in bytes: one line of JSON, never a user's data.
const LONGEST: usize = 1 << 20;

pub(crate) struct Lines {
    body: Incoming,
    unread: Vec<u8>,
}

impl Lines {
    pub(crate) fn of(answer: Response<Incoming>) -> Self {
        Self { body: answer.into_body(), unread: Vec::new() }
    }

    /// The next line that is not empty.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if let Some(end) = self.unread.iter().position(|b| *b == b'\n') {
                let rest = self.unread.split_off(end + 1);
                let line = std::mem::replace(&mut self.unread, rest);
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line.trim_ascii().to_vec()));
                }
            } else if self.unread.len() > LONGEST {
                return Err(Error::Answer(told!("a line without an end")));
            } else {
                match self.body.frame().await {
                    Some(frame) => {
                        let frame = frame.map_err(|_| Error::Lost)?;
                        self.unread.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
                    }
                    None if self.unread.trim_ascii().is_empty() => return Ok(None),
                    None => self.unread.push(b'\n'),
                }
            }
        }
    }
}
