//! `images`: the list of images.

use super::cli::list::ImagesArgs;
use super::context::Context;
use super::error::Error;
use super::filters;
use super::output::{Column, Format, Row, age, list, print, size};
use super::route::Route;
use serde::Deserialize;
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Image {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    created: i64,
    size: u64,
    /// Bytes that other images have, too; -1 where nobody has looked.
    shared_size: Option<i64>,
    /// How many there are of it; -1 where nobody has looked.
    pub(crate) containers: i64,
    labels: Value,
}

const HEADINGS: [Column; 7] = [
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
];
const NONE: &str = "<none>";

pub(crate) async fn run(context: &Context, args: &ImagesArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    let format = Format::parse(context.format.as_deref())?;
    let mut asked = args.filter.clone();
    asked.extend(args.reference.iter().map(|reference| format!("reference={reference}")));
    let route = Route::new("/images/json")
        .flag("all", args.all)
        .flag("digests", args.digests)
        .given("filters", filters::json(&asked)?.as_deref());
    let found: Vec<Image> = context.api.get_json(&route).await?;
    let rows: Vec<Row> = found.iter().flat_map(|image| image.rows(!args.no_trunc)).collect();
    if args.quiet && format.is_table() {
        let mut ids: Vec<_> = found.iter().map(|image| image.shown_id(!args.no_trunc) + "\n").collect();
        ids.dedup();
        return print(&ids.concat()).map(|()| ExitCode::SUCCESS);
    }
    let columns: &[&str] = match args.digests {
        true => &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"],
        false => &["Repository", "Tag", "ID", "CreatedSince", "Size"],
    };
    print(&list(&rows, columns, &HEADINGS, &format)?)?;
    Ok(ExitCode::SUCCESS)
}

impl Image {
    fn shown_id(&self, short: bool) -> String {
        match short {
            true => self.id.trim_start_matches("sha256:").chars().take(12).collect(),
            false => self.id.clone(),
        }
    }

    /// Bytes that no other image has, if that is known.
    pub(crate) fn alone(&self) -> Option<u64> {
        let shared = u64::try_from(self.shared_size.unwrap_or_default()).ok()?;
        Some(self.size.saturating_sub(shared))
    }

    /// Its rows, with what it shares.
    pub(crate) fn sized_rows(&self) -> Vec<Row> {
        let known = |bytes: Option<u64>| bytes.map_or("N/A".to_owned(), |bytes| size::decimal(bytes, 4));
        let mut rows = self.rows(true);
        for row in &mut rows {
            row.set("Size", size::decimal(self.size, 4));
            row.set("SharedSize", known(self.alone().map(|alone| self.size - alone)));
            row.set("UniqueSize", known(self.alone()));
            row.set(
                "Containers",
                if self.containers < 0 { "N/A".to_owned() } else { self.containers.to_string() },
            );
        }
        rows
    }

    /// A row for each of its names; one without a name has one row too.
    fn rows(&self, short: bool) -> Vec<Row> {
        let digests = self.repo_digests.as_deref().unwrap_or_default();
        let digest_of = |name: &str| {
            let found =
                digests.iter().filter_map(|digest| digest.split_once('@')).find(|(of, _)| *of == name);
            found.map_or(NONE, |(_, digest)| digest)
        };
        let tags = self.repo_tags.iter().flatten().filter(|tag| *tag != "<none>:<none>");
        let rows: Vec<Row> = tags
            .filter_map(|tag| tag.rsplit_once(':'))
            .map(|(name, tag)| self.row(name, tag, digest_of(name), short))
            .collect();
        if !rows.is_empty() {
            return rows;
        }
        match digests.first().and_then(|digest| digest.split_once('@')) {
            Some((name, digest)) => vec![self.row(name, NONE, digest, short)],
            None => vec![self.row(NONE, NONE, NONE, short)],
        }
    }

    fn row(&self, name: &str, tag: &str, digest: &str, short: bool) -> Row {
        let mut row = Row { labels: self.labels.clone(), ..Row::default() };
        row.set("Repository", name);
        row.set("Tag", tag);
        row.set("Digest", digest);
        row.set("ID", self.shown_id(short));
        row.set("CreatedSince", age::ago(self.created));
        row.set("CreatedAt", age::stamp(self.created));
        row.set("Size", size::decimal(self.size, 3));
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(image: Value) -> Vec<String> {
        let image: Image = serde_json::from_value(image).unwrap();
        let cell = |row: &Row, field: &str| row.fields[field].as_str().unwrap().to_owned();
        image.rows(true).iter().map(|row| cell(row, "Repository") + "|" + &cell(row, "Tag")).collect()
    }

    #[test]
    fn an_image_has_a_row_for_each_name() {
        assert_eq!(names(json!({"RepoTags": ["a:1", "h:5000/a:2"]})), ["a|1", "h:5000/a|2"]);
        assert_eq!(names(json!({"RepoTags": null})), ["<none>|<none>"]);
        assert_eq!(
            names(json!({"RepoTags": ["<none>:<none>"], "RepoDigests": ["b@sha256:0"]})),
            ["b|<none>"]
        );
    }
}
