//! The files /etc/subuid and /etc/subgid, line by line. Others read them too, and more loosely: newuidmap, which hands ids to
//! whoever asks, and the engine. A line that is not the same to all of them is refused.
//!
//! newuidmap, for one, takes octal numbers and a fourth field. The line is refused whoever's it is.

use crate::protocol::told::Told;

/// A line that others may read otherwise.
#[derive(Debug, thiserror::Error, Told)]
#[error(
    "line {number} of {file}, {line:?}, is not NAME:FIRST:COUNT in plain decimals, and others may read ids of the engine's \
     out of it: write it so, or take it out"
)]
pub struct OddLine {
    number: usize,
    line: String,
    file: &'static str,
}

/// One line of the file: whose ids, which is the first, and how many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'t> {
    pub(super) shown: &'t str,
    pub(super) owner: &'t str,
    pub(super) first: u32,
    pub(super) count: u32,
}

impl<'t> Line<'t> {
    /// `NAME:FIRST:COUNT` and nothing else. newuidmap reads octal and hexadecimal numbers too, signs, spaces in front of
    /// them, and passes over a fourth field; Docker passes over spaces around a line.
    fn read(shown: &'t str) -> Option<Self> {
        let mut fields = shown.split(':');
        let owner = fields.next().filter(|name| !name.is_empty() && !name.contains(odd))?;
        let line = Self { shown, owner, first: decimal(fields.next()?)?, count: decimal(fields.next()?)? };
        fields.next().is_none().then_some(line)
    }

    fn is_by_number(&self) -> bool {
        self.owner.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Its last id; none where it has none.
    pub(super) fn last(&self) -> Option<u32> {
        Some(self.first.saturating_add(self.count.checked_sub(1)?))
    }
}

fn odd(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Digits that are the same number to every reader: a zero in front makes it octal to some.
fn decimal(field: &str) -> Option<u32> {
    let is_plain =
        field.bytes().all(|byte| byte.is_ascii_digit()) && (field == "0" || !field.starts_with('0'));
    is_plain.then(|| field.parse().ok())?
}

/// All lines but the empty ones and comments, each of which every reader must read alike, whoever's it is.
pub(super) fn lines<'t>(text: &'t str, file: &'static str) -> Result<Vec<Line<'t>>, OddLine> {
    let numbered = text.split('\n').enumerate();
    let counts = numbered.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let read = |(at, line): (usize, &'t str)| {
        Line::read(line).ok_or_else(|| OddLine { number: at + 1, line: line.to_owned(), file })
    };
    counts.map(read).collect()
}

/// Whose ranges are asked for. The engine takes lines by uid for its user's own, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'u> {
    pub(super) login: &'u str,
    /// As the host's own file says it; nothing where the account comes from elsewhere.
    pub(super) uid: Option<u32>,
}

impl<'u> Owner<'u> {
    /// Asks no name service, which could hang.
    pub(super) fn of(login: &'u str) -> Self {
        let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
        Self { login, uid: Self::uid_in(&String::from_utf8_lossy(&passwd), login) }
    }

    /// In lines such as `ie-engine:x:998:…`.
    fn uid_in(passwd: &str, login: &str) -> Option<u32> {
        let mut fields = passwd
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(login)).then_some(fields))?;
        fields.nth(1)?.parse().ok()
    }

    pub(super) fn may_have(self, line: &Line<'_>) -> bool {
        line.is_by_number() && self.uid.is_none_or(|uid| line.owner.parse() == Ok(uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What newuidmap, useradd or an engine could take for a range that we see nothing in.
    #[test]
    fn a_line_that_can_be_read_in_two_ways_is_refused_whoevers_it_is() {
        for line in [
            "ann:0x77359400:65536",
            "ann:016715312000:65536",
            "ann:100000:0200000",
            "ann: 2000000000:65536",
            "ann:+2000000000:65536",
            "ann:2000000000:65536:",
            "ann:2000000000:65536:1",
            "ann:2000000000:65536 ",
            "ann:2000000000:65536\r",
            " ann:2000000000:65536",
            "ann\t:2000000000:65536",
            ":2000000000:65536",
            "ann::65536",
            "ann:2000000000:",
            "ann:-1:65536",
            "ann:6294967296:65536",
            "ann",
            "ie-engine:2000000000:x",
            "ie-engine:2000000000:65536:1",
        ] {
            let text = format!("ie-engine:2000000000:65536\n# b\n{line}\n");
            let why = lines(&text, "/etc/subuid").unwrap_err().to_string();
            assert!(why.contains("line 3 of /etc/subuid") && why.contains("take it out"), "{line:?}: {why}");
        }
        let text = "\n  # ann:0x1:1 \n \nie-engine:2000000000:65536\nann:0:0";
        let read: Vec<_> =
            lines(text, "/etc/subuid").unwrap().iter().map(|line| (line.owner, line.last())).collect();
        assert_eq!(read, [("ie-engine", Some(2_000_065_535)), ("ann", None)]);
    }

    #[test]
    fn a_uid_is_the_whole_names() {
        let passwd = "root:x:0:0::/:\nie-engine2:x:1:1::/:\nie-engine:x:998:998::/nonexistent:\n";
        assert_eq!(Owner::uid_in(passwd, "ie-engine"), Some(998));
        assert_eq!(Owner::uid_in(passwd, "ie"), None);
    }
}
