//! One line of comma-separated values, as Docker's flags have them: quotes hold commas, a doubled quote is one.

/// The fields of the line; none where a quote stands in the midst of a field, or is not closed.
pub(super) fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => in_quotes(quoted)?,
            None => plain(rest)?,
        };
        fields.push(field);
        match after {
            None => return Some(fields),
            Some(after) => rest = after,
        }
    }
}

/// A field, and what comes after its comma.
type Field<'a> = (String, Option<&'a str>);

fn plain(text: &str) -> Option<Field<'_>> {
    let (field, after) = match text.split_once(',') {
        Some((field, after)) => (field, Some(after)),
        None => (text, None),
    };
    (!field.contains('"')).then(|| (field.to_owned(), after))
}

fn in_quotes(mut text: &str) -> Option<Field<'_>> {
    let mut field = String::new();
    loop {
        let (more, after) = text.split_once('"')?;
        field.push_str(more);
        match after.strip_prefix('"') {
            Some(again) => {
                field.push('"');
                text = again;
            }
            None if after.is_empty() => return Some((field, None)),
            None => return Some((field, Some(after.strip_prefix(',')?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas() {
        for (line, expected) in [
            ("a,b=c", &["a", "b=c"][..]),
            ("", &[""]),
            ("a,", &["a", ""]),
            (r#"type=bind,"src=/a,b",dst=/c"#, &["type=bind", "src=/a,b", "dst=/c"]),
            (r#""a ""quoted"" word","x""#, &[r#"a "quoted" word"#, "x"]),
            (r#""""#, &[""]),
        ] {
            assert_eq!(fields(line).unwrap(), expected, "{line}");
        }
        for bad in [r#"a"b"#, r#""a"#, r#""a"b"#, r#"src="/a,b""#] {
            assert_eq!(fields(bad), None, "{bad}");
        }
    }
}
