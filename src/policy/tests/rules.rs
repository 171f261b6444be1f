//! The decision, rule by rule.

use super::*;
use crate::protocol::amount::{Bytes, Cpus};
use crate::protocol::told::Told;

const OPEN: &str = "[defaults]\nimages = ['**']\n";

fn open(more: &str) -> Limits {
    limits(&format!("{OPEN}{more}\n"), &[])
}

#[test]
fn running_containers_share_a_total() {
    let ann = open("total = { memory = '100g' }\nmax = { memory = '80g' }");
    let used = |held: &[(&str, &str)], asked| told(ann.admit(&running(held), &memory(asked)));
    assert_eq!(used(&[("a", "40g")], "60g"), "yes");
    assert_eq!(used(&[], "80g"), "yes");
    assert_eq!(
        used(&[("a", "41g")], "60g"),
        "total.memory: asked 60g, 59g of 100g free (policy.toml:6, [defaults])"
    );
    assert_eq!(
        used(&[("a", "100g")], "1"),
        "total.memory: asked 1, 0 of 100g free (policy.toml:6, [defaults])"
    );
    assert_eq!(
        used(&[("a", "200g")], "1"),
        "total.memory: asked 1, 0 of 100g free (policy.toml:6, [defaults])"
    );
}

#[test]
fn each_total_counts_its_own_amount() {
    let ann = open("total = { cpus = 4, pids = 1000, gpus = 2 }");
    let held = Used {
        name: "a".into(),
        running: true,
        cpus: Cpus(3 * Cpus::ONE),
        pids: 600,
        gpus: 1,
        ..Used::default()
    };
    let used = Usage { containers: vec![held], ..Usage::default() };
    let small = Ask { cpus: Some(Cpus(Cpus::ONE)), pids: Some(400), gpus: 1, ..ubuntu() };
    assert_eq!(ann.admit(&used, &small).unwrap().gpus(), 1);
    assert_eq!(ann.admit(&Usage::default(), &Ask { gpus: 2, ..small.clone() }).unwrap().gpus(), 2);
    for (ask, told_so) in [
        (
            Ask { cpus: Some(Cpus(Cpus::ONE + 1)), ..small.clone() },
            "total.cpus: asked 1.000000001, 1 of 4 free (policy.toml:6, [defaults])",
        ),
        (
            Ask { pids: Some(401), ..small.clone() },
            "total.pids: asked 401, 400 of 1000 free (policy.toml:6, [defaults])",
        ),
        (Ask { gpus: 2, ..small.clone() }, "total.gpus: asked 2, 1 of 2 free (policy.toml:6, [defaults])"),
    ] {
        assert_eq!(told(ann.admit(&used, &ask)), told_so);
    }
}

#[test]
fn who_asks_for_too_little_to_start_is_told() {
    let ann = open("each = { cpus = 0.02 }");
    let ask = |billionths| ann.admit(&Usage::default(), &Ask { cpus: Some(Cpus(billionths)), ..ubuntu() });
    assert!(ask(20_000_000).is_ok() && ask(0).is_ok());
    let no = ask(19_999_999).unwrap_err();
    assert_eq!(no.message, "cpus: asked 0.019999999, one container has 0.02 at least (built-in default)");
    assert_eq!(
        no.hint.as_ref().map(ToString::to_string).as_deref(),
        Some("with less it may never come to start")
    );
}

#[test]
fn stopped_containers_count_as_containers_and_for_nothing_else() {
    let ann = open("containers = 2\ntotal = { memory = '32g' }");
    let stopped =
        |name: &str| Used { name: name.into(), memory: Bytes(32 << 30), gpus: 1, ..Used::default() };
    let one = Usage { containers: vec![stopped("a")], ..Usage::default() };
    let two = Usage { containers: vec![stopped("a"), stopped("b")], ..Usage::default() };
    assert_eq!(told(ann.admit(&one, &memory("32g"))), "yes");
    let no = ann.admit(&two, &memory("1g")).unwrap_err();
    assert_eq!(no.message, "containers: asked 1, 0 of 2 free (policy.toml:6, [defaults])");
    assert_eq!(
        (no.used.as_deref(), no.hint.as_ref().map(ToString::to_string).as_deref()),
        (Some("2 by a, b"), Some("`ie-container rm a`"))
    );
}

#[test]
fn a_full_disk_starts_nothing_more() {
    let ann = open("total = { disk = '20m' }");
    let held = |name: &str, volume: Option<&str>, mib: u64| Held {
        name: name.into(),
        volume: volume.map(Into::into),
        bytes: Some(Bytes(mib << 20)),
        left_by: None,
    };
    let used = |disk| Usage { disk, ..Usage::default() };
    let full = used(vec![held("web", None, 20)]);
    assert_eq!(told(ann.admit(&full, &ubuntu())), "yes");
    let over_full = used(vec![held("web", None, 15), held("volume data", Some("data"), 6)]);
    assert_eq!(
        told(ann.admit(&over_full, &ubuntu())),
        "total.disk: 21m of 20m are taken (policy.toml:6, [defaults])"
    );
    let stopped = Used { name: "web".into(), ..Used::default() };
    let no = ann.readmit(&over_full, &stopped).unwrap_err();
    assert_eq!(no.used.as_deref(), Some("21m by web (15m), volume data (6m)"));
    assert_eq!(
        no.hint.as_ref().map(ToString::to_string).as_deref(),
        Some("`ie-container rm web`, what it holds goes with it")
    );
    let volume = used(vec![held("web", None, 1), held("volume data", Some("data"), 60)]);
    assert_eq!(
        ann.disk_left(&volume).unwrap_err().hint.as_ref().map(ToString::to_string).as_deref(),
        Some("docker volume rm data")
    );
    assert_eq!(open("total = { disk = 'none' }").disk_left(&volume), Ok(()));
    // Who counts what comes is told how much may.
    let room = ann.disk_room(&used(vec![held("web", None, 15)])).unwrap();
    let over = "total.disk: the copy does not fit, 15m of 20m are taken (policy.toml:6, [defaults])";
    assert_eq!((room.left, room.over.message.to_string().as_str()), (Some(5 << 20), over));
    assert_eq!(
        room.over.hint.as_ref().map(ToString::to_string).as_deref(),
        Some("`ie-container rm web`, what it holds goes with it")
    );
    assert_eq!(ann.disk_room(&full).unwrap().left, Some(0));
    assert_eq!(ann.disk_room(&over_full).unwrap_err(), ann.disk_left(&over_full).unwrap_err());
    let empty = ann.disk_room(&used(vec![held("web", None, 0)])).unwrap().over;
    assert_eq!(
        empty.hint.as_ref().map(ToString::to_string).as_deref(),
        Some("`ie-container quota` shows what you may have")
    );
    assert_eq!(open("total = { disk = 'none' }").disk_room(&volume).unwrap().left, None);
    // Nothing that is kept from being counted is free.
    let unknown = used(vec![Held { bytes: None, ..held("web", None, 0) }, held("db", None, 1)]);
    let no = ann.disk_left(&unknown).unwrap_err();
    assert_eq!(no.message, "total.disk: what web holds cannot be measured (policy.toml:6, [defaults])");
    assert_eq!(
        no.hint.as_ref().map(ToString::to_string).as_deref(),
        Some("`ie-container rm web`, what it holds goes with it")
    );
    assert_eq!(open("total = { disk = 'none' }").disk_left(&unknown), Ok(()));
}

#[test]
fn who_has_printed_too_much_starts_nothing_for_a_while() {
    let ann = open("total = { output = 0.05 }");
    let used = |billionths| Usage { output: Cpus(billionths), ..Usage::default() };
    assert_eq!(told(ann.admit(&used(50_000_000), &ubuntu())), "yes");
    let over = used(75_000_000);
    let what = "total.output: your containers print so much that it takes 0.075 of a processor, 0.05 may be";
    let no = format!("{what}, nothing starts for 1m (policy.toml:6, [defaults])");
    assert_eq!(told(ann.admit(&over, &ubuntu())), no);
    assert_eq!(told(ann.readmit(&over, &Used::default())), no);
    assert_eq!(ann.output_over(&over).message.to_string(), format!("{what} (policy.toml:6, [defaults])"));
    assert_eq!(told(open("total = { output = 'none' }").admit(&used(u64::MAX), &ubuntu())), "yes");
    assert_eq!(open("").output(), Some(Cpus(100_000_000)));
    assert_eq!(problems("[gateway]\nuids = '1-2'\n[defaults]\ntotal = { output = 0 }").len(), 1);
}

#[test]
fn a_container_gets_each_unless_it_asks() {
    let ann = open("each = { cpus = 0.5, memory = '3g', pids = 7, shm = '2m' }");
    let zeros =
        Ask { cpus: Some(Cpus(0)), memory: Some(Bytes(0)), pids: Some(0), shm: Some(Bytes(0)), ..ubuntu() };
    for ask in [ubuntu(), zeros] {
        let got = ann.admit(&Usage::default(), &ask).unwrap();
        let amounts = (got.cpus(), got.memory(), got.pids(), got.shm());
        assert_eq!(amounts, (Cpus(500_000_000), Bytes(3 << 30), 7, Bytes(2 << 20)));
    }
    let got = ann.admit(&Usage::default(), &Ask { pids: Some(9), ..memory("5g") }).unwrap();
    assert_eq!((got.memory(), got.pids()), (Bytes(5 << 30), 9));
    assert_eq!(got.nofile(), None, "the engine's own");
    let got = open("each = { nofile = 2048 }").admit(&Usage::default(), &ubuntu()).unwrap();
    assert_eq!(got.nofile(), Some(2048));
}

#[test]
fn one_container_gets_no_more_than_max() {
    let ann = open("max = { cpus = 1, memory = '2g', pids = 100, shm = '1m' }");
    let got = ann.admit(&Usage::default(), &ubuntu()).unwrap();
    assert_eq!(
        (got.cpus(), got.memory(), got.pids(), got.shm()),
        (Cpus(Cpus::ONE), Bytes(2 << 30), 100, Bytes(1 << 20))
    );
    let admit = |ask| told(ann.admit(&Usage::default(), &ask));
    assert_eq!(admit(memory("2g")), "yes");
    assert_eq!(
        admit(memory("3g")),
        "max.memory: asked 3g, one container may have 2g (policy.toml:6, [defaults])"
    );
    assert_eq!(
        admit(Ask { cpus: Some(Cpus(2 * Cpus::ONE)), ..ubuntu() }),
        "max.cpus: asked 2, one container may have 1 (policy.toml:6, [defaults])"
    );
    assert_eq!(
        admit(Ask { pids: Some(101), ..ubuntu() }),
        "max.pids: asked 101, one container may have 100 (policy.toml:6, [defaults])"
    );
    assert_eq!(
        admit(Ask { shm: Some(Bytes(1 << 30)), ..ubuntu() }),
        "max.shm: asked 1g, one container may have 1m (policy.toml:6, [defaults])"
    );
}

#[test]
fn none_lifts_a_limit_and_still_no_engine_sees_a_negative_number() {
    let ann = open(
        "containers = 'none'\nmax = { cpus = 'none', memory = 'none', pids = 'none', shm = 'none' }\ntotal = { cpus = 'none', memory = 'none', pids = 'none', gpus = 'none' }",
    );
    let most = u64::try_from(i64::MAX).unwrap();
    let all = |amount| Ask {
        cpus: Some(Cpus(amount)),
        memory: Some(Bytes(amount)),
        pids: Some(amount),
        gpus: u32::MAX,
        ..ubuntu()
    };
    let used = running(&[("a", "9t"), ("b", "9t"), ("c", "9t"), ("d", "9t"), ("e", "9t")]);
    assert_eq!(told(ann.admit(&used, &all(most))), "yes");
    assert!(told(ann.admit(&used, &all(most + 1))).starts_with("max.cpus: asked "));
    assert!(told(ann.admit(&used, &all(u64::MAX))).starts_with("max.cpus: asked "));
}

#[test]
fn a_refusal_says_the_rule_the_numbers_and_the_way_out() {
    let ann = limits("[groups.os2026]\nimages = ['**']\ntotal = { memory = '32g' }", &["os2026"]);
    let no =
        ann.admit(&running(&[("web", "15g"), ("train-1", "16g"), ("idle", "0")]), &memory("4g")).unwrap_err();
    assert_eq!(
        no.in_english(),
        Refusal {
            message: Told::text("total.memory: asked 4g, 1g of 32g free (policy.toml:6, [groups.os2026])"),
            dockers: None,
            code: "quota".into(),
            rule: Some("total.memory".into()),
            source: Some("policy.toml:6, [groups.os2026]".into()),
            asked: Some("4g".into()),
            used: Some("31g by train-1 (16g), web (15g)".into()),
            limit: Some("32g".into()),
            hint: Some(Told::text("`ie-container stop web`, or ask for at most `--memory 1g`")),
        }
    );
}

#[test]
fn the_hint_is_the_next_command() {
    let ann = open(
        "containers = 3\ntotal = { memory = '32g', gpus = 0 }\nports = { range = '40000-40009', max = 2 }",
    );
    let hint = |used: &Usage, ask: &Ask| ann.admit(used, ask).unwrap_err().hint.unwrap();
    let full = running(&[("a", "1g"), ("b", "1g"), ("c", "1g")]);
    assert_eq!(hint(&full, &ubuntu()), "`ie-container ps -a` shows yours, stop and remove one");
    let mut stopped = full.clone();
    stopped.containers[1].running = false;
    assert_eq!(hint(&stopped, &ubuntu()), "`ie-container rm b`");
    assert_eq!(hint(&running(&[("a", "20g"), ("b", "12g")]), &memory("5g")), "`ie-container stop b`");
    assert_eq!(hint(&running(&[("a", "20g"), ("b", "12g")]), &memory("13g")), "`ie-container stop a`");
    assert_eq!(
        hint(&running(&[("a", "16g"), ("b", "14g")]), &memory("31g")),
        "`ie-container stop a`, or ask for at most `--memory 2g`"
    );
    assert_eq!(hint(&Usage::default(), &memory("33g")), "ask for at most `--memory 32g`");
    assert_eq!(
        hint(&Usage::default(), &Ask { gpus: 1, ..ubuntu() }),
        "`ie-container quota` shows what you may have"
    );
    let mut web = running(&[("web", "1g")]);
    web.containers[0].ports = vec![40000, 40001];
    assert_eq!(hint(&web, &Ask { ports: vec![port(None)], ..ubuntu() }), "`ie-container rm web`");
}

#[test]
fn starting_again_asks_only_what_running_containers_share() {
    let ann = limits("[defaults]\ncontainers = 1\nmax = { memory = '1g' }\ntotal = { memory = '32g' }", &[]);
    let mut used = running(&[("a", "20g"), ("b", "12g"), ("c", "13g")]);
    used.containers[1].running = false;
    used.containers[2].running = false;
    let start = |at: usize| told(ann.readmit(&used, &used.containers[at]));
    assert_eq!(start(1), "yes");
    assert_eq!(start(2), "total.memory: asked 13g, 12g of 32g free (policy.toml:7, [defaults])");
    assert_eq!(start(0), "yes");
    let no = ann.readmit(&used, &used.containers[2]).unwrap_err();
    assert_eq!(no.hint.unwrap(), "`ie-container stop a`");
}

#[test]
fn processors_are_named_where_the_policy_names_some() {
    let asked = |limits: &Limits, set: &str| {
        limits.admit(&Usage::default(), &Ask { cpuset: Some(set.parse().unwrap()), ..ubuntu() })
    };
    let (none, some) = (open(""), open("cpuset = '0-3,8'"));
    assert_eq!(asked(&some, "8,1-2").unwrap().cpuset().unwrap().to_string(), "1-2,8");
    assert_eq!(some.admit(&Usage::default(), &ubuntu()).unwrap().cpuset(), None);
    let no = asked(&some, "3-4").unwrap_err();
    assert_eq!((no.asked.as_deref(), no.limit.as_deref()), (Some("3-4"), Some("0-3,8")));
    assert_eq!(
        no.message.to_string(),
        "cpuset: asked 3-4, you may be bound to 0-3,8 (policy.toml:6, [defaults])"
    );
    assert_eq!(told(asked(&none, "0")), "cpuset: no processors may be named here (built-in default)");
}

#[test]
fn what_was_granted_is_asked_again_of_todays_lists() {
    let memory = "2g".parse().unwrap();
    let box_ = Used { name: "box".into(), cpus: Cpus(3 * Cpus::ONE), memory, pids: 700, ..Used::default() };
    let standing = Standing {
        cpuset: Some("2".parse().unwrap()),
        image: ubuntu().image,
        shm: Some("1g".parse().unwrap()),
        ports: vec![(40000, "127.0.0.1".parse().unwrap())],
        mounts: vec![MountAsk { source: "/data/x".into(), target: "/d".into(), access: Access::ReadWrite }],
    };
    let offers = "ports = { range = '40000-40999', address = '127.0.0.1' }\nmounts = [{ source = '/data', mode = 'rw' }]\ncpuset = '0-3'";
    let asked = |defaults: &str| told(open(defaults).still_allows(&box_, &standing));
    assert_eq!(asked(offers), "yes");
    assert_eq!(
        asked(&offers.replace("rw", "ro")),
        "mounts: /data/x is offered read-only (policy.toml:7, [defaults])"
    );
    assert!(asked(&offers.replace("/data", "/other")).starts_with("mounts: /data/x is not among"));
    assert!(asked(&offers.replace("40000-", "40001-")).starts_with("ports.range: host port 40000 is not in"));
    assert!(asked(&offers.replace("0-3", "0-1")).starts_with("cpuset: asked 2, you may be bound to 0-1"));
    let without = "mounts = [{ source = '/data', mode = 'rw' }]\ncpuset = '2'";
    assert!(asked(without).starts_with("ports.range: no port may be"));
    assert!(asked(&format!("{offers}\nmax = {{ memory = '1g' }}")).starts_with("max.memory: asked 2g"));
    assert!(asked(&format!("{offers}\nmax = {{ cpus = 2 }}")).starts_with("max.cpus: asked 3"));
    assert!(asked(&format!("{offers}\nmax = {{ shm = '512m' }}")).starts_with("max.shm: asked 1g"));
    assert!(asked(&format!("{offers}\nmax = {{ pids = 699 }}")).starts_with("max.pids: asked 700"));
    let no =
        limits(&format!("[defaults]\nimages = ['alpine']\n{offers}"), &[]).still_allows(&box_, &standing);
    let no = no.unwrap_err();
    assert!(no.message.to_string().starts_with("images: "), "{}", no.message);
    assert!(no.hint.unwrap().to_string().contains("`ie-container rm box`"));
}

#[test]
fn a_gpu_of_a_stopped_container_is_asked_for_anew() {
    let ann = open("total = { gpus = 1 }");
    let gpu = |name: &str, running| Used { name: name.into(), running, gpus: 1, ..Used::default() };
    let used = Usage { containers: vec![gpu("a", true), gpu("b", false)], ..Usage::default() };
    assert_eq!(
        told(ann.readmit(&used, &used.containers[1])),
        "total.gpus: asked 1, 0 of 1 free (policy.toml:6, [defaults])"
    );
}

#[test]
fn who_asks_for_no_gpu_is_not_held_up_by_a_lowered_limit() {
    let ann = open("total = { gpus = 1 }");
    let held = Used { name: "a".into(), running: true, gpus: 2, ..Used::default() };
    let used = Usage { containers: vec![held], ..Usage::default() };
    assert_eq!(told(ann.admit(&used, &ubuntu())), "yes");
}

#[test]
fn an_image_must_be_on_the_list() {
    let ann = limits("[defaults]\nimages = ['docker.io/pytorch/*']", &[]);
    let no = ann.admit(&Usage::default(), &ubuntu()).unwrap_err();
    assert_eq!(no.message, "images: ubuntu is not among the allowed images (policy.toml:5, [defaults])");
    assert_eq!((no.code.as_str(), no.limit.as_deref()), ("forbidden", Some("docker.io/pytorch/*")));
    assert_eq!(no, ann.admit_image(&ubuntu().image).unwrap_err());
}

#[test]
fn what_a_caller_typed_comes_back_harmless() {
    let ann = limits("[defaults]\nimages = []", &[])
        .admit_image(&ImageAsk { shown: "a\x1b[31m\nb".into(), ..ImageAsk::default() });
    assert_eq!(told(ann), "images: a\\u{1b}[31m\\nb is not allowed, no image is (policy.toml:5, [defaults])");
}

#[test]
fn nobody_is_told_to_stop_what_gives_nothing_back() {
    let ann = open("total = { gpus = 0 }");
    let used = Usage {
        containers: vec![Used { name: "web".into(), running: true, ..Used::default() }],
        ..Usage::default()
    };
    let no = ann.admit(&used, &Ask { gpus: 1, ..ubuntu() }).unwrap_err();
    assert_eq!(
        no.hint.as_ref().map(ToString::to_string).as_deref(),
        Some("`ie-container quota` shows what you may have")
    );
}

#[test]
fn what_an_account_before_has_left_counts_and_is_not_named() {
    let ann = open(
        "containers = 3\ntotal = { memory = '100m', disk = '20m' }\nports = { range = '40000-40009', max = 2 }",
    );
    let container = |name: &str, left_by: Option<&str>| Used {
        name: name.into(),
        running: true,
        memory: Bytes(40 << 20),
        ports: vec![40000],
        left_by: left_by.map(Into::into),
        ..Used::default()
    };
    let used = |own: &[&str], left: usize| Usage {
        containers: own
            .iter()
            .map(|name| container(name, None))
            .chain((0..left).map(|n| container(&format!("secret{n}"), Some("bob"))))
            .collect(),
        ..Usage::default()
    };
    let left = "2 containers of bob, who had your uid before, count: ask your administrator to remove them";
    let no = ann.admit(&used(&["web"], 2), &memory("1m")).unwrap_err();
    assert_eq!(
        (no.rule.as_deref(), no.used.as_deref()),
        (Some("containers"), Some("3 by web, 2 that bob left"))
    );
    assert_eq!(
        no.hint.unwrap().to_string(),
        format!("`ie-container ps -a` shows yours, stop and remove one; {left}")
    );
    let no = ann.admit(&used(&[], 2), &memory("60m")).unwrap_err();
    assert_eq!(
        (no.rule.as_deref(), no.used.as_deref()),
        (Some("total.memory"), Some("80m by 2 that bob left"))
    );
    assert_eq!(no.hint.unwrap().to_string(), format!("ask for at most `--memory 20m`; {left}"));
    let no = ann.admit(&used(&[], 2), &Ask { ports: vec![port(None)], ..memory("1m") }).unwrap_err();
    assert_eq!(
        (no.rule.as_deref(), no.hint.as_ref().map(ToString::to_string).as_deref()),
        (Some("ports.max"), Some(left))
    );
    let no = ann.readmit(
        &used(&["web"], 2),
        &Used { name: "web".into(), memory: Bytes(90 << 20), ..Used::default() },
    );
    assert_eq!(no.unwrap_err().hint.as_ref().map(ToString::to_string).as_deref(), Some(left));
    let disk = |bytes| Usage {
        disk: vec![Held { name: "secret".into(), bytes, left_by: Some("bob".into()), ..Held::default() }],
        ..Usage::default()
    };
    let one = "1 thing of bob, who had your uid before, counts: ask your administrator to remove it";
    let no = ann.disk_left(&disk(Some(Bytes(30 << 20)))).unwrap_err();
    assert_eq!(
        (no.used.as_deref(), no.hint.as_ref().map(ToString::to_string).as_deref()),
        (Some("30m by 1 that bob left"), Some(one))
    );
    let no = ann.disk_left(&disk(None)).unwrap_err();
    assert_eq!(
        no.message,
        "total.disk: something that bob left cannot be measured (policy.toml:7, [defaults])"
    );
    assert_eq!(no.hint.as_ref().map(ToString::to_string).as_deref(), Some(one));
}
