//! The client's entry points for fuzzing: what an engine says, shown on a terminal.

use super::output::{Format, Row, list};
use super::ps::{HEADINGS, Summary};
use super::stream::{Demux, Stream};
use super::{inspect, output};
use crate::fuzz::assert_harmless;
use serde_json::value::RawValue;

const COLUMNS: [&str; 8] = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Labels", "Names"];

/// `JSON [NUL TEMPLATE]`: a list of containers in all its forms, and the same as a description.
pub(crate) fn lists(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let json = parts.next().unwrap_or_default();
    let template = parts.next().and_then(|text| str::from_utf8(text).ok());
    // What the user types for a template is the user's own.
    let template = template.filter(|text| !text.chars().any(char::is_control));
    let formats = [Some("table"), Some("json"), Some("{{json .}}"), Some("table {{.Names}}\\t{{.Labels}}")];
    for format in formats.into_iter().chain(template.is_some().then_some(template)) {
        let Ok(format) = Format::parse(format) else { continue };
        let Ok(found) = serde_json::from_slice::<Vec<Summary>>(json) else { break };
        for short in [true, false] {
            let rows: Vec<Row> = found.iter().map(|one| one.row(short, true)).collect();
            let Ok(shown) = list(&rows, &COLUMNS, &HEADINGS, &format) else { continue };
            check(&shown, template);
            if format.is_table() {
                assert_eq!(shown.matches('\n').count(), rows.len() + 1, "a container makes lines of its own");
            }
        }
    }
    if let Ok(value) = serde_json::from_slice::<Box<RawValue>>(json)
        && let Ok(shown) = inspect::shown(&[value], None)
    {
        check(&shown, None);
    }
}

/// Tabs are the template's own, and a table's are gone.
fn check(shown: &str, template: Option<&str>) {
    let own = |c: char| template.is_some_and(|template| template.contains(c));
    let foreign: String = shown.chars().filter(|c| *c != '\t' && !own(*c)).collect();
    assert_harmless(&foreign);
    let _columns = output::table::align(&[vec![foreign]]);
}

/// stdout and stderr out of the engine's frames, and whether they were frames.
pub(crate) fn demux(chunks: &mut dyn Iterator<Item = &[u8]>) -> (Vec<u8>, Vec<u8>, bool) {
    let (mut demux, mut out, mut err) = (Demux::default(), Vec::new(), Vec::new());
    for chunk in chunks {
        let fed = demux.feed(chunk, |stream, part| {
            match stream {
                Stream::Out => out.extend_from_slice(part),
                Stream::Err => err.extend_from_slice(part),
            }
            Ok(())
        });
        if fed.is_err() {
            return (out, err, false);
        }
    }
    (out, err, true)
}
