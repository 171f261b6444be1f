//! The roots, as the policy file names them.

use super::roots::{Kind, Root, Roots};
use anyhow::{Context, anyhow};
use std::path::Path;
use toml::{Table, Value};

/// Reads uids, homes and shared directories; whole or not at all.
pub(super) fn load(path: &Path) -> anyhow::Result<Roots> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let file: Table = text.parse().with_context(|| format!("reading {}", path.display()))?;
    let gateway = file.get("gateway").and_then(Value::as_table).context("[gateway] is missing")?;
    let uids = gateway.get("uids").and_then(Value::as_str).context("gateway.uids is missing")?;
    let (least, most) = uids.split_once('-').ok_or_else(|| anyhow!("gateway.uids is not a range"))?;
    let mut list = Vec::new();
    for home in array(gateway, "homes") {
        list.push(root(home, "path", Kind::Home)?);
    }
    for mount in
        file.get("defaults").and_then(Value::as_table).map_or(&[][..], |table| array(table, "mounts"))
    {
        let writable = mount.get("mode").and_then(Value::as_str) == Some("rw");
        list.push(root(mount, "source", Kind::Shared { writable })?);
    }
    Ok(Roots::new(least.parse()?..=most.parse()?, list))
}

fn array<'a>(table: &'a Table, key: &str) -> &'a [Value] {
    table.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn root(value: &Value, key: &str, kind: Kind) -> anyhow::Result<Root> {
    let path = value.as_str().or_else(|| value.get(key)?.as_str()).context("a root has no path")?;
    let idmap = value.get("idmap").and_then(Value::as_str) != Some("off");
    Ok(Root { path: path.into(), kind, idmap })
}
