//! What cards there are: the policy's list, or what NVML tells.

use super::card::Card;
use crate::policy::{Gpus, ListedGpu};
use crate::protocol::card::{CardId, CardWord};
use crate::protocol::told::{Told, told};
use nvml_wrapper::Nvml;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// One device as NVML shows it just now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gateway) struct Row {
    /// For people; it changes from boot to boot.
    pub(in crate::gateway) index: u32,
    pub(in crate::gateway) uuid: String,
    pub(in crate::gateway) name: String,
    /// It is cut into instances, which are granted in its place.
    pub(in crate::gateway) cut: bool,
    /// Percent of the last moments in which it computed.
    pub(in crate::gateway) load: Option<u32>,
    /// Bytes.
    pub(in crate::gateway) memory_used: Option<u64>,
    pub(in crate::gateway) memory_total: Option<u64>,
    pub(in crate::gateway) processes: Vec<Process>,
    pub(in crate::gateway) fault: Option<String>,
}

/// A process on a card: by the host's pid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gateway) struct Process {
    pub(in crate::gateway) pid: u32,
    pub(in crate::gateway) memory: Option<u64>,
}

/// The cards, as last looked at.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Inventory {
    nvml: Mutex<Option<Arc<Nvml>>>,
    seen: RwLock<Seen>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    cards: Vec<Card>,
    rows: Vec<Row>,
}

impl Inventory {
    /// Looks anew. Blocks while the driver answers: not for the event loop.
    ///
    /// Gives back the cards that went or failed since the last look.
    pub(in crate::gateway) fn look(&self, site: &Gpus) -> Vec<Card> {
        let rows = self.rows();
        let found = match site.list() {
            Some(list) => listed(list, &rows),
            None => discovered(&rows),
        };
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let (cards, lost) = compared(&seen.cards, found);
        *seen = Seen { cards, rows };
        lost
    }

    pub(in crate::gateway) fn cards(&self) -> Vec<Card> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).cards.clone()
    }

    /// The cards with the numbers by which people know them: the driver's, or the places in the admin's list.
    pub(in crate::gateway) fn numbered(&self) -> Vec<(u32, Card)> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).numbered()
    }

    /// The card that a word means just now.
    pub(in crate::gateway) fn named(&self, word: &CardWord) -> Result<CardId, Told> {
        let wanted = match word {
            CardWord::Uuid(id) => return Ok(id.clone()),
            CardWord::Number(wanted) => wanted,
        };
        let mut so_numbered = self.numbered().into_iter().filter(|(number, _)| number == wanted);
        match (so_numbered.next(), so_numbered.next()) {
            (Some((_, card)), None) => Ok(card.id),
            (None, _) => Err(told!("this machine has no gpu {wanted}")),
            // The instances of a card have its number.
            (Some(_), Some(_)) => Err(told!("there are several gpus {wanted}: say which by its UUID")),
        }
    }

    /// What NVML told of a card.
    pub(in crate::gateway) fn row(&self, id: &CardId) -> Option<Row> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.rows.iter().find(|row| row.uuid == id.as_str()).cloned()
    }

    /// Whether any process is on any card.
    pub(in crate::gateway) fn busy(&self) -> bool {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.rows.iter().any(|row| !row.processes.is_empty())
    }

    /// Without the driver's library there are none, which is fine.
    fn rows(&self) -> Vec<Row> {
        let mut nvml = self.nvml.lock().unwrap_or_else(PoisonError::into_inner);
        if nvml.is_none() {
            match Nvml::init() {
                Ok(library) => *nvml = Some(Arc::new(library)),
                Err(error) => tracing::debug!("NVML is not to be had: {error}"),
            }
        }
        nvml.as_deref().map(read).unwrap_or_default()
    }
}

impl Seen {
    fn numbered(&self) -> Vec<(u32, Card)> {
        let number = |place: usize, card: &Card| {
            let row = self.rows.iter().find(|row| row.uuid == card.id.as_str());
            row.map_or_else(|| u32::try_from(place).unwrap_or(u32::MAX), |row| row.index)
        };
        self.cards.iter().enumerate().map(|(place, card)| (number(place, card), card.clone())).collect()
    }
}

fn read(nvml: &Nvml) -> Vec<Row> {
    let mut rows = Vec::new();
    for index in 0..nvml.device_count().unwrap_or(0) {
        let device = match nvml.device_by_index(index) {
            Ok(device) => device,
            Err(error) => {
                tracing::warn!("gpu {index} does not answer: {error}");
                continue;
            }
        };
        let cut = device.mig_mode().is_ok_and(|mode| mode.current == 1);
        rows.push(row(index, cut, &device));
        if cut {
            let instances = (0..device.mig_device_count().unwrap_or(0))
                .filter_map(|n| device.mig_device_by_index(n).ok());
            rows.extend(instances.map(|instance| row(index, false, &instance)));
        }
    }
    rows
}

fn row(index: u32, cut: bool, device: &nvml_wrapper::Device<'_>) -> Row {
    use nvml_wrapper::enums::device::UsedGpuMemory;
    let memory = device.memory_info().ok();
    let processes =
        device.running_compute_processes().unwrap_or_default().into_iter().map(|process| Process {
            pid: process.pid,
            memory: match process.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            },
        });
    let uuid = device.uuid();
    Row {
        index,
        name: device.name().unwrap_or_else(|_| "GPU".to_owned()),
        cut,
        load: device.utilization_rates().ok().map(|rates| rates.gpu),
        memory_used: memory.as_ref().map(|memory| memory.used),
        memory_total: memory.map(|memory| memory.total),
        processes: processes.collect(),
        fault: uuid.as_ref().err().map(ToString::to_string),
        uuid: uuid.unwrap_or_default(),
    }
}

/// The admin's list counts, with or without a driver; a card on it that the driver does not know is out of order.
fn listed(list: &[ListedGpu], rows: &[Row]) -> Vec<Card> {
    let card = |listed: &ListedGpu| {
        let row = rows.iter().find(|row| row.uuid == listed.id.as_str());
        let fault = match row {
            _ if rows.is_empty() => None,
            None => Some("the driver does not know it".to_owned()),
            Some(Row { cut: true, .. }) => Some("it is cut into instances, list those".to_owned()),
            Some(row) => row.fault.clone(),
        };
        Card { id: listed.id.clone(), name: listed.name.clone(), share: listed.share, fault }
    };
    list.iter().map(card).collect()
}

/// Every device that is whole, and every instance.
fn discovered(rows: &[Row]) -> Vec<Card> {
    let card = |row: &Row| {
        let id = row.uuid.parse().ok()?;
        Some(Card { id, name: row.name.clone(), share: 1, fault: row.fault.clone() })
    };
    rows.iter().filter(|row| !row.cut).filter_map(card).collect()
}

/// The cards now in their order, those that are gone marked instead of forgotten; and which of them were well before.
fn compared(before: &[Card], mut now: Vec<Card>) -> (Vec<Card>, Vec<Card>) {
    let gone = before.iter().filter(|old| !now.iter().any(|card| card.id == old.id));
    let gone: Vec<Card> =
        gone.map(|old| Card { fault: Some("it is gone".to_owned()), ..old.clone() }).collect();
    now.extend(gone);
    let well = |id: &CardId| before.iter().any(|old| old.id == *id && old.fault.is_none());
    let lost = now.iter().filter(|card| card.fault.is_some() && well(&card.id)).cloned().collect();
    (now, lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn row(uuid: &str, cut: bool) -> Row {
        Row { uuid: uuid.into(), name: "A100".into(), cut, ..Row::default() }
    }

    fn ids(cards: &[Card]) -> Vec<&str> {
        cards.iter().map(|card| card.id.as_str()).collect()
    }

    #[test]
    fn a_card_that_is_cut_gives_way_to_its_instances() {
        let rows = [row("GPU-0", false), row("GPU-1", true), row("MIG-a", false), row("MIG-b", false)];
        assert_eq!(ids(&discovered(&rows)), ["GPU-0", "MIG-a", "MIG-b"]);
    }

    #[test]
    fn a_number_is_the_one_that_is_shown() {
        let of = |rows: &[Row]| Inventory {
            seen: RwLock::new(Seen { cards: discovered(rows), rows: rows.to_vec() }),
            ..Inventory::default()
        };
        let word = |word: &str| word.parse().unwrap();
        let at = |uuid, index, cut| Row { index, ..row(uuid, cut) };
        let cards =
            of(&[at("GPU-1", 1, false), at("GPU-0", 0, true), at("MIG-a", 0, false), at("MIG-b", 0, false)]);
        assert_eq!(cards.named(&word("1")).unwrap().as_str(), "GPU-1");
        assert_eq!(
            cards.named(&word("0")).unwrap_err().to_string(),
            "there are several gpus 0: say which by its UUID"
        );
        assert_eq!(cards.named(&word("2")).unwrap_err().to_string(), "this machine has no gpu 2");
        assert_eq!(cards.named(&word("MIG-b")).unwrap().as_str(), "MIG-b");
        // Without a driver the places in the admin's list are shown.
        let listed = Seen { cards: discovered(&[row("GPU-b", false), row("GPU-a", false)]), rows: vec![] };
        let listed = Inventory { seen: RwLock::new(listed), ..Inventory::default() };
        assert_eq!(listed.named(&word("1")).unwrap().as_str(), "GPU-a");
    }

    #[test]
    fn the_admins_list_counts() {
        let policy =
            "[gateway]\nuids = '1-9'\n[gpus]\nlist = [{ uuid = 'GPU-1', share = 3 }, { uuid = 'GPU-2' }]";
        let policy = Policy::parse("p", policy).unwrap();
        let list = policy.gpus().list().unwrap();
        assert!(listed(list, &[]).iter().all(|card| card.fault.is_none()));
        let cards = listed(list, &[row("GPU-1", true), row("GPU-3", false)]);
        assert_eq!((ids(&cards), cards[0].share), (vec!["GPU-1", "GPU-2"], 3));
        assert!(cards[0].fault.as_deref().unwrap().contains("cut"));
        assert!(cards[1].fault.as_deref().unwrap().contains("does not know"));
    }

    #[test]
    fn a_card_that_disappears_is_marked_and_told_once() {
        let before = discovered(&[row("GPU-0", false), row("GPU-1", false)]);
        let (cards, lost) = compared(&before, discovered(&[row("GPU-0", false)]));
        assert_eq!((ids(&cards), ids(&lost)), (vec!["GPU-0", "GPU-1"], vec!["GPU-1"]));
        assert_eq!(cards[1].fault.as_deref(), Some("it is gone"));
        let (again, lost) = compared(&cards, discovered(&[row("GPU-0", false)]));
        assert_eq!((again, lost), (cards.clone(), vec![]));
        let (back, _) = compared(&cards, discovered(&[row("GPU-0", false), row("GPU-1", false)]));
        assert!(back.iter().all(|card| card.fault.is_none()));
    }
}
