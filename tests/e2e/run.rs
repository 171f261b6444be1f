//! `run`: what a container gets, what comes out of it, and what is said when it does not start.

use crate::suite::{tests, world};
use crate::world::is_remapped;
use crate::world::output::run_to_end;
use rustix::process::Signal;
use std::os::unix::fs::MetadataExt;

tests![
    a_container_writes_into_the_home,
    detached_run_prints_the_id_alone,
    the_command_decides_the_exit_code,
    our_own_failures_exit_125,
    streams_arrive_apart_and_whole,
    stdin_is_empty_unless_asked_for,
    rm_leaves_nothing,
    whoever_runs_it_is_the_user_inside,
    one_may_say_who_one_is,
    every_container_is_fenced_in,
    a_hostile_image_changes_nothing,
    a_setuid_program_gains_nothing,
    variables_come_from_options_files_and_the_caller,
    options_reach_the_container,
    a_name_is_taken_once,
    names_are_plain_words,
    dry_run_changes_nothing,
    a_closed_stdout_is_no_error,
    signals_go_to_the_container,
    a_killed_client_leaves_the_container_alone,
    the_working_directory_is_the_callers,
    an_images_workdir_is_where_it_starts,
    bare_images_run,
];

fn a_container_writes_into_the_home() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run(["run", "--rm", "busybox:test", "sh", "-c", "echo from inside > note; mkdir -p deep/er"]).ok();
    assert_eq!(ann.read("note"), "from inside\n");
    let note = std::fs::metadata(ann.home.join("note")).unwrap();
    assert_eq!((note.uid(), note.gid()), (ann.uid, ann.gid));
}

fn detached_run_prints_the_id_alone() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    let output = bob.run("run -d --name here busybox:test sleep 1000");
    let id = output.line();
    assert!(id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{output}");
    assert_eq!(output.stderr, "");
    assert_eq!(world.inspect(&bob.engine_name("here"), "{{.Id}} {{.State.Running}}"), format!("{id} true"));
}

fn the_command_decides_the_exit_code() {
    let world = world();
    let ann = world.newcomer("ann");
    for (script, code) in [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137)] {
        ann.run(["run", "--rm", "busybox:test", "sh", "-c", script]).exits(code);
    }
    ann.run("run --rm busybox:test no-such-program").fails(127);
    ann.run("run --rm busybox:test /etc/passwd").fails(126);
}

fn our_own_failures_exit_125() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --rm no-such-image:test").says(&["no-such-image"]).fails(125);
    ann.run("run --rm --pull never no-such-image:test").fails(125);
    ann.run("run --no-such-flag busybox:test").says(&["--no-such-flag"]).fails(125);
    ann.run("run").fails(125);
    ann.run("run --memory lots busybox:test").says(&["lots"]).fails(125);
    ann.run("run --rm --privileged busybox:test").says(&["--privileged", "not allowed here"]).fails(125);
    ann.sh("mkdir closed; chmod 555 closed").ok();
    let missing = ann.home.join("closed/missing");
    ann.run(format!("run --rm -w {} busybox:test true", missing.display()))
        .says(&["working directory"])
        .fails(125);
    assert!(!missing.exists(), "a directory was made that its owner could not have made");
    assert_eq!(ann.run("ps -aq").ok(), "", "a run that failed left a container");
}

fn streams_arrive_apart_and_whole() {
    let world = world();
    let ann = world.newcomer("ann");
    let output = ann.run(["run", "--rm", "busybox:test", "sh", "-c", "echo data; echo talk >&2"]);
    assert_eq!((output.ok().as_str(), output.stderr.as_str()), ("data\n", "talk\n"));
    let bytes: Vec<u8> = (0..4_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let output = ann.run_with_stdin("run -i --rm busybox:test cat", &bytes);
    output.exits(0);
    assert!(output.bytes == bytes, "{} of {} bytes came back, or changed", output.bytes.len(), bytes.len());
}

fn stdin_is_empty_unless_asked_for() {
    let world = world();
    let ann = world.newcomer("ann");
    assert_eq!(ann.run_with_stdin("run --rm busybox:test cat", b"unasked").ok(), "");
}

fn rm_leaves_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --rm --name gone busybox:test true").ok();
    ann.run("run --rm --name gone busybox:test false").exits(1);
    assert_eq!(ann.run("ps -aq").ok(), "");
    assert_eq!(world.docker(format!("ps -aq --filter name={}", ann.engine_name(""))).ok(), "");
}

fn whoever_runs_it_is_the_user_inside() {
    let world = world();
    let bob = world.newcomer("b-o.b");
    let script = "whoami; id -u; id -g; id -G; echo $HOME $USER $LOGNAME; cd; pwd";
    let home = bob.home.display();
    let wanted = format!("{0}\n{1}\n{1}\n{1}\n{home} {0} {0}\n{home}\n", bob.login, bob.uid);
    for image in ["busybox:test", "hostile:test"] {
        assert_eq!(bob.run(["run", "--rm", image, "sh", "-c", script]).ok(), wanted, "{image}");
    }
    let passwd = bob.run("run --rm busybox:test cat /etc/passwd").ok();
    assert!(passwd.lines().any(|line| line.starts_with("root:")), "{passwd}");
    bob.run(["run", "--rm", "busybox:test", "sh", "-c", "echo x >> /etc/passwd"]).fails(1);
}

/// As scripts say it, and as nobody else.
fn one_may_say_who_one_is() {
    let world = world();
    let ann = world.newcomer("ann");
    let own = format!("{}:{}", ann.uid, ann.gid);
    assert_eq!(
        ann.run(["run", "--rm", "--user", &own, "busybox:test", "id", "-u"]).line(),
        ann.uid.to_string()
    );
    ann.sleeper("box");
    assert_eq!(ann.run(["exec", "-u", &ann.uid.to_string(), "box", "id", "-u"]).line(), ann.uid.to_string());
    for other in ["0", "root", &format!("{}:0", ann.uid), "1:1"] {
        ann.run(["run", "--rm", "--user", other, "busybox:test", "id"])
            .says(&["--user is not allowed"])
            .fails(125);
        ann.run(["exec", "-u", other, "box", "id"]).says(&["--user is not allowed"]).fails(125);
    }
}

fn every_container_is_fenced_in() {
    let world = world();
    let ann = world.newcomer("ann");
    let status = ann.run("run --rm busybox:test cat /proc/self/status").ok();
    for line in [
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
    assert!(status.contains("Seccomp:\t2"), "{status}");
    ann.sleeper("here");
    let name = ann.engine_name("here");
    for (field, value) in [
        ("{{.HostConfig.Privileged}}", "false"),
        ("{{.HostConfig.CapAdd}}", "[]"),
        ("{{.HostConfig.CapDrop}}", "[ALL]"),
        ("{{.HostConfig.RestartPolicy.Name}}", "no"),
        ("{{.HostConfig.Memory}}", "67108864"),
        ("{{.HostConfig.MemorySwap}}", "67108864"),
        ("{{.HostConfig.NanoCpus}}", "500000000"),
        ("{{.HostConfig.PidsLimit}}", "64"),
        ("{{.HostConfig.Runtime}}", "runc"),
        ("{{.HostConfig.Init}}", "true"),
        ("{{len .HostConfig.Binds}}", "0"),
        ("{{.HostConfig.PidMode}}{{.HostConfig.UTSMode}}", ""),
        ("{{.HostConfig.UsernsMode}}", if is_remapped() { "" } else { "host" }),
        ("{{.HostConfig.IpcMode}}", "private"),
        ("{{len .HostConfig.Devices}}", "0"),
        ("{{.HostConfig.PublishAllPorts}}", "false"),
    ] {
        assert_eq!(world.inspect(&name, field), value, "{field}");
    }
    assert_eq!(world.inspect(&name, "{{.Config.User}}"), format!("{0}:{0}", ann.uid));
    let logs = world.inspect(&name, "{{json .HostConfig.LogConfig}}");
    assert!(logs.contains("max-size") && logs.contains("max-file"), "{logs}");
    let variables = world.inspect(&name, "{{json .Config.Env}}");
    assert!(variables.contains("NVIDIA_VISIBLE_DEVICES=void"), "{variables}");
}

fn a_hostile_image_changes_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run -d --name trap hostile:test").ok();
    let name = ann.engine_name("trap");
    assert_eq!(world.inspect(&name, "{{.Config.User}}"), format!("{0}:{0}", ann.uid));
    assert_eq!(world.inspect(&name, "{{.Config.Healthcheck.Interval}}"), "5s");
    assert_eq!(
        world.inspect(&name, r#"{{index .Config.Labels "io.ie-container.uid"}}"#),
        ann.uid.to_string()
    );
    assert_eq!(world.inspect(&name, r#"{{index .Config.Labels "io.ie-container.login"}}"#), ann.login);
    assert_eq!(world.inspect(&name, r#"{{index .Config.Labels "io.ie-container.name"}}"#), "");
    let inside = ann.run(["exec", "trap", "sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES $HOME; id -u"]).ok();
    assert_eq!(inside, format!("void {}\n{}\n", ann.home.display(), ann.uid));
    let volume = world.inspect(&name, "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}}{{end}}{{end}}");
    world.docker(["volume", "inspect", &volume]).exits(0);
    ann.run("rm -f trap").ok();
    assert_ne!(
        world.docker(["volume", "inspect", &volume]).code,
        0,
        "the image's volume outlived its container"
    );
}

/// The control is the same program under the same user id on the bare engine, where it becomes root.
fn a_setuid_program_gains_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    let ids = format!("{0}:{0}", ann.uid);
    let program = ["hostile:test", "/bin/setuid-init", "-s", "--", "sleep", "1000"];
    let look =
        r#"for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = setuid-init ] && grep ^Uid $p/status; done; true"#;
    let bare = world
        .docker(
            [&["run", "-d", "--userns=", "--network=none", "--user", &ids], program.as_slice()]
                .concat()
                .as_slice(),
        )
        .line();
    let effective = |line: String| line.split_whitespace().nth(2).unwrap().to_owned();
    assert_eq!(
        effective(world.docker(["exec", &bare, "sh", "-c", look]).line()),
        "0",
        "the control did not work"
    );
    world.docker(["rm", "-fv", &bare]).ok();

    ann.run([&["run", "-d", "--name", "trap"], program.as_slice()].concat().as_slice()).ok();
    assert_eq!(effective(ann.run(["exec", "trap", "sh", "-c", look]).line()), ann.uid.to_string());
}

fn variables_come_from_options_files_and_the_caller() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.write("vars", "# a comment\nFROM_FILE=one two\nFROM_CALLER\n");
    let words =
        ["run", "--rm", "-e", "SAID=yes", "-e", "CALLED", "--env-file", "vars", "busybox:test", "env"];
    let mut command = ann.client(words);
    command.env("CALLED", "from outside").env("FROM_CALLER", "too");
    let variables = ann.finish(&mut command, b"").ok();
    for line in [
        "SAID=yes",
        "CALLED=from outside",
        "FROM_FILE=one two",
        "FROM_CALLER=too",
        "NVIDIA_VISIBLE_DEVICES=void",
    ] {
        assert!(variables.lines().any(|seen| seen == line), "{line} is not in {variables}");
    }
    let own = ann.run("run --rm -e NVIDIA_VISIBLE_DEVICES=all busybox:test env");
    assert!(own.code == 125 || own.stdout().contains("NVIDIA_VISIBLE_DEVICES=void"), "{own}");
}

fn options_reach_the_container() {
    let world = world();
    let ann = world.newcomer("ann");
    let words = "run -d --name all --hostname box --label kind=test --stop-signal INT --stop-timeout 3 --read-only \
                 --tmpfs /scratch --tmpfs /closed:mode=0701 --ulimit nofile=64:128 --memory 128m --cpus 1 --pids-limit 99 --shm-size 16m \
                 --entrypoint sleep busybox:test 1000";
    ann.run(words).ok();
    let name = ann.engine_name("all");
    for (field, value) in [
        ("{{.Config.Hostname}}", "box"),
        (r#"{{index .Config.Labels "kind"}}"#, "test"),
        ("{{.Config.StopSignal}}", "INT"),
        ("{{.HostConfig.ReadonlyRootfs}}", "true"),
        ("{{.HostConfig.Memory}}", "134217728"),
        ("{{.HostConfig.NanoCpus}}", "1000000000"),
        ("{{.HostConfig.PidsLimit}}", "99"),
        ("{{.HostConfig.ShmSize}}", "16777216"),
        ("{{json .Config.Entrypoint}} {{json .Config.Cmd}}", r#"["sleep"] ["1000"]"#),
    ] {
        assert_eq!(world.inspect(&name, field), value, "{field}");
    }
    let seen = ann.run([
        "exec",
        "all",
        "sh",
        "-c",
        "ulimit -Hn; touch /scratch/x && echo wrote; touch /x 2>/dev/null || echo ro; stat -c %a /scratch /closed",
    ]);
    assert_eq!(seen.ok(), "128\nwrote\nro\n1777\n701\n");
    ann.write("taken", "");
    ann.run("run --rm --cidfile taken busybox:test true").says(&["taken"]).fails(125);
    let id = ann.run("run -d --cidfile fresh busybox:test sleep 1000").line();
    assert_eq!(ann.read("fresh").trim(), id);
}

fn a_name_is_taken_once() {
    let world = world();
    let (ann, bob) = (world.newcomer("ann"), world.newcomer("b-o.b"));
    ann.sleeper("web");
    ann.run("run -d --name web busybox:test sleep 1000").says(&["web"]).fails(125);
    bob.sleeper("web");
    assert_eq!(ann.run(["ps", "--format", "{{.Names}}"]).ok(), "web\n");
}

fn names_are_plain_words() {
    let world = world();
    let ann = world.newcomer("ann");
    for name in ["", "../x", "a/b", "a b", "-a", "a\nb", "0123456789ab", "x/kill?signal=KILL&y=", "é"] {
        let option = format!("--name={name}");
        ann.run(["run", "-d", &option, "busybox:test", "sleep", "1000"]).fails(125);
    }
    assert_eq!(ann.run("ps -aq").ok(), "");
    let given = ann.run("run -d busybox:test sleep 1000").line();
    let name = ann.run(["ps", "--format", "{{.Names}}"]).line();
    assert!(name.contains(['-', '_']) && !given.starts_with(&name), "a generated name has two words: {name}");
}

fn dry_run_changes_nothing() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --dry-run --memory 100m busybox:test true").says(&["100m"]).exits(0);
    ann.run("run --dry-run --memory 99g busybox:test true").says(&["max.memory"]).fails(125);
    assert_eq!(ann.run("ps -aq").ok(), "");
    assert!(world.docker(format!("ps -aq --filter name=ie-{}-", ann.uid)).ok().is_empty());
}

fn a_closed_stdout_is_no_error() {
    let world = world();
    let ann = world.newcomer("ann");
    // A process that has not ended has no exit code: what is told is what a program dies of that nobody reads.
    for (verb, code) in [("--help", 0), ("run --help", 0), ("ps -a", 0), ("run --rm busybox:test yes", 141)] {
        let program = world.program("ie-container");
        // The pipe's reader is gone before a byte is written.
        let script = format!("{{ {} {verb}; echo code $? >&2; }} | true", program.display());
        let output = ann.sh(&script);
        assert!(!output.stderr.contains("panicked") && !output.stderr.contains("roken pipe"), "{output}");
        assert!(output.stderr.contains(&format!("code {code}\n")), "{output}");
    }
    ann.sleeper("box");
    for words in ["run --rm busybox:test echo much", "exec box echo much"] {
        let mut command = ann.client(words);
        command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.starts_with("ie-container: cannot write to stdout: No space left on device"), "{said}");
    }
}

fn signals_go_to_the_container() {
    let world = world();
    let ann = world.newcomer("ann");
    let script =
        "trap 'echo caught; exit 7' TERM; trap 'echo heard' USR1; echo ready; while :; do sleep 0.1; done";
    let client = ann.spawn(["run", "--rm", "--name", "trap", "busybox:test", "sh", "-c", script]);
    let said = |word: &str| ann.run("logs trap").stdout().contains(word);
    assert!(crate::world::tools::eventually(|| said("ready")));
    // It is there before the client has heard that it was started: until then TERM ends the client.
    assert!(crate::world::tools::eventually(|| {
        client.signal(Signal::USR1);
        said("heard")
    }));
    client.signal(Signal::TERM);
    let output = client.finish();
    output.says(&["caught"]).exits(7);
}

fn a_killed_client_leaves_the_container_alone() {
    let world = world();
    let ann = world.newcomer("ann");
    let client = ann.spawn("run --name stays busybox:test sleep 1000");
    let name = ann.engine_name("stays");
    assert!(crate::world::tools::eventually(|| {
        world.docker(["ps", "-q", "--filter", &format!("name={name}")]).stdout().len() > 1
    }));
    client.signal(Signal::KILL);
    client.finish().exits(137);
    assert_eq!(world.inspect(&name, "{{.State.Running}}"), "true");
}

fn the_working_directory_is_the_callers() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sh("mkdir -p work/here").ok();
    let mut command = ann.client("run --rm busybox:test pwd");
    command.current_dir(ann.home.join("work/here"));
    assert_eq!(ann.finish(&mut command, b"").line(), ann.home.join("work/here").display().to_string());
    let mut command = ann.client("run --rm busybox:test pwd");
    command.current_dir("/usr");
    assert_eq!(ann.finish(&mut command, b"").line(), ann.home.display().to_string());
    assert_eq!(ann.run("run --rm -w /tmp busybox:test pwd").line(), "/tmp");
}

/// As in Docker; what a client would rather have counts only where the image says nothing.
fn an_images_workdir_is_where_it_starts() {
    let world = world();
    let ann = world.newcomer("ann");
    let image = format!("workdir-{}:test", ann.uid);
    let mut root = tar::Builder::new(Vec::new());
    let script = b"#!/bin/sh\npwd\n".to_vec();
    let busybox = std::fs::read("/bin/busybox").unwrap();
    for (path, content) in [("bin/sh", &busybox), ("bin/pwd", &busybox), ("app/serve.sh", &script)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len().try_into().unwrap());
        header.set_mode(0o755);
        header.set_cksum();
        root.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    let changes = ["--change", "WORKDIR /app", "--change", "CMD [\"./serve.sh\"]"];
    let import = [&["import"], &changes[..], &["-", &image]].concat();
    let what = format!("root# docker import {image}");
    run_to_end(&mut world.engine.docker(&import), what, &root.into_inner().unwrap()).exits(0);
    let control = world.docker(["run", "--rm", "--network=none", &image]);
    assert_eq!(control.line(), "/app", "the control did not work");
    assert_eq!(ann.run(format!("run --rm {image} pwd")).line(), "/app");
    assert_eq!(ann.run(format!("run --rm {image}")).line(), "/app");
    assert_eq!(ann.docker(format!("run --rm {image}")).line(), "/app");
    assert_eq!(ann.run(format!("run --rm -w /tmp {image} pwd")).line(), "/tmp");
    assert_eq!(ann.docker("run --rm busybox:test pwd").line(), "/");
    world.docker(["rmi", &image]).exits(0);
}

fn bare_images_run() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run("run --rm bare:test true").ok();
    ann.run("run --rm bare:test sh").fails(127);
    assert_eq!(ann.run_with_stdin("run -i --rm bare:test cat", b"through").ok(), "through");
}
