//! `pull`: fetching an image.

use super::cli::list::PullArgs;
use super::connect::Api;
use super::context::Context;
use super::error::Error;
use super::lines::Lines;
use super::output::print;
use super::progress::{Event, Progress};
use super::route::Route;
use crate::protocol::escape::escape_line;
use crate::protocol::report::Refusal;
use crate::protocol::told::Told;
use serde::Deserialize;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, args: &PullArgs) -> Result<ExitCode, Error> {
    args.refused.refuse()?;
    fetch(&context.api, &args.image, args.platform.as_deref(), args.quiet).await?;
    print(&format!("{}\n", escape_line(&whole(&args.image))))?;
    Ok(ExitCode::SUCCESS)
}

/// One line of what the engine says while it fetches.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    id: String,
    status: String,
    #[serde(rename = "progressDetail")]
    detail: Option<Detail>,
    error: String,
    told: Option<Told>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    current: u64,
    total: u64,
}

/// Fetches an image, telling of it on stderr.
pub(crate) async fn fetch(api: &Api, image: &str, platform: Option<&str>, quiet: bool) -> Result<(), Error> {
    let (name, tag) = parts(image);
    let route = Route::new("/images/create").with("fromImage", name).with("tag", tag);
    let route = route.given("platform", platform);
    let mut lines = Lines::of(api.post_stream(&route).await?);
    let mut progress = Progress::new(quiet);
    while let Some(line) = lines.next().await? {
        let Ok(said) = serde_json::from_slice::<Said>(&line) else { continue };
        if !said.error.is_empty() {
            let refusal = Refusal::new("pull", said.told.unwrap_or(Told::Text(said.error)));
            return Err(Error::Refused { status: 500, refusal: Box::new(refusal) });
        }
        let detail = said.detail.unwrap_or_default();
        progress.tell(&Event {
            id: escape_line(&said.id),
            status: escape_line(&said.status),
            done: detail.current,
            total: detail.total,
        });
    }
    Ok(())
}

/// The name, and the tag or digest: `latest` where there is none, or the engine would fetch them all.
fn parts(image: &str) -> (&str, &str) {
    if let Some((name, digest)) = image.split_once('@') {
        return (name, digest);
    }
    match image.rsplit_once(':') {
        // A colon before a slash belongs to a registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

/// The image with its tag or digest.
pub(crate) fn tagged(image: &str) -> String {
    let (name, tag) = parts(image);
    format!("{name}{}{tag}", if image.contains('@') { '@' } else { ':' })
}

/// The image's whole name, registry included.
fn whole(image: &str) -> String {
    let image = tagged(image);
    match image.split_once('/') {
        None => format!("docker.io/library/{image}"),
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => image,
        Some(_) => format!("docker.io/{image}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_name_and_a_tag() {
        for (image, expected) in [
            ("ubuntu", "docker.io/library/ubuntu:latest"),
            ("a/b:1", "docker.io/a/b:1"),
            ("localhost:5000/a", "localhost:5000/a:latest"),
            ("nvcr.io/nvidia/cuda:12", "nvcr.io/nvidia/cuda:12"),
            ("a@sha256:0f", "docker.io/library/a@sha256:0f"),
        ] {
            assert_eq!(whole(image), expected);
        }
    }
}
