//! Pictures to one viewer: each time the newest, so that a slow one misses some and nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};

use crate::camera::Camera;

/// A viewer that does not take a picture within this is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// One that has no picture to take is asked so often whether it is there; `serve.rs` hears it if it is not.
const ASKED: Duration = Duration::from_secs(30);

/// Sends until either side has enough.
pub async fn run(mut socket: WebSocket, camera: Arc<Camera>, width: Option<i32>) {
    let mut shots = camera.outlet(width).watch(camera.is_playing());
    let mut asked = tokio::time::interval_at(tokio::time::Instant::now() + ASKED, ASKED);
    loop {
        let message = tokio::select! {
            changed = shots.changed() => match changed {
                Ok(()) => match shots.borrow_and_update().clone() {
                    Some(shot) => Message::Binary(Bytes::from_owner(Shared(shot))),
                    None => continue,
                },
                Err(_) => return,
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // What a viewer says is not listened to.
                Some(Ok(_)) => continue,
            },
            _ = asked.tick() => Message::Ping(Bytes::new()),
        };
        if !matches!(tokio::time::timeout(PATIENCE, socket.send(message)).await, Ok(Ok(()))) {
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
