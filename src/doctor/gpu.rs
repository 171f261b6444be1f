//! NVIDIA's devices and toolkit.

use super::Subject;
use super::finding::{Check, Finding};
use super::host::Host;
use super::look::Found;

pub(super) const DEVICES: Check =
    Check::new("gpu-devices", "a shell on the host uses a card that everybody may open without any lease");
const TOOLKIT: Check = Check::new(
    "gpu-environment",
    "by default NVIDIA's runtime gives its containers every card that an image's environment names",
);

/// The toolkit's configuration.
const CONFIG: &str = "/etc/nvidia-container-runtime/config.toml";
const KEY: &str = "accept-nvidia-visible-devices-envvar-when-unprivileged";

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    found.push(devices(&subject.host));
    found.push(toolkit(subject));
}

fn devices(host: &Host) -> Finding {
    let nodes: Vec<String> = host
        .names("/dev")
        .into_iter()
        .filter(|name| name.starts_with("nvidia"))
        .map(|n| format!("/dev/{n}"))
        .collect();
    let open: Vec<&String> = nodes
        .iter()
        // nvidia-caps is a directory of nodes with modes of their own.
        .filter(|node| host.look(node).is_some_and(|look| !look.is_link && look.mode & 0o006 == 0o006))
        .collect();
    match (nodes.is_empty(), open.is_empty()) {
        (true, _) => DEVICES.ok("there are none"),
        (_, true) => DEVICES.ok("not everybody may open them"),
        _ => DEVICES.warning(
            format!(
                "everybody may open {}",
                open.iter().map(|node| node.as_str()).collect::<Vec<_>>().join(", ")
            ),
            "options nvidia NVreg_DeviceFileMode=0660 NVreg_DeviceFileGID=GID in /etc/modprobe.d, where people log in",
        ),
    }
}

/// Whether the toolkit believes an image's word.
fn toolkit(subject: &Subject) -> Finding {
    let Some(text) = subject.host.text(CONFIG) else {
        return TOOLKIT.ok(format!("{CONFIG} is not there"));
    };
    let value = text.lines().filter_map(|line| line.split_once('='));
    let value = value.filter(|(key, _)| key.trim() == KEY).map(|(_, value)| value.trim()).next_back();
    if value.is_some_and(|value| value.starts_with("false")) {
        return TOOLKIT.ok(format!("{KEY} = false"));
    }
    let seen = format!("{KEY} is not false in {CONFIG}");
    let todo = format!("nvidia-ctk config --in-place --set {KEY}=false");
    let info = subject.engine.info.as_ref().ok();
    let default = info.and_then(|info| info.get("DefaultRuntime")).and_then(|name| name.as_str());
    if default == Some("nvidia") { TOOLKIT.warning(seen, todo) } else { TOOLKIT.notice(seen, todo) }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;
    use super::{CONFIG, KEY};
    use serde_json::json;

    #[test]
    fn cards_that_everybody_may_open_are_named() {
        let fake = Fake::new();
        assert_eq!(fake.found("gpu-devices"), (Ok, "there are none".to_owned()));
        fake.file("/dev/nvidia0", "");
        fake.file("/dev/nvidiactl", "");
        fake.dir("/dev/nvidia-caps", 0o755);
        fake.mode("/dev/nvidia0", 0o660);
        fake.mode("/dev/nvidiactl", 0o660);
        assert_eq!(fake.found("gpu-devices").0, Ok);
        fake.mode("/dev/nvidia0", 0o666);
        assert_eq!(fake.found("gpu-devices"), (Warning, "everybody may open /dev/nvidia0".to_owned()));
    }

    #[test]
    fn an_images_word_is_not_to_be_believed() {
        let fake = Fake::new();
        assert_eq!(fake.found("gpu-environment").0, Ok);
        fake.file(CONFIG, &format!("#{KEY} = false\n"));
        assert_eq!(fake.found("gpu-environment").0, Notice);
        fake.info(json!({"DefaultRuntime": "nvidia"}));
        assert_eq!(fake.found("gpu-environment").0, Warning);
        fake.file(CONFIG, &format!("disable-require = false\n{KEY} = false\n"));
        assert_eq!(fake.found("gpu-environment").0, Ok);
    }
}
