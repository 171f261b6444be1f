//! Archives that want something they should not have: one table for everything that unpacks.

pub(crate) mod sandbox;

use std::path::Path;
use tar::{Builder, Header};

/// One archive and what it tries.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) bytes: Vec<u8>,
}

/// How a name is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Plain,
    Prefix,
    Gnu,
    Pax,
    GnuThenPax,
    PaxTwice,
    GlobalPax,
}

/// A member to be; fields are written as they are, checksum apart.
#[derive(Clone)]
struct Member {
    kind: u8,
    name: Vec<u8>,
    target: Vec<u8>,
    mode: u32,
    size: Vec<u8>,
    data: Vec<u8>,
    carrier: Carrier,
}

fn member(kind: u8, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Member {
    let data = if kind == b'0' { b"hostile\n".to_vec() } else { Vec::new() };
    Member {
        kind,
        name: name.as_ref().to_vec(),
        target: target.as_ref().to_vec(),
        mode: 0o644,
        size: format!("{:011o}", data.len()).into_bytes(),
        data,
        carrier: Carrier::Plain,
    }
}

fn file(name: impl AsRef<[u8]>) -> Member {
    member(b'0', name, "")
}

fn link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Member {
    member(b'2', name, target)
}

fn hard(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Member {
    member(b'1', name, target)
}

fn directory(name: impl AsRef<[u8]>) -> Member {
    Member { mode: 0o777, ..member(b'5', name, "") }
}

fn block(kind: u8, name: &[u8], target: &[u8], mode: u32, size: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0o14_000_000_000);
    header.set_username("root").unwrap();
    header.set_groupname("root").unwrap();
    let fields = header.as_old_mut();
    // As they are: the crate writes no name that leads elsewhere, and no size that is none.
    put(&mut fields.name, name);
    put(&mut fields.linkname, target);
    put(&mut fields.size, size);
    fields.linkflag = [kind];
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Writes as much of the bytes as the field holds, and zeroes after them.
fn put(field: &mut [u8], bytes: &[u8]) {
    field.fill(0);
    let some = bytes.len().min(field.len());
    field[..some].copy_from_slice(&bytes[..some]);
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn extension(kind: u8, text: &[u8]) -> Vec<u8> {
    let header = block(kind, b"././@LongLink", b"", 0, format!("{:011o}", text.len()).as_bytes());
    [header, padded(text.to_vec())].concat()
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    archive.append_pax_extensions([(key, value)]).unwrap();
    let (header, text) = archive.get_ref().split_at(512);
    let length = Header::from_byte_slice(header).entry_size().unwrap();
    text[..length.try_into().unwrap()].to_vec()
}

fn bytes(member: &Member) -> Vec<u8> {
    let gnu = || {
        [
            extension(b'L', &[&member.name, &b"\0"[..]].concat()),
            extension(b'K', &[&member.target, &b"\0"[..]].concat()),
        ]
        .concat()
    };
    let records = [record("path", &member.name), record("linkpath", &member.target)].concat();
    let plain = (member.name.as_slice(), member.target.as_slice());
    let (before, (name, target)) = match member.carrier {
        Carrier::Plain | Carrier::Prefix => (vec![], plain),
        Carrier::Gnu => (gnu(), (&b"harmless"[..], &b"harmless"[..])),
        Carrier::Pax => (extension(b'x', &records), (&b"harmless"[..], &b"harmless"[..])),
        Carrier::GnuThenPax => {
            ([gnu(), extension(b'x', &record("path", b"harmless"))].concat(), (&b"harmless"[..], &b"x"[..]))
        }
        Carrier::PaxTwice => (
            [extension(b'x', &record("path", b"harmless")), extension(b'x', &records)].concat(),
            (&b"harmless"[..], &b"x"[..]),
        ),
        Carrier::GlobalPax => (extension(b'g', &records), (&b"harmless"[..], &b"harmless"[..])),
    };
    let mut header = block(member.kind, name, target, member.mode, &member.size);
    if member.carrier == Carrier::Prefix {
        let at = name.iter().rposition(|byte| *byte == b'/').filter(|at| *at > 0).unwrap_or(0);
        let (prefix, last) = if at > 0 { (&name[..at], &name[at + 1..]) } else { (&b".."[..], name) };
        let mut with_prefix = Header::from_byte_slice(&header).clone();
        let fields = with_prefix.as_ustar_mut().unwrap();
        put(&mut fields.name, last);
        put(&mut fields.prefix, prefix);
        with_prefix.set_cksum();
        header = with_prefix.as_bytes().to_vec();
    }
    [before, header, padded(member.data.clone())].concat()
}

fn archive(members: &[Member]) -> Vec<u8> {
    let mut all: Vec<u8> = members.iter().flat_map(bytes).collect();
    all.resize(all.len() + 1024, 0);
    all
}

/// The table. `outside` is an absolute directory beside the target (`../outside` from it) that must not change; it
/// holds a file `secret` and a directory `dir`.
pub(crate) fn cases(outside: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |what: String, bytes: Vec<u8>| cases.push(Case { what, bytes });
    let away = outside.to_str().unwrap();
    names(away, &mut add);
    through_links(away, &mut add);
    hard_links(away, &mut add);
    odd_members(&mut add);
    lengths(&mut add);
    damaged(&mut add);
    cases
}

/// Names that lead elsewhere, each of the ways to write a name, for each kind of member.
fn names(away: &str, add: &mut impl FnMut(String, Vec<u8>)) {
    let names = [
        "../outside/new".to_owned(),
        format!("{away}/new"),
        "a/../../outside/new".to_owned(),
        "./../outside/secret".to_owned(),
        format!("//{away}/secret"),
        "..".to_owned(),
        "a/../../outside/dir".to_owned(),
        "./.././outside/new".to_owned(),
    ];
    for name in names {
        for carrier in [
            Carrier::Plain,
            Carrier::Prefix,
            Carrier::Gnu,
            Carrier::Pax,
            Carrier::GnuThenPax,
            Carrier::PaxTwice,
            Carrier::GlobalPax,
        ] {
            for (kind, target) in [(b'0', ""), (b'5', ""), (b'2', "secret"), (b'7', ""), (0, "")] {
                let hostile = Member { carrier, mode: 0o4777, ..member(kind, &name, target) };
                add(format!("{name} by {carrier:?}, type {kind}"), archive(&[hostile, file("after")]));
            }
        }
    }
}

/// A link first, then a member that leads through it or changes what it points at.
fn through_links(away: &str, add: &mut impl FnMut(String, Vec<u8>)) {
    let targets = [
        away.to_owned(),
        "../outside".to_owned(),
        "..".to_owned(),
        ".".to_owned(),
        format!("/proc/self/root{away}"),
        "/proc/self/cwd/../outside".to_owned(),
        "a/../../outside".to_owned(),
        "/".to_owned(),
        format!("{away}/dir/.."),
    ];
    for target in targets {
        let below = if target == "/" {
            away.trim_start_matches('/').to_owned() + "/"
        } else if target == ".." {
            "outside/".to_owned()
        } else {
            String::new()
        };
        for (what, second) in [
            ("file", file(format!("l/{below}new"))),
            ("over", file(format!("l/{below}secret"))),
            ("directory", directory(format!("l/{below}new"))),
            ("chmod", directory("l/")),
            ("chmod below", directory(format!("l/{below}dir"))),
            ("link", link(format!("l/{below}new"), "x")),
            ("hard link in", hard(format!("l/{below}new"), "f")),
            ("hard link out", hard("stolen", format!("l/{below}secret"))),
            ("with a dot", file(format!("l/./{below}new"))),
        ] {
            add(
                format!("through a link to {target}: {what}"),
                archive(&[file("f"), link("l", &target), second]),
            );
        }
        let chain = [link("one", &target), link("two", "one"), file(format!("two/{below}new"))];
        add(format!("through two links to {target}"), archive(&chain));
        let inner = [directory("a"), link("a/l", &target), link("b", "a/l"), file(format!("b/{below}new"))];
        add(format!("through an inner link to {target}"), archive(&inner));
        let named = [link("l", &target), hard("also", "l"), file(format!("also/{below}new"))];
        add(format!("through a hard link to a link to {target}"), archive(&named));
    }
    let secret = format!("{away}/secret");
    for target in [secret.as_str(), "../outside/secret"] {
        add(format!("a file over a link to {target}"), archive(&[link("l", target), file("l")]));
        let modes = Member { mode: 0o4777, ..file("l") };
        add(format!("a setuid file over a link to {target}"), archive(&[link("l", target), modes]));
        add(
            format!("a hard link over a link to {target}"),
            archive(&[file("f"), link("l", target), hard("l", "f")]),
        );
        add(format!("a directory over a link to {target}"), archive(&[link("l", target), directory("l")]));
    }
    let swap = [directory("d"), file("d/f"), link("d", away), file("d/new")];
    add("a link over a directory".to_owned(), archive(&swap));
}

fn hard_links(away: &str, add: &mut impl FnMut(String, Vec<u8>)) {
    let secret = format!("{away}/secret");
    for target in [
        secret.as_str(),
        "../outside/secret",
        "a/../../outside/secret",
        "mine",
        "kept",
        ".",
        "..",
        "",
        "h",
        "kept/inner",
    ] {
        for carrier in [Carrier::Plain, Carrier::Gnu, Carrier::Pax] {
            let hostile = Member { carrier, mode: 0o4777, ..hard("h", target) };
            add(format!("a hard link to {target:?} by {carrier:?}"), archive(&[hostile.clone(), file("h")]));
        }
    }
    let linked = [link("l", &secret), hard("h", "l")];
    add("a hard link to a link outside".to_owned(), archive(&linked));
}

fn odd_members(add: &mut impl FnMut(String, Vec<u8>)) {
    for mode in [0o4755, 0o2755, 0o1777, 0o7777, 0o6711] {
        for kind in [b'0', b'5'] {
            let hostile = Member { mode, ..member(kind, "bits", "") };
            add(format!("mode {mode:o}, type {kind}"), archive(&[hostile]));
        }
    }
    let bits = [file("f"), Member { mode: 0o4755, ..hard("h", "f") }];
    add("setuid by hard link".to_owned(), archive(&bits));
    for kind in b"346SMVDNXAZ\xff" {
        add(format!("type {}", kind.escape_ascii()), archive(&[member(*kind, "odd", ""), file("after")]));
    }
    for (key, value) in [
        ("SCHILY.xattr.security.capability", &b"\x01\0\0\x02\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0"[..]),
        ("SCHILY.xattr.user.x", b"y"),
        ("LIBARCHIVE.xattr.user.x", b"eQ=="),
        ("SCHILY.acl.access", b"user::rwx,user:5002:rwx"),
        ("uid", b"0"),
        ("uname", b"root"),
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.name", b"../outside/new"),
        ("GNU.sparse.realsize", b"1099511627776"),
        ("SCHILY.devmajor", b"8"),
    ] {
        let pax = extension(b'x', &record(key, value));
        add(format!("pax {key}"), [pax, archive(&[file("f")])].concat());
    }
    for name in [
        &b"\0"[..],
        b"",
        b".",
        b"./",
        b"/",
        b"\xff\xfe",
        b"\n\x1b[2J",
        b".ie-copy.0000000000000000",
        b"mine",
        b"kept",
        b"kept/",
        b"mine/x",
    ] {
        for kind in [b'0', b'2', b'5'] {
            add(
                format!("name {}, type {kind}", name.escape_ascii()),
                archive(&[member(kind, name, "x"), file("after")]),
            );
        }
    }
}

fn lengths(add: &mut impl FnMut(String, Vec<u8>)) {
    let sizes: [&[u8]; 9] = [
        b"77777777777",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"-0000000001",
        b"0x10",
        b"99999999999",
        b"00000000001",
    ];
    for size in sizes {
        for kind in [b'0', b'5', b'2', b'1', b'x', b'L'] {
            let hostile = Member { size: size.to_vec(), ..member(kind, "sized", "f") };
            add(
                format!("size {}, type {kind}", size.escape_ascii()),
                archive(&[file("f"), hostile, file("after")]),
            );
        }
    }
    for size in ["0", "1", "512", "99999999", "18446744073709551615", "18446744073709551616", "-1", "1e3", ""]
    {
        // The bytes that one reader takes for contents are another one's header.
        let inner = Member { mode: 0o4777, ..file("../outside/new") };
        let carrier = Member { data: bytes(&inner), size: b"00000002000".to_vec(), ..file("outer") };
        let pax = extension(b'x', &record("size", size.as_bytes()));
        add(format!("pax size {size}"), [pax, archive(&[carrier])].concat());
    }
    for length in [101, 256, 1000, 4097, 70_000] {
        for carrier in [Carrier::Gnu, Carrier::Pax] {
            let deep = Member { carrier, ..file("d/".repeat(length / 2) + "f") };
            add(format!("{} directories deep by {carrier:?}", length / 2), archive(&[deep]));
        }
    }
    for length in [101, 255, 256, 4095, 4096, 4097, 70_000] {
        for carrier in [Carrier::Gnu, Carrier::Pax] {
            let flat = Member { carrier, ..file("n".repeat(length)) };
            add(format!("a name of {length} by {carrier:?}"), archive(&[flat]));
            let target = Member { carrier, ..link("l", "t".repeat(length)) };
            add(format!("a target of {length} by {carrier:?}"), archive(&[target]));
        }
    }
}

fn damaged(add: &mut impl FnMut(String, Vec<u8>)) {
    let whole = archive(&[
        file("cut-1"),
        directory("cut-d"),
        Member { data: vec![b'x'; 2000], size: b"00000003720".to_vec(), ..file("cut-d/2") },
    ]);
    for cut in [1, 100, 511, 512, 513, 520, 600, 1023, 1024, 1025, 1500, 1536, 2000, 2048, 2560, 3500, 3583] {
        add(format!("cut off at {cut}"), whole[..cut].to_vec());
    }
    for at in [0, 100, 148, 156, 257, 511, 1024, 1536] {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x40;
        add(format!("a bit flipped at {at}"), flipped);
    }
    for (program, magic) in [
        ("gzip", &b"\x1f\x8b\x08\0"[..]),
        ("bzip2", b"BZh91AY"),
        ("xz", b"\xfd7zXZ\0"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("compress", b"\x1f\x9d\x90"),
    ] {
        add(format!("{program}'s first bytes"), [magic, &[7; 700]].concat());
        add(
            format!("{program}'s first bytes in a sealed header"),
            archive(&[Member { carrier: Carrier::Plain, ..file(magic) }]),
        );
    }
    add(
        "records without an end".to_owned(),
        [extension(b'x', b"99 path=x\n"), archive(&[file("f")])].concat(),
    );
    add("an extension and then the end".to_owned(), [extension(b'L', b"name\0"), vec![0; 1024]].concat());
    add(
        "an extension in an extension".to_owned(),
        [extension(b'L', b"one\0"), extension(b'L', b"two\0"), archive(&[file("f")])].concat(),
    );
    add("nothing".to_owned(), vec![]);
    add("text".to_owned(), b"hello, this is no archive\n".repeat(60));
}
