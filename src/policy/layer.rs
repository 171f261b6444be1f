//! One of `[defaults]`, `[groups.…]`, `[users.…]`: what it sets, and for how long.

use super::cap::Cap;
use super::gateway::HomeRoot;
use super::images::Pattern;
use super::mounts::{Offer, offered, target};
use super::node::Node;
use super::setting::Setting;
use super::source::Sourced;
use super::table::Table;
use crate::protocol::amount::Span;
use crate::protocol::stage::Access;
use jiff::civil::Date;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    name: String,
    until: Option<Date>,
    settings: Vec<Setting>,
}

impl Layer {
    /// The group's or the user's; empty for `[defaults]`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Whether the table counts: on its last day it still does.
    pub(super) fn holds_on(&self, today: Date) -> bool {
        self.until.is_none_or(|last| today <= last)
    }
}

/// What must be known of the rest of the file to read a layer.
pub(super) struct Reading<'h> {
    homes: &'h [HomeRoot],
    /// What the tables so far say of a shared directory: it is one stage root, idmapped or not.
    idmaps: RefCell<BTreeMap<PathBuf, bool>>,
}

impl<'h> Reading<'h> {
    pub(super) fn new(homes: &'h [HomeRoot]) -> Self {
        Self { homes, idmaps: RefCell::default() }
    }

    pub(super) fn defaults(&self, table: &Table<'_, '_>) -> Layer {
        Layer { settings: self.settings(table), ..Layer::default() }
    }

    pub(super) fn named(&self, name: &str, table: &Table<'_, '_>) -> Layer {
        let until = table.get("until").and_then(|node| node.date());
        Layer { name: name.to_owned(), until, settings: self.settings(table) }
    }

    fn settings(&self, table: &Table<'_, '_>) -> Vec<Setting> {
        let mut settings = Vec::new();
        settings.extend(one(table, "containers", |node| node.cap(Node::whole), Setting::Containers));
        settings.extend(within(table, "each", each));
        settings.extend(within(table, "max", max));
        settings.extend(within(table, "total", total));
        settings.extend(one(table, "networks", |node| node.cap(Node::whole), Setting::Networks));
        settings.extend(one(table, "volumes", |node| node.cap(Node::whole), Setting::Volumes));
        settings.extend(one(
            table,
            "gpu_time",
            |node| node.cap(|node| node.some(node.span())),
            Setting::GpuTime,
        ));
        settings.extend(within(table, "gpu_hours", gpu_hours));
        settings.extend(one(table, "stopped_for", stopped_for, Setting::StoppedFor));
        settings.extend(one(table, "images", images, Setting::Images));
        settings.extend(within(table, "ports", ports));
        settings.extend(one(table, "home", home, Setting::Home));
        settings.extend(one(table, "mounts", |node| self.mounts(node), Setting::Mounts));
        settings
    }

    fn mounts(&self, node: &Node<'_, '_>) -> Option<Vec<Offer>> {
        let offer = |item: Node<'_, '_>| {
            let offer = item.table(offer).flatten()?;
            self.fits(&item, &offer);
            Some(offer)
        };
        let offers: Vec<_> = node.list()?.into_iter().filter_map(offer).collect();
        for (at, offer) in offers.iter().enumerate() {
            if offers
                .iter()
                .take(at)
                .any(|other| other.source == offer.source && other.always == offer.always)
            {
                node.wrong::<()>(format!("lists {} twice", offer.source.display()));
            }
        }
        Some(offers)
    }

    /// A shared directory is nobody's own, so no home may lie in it; and tables agree how it is staged.
    fn fits(&self, item: &Node<'_, '_>, offer: &Offer) {
        let source = offer.source.display();
        if self.homes.iter().any(|home| home.path().starts_with(&offer.source)) {
            item.wrong::<()>(format!("{source} holds the homes of `gateway.homes`"));
        }
        let said = *self.idmaps.borrow_mut().entry(offer.source.clone()).or_insert(offer.idmap);
        if said != offer.idmap {
            item.wrong::<()>(format!("says another `idmap` for {source} than the table before"));
        }
    }
}

fn each(table: &Table<'_, '_>) -> Vec<Setting> {
    let mut settings = Vec::new();
    settings.extend(one(table, "cpus", Node::startable, Setting::EachCpus));
    settings.extend(one(table, "memory", |node| node.some(node.bytes()), Setting::EachMemory));
    settings.extend(one(table, "pids", |node| node.some(node.whole()), Setting::EachPids));
    settings.extend(one(table, "shm", |node| node.some(node.bytes()), Setting::EachShm));
    settings.extend(one(table, "nofile", nofile, Setting::EachNofile));
    settings
}

/// As many as `--ulimit nofile` may ask for: by default no kernel gives a process more.
const MOST_FILES: u64 = 1 << 20;

fn nofile(node: &Node<'_, '_>) -> Option<Option<u64>> {
    let files = node.some(node.whole())?;
    if files > MOST_FILES { node.wrong(format!("must be {MOST_FILES} at most")) } else { Some(Some(files)) }
}

fn max(table: &Table<'_, '_>) -> Vec<Setting> {
    let mut settings = Vec::new();
    settings.extend(one(table, "cpus", |node| node.cap(Node::startable), Setting::MaxCpus));
    settings.extend(one(
        table,
        "memory",
        |node| node.cap(|node| node.some(node.bytes())),
        Setting::MaxMemory,
    ));
    settings.extend(one(table, "pids", |node| node.cap(|node| node.some(node.whole())), Setting::MaxPids));
    settings.extend(one(table, "shm", |node| node.cap(|node| node.some(node.bytes())), Setting::MaxShm));
    settings
}

fn total(table: &Table<'_, '_>) -> Vec<Setting> {
    let mut settings = Vec::new();
    settings.extend(one(table, "cpus", |node| node.cap(Node::cpus), Setting::TotalCpus));
    settings.extend(one(table, "memory", |node| node.cap(Node::bytes), Setting::TotalMemory));
    settings.extend(one(table, "pids", |node| node.cap(Node::whole), Setting::TotalPids));
    settings.extend(one(table, "gpus", |node| node.cap(Node::whole), Setting::TotalGpus));
    settings.extend(one(table, "disk", |node| node.cap(Node::bytes), Setting::TotalDisk));
    settings.extend(one(
        table,
        "output",
        |node| node.cap(|node| node.some(node.cpus())),
        Setting::TotalOutput,
    ));
    settings
}

fn gpu_hours(table: &Table<'_, '_>) -> Vec<Setting> {
    one(table, "week", |node| node.cap(Node::whole), Setting::GpuHoursWeek).into_iter().collect()
}

fn ports(table: &Table<'_, '_>) -> Vec<Setting> {
    let mut settings = Vec::new();
    settings.extend(one(table, "range", |node| node.word().map(Some), Setting::PortRange));
    settings.extend(one(table, "max", |node| node.cap(Node::whole), Setting::PortMax));
    settings.extend(one(table, "address", Node::word, Setting::PortAddress));
    settings
}

fn stopped_for(node: &Node<'_, '_>) -> Option<Cap<Span>> {
    match node.text()? {
        "never" => Some(Cap::Unlimited),
        _ => node.some(node.span()).map(Cap::Most),
    }
}

fn images(node: &Node<'_, '_>) -> Option<Vec<Pattern>> {
    Some(node.list()?.iter().filter_map(Node::word).collect())
}

fn home(node: &Node<'_, '_>) -> Option<Option<Access>> {
    match node.text()? {
        "none" => Some(None),
        _ => node.access("\"rw\", \"ro\" or \"none\"").map(Some),
    }
}

/// `{ source = "/data", mode = "ro", always = true, target = "/data", idmap = "on" }`.
fn offer(table: &Table<'_, '_>) -> Option<Offer> {
    let source = table.must("source").and_then(|node| node.path(offered));
    let access = table.must("mode").and_then(|node| node.access("\"ro\" or \"rw\""));
    let always = table.get("always").and_then(|node| node.flag()).unwrap_or(false);
    let at = table.get("target").map(|node| (node.path(target), node));
    let idmap = table.get("idmap").and_then(|node| node.switch()).unwrap_or(true);
    let source = source?;
    let always = match (always, at) {
        (true, Some((at, _))) => Some(at?),
        (true, None) => Some(source.clone()),
        (false, Some((_, node))) => return node.wrong("is for a mount with `always = true`"),
        (false, None) => None,
    };
    Some(Offer { source, access: access?, always, idmap })
}

/// A key that sets one thing.
fn one<'d, 't, T>(
    table: &Table<'d, 't>,
    key: &'static str,
    read: impl FnOnce(&Node<'d, 't>) -> Option<T>,
    setting: fn(Sourced<T>) -> Setting,
) -> Option<Setting> {
    let node = table.get(key)?;
    read(&node).map(|value| setting(node.sourced(value)))
}

/// A key that holds a table of such keys.
fn within<'d, 't>(
    table: &Table<'d, 't>,
    key: &'static str,
    read: fn(&Table<'_, '_>) -> Vec<Setting>,
) -> Vec<Setting> {
    table.get(key).and_then(|node| node.table(|table| read(table))).unwrap_or_default()
}
