//! Which images: patterns against full references.

use super::ask::ImageAsk;
use super::limits::Limits;
use super::reference::{Reference, expand};
use super::refuse::{FORBIDDEN, refusal};
use crate::protocol::escape::escape_line;
use crate::protocol::report::Refusal;
use crate::protocol::told::told;
use std::fmt;
use std::str::FromStr;

/// One entry of `images`: the word `own`, or a pattern for references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// What the caller made here. Nobody makes images here: it allows nothing, and stays for policies that say it.
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

impl Limits {
    /// Whether this image may be used, and so pulled.
    ///
    /// # Errors
    /// `images`, with the list that it is not on.
    pub fn admit_image(&self, image: &ImageAsk) -> Result<(), Refusal> {
        let list = &self.images;
        if list.value.iter().any(|pattern| pattern.allows(image)) {
            return Ok(());
        }
        let shown = escape_line(&image.shown);
        let what = match list.value.is_empty() {
            true => told!("{shown} is not allowed, no image is"),
            false => told!("{shown} is not among the allowed images"),
        };
        let mut no = refusal(FORBIDDEN, "images", &list.source, what);
        no.asked = Some(shown);
        no.limit = Some(list.value.iter().map(Pattern::to_string).collect::<Vec<_>>().join(", "));
        Err(no.hint(told!("`ie-container quota` shows the images you may use")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
