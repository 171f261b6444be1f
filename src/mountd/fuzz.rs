//! ie-mountd's entry points for fuzzing: the table of mounts, and its messages.
#![allow(
    clippy::unwrap_used,
    reason = "a broken property, and a broken world of the fuzzer's own, are told by a panic"
)]

use super::roots::{Gateway, Roots};
use super::serve::{Message, receive};
use crate::mountinfo;
use crate::policy::{HostGroups, Policy, RootKind};
use crate::protocol::stage::{Access, Answer, LONGEST, Request, Stage};
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Component, Path};
use std::sync::LazyLock;

/// A line as it is; and one with the first word of it as a path, written as the kernel writes it.
pub(crate) fn mountinfo(data: &[u8]) {
    let _any = mountinfo::parse(data);
    let path: Vec<u8> = data.iter().copied().filter(|byte| *byte != 0).collect();
    // The kernel's own: mangle_path() with these.
    let mangled: Vec<u8> = path.iter().fold(Vec::new(), |mut out, byte| {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => out.extend(format!("\\{byte:03o}").bytes()),
            byte => out.push(*byte),
        }
        out
    });
    let line = [b"36 35 98:0 / ", &mangled[..], b" rw,nosuid shared:1 - fuse.x src rw,user_id=7"].concat();
    let mount = mountinfo::parse(&line).unwrap();
    assert_eq!(mount.at.as_os_str().as_bytes(), path, "another path than the kernel's");
    assert_eq!((mount.id, mount.parent), (36, 35));
    assert!(mount.has("nosuid") && !mount.has("nodev") && mount.is_a_users());
}

static ROOTS: LazyLock<Roots> = LazyLock::new(|| {
    let text = "[gateway]
uids = '1000-59999'
homes = ['/home']
[defaults]
mounts = [{ source = '/data', mode = 'ro' }, { source = '/scratch', mode = 'rw' }]
";
    Roots::of(&Policy::parse("fuzz.toml", text).unwrap())
});

/// What a connection says: bytes on the socket, and the same bytes as one message.
pub(crate) fn message(data: &[u8]) {
    on_the_socket(data);
    if let Ok(answer) = serde_json::from_slice::<Answer>(data) {
        let again = serde_json::to_vec(&answer).unwrap();
        assert_eq!(serde_json::from_slice::<Answer>(&again).unwrap(), answer);
    }
    let Ok(request) = serde_json::from_slice::<Request>(data) else { return };
    let again = serde_json::to_vec(&request).unwrap();
    assert_eq!(serde_json::from_slice::<Request>(&again).unwrap(), request);
    if let Request::Stage(stage) = request {
        admit(&stage);
    }
}

/// Messages come out whole, one after the other, and never more than came in.
fn on_the_socket(data: &[u8]) {
    let (mut gateway, mountd) = UnixStream::pair().unwrap();
    // As much as a socket takes at once: nobody reads meanwhile.
    let data = data.get(..data.len().min(32 << 10)).unwrap_or_default();
    gateway.write_all(data).unwrap();
    gateway.shutdown(Shutdown::Write).unwrap();
    let mut left = data;
    while let Ok(Some(message)) = receive(&mountd) {
        match message {
            Message::Whole(bytes) => {
                let (length, rest) = left.split_first_chunk::<4>().unwrap();
                assert_eq!(usize::try_from(u32::from_be_bytes(*length)).unwrap(), bytes.len());
                left = rest.strip_prefix(&bytes[..]).unwrap();
            }
            Message::TooLong(length) => {
                assert!(length > LONGEST);
                return;
            }
        }
    }
}

/// What is admitted lies below a root, is some user's, and is written to only where that is allowed.
fn admit(stage: &Stage) {
    let Ok(admitted) = ROOTS.admit(stage, Gateway { uid: 900, gid: 900 }, &HostGroups::default()) else {
        return;
    };
    assert!((1000..=59999).contains(&admitted.uid()));
    assert!(!admitted.gids().is_empty() && !admitted.gids().iter().any(|gid| [0, u32::MAX].contains(gid)));
    let roots = ["/home", "/data", "/scratch"].map(Path::new);
    assert!(roots.contains(&admitted.root().path.as_path()), "{:?}", admitted.root());
    let below = admitted.relative();
    assert!(below.components().all(|part| matches!(part, Component::Normal(_))), "{below:?}");
    assert!(!below.as_os_str().as_bytes().contains(&0), "{below:?}");
    assert_eq!(below.as_os_str(), stage.relative.as_os_str(), "another path than was asked for");
    match admitted.root().kind {
        RootKind::Home => assert!(!below.as_os_str().is_empty(), "all homes at once"),
        RootKind::Shared { writable } => assert!(writable || admitted.access() == Access::ReadOnly),
    }
}
