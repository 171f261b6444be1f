//! The engine's lists of everybody's things, read as they come and without what somebody made long.
//!
//! Such a list is as long as all users together make it, and who fails to read it serves nobody. So it has no end, but its
//! parts have: long words are left out, and whatever is beyond a number of entries. Of containers those labels are kept
//! whole that the gateway writes beside each, so that no image fills their places; they have an end of their own. Whatever
//! else stands under our prefix is somebody else's.
//!
//! An engine lists everybody's containers, images and volumes in one answer, and what one user made long stands in that
//! answer. So what is told in lists has an end where it is made (`wish/body.rs`, `images/mod.rs`). There is no length
//! at which reading fails here.

use super::{EngineError, label};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::marker::PhantomData;
use std::time::Duration;
use tokio::sync::mpsc;

/// A word that is always kept, in bytes: a state or a name is never left out for what stands beside it.
const SHORT: usize = 256;
/// How many bytes longer words of one thing may take together.
const LONG_WORDS: usize = 64 << 10;
/// What our own labels of one thing may take together: more than is written of a create's body, the largest of 1 MiB, and
/// the policy's roots.
const OUR_WORDS: usize = 2 << 20;
/// The most entries of a list or an object within a list.
const MOST_ENTRIES: usize = 512;
/// Bytes of an answer that are in memory at once at the most: thousands of containers are a few MiB.
const WHOLE: u64 = 4 << 20;
/// How long an engine may say nothing in the midst of a list.
const PATIENCE: Duration = Duration::from_secs(60);

/// A list of things, each without what is long in it, and each made into what is kept of it before the next one is read.
/// `OURS`: the labels that bear our keys are the gateway's, and kept.
#[derive(Debug)]
pub(super) struct Things<const OURS: bool, T = Value>(pub(super) Vec<T>);

impl<const OURS: bool, T> Default for Things<OURS, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Containers, or volumes.
pub(super) type List = Things<true>;

/// Reads an answer without ever holding all of it.
pub(super) async fn read_bounded<T: DeserializeOwned + Send + 'static>(
    answer: Response<Incoming>,
) -> Result<T, EngineError> {
    let odd = |error: &dyn fmt::Display| EngineError::Odd(error.to_string());
    let (sender, chunks) = mpsc::channel(4);
    tokio::spawn(feed(answer.into_body(), sender));
    let parse = move || parse(Chunks::new(chunks));
    let parsed = tokio::task::spawn_blocking(parse).await.map_err(|error| odd(&error))?;
    parsed.map_err(|error: serde_json::Error| odd(&error))
}

/// An answer of a usual length is parsed out of one piece, which takes a third of the time.
fn parse<T: DeserializeOwned>(mut chunks: Chunks) -> serde_json::Result<T> {
    let mut whole = Vec::new();
    let read = chunks.by_ref().take(WHOLE).read_to_end(&mut whole).map_err(serde::de::Error::custom)?;
    match u64::try_from(read).is_ok_and(|read| read < WHOLE) {
        true => serde_json::from_slice(&whole),
        false => serde_json::from_reader(BufReader::with_capacity(64 << 10, whole.as_slice().chain(chunks))),
    }
}

async fn feed(mut body: Incoming, sender: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let chunk = match tokio::time::timeout(PATIENCE, body.frame()).await {
            Ok(None) => return,
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Ok(data),
                Err(_) => continue,
            },
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let failed = chunk.is_err();
        if sender.send(chunk).await.is_err() || failed {
            return;
        }
    }
}

/// What comes, for whoever reads in a thread of their own.
struct Chunks {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Chunks {
    fn new(chunks: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self { chunks, current: Bytes::new() }
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(Ok(chunk)) => self.current = chunk,
                Some(Err(error)) => {
                    // Whoever asks again after an error hears the end, and does not wait.
                    self.chunks.close();
                    return Err(error);
                }
                None => return Ok(0),
            }
        }
        let count = self.current.len().min(buffer.len());
        let part = self.current.split_to(count);
        buffer.get_mut(..count).unwrap_or_default().copy_from_slice(&part);
        Ok(count)
    }
}

impl<'de, const OURS: bool, T: From<Value>> Deserialize<'de> for Things<OURS, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Items(PhantomData))
    }
}

/// The list itself, however long; null is an empty one.
struct Items<const OURS: bool, T>(PhantomData<T>);

impl<'de, const OURS: bool, T: From<Value>> Visitor<'de> for Items<OURS, T> {
    type Value = Things<OURS, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Things<OURS, T>, E> {
        Ok(Things::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Things<OURS, T>, A::Error> {
        let mut list = Vec::new();
        loop {
            let (left, ours) = (Cell::new(LONG_WORDS), Cell::new(OUR_WORDS));
            let Some(item) = items.next_element_seed(BoundedList::<OURS> { left: &left, ours: &ours })?
            else {
                break;
            };
            list.push(item.into());
        }
        Ok(Things(list))
    }
}

/// A value without what is long in it.
#[derive(Clone, Copy)]
struct BoundedList<'a, const OURS: bool> {
    /// What is left for long words, in bytes.
    left: &'a Cell<usize>,
    /// The same for what is below a key of the gateway's own.
    ours: &'a Cell<usize>,
}

impl<const OURS: bool> BoundedList<'_, OURS> {
    fn keeps(&self, word: &str) -> bool {
        if word.len() <= SHORT {
            return true;
        }
        let left = self.left.get().checked_sub(word.len());
        left.map(|left| self.left.set(left)).is_some()
    }
}

impl<'de, const OURS: bool> DeserializeSeed<'de> for BoundedList<'_, OURS> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, const OURS: bool> Visitor<'de> for BoundedList<'_, OURS> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, word: &str) -> Result<Value, E> {
        Ok(if self.keeps(word) { word } else { "" }.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while list.len() < MOST_ENTRIES
            && let Some(item) = items.next_element_seed(self)?
        {
            list.push(item);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if OURS && label::is_ours(&key) {
                map.insert(key, entries.next_value_seed(Self { left: self.ours, ..self })?);
            } else if map.len() < MOST_ENTRIES && key.len() <= SHORT {
                map.insert(key, entries.next_value_seed(self)?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::label::PREFIX;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_long_is_left_out_and_ours_is_kept() {
        let (long, half) = ("x".repeat(LONG_WORDS + 1), "h".repeat(LONG_WORDS / 2));
        let mut labels: Map<String, Value> =
            (0..1000).map(|number| (format!("a{number:04}"), json!("v"))).collect();
        labels.insert(format!("{PREFIX}stages"), long.clone().into());
        labels.insert("z".into(), "beyond".into());
        let text = json!([
            {"Command": long, "Names": ["/ie-1-a"], "Labels": labels, "Created": 5, "Size": -1, "Odd": [1.5, null, true]},
            {"Ports": vec![1; 1000], "a": half, "b": half, "c": half, "d": "s".repeat(SHORT), "e": "s".repeat(SHORT + 1)},
            {"a": half},
        ])
        .to_string();
        let Things::<true, Value>(list) = serde_json::from_str(&text).unwrap();
        assert_eq!((&list[0]["Command"], &list[0]["Names"][0]), (&json!(""), &json!("/ie-1-a")));
        assert_eq!((&list[0]["Created"], &list[0]["Size"]), (&json!(5), &json!(-1)));
        assert_eq!(list[0]["Odd"], json!([1.5, null, true]));
        let kept = list[0]["Labels"].as_object().unwrap();
        assert_eq!(kept[&format!("{PREFIX}stages")], long);
        assert_eq!(kept.len(), MOST_ENTRIES + 1);
        assert_eq!(list[1]["Ports"].as_array().unwrap().len(), MOST_ENTRIES);
        // Long words share what there is; short ones stay, whatever is beside them; each thing has its own.
        let length = |thing: usize, key: &str| list[thing][key].as_str().unwrap().len();
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(|key| length(1, key)),
            [half.len(), half.len(), 0, SHORT, 0]
        );
        assert_eq!(length(2, "a"), half.len());
        // What an image says under our prefix is nobody's of ours.
        let Things::<false, Value>(images) = serde_json::from_str(&text).unwrap();
        assert!(images[0]["Labels"].get(format!("{PREFIX}stages")).is_none());
    }

    #[test]
    fn what_an_image_says_under_our_prefix_is_not_kept() {
        let (mib, ours) = ("x".repeat(1 << 20), "y".repeat(OUR_WORDS));
        let mut labels: Map<String, Value> =
            (0..60).map(|number| (format!("{PREFIX}x{number}"), mib.clone().into())).collect();
        labels.insert(format!("{PREFIX}uid"), "1000".into());
        // Its own keys have an end, too.
        labels.insert(format!("{PREFIX}stages"), ours[..OUR_WORDS / 2].into());
        labels.insert(format!("{PREFIX}version"), ours[..OUR_WORDS / 2 + 1].into());
        let Things::<true, Value>(list) =
            serde_json::from_str(&json!([{"Labels": labels}]).to_string()).unwrap();
        let length = |key: &str| list[0]["Labels"][format!("{PREFIX}{key}")].as_str().map(str::len);
        assert_eq!(
            [length("uid"), length("stages"), length("version")],
            [Some(4), Some(OUR_WORDS / 2), Some(0)]
        );
        assert!(list[0].to_string().len() < OUR_WORDS);
        assert_eq!(length("x7"), Some(0));
    }

    #[test]
    fn the_list_itself_has_no_end_and_may_be_none() {
        let Things::<true, Value>(list) =
            serde_json::from_str(&json!(vec![json!({}); 2000]).to_string()).unwrap();
        assert_eq!(list.len(), 2000);
        let Things::<true, Value>(list) = serde_json::from_str("null").unwrap();
        assert!(list.is_empty());
        for wrong in ["{}", "[{]", "[{}", "7"] {
            assert!(serde_json::from_str::<List>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn chunks_of_any_size_are_one_text() {
        let (sender, chunks) = mpsc::channel(8);
        for chunk in ["[{\"a\"", "", ":\"b", "\"}]"] {
            sender.try_send(Ok(Bytes::from_static(chunk.as_bytes()))).unwrap();
        }
        drop(sender);
        let Things::<true, Value>(list) = parse(Chunks::new(chunks)).unwrap();
        assert_eq!(list, [json!({"a": "b"})]);
        let (sender, chunks) = mpsc::channel(8);
        sender.try_send(Ok(Bytes::from_static(b"[{}"))).unwrap();
        sender.try_send(Err(io::ErrorKind::TimedOut.into())).unwrap();
        assert!(parse::<List>(Chunks::new(chunks)).is_err());
        // Longer than what is held at once.
        let (sender, chunks) = mpsc::channel(64);
        let piece = format!("{{\"a\":\"{}\"}},", "x".repeat(1 << 20));
        sender.try_send(Ok(Bytes::from_static(b"["))).unwrap();
        for _ in 0..20 {
            sender.try_send(Ok(Bytes::from(piece.clone()))).unwrap();
        }
        sender.try_send(Ok(Bytes::from_static(b"7]"))).unwrap();
        drop(sender);
        let Things::<true, Value>(list) = parse(Chunks::new(chunks)).unwrap();
        assert_eq!((list.len(), &list[20], &list[3]), (21, &json!(7), &json!({"a": ""})));
    }
}
