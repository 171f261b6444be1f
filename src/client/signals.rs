//! Signals to the client: passed on to the container, or the end of the client.

use super::exit::died_of;
use std::io;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Two SIGINTs within this time mean the client, not the container.
const TWICE: Duration = Duration::from_secs(1);

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The terminal has a new size.
    Resize,
    /// Send this signal to the container.
    Forward(&'static str),
    /// End the client with this exit code.
    Die(u8),
}

impl Event {
    /// The exit code of a program that this would end, while there is no container yet to hear of it.
    pub(crate) fn ends(self) -> Option<u8> {
        match self {
            Self::Die(code) => Some(code),
            Self::Forward(name) => DEADLY.map(died_of).into_iter().find(|code| name_of(*code) == Some(name)),
            Self::Resize => None,
        }
    }
}

/// The signal of which a program with this exit code has died, as the API calls it.
pub(crate) fn name_of(code: u8) -> Option<&'static str> {
    PASSED_ON.into_iter().find(|(number, _)| died_of(*number) == code).map(|(_, name)| name)
}

/// What each signal is called in the API. Those about our own terminal, children and sockets are not passed on.
const PASSED_ON: [(i32, &str); 14] = [
    (libc::SIGHUP, "HUP"),
    (libc::SIGINT, "INT"),
    (libc::SIGQUIT, "QUIT"),
    (libc::SIGABRT, "ABRT"),
    (libc::SIGUSR1, "USR1"),
    (libc::SIGUSR2, "USR2"),
    (libc::SIGALRM, "ALRM"),
    (libc::SIGTERM, "TERM"),
    (libc::SIGCONT, "CONT"),
    (libc::SIGTSTP, "TSTP"),
    (libc::SIGVTALRM, "VTALRM"),
    (libc::SIGPROF, "PROF"),
    (libc::SIGIO, "IO"),
    (libc::SIGPWR, "PWR"),
];

/// Those signals that would end the client and leave the terminal raw.
const DEADLY: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// The signals that came and were not yet taken.
pub(crate) struct Signals {
    events: UnboundedReceiver<Event>,
    last_interrupt: Option<Instant>,
}

impl Signals {
    /// With `proxy`, signals are the container's; without, those that would end the client do so in good order.
    pub(crate) fn catch(proxy: bool, tty: bool) -> io::Result<Self> {
        let (sender, events) = unbounded_channel();
        if tty {
            listen(SignalKind::window_change(), Event::Resize, &sender)?;
        }
        if proxy {
            for (number, name) in PASSED_ON {
                listen(SignalKind::from_raw(number), Event::Forward(name), &sender)?;
            }
        } else {
            for number in DEADLY {
                listen(SignalKind::from_raw(number), Event::Die(died_of(number)), &sender)?;
            }
        }
        Ok(Self { events, last_interrupt: None })
    }

    pub(crate) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => self.judge(event, Instant::now()),
            None => std::future::pending().await,
        }
    }

    fn judge(&mut self, event: Event, now: Instant) -> Event {
        if event != Event::Forward("INT") {
            return event;
        }
        let before = self.last_interrupt.replace(now);
        match before {
            Some(before) if now.duration_since(before) < TWICE => Event::Die(died_of(libc::SIGINT)),
            _ => event,
        }
    }
}

fn listen(kind: SignalKind, event: Event, sender: &UnboundedSender<Event>) -> io::Result<()> {
    let mut stream = signal(kind)?;
    let sender = sender.clone();
    tokio::spawn(async move {
        while stream.recv().await.is_some() {
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals() -> Signals {
        Signals { events: unbounded_channel().1, last_interrupt: None }
    }

    #[test]
    fn the_second_interrupt_within_a_second_ends_the_client() {
        let (mut signals, now, int) = (signals(), Instant::now(), Event::Forward("INT"));
        assert_eq!(signals.judge(int, now), int);
        assert_eq!(signals.judge(int, now + Duration::from_millis(1500)), int);
        assert_eq!(signals.judge(int, now + Duration::from_millis(2400)), Event::Die(130));
        assert_eq!(signals.judge(Event::Forward("TERM"), now), Event::Forward("TERM"));
    }

    #[test]
    fn what_ends_a_program_ends_one_that_waits() {
        for (name, code) in [("HUP", 129), ("INT", 130), ("QUIT", 131), ("TERM", 143)] {
            assert_eq!(Event::Forward(name).ends(), Some(code));
            assert_eq!((Event::Die(code).ends(), name_of(code)), (Some(code), Some(name)));
        }
        assert_eq!((Event::Forward("USR1").ends(), Event::Resize.ends(), name_of(1)), (None, None, None));
    }
}
