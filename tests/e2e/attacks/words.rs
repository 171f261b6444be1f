//! Words that mean more than they seem to: labels of an image's author, ids as names, names that are paths.

use super::ground::Ground;
use crate::suite::{tests, world};
use crate::world::World;
use crate::world::output::{Output, run_to_end};
use std::process::Command;

tests![
    labels_out_of_an_image_deceive_nobody,
    the_beginning_of_an_id_reaches_nobody_elses,
    a_name_that_goes_on_as_a_path,
    a_path_that_climbs,
];

/// A request by hand on the engine itself, redirects followed, as a client does that puts names into URLs unescaped.
fn on_the_engine(world: &World, method: &str, path: &str) -> Output {
    let mut curl = Command::new("/usr/bin/curl");
    curl.args(["--silent", "--location", "--path-as-is", "--globoff", "--max-time", "30", "--unix-socket"]);
    curl.arg(world.engine.socket()).args(["-X", method, &format!("http://d{path}")]);
    run_to_end(&mut curl, format!("root# {method} {path}"), b"")
}

fn labels_out_of_an_image_deceive_nobody() {
    let world = world();
    let ground = Ground::new(&world);
    let (victim, guest) = (&ground.victim, &ground.guest);
    let spoof = format!(
        "LABEL io.ie-container.uid={} io.ie-container.login={} IO.IE-CONTAINER.UID={0} io.ie-container.stages=[] \
         io.ie-container.version=1 io.ie-container.ports= io.ie-container.rm=true",
        victim.uid, victim.login
    );
    let image = ground.image("spoof", &[spoof]);
    let filter = format!("label=io.ie-container.uid={}", victim.uid);
    let bare = world.docker(["run", "-d", "--network=none", &image, "/evil", "stay"]).line();
    let listed = world.docker(["ps", "-q", "--no-trunc", "--filter", &filter]).line();
    assert_eq!(listed, bare, "the control did not work: labels of an image are the container's");
    assert_eq!(victim.run("ps -aq").ok(), "");
    victim.run(format!("kill {bare}")).fails(1);

    let id = guest.run(["run", "-d", "--name", "own", "--network=none", &image, "/evil", "stay"]).line();
    assert_eq!(victim.run("ps -aq").ok(), "");
    for verb in ["kill", "rm -f", "logs", "inspect", "exec"] {
        victim.run(format!("{verb} {id} true"));
    }
    assert_eq!(guest.run("ps -q --no-trunc").line(), id);
    assert_eq!(
        world.inspect(&id, r#"{{index .Config.Labels "io.ie-container.uid"}}"#),
        guest.uid.to_string()
    );
    assert_eq!(world.inspect(&id, r#"{{index .Config.Labels "IO.IE-CONTAINER.UID"}}"#), "");
    world.docker(["rm", "-f", &bare]).exits(0);
}

fn the_beginning_of_an_id_reaches_nobody_elses() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let sleeper = || world.docker("run -d --network=none busybox:test sleep 1000").line();
    let prey = sleeper();
    world.docker(["kill", &prey[..10]]).exits(0);
    assert_eq!(world.inspect(&prey, "{{.State.Running}}"), "false", "the control did not work");
    // And a name that is the beginning of an id stands in for its container.
    let (prey, prefix) = (sleeper(), &sleeper()[..10]);
    let twin = world.docker(["rename", &prey, prefix]);
    twin.exits(0);
    assert_eq!(world.inspect(prefix, "{{.Id}}"), prey, "the control did not work");
    for name in [&prey, prefix] {
        world.docker(["rm", "-f", name]);
    }
    // Two containers were made above: the other one goes by its own id's beginning now.
    world.docker(["rm", "-f", prefix]);

    let id = ann.sleeper("box");
    for length in [1, 2, 3, 4, 6, 8, 12, 32, 63, 64] {
        for verb in ["kill", "stop -t 0", "rm -f", "rename"] {
            let more = if verb == "rename" { " mine" } else { "" };
            bob.run(format!("{verb} {}{more}", &id[..length]));
        }
    }
    let own = bob.sleeper(&id[..8]);
    assert_eq!(bob.run(["inspect", "--format", "{{.Id}}", &id[..8]]).line(), own);
    bob.run(format!("rm -f {}", &id[..8])).ok();
    // A name like a whole id is no name here.
    bob.run(["run", "-d", "--name", &id, "busybox:test", "true"]).fails(125);
    assert_eq!(
        world.inspect(&id, "{{.State.Running}} {{.Name}}"),
        format!("true /{}", ann.engine_name("box"))
    );
}

/// `start NAME` becomes a kill of whatever NAME begins with, where a name is put into a URL as it is.
fn a_name_that_goes_on_as_a_path() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let prey = world.docker("run -d --network=none busybox:test sleep 1000").line();
    on_the_engine(&world, "POST", &format!("/v1.41/containers/{prey}/kill?signal=KILL&x=/start")).exits(0);
    assert_eq!(world.inspect(&prey, "{{.State.ExitCode}}"), "137", "the control did not work");
    world.docker(["rm", "-f", &prey]).exits(0);

    let id = ann.sleeper("box");
    bob.sleeper("box");
    let started = bob.run(["inspect", "--format", "{{.State.StartedAt}} {{.State.Status}}", "box"]).line();
    let engine_name = ann.engine_name("box");
    for prey in [&id, &id[..12], engine_name.as_str(), "box"] {
        for tail in ["/kill?signal=KILL&x=", "%2fkill%3fsignal=KILL&x=", "/../"] {
            let word = format!("{prey}{tail}");
            for verb in ["start", "kill", "rm -f", "inspect"] {
                let words: Vec<&str> = verb.split(' ').chain([word.as_str()]).collect();
                let output = bob.run(words.as_slice());
                assert_ne!((output.code, verb), (0, "inspect"), "{output}");
            }
            if prey != "box" {
                // By hand, and without a client that knows better. On bob's own box this would be bob's own request.
                bob.raw("POST", &format!("/v1.41/containers/{word}/start"), "");
                bob.raw("DELETE", &format!("/v1.41/containers/{word}?force=1"), "");
            }
        }
    }
    assert_eq!(world.inspect(&id, "{{.State.Running}}"), "true");
    let now = bob.run(["inspect", "--format", "{{.State.StartedAt}} {{.State.Status}}", "box"]).line();
    assert_eq!(now, started, "a word with more behind it reached bob's own box");
}

/// `../images/x` leaves `/containers/`: the engine cleans such a path and says where it leads.
fn a_path_that_climbs() {
    let world = world();
    let ann = world.newcomer("ann");
    for path in [
        "/v1.41/containers/../images/forbidden/tool:test/json",
        "/v1.41/containers/%2e%2e/images/forbidden/tool:test/json",
        "/v1.41/containers/..%2fimages/forbidden/tool:test/json",
    ] {
        let output = on_the_engine(&world, "GET", path);
        output.says(&["\"RepoTags\":[\"forbidden/tool:test\"]"]).exits(0);
        let (status, body) = ann.raw("GET", path, "");
        assert!((400..500).contains(&status) && !body.contains("RepoTags"), "{path}: {status} {body}");
    }
    for word in
        ["../images/forbidden/tool:test", "%2e%2e/images/forbidden/tool:test", "..", ".", "../../version"]
    {
        for verb in ["start", "inspect", "logs", "rm -f", "kill"] {
            let words: Vec<&str> = verb.split(' ').chain([word]).collect();
            ann.run(words.as_slice()).hides(&["RepoTags", "ApiVersion"]);
        }
    }
    world.docker("image inspect forbidden/tool:test").exits(0);
}
