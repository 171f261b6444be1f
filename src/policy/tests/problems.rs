//! What is said of a wrong file.

use super::*;

const GATEWAY: &str = "[gateway]\nuids = '1-9'\nhomes = ['/home/staff']\n";

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
    for (text, said) in [
        (
            "[defaults]\ncontaners = 4",
            "p.toml:5: unknown key `contaners` in [defaults], did you mean `containers`?",
        ),
        (
            "[defaults]\ntotal = { Memory = '4g' }",
            "p.toml:5: unknown key `Memory` in [defaults.total], did you mean `memory`?",
        ),
        (
            "[defaults]\n\n[defaults.total]\nmemroy = '4g'",
            "p.toml:7: unknown key `memroy` in [defaults.total], did you mean `memory`?",
        ),
        // Four letters of ten are another word.
        (
            "[groups.some-lab_a]\ntotal = { dXXX = 1 }",
            "p.toml:5: unknown key `dXXX` in [groups.some-lab_a.total], the keys are cpus, memory, pids, gpus, disk, output",
        ),
        (
            "[defaults]\ntotal = { mXmXrX = '1g' }",
            "p.toml:5: unknown key `mXmXrX` in [defaults.total], the keys are cpus, memory, pids, gpus, disk, output",
        ),
        // What stands in a list is wrong on its own line.
        (
            "[defaults]\nimages = [\n'ubuntu',\n'a b']",
            "p.toml:7: `defaults.images[1]` is wrong: \"a b\" is not a pattern for images such as docker.io/library/*",
        ),
        ("[default]\ncontainers = 4", "p.toml:4: unknown key `default`, did you mean `defaults`?"),
        (
            "[defaults]\nmounts = [\n{source='/d', mode='ro'},\n{source='/e', mode='ro', sorce='/f'}]",
            "p.toml:7: unknown key `sorce` in [defaults.mounts[1]], did you mean `source`?",
        ),
        (
            "[defaults]\nports = { zzz = 1 }",
            "p.toml:5: unknown key `zzz` in [defaults.ports], the keys are range, max, address",
        ),
        (
            "[users.first.last]\n",
            "p.toml:4: unknown key `last` in [users.first], the keys are until, containers, each, max, total, cpuset, networks, volumes, gpu_time, gpu_hours, stopped_for, restart, images, ports, home, mounts",
        ),
    ] {
        assert_eq!(problems(&format!("{GATEWAY}{text}")), [said], "{text}");
    }
}

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_the_lines() {
    let text = "[defaults]
containers = -1
each = { memory = 'none', cpus = 0 }
max = { pids = 1.5 }
images = ['a b', 'ubuntu']
[users.ann]
until = '2027-02-28'
home = 'yes'
contaners = 1
[gateway]
engine = '/run/docker.sock'
";
    assert_eq!(
        problems(text),
        [
            "p.toml:2: `defaults.containers` must be a whole number from 0 to 9223372036854775807",
            "p.toml:3: `defaults.each.cpus` must be more than 0",
            "p.toml:3: `defaults.each.memory` is wrong: \"none\" is not an amount of memory such as 512m or 4g",
            "p.toml:4: `defaults.max.pids` must be a whole number",
            "p.toml:5: `defaults.images[0]` is wrong: \"a b\" is not a pattern for images such as docker.io/library/*",
            "p.toml:7: `users.ann.until` must be a date such as 2027-02-28, without quotes",
            "p.toml:8: `users.ann.home` must be \"rw\", \"ro\" or \"none\"",
            "p.toml:9: unknown key `contaners` in [users.ann], did you mean `containers`?",
            "p.toml:10: `uids` is missing in [gateway]",
            "p.toml:11: `gateway.engine` must be a Unix socket such as \"unix:///run/ie-engine/docker.sock\"",
        ]
    );
}

#[test]
fn every_wrong_limit_is_refused() {
    for (line, said) in [
        (
            "until = 2027-02-28",
            "unknown key `until` in [defaults], the keys are containers, each, max, total, cpuset, networks, volumes, gpu_time, gpu_hours, stopped_for, restart, images, ports, home, mounts",
        ),
        ("each = 4", "`defaults.each` must be a table"),
        ("each = { cpus = '2' }", "`defaults.each.cpus` must be a number of cpus such as 2 or 0.5"),
        (
            "each = { cpus = inf }",
            "`defaults.each.cpus` is wrong: \"inf\" is not a number of cpus such as 2 or 0.5",
        ),
        (
            "each = { cpus = -1 }",
            "`defaults.each.cpus` is wrong: \"-1\" is not a number of cpus such as 2 or 0.5",
        ),
        (
            "each = { cpus = 99999999999 }",
            "`defaults.each.cpus` is wrong: \"99999999999\" is not a number of cpus such as 2 or 0.5",
        ),
        (
            "each = { cpus = 0.01 }",
            "`defaults.each.cpus` must be 0.02 at least, with less no container comes to start",
        ),
        (
            "max = { cpus = 0.019999999 }",
            "`defaults.max.cpus` must be 0.02 at least, with less no container comes to start",
        ),
        ("each = { cpus = 10000000000 }", "`defaults.each.cpus` is more than an engine can count"),
        ("each = { shm = '0' }", "`defaults.each.shm` must be more than 0"),
        ("each = { nofile = 0 }", "`defaults.each.nofile` must be more than 0"),
        ("each = { nofile = 1048577 }", "`defaults.each.nofile` must be 1048576 at most"),
        ("max = { shm = 4 }", "`defaults.max.shm` must be an amount of memory in quotes such as \"4g\""),
        ("max = { memory = '0' }", "`defaults.max.memory` must be more than 0"),
        ("max = { memory = '9999999t' }", "`defaults.max.memory` is more than an engine can count"),
        ("total = { pids = 'many' }", "`defaults.total.pids` must be a whole number"),
        (
            "ports = { range = '80-90' }",
            "`defaults.ports.range` is wrong: \"80-90\" must go upwards, from 1024 at least",
        ),
        (
            "ports = { range = '5000-4000' }",
            "`defaults.ports.range` is wrong: \"5000-4000\" must go upwards, from 1024 at least",
        ),
        (
            "ports = { range = '+4000-5000' }",
            "`defaults.ports.range` is wrong: \"+4000-5000\" is not a range of ports such as 40000-49999",
        ),
        ("ports = { address = 'localhost' }", "`defaults.ports.address` is wrong: invalid IP address syntax"),
        ("images = 'ubuntu'", "`defaults.images` must be a list in brackets"),
        ("mounts = ['/data']", "`defaults.mounts[0]` must be a table"),
        ("mounts = [{ mode = 'ro' }]", "`source` is missing in [defaults.mounts[0]]"),
        ("mounts = [{ source = '/d' }]", "`mode` is missing in [defaults.mounts[0]]"),
        ("mounts = [{ source = '/d', mode = 'none' }]", "`defaults.mounts[0].mode` must be \"ro\" or \"rw\""),
        (
            "mounts = [{ source = '/d', mode = 'ro', always = 'yes' }]",
            "`defaults.mounts[0].always` must be true or false",
        ),
        (
            "mounts = [{ source = '/d', mode = 'ro', target = '/t' }]",
            "`defaults.mounts[0].target` is for a mount with `always = true`",
        ),
        (
            "mounts = [{ source = '/d', mode = 'ro', always = true, target = '/etc' }]",
            "`defaults.mounts[0].target` \"/etc\" is not a place to mount at",
        ),
        (
            "mounts = [{ source = '/d', mode = 'ro' }, { source = '/d', mode = 'rw' }]",
            "`defaults.mounts` lists /d twice",
        ),
        (
            "mounts = [{ source = '/home', mode = 'ro' }]",
            "`defaults.mounts[0]` /home holds the homes of `gateway.homes`",
        ),
        (
            "mounts = [{ source = '/home/staff', mode = 'ro' }]",
            "`defaults.mounts[0]` /home/staff holds the homes of `gateway.homes`",
        ),
    ] {
        assert_eq!(
            problems(&format!("{GATEWAY}[defaults]\n{line}")),
            [format!("p.toml:5: {said}")],
            "{line}"
        );
    }
}

#[test]
fn what_a_site_must_not_hand_out_is_refused() {
    for source in [
        "/",
        "/proc",
        "/proc/1/root",
        "/sys/fs",
        "/dev",
        "/run",
        "/run/docker.sock",
        "/run/ie-container",
        "/var",
        "/var/run/x",
        "/var/lib/ie-container/x",
        "data",
        "/a/../b",
    ] {
        let text = format!("{GATEWAY}[defaults]\nmounts = [{{ source = '{source}', mode = 'ro' }}]");
        assert_eq!(problems(&text).len(), 1, "{source}");
    }
}

#[test]
fn tables_agree_how_a_directory_is_staged() {
    let text = "[defaults]\nmounts = [{source='/d', mode='ro'}]\n[users.a]\nmounts = [{source='/d', mode='ro', idmap='off'}]";
    assert_eq!(
        problems(&format!("{GATEWAY}{text}")),
        ["p.toml:7: `users.a.mounts[0]` says another `idmap` for /d than the table before"]
    );
    let text = "[defaults]\nmounts = [{source='/d', mode='rw'}]\n[users.a]\nmounts = [{source='/d', mode='rw', share='group'}]";
    assert_eq!(
        problems(&format!("{GATEWAY}{text}")),
        ["p.toml:7: `users.a.mounts[0]` says another `share` for /d than the table before"]
    );
    let text = "[defaults]\nmounts = [{source='/d', mode='rw', share='group', idmap='off'}]";
    let told = problems(&format!("{GATEWAY}{text}"));
    assert!(told.len() == 1 && told[0].ends_with("is for a directory that is idmapped"), "{told:?}");
}

#[test]
fn what_is_not_toml_is_said_with_its_line() {
    for (text, line) in [
        ("[gateway\nuids = '1-9'", 1),
        ("[gateway]\nuids = 1-9", 2),
        ("[gateway]\nuids='1-9'\nuids='1-8'", 3),
    ] {
        let all = Policy::parse("p.toml", text).unwrap_err();
        assert_eq!(all.iter().next().unwrap().line, Some(line), "{all}");
    }
}

#[test]
fn a_problem_tells_programs_its_key() {
    let all =
        Policy::parse("p.toml", &format!("{GATEWAY}[users.'a.b']\ntotal = {{ memory = 4 }}")).unwrap_err();
    assert_eq!(all.iter().next().unwrap().key, "users.\"a.b\".total.memory");
}

#[test]
fn an_amount_is_written_as_its_key_wants_it() {
    let defaults = |line: &str| problems(&format!("[gateway]\nuids = '1-9'\n[defaults]\n{line}"));
    let most = "p.toml:4: `defaults.containers` must be a whole number from 0 to 9223372036854775807";
    assert_eq!(defaults("containers = 9223372036854775808"), [most]);
    assert!(
        Policy::parse("p.toml", "[gateway]\nuids = '1-9'\n[defaults]\ncontainers = 9223372036854775807")
            .is_ok()
    );
    assert_eq!(
        defaults("each = { cpus = 0x10 }"),
        ["p.toml:4: `defaults.each.cpus` must be a number of cpus such as 2 or 0.5"]
    );
    let idmap = |word: &str| {
        let text = format!("[gateway]\nuids = '1-9'\nhomes = [{{ path = '/h', idmap = {word} }}]");
        Policy::parse("p.toml", &text).map(|policy| policy.gateway().homes()[0].idmap()).ok()
    };
    assert_eq!(
        (idmap("'on'"), idmap("'off'"), idmap("'no'"), idmap("true")),
        (Some(true), Some(false), None, None)
    );
}

#[test]
fn problems_are_a_line_each() {
    let all = Policy::parse("p.toml", "[gateway]\nuids = 1\nconnections = 0").unwrap_err();
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!((lines.len(), all.to_string()), (2, lines.join("\n")));
}
