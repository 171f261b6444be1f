//! How soon a gateway that comes back knows what is there.

use super::{Rounds, after};
use crate::suite::{tests, world_alone};
use crate::world::tools::wait_until;
use crate::world::wire::ask_at;
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

tests![alone the_first_quota_after_a_kill];

const CONTAINERS: Rounds = Rounds { short: 100, long: 1000 };
const AGAIN: usize = 5;
/// The aim is two seconds for a thousand; what is asserted leaves room for a machine that others use.
const MOST: Duration = Duration::from_secs(20);
/// Made side by side.
const HANDS: usize = 4;

fn the_first_quota_after_a_kill() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let count = CONTAINERS.of("containers that a gateway comes back to");
    world.limit(&ann, &format!("containers = {}", count + 1));
    ann.run("create --name first --network none busybox:test true").ok();
    let labels: Value =
        serde_json::from_str(&world.inspect(&ann.engine_name("first"), "{{json .Config.Labels}}")).unwrap();
    // Never started, and made as the gateway would have them: with a name and the labels that go with it.
    let body = json!({
        "Image": "busybox:test", "Cmd": ["true"], "Labels": labels, "HostConfig": { "NetworkMode": "none" },
    })
    .to_string();
    let socket = world.engine.socket();
    thread::scope(|scope| {
        for hand in 0..HANDS {
            let (ann, body, socket) = (&ann, &body, &socket);
            scope.spawn(move || {
                for number in (1..count).filter(|number| number % HANDS == hand) {
                    let path = format!("/containers/create?name={}", ann.engine_name(&format!("c{number}")));
                    let (status, said) = ask_at(socket, "POST", &path, body).unwrap();
                    assert_eq!(status, 201, "{said}");
                }
            });
        }
    });
    let mut took = Vec::new();
    for number in 1..=AGAIN {
        world.gateway.kill();
        // One goes while nobody looks.
        world.docker(["rm", &ann.engine_name(&format!("c{number}"))]).ok();
        let held = after::held(&world);
        let begun = Instant::now();
        world.start_gateway().unwrap();
        assert!(wait_until(MOST, || after::usage(&ann, &held).is_empty()), "{:?}", after::usage(&ann, &held));
        took.push(begun.elapsed());
        assert_eq!(held.iter().filter(|one| one.is_of(ann.uid)).count(), count - number);
    }
    took.sort();
    eprintln!(
        "{count} containers: the first right quota {:.2?} after the gateway's start (median of {AGAIN})",
        took[AGAIN / 2]
    );
    assert!(took[AGAIN / 2] < MOST, "{took:?}");
    after::settled(&world, &[&ann]);
}
