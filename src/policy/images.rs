//! Which images: patterns against full references.

use super::ask::ImageAsk;
use super::limits::Limits;
use super::refuse::{FORBIDDEN, refusal};
use crate::protocol::escape::escape_line;
use crate::protocol::report::Refusal;
use std::fmt;
use std::str::FromStr;

const DOCKER_HUB: &str = "docker.io";
const OFFICIAL: &str = "library";

/// One entry of `images`: the word `own`, or a pattern for references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// What the caller made here.
    Own,
    Reference {
        /// As the admin wrote it.
        written: String,
        name: String,
        tag: Option<String>,
        digest: Option<String>,
    },
}

impl Pattern {
    pub(super) fn allows(&self, image: &ImageAsk) -> bool {
        match self {
            Self::Own => image.own,
            Self::Reference { name, tag, digest, .. } => image
                .references
                .iter()
                .filter(|reference| !reference.contains('*'))
                .filter_map(|reference| Reference::parse(reference))
                .any(|reference| reference.matches(name, tag.as_deref(), digest.as_deref())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("own"),
            Self::Reference { written, .. } => f.write_str(written),
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "own" {
            return Ok(Self::Own);
        }
        let Some(Reference { name, tag, digest }) = Reference::parse(word) else {
            return Err(format!("{word:?} is not a pattern for images such as docker.io/library/*"));
        };
        if tag.is_some() && digest.is_some() {
            return Err(format!(
                "{word:?} gives a tag and a digest, the engine would look at the digest alone"
            ));
        }
        let own = |part: &str| part.to_owned();
        Ok(Self::Reference {
            written: word.to_owned(),
            name: expand(name),
            tag: tag.map(own),
            digest: digest.map(own),
        })
    }
}

/// The full form of a name, as Docker expands it: `ubuntu` is `docker.io/library/ubuntu`.
///
/// A name that begins with `**` stands for any registry and is left as it is.
fn expand(name: &str) -> String {
    match name.split_once('/') {
        _ if name.starts_with("**") => name.to_owned(),
        None => format!("{DOCKER_HUB}/{OFFICIAL}/{name}"),
        Some((DOCKER_HUB | "index.docker.io", rest)) if rest.contains('/') || rest.starts_with("**") => {
            format!("{DOCKER_HUB}/{rest}")
        }
        Some((DOCKER_HUB | "index.docker.io", rest)) => format!("{DOCKER_HUB}/{OFFICIAL}/{rest}"),
        Some((first, _)) if first == "localhost" || first.contains(['.', ':']) => name.to_owned(),
        Some(_) => format!("{DOCKER_HUB}/{name}"),
    }
}

/// A reference taken apart: `name[:tag][@digest]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reference<'r> {
    name: &'r str,
    tag: Option<&'r str>,
    digest: Option<&'r str>,
}

impl<'r> Reference<'r> {
    /// Nothing for a text that an engine could read in some other way than we do.
    fn parse(text: &'r str) -> Option<Self> {
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        // A colon before a slash belongs to a registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-*".contains(&b))
        };
        let named = name.split('/').enumerate().all(|(at, part)| match part.split_once(':') {
            Some((host, port)) => at == 0 && name.contains('/') && plain(host) && plain(port),
            None => plain(part) && part != "." && part != "..",
        });
        let tagged = tag.is_none_or(plain);
        let hashed =
            digest.is_none_or(|digest| digest.split(':').count() == 2 && digest.split(':').all(plain));
        (named && tagged && hashed).then_some(Self { name, tag, digest })
    }

    /// A digest in the reference decides alone which image it is, whatever tag stands beside it; so a pattern that
    /// wants a tag is not met by a reference with a digest.
    fn matches(&self, name: &str, tag: Option<&str>, digest: Option<&str>) -> bool {
        let tagged = |wanted| self.digest.is_none() && self.tag.is_some_and(|tag| glob(wanted, tag));
        let hashed = |wanted| self.digest.is_some_and(|digest| glob(wanted, digest));
        glob(name, self.name) && tag.is_none_or(tagged) && digest.is_none_or(hashed)
    }
}

/// Whether `text` is of the form `pattern`: `*` stands for any run without `/`, `**` for any run at all.
///
/// It keeps, for each beginning of the text, whether the pattern read so far can stand for it: the time is the product
/// of the lengths, whatever the pattern.
fn glob(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reach = vec![false; text.len() + 1];
    if let Some(start) = reach.first_mut() {
        *start = true;
    }
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        if next == '*' {
            let crosses = rest.next_if_eq(&'*').is_some();
            spread(&mut reach, &text, |c| crosses || c != '/');
        } else {
            step(&mut reach, &text, next);
        }
    }
    reach.last().copied().unwrap_or(false)
}

/// A star: what is reached stays reached, and each character it may stand for leads one further.
fn spread(reach: &mut [bool], text: &[char], stands_for: impl Fn(char) -> bool) {
    let mut before = false;
    for (at, here) in reach.iter_mut().enumerate() {
        let carried =
            at.checked_sub(1).and_then(|last| text.get(last)).is_some_and(|c| before && stands_for(*c));
        *here |= carried;
        before = *here;
    }
}

/// One plain character: reached is what was reached one earlier, if the text has that character there.
fn step(reach: &mut [bool], text: &[char], wanted: char) {
    let mut before = false;
    for (at, here) in reach.iter_mut().enumerate() {
        let matched =
            at.checked_sub(1).and_then(|last| text.get(last)).is_some_and(|c| before && *c == wanted);
        before = std::mem::replace(here, matched);
    }
}

impl Limits {
    /// Whether this image may be used, and so pulled.
    pub fn admit_image(&self, image: &ImageAsk) -> Result<(), Refusal> {
        let list = &self.images;
        if list.value.iter().any(|pattern| pattern.allows(image)) {
            return Ok(());
        }
        let shown = escape_line(&image.shown);
        let what = match list.value.is_empty() {
            true => format!("{shown} is not allowed, no image is"),
            false => format!("{shown} is not among the allowed images"),
        };
        let mut no = refusal(FORBIDDEN, "images", &list.source, &what);
        no.asked = Some(shown);
        no.limit = Some(list.value.iter().map(Pattern::to_string).collect::<Vec<_>>().join(", "));
        Err(no.hint("`ie-container quota` shows the images you may use"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allows(pattern: &str, reference: &str) -> bool {
        let references = vec![reference.to_owned()];
        pattern.parse::<Pattern>().unwrap().allows(&ImageAsk { references, ..ImageAsk::default() })
    }

    #[test]
    fn patterns_read_as_rules() {
        for (pattern, reference) in [
            ("docker.io/library/*", "docker.io/library/ubuntu:24.04"),
            ("docker.io/library/*", "docker.io/library/ubuntu@sha256:ab12"),
            ("ubuntu", "docker.io/library/ubuntu:24.04"),
            ("ubuntu:24.*", "docker.io/library/ubuntu:24.04"),
            ("ubuntu@sha256:ab12", "docker.io/library/ubuntu:24.04@sha256:ab12"),
            ("pytorch/*", "docker.io/pytorch/pytorch:2.9-cuda"),
            ("docker.io/ubuntu", "docker.io/library/ubuntu:24.04"),
            ("index.docker.io/a/b", "docker.io/a/b:1"),
            ("nvcr.io/nvidia/**", "nvcr.io/nvidia/clara/parabricks:4"),
            ("localhost/x", "localhost/x:latest"),
            ("registry:5000/team/*", "registry:5000/team/x:latest"),
            ("*.example.org/**", "r1.example.org/a/b/c:1"),
            ("**", "quay.io/a/b/c:1"),
            ("**/busybox", "quay.io/a/busybox:1"),
            ("docker.io/**", "docker.io/a/b:1"),
        ] {
            assert!(allows(pattern, reference), "{pattern} allows {reference}");
        }
    }

    #[test]
    fn patterns_allow_no_more_than_they_say() {
        for (pattern, reference) in [
            ("docker.io/library/*", "docker.io/pytorch/pytorch:2"),
            ("docker.io/*", "docker.io/pytorch/pytorch:2"),
            ("**", "docker.io/library/*"),
            ("docker.io/library/*", "evil.io/docker.io/library/ubuntu:1"),
            ("docker.io/library/*", "docker.io.evil.io/library/ubuntu:1"),
            ("nvcr.io/nvidia/*", "nvcr.io/nvidia/clara/parabricks:4"),
            ("ubuntu:24.04", "docker.io/library/ubuntu:22.04"),
            ("ubuntu:24.04", "docker.io/library/ubuntu@sha256:ab12"),
            ("ubuntu", "docker.io/library/ubuntu-evil:1"),
            ("*", "docker.io/pytorch/pytorch:2"),
            ("docker.io/**", "docker.io/library/../../evil.io/x:1"),
            ("**", "docker.io//x:1"),
            ("**", ""),
            ("**", "docker.io/library/x:1 --privileged"),
            ("own", "docker.io/library/own:1"),
        ] {
            assert!(!allows(pattern, reference), "{pattern} must not allow {reference}");
        }
    }

    #[test]
    fn a_tag_says_nothing_beside_a_digest() {
        assert!(!allows("ubuntu:24.04", "docker.io/library/ubuntu:24.04@sha256:ab12"));
        assert!("ubuntu:24.04@sha256:ab12".parse::<Pattern>().is_err());
    }

    #[test]
    fn one_allowed_name_of_an_image_is_enough() {
        let references = vec!["quay.io/x/y:1".to_owned(), "docker.io/library/ubuntu:24.04".to_owned()];
        let image = ImageAsk { shown: "0f3c".into(), references, own: false };
        assert!("ubuntu".parse::<Pattern>().unwrap().allows(&image));
        assert!(!"ubuntu".parse::<Pattern>().unwrap().allows(&ImageAsk::default()));
    }

    #[test]
    fn own_is_what_the_caller_made() {
        let own = ImageAsk { own: true, ..ImageAsk::default() };
        assert!("own".parse::<Pattern>().unwrap().allows(&own));
        assert!(!"**".parse::<Pattern>().unwrap().allows(&own));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "a b", "a//b", "/a", "a/", "a:", "a@", "a@b", "a/../b", "ünï", "a:1:2", "a?b", "[ab]"]
        {
            assert!(bad.parse::<Pattern>().is_err(), "{bad:?}");
        }
    }

    /// The same meaning, said slowly.
    fn naive(pattern: &str, text: &str) -> bool {
        let rests = |from: &str| -> Vec<String> {
            from.char_indices().map(|(at, c)| from[at + c.len_utf8()..].to_owned()).collect()
        };
        if let Some(rest) = pattern.strip_prefix("**") {
            return naive(rest, text) || rests(text).iter().any(|tail| naive(rest, tail));
        }
        if let Some(rest) = pattern.strip_prefix('*') {
            let run = text.split('/').next().unwrap().len();
            return (0..=run).any(|skip| naive(rest, &text[skip..]));
        }
        match (pattern.chars().next(), text.chars().next()) {
            (None, None) => true,
            (Some(p), Some(t)) => p == t && naive(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_matcher_agrees_with_a_naive_one(pattern in "[ab/*]{0,8}", text in "[ab/]{0,8}") {
            prop_assert_eq!(glob(&pattern, &text), naive(&pattern, &text));
        }

        #[test]
        fn expanding_twice_is_expanding_once(name in "[a-c.*]{1,3}(/[a-c*]{1,3}){0,3}") {
            let once = expand(&name);
            prop_assert_eq!(expand(&once), once);
        }
    }
}
