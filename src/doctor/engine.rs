//! What the engine says of itself in GET /info.

use super::Subject;
use super::finding::{Check, Finding};
use super::look::Found;
use crate::policy::{Gateway, Userns};
use crate::protocol::layout;
use serde_json::Value;
use std::path::Path;

pub(super) const ANSWERS: Check =
    Check::new("engine", "without the engine's own word half of this cannot be looked at");
const RUNTIME: Check = Check::new(
    "default-runtime",
    "the gateway asks for runc by name, but whatever else is started here gets the default one, and with it perhaps GPUs",
);
const OTHERS: Check = Check::new(
    "runtimes",
    "whoever has the engine's socket can ask for any runtime it knows, and only ie-runc minds what it runs",
);
const WALL: Check =
    Check::new("ie-runc", "without it in front of runc, what runs is held by the gateway's own checks alone");
const LIMITS: Check =
    Check::new("limits", "a limit that the kernel does not offer is dropped by the engine without an error");
const SWAP: Check =
    Check::new("swap-limit", "without it a container's memory limit leaves swap to everybody");
const CGROUPS: Check =
    Check::new("cgroup-version", "engines have deprecated version 1 and will stop serving it");
const RESTORE: Check =
    Check::new("live-restore", "without it everybody's containers end when the engine restarts");
const REMAP: Check = Check::new(
    "userns-remap",
    "where containers have a user namespace of their own, whoever becomes root inside is nobody outside",
);
const SECCOMP: Check =
    Check::new("seccomp", "the engine's seccomp profile keeps containers from most of the kernel's holes");
const GRAPH: Check = Check::new(
    "graph-root",
    "who can walk into the engine's directory can run the setuid programs of images as root",
);

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let socket = subject.engine.socket.display();
    let info = match &subject.engine.info {
        Ok(info) => info,
        Err(why) => {
            found.push(ANSWERS.warning(
                format!("{socket}: {why}"),
                "systemctl status docker; run the doctor again when the engine answers",
            ));
            return;
        }
    };
    found.push(ANSWERS.ok(format!("it answers on {socket}")));
    found.extend([
        runtime(info),
        others(info),
        wall(info),
        limits(info),
        swap(info),
        cgroups(info),
        restore(info),
    ]);
    found.extend([remap(subject, info), seccomp(info), graph(subject, info)]);
}

fn text<'v>(info: &'v Value, key: &str) -> &'v str {
    info.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn is_on(info: &Value, key: &str) -> bool {
    info.get(key) == Some(&Value::Bool(true))
}

fn runtime(info: &Value) -> Finding {
    let default = text(info, "DefaultRuntime");
    if info.get("Runtimes").is_some_and(|all| all.get("runc").is_none()) {
        return RUNTIME.warning(
            "the engine has no runtime named runc",
            "add runc to \"runtimes\" in daemon.json: the gateway starts nothing without it",
        );
    }
    match default {
        "runc" => RUNTIME.ok("runc"),
        "" => RUNTIME.notice("the engine does not say", "docker info --format '{{.DefaultRuntime}}'"),
        other => RUNTIME.warning(other, "take \"default-runtime\" out of daemon.json and restart the engine"),
    }
}

/// A name that leads to `runc` leads to whatever is called so first in the engine's search path.
fn others(info: &Value) -> Finding {
    let all = info.get("Runtimes").and_then(Value::as_object);
    let path = |runtime: &Value| runtime.get("path").and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = all.into_iter().flatten().map(|(name, runtime)| (name, path(runtime)));
    let others: Vec<_> =
        named.filter(|(_, path)| path != "runc").map(|(name, path)| format!("{name} ({path})")).collect();
    match others.is_empty() {
        true => OTHERS.ok("none but those that find runc by its name"),
        false => OTHERS.warning(
            others.join(", "),
            "take them out of \"runtimes\" in the engine's configuration: the gateway asks for runc alone",
        ),
    }
}

/// The engine shows the commit of whatever it finds under the name of runc.
fn wall(info: &Value) -> Finding {
    let commit = info.pointer("/RuncCommit/ID").and_then(Value::as_str).unwrap_or_default();
    match commit.ends_with(layout::RUNTIME_MARK) {
        true => WALL.ok(format!("it stands in front of runc {}", commit.trim_end_matches(layout::RUNTIME_MARK))),
        false => WALL.warning(
            "the engine calls runc itself",
            "start the engine, and its containerd, with the directory of ie-runc first in PATH: docs/admin.md",
        ),
    }
}

fn limits(info: &Value) -> Finding {
    let wanted = [("MemoryLimit", "memory"), ("PidsLimit", "pids"), ("CpuCfsQuota", "cpus")];
    let missing: Vec<_> = wanted.iter().filter(|(key, _)| !is_on(info, key)).map(|(_, word)| *word).collect();
    if missing.is_empty() {
        return LIMITS.ok("memory, pids and cpus can be limited");
    }
    LIMITS.warning(
        format!("cannot be limited here: {}", missing.join(", ")),
        "docker info names what is missing; memory needs cgroup_enable=memory on some kernels' command line",
    )
}

fn swap(info: &Value) -> Finding {
    if is_on(info, "SwapLimit") {
        return SWAP.ok("swap can be limited");
    }
    SWAP.notice(
        "swap cannot be limited here",
        "swapaccount=1 on the kernel's command line, or no swap at all",
    )
}

fn cgroups(info: &Value) -> Finding {
    match text(info, "CgroupVersion") {
        "2" => CGROUPS.ok("2"),
        // 20.10 was the first to say.
        version => CGROUPS.notice(
            if version.is_empty() { "not said" } else { version },
            "systemd.unified_cgroup_hierarchy=1 on the kernel's command line, once the engine is 20.10 or later",
        ),
    }
}

fn restore(info: &Value) -> Finding {
    if is_on(info, "LiveRestoreEnabled") {
        return RESTORE.ok("on");
    }
    RESTORE.notice("off", "\"live-restore\": true in daemon.json")
}

fn options(info: &Value) -> Vec<&str> {
    let list = info.get("SecurityOptions").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).collect()
}

fn remap(subject: &Subject, info: &Value) -> Finding {
    let has = |name: &str| options(info).iter().any(|option| option.split(',').any(|word| word == name));
    if has("name=rootless") {
        return REMAP.warning(
            "rootless",
            "give the gateway an engine that is root's own: homes belong to nobody here",
        );
    }
    let root = text(info, "DockerRootDir");
    let wanted = subject.policy.as_ref().ok().map(|policy| policy.gateway());
    let userns = wanted.map(Gateway::userns);
    let user = wanted.map_or(layout::ENGINE_USER, Gateway::remap_user);
    let todo =
        format!("\"userns-remap\": \"{user}\" in daemon.json; containers and images are made anew then");
    match (has("name=userns"), userns) {
        (true, Some(Userns::Host)) => REMAP.warning(
            format!("the engine has it ({root}), the policy has userns = \"host\": nothing is started"),
            "take userns = \"host\" out of the policy",
        ),
        (true, _) => REMAP.ok(format!("containers have a user namespace of their own ({root})")),
        (false, Some(Userns::Remap)) => {
            REMAP.warning("the engine has it not, the policy wants it: nothing is started", todo)
        }
        (false, _) => REMAP.warning("root in a container is root on the host: one wall less", todo),
    }
}

fn seccomp(info: &Value) -> Finding {
    match options(info).into_iter().find(|option| option.starts_with("name=seccomp")) {
        None => SECCOMP.warning(
            "the engine has none",
            "a kernel with CONFIG_SECCOMP_FILTER and an engine built with it",
        ),
        Some(option) if option.contains("unconfined") => {
            SECCOMP.warning(option, "take \"seccomp-profile\" out of daemon.json")
        }
        Some(option) => SECCOMP.ok(option),
    }
}

fn graph(subject: &Subject, info: &Value) -> Finding {
    let root = text(info, "DockerRootDir");
    if root.is_empty() {
        return GRAPH
            .notice("the engine does not say where it lies", "docker info --format '{{.DockerRootDir}}'");
    }
    let host = &subject.host;
    let root = &host.resolved(Path::new(root));
    let layers = root.join(text(info, "Driver"));
    let mode =
        |path: &Path| host.look(path).map_or("missing".to_owned(), |look| format!("{:04o}", look.mode));
    let seen = format!("{} has mode {}, its layers {}", root.display(), mode(root), mode(&layers));
    let todo = format!("chmod 0710 {}, and an engine of 20.10.9 or later", root.display());
    if host.look(root).is_none() {
        GRAPH.notice(
            format!("{} cannot be seen from here", root.display()),
            "run the doctor where the engine runs, not in a container or another mount namespace",
        )
    } else if host.is_open_to_all(&layers) {
        GRAPH.danger(seen, todo)
    } else if host.is_open_to_all(root) {
        GRAPH.warning(seen, todo)
    } else {
        GRAPH.ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::{self, *};
    use serde_json::json;

    /// What each check says of an answer that is well but for one field.
    #[track_caller]
    fn says(key: &str, value: serde_json::Value, check: &str, expected: Severity) {
        let fake = Fake::new();
        let mut info = json!({
            "DefaultRuntime": "runc", "Runtimes": {"runc": {"path": "runc"}}, "MemoryLimit": true, "PidsLimit": true,
            "CpuCfsQuota": true, "SwapLimit": true, "CgroupVersion": "2", "LiveRestoreEnabled": true,
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default", "name=userns"],
            "RuncCommit": {"ID": "v1.1.14-0-g2c9f560+ie-runc"},
        });
        fake.info(info.clone());
        assert_eq!(fake.found(check).0, Ok, "{check} where all is well");
        info[key] = value;
        fake.info(info);
        assert_eq!(fake.found(check).0, expected, "{check} where {key} is not");
    }

    #[test]
    fn each_field_is_minded() {
        says("DefaultRuntime", json!("nvidia"), "default-runtime", Warning);
        says("RuncCommit", json!({"ID": "v1.1.14-0-g2c9f560"}), "ie-runc", Warning);
        says("RuncCommit", json!(null), "ie-runc", Warning);
        says("DefaultRuntime", json!(""), "default-runtime", Notice);
        says("Runtimes", json!({"nvidia": {}}), "default-runtime", Warning);
        for path in ["nvidia-container-runtime", "/usr/sbin/runc", ""] {
            says("Runtimes", json!({"runc": {"path": "runc"}, "x": {"path": path}}), "runtimes", Warning);
        }
        says("Runtimes", json!({"runc": {"path": "/usr/sbin/runc"}}), "runtimes", Warning);
        says("MemoryLimit", json!(false), "limits", Warning);
        says("PidsLimit", json!(false), "limits", Warning);
        says("CpuCfsQuota", json!(null), "limits", Warning);
        says("SwapLimit", json!(false), "swap-limit", Notice);
        says("CgroupVersion", json!("1"), "cgroup-version", Notice);
        says("LiveRestoreEnabled", json!(false), "live-restore", Notice);
        says("SecurityOptions", json!(["name=seccomp"]), "userns-remap", Warning);
        says("SecurityOptions", json!(["name=rootless"]), "userns-remap", Warning);
        says("SecurityOptions", json!(["name=apparmor"]), "seccomp", Warning);
        says("SecurityOptions", json!(["name=seccomp,profile=unconfined"]), "seccomp", Warning);
    }

    #[test]
    fn engine_and_policy_say_the_same_of_user_namespaces() {
        let fake = Fake::new();
        let found = |engines: &str, policys: &str| {
            fake.info(json!({"SecurityOptions": [engines]}));
            fake.policy(&format!("[gateway]\nuids = '1000-2000'\nuserns = '{policys}'\n"));
            fake.found("userns-remap")
        };
        assert_eq!(found("name=userns", "remap").0, Ok);
        let (severity, seen) = found("name=seccomp", "host");
        assert!(severity == Warning && seen.contains("one wall less"), "{seen}");
        for (engines, policys) in [("name=userns", "host"), ("name=seccomp", "remap")] {
            let (severity, seen) = found(engines, policys);
            assert!(severity == Warning && seen.contains("nothing is started"), "{seen}");
        }
    }

    #[test]
    fn the_graph_root_is_closed_to_others() {
        let fake = Fake::new();
        fake.info(json!({"DockerRootDir": "/var/lib/docker", "Driver": "overlay2"}));
        assert_eq!(fake.found("graph-root").0, Notice);
        fake.dir("/var/lib/docker", 0o710);
        fake.dir("/var/lib/docker/overlay2", 0o711);
        assert_eq!(fake.found("graph-root").0, Ok);
        fake.mode("/var/lib/docker", 0o711);
        assert_eq!(fake.found("graph-root").0, Danger);
        fake.mode("/var/lib/docker/overlay2", 0o710);
        assert_eq!(fake.found("graph-root").0, Warning);
        // A directory above it does as well.
        fake.mode("/var/lib", 0o700);
        assert_eq!(fake.found("graph-root").0, Ok);
    }

    #[test]
    fn a_graph_root_behind_a_link_is_looked_at_itself() {
        let fake = Fake::new();
        fake.info(json!({"DockerRootDir": "/var/lib/docker", "Driver": "overlay2"}));
        fake.link("/var/lib/docker", "/data/docker");
        fake.dir("/data/docker", 0o710);
        fake.dir("/data/docker/overlay2", 0o710);
        assert_eq!(fake.found("graph-root").0, Ok);
        fake.mode("/data/docker", 0o755);
        assert_eq!(fake.found("graph-root").0, Warning);
    }

    #[test]
    fn an_engine_that_is_down_is_one_finding() {
        let fake = Fake::new();
        fake.info(json!({}));
        assert_eq!(fake.found("engine").0, Ok);
        fake.engine_is_down();
        assert_eq!(fake.found("engine").0, Warning);
        assert!(fake.all("limits").is_empty());
    }
}
