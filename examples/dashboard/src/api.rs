//! What is answered: the wire of `docs/dashboard.md`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode, request};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::camera::Camera;
use crate::guard::{self, Guard};
use crate::{live, metrics, page, serve, settings};

/// What a viewer may say on its socket, which is nothing.
const SAID: usize = 4 << 10;
/// A picture comes within this, or not at all.
const PATIENCE: Duration = Duration::from_secs(5);
/// The page takes all from here.
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' ws: wss:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// An error as the wire says it.
pub struct Refusal(pub StatusCode, pub String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

type Answer<T> = Result<T, Refusal>;
pub type Cameras = Arc<[Arc<Camera>]>;

/// The camera that a path names.
pub struct Named(pub Arc<Camera>);

impl FromRequestParts<Cameras> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut request::Parts, cameras: &Cameras) -> Answer<Named> {
        let params = Path::<Vec<(String, String)>>::from_request_parts(parts, cameras).await.ok();
        let id = params
            .and_then(|params| params.0.into_iter().find(|(name, _)| name == "id"))
            .map(|(_, id)| id)
            .unwrap_or_default();
        let found = cameras.iter().find(|camera| camera.id.to_string() == id);
        found.cloned().map(Named).ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("there is no camera {id:?}")))
    }
}

pub fn router(cameras: Vec<Arc<Camera>>, guard: Guard) -> Router {
    let cameras: Cameras = cameras.into();
    let one = Router::new()
        .route("/", get(state).patch(change))
        .route("/timeline", get(timeline))
        .route("/snapshot", get(snapshot))
        .route("/clip", get(clip))
        .route("/live", get(pictures));
    #[cfg(feature = "webrtc")]
    let one = one.merge(crate::webrtc::router());
    Router::new()
        .route("/api/cameras", get(all))
        .route("/api/options", get(options))
        .route("/metrics", get(counts))
        .nest("/api/cameras/{id}", one)
        .fallback(get(page::file).fallback(not_so))
        .method_not_allowed_fallback(not_so)
        .layer(from_fn(serve::whole))
        .layer(from_fn_with_state(guard, guard::check))
        .layer(map_response(sealed))
        .with_state(cameras)
}

/// What every answer bears.
async fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn not_so() -> Refusal {
    Refusal(StatusCode::METHOD_NOT_ALLOWED, "it cannot be asked so".into())
}

async fn all(axum::extract::State(cameras): axum::extract::State<Cameras>) -> Json<Value> {
    Json(json!({ "cameras": cameras.iter().map(|camera| camera.to_json()).collect::<Vec<_>>() }))
}

async fn state(Named(camera): Named) -> Json<Value> {
    Json(camera.to_json())
}

async fn options(axum::extract::State(cameras): axum::extract::State<Cameras>) -> Json<Value> {
    Json(cameras.first().map_or(Value::Null, |camera| settings::options(&camera.painter)))
}

async fn counts(axum::extract::State(cameras): axum::extract::State<Cameras>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::text(&cameras))
}

async fn timeline(Named(camera): Named) -> Json<Value> {
    Json(camera.timeline())
}

async fn change(Named(camera): Named, body: Result<Json<Map<String, Value>>, JsonRejection>) -> Answer<Json<Value>> {
    let Json(wanted) = body.map_err(|error| Refusal(error.status(), format!("no settings: {}", error.body_text())))?;
    let changed = blocking(move || camera.change(&wanted).map(|()| camera.to_json())).await?;
    changed.map(Json).map_err(|why| Refusal(StatusCode::UNPROCESSABLE_ENTITY, why))
}

async fn snapshot(Named(camera): Named) -> Answer<Response> {
    let none = |why: String| Refusal(StatusCode::SERVICE_UNAVAILABLE, why);
    if !camera.is_playing() {
        return Err(none("the camera gives no picture just now".into()));
    }
    let mut shots = camera.outlet(None).watch(true);
    let come = tokio::time::timeout(PATIENCE, shots.changed()).await;
    let shot = come.ok().and_then(Result::ok).and_then(|()| shots.borrow_and_update().clone());
    let jpeg = shot.as_deref().and_then(|shot| {
        let length = u32::from_le_bytes(shot.first_chunk().copied()?) as usize;
        shot.get(4 + length..).filter(|jpeg| !jpeg.is_empty())
    });
    let jpeg = jpeg.ok_or_else(|| none("no picture came".into()))?;
    Ok(download(&camera, "image/jpeg", "jpg", jpeg.to_vec()))
}

#[derive(Deserialize)]
struct Clip {
    #[serde(default = "ten")]
    seconds: u32,
}

fn ten() -> u32 {
    10
}

async fn clip(Named(camera): Named, asked: Result<Query<Clip>, QueryRejection>) -> Answer<Response> {
    let seconds = asked.ok().map(|Query(clip)| clip.seconds).filter(|seconds| (1..=60).contains(seconds));
    let seconds = seconds.ok_or_else(|| Refusal(StatusCode::UNPROCESSABLE_ENTITY, "seconds may be 1 to 60".into()))?;
    let film = camera.film.clone();
    match blocking(move || film.clip(seconds)).await? {
        Ok(Some(clip)) => Ok(download(&camera, "video/mp4", "mp4", clip)),
        Ok(None) => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "nothing of this camera is kept".into())),
        Err(why) => Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, why)),
    }
}

fn download(camera: &Camera, kind: &str, extension: &str, data: Vec<u8>) -> Response {
    let place = format!("attachment; filename=\"camera-{}.{extension}\"", camera.id);
    ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, place.as_str())], data).into_response()
}

#[derive(Deserialize)]
struct Live {
    width: Option<i32>,
}

async fn pictures(
    Named(camera): Named,
    asked: Result<Query<Live>, QueryRejection>,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    let Query(Live { width }) = asked
        .ok()
        .filter(|asked| asked.width.is_none_or(|width| width > 0))
        .ok_or_else(|| Refusal(StatusCode::UNPROCESSABLE_ENTITY, "width is a number of pixels".into()))?;
    let socket = socket
        .map_err(|error| Refusal(error.status(), format!("live pictures come by WebSocket: {}", error.body_text())))?;
    let socket = socket.max_message_size(SAID).max_frame_size(SAID);
    Ok(socket.on_upgrade(move |socket| live::run(socket, camera, width)))
}

/// Runs what may take a while beside the answers to others.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    let broken = |_| Refusal(StatusCode::INTERNAL_SERVER_ERROR, "it broke; please report it".into());
    tokio::task::spawn_blocking(work).await.map_err(broken)
}
