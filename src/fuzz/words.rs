//! Words, paths, amounts and the policy: what is read once at the edge.

use super::{assert_harmless, assert_line};
use crate::policy::{Ask, ImageAsk, MountAsk, Policy, RootKind, Usage, Who};
use crate::protocol::amount::{Bytes, Cpus, Span};
use crate::protocol::escape::{escape as escaped, escape_json, escape_line};
use crate::protocol::name::{ContainerName, ContainerRef};
use crate::protocol::path::AskedPath;
use crate::protocol::stage::Access;
use std::path::{Component, Path};

fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// Text of foreign origin on its way to a terminal.
pub fn escape(data: &[u8]) {
    let text = text(data);
    assert_harmless(&escaped(&text));
    assert_line(&escape_line(&text));
    assert_eq!(escaped(&text).matches('\n').count(), text.matches('\n').count());
    assert_eq!(escaped(&escaped(&text)), escaped(&text), "what is harmless is left as it is");
    let json = serde_json::to_string(&text).unwrap();
    let shown = escape_json(&json);
    assert_line(&shown);
    assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
}

/// The words people use for containers.
pub fn references(data: &[u8]) {
    let word = text(data).into_owned();
    if let Ok(name) = ContainerName::try_from(word.clone()) {
        assert_eq!(name.to_string(), word, "a name is what was written");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        assert!((1..=63).contains(&word.len()) && word.bytes().all(plain));
        assert_eq!(ContainerRef::try_from(word.clone()).map(String::from), Ok(word.clone()));
    }
    if let Ok(reference) = ContainerRef::try_from(word.clone()) {
        let shown = reference.to_string();
        assert!(word == shown || word.trim_start_matches('/').eq_ignore_ascii_case(&shown));
        assert!(!shown.is_empty() && shown.len() <= 64);
        assert!(!shown.bytes().any(|byte| b"/%?#& ".contains(&byte) || !byte.is_ascii_graphic()));
        assert!(!shown.starts_with('.'));
        assert_eq!(ContainerRef::try_from(shown), Ok(reference));
    }
}

/// Memory, CPUs, spans of time.
pub fn amounts(data: &[u8]) {
    let word = text(data);
    if let Ok(cpus) = word.parse::<Cpus>() {
        assert_eq!(cpus.to_string().parse(), Ok(cpus));
    }
    if let Ok(span) = word.parse::<Span>() {
        assert_eq!(span.to_string().parse(), Ok(span));
    }
    if let Ok(Bytes(bytes)) = word.parse::<Bytes>() {
        // Shown with one decimal: never more than it is, and never a tenth less.
        let Bytes(shown) = Bytes(bytes).to_string().parse().unwrap();
        assert!(
            shown <= bytes && u128::from(bytes) * 9 <= u128::from(shown) * 10,
            "{bytes} is shown as {shown}"
        );
    }
}

/// Paths in a container, as the API and `cp` read them.
pub fn paths(data: &[u8]) {
    let Ok(path) = AskedPath::new(data) else { return };
    let bytes = path.as_bytes();
    assert!(bytes.starts_with(b"/") && !bytes.contains(&0));
    let mut parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'/').skip(1).collect();
    // The end has a meaning: `/` and `/.` are kept there, and nowhere else.
    parts.pop_if(|last| last.is_empty() || *last == b".");
    assert!(!parts.iter().any(|part| part.is_empty() || *part == b"." || *part == b".."), "{path:?}");
    assert_eq!(AskedPath::new(bytes).as_ref(), Ok(&path), "what was read is read alike");
    assert!(bytes.starts_with(path.parent().as_bytes()));
    assert_eq!(path.asks_for_directory(), bytes.ends_with(b"/") || bytes.ends_with(b"/."));
    assert!(!path.base().is_empty() && path.base() != b"..");
}

/// A policy file, and what it decides.
pub fn policy(data: &[u8]) {
    let text = text(data);
    let policy = match Policy::parse("p.toml", &text) {
        Ok(policy) => policy,
        Err(problems) => {
            let lines = text.matches('\n').count() + 1;
            assert!(problems.iter().count() > 0, "wrong, and nobody says why");
            for problem in problems.iter() {
                // A table that is not there at all has no line, nor has brackets within brackets without an end.
                let none = problem.key == "gateway" || problem.message == "recursion limit";
                let line = problem.line.unwrap_or(usize::from(none));
                assert!((1..=lines).contains(&line), "{problem} has no line of {lines}");
                assert!(!problem.message.is_empty());
            }
            return;
        }
    };
    let uids = policy.gateway().uids();
    assert!(![0, u32::MAX].iter().any(|uid| uids.contains(*uid)), "root, or nobody at all, may connect");
    for root in policy.roots() {
        let plain = root.path.components().skip(1).all(|part| matches!(part, Component::Normal(_)));
        assert!(root.path.is_absolute() && plain && root.path != Path::new("/"), "{root:?} is handed out");
    }
    decide(&policy);
}

/// Asks everything of it, of a user who may have a table and of one who cannot.
fn decide(policy: &Policy) {
    let groups: Vec<String> = policy.groups().map(str::to_owned).collect();
    let users: Vec<&str> = policy.users().chain(["nobody else"]).collect();
    for login in users {
        let today = jiff::civil::date(2026, 11, 20);
        let who = Who { login, groups: &groups, home: Path::new("/home/ann"), today };
        let limits = policy.limits(&who);
        let references = vec!["docker.io/library/ubuntu:latest".to_owned()];
        let image = ImageAsk { shown: "ubuntu".into(), references, own: false };
        let mount = |access| MountAsk { source: "/data/x".into(), target: "/m".into(), access };
        for mounts in [vec![], vec![mount(Access::ReadOnly)], vec![mount(Access::ReadWrite)]] {
            let ask = Ask { image: image.clone(), mounts, ..Ask::default() };
            let Ok(granted) = limits.admit(&Usage::default(), &ask) else { continue };
            let sizes = [granted.cpus().0, granted.memory().0, granted.pids(), granted.shm().0];
            // An engine reads 0 as no limit, and counts in 64 bits with a sign.
            assert!(sizes.iter().all(|size| *size > 0 && i64::try_from(*size).is_ok()), "{sizes:?}");
            for mount in granted.mounts() {
                let root = policy.roots().into_iter().find(|root| root.path == mount.root);
                let root = root.expect("a directory that no root holds is granted");
                let writable = root.kind != RootKind::Shared { writable: false };
                assert!(writable || mount.access == Access::ReadOnly, "{mount:?}");
                assert!(mount.relative.components().all(|part| matches!(part, Component::Normal(_))));
            }
        }
        assert!(limits.quota_lines(&Usage::default()).iter().all(|line| !line.left.starts_with('-')));
        let _shown = limits.values();
    }
}
