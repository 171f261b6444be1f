//! Settings in the text of a TOML file, changed so that all else stays as somebody wrote it.

/// The text with this key's value in the place of what stands there; a line that is off by a `#` in front counts where no other
/// has the key. Nothing where neither is there. The value is on one line, before and after.
pub(super) fn set(text: &str, key: &str, value: &str) -> Option<String> {
    let has = |line: &str| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    let on = text.lines().position(has);
    let at = on.or_else(|| text.lines().position(|line| line.strip_prefix('#').is_some_and(has)))?;
    let change = |(number, line): (usize, &str)| match number == at {
        true => changed(line.strip_prefix('#').unwrap_or(line), value) + "\n",
        false => format!("{line}\n"),
    };
    Some(text.lines().enumerate().map(change).collect())
}

/// The text with this line, which stands there behind a `#`, put in force.
pub(super) fn put_in_force(text: &str, begins: &str) -> String {
    let is_it = |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(begins));
    text.lines()
        .map(|line| if is_it(line) { &line[1..] } else { line })
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What is said behind the value stays where it was.
fn changed(line: &str, value: &str) -> String {
    let (name, rest) = line.split_once('=').unwrap_or((line, ""));
    let set = format!("{name}= {value}");
    match rest.find('#') {
        None => set,
        Some(at) => {
            let column = (name.len() + 1 + at).max(set.len() + 1);
            let said = rest.get(at..).unwrap_or_default();
            format!("{set:column$}{said}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# a = 1\n[x]\na   = \"one\"    # why\n#b  = 2\nab = 3\n#[y]  # z\n";

    #[test]
    fn one_line_changes_and_its_comment_stays_in_its_column() {
        assert_eq!(set(TEXT, "a", "\"two\"").unwrap(), TEXT.replace("\"one\"", "\"two\""));
        assert_eq!(set(TEXT, "a", "1").unwrap(), TEXT.replace("\"one\"", "1    "));
        assert_eq!(
            set(TEXT, "a", "\"a longer one\"").unwrap(),
            TEXT.replace("\"one\"    #", "\"a longer one\" #")
        );
        assert_eq!(set(TEXT, "ab", "4").unwrap(), TEXT.replace("ab = 3", "ab = 4"));
    }

    #[test]
    fn what_is_off_is_put_in_force() {
        assert_eq!(set(TEXT, "b", "3").unwrap(), TEXT.replace("#b  = 2", "b  = 3"));
        assert_eq!(set(TEXT, "c", "3"), None);
        assert_eq!(put_in_force(TEXT, "[y]"), TEXT.replace("#[y]", "[y]"));
    }
}
