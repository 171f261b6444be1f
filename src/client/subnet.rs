//! The body of a network's create: what was asked for, each address beside the subnet that it lies in.

use super::body::{labels, pairs};
use super::cli::network::NetworkCreateArgs;
use super::error::Error;
use crate::protocol::told::told;
use bollard_stubs::models::{ConfigReference, Ipam, IpamConfig, NetworkCreateRequest};
use std::collections::HashMap;
use std::net::IpAddr;

/// What is not asked for is not sent.
pub(crate) fn body(args: &NetworkCreateArgs) -> Result<NetworkCreateRequest, Error> {
    let given = |yes: bool| yes.then_some(true);
    let options = pairs(&args.ipam_opt)?;
    Ok(NetworkCreateRequest {
        name: args.name.clone(),
        driver: Some(args.driver.clone()),
        scope: args.scope.clone(),
        internal: given(args.internal),
        attachable: given(args.attachable),
        ingress: given(args.ingress),
        config_only: given(args.config_only),
        config_from: args.config_from.clone().map(|network| ConfigReference { network: Some(network) }),
        enable_ipv4: (!args.ipv4).then_some(false),
        enable_ipv6: given(args.ipv6),
        ipam: Some(Ipam {
            driver: Some(args.ipam_driver.clone()),
            config: Some(configs(args)?).filter(|all| !all.is_empty()),
            options: Some(options).filter(|all| !all.is_empty()),
        }),
        options: Some(pairs(&args.opt)?).filter(|all| !all.is_empty()),
        labels: Some(labels(&args.label)?).filter(|all| !all.is_empty()),
    })
}

/// A subnet with its gateway, its range, and the addresses that others have.
fn configs(args: &NetworkCreateArgs) -> Result<Vec<IpamConfig>, Error> {
    let mut configs: Vec<IpamConfig> = args
        .subnet
        .iter()
        .map(|subnet| IpamConfig { subnet: Some(subnet.clone()), ..IpamConfig::default() })
        .collect();
    for range in &args.ip_range {
        let config = around(&mut configs, range)?;
        config.ip_range = Some(range.clone());
    }
    for gateway in &args.gateway {
        let config = around(&mut configs, gateway)?;
        config.gateway = Some(gateway.clone());
    }
    for (name, address) in pairs(&args.aux_address)? {
        let config = around(&mut configs, &address)?;
        config.auxiliary_addresses.get_or_insert_with(HashMap::new).insert(name, address);
    }
    Ok(configs)
}

fn around<'c>(configs: &'c mut [IpamConfig], word: &str) -> Result<&'c mut IpamConfig, Error> {
    let lies =
        |config: &&mut IpamConfig| config.subnet.as_deref().is_some_and(|subnet| contains(subnet, word));
    configs.iter_mut().find(lies).ok_or_else(|| Error::usage(told!("no --subnet has {word} in it")))
}

/// Whether an address, or the first of a range, lies in a subnet.
fn contains(subnet: &str, word: &str) -> bool {
    let address = word.split_once('/').map_or(word, |(address, _)| address);
    let found = subnet.split_once('/').and_then(|(network, length)| {
        let length: u32 = length.parse().ok()?;
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let ((network, width), (address, other)) = (bits(network.parse().ok()?), bits(address.parse().ok()?));
        let left = u32::checked_sub(width, length)?;
        Some(width == other && network.checked_shr(left) == address.checked_shr(left))
    });
    found.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::cli::network::NetworkVerb;
    use crate::client::cli::{Verb, read};
    use serde_json::{Value, json};

    fn asked(line: &str) -> Result<Value, Error> {
        let cli = read(["ie-container", "network", "create"].into_iter().chain(line.split(' '))).unwrap();
        let Verb::Network(NetworkVerb::Create(args)) = cli.verb else { panic!("not create") };
        Ok(serde_json::to_value(body(&args)?).unwrap())
    }

    #[test]
    fn a_network_asks_for_what_was_typed() {
        let plain = json!({"Name": "lab", "Driver": "bridge", "IPAM": {"Driver": "default"}});
        assert_eq!(asked("lab").unwrap(), plain);
        let line = "--internal=true --attachable --label a=b --opt com.docker.network.driver.mtu=1450 \
            --subnet 10.1.2.0/24,10.1.3.0/24 --gateway 10.1.3.1 --ip-range 10.1.2.128/25 --aux-address x=10.1.2.9 lab";
        let expected = json!({
            "Name": "lab", "Driver": "bridge", "Internal": true, "Attachable": true, "Labels": {"a": "b"},
            "Options": {"com.docker.network.driver.mtu": "1450"},
            "IPAM": {"Driver": "default", "Config": [
                {"Subnet": "10.1.2.0/24", "IPRange": "10.1.2.128/25", "AuxiliaryAddresses": {"x": "10.1.2.9"}},
                {"Subnet": "10.1.3.0/24", "Gateway": "10.1.3.1"},
            ]},
        });
        assert_eq!(asked(line).unwrap(), expected);
        assert_eq!(asked("--ipv4=false --ipv6 lab").unwrap()["EnableIPv4"], json!(false));
        for wrong in ["--gateway 10.1.2.1 lab", "--subnet 10.1.2.0/24 --gateway 10.2.2.1 lab", "--opt x lab"]
        {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_lies_in_a_subnet() {
        for (subnet, word, lies) in [
            ("10.1.2.0/24", "10.1.2.255", true),
            ("10.1.2.0/24", "10.1.3.0", false),
            ("0.0.0.0/0", "10.1.3.0", true),
            ("10.1.2.3/32", "10.1.2.3/32", true),
            ("10.1.2.0/33", "10.1.2.3", false),
            ("fd00::/8", "fd12::1", true),
            ("::/0", "fd12::1", true),
            ("fd00::/8", "10.1.2.3", false),
            ("here", "10.1.2.3", false),
        ] {
            assert_eq!(contains(subnet, word), lies, "{subnet} {word}");
        }
    }
}
