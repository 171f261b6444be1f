//! What the program ends with.

/// The code when something of what was asked failed.
pub(super) const FAILED: u8 = 1;
/// The code of `run` and `exec` when the fault is ours (usage, policy, gateway, engine), not the process's.
pub(super) const OURS: u8 = 125;
/// Their code when the command is there and cannot be invoked.
pub(super) const NOT_INVOKABLE: u8 = 126;
/// Their code when there is no such command.
pub(super) const NOT_FOUND: u8 = 127;
/// The code when whoever read the output of a process went before it ended: what a program dies of then, SIGPIPE.
pub(super) const STDOUT_CLOSED: u8 = 128 + 13;
/// The code when nobody is left to work for: what a program dies of whose terminal is closed, SIGHUP.
pub(super) const HUNG_UP: u8 = 128 + 1;

/// What a shell reports of a program that a signal ended.
pub(super) fn died_of(signal: i32) -> u8 {
    u8::try_from(signal).map_or(FAILED, |signal| signal.saturating_add(128))
}
