//! Pictures to one viewer: each time the newest, so that a slow one misses some and nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};

use crate::camera::Camera;

/// A viewer that takes no picture for so long is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends until either side has enough.
pub async fn run(mut socket: WebSocket, camera: Arc<Camera>, width: Option<i32>) {
    let mut shots = camera.outlet(width).watch(camera.is_playing());
    loop {
        let shot = tokio::select! {
            changed = shots.changed() => match changed {
                Ok(()) => shots.borrow_and_update().clone(),
                Err(_) => return,
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // What a viewer says is not listened to.
                Some(Ok(_)) => continue,
            },
        };
        let Some(shot) = shot else { continue };
        let sent = socket.send(Message::Binary(axum::body::Bytes::from_owner(Shared(shot))));
        if !matches!(tokio::time::timeout(PATIENCE, sent).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// One picture for all viewers, not one each.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
