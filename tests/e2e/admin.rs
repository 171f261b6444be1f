//! What an admin does: everybody's containers, through the admin socket.

use crate::suite::{tests, world};
use crate::world::tools::eventually;

tests![
    everybodys_containers_are_shown,
    everybodys_are_filtered,
    one_is_stopped_and_removed,
    a_name_alone_is_nobodys,
    a_draft_is_checked,
    whoever_is_not_root_reads_what_to_type,
];

fn everybodys_containers_are_shown() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    ann.sleeper("box");
    bob.run("create --name ended busybox:test true").ok();
    world
        .docker(["run", "-d", "--name", "admins-own", "--network=none", "busybox:test", "sleep", "1000"])
        .exits(0);
    let shown = |words: &str| world.admin(words).ok();
    let format = "--format={{.Owner}}/{{.Names}}";
    let (running, all) = (shown(&format!("admin ps {format}")), shown(&format!("admin ps -a {format}")));
    let (anns, bobs) = (format!("{}/box\n", ann.login), format!("{}/ended\n", bob.login));
    assert!(running.contains(&anns) && !running.contains(&bobs), "{running}");
    assert!(all.contains(&anns) && all.contains(&bobs) && !all.contains("admins-own"), "{all}");
    assert!(shown("admin ps").starts_with("CONTAINER ID") && shown("admin ps").contains("OWNER"));
    world.docker("rm -f admins-own").exits(0);
}

/// What is listed here is handed on to `admin rm -f`: a filter that is not served must not list everybody.
fn everybodys_are_filtered() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    ann.sleeper("box");
    bob.run("run --name done busybox:test true").ok();
    bob.run("run --name box2 busybox:test true").ok();
    let shown = |words: &str| {
        let format = ["--format", "{{.Owner}}/{{.Names}}"];
        let mut lines: Vec<String> = Vec::new();
        for line in world
            .admin([words.split(' ').collect::<Vec<_>>(), format.to_vec()].concat().as_slice())
            .ok()
            .lines()
        {
            // Others are at work too.
            if [&ann, &bob].iter().any(|user| line.starts_with(&format!("{}/", user.login))) {
                lines.push(line.replace(&ann.login, "ann").replace(&bob.login, "bob"));
            }
        }
        lines
    };
    assert!(eventually(|| shown("admin ps -a -f status=exited") == ["bob/box2", "bob/done"]));
    assert_eq!(shown("admin ps -a -f name=^box$"), ["ann/box"]);
    assert_eq!(shown(&format!("admin ps -a -f owner={} -f name=box", bob.login)), ["bob/box2"]);
    assert_eq!(shown("admin ps -a -f owner=nobody-at-all"), [""; 0]);
    assert!(shown("admin ps -n 1").len() <= 1);
    for wrong in ["admin ps -aq -f nope=1", "admin ps -a -f status=exitedd", "admin ps -a --size"] {
        world.admin(wrong).says(&["ie-container: "]).fails(1);
    }
    ann.run("ps -f owner=x").says(&["invalid filter"]).fails(1);
}

fn one_is_stopped_and_removed() {
    let world = world();
    let ann = world.newcomer("ann");
    for (name, by_id) in [("one", false), ("two", true)] {
        let id = ann.run(["run", "-d", "--name", name, "busybox:test", "sleep", "1000"]).line();
        let word = if by_id { id[..12].to_owned() } else { ann.engine_name(name) };
        world.admin(format!("admin rm {word}")).says(&["running"]).fails(1);
        world.admin(format!("admin stop {word}")).exits(0);
        assert_eq!(world.inspect(&id, "{{.State.Running}}"), "false");
        world.admin(format!("admin rm {word}")).exits(0);
        world.docker(["inspect", &id]).exits(1);
    }
    // With -f one that runs, and one that is not there.
    let id = ann.run("run -d --name three busybox:test sleep 1000").line();
    world.admin(format!("admin rm -f {id}")).exits(0);
    world.admin(format!("admin rm -f {id}")).exits(0);
    world.admin(format!("admin stop {id}")).says(&["No such container", "admin ps -a lists"]).fails(1);
    assert_eq!(ann.run("ps -aq").ok(), "");
    let log = world.gateway.said();
    assert!(
        log.lines().any(|line| line.contains("\"verb\":\"rm\"") && line.contains(&id)),
        "no decision is noted"
    );
}

/// Short names are each person's own: an admin who types one could mean anybody's.
fn a_name_alone_is_nobodys() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("bob"));
    let (anns, bobs) = (ann.sleeper("web"), bob.sleeper("web"));
    for verb in ["stop", "rm -f"] {
        let said = world.admin(format!("admin {verb} web"));
        assert!(said.code == 1 || verb == "rm -f", "{said}");
    }
    // A name that reads like the beginning of somebody's id.
    let id = ann.run("inspect --format {{.Id}} web").line();
    bob.sleeper(&id[..8]);
    world.admin(["admin", "stop", &id[..8]]).exits(0);
    let running = |user: &crate::world::User<'_>, name: &str| {
        world.inspect(&user.engine_name(name), "{{.State.Running}}")
    };
    assert_eq!(
        (running(&ann, "web"), running(&bob, "web"), running(&bob, &id[..8])),
        ("false".into(), "true".into(), "true".into()),
        "{anns:?} {bobs:?}"
    );
}

fn a_draft_is_checked() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.write("draft.toml", "[gateway]\nuids = '1000-1999'\n[defaults]\ncontianers = 3\n");
    ann.run("admin policy check draft.toml").says(&["draft.toml:4", "contianers", "containers"]).fails(1);
    ann.write("draft.toml", "[gateway]\nuids = '1000-1999'\n[defaults]\ncontainers = 3\n");
    assert_eq!(ann.run("admin policy check draft.toml").ok(), "draft.toml is a policy\n");
    ann.run("admin policy check missing.toml").says(&["missing.toml"]).fails(1);
}

fn whoever_is_not_root_reads_what_to_type() {
    let world = world();
    let ann = world.newcomer("ann");
    let mut command = ann.client("admin ps -a");
    command.env("IE_CONTAINER_ADMIN_SOCKET", world.admin_socket());
    let refused = ann.finish(&mut command, b"");
    refused.says(&["only root may use `ie-container admin`", "type: sudo ie-container admin ps -a"]).fails(1);
}
