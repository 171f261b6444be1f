//! Ids that nobody has yet, for an engine's containers.

use super::remap::RemapError;
use super::subordinate::lines;
use super::trusted::open_trusted;
use std::path::Path;

/// Neither SSSD nor systemd gives ids from here on to anybody: docs/admin.md.
const FIRST: u32 = 2_100_000_000;
/// systemd's images have those ids beyond.
const LAST: u32 = 2_147_352_575;
/// Where it is not the first id, it begins at a multiple of this: the count of ids that containers have at least.
const STEP: u32 = 65536;

/// The first of so many ids that stand in neither /etc/subuid nor /etc/subgid; nothing where there is no room.
///
/// # Errors
/// A file that is not there or that others than root can change, or a line in it that can be read in two ways.
pub fn free_ids(count: u32) -> Result<Option<u32>, RemapError> {
    let mut taken = Vec::new();
    for file in ["/etc/subuid", "/etc/subgid"] {
        let text = open_trusted(Path::new(file))?;
        taken.extend(lines(&text, file)?.iter().filter_map(|line| Some((line.first, line.last()?))));
    }
    Ok(first_free(&taken, count))
}

fn first_free(taken: &[(u32, u32)], count: u32) -> Option<u32> {
    let mut first = FIRST;
    loop {
        let last = first.checked_add(count.checked_sub(1)?).filter(|last| *last <= LAST)?;
        let meets = taken.iter().filter(|(from, to)| *from <= last && first <= *to);
        match meets.map(|(_, to)| *to).max() {
            None => return Some(first),
            Some(end) => first = end.checked_add(1)?.checked_next_multiple_of(STEP)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_ids_that_are_free_are_taken() {
        let far = |first: u32| (first, first + 65535);
        assert_eq!(first_free(&[], 65536), Some(FIRST));
        assert_eq!(first_free(&[far(100_000), (FIRST - 65536, FIRST - 1)], 65536), Some(FIRST));
        let next = first_free(&[far(FIRST)], 65536).unwrap();
        assert!(next > FIRST + 65535 && next.is_multiple_of(STEP) && next < FIRST + 3 * STEP);
        assert!(first_free(&[far(FIRST), far(next)], 65536).unwrap() >= next + 65536);
        // A line of one id in the way; and more ids than there are.
        assert!(first_free(&[(FIRST + 65535, FIRST + 65535)], 65536).unwrap() > FIRST);
        assert_eq!(first_free(&[], LAST - FIRST + 1), Some(FIRST));
        assert_eq!(first_free(&[], LAST - FIRST + 2), None);
        assert_eq!(first_free(&[(FIRST, u32::MAX)], 1), None);
        assert_eq!(first_free(&[], 0), None);
    }
}
