//! Whose processes `top` lists: the host's `ps` knows the ids of a remapped engine's containers by no name.
//!
//! The engine tells `top` the host's id R+U, and the user is told U.

use crate::gateway::caller::peer::Peer;
use crate::policy::{IdRange, Remap};
use serde_json::{Value, json};

/// What the ids of the caller's container are called.
pub(super) struct People {
    remap: Remap,
    uid: u32,
    name: String,
    /// Whether columns were asked for by name: `UID` is a number then, and a name in `ps -ef`.
    listed: bool,
}

impl People {
    pub(super) fn of(caller: &Peer, remap: Remap, words: &str) -> Self {
        let name = caller.login().map_or_else(|| caller.uid().to_string(), str::to_owned);
        Self { remap, uid: caller.uid(), name, listed: words.contains(' ') }
    }

    /// Writes the ids that they have inside in the place of the host's.
    pub(super) fn put_into(&self, top: &mut Value) {
        let titles: Vec<String> = top
            .get("Titles")
            .and_then(|titles| serde_json::from_value(titles.clone()).ok())
            .unwrap_or_default();
        let rows = top.get_mut("Processes").and_then(Value::as_array_mut).into_iter().flatten();
        for row in rows.filter_map(Value::as_array_mut) {
            for (title, cell) in titles.iter().zip(row) {
                if let Some(shown) = cell.as_str().and_then(|word| self.shown(title, word)) {
                    *cell = json!(shown);
                }
            }
        }
    }

    fn shown(&self, title: &str, word: &str) -> Option<String> {
        match title {
            "USER" | "EUSER" => self.name_of(word),
            "UID" if !self.listed => self.name_of(word),
            "UID" | "EUID" | "RUID" => inside(self.remap.uids, word),
            "GID" | "EGID" | "RGID" => inside(self.remap.gids, word),
            _ => None,
        }
    }

    /// All processes of a container of ours are its owner's. `ps` cuts a number that is too long for its column.
    fn name_of(&self, word: &str) -> Option<String> {
        let own = self.remap.uids.first().saturating_add(self.uid).to_string();
        let cut = word.strip_suffix('+').filter(|digits| !digits.is_empty());
        match own == word || cut.is_some_and(|digits| own.starts_with(digits)) {
            true => Some(self.name.clone()),
            false => inside(self.remap.uids, word),
        }
    }
}

fn inside(range: IdRange, word: &str) -> Option<String> {
    range.inside(word.parse().ok()?).map(|id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_and_not_the_engines_ids() {
        let range = |first| IdRange::fake(first, 100_000);
        let remap = Remap { uids: range(1_000_000_000), gids: range(1_200_000_000) };
        let people = |words| People::of(&Peer::fake(70_001, "ann"), remap, words);
        let shown = |words, titles: Value, row: Value| {
            let mut top = json!({"Titles": titles, "Processes": [row]});
            people(words).put_into(&mut top);
            top["Processes"][0].clone()
        };
        assert_eq!(shown("-ef", json!(["UID", "PID"]), json!(["1000070+", "7"])), json!(["ann", "7"]));
        assert_eq!(shown("aux", json!(["USER", "PID"]), json!(["1000070001", "7"])), json!(["ann", "7"]));
        assert_eq!(
            shown(
                "-o pid,uid,gid,user,args",
                json!(["PID", "UID", "GID", "USER", "COMMAND"]),
                json!(["7", "1000070001", "1200070001", "1000070001", "1000070001"])
            ),
            json!(["7", "70001", "70001", "ann", "1000070001"])
        );
        assert_eq!(shown("-ef", json!(["UID"]), json!(["1000000000"])), json!(["0"]));
        for word in ["root", "70001", "+", "2000070+", "1000100000"] {
            assert_eq!(shown("-ef", json!(["UID"]), json!([word])), json!([word]));
        }
    }
}
