//! What no container here has, and many a line of Docker's asks for: the refusal names what there is in its place.

use super::super::cli::run::CreateArgs;
use super::super::error::Error;
use super::caller::Caller;
use super::csv;
use crate::protocol::told::{Phrase, Told, phrase, told};
use std::path::Path;

/// What cannot be, by the words of the line alone. Whatever a policy may allow is the gateway's to judge.
pub(super) fn refuse(args: &CreateArgs) -> Result<(), Error> {
    args.network.iter().try_for_each(|network| network_of_others(network))?;
    targets(args).try_for_each(|target| given_anyhow(&target))
}

fn network_of_others(word: &str) -> Result<(), Error> {
    let (reason, instead) = match word {
        "host" => (
            phrase!("the host's network is not a container's"),
            phrase!("-p 40080:80 publishes a port of it at the host"),
        ),
        other if other.starts_with("container:") => (
            phrase!("a container has a network of its own, not another container's"),
            phrase!("your containers find each other by name, in a network of yours"),
        ),
        _ => return Ok(()),
    };
    let name = format!("network {word}");
    Err(Error::usage_hint(told!("--{name} is not allowed here: {reason}"), instead))
}

/// The places that the gateway fills itself.
fn given_anyhow(target: &str) -> Result<(), Error> {
    const PLACES: [(&str, Phrase, Phrase); 3] = [
        ("/etc/passwd", phrase!("a container knows who you are"), phrase!("leave it out")),
        ("/etc/group", phrase!("a container knows who you are"), phrase!("leave it out")),
        (
            "/dev/shm",
            phrase!("a container has a shared memory of its own"),
            phrase!("--shm-size 8g makes /dev/shm larger"),
        ),
    ];
    match PLACES.iter().find(|(place, ..)| Path::new(place) == Path::new(target)) {
        Some((place, reason, instead)) => {
            Err(Error::usage_hint(told!("a mount at {place} is not needed: {reason}"), *instead))
        }
        None => Ok(()),
    }
}

/// Mounts in the home of a root that nobody is: what they are for looks in the caller's own.
pub(super) fn in_roots_home(args: &CreateArgs, caller: &Caller) -> Option<Told> {
    let target = targets(args).find(|target| Path::new(target).starts_with("/root"))?;
    let (home, _) = caller.home.as_ref().filter(|(home, _)| !home.starts_with("/root"))?;
    let below = Path::new(&target).strip_prefix("/root").ok()?;
    let (target, own) = (target.as_str(), home.join(below).display().to_string());
    Some(told!("you are not root in a container: what looks in {target} for root looks in {own} for you"))
}

/// Where something is to be mounted.
fn targets(args: &CreateArgs) -> impl Iterator<Item = String> {
    let volumes = args.volume.iter().filter_map(|word| word.split(':').nth(1));
    let mounts =
        args.mount.iter().flat_map(|word| csv::fields(word).unwrap_or_default()).filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            matches!(key, "target" | "dst" | "destination").then(|| value.to_owned())
        });
    volumes.map(str::to_owned).chain(mounts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::cli::{Verb, read};

    fn args(line: &str) -> CreateArgs {
        let cli = read(["ie-container", "create"].into_iter().chain(line.split(' '))).unwrap();
        let Verb::Create(args) = cli.verb else { panic!("not create") };
        *args
    }

    #[test]
    fn what_cannot_be_names_what_can() {
        for (line, said, instead) in [
            ("--network host img", "--network host is not allowed here", "-p "),
            ("--net=host img", "--network host is not allowed here", "-p "),
            ("--network container:web img", "--network container:web is not allowed here", "by name"),
            ("-v /etc/passwd:/etc/passwd:ro img", "a mount at /etc/passwd is not needed", "leave it out"),
            ("--mount type=bind,src=/etc/group,dst=/etc/group img", "a mount at /etc/group", "leave it out"),
            ("-v /dev/shm:/dev/shm img", "a mount at /dev/shm", "--shm-size"),
        ] {
            let refusal = refuse(&args(line)).unwrap_err().refusal();
            assert!(refusal.message.to_string().starts_with(said), "{line}: {}", refusal.message);
            assert!(refusal.hint.unwrap().to_string().contains(instead), "{line}");
        }
        assert!(refuse(&args("--network lab -v /srv/etc:/etc/passwd.d -v /data img")).is_ok());
    }

    #[test]
    fn root_s_home_is_nobody_s() {
        let caller = Caller { home: Some(("/home/ann".into(), "/home/ann".into())), ..Caller::default() };
        let told = |line: &str| in_roots_home(&args(line), &caller).map(|told| told.to_string());
        let said = told("-v cache:/root/.cache/pip img").unwrap();
        assert!(said.contains("/root/.cache/pip") && said.contains("/home/ann/.cache/pip"), "{said}");
        assert_eq!(told("-v cache:/rootless img"), None);
    }
}
