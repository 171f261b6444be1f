//! `network`: the caller's own networks.

use super::cli::list::Kind;
use super::cli::network::{
    ConnectArgs, DisconnectArgs, NetworkInspectArgs, NetworkLsArgs, NetworkRmArgs, NetworkVerb,
};
use super::context::Context;
use super::error::Error;
use super::operands::{done, each};
use super::output::{Column, Format, Row, age, list, natural, print};
use super::route::{Route, container};
use super::{filters, inspect, prune, subnet};
use bollard_stubs::models::{EndpointIpamConfig, EndpointSettings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::process::ExitCode;

pub(crate) async fn run(context: &Context, verb: &NetworkVerb) -> Result<ExitCode, Error> {
    match verb {
        NetworkVerb::Create(args) => create(context, args).await,
        NetworkVerb::Connect(args) => connect(context, args).await,
        NetworkVerb::Disconnect(args) => disconnect(context, args).await,
        NetworkVerb::Ls(args) => ls(context, args).await,
        NetworkVerb::Inspect(args) => look(context, args).await,
        NetworkVerb::Rm(args) => rm(context, args).await,
        NetworkVerb::Prune(args) => prune::networks(context, args).await,
    }
}

/// A network of the list. Read leniently: what an engine leaves out is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Network {
    id: String,
    name: String,
    driver: String,
    scope: String,
    created: String,
    #[serde(rename = "EnableIPv4")]
    ipv4: Option<bool>,
    #[serde(rename = "EnableIPv6")]
    ipv6: bool,
    internal: bool,
    labels: Option<BTreeMap<String, String>>,
}

const HEADINGS: [Column; 9] = [
    ("CreatedAt", "CREATED AT"),
    ("Driver", "DRIVER"),
    ("ID", "NETWORK ID"),
    ("IPv4", "IPV4"),
    ("IPv6", "IPV6"),
    ("Internal", "INTERNAL"),
    ("Labels", "LABELS"),
    ("Name", "NAME"),
    ("Scope", "SCOPE"),
];

async fn ls(context: &Context, args: &NetworkLsArgs) -> Result<ExitCode, Error> {
    let format = Format::parse(context.format.as_deref())?;
    let route = Route::new("/networks").given("filters", filters::json(&args.filter)?.as_deref());
    let mut found: Vec<Network> = context.api.get_json(&route).await?;
    found.sort_by(|a, b| natural::compare(&a.name, &b.name));
    if args.quiet && format.is_table() {
        let ids: String = found.iter().map(|one| one.shown_id(!args.no_trunc) + "\n").collect();
        return print(&ids).map(|()| ExitCode::SUCCESS);
    }
    let rows: Vec<Row> = found.iter().map(|one| one.row(!args.no_trunc)).collect();
    print(&list(&rows, &["ID", "Name", "Driver", "Scope"], &HEADINGS, &format)?)?;
    Ok(ExitCode::SUCCESS)
}

impl Network {
    fn shown_id(&self, short: bool) -> String {
        if short { self.id.chars().take(12).collect() } else { self.id.clone() }
    }

    fn row(&self, short: bool) -> Row {
        let mut row = Row::default();
        row.set("CreatedAt", age::go(&self.created));
        row.set("Driver", self.driver.as_str());
        row.set("ID", self.shown_id(short));
        // An engine that does not say knows no other ones.
        row.set("IPv4", self.ipv4.unwrap_or(true).to_string());
        row.set("IPv6", self.ipv6.to_string());
        row.set("Internal", self.internal.to_string());
        row.set_labels(self.labels.as_ref());
        row.set("Name", self.name.as_str());
        row.set("Scope", self.scope.as_str());
        row
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Made {
    id: String,
}

async fn create(context: &Context, args: &super::cli::network::NetworkCreateArgs) -> Result<ExitCode, Error> {
    let made: Made = context.api.post_json(&Route::new("/networks/create"), &subnet::body(args)?).await?;
    print(&format!("{}\n", made.id)).map(|()| ExitCode::SUCCESS)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Join {
    container: String,
    endpoint_config: EndpointSettings,
}

async fn connect(context: &Context, args: &ConnectArgs) -> Result<ExitCode, Error> {
    let body =
        Join { container: container(&args.container)?.as_str().to_owned(), endpoint_config: endpoint(args)? };
    context.api.post_body(&Route::new("/networks").word(&args.network).then("connect"), &body).await?;
    Ok(ExitCode::SUCCESS)
}

/// What is asked of a container's place in a network, as it was typed: the gateway judges it.
fn endpoint(args: &ConnectArgs) -> Result<EndpointSettings, Error> {
    let addresses = EndpointIpamConfig {
        ipv4_address: args.ip.clone(),
        ipv6_address: args.ip6.clone(),
        link_local_ips: Some(args.link_local_ip.clone()).filter(|all| !all.is_empty()),
    };
    let options = super::body::pairs(&args.driver_opt)?;
    Ok(EndpointSettings {
        ipam_config: Some(addresses).filter(|asked| *asked != EndpointIpamConfig::default()),
        aliases: Some(args.alias.clone()).filter(|all| !all.is_empty()),
        links: Some(args.link.clone()).filter(|all| !all.is_empty()),
        driver_opts: Some(options).filter(|all| !all.is_empty()),
        gw_priority: args.gw_priority,
        ..EndpointSettings::default()
    })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Leave {
    container: String,
    force: bool,
}

async fn disconnect(context: &Context, args: &DisconnectArgs) -> Result<ExitCode, Error> {
    let body = Leave { container: container(&args.container)?.as_str().to_owned(), force: args.force };
    context.api.post_body(&Route::new("/networks").word(&args.network).then("disconnect"), &body).await?;
    Ok(ExitCode::SUCCESS)
}

async fn look(context: &Context, args: &NetworkInspectArgs) -> Result<ExitCode, Error> {
    inspect::of_kind(context, Kind::Network, &args.networks, args.format.as_deref()).await
}

async fn rm(context: &Context, args: &NetworkRmArgs) -> Result<ExitCode, Error> {
    each(context, &args.networks, async |word| {
        match context.api.delete(&Route::new("/networks").word(word)).await {
            Err(error) if args.force && error.is_not_found() => Ok(String::new()),
            Err(error) => Err(error),
            Ok(()) => done(word),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_network_is_shown_as_docker_shows_it() {
        let network: Network = serde_json::from_value(json!({
            "Name": "lab", "Id": "b0c3efabb5d01a80bfda4553112ccc5eec881792e019991413a4e3a35c77b9b7", "Driver": "bridge",
            "Created": "2026-11-20T21:24:58.1Z", "Scope": "local", "Internal": true, "Labels": {"b": "2", "a": "1"},
        }))
        .unwrap();
        let row = network.row(true);
        for (field, expected) in
            [("ID", "b0c3efabb5d0"), ("Labels", "a=1,b=2"), ("IPv4", "true"), ("Internal", "true")]
        {
            assert_eq!(row.fields[field], json!(expected), "{field}");
        }
        assert!(HEADINGS.iter().all(|(field, _)| row.fields.contains_key(*field)));
        assert_eq!(row.fields.len(), HEADINGS.len());
    }
}
