//! One line of values with commas between, as Docker's client reads it: a value that begins with a quote ends at the next.

/// The values; none where a quote is not closed, or stands in the middle of a value without quotes.
pub(super) fn fields(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => closed(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (field, after) = rest.split_at_checked(end)?;
                (Some(field.to_owned()).filter(|field| !field.contains('"'))?, after)
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

/// What lies before the closing quote, two of which are one of the value's, and what comes after it.
fn closed(quoted: &str) -> Option<(String, &str)> {
    let (mut value, mut rest) = (String::new(), quoted);
    loop {
        let (part, after) = rest.split_once('"')?;
        value.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas() {
        for (line, expected) in [
            ("", Some(vec![""])),
            ("a", Some(vec!["a"])),
            ("a,b=c,", Some(vec!["a", "b=c", ""])),
            ("\"a,b\",c", Some(vec!["a,b", "c"])),
            ("\"a\"\"b\"", Some(vec!["a\"b"])),
            ("\"\"", Some(vec![""])),
            ("\"a", None),
            ("a\"b", None),
            ("\"a\"b", None),
        ] {
            let expected = expected.map(|fields| fields.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(fields(line), expected, "{line}");
        }
    }
}
