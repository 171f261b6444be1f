//! Whether a container runs: the engine's books say, and its lists a moment later.

use super::{Engine, EngineError, Owned, Target, read};
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::Value;
use std::time::Duration;

/// The engine writes a container's state to its disk before its list changes.
const BEHIND: Duration = Duration::from_secs(2);

/// Engines remove what a container wrote in this time, also where their disk is busy.
const REMOVAL: Duration = Duration::from_secs(60);

impl Engine {
    /// Whether it runs, as the engine's own books say: its lists may be some milliseconds behind.
    pub(in crate::gateway) async fn runs(&self, container: &Owned) -> Result<bool, EngineError> {
        self.says_that_it_runs(container.target("/json")).await
    }

    /// The same, asked to the end under the container's lock.
    pub(in crate::gateway) async fn locked_runs(&self, container: &Owned) -> Result<bool, EngineError> {
        self.says_that_it_runs(container.target("/json").of_nobody()).await
    }

    async fn says_that_it_runs(&self, target: Target) -> Result<bool, EngineError> {
        let details = self.get(target).await?;
        Ok(details.pointer("/State/Running").and_then(Value::as_bool) != Some(false))
    }

    /// Waits until the engine's list says what it has answered: that this has ended. Whoever stops one and starts
    /// another would be told that both run.
    ///
    /// Not for long: started again meanwhile, it runs rightly. And it has ended, whatever comes of this.
    pub(in crate::gateway) async fn until_listed_as_ended(&self, container: &Owned) {
        let _behind = tokio::time::timeout(BEHIND, async {
            while self.is_listed_as_running(container).await.unwrap_or(false) {
                tokio::time::sleep(BEHIND / 100).await;
            }
        })
        .await;
    }

    /// Waits until the engine has removed one that goes when it ends: whoever stops it may want its name for another.
    ///
    /// Not for long: one that the engine fails to remove is left to the sweep.
    pub(in crate::gateway) async fn until_removed(&self, container: &Owned) {
        let _slow = tokio::time::timeout(REMOVAL, async {
            let target = container.target("/wait").of_nobody().with("condition", "removed");
            if let Ok(answer) = self.call(Method::POST, target).await {
                let _told = answer.into_body().collect().await;
            }
        })
        .await;
    }

    async fn is_listed_as_running(&self, container: &Owned) -> Result<bool, EngineError> {
        let filters = serde_json::json!({ "id": [container.id().as_str()] }).to_string();
        // Without `all` a list is of what runs.
        let target = Target::new("/containers/json").with("filters", &filters);
        let running: Vec<serde::de::IgnoredAny> = read(self.call(Method::GET, target).await?).await?;
        Ok(!running.is_empty())
    }
}
