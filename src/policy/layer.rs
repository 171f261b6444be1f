//! One of `[defaults]`, `[groups.…]`, `[users.…]`: what it sets, and for how long.

use super::cap::Cap;
use super::gateway::HomeRoot;
use super::images::Pattern;
use super::keys::{Key, layer, mounts as of_mount, size, total as of_total};
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
    /// What the tables so far say of a shared directory: it is one stage root, idmapped or not, and a group's or not.
    said: RefCell<BTreeMap<PathBuf, (bool, bool)>>,
}

impl<'h> Reading<'h> {
    pub(super) fn new(homes: &'h [HomeRoot]) -> Self {
        Self { homes, said: RefCell::default() }
    }

    pub(super) fn defaults(&self, table: &Table<'_, '_>) -> Layer {
        Layer { settings: self.settings(table), ..Layer::default() }
    }

    pub(super) fn named(&self, name: &str, table: &Table<'_, '_>) -> Layer {
        let until = table.get(&layer::UNTIL).and_then(|node| node.date());
        Layer { name: name.to_owned(), until, settings: self.settings(table) }
    }

    fn settings(&self, table: &Table<'_, '_>) -> Vec<Setting> {
        let mut settings = Vec::new();
        settings.extend(one(table, &layer::CONTAINERS, |node| node.cap(Node::whole), Setting::Containers));
        settings.extend(within(table, &layer::EACH, each));
        settings.extend(within(table, &layer::MAX, max));
        settings.extend(within(table, &layer::TOTAL, total));
        settings.extend(one(table, &layer::CPUSET, |node| node.word().map(Some), Setting::CpuSet));
        settings.extend(one(table, &layer::NETWORKS, |node| node.cap(Node::whole), Setting::Networks));
        settings.extend(one(table, &layer::VOLUMES, |node| node.cap(Node::whole), Setting::Volumes));
        settings.extend(one(
            table,
            &layer::GPU_TIME,
            |node| node.cap(|node| node.some(node.span())),
            Setting::GpuTime,
        ));
        settings.extend(within(table, &layer::GPU_HOURS, gpu_hours));
        settings.extend(one(table, &layer::STOPPED_FOR, stopped_for, Setting::StoppedFor));
        settings.extend(one(table, &layer::RESTART, |node| node.flag(), Setting::Restart));
        settings.extend(one(table, &layer::IMAGES, images, Setting::Images));
        settings.extend(within(table, &layer::PORTS, ports));
        settings.extend(one(table, &layer::HOME, home, Setting::Home));
        settings.extend(one(table, &layer::MOUNTS, |node| self.mounts(node), Setting::Mounts));
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
        let says = (offer.idmap, offer.group);
        let said = *self.said.borrow_mut().entry(offer.source.clone()).or_insert(says);
        for (key, differs) in [("idmap", said.0 != says.0), ("share", said.1 != says.1)] {
            if differs {
                item.wrong::<()>(format!("says another `{key}` for {source} than the table before"));
            }
        }
    }
}

fn each(table: &Table<'_, '_>) -> Vec<Setting> {
    let mut settings = Vec::new();
    settings.extend(one(table, &size::EACH_CPUS, Node::startable, Setting::EachCpus));
    settings.extend(one(table, &size::EACH_MEMORY, |node| node.some(node.bytes()), Setting::EachMemory));
    settings.extend(one(table, &size::EACH_PIDS, |node| node.some(node.whole()), Setting::EachPids));
    settings.extend(one(table, &size::EACH_SHM, |node| node.some(node.bytes()), Setting::EachShm));
    settings.extend(one(table, &size::EACH_NOFILE, nofile, Setting::EachNofile));
    settings
}

/// As many open files as `--ulimit nofile` may ask for: by default no kernel gives a process more.
const MOST_FILES: u64 = 1 << 20;

fn nofile(node: &Node<'_, '_>) -> Option<Option<u64>> {
    let files = node.some(node.whole())?;
    if files > MOST_FILES { node.wrong(format!("must be {MOST_FILES} at most")) } else { Some(Some(files)) }
}

fn max(table: &Table<'_, '_>) -> Vec<Setting> {
    let mut settings = Vec::new();
    settings.extend(one(table, &size::MAX_CPUS, |node| node.cap(Node::startable), Setting::MaxCpus));
    settings.extend(one(
        table,
        &size::MAX_MEMORY,
        |node| node.cap(|node| node.some(node.bytes())),
        Setting::MaxMemory,
    ));
    settings.extend(one(
        table,
        &size::MAX_PIDS,
        |node| node.cap(|node| node.some(node.whole())),
        Setting::MaxPids,
    ));
    settings.extend(one(
        table,
        &size::MAX_SHM,
        |node| node.cap(|node| node.some(node.bytes())),
        Setting::MaxShm,
    ));
    settings
}

fn total(table: &Table<'_, '_>) -> Vec<Setting> {
    let mut settings = Vec::new();
    settings.extend(one(table, &of_total::CPUS, |node| node.cap(Node::cpus), Setting::TotalCpus));
    settings.extend(one(table, &of_total::MEMORY, |node| node.cap(Node::bytes), Setting::TotalMemory));
    settings.extend(one(table, &of_total::PIDS, |node| node.cap(Node::whole), Setting::TotalPids));
    settings.extend(one(table, &of_total::GPUS, |node| node.cap(Node::whole), Setting::TotalGpus));
    settings.extend(one(table, &of_total::DISK, |node| node.cap(Node::bytes), Setting::TotalDisk));
    settings.extend(one(
        table,
        &of_total::OUTPUT,
        |node| node.cap(|node| node.some(node.cpus())),
        Setting::TotalOutput,
    ));
    settings
}

fn gpu_hours(table: &Table<'_, '_>) -> Vec<Setting> {
    one(table, &of_total::WEEK, |node| node.cap(Node::whole), Setting::GpuHoursWeek).into_iter().collect()
}

fn ports(table: &Table<'_, '_>) -> Vec<Setting> {
    let mut settings = Vec::new();
    settings.extend(one(table, &of_total::RANGE, |node| node.word().map(Some), Setting::PortRange));
    settings.extend(one(table, &of_total::MAX, |node| node.cap(Node::whole), Setting::PortMax));
    settings.extend(one(table, &of_total::ADDRESS, Node::word, Setting::PortAddress));
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

/// `{ source = "/data", mode = "ro", always = true, target = "/data", idmap = "on", share = "own" }`.
fn offer(table: &Table<'_, '_>) -> Option<Offer> {
    let source = table.must(&of_mount::SOURCE).and_then(|node| node.path(offered));
    let access = table.must(&of_mount::MODE).and_then(|node| node.access("\"ro\" or \"rw\""));
    let always = table.get(&of_mount::ALWAYS).and_then(|node| node.flag()).unwrap_or(false);
    let at = table.get(&of_mount::TARGET).map(|node| (node.path(target), node));
    let idmap = table.get(&of_mount::IDMAP).and_then(|node| node.switch()).unwrap_or(true);
    let share = table.get(&of_mount::SHARE).map(|node| (node.share(), node));
    let group = match share {
        Some((Some(true), node)) if !idmap => return node.wrong("is for a directory that is idmapped"),
        Some((group, _)) => group?,
        None => false,
    };
    let source = source?;
    let always = match (always, at) {
        (true, Some((at, _))) => Some(at?),
        (true, None) => Some(source.clone()),
        (false, Some((_, node))) => return node.wrong("is for a mount with `always = true`"),
        (false, None) => None,
    };
    Some(Offer { source, access: access?, always, idmap, group })
}

/// A key that sets one thing.
fn one<'d, 't, T>(
    table: &Table<'d, 't>,
    key: &'static Key,
    read: impl FnOnce(&Node<'d, 't>) -> Option<T>,
    setting: fn(Sourced<T>) -> Setting,
) -> Option<Setting> {
    let node = table.get(key)?;
    read(&node).map(|value| setting(node.sourced(value)))
}

/// A key that holds a table of such keys.
fn within<'d, 't>(
    table: &Table<'d, 't>,
    key: &'static Key,
    read: fn(&Table<'_, '_>) -> Vec<Setting>,
) -> Vec<Setting> {
    table.get(key).and_then(|node| node.table(|table| read(table))).unwrap_or_default()
}
