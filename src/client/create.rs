//! `create`, and the making of a container for `run`.

use super::body::{self, Caller};
use super::cli::run::{CreateArgs, Pull};
use super::connect::Api;
use super::context::Context;
use super::error::Error;
use super::language;
use super::line::{self, For};
use super::output::{json::pretty, print, say};
use super::pull;
use super::route::{Route, container};
use crate::protocol::escape::escape_line;
use crate::protocol::name::ContainerRef;
use crate::protocol::told::told;
use bollard_stubs::models::ContainerCreateBody;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Answer {
    id: String,
    warnings: Option<Vec<String>>,
}

pub(crate) async fn run(context: &Context, args: &CreateArgs) -> Result<ExitCode, Error> {
    if args.dry_run {
        return dry_run(&context.api, args, false).await;
    }
    let made = make(&context.api, args, false).await?;
    print(&format!("{made}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// What would be granted, or why not.
pub(crate) async fn dry_run(api: &Api, args: &CreateArgs, detach: bool) -> Result<ExitCode, Error> {
    let body =
        body::create(args, detach, &Caller::here(&args.env_file)?.with_label_files(&args.other.label_file)?)?;
    let route = Route::new("/ie/v1/dry-run").given("name", args.name.as_ref().map(|name| name.as_str()));
    let granted: Box<RawValue> = api.post_json(&route, &body).await?;
    print(&pretty(&granted))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the container, fetching its image where that is wanted, and writes its id file.
pub(crate) async fn make(api: &Api, args: &CreateArgs, detach: bool) -> Result<ContainerRef, Error> {
    let caller = Caller::here(&args.env_file)?.with_label_files(&args.other.label_file)?;
    let (body, start) = (body::create(args, detach, &caller)?, body::start_dir(args, &caller)?);
    let id_file = args.cidfile.as_deref().map(IdFile::reserve).transpose()?;
    if args.pull == Pull::Always {
        pull::fetch(api, args.image(), args.other.platform.as_deref(), args.quiet).await?;
    }
    let cards = body.host_config.as_ref().and_then(|host| host.device_requests.as_ref()?.first());
    let _turn = match (args.wait, cards) {
        (Some(longest), Some(cards)) => Some(line::stand(api, For::Cards(cards), longest, args.quiet).await?),
        _ => None,
    };
    let answer = match ask(api, args, &body, start.as_deref()).await {
        Err(error) if args.pull == Pull::Missing && is_missing_image(&error) => {
            if !args.quiet {
                let image = escape_line(&pull::tagged(args.image()));
                let told = language::own().tell(&told!("Unable to find image '{image}' locally"));
                say(&format!("{told}\n"));
            }
            pull::fetch(api, args.image(), args.other.platform.as_deref(), args.quiet).await?;
            ask(api, args, &body, start.as_deref()).await?
        }
        answer => answer?,
    };
    if let Some(warning) = body::warning(args, &caller) {
        say(&format!("WARNING: {}\n", escape_line(&language::own().tell(&warning))));
    }
    for warning in answer.warnings.unwrap_or_default() {
        say(&format!("WARNING: {}\n", escape_line(&warning)));
    }
    if let Some(file) = id_file {
        file.write(&answer.id)?;
    }
    container(&answer.id)
}

async fn ask(
    api: &Api,
    args: &CreateArgs,
    body: &ContainerCreateBody,
    start: Option<&str>,
) -> Result<Answer, Error> {
    let time = args.time.map(|time| time.to_string());
    let route = Route::new("/containers/create")
        .given("name", args.name.as_ref().map(|name| name.as_str()))
        .given("start", start)
        .given("platform", args.other.platform.as_deref())
        .given("time", time.as_deref());
    api.post_json(&route, body).await
}

fn is_missing_image(error: &Error) -> bool {
    match error {
        Error::Refused { status: 404, refusal } => {
            refusal.code == "no-such-image"
                || (refusal.code.is_empty() && refusal.message.to_string().starts_with("No such image"))
        }
        _ => false,
    }
}

/// A `--cidfile`: new, and there only when it holds an id.
struct IdFile {
    path: PathBuf,
    draft: PathBuf,
}

impl IdFile {
    /// Fails before anything is made: the file must be new and its directory writable.
    fn reserve(path: &Path) -> Result<Self, Error> {
        if path.exists() {
            return Err(Error::usage_hint(
                told!("the id file {} is there already", path.display()),
                told!("make sure that no other container uses it, or remove it"),
            ));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let draft = path.with_file_name(name);
        fs::File::create_new(&draft).map_err(|why| Error::io(told!("write {}", path.display()), why))?;
        Ok(Self { path: path.to_owned(), draft })
    }

    fn write(self, id: &str) -> Result<(), Error> {
        let written = fs::OpenOptions::new()
            .write(true)
            .open(&self.draft)
            .and_then(|mut file| file.write_all(id.as_bytes()))
            .and_then(|()| fs::rename(&self.draft, &self.path));
        written.map_err(|why| Error::io(told!("write {}", self.path.display()), why))
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_file_is_new_and_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        drop(IdFile::reserve(&path).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        IdFile::reserve(&path).unwrap().write("0f3c").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "0f3c");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(IdFile::reserve(&path).is_err());
        assert!(IdFile::reserve(&dir.path().join("none/id")).is_err());
    }
}
