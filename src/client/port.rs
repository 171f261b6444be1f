//! Ports: the verb `port`, and how lists show them.

use super::cli::list::PortArgs;
use super::context::Context;
use super::error::Error;
use super::output::print;
use super::route::{Route, container};
use crate::protocol::escape::escape_line;
use crate::protocol::told::told;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// A port of a container, as the list has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Port {
    #[serde(rename = "IP")]
    ip: String,
    private_port: u16,
    public_port: u16,
    r#type: String,
}

/// A run of neighbouring ports that are shown as one.
struct Group {
    ip: String,
    kind: String,
    first: u16,
    last: u16,
}

impl Group {
    fn show(&self) -> String {
        let Self { ip, kind, first, last } = self;
        let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
        if ip.is_empty() {
            format!("{ports}/{kind}")
        } else {
            format!("{}->{ports}/{kind}", joined(ip, &ports))
        }
    }
}

fn joined(ip: &str, port: &str) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

/// Ports as Docker shows them in a list: neighbours together, those that change their number last.
pub(crate) fn displayed(ports: &[Port]) -> String {
    let mut ports = ports.to_vec();
    ports.sort_by(|a, b| {
        (a.private_port, &a.ip, a.public_port, &a.r#type).cmp(&(
            b.private_port,
            &b.ip,
            b.public_port,
            &b.r#type,
        ))
    });
    let (mut shown, mut mapped) = (Vec::new(), Vec::new());
    let mut groups: Vec<Group> = Vec::new();
    for Port { ip, private_port: at, public_port, r#type: kind } in ports {
        if !ip.is_empty() && public_port != at {
            mapped.push(format!("{}->{at}/{kind}", joined(&ip, &public_port.to_string())));
            continue;
        }
        match groups.iter_mut().find(|group| group.ip == ip && group.kind == kind) {
            Some(group) if u32::from(group.last) + 1 == u32::from(at) => group.last = at,
            Some(group) => {
                shown.push(group.show());
                (group.first, group.last) = (at, at);
            }
            None => groups.push(Group { ip, kind, first: at, last: at }),
        }
    }
    shown.extend(groups.iter().map(Group::show));
    shown.extend(mapped);
    shown.join(", ")
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Inspected {
    network_settings: Settings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Settings {
    ports: Option<BTreeMap<String, Option<Vec<Binding>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Binding {
    host_ip: String,
    host_port: String,
}

pub(crate) async fn run(context: &Context, args: &PortArgs) -> Result<ExitCode, Error> {
    let route = Route::container(&container(&args.container)?, "json");
    let found: Inspected = context.api.get_json(&route).await?;
    let ports = found.network_settings.ports.unwrap_or_default();
    match &args.port {
        None => print(&all(&ports))?,
        Some(word) => {
            let none = || Error::usage(told!("no public port {word:?} published for {}", args.container));
            print(&one(&ports, word).ok_or_else(none)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

type Ports = BTreeMap<String, Option<Vec<Binding>>>;

fn all(ports: &Ports) -> String {
    let lines = ports.iter().flat_map(|(port, bindings)| {
        bindings.iter().flatten().map(move |to| format!("{port} -> {}", joined(&to.host_ip, &to.host_port)))
    });
    lines.map(|line| escape_line(&line) + "\n").collect()
}

fn one(ports: &Ports, word: &str) -> Option<String> {
    let port = if word.contains('/') { word.to_owned() } else { format!("{word}/tcp") };
    let bindings = ports.get(&port)?.as_ref().filter(|bindings| !bindings.is_empty())?;
    Some(bindings.iter().map(|to| escape_line(&joined(&to.host_ip, &to.host_port)) + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(ip: &str, public_port: u16, private_port: u16) -> Port {
        Port { ip: ip.to_owned(), private_port, public_port, r#type: "tcp".to_owned() }
    }

    #[test]
    fn neighbours_are_shown_together() {
        for (ports, expected) in [
            (vec![port("", 0, 80)], "80/tcp"),
            (vec![port("", 0, 81), port("", 0, 80), port("", 0, 90)], "80-81/tcp, 90/tcp"),
            (
                vec![port("0.0.0.0", 8080, 80), port("::", 8080, 80)],
                "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
            ),
            (vec![port("127.0.0.1", 80, 80), port("127.0.0.1", 81, 81)], "127.0.0.1:80-81->80-81/tcp"),
        ] {
            assert_eq!(displayed(&ports), expected);
        }
    }
}
