//! A process we are attached to: its streams, its terminal, its signals, until it ends or we leave.

use super::connect::{Api, Hijacked};
use super::error::Error;
use super::keys::{DetachKeys, Detector};
use super::route::{ExecId, Route};
use super::signals::{Event, Signals};
use super::stream::{self, End, Head, Input};
use super::terminal::{self, Raw};
use crate::protocol::name::ContainerRef;
use crate::protocol::told::told;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long the gateway may take to hear that a process is left to itself.
const LEAVE: Duration = Duration::from_secs(10);

/// What is attached, and how.
pub(crate) struct Wanted {
    pub(crate) tty: bool,
    pub(crate) stdin: bool,
    /// The end of stdin is passed on. A container that was not made for one attach keeps its stdin open, and its engine
    /// would end our output together with our stdin.
    pub(crate) stdin_ends: bool,
    /// Signals go to the process.
    pub(crate) proxy: bool,
    /// The process was running before: have it draw itself anew.
    pub(crate) redraw: bool,
    pub(crate) keys: DetachKeys,
}

/// Whose streams these are: what is resized and signalled.
pub(crate) enum Process {
    Container(ContainerRef),
    Exec(ExecId),
}

/// Why a session was over before the process was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Detached,
    StdoutClosed,
    /// Our stdout takes no more, for the kernel's reason of this number.
    Unwritable(i32),
    /// A signal ended the client, with this exit code.
    Died(u8),
    Lost,
}

/// The streams flow and signals are kept from here on; [`Session::run`] acts on them.
pub(crate) struct Session {
    process: Process,
    tty: bool,
    signals: Signals,
    ends: UnboundedReceiver<End>,
    /// For whoever carries streams.
    ending: UnboundedSender<End>,
    head: Head,
    /// What is typed, where something is sent at all.
    input: Option<Input>,
    own_terminal: bool,
    /// Held for its end, which puts the terminal back.
    raw: Option<Raw>,
    redraw: bool,
}

impl Session {
    pub(crate) fn begin(process: Process, hijacked: Hijacked, wanted: Wanted) -> Result<Self, Error> {
        let failed = |why| Error::io(told!("use the terminal"), why);
        let tty = wanted.tty;
        let signals = Signals::catch(wanted.proxy, tty).map_err(failed)?;
        let own_terminal = tty && wanted.stdin && terminal::stdin_is_one();
        let raw = own_terminal.then(Raw::enter).transpose().map_err(failed)?;
        let (ending, ends) = unbounded_channel();
        let mut input = None;
        if wanted.stdin {
            let to = Input::to(hijacked.stream.try_clone().map_err(failed)?);
            input = Some(to.clone());
            let detector = tty.then(|| Detector::new(wanted.keys.clone()));
            let ending = ending.clone();
            std::thread::spawn(move || {
                if stream::feed(&to, detector, wanted.stdin_ends) {
                    // The session may be over already; then nobody needs to know.
                    let _ = ending.send(End::Detached);
                }
            });
        }
        let (head, redraw) = (Head::default(), wanted.redraw);
        let session = Self { process, tty, signals, ends, ending, head, input, own_terminal, raw, redraw };
        session.deliver(hijacked);
        Ok(session)
    }

    fn deliver(&self, hijacked: Hijacked) {
        let (ending, head, tty) = (self.ending.clone(), self.head.clone(), self.tty);
        std::thread::spawn(move || {
            let _ = ending.send(stream::deliver(hijacked, tty, &head));
        });
    }

    /// Whether nothing is lost for the process when its streams are joined anew: what a person types, they see missing.
    pub(crate) fn can_go_on(&self) -> bool {
        self.input.is_none() || self.own_terminal
    }

    /// After the connection was lost, with a new one.
    pub(crate) fn go_on(&mut self, hijacked: Hijacked) -> Result<(), Error> {
        let failed = |why| Error::io(told!("use the terminal"), why);
        if let Some(input) = &self.input {
            input.turn_to(hijacked.stream.try_clone().map_err(failed)?);
        }
        self.raw = self.own_terminal.then(Raw::enter).transpose().map_err(failed)?;
        self.redraw = true;
        self.deliver(hijacked);
        Ok(())
    }

    /// Where the first bytes of the output are kept.
    pub(crate) fn head(&self) -> Head {
        self.head.clone()
    }

    /// Something that comes before the process: a signal that ends programs ends the waiting for it, with the exit code
    /// of the client.
    pub(crate) async fn until<T>(&mut self, work: impl Future<Output = T>) -> Result<T, u8> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                event = self.signals.next() => {
                    if let Some(code) = event.ends() {
                        return Err(code);
                    }
                }
            }
        }
    }

    /// Until the process's output ends and `finish` has said how, or we leave before.
    pub(crate) async fn run<T>(&mut self, api: &Api, finish: impl Future<Output = T>) -> Result<T, Over> {
        if let Some(raw) = &self.raw {
            raw.complete();
        }
        let mut finish = std::pin::pin!(finish);
        let (words, told) = unbounded_channel();
        let mut telling = std::pin::pin!(self.process.tell(api, told));
        if self.tty {
            let _ = words.send(Word::FirstSize { redraw: self.redraw });
        }
        let mut open = true;
        loop {
            tokio::select! {
                end = self.ends.recv(), if open => match end {
                    Some(End::Closed) => {
                        open = false;
                        self.raw = None;
                    }
                    Some(End::Detached) => {
                        // Whatever the gateway does, there is a terminal to go on with.
                        self.raw = None;
                        let told = tokio::time::timeout(LEAVE, self.process.leave(api)).await;
                        return Err(if let Ok(Ok(())) = told { Over::Detached } else { Over::Lost });
                    }
                    Some(End::StdoutClosed) => return Err(Over::StdoutClosed),
                    Some(End::Unwritable(why)) => return Err(Over::Unwritable(why.raw_os_error().unwrap_or_default())),
                    Some(End::Broken(_)) | None => return Err(Over::Lost),
                },
                done = &mut finish, if !open => return Ok(done),
                // The other end of this is held here: it never ends.
                () = &mut telling => return Err(Over::Lost),
                event = self.signals.next() => {
                    let word = match event {
                        Event::Resize => Word::Size,
                        Event::Forward(name) => Word::Signal(name),
                        Event::Die(code) => return Err(Over::Died(code)),
                    };
                    let _ = words.send(word);
                }
            }
        }
    }
}

/// What a process is told while it runs.
enum Word {
    FirstSize { redraw: bool },
    Size,
    Signal(&'static str),
}

impl Process {
    /// One after the other; the session goes on meanwhile, should the gateway take its time.
    async fn tell(&self, api: &Api, mut words: UnboundedReceiver<Word>) {
        while let Some(word) = words.recv().await {
            match word {
                Word::FirstSize { redraw } => self.first_size(api, redraw).await,
                Word::Size => drop(self.resize(api, 0).await),
                Word::Signal(name) => self.forward(api, name).await,
            }
        }
    }

    /// An exec ends with a caller who just goes away, so the gateway is told first.
    async fn leave(&self, api: &Api) -> Result<(), Error> {
        let Self::Exec(id) = self else { return Ok(()) };
        match api.post(&Route::own_exec(id, "detach")).await {
            // A process that has just ended needs no leave.
            Ok(_) | Err(Error::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The process may not have its terminal yet when it has only just been started.
    async fn first_size(&self, api: &Api, redraw: bool) {
        if redraw {
            // A program draws itself anew only when its size really changes.
            self.resize(api, 1).await;
        }
        for pause in [0, 10, 20, 40, 80] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if self.resize(api, 0).await {
                return;
            }
        }
    }

    async fn resize(&self, api: &Api, more: u16) -> bool {
        let Some((rows, columns)) = terminal::size() else { return true };
        let route = match self {
            Self::Container(container) => Route::container(container, "resize"),
            Self::Exec(id) => Route::exec(id, "resize"),
        };
        api.post(
            &route
                .with("h", &(rows.saturating_add(more)).to_string())
                .with("w", &columns.saturating_add(more).to_string()),
        )
        .await
        .is_ok()
    }

    /// A signal that cannot be delivered is one to a process that has just ended.
    async fn forward(&self, api: &Api, name: &str) {
        if let Self::Container(container) = self {
            let _ = api.post(&Route::container(container, "kill").with("signal", name)).await;
        }
    }
}
