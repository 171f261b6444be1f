//! The prunes: what nothing uses is removed, after a question where somebody is there to answer it.

use super::cli::prune::{
    ContainerPruneArgs, ImagePruneArgs, NetworkPruneArgs, SystemPruneArgs, VolumePruneArgs,
};
use super::connect::Api;
use super::context::Context;
use super::error::Error;
use super::output::{print, say, size};
use super::route::Route;
use super::{filters, language, terminal};
use crate::protocol::escape::escape_line;
use crate::protocol::told::{Phrase, phrase, told};
use serde::Deserialize;
use std::io::BufRead;
use std::process::ExitCode;

/// What was removed, in Docker's words for each kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Pruned {
    containers_deleted: Option<Vec<String>>,
    networks_deleted: Option<Vec<String>>,
    volumes_deleted: Option<Vec<String>>,
    images_deleted: Option<Vec<Image>>,
    space_reclaimed: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Image {
    untagged: String,
    deleted: String,
}

const CONTAINERS: Phrase = phrase!("all stopped containers of yours");
const NETWORKS: Phrase = phrase!("all networks of yours that no container is in");
const UNNAMED_VOLUMES: Phrase = phrase!("all volumes of yours without a name that no container has");
const VOLUMES: Phrase = phrase!("all volumes of yours that no container has");
const IMAGES: Phrase = phrase!("all images of your own that nothing uses");

pub(crate) async fn containers(context: &Context, args: &ContainerPruneArgs) -> Result<ExitCode, Error> {
    may_go_on(args.force, &[CONTAINERS])?;
    let pruned = ask(&context.api, "/containers/prune", &args.filter).await?;
    print(&(pruned.shown() + &reclaimed(pruned.space_reclaimed)))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn networks(context: &Context, args: &NetworkPruneArgs) -> Result<ExitCode, Error> {
    may_go_on(args.force, &[NETWORKS])?;
    print(&ask(&context.api, "/networks/prune", &args.filter).await?.shown())?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn volumes(context: &Context, args: &VolumePruneArgs) -> Result<ExitCode, Error> {
    may_go_on(args.force, &[if args.all { VOLUMES } else { UNNAMED_VOLUMES }])?;
    let pruned = ask(&context.api, "/volumes/prune", &of_volumes(&args.filter, args.all)).await?;
    print(&(pruned.shown() + &reclaimed(pruned.space_reclaimed)))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn images(context: &Context, args: &ImagePruneArgs) -> Result<ExitCode, Error> {
    may_go_on(args.force, &[IMAGES])?;
    let filters = with(&args.filter, dangling(args.all));
    let pruned = ask(&context.api, "/images/prune", &filters).await?;
    print(&(pruned.shown() + &reclaimed(pruned.space_reclaimed)))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn system(context: &Context, args: &SystemPruneArgs) -> Result<ExitCode, Error> {
    let volumes = args.volumes.then_some(UNNAMED_VOLUMES);
    let goes: Vec<Phrase> = [CONTAINERS, NETWORKS].into_iter().chain(volumes).chain([IMAGES]).collect();
    may_go_on(args.force, &goes)?;
    let mut places =
        vec![("/containers/prune", args.filter.clone()), ("/networks/prune", args.filter.clone())];
    if args.volumes {
        places.push(("/volumes/prune", of_volumes(&args.filter, false)));
    }
    places.push(("/images/prune", with(&args.filter, dangling(args.all))));
    let mut bytes = 0;
    for (place, filters) in places {
        let pruned = ask(&context.api, place, &filters).await?;
        bytes += pruned.space_reclaimed;
        print(&pruned.shown())?;
    }
    print(&reclaimed(bytes))?;
    Ok(ExitCode::SUCCESS)
}

fn dangling(all: bool) -> &'static str {
    if all { "dangling=false" } else { "dangling=true" }
}

/// Said in any case: before API 1.42 those with a name went, too, where nothing was said.
fn of_volumes(filters: &[String], all: bool) -> Vec<String> {
    with(filters, if all { "all=true" } else { "all=false" })
}

fn with(filters: &[String], more: &str) -> Vec<String> {
    filters.iter().cloned().chain([more.to_owned()]).collect()
}

async fn ask(api: &Api, place: &'static str, filters: &[String]) -> Result<Pruned, Error> {
    let route = Route::new(place).given("filters", filters::json(filters)?.as_deref());
    super::connect::parse(&api.post(&route).await?)
}

impl Pruned {
    /// Nothing where nothing went.
    fn shown(&self) -> String {
        let images = self.images_deleted.iter().flatten().map(|image| match image.untagged.as_str() {
            "" => format!("deleted: {}", image.deleted),
            name => format!("untagged: {name}"),
        });
        let named = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
        [
            ("Deleted Containers:", named(&self.containers_deleted)),
            ("Deleted Networks:", named(&self.networks_deleted)),
            ("Deleted Volumes:", named(&self.volumes_deleted)),
            ("Deleted Images:", images.collect()),
        ]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(heading, names)| {
            let lines: String = names.iter().map(|name| escape_line(name) + "\n").collect();
            format!("{heading}\n{lines}\n")
        })
        .collect()
    }
}

fn reclaimed(bytes: u64) -> String {
    format!("Total reclaimed space: {}\n", size::decimal(bytes, 4))
}

/// Asks, unless told not to. A script that says nothing of it is not answered by whatever its stdin happens to be.
fn may_go_on(force: bool, goes: &[Phrase]) -> Result<(), Error> {
    if force {
        return Ok(());
    }
    if !terminal::stdin_is_one() {
        return Err(Error::usage(told!("nobody is there to be asked: -f removes without a question")));
    }
    let language = language::own();
    let lines: String = goes.iter().map(|what| format!("  - {}\n", language.tell(&(*what).into()))).collect();
    let removes = language.tell(&told!("WARNING! This will remove:"));
    let asks = language.tell(&told!("Are you sure you want to continue? [y/N]"));
    say(&format!("{removes}\n{lines}{asks} "));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|why| Error::io(told!("read the answer"), why))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::usage(told!("nothing was removed"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_removed_is_told_as_docker_tells_it() {
        let shown = |answer| serde_json::from_value::<Pruned>(answer).unwrap().shown();
        assert_eq!(
            shown(json!({"ContainersDeleted": ["b0c3", "\u{1b}"], "SpaceReclaimed": 3})),
            "Deleted Containers:\nb0c3\n\\u{1b}\n\n"
        );
        let images = json!([{"Untagged": "a:1"}, {"Deleted": "sha256:0"}]);
        assert_eq!(
            shown(json!({"ImagesDeleted": images})),
            "Deleted Images:\nuntagged: a:1\ndeleted: sha256:0\n\n"
        );
        assert_eq!(shown(json!({"VolumesDeleted": null, "NetworksDeleted": []})), "");
        assert_eq!(reclaimed(0), "Total reclaimed space: 0B\n");
    }
}
