//! Exec instances: made, started, asked for.

use super::orders::Order;
use super::wire::Of;
use super::{Engine, EngineError, ExecId, Owned, Raw, Reader, read};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::net::UnixStream;

impl Engine {
    /// Makes an exec instance of a body that [`super::exec_body`] wrote.
    pub(in crate::gateway) async fn exec_create(
        &self,
        container: &Owned,
        body: &Value,
    ) -> Result<ExecId, EngineError> {
        #[derive(Deserialize)]
        struct Made {
            #[serde(rename = "Id")]
            id: String,
        }
        let target = container.target("/exec");
        let made: Made = read(self.call_with(Method::POST, target, body).await?).await?;
        ExecId::parse(&made.id).ok_or_else(|| EngineError::Odd(format!("exec id {:?}", made.id)))
    }

    /// Starts an exec instance that nobody is attached to.
    pub(in crate::gateway) async fn exec_detached(
        &self,
        uid: u32,
        exec: &ExecId,
        tty: bool,
    ) -> Result<(), EngineError> {
        let body = serde_json::json!({ "Detach": true, "Tty": tty });
        self.call_with(Method::POST, exec.target("/start").of(uid), &body).await.map(drop)
    }

    /// Starts an exec instance with its streams on the raw connection.
    pub(in crate::gateway) async fn exec_attached(
        &self,
        container: &Owned,
        exec: &ExecId,
        tty: bool,
    ) -> Result<Raw, EngineError> {
        let body = serde_json::json!({ "Detach": false, "Tty": tty });
        let (uid, id) = (container.found().owner(), container.id());
        let target = exec.target("/start").of(uid);
        let raw = self.wire.hijack(&self.prefix().await?, target, Some(&body), Some(uid)).await?;
        Ok(raw.read_by(&self.readers, id))
    }

    /// The same for a helper of ours, which ends when its streams do: the socket, and what has come of it already.
    pub(in crate::gateway) async fn exec_helper(
        &self,
        container: &Owned,
        exec: &ExecId,
    ) -> Result<(UnixStream, Bytes, Arc<Reader>), EngineError> {
        let body = serde_json::json!({ "Detach": false, "Tty": false });
        let target = exec.target("/start").of(container.found().owner());
        let raw = self.wire.hijack(&self.prefix().await?, target, Some(&body), None).await?;
        let (socket, first) = raw.for_the_gateway()?;
        let odd = |error: std::io::Error| EngineError::Odd(error.to_string());
        let reader = self.readers.add(container.id(), socket.as_fd().try_clone_to_owned().map_err(odd)?);
        Ok((socket, first, reader))
    }

    /// Tells it the size of its terminal.
    pub(in crate::gateway) async fn exec_resize(
        &self,
        uid: u32,
        exec: &ExecId,
        lines_and_columns: (u16, u16),
    ) -> Result<StatusCode, EngineError> {
        self.order(Some(Of::Asked(uid)), Order::ResizeExec(exec, lines_and_columns)).await
    }

    pub(in crate::gateway) async fn exec_inspect(
        &self,
        uid: u32,
        exec: &ExecId,
    ) -> Result<Value, EngineError> {
        self.get(exec.target("/json").of(uid)).await
    }
}
