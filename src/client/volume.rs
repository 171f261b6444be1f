//! `volume`: the caller's own volumes.

use super::body::{labels, pairs};
use super::cli::list::Kind;
use super::cli::volume::{VolumeCreateArgs, VolumeLsArgs, VolumeRmArgs, VolumeVerb};
use super::context::Context;
use super::error::Error;
use super::operands::{done, each};
use super::output::{Column, Format, Row, list, natural, print};
use super::route::Route;
use super::{filters, inspect, prune};
use crate::protocol::escape::escape_line;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, verb: &VolumeVerb) -> Result<ExitCode, Error> {
    match verb {
        VolumeVerb::Create(args) => create(context, args).await,
        VolumeVerb::Ls(args) => ls(context, args).await,
        VolumeVerb::Inspect(args) => {
            inspect::of_kind(context, Kind::Volume, &args.volumes, args.format.as_deref()).await
        }
        VolumeVerb::Rm(args) => rm(context, args).await,
        VolumeVerb::Prune(args) => prune::volumes(context, args).await,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Answer {
    volumes: Option<Vec<Volume>>,
}

/// A volume, leniently.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Volume {
    name: String,
    driver: String,
    mountpoint: String,
    scope: String,
    labels: Option<BTreeMap<String, String>>,
}

const HEADINGS: [Column; 10] = [
    ("Availability", "AVAILABILITY"),
    ("Driver", "DRIVER"),
    ("Group", "GROUP"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Name", "VOLUME NAME"),
    ("Scope", "SCOPE"),
    ("Size", "SIZE"),
    ("Status", "STATUS"),
];

async fn ls(context: &Context, args: &VolumeLsArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    let format = Format::parse(context.format.as_deref())?;
    let route = Route::new("/volumes").given("filters", filters::json(&args.filter)?.as_deref());
    let mut found = context.api.get_json::<Answer>(&route).await?.volumes.unwrap_or_default();
    found.sort_by(|a, b| natural::compare(&a.name, &b.name));
    if args.quiet && format.is_table() {
        let names: String = found.iter().map(|one| escape_line(&one.name) + "\n").collect();
        return print(&names).map(|()| ExitCode::SUCCESS);
    }
    let rows: Vec<Row> = found.iter().map(Volume::row).collect();
    print(&list(&rows, &["Driver", "Name"], &HEADINGS, &format)?)?;
    Ok(ExitCode::SUCCESS)
}

impl Volume {
    fn row(&self) -> Row {
        let mut row = Row::default();
        row.set("Driver", self.driver.as_str());
        row.set_labels(self.labels.as_ref());
        row.set("Mountpoint", self.mountpoint.as_str());
        row.set("Name", self.name.as_str());
        row.set("Scope", self.scope.as_str());
        // As Docker says of what a list does not look at, or swarms alone have.
        for field in ["Availability", "Group", "Links", "Size", "Status"] {
            row.set(field, "N/A");
        }
        row
    }
}

/// The body of a create. Docker's own model brings all that is of a swarm's volumes with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    driver: String,
    driver_opts: HashMap<String, String>,
    labels: HashMap<String, String>,
}

async fn create(context: &Context, args: &VolumeCreateArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    let body = Asked {
        name: args.name.clone().or_else(|| args.called.clone()),
        driver: args.driver.clone(),
        driver_opts: pairs(&args.opt)?,
        labels: labels(&args.label)?,
    };
    let made: Volume = context.api.post_json(&Route::new("/volumes/create"), &body).await?;
    print(&format!("{}\n", escape_line(&made.name))).map(|()| ExitCode::SUCCESS)
}

async fn rm(context: &Context, args: &VolumeRmArgs) -> Result<ExitCode, Error> {
    each(context, &args.volumes, async |word| {
        context.api.delete(&Route::new("/volumes").word(word).flag("force", args.force)).await?;
        done(word)
    })
    .await
}
