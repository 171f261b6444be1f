//! What a copy says of itself: bytes on a terminal while it runs, one line when it is done.

use crate::tarball::note::Notes;
use crate::tarball::shown;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;

/// Bytes so far, on a terminal.
pub fn bar(quiet: bool) -> ProgressBar {
    let style = ProgressStyle::with_template("Copied {decimal_bytes} ({decimal_bytes_per_sec})");
    match style {
        Ok(style) if !quiet => ProgressBar::new_spinner().with_style(style),
        _ => ProgressBar::hidden(),
    }
}

/// What was passed over, also when quiet: it is not there. stderr closed is nobody's loss.
pub fn notes(notes: &Notes) {
    let mut stderr = std::io::stderr().lock();
    for note in &notes.said {
        let _ = writeln!(stderr, "ie-container: {note}");
    }
    if notes.more > 0 {
        let _ = writeln!(stderr, "ie-container: and {} more like these", notes.more);
    }
}

/// Docker's summary.
pub fn copied(contents: u64, to: &[u8]) {
    let _ = writeln!(std::io::stderr().lock(), "Successfully copied {} to {}", human(contents), shown(to));
}

/// Bytes as Docker writes them: three digits, powers of 1000.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut unit = 1u128;
    for (at, name) in UNITS.iter().enumerate() {
        // Three digits: as many thousandths of the unit as a hundredth, a tenth or a whole of it is shown.
        let thousandths = u128::from(bytes) * 1000 / unit;
        let step = match thousandths {
            0..=9_994 => 10,
            9_995..=99_949 => 100,
            _ => 1000,
        };
        let rounded = (thousandths + step / 2) / step * step;
        if rounded < 1_000_000 || at + 1 == UNITS.len() {
            let fraction = format!("{:03}", rounded % 1000);
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            return format!("{}{point}{fraction}{name}", rounded / 1000);
        }
        unit *= 1000;
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_docker_s() {
        for (bytes, text) in [
            (0, "0B"),
            (5, "5B"),
            (999, "999B"),
            (1000, "1kB"),
            (2048, "2.05kB"),
            (2560, "2.56kB"),
            (999_400, "999kB"),
            (999_600, "1MB"),
            (512_000_000, "512MB"),
            (536_870_912, "537MB"),
            (12_345_678, "12.3MB"),
            (u64::MAX, "18.4EB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
