//! The keys that leave a container's terminal without stopping it.

use crate::protocol::told::Told;

/// A sequence of keys, written as Docker writes it: `ctrl-p,ctrl-q`, `a`, `DEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys(Vec<u8>);

/// Sent to the engine instead of the user's own keys: the engine holds a first key back until the next one is
/// typed, so the real ones are looked for here, where a lone ctrl-p can be let go after a moment. What ctrl-@ (ctrl-space)
/// does to an editor or a multiplexer shows only with the key after it.
pub(crate) const NEVER_TYPED: &str = "ctrl-@,ctrl-^,ctrl-@,ctrl-_,ctrl-^";

impl Default for DetachKeys {
    fn default() -> Self {
        Self(vec![0x10, 0x11])
    }
}

/// Why a word is no such sequence.
#[derive(Debug, PartialEq, Eq, thiserror::Error, Told)]
#[error(
    "{0:?} is no sequence of keys such as ctrl-p,ctrl-q: each is one character or ctrl- with one of a-z @ [ \\ ] ^ _"
)]
pub(crate) struct KeysError(String);

impl std::str::FromStr for DetachKeys {
    type Err = KeysError;

    fn from_str(spec: &str) -> Result<Self, KeysError> {
        if spec.is_empty() {
            return Ok(Self::default());
        }
        let keys = spec.split(',').map(key).collect::<Option<Vec<u8>>>();
        keys.map(Self).ok_or_else(|| KeysError(spec.to_owned()))
    }
}

fn key(word: &str) -> Option<u8> {
    match (word, word.strip_prefix("ctrl-").map(str::as_bytes)) {
        ("DEL", _) => Some(0x7f),
        (_, Some([letter @ (b'a'..=b'z' | b'@' | b'['..=b'_')])) => Some(letter & 0x1f),
        _ => match word.as_bytes() {
            [one] => Some(*one),
            _ => None,
        },
    }
}

/// Looks for the sequence in what is typed, holding back what may be its beginning.
pub(crate) struct Detector {
    keys: DetachKeys,
    held: Vec<u8>,
}

impl Detector {
    pub(crate) fn new(keys: DetachKeys) -> Self {
        Self { keys, held: Vec::new() }
    }

    pub(crate) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// What to forward, and whether the sequence is complete; what follows it is dropped.
    pub(crate) fn feed(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut forward = Vec::with_capacity(typed.len());
        for byte in typed {
            self.held.push(*byte);
            while !self.keys.0.starts_with(&self.held) {
                forward.push(self.held.remove(0));
            }
            if self.held == self.keys.0 {
                return (forward, true);
            }
        }
        (forward, false)
    }

    /// Lets go of what was held: nothing more came in time.
    pub(crate) fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detector(spec: &str) -> Detector {
        Detector::new(spec.parse().unwrap())
    }

    #[test]
    fn keys_are_written_as_docker_writes_them() {
        assert_eq!("ctrl-p,ctrl-q".parse(), Ok(DetachKeys::default()));
        assert_eq!("".parse(), Ok(DetachKeys::default()));
        assert_eq!("a,DEL,ctrl-@,ctrl-_".parse(), Ok(DetachKeys(vec![b'a', 0x7f, 0, 0x1f])));
        for bad in ["ctrl-", "ctrl-A", "ctrl-1", "ab", "a,,b", "é"] {
            assert!(bad.parse::<DetachKeys>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_sequence_detaches_however_it_is_cut() {
        assert_eq!(detector("").feed(b"ab\x10\x11cd"), (b"ab".to_vec(), true));
        let mut cut = detector("");
        assert_eq!(cut.feed(b"\x10"), (vec![], false));
        assert!(cut.is_holding());
        assert_eq!(cut.feed(b"\x11"), (vec![], true));
    }

    #[test]
    fn everything_else_is_forwarded() {
        assert_eq!(detector("").feed(b"\x10x"), (b"\x10x".to_vec(), false));
        assert_eq!(detector("a,a,b").feed(b"aaab"), (b"a".to_vec(), true));
        let mut lone = detector("");
        lone.feed(b"\x10");
        assert_eq!(lone.release(), b"\x10");
        assert!(!lone.is_holding());
    }
}
