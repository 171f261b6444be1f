//! Each target over its committed corpus and over changed pieces of it: always the same ones, for a few seconds.

use super::TARGETS;
use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|why| panic!("{}: {why}", directory.display()));
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = fuzz().join("corpus").join(target);
    names(&directory).iter().map(|name| std::fs::read(directory.join(name)).unwrap()).collect()
}

/// xorshift64*: the same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % most.max(1)
    }

    /// One of the corpus with a few changes: bits, bytes, pieces left out, doubled, or taken from another one.
    fn changed(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut data = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(data.len() + 1);
            let end = (at + self.below(16)).min(data.len());
            match self.below(6) {
                0 if at < data.len() => data[at] ^= 1 << self.below(8),
                1 if at < data.len() => data[at] = self.next().to_le_bytes()[0],
                2 => drop(data.drain(at..end)),
                3 => {
                    let piece = data[at..end].to_vec();
                    data.splice(at..at, piece);
                }
                4 => data.insert(at, b"\x00\x1b/.:\"{}[],0-\n"[self.below(14)]),
                _ => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(64)).min(other.len());
                    data.splice(at..end, other[from..to].iter().copied());
                }
            }
        }
        data
    }
}

/// How many changed pieces each target sees; the slow ones make files and connections.
fn rounds(target: &str) -> usize {
    match target {
        "unpack" | "requests" => 400,
        "rewrite" | "client_lists" => 1500,
        _ => 4000,
    }
}

fn run(target: &str, entry: fn(&[u8]), data: &[u8]) {
    let outcome = std::panic::catch_unwind(|| entry(data));
    assert!(outcome.is_ok(), "{target} fails on {:?}", String::from_utf8_lossy(data));
}

#[test]
fn each_target_holds_over_its_corpus_and_changes_of_it() {
    for (target, entry) in TARGETS {
        let corpus = corpus(target);
        assert!(corpus.len() >= 4, "{target} has a corpus of {}", corpus.len());
        corpus.iter().for_each(|data| run(target, entry, data));
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..rounds(target) {
            let data = random.changed(&corpus);
            run(target, entry, &data);
        }
    }
}

#[test]
fn each_target_has_a_program_and_each_program_a_target() {
    let targets: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz().join("corpus")), targets);
    let programs = names(&fuzz().join("fuzz_targets"));
    assert_eq!(programs, targets.iter().map(|name| format!("{name}.rs")).collect::<Vec<_>>());
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in &targets {
        let text = std::fs::read_to_string(fuzz().join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(text.contains(&format!("ie_container::fuzz::{target}(data)")), "{target} runs another one");
        assert!(manifest.contains(&format!("name = \"{target}\"\n")), "{target} is not built");
    }
}

/// The wall itself is seen to fall: properties that could not fail would hold nothing.
#[test]
fn what_acts_on_a_terminal_is_seen() {
    for bad in ["\x1b[31m", "a\rb", "\u{9b}0m", "\u{202e}x", "\u{7f}", "\t"] {
        assert!(std::panic::catch_unwind(|| super::assert_harmless(bad)).is_err(), "{bad:?}");
    }
    super::assert_harmless("a\nb é 日本");
}
