//! What the kernel counts for all containers of an engine together: one person takes as much as their limits let them, and
//! somebody else gets what they need.

use crate::suite::{tests, world};
use crate::world::tools::{eventually, step};
use crate::world::{User, World};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

tests![what_one_takes_is_there_for_others, where_two_share_an_account_one_has_nothing];

/// Each with how many are tried, which is more than there were for everybody together, or than one's limits allow.
const THINGS: [(&str, u32); 5] =
    [("watchers", 10_000), ("signals", 200_000), ("queues", 100), ("reads", 100), ("terminals", 5000)];
/// What somebody else needs.
const NEEDED: &str = "2";

fn program(world: &World) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/exhaustion/takes.c");
        let built = world.program("takes");
        step(Command::new("cc").args(["-static", "-O1", "-o"]).arg(&built).arg(source)).unwrap();
        built
    };
    BUILT.get_or_init(build).clone()
}

/// The program in somebody's home.
fn brought(world: &World, user: &User<'_>) -> String {
    let own = user.home.join("takes");
    fs::copy(program(world), &own).unwrap();
    own.display().to_string()
}

fn what_one_takes_is_there_for_others() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let [anns, bobs] = [&ann, &bob].map(|user| brought(&world, user));
    for (thing, most) in THINGS {
        let most = most.to_string();
        ann.run(["run", "-d", "--name", "all", "busybox:test", &anns, thing, &most, "keeps"]).ok();
        let told = || ann.run("logs all").ok();
        assert!(eventually(|| told().ends_with('\n')), "{thing}: nothing was taken");
        eprintln!("{thing}: one has {}", told().trim());
        let others = bob.run(["run", "--rm", "busybox:test", &bobs, thing, NEEDED]);
        assert_eq!(others.line(), format!("{NEEDED} of them: all"), "{thing}: one has {}", told());
        // What everybody has together bounds nobody: these end at the container's own limit.
        if ["signals", "queues"].contains(&thing) {
            assert!(!told().contains("all"), "{thing}: {}", told());
        }
        ann.run("rm -f all").ok();
    }
}

/// The control: two containers of one account of the host's, with nothing of the gateway's.
fn where_two_share_an_account_one_has_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    let (ids, bind) =
        (format!("--user={0}:{0}", ann.uid), format!("--volume={}:/takes:ro", program(&world).display()));
    for (thing, limit) in [("signals", "--ulimit=sigpending=1024"), ("queues", "--ulimit=msgqueue=204800")] {
        let words = ["--network=none", &ids, &bind, limit, "busybox:test", "/takes", thing];
        let first =
            world.docker([&["run", "-d"], words.as_slice(), &["2000", "keeps"]].concat().as_slice()).line();
        let told = || world.docker(["logs", &first]).ok();
        assert!(eventually(|| told().ends_with('\n')), "{thing}: nothing was taken");
        let second = world.docker([&["run", "--rm"], words.as_slice(), &[NEEDED]].concat().as_slice()).line();
        assert!(second.starts_with("0 of them"), "{thing}: one has {}, the other {second}", told());
        world.docker(["rm", "-f", &first]).exits(0);
    }
}
