//! The dev containers CLI on the gateway's socket, with a configuration that names an image.

use crate::suite::{tests, world};
use crate::world::User;
use crate::world::output::Output;
use serde_json::Value;

tests![
    an_image_is_all_it_takes,
    a_remote_user_is_the_caller,
    what_needs_a_build_is_refused,
    nobody_else_finds_it,
];

/// A project of this person's with a `devcontainer.json`.
fn project(user: &User<'_>, json: &str) {
    user.sh("mkdir -p proj/.devcontainer").ok();
    user.write("proj/hello", "world\n");
    user.write("proj/.devcontainer/devcontainer.json", json);
}

/// The last line of standard output: what the CLI says to programs.
#[track_caller]
fn outcome(output: &Output) -> Value {
    serde_json::from_str(output.stdout().lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("no outcome ({error}) in {output}"))
}

#[track_caller]
fn up(user: &User<'_>) -> Value {
    let output = user.devcontainer("up --workspace-folder proj");
    output.exits(0);
    outcome(&output)
}

fn an_image_is_all_it_takes() {
    let world = world();
    let ann = world.newcomer("ann");
    project(&ann, r#"{ "image": "busybox:test", "postCreateCommand": "id -u > made-inside" }"#);
    let first = up(&ann);
    assert_eq!(first["outcome"], "success");
    assert_eq!(ann.read("proj/made-inside"), format!("{}\n", ann.uid));
    let inside = ann.devcontainer([
        "exec",
        "--workspace-folder",
        "proj",
        "sh",
        "-c",
        "id -u; pwd; cat hello; echo 2 > written",
    ]);
    assert_eq!(inside.ok(), format!("{}\n/workspaces/proj\nworld\n", ann.uid));
    assert_eq!(ann.read("proj/written"), "2\n");
    ann.devcontainer(["exec", "--workspace-folder", "proj", "sh", "-c", "exit 7"]).exits(7);
    // Asked again, it is the same container, and after a stop it is started again.
    assert_eq!(up(&ann)["containerId"], first["containerId"]);
    ann.docker(["stop", "-t", "0", first["containerId"].as_str().unwrap()]).ok();
    assert_eq!(up(&ann)["containerId"], first["containerId"]);
    let again = ann.devcontainer("up --workspace-folder proj --remove-existing-container");
    assert_ne!(outcome(&again)["containerId"], first["containerId"]);
    assert_eq!(ann.docker("ps -aq").ok().lines().count(), 1);
}

fn a_remote_user_is_the_caller() {
    let world = world();
    let ann = world.newcomer("ann");
    project(
        &ann,
        r#"{
            "image": "busybox:test",
            "remoteUser": "${localEnv:USER}",
            "updateRemoteUserUID": false,
            "containerEnv": { "INSIDE": "1" },
            "remoteEnv": { "REMOTE": "2" },
            "runArgs": ["--memory", "48m"],
            "mounts": [{ "type": "bind", "source": "${localWorkspaceFolder}", "target": "/again" }]
        }"#,
    );
    assert_eq!(up(&ann)["remoteUser"], ann.login);
    let inside =
        ["exec", "--workspace-folder", "proj", "sh", "-c", "id -un; echo $INSIDE $REMOTE; ls /again"];
    assert_eq!(ann.devcontainer(inside).ok(), format!("{}\n1 2\nhello\n", ann.login));
    project(&ann, r#"{ "image": "busybox:test", "remoteUser": "root", "name": "as root" }"#);
    ann.devcontainer("up --workspace-folder proj --remove-existing-container --log-level trace")
        .says(&["User is not allowed here"])
        .exits(1);
}

fn what_needs_a_build_is_refused() {
    let world = world();
    let ann = world.newcomer("ann");
    // Another user's uid would be built into an image of its own; the CLI keeps to itself what docker says of it.
    project(&ann, r#"{ "image": "busybox:test", "remoteUser": "vscode" }"#);
    ann.devcontainer("up --workspace-folder proj").says(&["Command failed: docker build"]).exits(1);
    project(&ann, r#"{ "build": { "dockerfile": "Dockerfile" } }"#);
    ann.write("proj/.devcontainer/Dockerfile", "FROM busybox:test\n");
    ann.devcontainer("build --workspace-folder proj").says(&["not served"]).exits(1);
    ann.devcontainer("up --workspace-folder proj").says(&["not served"]).exits(1);
    project(&ann, r#"{ "image": "busybox:test", "runArgs": ["--privileged"] }"#);
    ann.devcontainer("up --workspace-folder proj").says(&["Privileged is not allowed here"]).exits(1);
    project(&ann, r#"{ "image": "forbidden/tool:test" }"#);
    ann.devcontainer("up --workspace-folder proj").says(&["forbidden/tool"]).exits(1);
    assert_eq!(ann.docker("ps -aq").ok(), "");
}

fn nobody_else_finds_it() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    project(&ann, r#"{ "image": "busybox:test" }"#);
    let id = up(&ann)["containerId"].as_str().unwrap().to_owned();
    bob.devcontainer(["exec", "--container-id", &id, "id"]).exits(1);
    // The label by which the CLI knows its own, said by somebody else.
    let label = format!("devcontainer.local_folder={}", ann.home.join("proj").display());
    bob.devcontainer(["exec", "--id-label", &label, "id"]).exits(1);
    assert_eq!(bob.docker(["ps", "-aq", "--filter", &format!("label={label}")]).ok(), "");
}
