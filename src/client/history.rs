//! `history`: the steps that an image was made by.

use super::cli::system::HistoryArgs;
use super::context::Context;
use super::error::Error;
use super::output::table::cut;
use super::output::{Column, Format, Row, age, list, print, size};
use super::route::Route;
use serde::Deserialize;
use std::process::ExitCode;

/// One step, leniently.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Step {
    id: String,
    created: i64,
    created_by: String,
    size: u64,
    comment: String,
}

const HEADINGS: [Column; 6] = [
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
];
/// Columns that a command takes where it is cut, as in Docker's table.
const WIDEST: usize = 45;

pub(crate) async fn run(context: &Context, args: &HistoryArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    let format = Format::parse(context.format.as_deref())?;
    let route = Route::new("/images").word(&args.image).then("history");
    let found: Vec<Step> = context.api.get_json(&route).await?;
    if args.quiet && format.is_table() {
        let ids: String = found.iter().map(|step| step.shown_id(!args.no_trunc) + "\n").collect();
        return print(&ids).map(|()| ExitCode::SUCCESS);
    }
    let rows: Vec<Row> = found.iter().map(|step| step.row(!args.no_trunc, args.human)).collect();
    let created = if args.human { "CreatedSince" } else { "CreatedAt" };
    print(&list(&rows, &["ID", created, "CreatedBy", "Size", "Comment"], &HEADINGS, &format)?)?;
    Ok(ExitCode::SUCCESS)
}

impl Step {
    fn shown_id(&self, short: bool) -> String {
        match short && self.id.starts_with("sha256:") {
            true => self.id.trim_start_matches("sha256:").chars().take(12).collect(),
            false => self.id.clone(),
        }
    }

    fn row(&self, short: bool, human: bool) -> Row {
        let mut row = Row::default();
        let by = self.created_by.replace('\t', " ");
        row.set("ID", self.shown_id(short));
        row.set("CreatedSince", age::ago(self.created));
        row.set("CreatedAt", age::rfc3339(self.created));
        row.set("CreatedBy", if short { cut(&by, WIDEST) } else { by });
        row.set("Size", if human { size::decimal(self.size, 3) } else { self.size.to_string() });
        row.set("Comment", self.comment.as_str());
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_step_is_shown_as_docker_shows_it() {
        let step: Step = serde_json::from_value(json!({
            "Id": "sha256:b0c3efabb5d01a80bfda", "Created": 5, "CreatedBy": format!("RUN\tx{}", "y".repeat(60)),
            "Size": 1_980_000, "Comment": "c",
        }))
        .unwrap();
        let row = step.row(true, true);
        assert_eq!((&row.fields["ID"], &row.fields["Size"]), (&json!("b0c3efabb5d0"), &json!("1.98MB")));
        assert_eq!(row.fields["CreatedBy"], json!(format!("RUN x{}…", "y".repeat(39))));
        assert_eq!(step.row(false, false).fields["Size"], json!("1980000"));
        let missing: Step = serde_json::from_value(json!({"Id": "<missing>"})).unwrap();
        assert_eq!(missing.shown_id(true), "<missing>");
    }
}
