//! `ps`: the list of containers.

use super::cli::list::PsArgs;
use super::connect::Api;
use super::context::Context;
use super::error::Error;
use super::filters;
use super::output::table::cut;
use super::output::{Column, Format, Row, age, list, print, size};
use super::port::{Port, displayed};
use super::route::Route;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// A container of the list. Read leniently: what an engine leaves out is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) names: Vec<String>,
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    command: String,
    created: i64,
    ports: Option<Vec<Port>>,
    size_rw: Option<u64>,
    size_root_fs: Option<u64>,
    labels: Option<BTreeMap<String, String>>,
    state: String,
    status: String,
    mounts: Option<Vec<Mount>>,
    network_settings: Option<Networks>,
    /// What the gateway granted; an engine alone does not say.
    ie_container: Option<Grant>,
    /// Whose it is; told to admins only.
    owner: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Mount {
    name: String,
    source: String,
    driver: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Networks {
    networks: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Grant {
    gpus: Value,
    cpus: Value,
    memory: Value,
    lease: Value,
}

pub(super) const HEADINGS: [Column; 19] = [
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Labels", "LABELS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Mounts", "MOUNTS"),
    ("Names", "NAMES"),
    ("Networks", "NETWORKS"),
    ("Ports", "PORTS"),
    ("RunningFor", "CREATED"),
    ("Size", "SIZE"),
    ("State", "STATE"),
    ("Status", "STATUS"),
    ("GPUs", "GPUS"),
    ("CPUs", "CPUS"),
    ("Memory", "MEMORY"),
    ("Lease", "LEASE"),
    ("Owner", "OWNER"),
];

pub(crate) async fn run(context: &Context, args: &PsArgs) -> Result<ExitCode, Error> {
    show(context, args, "/containers/json", false).await
}

/// The list at one address of the API: one's own, or, for admins, everyone's.
pub(crate) async fn show(
    context: &Context,
    args: &PsArgs,
    place: &'static str,
    owners: bool,
) -> Result<ExitCode, Error> {
    let format = Format::parse(context.format.as_deref())?;
    let size = args.size || format.mentions("Size");
    let found = fetch(&context.api, args, place, size).await?;
    if args.quiet && format.is_table() {
        let ids: String = found.iter().map(|one| one.shown_id(!args.no_trunc) + "\n").collect();
        return print(&ids).map(|()| ExitCode::SUCCESS);
    }
    let rows: Vec<Row> = found.iter().map(|one| one.row(!args.no_trunc, size)).collect();
    print(&list(&rows, &columns(args, owners), &HEADINGS, &format)?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn fetch(
    api: &Api,
    args: &PsArgs,
    place: &'static str,
    size: bool,
) -> Result<Vec<Summary>, Error> {
    // Docker's -1: all that there are.
    let last = if args.latest { Some(1) } else { args.last.filter(|last| *last > 0) };
    let route = Route::new(place)
        .flag("all", args.all)
        .given("limit", last.map(|last| last.to_string()).as_deref())
        .flag("size", size)
        .given("filters", filters::json(&args.filter)?.as_deref());
    api.get_json(&route).await
}

/// The id first and the names last, whatever is between.
fn columns(args: &PsArgs, owners: bool) -> Vec<&'static str> {
    let mut columns = vec!["ID", "Image", "Command", "RunningFor", "Status"];
    if args.wide {
        columns.extend(["GPUs", "CPUs", "Memory", "Lease"]);
    }
    columns.push("Ports");
    if args.size {
        columns.push("Size");
    }
    if owners {
        columns.push("Owner");
    }
    columns.push("Names");
    columns
}

impl Summary {
    /// Bytes that it has written beside its image.
    pub(super) fn written(&self) -> u64 {
        self.size_rw.unwrap_or_default()
    }

    /// Whether it holds what it has.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused" | "restarting")
    }

    fn shown_id(&self, short: bool) -> String {
        if short { self.id.chars().take(12).collect() } else { self.id.clone() }
    }

    pub(super) fn row(&self, short: bool, with_size: bool) -> Row {
        let mut row = Row::default();
        row.set("Command", quoted(&if short { cut(&self.command, 20) } else { self.command.clone() }));
        row.set("CreatedAt", age::stamp(self.created));
        row.set("ID", self.shown_id(short));
        row.set("Image", self.shown_image(short));
        row.set_labels(self.labels.as_ref());
        row.set("Names", self.shown_names());
        row.set("Ports", displayed(self.ports.as_deref().unwrap_or_default()));
        row.set("RunningFor", age::ago(self.created));
        row.set("Size", if with_size { self.shown_size() } else { "0B".to_owned() });
        row.set("State", self.state.as_str());
        row.set("Status", self.status.as_str());
        row.set("Owner", self.owner.as_str());
        self.set_mounts(&mut row, short);
        self.set_grant(&mut row);
        row
    }

    fn shown_image(&self, short: bool) -> String {
        if self.image.is_empty() {
            return "<no image>".to_owned();
        }
        if !short {
            return self.image.clone();
        }
        let bare = |id: &str| id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
        if bare(&self.image) == bare(&self.image_id) {
            return bare(&self.image);
        }
        self.image.split_once('@').map_or(&*self.image, |(name, _)| name).to_owned()
    }

    /// Names with a second `/` are links' names, not its own.
    fn shown_names(&self) -> String {
        let own = |name: &&str| !name.contains('/');
        let names = self.names.iter().map(|name| name.strip_prefix('/').unwrap_or(name)).filter(own);
        names.collect::<Vec<_>>().join(",")
    }

    fn shown_size(&self) -> String {
        let written = size::decimal(self.size_rw.unwrap_or_default(), 3);
        match self.size_root_fs {
            Some(whole) if whole > 0 => format!("{written} (virtual {})", size::decimal(whole, 3)),
            _ => written,
        }
    }

    fn set_mounts(&self, row: &mut Row, short: bool) {
        let mounts = self.mounts.as_deref().unwrap_or_default();
        let name = |mount: &Mount| {
            let name = if mount.name.is_empty() { &mount.source } else { &mount.name };
            if short { cut(name, 15) } else { name.clone() }
        };
        row.set("Mounts", mounts.iter().map(name).collect::<Vec<_>>().join(","));
        row.set("LocalVolumes", mounts.iter().filter(|mount| mount.driver == "local").count().to_string());
        let networks = self.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let networks: Vec<_> = networks.iter().flat_map(|networks| networks.keys().cloned()).collect();
        row.set("Networks", networks.join(","));
    }

    fn set_grant(&self, row: &mut Row) {
        let none = Grant::default();
        let grant = self.ie_container.as_ref().unwrap_or(&none);
        let fields = [
            ("GPUs", &grant.gpus),
            ("CPUs", &grant.cpus),
            ("Memory", &grant.memory),
            ("Lease", &grant.lease),
        ];
        for (field, value) in fields {
            let text = match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            row.set(field, text.parse().map_or(text, clock));
        }
    }
}

/// The end of a lease, as people at this machine read it.
fn clock(until: Timestamp) -> String {
    until.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

fn quoted(command: &str) -> String {
    format!("\"{}\"", command.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(summary: Value) -> Row {
        serde_json::from_value::<Summary>(summary).unwrap().row(true, true)
    }

    #[test]
    fn a_container_is_shown_as_docker_shows_it() {
        let row = row(json!({
            "Id": "b0c3efabb5d01a80bfda4553112ccc5eec881792e019991413a4e3a35c77b9b7", "Names": ["/web", "/other/link"],
            "Image": "busybox:demo", "ImageID": "sha256:0ba9", "Command": "sh -c 'sleep 1000; echo \"a b\"'",
            "Created": 1_795_209_898, "State": "some-new-state", "Status": "Up 2 minutes", "SizeRw": 0,
            "SizeRootFs": 1_980_000, "Labels": {"b": "2", "a": "1"}, "Unknown": [1],
            "Mounts": [{"Type": "bind", "Source": "/home/ann/a-long-directory"}],
            "NetworkSettings": {"Networks": {"none": {}}}, "IeContainer": {"Memory": "4g", "Cpus": 2},
        }));
        for (field, expected) in [
            ("ID", "b0c3efabb5d0"),
            ("Command", "\"sh -c 'sleep 1000; …\""),
            ("Names", "web"),
            ("Labels", "a=1,b=2"),
            ("Size", "0B (virtual 1.98MB)"),
            ("Mounts", "/home/ann/a-lo…"),
            ("Networks", "none"),
            ("Memory", "4g"),
            ("CPUs", "2"),
            ("State", "some-new-state"),
        ] {
            assert_eq!(row.fields[field], json!(expected), "{field}");
        }
    }

    #[test]
    fn every_heading_has_its_field() {
        let row = row(json!({}));
        let known: Vec<_> = HEADINGS.iter().map(|(field, _)| *field).collect();
        assert_eq!(row.fields.len(), known.len());
        assert!(known.iter().all(|field| row.fields.contains_key(*field)));
    }

    #[test]
    fn an_image_without_a_name_is_its_id() {
        let id = "sha256:0ba9db4a98c70b1fb985cf134123690a910835a0be31ca06a112e4b51931e827";
        assert_eq!(row(json!({"Image": id, "ImageID": id})).fields["Image"], json!("0ba9db4a98c7"));
    }
}
