//! Whether the kernel's own access control stands around containers.

use super::Subject;
use super::finding::{Check, Finding};
use super::host::Host;
use super::look::Found;
use serde_json::Value;

pub(super) const APPARMOR: Check = Check::new(
    "apparmor",
    "a profile keeps a container from /proc, /sys and mounts also where a hole of the kernel's or of runc's is open",
);

/// What loads a profile into the kernel: an engine without it gives none, or starts nothing.
const PARSERS: [&str; 2] = ["/sbin/apparmor_parser", "/usr/sbin/apparmor_parser"];

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let Ok(info) = &subject.engine.info else { return };
    found.push(confined(&subject.host, info));
}

fn confined(host: &Host, info: &Value) -> Finding {
    let options = info.get("SecurityOptions").and_then(Value::as_array).into_iter().flatten();
    let options: Vec<&str> = options.filter_map(Value::as_str).collect();
    let has = |name: &str| options.iter().any(|option| option.split(',').any(|word| word == name));
    let kernels = host.text("/sys/module/apparmor/parameters/enabled").is_some_and(|word| word.trim() == "Y");
    let parser = PARSERS.iter().any(|path| host.look(path).is_some());
    let install = "apt install apparmor, then restart the engine";
    match (has("name=apparmor"), kernels) {
        (true, _) if !parser => APPARMOR.warning(
            "the engine wants to confine containers, and apparmor_parser is missing: it may start none",
            install,
        ),
        (true, _) => APPARMOR.ok("the engine confines containers with AppArmor"),
        (false, _) if has("name=selinux") => APPARMOR.ok("the engine confines containers with SELinux"),
        (false, true) if !parser => APPARMOR.warning(
            "the kernel has AppArmor, the engine's containers run unconfined: apparmor_parser is missing",
            install,
        ),
        (false, true) => APPARMOR.warning(
            "the kernel has AppArmor, the engine's containers run unconfined",
            "restart the engine: it looks for AppArmor when it starts; docker info shows name=apparmor then",
        ),
        (false, false) => APPARMOR.notice(
            "the kernel has no AppArmor",
            "apparmor=1 security=apparmor on the kernel's command line, where the kernel was built with it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;
    use serde_json::json;

    #[test]
    fn an_engine_that_does_not_use_the_kernels_is_told() {
        let fake = Fake::new();
        let with = |options: &[&str]| {
            fake.info(json!({ "SecurityOptions": options }));
            fake.found("apparmor")
        };
        let none = with(&["name=seccomp,profile=builtin"]);
        assert_eq!(none, (Notice, "the kernel has no AppArmor".to_owned()));
        assert_eq!(with(&["name=selinux"]).0, Ok);
        fake.file("/sys/module/apparmor/parameters/enabled", "Y\n");
        let (severity, seen) = with(&["name=seccomp,profile=builtin"]);
        assert!(severity == Warning && seen.contains("unconfined: apparmor_parser is missing"), "{seen}");
        let (severity, seen) = with(&["name=apparmor"]);
        assert!(severity == Warning && seen.contains("it may start none"), "{seen}");
        fake.file("/usr/sbin/apparmor_parser", "");
        let (severity, seen) = with(&["name=seccomp,profile=builtin"]);
        assert!(severity == Warning && seen.ends_with("unconfined"), "{seen}");
        assert_eq!(with(&["name=apparmor", "name=seccomp"]).0, Ok);
        fake.file("/sys/module/apparmor/parameters/enabled", "N\n");
        assert_eq!(with(&[]).0, Notice);
        fake.engine_is_down();
        assert!(fake.all("apparmor").is_empty());
    }
}
