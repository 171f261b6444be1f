//! `[gpus]`: the cards of this machine, where the admin lists them, and how the engine is asked for them.

use super::keys::gpus as keys;
use super::node::Node;
use super::paths::plain;
use super::table::Table;
use crate::protocol::amount::Span;
use crate::protocol::card::CardId;
use crate::protocol::told::{Tell, Told};
use std::path::{Path, PathBuf};

/// What the file says of GPUs; without the section, NVML is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpus {
    list: Option<Vec<ListedGpu>>,
    driver: Driver,
    hook: Option<PathBuf>,
    warnings: Option<Vec<Span>>,
}

/// One card as the admin lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGpu {
    pub id: CardId,
    pub name: String,
    /// How many containers may hold it at once; at least 1.
    pub share: u32,
}

/// How the engine gives a card to a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Driver {
    /// By NVIDIA's hook, which the engine runs.
    #[default]
    Nvidia,
    /// By the names of a CDI specification: `nvidia.com/gpu=UUID`.
    Cdi,
}

/// Half an hour and five minutes.
const WARNINGS: [Span; 2] = [Span(1800), Span(300)];

impl Gpus {
    /// The cards, where the file lists them.
    pub fn list(&self) -> Option<&[ListedGpu]> {
        self.list.as_deref()
    }

    pub fn driver(&self) -> Driver {
        self.driver
    }

    /// The program that is told of leases that end.
    pub fn hook(&self) -> Option<&Path> {
        self.hook.as_deref()
    }

    /// How long before the end of a lease its holder is told.
    pub fn warnings(&self) -> &[Span] {
        self.warnings.as_deref().unwrap_or(&WARNINGS)
    }

    pub(super) fn read(table: &Table<'_, '_>) -> Self {
        Self {
            list: table.get(&keys::LIST).and_then(|node| list(&node)),
            driver: table.get(&keys::DRIVER).and_then(|node| driver(&node)).unwrap_or_default(),
            warnings: table.get(&keys::WARN).and_then(|node| {
                Some(node.list()?.iter().filter_map(|item| item.some(item.span())).collect())
            }),
            hook: table.get(&keys::HOOK).and_then(|node| node.path(program)),
        }
    }
}

fn list(node: &Node<'_, '_>) -> Option<Vec<ListedGpu>> {
    let mut cards: Vec<ListedGpu> = Vec::new();
    for item in node.list()? {
        let Some(card) = item.table(card).flatten() else { continue };
        if cards.iter().any(|other| other.id == card.id) {
            item.wrong::<()>(format!("{} is listed twice", card.id));
        }
        cards.push(card);
    }
    Some(cards)
}

/// `{ uuid = "GPU-…", name = "A100", share = 1 }`.
fn card(table: &Table<'_, '_>) -> Option<ListedGpu> {
    let id = table.must(&keys::UUID).and_then(|node| node.word());
    let name = table.get(&keys::NAME).and_then(|node| node.text().map(str::to_owned));
    let share = table.get(&keys::SHARE).map(|node| {
        let number = node.some(node.whole())?;
        u32::try_from(number).ok().or_else(|| node.wrong("is more than 4294967295"))
    });
    Some(ListedGpu {
        id: id?,
        name: name.unwrap_or_else(|| "GPU".to_owned()),
        share: share.unwrap_or(Some(1))?,
    })
}

fn driver(node: &Node<'_, '_>) -> Option<Driver> {
    match node.text()? {
        "nvidia" => Some(Driver::Nvidia),
        "cdi" => Some(Driver::Cdi),
        _ => node.wrong("must be \"nvidia\" or \"cdi\""),
    }
}

fn program(path: &Path) -> Result<PathBuf, Told> {
    plain(path).map_err(|fault| fault.told())
}

#[cfg(test)]
mod tests {
    use super::super::tests::problems;
    use super::super::{Driver, Policy};
    use crate::protocol::amount::Span;
    use std::path::Path;

    const GATEWAY: &str = "[gateway]\nuids = '1-9'\n";

    fn read(gpus: &str) -> super::Gpus {
        Policy::parse("p.toml", &format!("{GATEWAY}{gpus}")).unwrap().gpus().clone()
    }

    #[test]
    fn what_is_not_written_is_built_in() {
        for gpus in [read(""), read("[gpus]")] {
            assert_eq!((gpus.list(), gpus.driver(), gpus.hook()), (None, Driver::Nvidia, None));
            assert_eq!(gpus.warnings(), [Span(1800), Span(300)]);
        }
    }

    #[test]
    fn what_is_written_counts() {
        let gpus = read("[gpus]\ndriver = 'cdi'\nhook = '/usr/lib/tell'\nwarn = ['2h', '5m']\nlist = []");
        assert_eq!((gpus.driver(), gpus.hook()), (Driver::Cdi, Some(Path::new("/usr/lib/tell"))));
        assert_eq!(gpus.warnings(), [Span(7200), Span(300)]);
        assert_eq!(gpus.list(), Some(&[][..]));
        assert_eq!(read("[gpus]\ndriver = 'nvidia'").driver(), Driver::Nvidia);
        assert_eq!(read("[gpus]\nwarn = []").warnings(), []);
        let gpus = read("[gpus]\nlist = [{ uuid = 'GPU-1' }, { uuid = 'GPU-2', name = 'A100', share = 3 }]");
        let cards: Vec<_> = gpus
            .list()
            .unwrap()
            .iter()
            .map(|card| (card.id.as_str(), card.name.as_str(), card.share))
            .collect();
        assert_eq!(cards, [("GPU-1", "GPU", 1), ("GPU-2", "A100", 3)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (gpus, said) in [
            ("driver = 'cuda'", "`gpus.driver` must be \"nvidia\" or \"cdi\""),
            ("hook = 'tell'", "`gpus.hook` \"tell\" "),
            ("hook = '/usr/../tell'", "`gpus.hook` \"/usr/../tell\" "),
            ("warn = ['0s']", "`gpus.warn[0]` must be more than 0"),
            ("list = [{ name = 'A100' }]", "`uuid` is missing"),
            ("list = [{ uuid = 'GPU-1', share = 0 }]", "must be more than 0"),
            ("list = [{ uuid = 'GPU-1', share = 4294967296 }]", "is more than 4294967295"),
            ("list = [{ uuid = 'GPU-1' }, { uuid = 'GPU-1' }]", "GPU-1 is listed twice"),
        ] {
            let told = problems(&format!("{GATEWAY}[gpus]\n{gpus}"));
            assert!(told.len() == 1 && told[0].contains(said), "{gpus}: {told:?}");
        }
    }
}
