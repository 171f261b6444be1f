//! What the engine tells of images.

use super::{Engine, EngineError, ImageId, Target, bounded_list, read};
use hyper::body::Incoming;
use hyper::{Method, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One step of an image's making. Typed: an image may say as many as it likes, and any value takes ten times as much.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::gateway) struct Step {
    id: Box<str>,
    created: i64,
    created_by: Box<str>,
    pub(in crate::gateway) tags: Option<Vec<String>>,
    size: i64,
    comment: Box<str>,
}

impl Engine {
    /// Every image the engine has, without what is long in them.
    pub(in crate::gateway) async fn images(&self, all: bool) -> Result<Vec<Value>, EngineError> {
        let target = Target::new("/images/json").with("all", if all { "1" } else { "0" });
        let bounded_list::Things::<false, Value>(images) =
            bounded_list::read_bounded(self.call(Method::GET, target).await?).await?;
        Ok(images)
    }

    /// Inspects an image by a reference the policy has allowed.
    pub(in crate::gateway) async fn image(&self, reference: &str) -> Result<Value, EngineError> {
        self.get(Target::new(format!("/images/{}/json", encode_reference(reference)))).await
    }

    /// What it was made by, step by step.
    pub(in crate::gateway) async fn history(&self, image: &ImageId) -> Result<Vec<Step>, EngineError> {
        let target = Target::new(format!("/images/{}/history", image.as_str()));
        read(self.call(Method::GET, target).await?).await
    }

    /// The digests of an image's layers, as its own record names them.
    pub(in crate::gateway) async fn layers(&self, image: &ImageId) -> Result<Vec<String>, EngineError> {
        let image = self.image(image.as_str()).await?;
        let layers = match image.pointer("/RootFS/Layers") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(layers) => layers.as_array(),
        };
        let digest = |layer: &Value| layer.as_str().map(str::to_owned);
        let layers = layers.and_then(|layers| layers.iter().map(digest).collect());
        layers.ok_or_else(|| EngineError::Odd("an image whose layers have no digests".to_owned()))
    }

    /// All of an image, as an archive of its layers and of words about them.
    pub(in crate::gateway) async fn saved(&self, image: &ImageId) -> Result<Response<Incoming>, EngineError> {
        self.call(Method::GET, Target::new(format!("/images/{}/get", image.as_str()))).await
    }
}

/// A reference for an engine's path: everything but unreserved characters, `/` and `:` is escaped.
fn encode_reference(reference: &str) -> String {
    let mut out = String::new();
    for byte in reference.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._/:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
