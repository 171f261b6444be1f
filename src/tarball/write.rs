//! The writer: headers in GNU's form, which every tar reads, long names and large numbers included.

use super::entry::{Entry, Kind, Owner};
use super::header;
use super::note;
use super::pax::{COMMENT, FAILURE};
use super::{BLOCK, padding, wide};
use tar::{Builder, EntryType, Header};

/// Appends an entry's header; its contents, and [`pad`], are the caller's to append.
pub fn header(out: &mut Vec<u8>, entry: &Entry, owner: Owner) {
    let mut header = Header::new_gnu();
    let fields = header.as_old_mut();
    name(out, EntryType::GNULongName, &mut fields.name, &entry.name);
    name(out, EntryType::GNULongLink, &mut fields.linkname, &entry.target);
    header.set_mode(entry.mode & 0o7777);
    header.set_uid(owner.uid.into());
    header.set_gid(owner.gid.into());
    header.set_size(entry.size);
    header::set_mtime(&mut header, entry.mtime.seconds);
    header.set_entry_type(match entry.kind {
        Kind::File => EntryType::Regular,
        Kind::HardLink => EntryType::Link,
        Kind::Symlink => EntryType::Symlink,
        Kind::Directory => EntryType::Directory,
    });
    seal(out, header);
}

/// Appends the zeroes that follow a file of this size.
pub fn pad(out: &mut Vec<u8>, size: u64) {
    let zeroes = usize::try_from(padding(size)).unwrap_or_default();
    out.resize(out.len() + zeroes, 0);
}

/// Appends the end mark.
pub fn end(out: &mut Vec<u8>) {
    out.resize(out.len() + 2 * BLOCK, 0);
}

/// Appends a last word instead of the end mark: why the archive stops here.
///
/// Our own reader says it as its error. Others pass over it, so the stream must also be cut off, not ended.
pub fn failure(out: &mut Vec<u8>, why: &str) {
    let why: String = why.chars().take(200).collect();
    record(out, FAILURE, why.as_bytes());
}

/// Appends a note between two members: what was gone on past, and whether it is a fault.
pub fn note(out: &mut Vec<u8>, is_fault: bool, words: &str) {
    record(out, COMMENT, &note::comment(is_fault, words));
}

/// A record that stands alone. The crate writes it as one of the next member's, so its header is made another one.
fn record(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let mut archive = Builder::new(Vec::new());
    // Into memory, which takes everything.
    let _ = archive.append_pax_extensions([(key, value)]);
    if let Some((block, text)) = archive.get_ref().split_first_chunk::<BLOCK>() {
        let mut header = Header::from_byte_slice(block).clone();
        header.set_entry_type(EntryType::XGlobalHeader);
        seal(out, header);
        out.extend_from_slice(text);
    }
}

/// A name in its field, byte by byte: the crate would write it as another path. One that is too long stands before the
/// header, whole, and here a word that means no path: cut off, it could end in `..`.
fn name(out: &mut Vec<u8>, kind: EntryType, field: &mut [u8], name: &[u8]) {
    let fits = name.len() <= field.len();
    header::put(field, if fits { name } else { b"@long-name" });
    if fits {
        return;
    }
    let mut header = Header::new_gnu();
    header::put(&mut header.as_old_mut().name, b"././@LongLink");
    header.set_size(wide(name.len() + 1));
    header.set_entry_type(kind);
    seal(out, header);
    out.extend_from_slice(name);
    out.push(0);
    pad(out, wide(name.len() + 1));
}

/// Appends a header with its sum.
fn seal(out: &mut Vec<u8>, mut header: Header) {
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::entry::Time;
    use super::super::read::compression;
    use super::super::read::{Event, Malformed, Reader};
    use super::*;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Entry> {
        let name = proptest::collection::vec(1u8.., 1..300);
        let kind =
            prop_oneof![Just(Kind::File), Just(Kind::Directory), Just(Kind::Symlink), Just(Kind::HardLink)];
        (kind, name.clone(), name, 0u64..3000, 0u32..0o10000, any::<i64>()).prop_map(
            |(kind, mut name, target, size, mode, seconds)| {
                let link = matches!(kind, Kind::Symlink | Kind::HardLink);
                if kind == Kind::File && name.ends_with(b"/") {
                    name.push(b'f');
                }
                // A first name that looks compressed is refused as such, whoever wrote it.
                if compression(&name).is_some() {
                    name.insert(0, b'n');
                }
                let size = if kind == Kind::File { size } else { 0 };
                let target = if link { target } else { vec![] };
                Entry { kind, name, target, size, mode, mtime: Time { seconds, nanoseconds: 0 } }
            },
        )
    }

    fn written(entries: &[Entry]) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in entries {
            header(&mut out, entry, Owner { uid: 5001, gid: 4_000_000_000 });
            out.resize(out.len() + usize::try_from(entry.size).unwrap(), b'x');
            pad(&mut out, entry.size);
        }
        end(&mut out);
        out
    }

    fn read(bytes: &[u8], step: usize) -> Result<(Vec<Entry>, usize), Malformed> {
        let (mut reader, mut entries, mut contents) = (Reader::default(), vec![], 0);
        for mut part in bytes.chunks(step) {
            while let Some(event) = reader.next(&mut part)? {
                match event {
                    Event::Entry(entry) => entries.push(entry),
                    Event::Data(data) => contents += data.len(),
                    Event::Special { .. } | Event::Note { .. } | Event::Close | Event::End => {}
                }
            }
            assert!(part.is_empty());
        }
        reader.finish()?;
        Ok((entries, contents))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_in_steps_of_any_length(list in proptest::collection::vec(entries(), 0..6), step in 1usize..2000) {
            let bytes = written(&list);
            let size: u64 = list.iter().map(|entry| entry.size).sum();
            prop_assert_eq!(read(&bytes, step), Ok((list, usize::try_from(size).unwrap())));
        }

        #[test]
        fn a_cut_archive_is_not_whole(list in proptest::collection::vec(entries(), 1..3), cut in 1usize..5000) {
            let bytes = written(&list);
            let cut = cut.min(bytes.len() - 1025);
            if let Ok((read, _)) = read(&bytes[..cut], 512) {
                prop_assert!(read.len() < list.len() && list.starts_with(&read));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000), list in proptest::collection::vec(entries(), 0..2), at in any::<prop::sample::Index>()) {
            let _ = read(&bytes, 700);
            // Damage that the checksum does not see: sealed again after it.
            let mut archive = written(&list);
            let start = at.index(archive.len() / BLOCK) * BLOCK;
            for (place, byte) in archive[start..start + BLOCK].iter_mut().zip(&bytes) {
                *place ^= byte & 1;
            }
            let mut header = Header::from_byte_slice(&archive[start..start + BLOCK]).clone();
            header.set_cksum();
            archive[start..start + BLOCK].copy_from_slice(header.as_bytes());
            let _ = read(&archive, 700);
        }

        #[test]
        fn the_tar_crate_reads_the_same(list in proptest::collection::vec(entries(), 0..5)) {
            let bytes = written(&list);
            let mut archive = tar::Archive::new(bytes.as_slice());
            let mut count = 0;
            for (member, entry) in archive.entries().unwrap().zip(&list) {
                let member = member.unwrap();
                prop_assert_eq!(&*member.path_bytes(), entry.name.as_slice());
                prop_assert_eq!(member.size(), entry.size);
                prop_assert_eq!(member.header().uid().unwrap(), 5001);
                prop_assert_eq!(member.header().gid().unwrap(), 4_000_000_000);
                prop_assert_eq!(member.header().mode().unwrap(), entry.mode);
                if !entry.target.is_empty() {
                    let target = member.link_name_bytes().unwrap().into_owned();
                    prop_assert_eq!(target, entry.target.clone());
                }
                count += 1;
            }
            prop_assert_eq!(count, list.len());
        }

        #[test]
        fn a_last_word_arrives(why in "\\PC{1,300}") {
            let mut out = written(&[]);
            out.clear();
            failure(&mut out, &why);
            let said: String = crate::protocol::escape::escape_line(&why.chars().take(200).collect::<String>());
            prop_assert_eq!(read(&out, 512), Err(Malformed::Sender(said)));
        }
    }

    #[test]
    fn a_large_file_has_its_size_in_base_256() {
        let entry = Entry {
            kind: Kind::File,
            name: b"big".to_vec(),
            target: vec![],
            size: 1 << 40,
            mode: 0o644,
            mtime: Time::default(),
        };
        let mut out = Vec::new();
        header(&mut out, &entry, Owner { uid: 0, gid: 0 });
        let mut reader = Reader::default();
        assert_eq!(reader.next(&mut out.as_slice()), Ok(Some(Event::Entry(entry))));
        assert_eq!(reader.finish(), Err(Malformed::Truncated));
    }
}
