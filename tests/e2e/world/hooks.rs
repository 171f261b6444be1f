//! Stand-ins for the programs that a machine with GPUs has: they write down what they are asked for.

use super::World;
use super::programs::owned_dir;
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What NVIDIA's hook would read: the container's own environment, out of the bundle that runc names on stdin.
const NVIDIA: &str = r#"#!/bin/sh
bundle=$(sed 's/.*"bundle":"\([^"]*\)".*/\1/')
id=$(basename "$bundle")
seen=$(grep -o '"NVIDIA_VISIBLE_DEVICES=[^"]*"' "$bundle/config.json" | tr '\n' ' ')
echo "$1 $id $seen" >>LIB/log/nvidia-hook
while [ -e LIB/hooks/hangs ]; do sleep 0.1; done
"#;

/// The admin's program, which runs as the gateway's user.
const NOTICE: &str = "#!/bin/sh\necho \"$@\" >>LIB/log/gpu-notices\n";

pub(super) fn make(lib: &Path) -> Result<(), String> {
    let dir = lib.join("hooks");
    owned_dir(&dir, 0, 0o755)?;
    for (name, text) in [("nvidia-container-runtime-hook", NVIDIA), ("notice", NOTICE)] {
        let path = dir.join(name);
        fs::write(&path, text.replace("LIB", &lib.display().to_string())).map_err(|e| e.to_string())?;
        fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
    }
    let notices = lib.join("log/gpu-notices");
    fs::write(&notices, "").map_err(|e| e.to_string())?;
    fs::set_permissions(&notices, Permissions::from_mode(0o666)).map_err(|e| e.to_string())
}

/// The cards of the tests' policy as a CDI specification; the device nodes are harmless ones under other names.
pub(super) fn specifications(lib: &Path) -> Result<PathBuf, String> {
    let dir = lib.join("cdi");
    owned_dir(&dir, 0, 0o755)?;
    let devices: Vec<_> = (0..4)
        .map(|card| {
            let edits = json!({
                "deviceNodes": [{"path": format!("/dev/e2e{card}"), "hostPath": "/dev/zero"}],
                "env": [format!("E2E_CARD_{card}=here")],
            });
            json!({"name": format!("GPU-e2e-{card}"), "containerEdits": edits})
        })
        .collect();
    let specification = json!({"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": devices});
    fs::write(dir.join("nvidia.json"), specification.to_string()).map_err(|e| e.to_string())?;
    Ok(dir)
}

/// A hook that hangs.
pub(crate) struct Hanging(PathBuf);

impl Drop for Hanging {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

impl World {
    /// What the stand-in for NVIDIA's hook was asked for this container: nothing if it was not called.
    pub(crate) fn hook_asked(&self, container: &str) -> Vec<String> {
        let id = self.inspect(container, "{{.Id}}");
        self.hook_log().lines().filter(|line| line.contains(&id)).map(str::to_owned).collect()
    }

    /// How often it was asked for the container with this id, which need not have started yet.
    pub(crate) fn hook_was_asked_of(&self, id: &str) -> usize {
        self.hook_log().lines().filter(|line| line.contains(id)).count()
    }

    fn hook_log(&self) -> String {
        fs::read_to_string(self.slot.lib().join("log/nvidia-hook")).unwrap_or_default()
    }

    /// Until the answer is dropped, the engine never comes to the end of a start of a container with GPUs.
    pub(crate) fn hanging_hook(&self) -> Hanging {
        let note = self.slot.lib().join("hooks/hangs");
        fs::write(&note, "").unwrap();
        Hanging(note)
    }

    /// Takes the gateway's record of leases away.
    pub(crate) fn forget_leases(&self) {
        fs::remove_dir_all(self.state_dir().join("leases")).unwrap();
    }

    /// What the admin's program was told.
    pub(crate) fn notices(&self) -> String {
        fs::read_to_string(self.slot.lib().join("log/gpu-notices")).unwrap()
    }
}
