//! `system df`: what the caller's things hold on the engine's disk.

use super::cli::system::DfArgs;
use super::context::Context;
use super::error::Error;
use super::images::Image;
use super::output::{Column, Format, Row, list, natural, print, size};
use super::ps::{self, Summary};
use super::route::Route;
use crate::protocol::told::told;
use serde::Deserialize;
use std::process::ExitCode;

/// The whole account, leniently.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Account {
    layers_size: i64,
    images: Option<Vec<Image>>,
    containers: Option<Vec<Summary>>,
    volumes: Option<Vec<Volume>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Volume {
    name: String,
    usage_data: Option<Usage>,
}

/// Docker's -1 is what nobody has measured.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Usage {
    size: i64,
    ref_count: i64,
}

impl Default for Usage {
    fn default() -> Self {
        Self { size: -1, ref_count: -1 }
    }
}

const HEADINGS: [Column; 5] = [
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
];
const COLUMNS: [&str; 5] = ["Type", "TotalCount", "Active", "Size", "Reclaimable"];

pub(crate) async fn run(context: &Context, args: &DfArgs) -> Result<ExitCode, Error> {
    let format = Format::parse(context.format.as_deref())?;
    if args.verbose && !format.is_table() {
        return Err(Error::usage(told!("--verbose knows no --format")));
    }
    let account: Account = context.api.get_json(&Route::new("/system/df")).await?;
    let text = match args.verbose {
        true => account.thing_by_thing(&format)?,
        false => list(&account.rows(), &COLUMNS, &HEADINGS, &format)?,
    };
    print(&text).map(|()| ExitCode::SUCCESS)
}

/// How many things of one kind there are, how many of them are in use, what they hold, and how much of it is unused.
struct Kind {
    name: &'static str,
    total: usize,
    active: usize,
    size: u64,
    unused: u64,
}

impl Kind {
    fn row(&self) -> Row {
        let unused = size::decimal(self.unused, 4);
        let share = self.unused.saturating_mul(100).checked_div(self.size);
        let mut row = Row::default();
        row.set("Type", self.name);
        row.set("TotalCount", self.total.to_string());
        row.set("Active", self.active.to_string());
        row.set("Size", size::decimal(self.size, 4));
        row.set("Reclaimable", share.map_or(unused.clone(), |share| format!("{unused} ({share}%)")));
        row
    }
}

impl Volume {
    fn usage(&self) -> Usage {
        self.usage_data.unwrap_or_default()
    }

    fn size(&self) -> u64 {
        u64::try_from(self.usage().size).unwrap_or_default()
    }
}

impl Account {
    fn rows(&self) -> Vec<Row> {
        let nothing = Kind { name: "Build Cache", total: 0, active: 0, size: 0, unused: 0 };
        [self.of_images(), self.of_containers(), self.of_volumes(), nothing].iter().map(Kind::row).collect()
    }

    fn of_images(&self) -> Kind {
        let images = self.images.as_deref().unwrap_or_default();
        let size = u64::try_from(self.layers_size).unwrap_or_default();
        let used: u64 = images.iter().filter(|image| image.containers != 0).filter_map(Image::alone).sum();
        let active = images.iter().filter(|image| image.containers > 0).count();
        Kind { name: "Images", total: images.len(), active, size, unused: size.saturating_sub(used) }
    }

    fn of_containers(&self) -> Kind {
        let containers = self.containers.as_deref().unwrap_or_default();
        let sum = |all: bool| {
            let counted = containers.iter().filter(|one| all || !one.is_active());
            counted.map(Summary::written).sum()
        };
        let active = containers.iter().filter(|one| one.is_active()).count();
        Kind { name: "Containers", total: containers.len(), active, size: sum(true), unused: sum(false) }
    }

    fn of_volumes(&self) -> Kind {
        let volumes = self.volumes.as_deref().unwrap_or_default();
        let unused = volumes.iter().filter(|volume| volume.usage().ref_count == 0).map(Volume::size).sum();
        let active = volumes.iter().filter(|volume| volume.usage().ref_count > 0).count();
        let size = volumes.iter().map(Volume::size).sum();
        Kind { name: "Local Volumes", total: volumes.len(), active, size, unused }
    }

    /// A table for each kind, under Docker's words.
    fn thing_by_thing(&self, format: &Format) -> Result<String, Error> {
        let images: Vec<Row> = self.images.iter().flatten().flat_map(|image| image.sized_rows()).collect();
        let containers: Vec<Row> = self.containers.iter().flatten().map(|one| one.row(true, true)).collect();
        let mut volumes: Vec<&Volume> = self.volumes.iter().flatten().collect();
        volumes.sort_by(|a, b| natural::compare(&a.name, &b.name));
        let volumes: Vec<Row> = volumes.into_iter().map(volume_row).collect();
        let images = list(&images, &IMAGE_COLUMNS, &IMAGE_HEADINGS, format)?;
        let containers = list(&containers, &CONTAINER_COLUMNS, &ps::HEADINGS, format)?;
        let volumes = list(&volumes, &["Name", "Links", "Size"], &VOLUME_HEADINGS, format)?;
        Ok(format!(
            "Images space usage:\n\n{images}\nContainers space usage:\n\n{containers}\nLocal Volumes space usage:\n\n{volumes}\nBuild cache usage: 0B\n"
        ))
    }
}

const IMAGE_HEADINGS: [Column; 8] = [
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("Size", "SIZE"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("Containers", "CONTAINERS"),
];
const IMAGE_COLUMNS: [&str; 8] =
    ["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers"];
const CONTAINER_COLUMNS: [&str; 8] =
    ["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"];
const VOLUME_HEADINGS: [Column; 3] = [("Name", "VOLUME NAME"), ("Links", "LINKS"), ("Size", "SIZE")];

fn volume_row(volume: &Volume) -> Row {
    let known = |number: i64, shown: String| if number < 0 { "N/A".to_owned() } else { shown };
    let Usage { size, ref_count } = volume.usage();
    let mut row = Row::default();
    row.set("Name", volume.name.as_str());
    row.set("Links", known(ref_count, ref_count.to_string()));
    row.set("Size", known(size, size::decimal(volume.size(), 4)));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_account_is_docker_s() {
        let account: Account = serde_json::from_value(json!({
            "LayersSize": 1_000_000,
            "Images": [{"Size": 400_000, "SharedSize": 100_000, "Containers": 1}, {"Size": 600_000, "Containers": 0},
                {"Size": 5, "SharedSize": -1, "Containers": -1}],
            "Containers": [{"SizeRw": 10, "State": "running"}, {"SizeRw": 30, "State": "exited"}, {"State": "paused"}],
            "Volumes": [{"Name": "a", "UsageData": {"Size": 7, "RefCount": 1}},
                {"Name": "b", "UsageData": {"Size": -1, "RefCount": 0}}, {"Name": "c", "UsageData": {"Size": 1, "RefCount": 0}}],
        }))
        .unwrap();
        let shown = list(&account.rows(), &COLUMNS, &HEADINGS, &Format::Table).unwrap();
        let expected = "\
TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE
Images          3         1         1MB       700kB (70%)
Containers      3         2         40B       30B (75%)
Local Volumes   3         1         8B        1B (12%)
Build Cache     0         0         0B        0B
";
        assert_eq!(shown, expected);
        let whole = account.thing_by_thing(&Format::Table).unwrap();
        assert!(whole.contains("b             0         N/A\n"), "{whole}");
    }
}
