//! The gateway is killed at any moment while people work.

use super::chance::Chance;
use super::{Over, Rounds, after};
use crate::suite::{tests, world_alone};
use crate::world::User;
use crate::world::wire::Caller;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

tests![alone killed_in_the_midst_of_work];

const KILLS: Rounds = Rounds { short: 12, long: 200 };
/// After so many of them all is quiet once, and looked at.
const BETWEEN: usize = 6;
const WORKERS: u64 = 2;

fn killed_in_the_midst_of_work() {
    let world = world_alone();
    let users: Vec<User<'_>> = ["ann", "bob", "eve"].map(|name| world.newcomer(name)).into();
    for user in &users {
        world.limit(user, "total = { gpus = 3 }\ncontainers = 5");
    }
    let everyone: Vec<&User<'_>> = users.iter().collect();
    let (kills, mut chance) = (KILLS.of("kills"), Chance::new("kills"));
    let answered = AtomicUsize::new(0);
    let mut done = 0;
    while done < kills {
        let over = AtomicBool::new(false);
        let count = BETWEEN.min(kills - done);
        thread::scope(|scope| {
            for (number, user) in (0..).zip(&users) {
                for worker in 0..WORKERS {
                    let caller = user.caller();
                    let mut chance = Chance::from(chance.below(1 << 40) + number * WORKERS + worker);
                    let (over, answered) = (&over, &answered);
                    scope.spawn(move || {
                        while !over.load(Ordering::Relaxed) {
                            answered.fetch_add(usize::from(work(&caller, &mut chance)), Ordering::Relaxed);
                        }
                    });
                }
            }
            let _ends_the_work = Over(&over);
            for _ in 0..count {
                thread::sleep(Duration::from_millis(100) + chance.milliseconds(700));
                world.gateway.kill();
                world.start_gateway().unwrap();
            }
        });
        done += count;
        // Its last words: whatever was under way is cut off once more, and the next one finds a quiet house.
        world.restart_gateway();
        after::settled(&world, &everyone);
    }
    let answered = answered.into_inner();
    eprintln!("kills: {answered} verbs were answered meanwhile");
    assert!(answered > kills, "{answered} verbs in {kills} kills");
    for user in &users {
        for name in user.run("ps -aq").ok().lines() {
            user.run(["rm", "-f", name]).ok();
        }
        assert_eq!(after::held(&world).iter().filter(|one| one.is_of(user.uid)).count(), 0);
    }
    after::settled(&world, &everyone);
}

/// One verb; whether it was answered.
fn work(caller: &Caller, chance: &mut Chance) -> bool {
    let (one, other) = (chance.below(4), chance.below(4));
    let create = |host: &str| {
        let body = format!(r#"{{"Image":"busybox:test","Cmd":["sleep","1000"],"HostConfig":{{{host}}}}}"#);
        caller.ask("POST", &format!("/containers/create?name=box{one}"), &body)
    };
    let verb = |verb: &str| caller.ask("POST", &format!("/containers/box{one}/{verb}"), "");
    let answer = match chance.below(9) {
        0 => create(r#""NetworkMode":"none""#),
        1 => create(r#""DeviceRequests":[{"Count":1,"Capabilities":[["gpu"]]}]"#),
        2 => create(r#""AutoRemove":true,"Binds":["proj:/data"]"#),
        3 | 4 => verb("start"),
        5 => verb("kill"),
        6 => verb("restart?t=0"),
        7 => verb(&format!("rename?name=box{other}")),
        _ => caller.ask("DELETE", &format!("/containers/box{one}?force=1"), ""),
    };
    // No gateway, or none any more: the caller tries again, as people do.
    if answer.is_err() {
        thread::sleep(Duration::from_millis(10));
    }
    answer.is_ok()
}
