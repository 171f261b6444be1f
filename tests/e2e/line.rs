//! The line for GPUs: who waits keeps from others no more than the very first may, and nothing for ever.

use crate::suite::{tests, world_alone};
use crate::world::tools::eventually;
use crate::world::{User, World};

tests![alone many_tickets_of_one_keep_one_card_at_the_most, alone turns_that_nobody_uses_renew_nothing];

/// Somebody who may have so many GPUs.
fn granted<'w>(world: &'w World, name: &str, gpus: u32) -> User<'w> {
    let user = world.newcomer(name);
    world.limit(&user, &format!("total = {{ gpus = {gpus} }}"));
    user
}

/// Somebody's container that runs with these.
fn works_on(user: &User<'_>, name: &str, gpus: &str) {
    user.run(["run", "-d", "--name", name, "--gpus", gpus, "busybox:test", "sleep", "1000"]).ok();
}

/// Seven that wait for a card that is busy and one of seven that are free.
fn many_tickets_of_one_keep_one_card_at_the_most() {
    let world = world_alone();
    let more: String = (4..8).map(|n| format!(", {{ uuid = \"GPU-e2e-{n}\" }}")).collect();
    let (ann, bob, eve) = (granted(&world, "ann", 2), granted(&world, "bob", 8), granted(&world, "eve", 1));
    let text = std::fs::read_to_string(world.policy_file()).unwrap();
    let last = "{ uuid = \"GPU-e2e-3\" }";
    assert!(text.contains(last));
    world.spoil_policy(&text.replace(last, &format!("{last}{more}")));
    world.restart_gateway();
    works_on(&eve, "busy", "device=GPU-e2e-0");
    let mut places: Vec<_> = (1..8).map(|n| ann.stands(&format!("cards=GPU-e2e-0,GPU-e2e-{n}"))).collect();
    // One card is kept back for who is first, and it alone.
    let refused = bob.run("run --rm --gpus 7 busybox:test true");
    refused.says(&["busy of", "1 promised to whoever waits first, 1 wait before you"]).fails(125);
    assert!(!refused.stderr.contains(&ann.login), "{refused}");
    bob.run("run --rm --gpus 6 busybox:test true").ok();
    // It comes to its turn, and others wait no longer than for that.
    eve.run("rm -f busy").ok();
    places[0].hears("Granted");
    assert!(places.iter_mut().skip(1).all(|place| !place.told().contains("Granted")));
    drop(places);
    let all_is_free = || bob.run("run --rm --gpus 8 busybox:test true").code == 0;
    assert!(eventually(all_is_free), "{}", bob.run("gpus"));
    drop(Mended(&world));
}

/// Three that take turns at being given what they do not use.
fn turns_that_nobody_uses_renew_nothing() {
    let world = world_alone();
    let (ann, bob, eve) = (granted(&world, "ann", 2), granted(&world, "bob", 1), granted(&world, "eve", 2));
    let dan = granted(&world, "dan", 1);
    works_on(&eve, "busy", "2");
    let (mut first, mut second) = (ann.stands("count=1"), ann.stands("count=1"));
    first.hears("Granted");
    second.hears("Granted");
    let mut third = ann.stands("count=1");
    third.hears("Own");
    let mut bobs = bob.stands("count=1");
    bobs.hears("Before");
    // Who hangs up has had the turn: the next one of hers is behind all that wait by then.
    drop(first);
    bobs.hears("Granted");
    // He works on it: what is given next is not his.
    works_on(&bob, "his", "1");
    assert!(!third.told().contains("Granted"), "{}", third.told());
    // And so has who lets it pass.
    let mut dans = dan.stands("count=1");
    dans.hears("Before");
    dans.hears("Granted");
    assert!(!second.told().is_empty() && !third.told().contains("Granted"), "{}", third.told());
    // It was no card for nothing.
    let text = std::fs::read(world.state_dir().join(format!("gpu-hours/{}", ann.uid))).unwrap();
    let week: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert!(week["seconds"].as_u64().unwrap() >= 50, "{week}");
}

/// Puts the policy back for whoever comes next, also after a failure.
struct Mended<'w>(&'w World);

impl Drop for Mended<'_> {
    fn drop(&mut self) {
        self.0.mend_policy();
        self.0.restart_gateway();
    }
}
