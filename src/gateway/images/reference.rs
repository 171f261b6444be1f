//! An image's reference in full: `ubuntu` is `docker.io/library/ubuntu:latest`, as Docker reads it.
//!
//! A parser of our own, because the library's regular expression keeps 12 MiB for as long as the gateway runs; a test
//! holds it against the library.

/// The full reference, or nothing for a word that is none.
pub(in crate::gateway) fn full(word: &str) -> Option<String> {
    let (rest, digest) = match word.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest).filter(|digest| is_digest(digest))?),
        None => (word, ""),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        // A colon before a slash is a registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag).filter(|tag| is_tag(tag))?),
        _ => (rest, ""),
    };
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path),
        _ => ("docker.io", name),
    };
    let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
    if !is_registry(registry) || !path.split('/').all(is_component) {
        return None;
    }
    let library = if registry == "docker.io" && !path.contains('/') { "library/" } else { "" };
    let repository = format!("{library}{path}");
    if repository.len() > LONGEST {
        return None;
    }
    Some(match (tag, digest) {
        ("", "") => format!("{registry}/{repository}:latest"),
        (tag, "") => format!("{registry}/{repository}:{tag}"),
        ("", digest) => format!("{registry}/{repository}@{digest}"),
        (tag, digest) => format!("{registry}/{repository}:{tag}@{digest}"),
    })
}

/// Bytes of a repository's name with its registry, as in Docker's own grammar.
const LONGEST: usize = 255;

fn is_registry(word: &str) -> bool {
    let (host, port) = word.split_once(':').map_or((word, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(inner)
    };
    host.split('.').all(label)
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case letters and digits, with `.`, `_`, `__` or dashes between them.
fn is_component(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let outer = word.bytes().next().is_some_and(plain) && word.bytes().next_back().is_some_and(plain);
    let between = word.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    outer
        && between
            .filter(|part| !part.is_empty())
            .all(|part| matches!(part, "." | "_" | "__") || part.bytes().all(|b| b == b'-'))
}

fn is_tag(word: &str) -> bool {
    let first = word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    first && word.len() <= 128 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// `sha256:` and its digits; the other algorithms are nobody's.
fn is_digest(word: &str) -> bool {
    let digits = word.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::distribution::Reference;
    use proptest::prelude::*;

    #[test]
    fn short_forms_are_expanded_as_docker_does() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        for (word, reference) in [
            ("ubuntu", "docker.io/library/ubuntu:latest"),
            ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
            ("pytorch/pytorch", "docker.io/pytorch/pytorch:latest"),
            ("index.docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
            ("nvcr.io/nvidia/cuda:12", "nvcr.io/nvidia/cuda:12"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
            (&format!("ubuntu@{digest}"), &format!("docker.io/library/ubuntu@{digest}")),
            (&format!("ubuntu:1@{digest}"), &format!("docker.io/library/ubuntu:1@{digest}")),
        ] {
            assert_eq!(full(word).as_deref(), Some(reference));
        }
        let digest_short = "ubuntu@sha256:0f";
        for bad in [
            "",
            "UPPER",
            "a b",
            "../x",
            "x\n",
            "http://x/y",
            "a/",
            "/a",
            "a//b",
            "x:",
            "x:-",
            "a..b",
            digest_short,
        ] {
            assert_eq!(full(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Whatever we take, the library takes and reads alike; it takes more, which is refused here.
        #[test]
        fn the_library_reads_it_alike(word in "[a-z0-9A-Z]{0,4}[-./:_@]{0,2}[a-z0-9]{0,4}[-./:_]{0,3}[a-z0-9A-Z.]{0,4}[:/]?[a-z0-9]{0,3}") {
            if let Some(ours) = full(&word) {
                let theirs: Reference = word.parse().unwrap();
                prop_assert_eq!(ours, theirs.whole());
            }
        }
    }
}
