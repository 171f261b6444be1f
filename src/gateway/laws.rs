//! What holds for several users at once, whatever they do in whatever order: what is everybody's is held by one of them.
//!
//! Each step is what the gateway does under one lock; between two of them others may come.

use crate::gateway::engine::ports::{self, Holder, PortClaim};
use crate::gateway::engine::{Block, ContainerId, block, free_bridge, free_subnet, network_name};
use crate::gateway::gpu::allocate::Wanted;
use crate::gateway::gpu::card::{Card, Holder as CardHolder};
use crate::gateway::gpu::desk::{self, Asker, Scene};
use crate::policy::{Ask, ImageAsk, Policy, PortAsk, Protocol, Usage, Who};
use crate::protocol::card::CardId;
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;

const POLICY: &str = "[gateway]
uids = '1000-1999'
networks = '10.9.0.0/26'
network_size = 28
[defaults]
images = ['**']
containers = 100
ports = { range = '40000-40004', max = 100, address = '127.0.0.1' }
[users.c]
ports = { range = '40003-40009', address = '0.0.0.0' }
";
const LOGINS: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Step {
    /// Somebody's create is granted these, and the engine is asked.
    Grant {
        user: usize,
        ports: Vec<Option<u16>>,
        cards: usize,
    },
    /// The engine has made it.
    Made(usize),
    Failed(usize),
    Start(usize),
    Stop(usize),
    Remove(usize),
    Wait,
    Network {
        user: usize,
        named: bool,
    },
    /// The engine is removing it: it is listed no more, and has its addresses still.
    NetworkGoes(usize),
    NetworkGone(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let ports = prop::collection::vec(prop::option::of(40000u16..40010), 0..3);
    let grant =
        (0usize..3, ports, 0usize..3).prop_map(|(user, ports, cards)| Step::Grant { user, ports, cards });
    let at = || 0usize..8;
    prop_oneof![
        5 => grant,
        4 => at().prop_map(Step::Made),
        1 => at().prop_map(Step::Failed),
        3 => at().prop_map(Step::Start),
        2 => at().prop_map(Step::Stop),
        1 => at().prop_map(Step::Remove),
        1 => Just(Step::Wait),
        3 => (0usize..3, any::<bool>()).prop_map(|(user, named)| Step::Network { user, named }),
        1 => at().prop_map(Step::NetworkGoes),
        1 => at().prop_map(Step::NetworkGone),
    ]
}

struct Container {
    user: usize,
    holder: Holder,
    cards: Vec<CardId>,
}

struct Network {
    name: String,
    bridge: String,
    subnet: Block,
    listed: bool,
}

struct World {
    policy: Policy,
    cards: Vec<Card>,
    now: Timestamp,
    made: u32,
    ports: ports::Desk,
    gpus: desk::Desk,
    under_way: Vec<(usize, PortClaim, Option<desk::Claim>)>,
    containers: Vec<Container>,
    networks: Vec<Network>,
}

fn uid(user: usize) -> u32 {
    1000 + u32::try_from(user).unwrap()
}

fn asker(user: usize) -> Asker<'static> {
    Asker { uid: uid(user), login: LOGINS[user] }
}

impl World {
    fn new() -> Self {
        let card = |number| Card {
            id: format!("GPU-{number}").parse().unwrap(),
            name: "A100".into(),
            share: 1,
            fault: None,
        };
        Self {
            policy: Policy::parse("p.toml", POLICY).unwrap(),
            cards: (0..3).map(card).collect(),
            now: Timestamp::UNIX_EPOCH,
            made: 0,
            ports: ports::Desk::default(),
            gpus: desk::Desk::default(),
            under_way: Vec::new(),
            containers: Vec::new(),
            networks: Vec::new(),
        }
    }

    fn leased(&self) -> Vec<CardHolder> {
        let running =
            self.containers.iter().filter(|container| container.holder.runs && !container.cards.is_empty());
        let holder = |container: &Container| CardHolder {
            uid: uid(container.user),
            login: LOGINS[container.user].to_owned(),
            container: container.holder.id.to_string(),
            cards: container.cards.clone(),
            until: Some(self.now),
            promised: false,
        };
        running.map(holder).collect()
    }

    fn look(&self) -> ports::Look<'_> {
        let listed: Vec<Holder> = self.containers.iter().map(|container| container.holder.clone()).collect();
        self.ports.look_at(async || Ok::<_, Infallible>(listed)).now_or_never().unwrap().unwrap()
    }

    fn ask(&self, user: usize, asked: &[Option<u16>]) -> Option<PortClaim> {
        let today = jiff::civil::date(2026, 11, 20);
        let who = Who { login: LOGINS[user], groups: &[], home: Path::new("/home/x"), today };
        let port = |host: &Option<u16>| PortAsk {
            container: 80,
            protocol: Protocol::Tcp,
            host: (*host).into(),
            address: None,
        };
        let image =
            ImageAsk { shown: "x".into(), references: vec!["docker.io/library/x:y".into()], own: false };
        let ask = Ask { image, ports: asked.iter().map(port).collect(), ..Ask::default() };
        let look = self.look();
        let used = Usage { taken_ports: look.taken(), ..Usage::default() };
        let granted = self.policy.limits(&who).admit(&used, &ask).ok()?;
        Some(look.claim(granted.ports()))
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Grant { user, ports, cards } => {
                let Some(ports) = self.ask(user, &ports) else { return };
                let leased = self.leased();
                let scene = Scene { cards: &self.cards, leased: &leased, now: self.now };
                let claim = match cards {
                    0 => None,
                    count => match self.gpus.claim(scene, asker(user), &Wanted::Some(count)) {
                        Ok(claim) => Some(claim),
                        Err(_) => return,
                    },
                };
                self.under_way.push((user, ports, claim));
            }
            Step::Made(at) if at < self.under_way.len() => self.make(at),
            Step::Failed(at) if at < self.under_way.len() => drop(self.under_way.remove(at)),
            Step::Start(at) => self.start(at),
            Step::Stop(at) => {
                if let Some(container) = self.containers.get_mut(at) {
                    container.holder.runs = false;
                    self.gpus.forget(&container.holder.id, self.now);
                }
            }
            Step::Remove(at) if at < self.containers.len() => {
                self.gpus.forget(&self.containers.remove(at).holder.id, self.now);
            }
            Step::Wait => self.now += SignedDuration::from_secs(61),
            Step::Network { user, named } => self.network(user, named),
            Step::NetworkGoes(at) => {
                if let Some(network) = self.networks.get_mut(at) {
                    network.listed = false;
                }
            }
            Step::NetworkGone(at) if self.networks.get(at).is_some_and(|network| !network.listed) => {
                drop(self.networks.remove(at));
            }
            _ => {}
        }
    }

    /// Its label is the claim; listed first, and then the claim goes.
    fn make(&mut self, at: usize) {
        let (user, ports, claim) = self.under_way.remove(at);
        let id = ContainerId::parse(&format!("{:064x}", self.made)).unwrap();
        self.made += 1;
        let cards = claim.as_ref().map(|claim| claim.cards().to_vec()).unwrap_or_default();
        let numbers = ports.grants().iter().map(|grant| grant.host).collect();
        let (uid, runs, started) = (uid(user), false, false);
        let holder = Holder { id: id.clone(), uid, made: 0, runs, started, ports: numbers };
        self.containers.push(Container { user, holder, cards });
        if let Some(claim) = claim {
            claim.for_container(&id, "x", self.now);
        }
    }

    fn start(&mut self, at: usize) {
        let Some(container) = self.containers.get(at).filter(|container| !container.holder.runs) else {
            return;
        };
        if self.look().may_take(&container.holder).is_err() {
            return;
        }
        let leased = self.leased();
        let scene = Scene { cards: &self.cards, leased: &leased, now: self.now };
        let (id, cards) = (&container.holder.id, &container.cards);
        if cards.is_empty() || self.gpus.reclaim(scene, asker(container.user), id, cards).is_ok() {
            (self.containers[at].holder.runs, self.containers[at].holder.started) = (true, true);
        }
    }

    fn network(&mut self, user: usize, named: bool) {
        let (listed, site) = (self.networks.iter().filter(|network| network.listed), self.policy.gateway());
        let bridges: Vec<&str> = listed.clone().map(|network| network.bridge.as_str()).collect();
        let (name, bridge) = match named {
            false => (network_name(uid(user)), format!("ie{}", uid(user))),
            true => (format!("ie-{}-n{}", uid(user), self.made), free_bridge(uid(user), &bridges).unwrap()),
        };
        self.made += 1;
        // As an engine says it, of what it lists and of what it is removing.
        if self.networks.iter().any(|network| network.name == name || network.bridge == bridge) {
            return;
        }
        let mut taken: Vec<Block> = listed.map(|network| network.subnet).collect();
        while let Ok(subnet) = free_subnet(site, &taken) {
            let subnet = block(&subnet).unwrap();
            if self.networks.iter().all(|network| !meet(network.subnet, subnet)) {
                self.networks.push(Network { name, bridge, subnet, listed: true });
                return;
            }
            taken.push(subnet);
        }
    }
}

fn meet(one: Block, other: Block) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

/// Whether each is there once.
fn once<T: Ord>(all: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    all.into_iter().all(|one| seen.insert(one))
}

proptest! {
    #[test]
    fn what_is_everybodys_is_held_by_one(steps in prop::collection::vec(step(), 0..80)) {
        let mut world = World::new();
        for step in steps {
            world.act(step);
            let holders = || world.containers.iter().map(|container| &container.holder);
            let run = holders().filter(|holder| holder.runs).flat_map(|holder| holder.ports.iter().collect::<BTreeSet<_>>());
            prop_assert!(once(run), "two containers run with a port");
            let started = holders().filter(|holder| holder.started);
            let owners: BTreeSet<(u16, u32)> = started.flat_map(|holder| holder.ports.iter().map(|port| (*port, holder.uid))).collect();
            prop_assert!(once(owners.iter().map(|(port, _)| port)), "a port is two users'");
            let cards = world.gpus.holders(&world.leased(), world.now).into_iter().flat_map(|holder| holder.cards);
            prop_assert!(once(cards), "a card has two holders");
            prop_assert!(once(world.networks.iter().map(|network| &network.name)));
            prop_assert!(once(world.networks.iter().map(|network| &network.bridge)));
            let apart = |at: usize| world.networks.iter().skip(at + 1).all(|other| !meet(world.networks[at].subnet, other.subnet));
            prop_assert!((0..world.networks.len()).all(apart), "two networks share addresses");
        }
    }
}
