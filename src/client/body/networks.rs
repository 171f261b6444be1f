//! `--network`, once or several times, and what is asked of the first of them.

use super::csv;
use super::given::some;
use crate::client::cli::run::CreateArgs;
use crate::client::error::Error;
use crate::protocol::told::told;
use bollard_stubs::models::{EndpointIpamConfig, EndpointSettings, NetworkingConfig};
use std::collections::HashMap;

/// The network that the container is made in, and how it is in each.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Networks {
    pub(super) mode: Option<String>,
    pub(super) config: Option<NetworkingConfig>,
}

pub(super) fn networks(args: &CreateArgs) -> Result<Networks, Error> {
    let mut all: Vec<(String, EndpointSettings)> =
        args.network.iter().map(|word| one(word)).collect::<Result<_, _>>()?;
    let flags = EndpointSettings {
        aliases: some(args.other.network_alias.clone()),
        ipam_config: args.other.ip.clone().map(address),
        mac_address: args.other.mac_address.clone(),
        ..EndpointSettings::default()
    };
    if all.is_empty() && flags != EndpointSettings::default() {
        all.push(("default".to_owned(), EndpointSettings::default()));
    }
    if let Some((_, first)) = all.first_mut() {
        add(first, flags)?;
    }
    let mode = args.network.first().and(all.first()).map(|(name, _)| name.clone());
    let plain = all.len() < 2 && all.iter().all(|(_, endpoint)| *endpoint == EndpointSettings::default());
    let count = all.len();
    let endpoints: HashMap<String, EndpointSettings> = all.into_iter().collect();
    if endpoints.len() < count {
        return Err(Error::usage(told!("--network names one network twice")));
    }
    let config = (!plain).then_some(NetworkingConfig { endpoints_config: Some(endpoints) });
    Ok(Networks { mode: mode.filter(|mode| mode != "own"), config })
}

fn address(word: String) -> EndpointIpamConfig {
    EndpointIpamConfig { ipv4_address: Some(word), ..EndpointIpamConfig::default() }
}

/// What flags of their own ask of the first network, unless that is asked of it by name already.
fn add(first: &mut EndpointSettings, flags: EndpointSettings) -> Result<(), Error> {
    let twice = |one: bool, other: bool| one && other;
    let conflict = twice(first.aliases.is_some(), flags.aliases.is_some())
        || twice(first.ipam_config.is_some(), flags.ipam_config.is_some())
        || twice(first.mac_address.is_some(), flags.mac_address.is_some());
    if conflict {
        return Err(Error::usage(told!("say it in --network or by a flag of its own, not both")));
    }
    *first = EndpointSettings {
        aliases: first.aliases.take().or(flags.aliases),
        ipam_config: first.ipam_config.take().or(flags.ipam_config),
        mac_address: first.mac_address.take().or(flags.mac_address),
        ..EndpointSettings::default()
    };
    Ok(())
}

/// A name, or `name=NAME,alias=…,ip=…,mac-address=…`.
fn one(word: &str) -> Result<(String, EndpointSettings), Error> {
    if !word.contains('=') {
        return Ok((word.to_owned(), EndpointSettings::default()));
    }
    let wrong = || {
        Error::usage(told!(
            "--network {word} is not understood, say NAME or name=NAME,alias=…,ip=…,mac-address=…"
        ))
    };
    let (mut name, mut aliases) = (String::new(), Vec::new());
    let mut endpoint = EndpointSettings::default();
    for field in csv::fields(word).ok_or_else(wrong)? {
        let (key, value) = field.split_once('=').ok_or_else(wrong)?;
        match key.trim() {
            "name" => name = value.to_owned(),
            "alias" => aliases.push(value.to_owned()),
            "ip" => endpoint.ipam_config = Some(address(value.to_owned())),
            "mac-address" => endpoint.mac_address = Some(value.to_owned()),
            _ => return Err(wrong()),
        }
    }
    endpoint.aliases = some(aliases);
    if name.is_empty() { Err(wrong()) } else { Ok((name, endpoint)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::cli::{Cli, Verb};
    use clap::Parser;
    use serde_json::{Value, json};

    fn asked(line: &str) -> Result<(Option<String>, Value), Error> {
        let words = ["ie-container", "create"].into_iter().chain(line.split(' ')).chain(["img"]);
        let Verb::Create(args) = Cli::try_parse_from(words).unwrap().verb else { panic!("not create") };
        networks(&args).map(|networks| (networks.mode, json!(networks.config)))
    }

    #[test]
    fn one_network_or_several_each_in_its_way() {
        let is = |mode: Option<&str>, endpoints: Value| {
            let config =
                if endpoints.is_null() { endpoints } else { json!({ "EndpointsConfig": endpoints }) };
            (mode.map(str::to_owned), config)
        };
        assert_eq!(asked("--init").unwrap(), is(None, Value::Null));
        assert_eq!(asked("--network own").unwrap(), is(None, Value::Null));
        assert_eq!(asked("--net back").unwrap(), is(Some("back"), Value::Null));
        let db = json!({ "Aliases": ["db"] });
        assert_eq!(asked("--network-alias db").unwrap(), is(None, json!({ "default": db })));
        assert_eq!(asked("--network own --network-alias db").unwrap(), is(None, json!({ "own": db })));
        let first = json!({ "IPAMConfig": { "IPv4Address": "10.1.2.3" }, "MacAddress": "02:42:00:00:00:01" });
        assert_eq!(
            asked("--network back --network front --ip 10.1.2.3 --mac-address 02:42:00:00:00:01").unwrap(),
            is(Some("back"), json!({ "back": first, "front": {} }))
        );
        let named = json!({ "Aliases": ["a", "b"], "IPAMConfig": { "IPv4Address": "10.1.2.3" } });
        assert_eq!(
            asked("--network name=back,alias=a,\"alias=b\",ip=10.1.2.3 --network own").unwrap(),
            is(Some("back"), json!({ "back": named, "own": {} }))
        );
    }

    #[test]
    fn what_is_said_twice_or_not_known_is_told() {
        for bad in [
            "--network alias=x",
            "--network name=,alias=x",
            "--network name=back,ip6=fd00::1",
            "--network name=back,driver-opt=a",
            "--network back --network back",
            "--network name=back,ip=10.1.2.3 --ip 10.1.2.4",
        ] {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }
}
