//! Copying with a running container: its helper, started by exec as the user, packs and unpacks.

use super::rewrite::{Limits, Rewriter};
use super::tar::Tar;
use super::{Copier, CopyPath};
use crate::gateway::caller::Caller;
use crate::gateway::engine::demux::{Demux, Stream};
use crate::gateway::engine::{ExecId, Reader, exec_body};
use crate::gateway::error::Error;
use crate::gateway::host::channel;
use crate::gateway::task::to_the_end;
use crate::gateway::wish::ExecWish;
use crate::protocol::copying::{Ended, PathStat};
use crate::protocol::escape::escape_line;
use crate::protocol::layout::COPY_IN_CONTAINER;
use crate::protocol::stage::Token;
use crate::protocol::told::{Told, told};
use crate::tarball::entry::Owner;
use axum::body::Body;
use axum::http::HeaderValue;
use bytes::{Buf, Bytes, BytesMut};
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// How many bytes are read from the engine at once.
const CHUNK: usize = 256 << 10;
/// The longest line of a helper's that is read, in bytes: helpers are in their users' hands.
const LONGEST_LINE: usize = 64 << 10;
/// How many bytes are kept of a helper's own words.
const MOST_WORDS: usize = 8 << 10;

/// A helper at work.
struct Helper {
    uid: u32,
    exec: ExecId,
    /// It holds up its container's end no longer than others.
    _reader: Arc<Reader>,
    /// The exec's streams: its output where it has no channel, and its own words.
    read: OwnedReadHalf,
    /// Its stdin; dropped, it ends.
    write: Option<OwnedWriteHalf>,
    /// Where its output comes from, until that has ended, if it has a channel.
    channel: Option<OwnedReadHalf>,
    /// The exec's streams have ended.
    silent: bool,
    demux: Demux,
    /// Bytes that came, and pieces of its output that were not handed on yet.
    buffer: BytesMut,
    pieces: VecDeque<Bytes>,
    /// Its own words, from stderr.
    words: Vec<u8>,
}

/// Where something came from.
enum From {
    Channel,
    Exec,
}

impl Helper {
    async fn start(
        copier: &Arc<Copier>,
        caller: &Caller,
        at: &CopyPath,
        words: &[&str],
        stdin: bool,
    ) -> Result<Self, Error> {
        caller.account()?;
        // A container that was made before each had a directory of its own has no channel.
        if let Some(channel) = &at.container.labels().channel
            && let Some(helper) = Self::start_through(copier, caller, at, channel, words).await?
        {
            return Ok(helper);
        }
        Self::exec(copier, caller, at, words, stdin).await
    }

    /// One whose output and input go over the gateway's channel; nothing where it does not find that.
    async fn start_through(
        copier: &Arc<Copier>,
        caller: &Caller,
        at: &CopyPath,
        channel: &Token,
        words: &[&str],
    ) -> Result<Option<Self>, Error> {
        let mut coming = match copier.channel.expect(caller.uid(), channel, channel::nonce()?) {
            Ok(coming) => coming,
            Err(error) => {
                tracing::warn!("a copy goes through the engine: {error:#}");
                return Ok(None);
            }
        };
        let words = [words, &["--through", coming.nonce.as_str()]].concat();
        let mut helper = Self::exec(copier, caller, at, &words, false).await?;
        let stream = tokio::select! {
            stream = &mut coming.stream => stream.map_err(|_| Error::Internal(told!("nobody expects the helper")))?,
            () = tokio::time::sleep(channel::ARRIVES) => {
                // It has read and written nothing, and finds nobody any more.
                tracing::warn!("a copy goes through the engine: the helper did not reach the channel");
                return Ok(None);
            }
            ended = helper.next() => {
                ended.map_err(inside)?;
                match helper.end(copier).await {
                    Err(Error::Copy(Ended::NoChannel, why)) => {
                        tracing::warn!("a copy goes through the engine: {why}");
                        return Ok(None);
                    }
                    Err(error) => return Err(error),
                    Ok(()) => {}
                }
                // All that it had to say is in its connection, which nobody has heard yet.
                helper.silent = true;
                let heard = tokio::time::timeout(channel::PATIENCE, &mut coming.stream).await;
                heard.ok().and_then(Result::ok).ok_or_else(|| Error::Internal(told!("the copy helper did nothing")))?
            }
        };
        let (read, write) = stream.into_split();
        (helper.channel, helper.write) = (Some(read), Some(write));
        Ok(Some(helper))
    }

    async fn exec(
        copier: &Arc<Copier>,
        caller: &Caller,
        at: &CopyPath,
        words: &[&str],
        stdin: bool,
    ) -> Result<Self, Error> {
        let command =
            std::iter::once(COPY_IN_CONTAINER).chain(words.iter().copied()).map(str::to_owned).collect();
        let wish = ExecWish {
            command,
            env: Vec::new(),
            working_dir: Some("/".to_owned()),
            tty: false,
            console: None,
            attach: [stdin, true, true],
            detach_keys: None,
        };
        let body = exec_body(caller, &at.container, &wish);
        let (copier, container) = (copier.clone(), at.container.clone());
        // An instance that is made is started, whoever hangs up: the engine would keep one that is not.
        let started = to_the_end(async move {
            let exec = copier.engine.exec_create(&container, &body).await?;
            let started = copier.engine.exec_helper(&container, &exec).await?;
            Ok((exec, started))
        });
        let (exec, (socket, first, reader)) = started.await?;
        let (read, write) = socket.into_split();
        let mut helper = Self {
            uid: caller.uid(),
            exec,
            _reader: reader,
            read,
            write: Some(write),
            channel: None,
            silent: false,
            demux: Demux::default(),
            buffer: BytesMut::new(),
            pieces: VecDeque::new(),
            words: Vec::new(),
        };
        helper.sort(first).map_err(|error| Error::Internal(told!("{error}")))?;
        Ok(helper)
    }

    /// Its next output; nothing at its end.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Ok(Some(piece));
            }
            self.buffer.reserve(CHUNK);
            match self.receive().await? {
                (From::Channel, 0) => self.channel = None,
                (From::Channel, _) => return Ok(Some(self.buffer.split().freeze())),
                (From::Exec, 0) if self.channel.is_some() => self.silent = true,
                (From::Exec, 0) => {
                    self.demux.finish().map_err(io::Error::other)?;
                    return Ok(None);
                }
                (From::Exec, _) => {
                    let bytes = self.buffer.split().freeze();
                    self.sort(bytes)?;
                }
            }
        }
    }

    /// What comes first. Its words are read while its output flows: with nobody to tell them to it would stand still.
    async fn receive(&mut self) -> io::Result<(From, usize)> {
        let Some(channel) = &mut self.channel else {
            if self.silent {
                return Ok((From::Exec, 0));
            }
            return Ok((From::Exec, self.read.read_buf(&mut self.buffer).await?));
        };
        loop {
            let (from, got) = tokio::select! {
                biased;
                ready = channel.readable() => {
                    ready?;
                    (From::Channel, channel.try_read_buf(&mut self.buffer))
                }
                ready = self.read.readable(), if !self.silent => {
                    ready?;
                    (From::Exec, self.read.try_read_buf(&mut self.buffer))
                }
            };
            match got {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It ended before it had read everything: its exit code and its words say why.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok((from, 0)),
                got => return Ok((from, got?)),
            }
        }
    }

    /// The line that its output begins with, or what there is of it.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        while let Some(mut piece) = self.next().await? {
            let end = piece.iter().position(|byte| *byte == b'\n');
            line.extend(piece.split_to(end.unwrap_or(piece.len())));
            if end.is_some() {
                piece.advance(1);
                if !piece.is_empty() {
                    self.pieces.push_front(piece);
                }
                return Ok(line);
            }
            if line.len() > LONGEST_LINE {
                return Err(io::Error::other("the copy helper's line does not end"));
            }
        }
        Ok(line)
    }

    fn sort(&mut self, bytes: Bytes) -> io::Result<()> {
        for piece in self.demux.push(bytes) {
            match piece.map_err(io::Error::other)? {
                (Stream::Stdout, piece) => self.pieces.push_back(piece),
                (_, words) => {
                    let room = MOST_WORDS.saturating_sub(self.words.len());
                    self.words.extend(words.iter().take(room));
                }
            }
        }
        Ok(())
    }

    /// How it ended; its last line says why if it did not do its work.
    async fn end(&self, copier: &Copier) -> Result<(), Error> {
        let details = copier.engine.exec_inspect(self.uid, &self.exec).await?;
        let ended = details.get("ExitCode").and_then(Value::as_i64).map_or(Ended::Failed, Ended::of);
        if ended == Ended::Done {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&self.words);
        let mut lines = words.lines().rev().filter(|line| !line.trim().is_empty());
        let why = match (lines.next(), lines.next()) {
            (None, _) => told!("the copy broke off"),
            (Some(line), made) => {
                made.and_then(|made| made_of(line, made)).unwrap_or_else(|| Told::text(line))
            }
        };
        Err(Error::Copy(ended, why.with_texts(&escape_line)))
    }
}

/// What a sentence was made of, if it says the same: what runs in a container may write anything.
fn made_of(line: &str, made: &str) -> Option<Told> {
    let made: Told = serde_json::from_str(made).ok()?;
    (made == line).then_some(made)
}

fn inside(error: io::Error) -> Error {
    Error::Internal(told!("the copy broke off: {error}"))
}

pub(super) async fn stat(copier: &Arc<Copier>, caller: &Caller, at: &CopyPath) -> Result<HeaderValue, Error> {
    let mut helper = Helper::start(copier, caller, at, &["stat", &at.path], false).await?;
    let line = helper.line().await.map_err(inside)?;
    while helper.next().await.map_err(inside)?.is_some() {}
    helper.end(copier).await?;
    header(&line)
}

/// A stat's line, read and written anew: the helper runs where the user can reach it.
fn header(line: &[u8]) -> Result<HeaderValue, Error> {
    let stat: PathStat = serde_json::from_slice(line).map_err(|error| Error::Internal(told!("{error}")))?;
    let header = stat.to_header().and_then(|header| HeaderValue::from_str(&header).ok());
    header.ok_or_else(|| Error::Internal(told!("a path's stat cannot be written")))
}

pub(super) async fn get(
    copier: Arc<Copier>,
    caller: &Caller,
    at: &CopyPath,
    unread: bool,
) -> Result<(Body, HeaderValue), Error> {
    let rewriter = match unread {
        true => None,
        false => Some((rewriter(caller, at)?, copier.rewrites.of(caller.uid()).acquire_owned().await)),
    };
    let mut helper = Helper::start(&copier, caller, at, &["pack", &at.path, "--stat"], false).await?;
    let line = helper.line().await.map_err(inside)?;
    if line.is_empty() {
        helper.end(&copier).await?;
        return Err(Error::Internal(told!("the copy helper said nothing")));
    }
    let stat = header(&line)?;
    let tar = futures_util::stream::unfold(Some((helper, rewriter)), move |state| {
        let copier = copier.clone();
        async move {
            let (mut helper, mut rewriter) = state?;
            match piece(&copier, &mut helper, rewriter.as_mut().map(|(rewriter, _)| rewriter)).await {
                Ok((piece, true)) => Some((Ok(piece), Some((helper, rewriter)))),
                Ok((last, false)) => Some((Ok(last), None)),
                // A tar that breaks off must not look whole: the connection is cut instead.
                Err(error) => Some((Err(error), None)),
            }
        }
    });
    Ok((Body::from_stream(tar), stat))
}

fn rewriter(caller: &Caller, at: &CopyPath) -> Result<Rewriter, Error> {
    let owner = Owner { uid: caller.uid(), gid: caller.gid() };
    Ok(Rewriter::outward_of(&at.asked()?, owner, Limits::default()))
}

/// The next of a tar on its way out, and whether more comes.
async fn piece(
    copier: &Copier,
    helper: &mut Helper,
    rewriter: Option<&mut Rewriter>,
) -> io::Result<(Bytes, bool)> {
    let next = helper.next().await?;
    if next.is_none() {
        helper.end(copier).await.map_err(io::Error::other)?;
    }
    let Some(rewriter) = rewriter else { return Ok((next.clone().unwrap_or_default(), next.is_some())) };
    let mut out = Vec::new();
    match &next {
        Some(bytes) => rewriter.push(bytes, &mut out),
        None => rewriter.finish(&mut out),
    }
    .map_err(|error| io::Error::other(escape_line(&error.to_string())))?;
    Ok((Bytes::from(out), next.is_some()))
}

pub(super) async fn put(
    copier: &Arc<Copier>,
    caller: &Caller,
    at: &CopyPath,
    tar: Tar,
    keep_kinds: bool,
) -> Result<(), Error> {
    let mut words = vec!["unpack", at.path.as_str()];
    if keep_kinds {
        words.push("--no-overwrite-dir-nondir");
    }
    let mut helper = Helper::start(copier, caller, at, &words, true).await?;
    let stdin = helper.write.take().ok_or_else(|| Error::Internal(told!("a helper has no stdin")))?;
    let ended = async {
        while helper.next().await?.is_some() {}
        io::Result::Ok(())
    };
    tar.carry(stdin, ended).await.map_err(inside)?;
    helper.end(copier).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sentence_was_made_of_is_believed_where_it_says_the_same() {
        let made = r#"{"template":"No such container: {0}","with":{"0":"web"}}"#;
        assert!(made_of("No such container: web", made).is_some_and(|told| told.is_made()));
        for other in ["No such container: db", "", made] {
            assert!(made_of(other, made).is_none(), "{other}");
        }
        assert!(made_of("x", "no JSON").is_none());
    }
}
