//! The order of names in Docker's lists: `c2` before `c10`.

use std::cmp::Ordering;

/// Runs of digits count as numbers, all else by its bytes.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let ((left, left_rest), (right, right_rest)) = match (piece(a), piece(b)) {
            (Some(left), Some(right)) => (left, right),
            (left, right) => return left.is_some().cmp(&right.is_some()),
        };
        match of_pieces(left, right) {
            Ordering::Equal => (a, b) = (left_rest, right_rest),
            other => return other,
        }
    }
}

/// The first digits or non-digits, and the rest.
fn piece(text: &str) -> Option<(&str, &str)> {
    let is_digit = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(text.len());
    (!text.is_empty()).then(|| text.split_at(end))
}

fn of_pieces(a: &str, b: &str) -> Ordering {
    let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if !(is_number(a) && is_number(b)) {
        return a.cmp(b);
    }
    let bare = |text: &'_ str| text.trim_start_matches('0').len();
    let digits = |text: &str| text.trim_start_matches('0').to_owned();
    bare(a).cmp(&bare(b)).then_with(|| digits(a).cmp(&digits(b))).then_with(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names =
            ["c10", "c2", "b", "c02", "c", "c2a", "C", "c1x2", "c1x10", "99999999999999999999999999"];
        names.sort_by(|a, b| compare(a, b));
        let sorted =
            ["99999999999999999999999999", "C", "b", "c", "c1x2", "c1x10", "c2", "c2a", "c02", "c10"];
        assert_eq!(names, sorted);
    }
}
