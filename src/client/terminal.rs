//! The user's terminal: raw while a container has it, and always put back.

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use std::io::{self, IsTerminal};
use std::sync::{Mutex, Once, PoisonError};

/// What the terminal was like before; here, because a panic on any thread must find it.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal is raw while this lives.
pub(crate) struct Raw {
    whole: Termios,
}

impl Raw {
    /// Raw but for ctrl-c and ctrl-\, which end the client: nobody else is there yet to hear them.
    pub(crate) fn enter() -> io::Result<Self> {
        restore_on_panic();
        let before = tcgetattr(io::stdin())?;
        let mut whole = before.clone();
        whole.make_raw();
        let mut waiting = whole.clone();
        waiting.local_modes.insert(LocalModes::ISIG);
        // A stopped program would leave the terminal as it is now.
        waiting.special_codes[SpecialCodeIndex::VSUSP] = 0;
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(io::stdin(), OptionalActions::Now, &waiting)?;
        Ok(Self { whole })
    }

    /// Every key is the process's from here on.
    pub(crate) fn complete(&self) {
        // A terminal that is gone hears nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.whole);
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Some(before) = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}

fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            usual(info);
        }));
    });
}

/// Rows and columns of the terminal, if stdout is one that knows.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

pub(crate) fn stdin_is_one() -> bool {
    io::stdin().is_terminal()
}
