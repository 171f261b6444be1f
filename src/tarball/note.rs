//! What a packer went on past, in words: within the archive, as a comment that other readers pass over.

/// What these comments begin with, by whether what was copied is still all that was there.
const SKIPPED: &[u8] = b"ie-copy: ";
const FAULT: &[u8] = b"ie-copy! ";

/// How many notes are kept: they are the other side's to write.
const MOST: usize = 20;
/// And how many bytes of each.
const LONGEST: usize = 800;

/// The comment for a note.
pub(super) fn comment(is_fault: bool, words: &str) -> Vec<u8> {
    let begin = if is_fault { FAULT } else { SKIPPED };
    let end =
        words.char_indices().map(|(at, _)| at).take_while(|at| *at <= LONGEST).last().unwrap_or_default();
    [begin, words.get(..end).filter(|_| words.len() > LONGEST).unwrap_or(words).as_bytes()].concat()
}

/// A note, and whether it is a fault, if a comment is one.
pub(super) fn read<'c>(comment: &'c [u8]) -> Option<(bool, &'c [u8])> {
    let cut = |words: &'c [u8]| words.get(..LONGEST).unwrap_or(words);
    let skipped = comment.strip_prefix(SKIPPED).map(|words| (false, cut(words)));
    skipped.or_else(|| comment.strip_prefix(FAULT).map(|words| (true, cut(words))))
}

/// Those of one archive.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Notes {
    pub said: Vec<String>,
    /// More than were kept.
    pub more: usize,
    /// How many of all of them mean that something is not as it was there.
    pub faults: usize,
}

impl Notes {
    pub fn add(&mut self, is_fault: bool, words: String) {
        self.faults += usize::from(is_fault);
        if self.said.len() < MOST {
            self.said.push(words);
        } else {
            self.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_of_ours_is_a_note_and_no_other() {
        for is_fault in [true, false] {
            assert_eq!(
                read(&comment(is_fault, "skipped a fifo: /x")),
                Some((is_fault, &b"skipped a fifo: /x"[..]))
            );
        }
        assert_eq!(read(b"0f3c1b2a"), None);
        assert_eq!(read(&[FAULT, &[b'x'; 5000]].concat()), Some((true, &[b'x'; LONGEST][..])));
        let long = comment(false, &"\u{e9}".repeat(1000));
        assert!((800..=802 + SKIPPED.len()).contains(&long.len()) && std::str::from_utf8(&long).is_ok());
    }

    #[test]
    fn so_many_are_kept() {
        let mut notes = Notes::default();
        (0..30).for_each(|number| notes.add(number % 10 == 0, number.to_string()));
        assert_eq!((notes.said.len(), notes.more, notes.faults), (20, 10, 3));
    }
}
