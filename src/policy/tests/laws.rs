//! What holds whatever is asked, in whatever order.

use super::*;
use proptest::prelude::*;

const LIMITED: &str = "[defaults]
images = ['**']
containers = 5
max = { cpus = 4, memory = '8g', pids = 500, shm = '1g' }
total = { cpus = 6, memory = '12g', pids = 900, gpus = 3 }
ports = { range = '40000-40005', max = 3 }
";

#[derive(Debug, Clone)]
enum Step {
    Create(Box<Ask>),
    Start(usize),
    Stop(usize),
    Remove(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let ports = prop::collection::vec(prop::option::of(39999u16..40008), 0..3);
    let create =
        (0u64..6000, 0u64..10, 0u64..600, 0u32..3, ports).prop_map(|(cpus, memory, pids, gpus, ports)| {
            Step::Create(Box::new(Ask {
                cpus: Some(crate::protocol::amount::Cpus(cpus * 1_000_000)),
                memory: Some(crate::protocol::amount::Bytes(memory << 30)),
                pids: Some(pids),
                gpus,
                ports: ports.into_iter().map(port).collect(),
                ..ubuntu()
            }))
        });
    prop_oneof![3 => create, 1 => (0usize..5).prop_map(Step::Start), 1 => (0usize..5).prop_map(Step::Stop), 1 => (0usize..5).prop_map(Step::Remove)]
}

/// Does what the gateway does under its lock: count, ask, act.
fn act(limits: &Limits, used: &mut Usage, step: Step, serial: usize) {
    match step {
        Step::Create(ask) => {
            let Ok(got) = limits.admit(used, &ask) else { return };
            let ports: Vec<_> = got.ports().iter().map(|port| port.host).collect();
            used.taken_ports.extend(&ports);
            let name = format!("c{serial}");
            let (cpus, memory, pids, gpus) = (got.cpus(), got.memory(), got.pids(), got.gpus());
            used.containers.push(Used {
                name,
                running: true,
                cpus,
                memory,
                pids,
                gpus,
                ports,
                left_by: None,
            });
        }
        Step::Start(at) => {
            let Some(container) = used.containers.get(at).cloned() else { return };
            used.containers[at].running |= limits.readmit(used, &container).is_ok();
        }
        Step::Stop(at) => {
            if let Some(container) = used.containers.get_mut(at) {
                container.running = false;
            }
        }
        Step::Remove(at) if at < used.containers.len() => {
            used.containers.remove(at);
            used.taken_ports = used.containers.iter().flat_map(|container| container.ports.clone()).collect();
        }
        Step::Remove(_) => {}
    }
}

proptest! {
    #[test]
    fn no_order_of_steps_exceeds_a_total(steps in prop::collection::vec(step(), 0..60)) {
        let ann = limits(LIMITED, &[]);
        let mut used = Usage::default();
        for (serial, step) in steps.into_iter().enumerate() {
            act(&ann, &mut used, step, serial);
            let running = || used.containers.iter().filter(|container| container.running);
            prop_assert!(used.containers.len() <= 5);
            prop_assert!(running().map(|c| c.cpus.0).sum::<u64>() <= 6_000_000_000);
            prop_assert!(running().map(|c| c.memory.0).sum::<u64>() <= 12 << 30);
            prop_assert!(running().map(|c| c.pids).sum::<u64>() <= 900);
            prop_assert!(running().map(|c| c.gpus).sum::<u32>() <= 3);
            let ports: Vec<u16> = used.containers.iter().flat_map(|c| c.ports.clone()).collect();
            prop_assert!(ports.len() <= 3 && ports.iter().all(|port| (40000..=40005).contains(port)));
            prop_assert!(ports.iter().all(|port| used.taken_ports.contains(port)));
            prop_assert!(running().all(|c| c.cpus >= crate::policy::size::LEAST_CPUS && c.memory.0 > 0 && c.pids > 0));
            prop_assert!(ann.quota_lines(&used).iter().all(|line| !line.left.starts_with('-')));
        }
    }

    #[test]
    fn a_later_table_wins_key_by_key_and_touches_nothing_else(
        below in prop::option::of(1u64..100), group in prop::option::of(1u64..100), user in prop::option::of(1u64..100),
        key in prop::sample::select(vec!["total.pids", "total.gpus", "max.pids", "each.pids", "containers", "ports.max"]),
    ) {
        let set = |value: Option<u64>| value.map_or(String::new(), |value| format!("{key} = {value}\n"));
        let text = format!("[users.ann]\n{}[groups.g]\n{}[defaults]\n{}", set(user), set(group), set(below));
        let (ann, bare) = (limits(&text, &["g"]), limits("", &[]));
        for (value, before) in ann.values().iter().zip(bare.values()) {
            let wanted = if value.rule == key { user.or(group).or(below) } else { None };
            prop_assert_eq!(&value.value, &wanted.map_or(before.value, |number| number.to_string()));
        }
    }

    #[test]
    fn what_no_table_sets_grants_nothing(
        reference in "[a-z.]{1,8}(/[a-z]{1,8}){0,3}(:[a-z0-9]{1,5})?", own in any::<bool>(), host in any::<Option<u16>>(),
        source in "(/[a-z]{1,4}){1,4}", gpus in 1u32..,
    ) {
        let (nothing, images) = (limits("", &[]), limits("[defaults]\nimages = ['**']", &[]));
        let image = ImageAsk { shown: reference.clone(), references: vec![reference], own };
        let none = Usage::default();
        prop_assert!(nothing.admit_image(&image).is_err());
        prop_assert_eq!(images.admit(&none, &ubuntu()).unwrap().mounts().len(), 0);
        let published = Ask { ports: vec![port(host)], ..ubuntu() };
        let mounted = Ask { mounts: vec![mount(&source, "/m", Access::ReadOnly)], ..ubuntu() };
        for ask in [published, mounted, Ask { gpus, ..ubuntu() }] {
            prop_assert!(images.admit(&none, &ask).is_err());
        }
    }

    #[test]
    fn any_text_is_a_policy_or_has_problems(text in "(\\[gateway\\]|\\[defaults\\]|\n|uids='1-9'|total|each|=|\\{|\\}|'4g'|1|\\[|\\]|,|\\PC){0,40}") {
        if let Err(all) = Policy::parse("p.toml", &text) {
            prop_assert!(all.iter().count() > 0);
        }
    }

    #[test]
    fn a_mount_never_leaves_what_is_offered(source in "(/home|/ann|/bob|/data|/[.]{1,2}|/sets){1,5}/?", target in "(/m|/etc|/[.]{2}|/x){1,3}", write in any::<bool>()) {
        let ann = limits("[defaults]\nimages = ['**']\nhome = 'ro'\nmounts = [{ source = '/data', mode = 'ro' }, { source = '/data/sets', mode = 'rw' }]", &[]);
        let access = if write { Access::ReadWrite } else { Access::ReadOnly };
        let Ok(got) = ann.admit(&Usage::default(), &Ask { mounts: vec![mount(&source, &target, access)], ..ubuntu() }) else { return Ok(()) };
        let grant = &got.mounts()[1];
        let full = grant.root.join(&grant.relative);
        prop_assert!(grant.relative.is_relative() && grant.access == access);
        prop_assert!(full.starts_with("/home/ann") || full.starts_with("/data"), "{full:?}");
        prop_assert!(!full.components().any(|part| part == std::path::Component::ParentDir));
        prop_assert!(!write || full.starts_with("/data/sets"));
    }
}
