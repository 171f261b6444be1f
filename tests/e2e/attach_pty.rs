//! Terminals: `run -it`, `exec -it` and `attach` on a real pseudo-terminal.

use crate::suite::{tests, world, world_alone};
use crate::world::Pty;
use crate::world::tools::eventually;
use rustix::process::{Pid, Signal, kill_process};

tests![
    a_shell_on_a_terminal,
    the_size_is_there_from_the_first_moment,
    the_size_follows_the_terminal,
    detaching_leaves_it_running,
    a_lone_ctrl_p_reaches_the_shell,
    ctrl_c_ends_the_foreground_program_alone,
    exec_has_a_terminal_of_its_own,
    other_detach_keys,
    the_terminal_is_put_right_after_a_signal,
    a_terminal_needs_a_terminal,
    attach_without_a_terminal,
    alone a_start_that_takes_long_is_given_up,
];

const CTRL_C: &str = "\x03";
const CTRL_P: &str = "\x10";
const DETACH: &str = "\x10\x11";

fn a_shell_on_a_terminal() {
    let world = world();
    let ann = world.newcomer("ann");
    let mut pty = ann.pty("run -it --rm busybox:test sh");
    pty.expect("$ ");
    assert!(!pty.is_cooked(), "the terminal is not raw while the shell has it");
    pty.send("tty; echo mark-$((20+3))\n");
    pty.expect("/dev/pts/");
    pty.expect("mark-23");
    pty.send("exit 9\n");
    assert_eq!(pty.finish(), 9);
    assert!(pty.is_cooked(), "the terminal was left raw");
}

/// Nobody is attached, so nobody says it by resize. Engines before 23 have no size for a terminal that starts.
fn the_size_is_there_from_the_first_moment() {
    let world = world();
    let ann = world.newcomer("ann");
    let api = world.engine.api_version();
    let minor: u32 = api.strip_prefix("1.").unwrap().parse().unwrap();
    let size = if minor < 42 { "" } else { "24 80" };
    ann.sh("echo 'stty size >first; echo >done; exec sleep 1000' >run; echo 'stty size >second; echo >done' >exec").ok();
    for (words, file) in
        [("run -dt --name sized busybox:test sh run", "first"), ("exec -dt sized sh exec", "second")]
    {
        assert_eq!(ann.pty(words).finish(), 0);
        assert!(eventually(|| ann.sh("ls").ok().contains("done")));
        assert_eq!(ann.sh(&format!("rm done; cat {file}")).ok().trim_end(), size, "{words}");
    }
}

fn the_size_follows_the_terminal() {
    let world = world();
    let ann = world.newcomer("ann");
    let mut pty = ann.pty("run -it --rm busybox:test sh");
    pty.expect("$ ");
    let becomes = |pty: &mut Pty, size: &str, product: &str| {
        let until = format!("until [ \"$(stty size)\" = '{size}' ]; do sleep 0.1; done");
        pty.send(&format!("{until}; echo is-$(({}))\n", size.replace(' ', "*")));
        pty.expect(&format!("is-{product}"));
    };
    becomes(&mut pty, "24 80", "1920");
    pty.resize(41, 133);
    becomes(&mut pty, "41 133", "5453");
    pty.send("exit\n");
    assert_eq!(pty.finish(), 0);
}

fn detaching_leaves_it_running() {
    let world = world();
    let ann = world.newcomer("ann");
    let mut pty = ann.pty("run -it --name shell busybox:test sh");
    pty.expect("$ ");
    pty.send("mine=kept\n");
    pty.expect("$ ");
    pty.send(DETACH);
    assert_eq!(pty.finish(), 0);
    assert!(pty.is_cooked());
    assert_eq!(world.inspect(&ann.engine_name("shell"), "{{.State.Running}}"), "true");

    let mut pty = ann.pty("attach shell");
    pty.send("echo still-$mine\n");
    pty.expect("still-kept");
    pty.send(DETACH);
    pty.expect("read escape sequence");
    assert_eq!(pty.finish(), 1);

    let mut pty = ann.pty("attach shell");
    pty.send("exit 4\n");
    assert_eq!(pty.finish(), 4);
}

fn a_lone_ctrl_p_reaches_the_shell() {
    let world = world();
    let ann = world.newcomer("ann");
    let mut pty = ann.pty("run -it --rm busybox:test sh");
    pty.expect("$ ");
    pty.send("echo once-$((1+1))\n");
    pty.expect("once-2");
    pty.expect("$ ");
    pty.send(CTRL_P);
    // The shell shows the line of before, without another key being typed.
    pty.expect("echo once-$((1+1))");
    pty.send("\n");
    pty.expect("once-2");
    pty.send("exit\n");
    assert_eq!(pty.finish(), 0);
}

fn ctrl_c_ends_the_foreground_program_alone() {
    let world = world();
    let ann = world.newcomer("ann");
    let mut pty = ann.pty("run -it --rm busybox:test sh");
    pty.expect("$ ");
    pty.send("echo about-to-sleep; sleep 1000\n");
    pty.expect("about-to-sleep\r\n");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    pty.send(CTRL_C);
    pty.expect("$ ");
    pty.send("echo code-$?; exit\n");
    pty.expect("code-130");
    pty.finish();
}

fn exec_has_a_terminal_of_its_own() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    let mut pty = ann.pty("exec -it box sh");
    pty.expect("$ ");
    pty.resize(30, 100);
    pty.send("until [ \"$(stty size)\" = '30 100' ]; do sleep 0.1; done; echo is-$((30*100)); exit 6\n");
    pty.expect("is-3000");
    assert_eq!(pty.finish(), 6);
    assert!(pty.is_cooked());
}

fn other_detach_keys() {
    let world = world();
    let ann = world.newcomer("ann");
    let mut pty = ann.pty("run -it --name shell --detach-keys ctrl-x,x busybox:test sh");
    pty.expect("$ ");
    pty.send("\x18x");
    assert_eq!(pty.finish(), 0);
    assert_eq!(world.inspect(&ann.engine_name("shell"), "{{.State.Running}}"), "true");

    // Set once for all: the flag counts more, and a file that is wrong makes nothing.
    ann.sh("mkdir -p ~/.config/ie-container; echo 'detach_keys = \"ctrl-y,y\"' >~/.config/ie-container/config.toml");
    let mut pty = ann.pty("attach shell");
    pty.send("\n");
    pty.expect("$ ");
    pty.send("\x19y");
    assert_eq!(pty.finish(), 1);
    ann.sh("echo 'keys = 1' >~/.config/ie-container/config.toml");
    ann.run("run -i --name other busybox:test true").says(&["config.toml", "`keys`"]).fails(125);
    assert_eq!(ann.run("ps -aq --filter name=other").ok(), "");
}

fn the_terminal_is_put_right_after_a_signal() {
    let world = world();
    let ann = world.newcomer("ann");
    for signal in [Signal::TERM, Signal::HUP] {
        let mut pty = ann.pty("run -it --rm busybox:test sh");
        pty.expect("$ ");
        pty.signal(signal);
        assert_eq!(pty.finish(), 128 + signal.as_raw());
        assert!(pty.is_cooked(), "left raw by {signal:?}");
    }
}

fn a_terminal_needs_a_terminal() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.sleeper("box");
    for words in ["run -it --rm busybox:test true", "exec -it box true"] {
        let output = ann.run(words);
        output.says(&["the input device is not a TTY"]);
        assert_ne!(output.code, 0);
    }
    assert_eq!(ann.run("ps -aq").ok().lines().count(), 1, "the refused run left a container");
}

fn attach_without_a_terminal() {
    let world = world();
    let ann = world.newcomer("ann");
    ann.run([
        "run",
        "-d",
        "-i",
        "--name",
        "echo",
        "busybox:test",
        "sh",
        "-c",
        "read line; echo got $line; sleep 1; exit 3",
    ])
    .ok();
    // Standard input stays open, as the engine ends an attachment whose input has ended, whatever was still to come.
    let script = format!(
        "mkfifo in; {} attach echo <in & exec 3>in; echo this >&3; wait $!; echo code $?",
        world.program("ie-container").display()
    );
    assert_eq!(ann.sh(&script).ok(), "got this\ncode 3\n");
}

/// The mount helper takes its time; nobody but the client is there to hear ctrl-c.
fn a_start_that_takes_long_is_given_up() {
    let world = world_alone();
    let ann = world.newcomer("ann");
    let id = ann.run("create -it --name shell busybox:test sh").line();
    let helper = Pid::from_raw(world.mountd.pid().try_into().unwrap()).unwrap();
    kill_process(helper, Signal::STOP).unwrap();
    let mut pty = ann.pty("start -ai shell");
    let begun = format!(r#""start","container":"{id}""#);
    assert!(eventually(|| world.gateway.said().contains(&begun)));
    assert!(!pty.is_cooked());
    pty.send(CTRL_C);
    assert_eq!(pty.finish(), 130);
    kill_process(helper, Signal::CONT).unwrap();
    assert!(pty.is_cooked(), "the terminal was left raw");
    assert_eq!(world.inspect(&ann.engine_name("shell"), "{{.State.Status}}"), "created");
    ann.run("rm shell").ok();
}
