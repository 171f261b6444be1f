//! An image's reference taken apart, and what it takes to be of some form.

const DOCKER_HUB: &str = "docker.io";
const OFFICIAL: &str = "library";

/// The full form of a name, as Docker expands it: `ubuntu` is `docker.io/library/ubuntu`.
///
/// A name that begins with `**` stands for any registry and is left as it is.
pub(super) fn expand(name: &str) -> String {
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
pub(super) struct Reference<'r> {
    pub(super) name: &'r str,
    pub(super) tag: Option<&'r str>,
    pub(super) digest: Option<&'r str>,
}

impl<'r> Reference<'r> {
    /// Nothing for a text that an engine could read in some other way than we do.
    pub(super) fn parse(text: &'r str) -> Option<Self> {
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
    pub(super) fn matches(&self, name: &str, tag: Option<&str>, digest: Option<&str>) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
