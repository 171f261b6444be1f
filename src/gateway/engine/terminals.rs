//! The terminals that are attached to containers, to be told when a lease ends or the disk is full.

use super::ContainerId;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What is said to one terminal between the lines of its container.
pub(in crate::gateway) type Notices = UnboundedReceiver<Bytes>;

#[derive(Debug, Default)]
pub(in crate::gateway) struct Terminals(Mutex<HashMap<ContainerId, Vec<UnboundedSender<Bytes>>>>);

impl Terminals {
    /// One more terminal of this container. Only one: in a stream of frames there is no place for a word of ours.
    pub(in crate::gateway) fn attach(&self, id: &ContainerId) -> Notices {
        let (sender, notices) = unbounded_channel();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        all.entry(id.clone()).or_default().push(sender);
        notices
    }

    /// A line of its own, wherever the cursor is.
    pub(in crate::gateway) fn say(&self, id: &ContainerId, words: &str) {
        let line = Bytes::from(format!("\r\nie-container: {words}\r\n"));
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for sender in all.get(id).into_iter().flatten() {
            // A terminal that has just gone needs no word.
            let _ = sender.send(line.clone());
        }
    }
}
