//! Progress on stderr: bars on a terminal, lines otherwise, nothing when nothing is wanted.

use super::output::say;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::io::{self, IsTerminal};

/// One thing that happened to one part of the work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The part; empty for the whole.
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) done: u64,
    /// Zero where it is not known.
    pub(crate) total: u64,
}

pub(crate) enum Progress {
    Silent,
    Lines { last: HashMap<String, String> },
    Bars { all: MultiProgress, parts: HashMap<String, ProgressBar> },
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            Self::Silent
        } else if io::stderr().is_terminal() {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            Self::Bars { all, parts: HashMap::new() }
        } else {
            Self::Lines { last: HashMap::new() }
        }
    }

    pub(crate) fn tell(&mut self, event: &Event) {
        match self {
            Self::Silent => {}
            Self::Lines { last } => say(&line(last, event).unwrap_or_default()),
            Self::Bars { all, .. } if event.id.is_empty() => {
                // A terminal that is gone shows nothing, and the work goes on.
                let _ = all.println(&event.status);
            }
            Self::Bars { all, parts } => draw(all, parts, event),
        }
    }
}

impl Drop for Progress {
    /// What was said last stays on the screen.
    fn drop(&mut self) {
        if let Self::Bars { parts, .. } = self {
            parts.values().for_each(ProgressBar::abandon);
        }
    }
}

/// A line for each change of state, none for each byte.
fn line(last: &mut HashMap<String, String>, event: &Event) -> Option<String> {
    if event.id.is_empty() {
        return Some(format!("{}\n", event.status));
    }
    let before = last.insert(event.id.clone(), event.status.clone());
    (before.as_ref() != Some(&event.status)).then(|| format!("{}: {}\n", event.id, event.status))
}

fn draw(all: &MultiProgress, parts: &mut HashMap<String, ProgressBar>, event: &Event) {
    let bar = parts.entry(event.id.clone()).or_insert_with(|| {
        let bar = all.add(ProgressBar::no_length());
        bar.set_prefix(event.id.clone());
        bar
    });
    let shape = match event.total {
        0 => "{prefix}: {msg}",
        _ => "{prefix}: {msg} [{bar:40}] {bytes}/{total_bytes}",
    };
    if let Ok(style) = ProgressStyle::with_template(shape) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(event.status.clone());
    if event.total > 0 {
        bar.set_length(event.total);
        bar.set_position(event.done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_of_changes_only() {
        let mut last = HashMap::new();
        let event = |id: &str, status: &str, done| Event {
            id: id.to_owned(),
            status: status.to_owned(),
            done,
            total: 100,
        };
        assert_eq!(line(&mut last, &event("a", "Downloading", 1)).unwrap(), "a: Downloading\n");
        assert_eq!(line(&mut last, &event("a", "Downloading", 2)), None);
        assert_eq!(line(&mut last, &event("a", "Pull complete", 0)).unwrap(), "a: Pull complete\n");
        assert_eq!(line(&mut last, &event("", "Status: done", 0)).unwrap(), "Status: done\n");
    }
}
