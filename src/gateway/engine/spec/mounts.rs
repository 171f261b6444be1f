//! What is mounted in a container: stages, volumes, files of the gateway's, and memory.

use super::{Grant, whose};
use crate::protocol::layout;
use crate::protocol::stage::Access;
use serde_json::{Map, Value, json};
use std::path::Path;

impl Grant {
    /// `Mounts`, never `Binds`: a missing source must be an error, not a new directory of root's.
    pub(super) fn mounts(&self) -> Vec<Value> {
        let staged = self
            .staged
            .iter()
            .map(|staged| bind(staged.source(), staged.target(), staged.access() == Access::ReadOnly));
        let files = [
            (&self.files.passwd, "/etc/passwd"),
            (&self.files.group, "/etc/group"),
            (&self.files.copy_helper, layout::COPY_IN_CONTAINER),
            (&self.files.channel, layout::CHANNEL_IN_CONTAINER),
        ];
        // Nothing of the image is copied into a volume: the engine would do it as root, where another container of
        // its owner's may be putting links in its way.
        let volumes = self.volumes.iter().map(|volume| {
            json!({
                "Type": "volume",
                "Source": volume.engine_name.as_deref().unwrap_or_default(),
                "Target": volume.target,
                "ReadOnly": volume.access == Access::ReadOnly,
                "VolumeOptions": {
                    "NoCopy": true,
                    // The engine makes what is missing: it is somebody's then, too.
                    "Labels": volume.engine_name.as_ref().map(|_| whose(self.uid, &self.login)),
                },
            })
        });
        staged
            .chain(volumes)
            .chain(files.into_iter().map(|(source, target)| bind(source, Path::new(target), true)))
            .collect()
    }

    /// File systems in memory, by their places.
    pub(super) fn memory(&self) -> Map<String, Value> {
        let memory = self.allowance.memory().0;
        let tmpfs = self.settings.tmpfs.iter();
        tmpfs.map(|tmpfs| (tmpfs.target.clone(), json!(tmpfs.options(memory)))).collect()
    }
}

fn bind(source: &Path, target: &Path, read_only: bool) -> Value {
    json!({
        "Type": "bind",
        "Source": source,
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": { "Propagation": "rprivate" },
    })
}
