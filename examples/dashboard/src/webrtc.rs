//! The other way of a camera's pictures: its film over WebRTC, one session a viewer, opened by one offer (as WHEP does it).

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use gst::glib;
use gst::prelude::*;
use gst_sdp::SDPMessage;
use gst_webrtc::{
    WebRTCICEGatheringState, WebRTCPeerConnectionState as State, WebRTCRTPTransceiver, WebRTCRTPTransceiverDirection,
    WebRTCSDPType, WebRTCSessionDescription,
};
use tokio::sync::{oneshot, watch};

use crate::Result;
use crate::api::{Cameras, Named, Refusal, blocking};
use crate::camera::{Camera, lock};
use crate::clip::Film;
use crate::offer;
use crate::source::{make, wiring};

/// Sessions at once, of all cameras.
const MOST: usize = 32;
/// An answer is made within this, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who has not connected by then will not, and who is gone for so long does not come back.
const CONNECTING: Duration = Duration::from_secs(20);
const AWAY: Duration = Duration::from_secs(10);
/// Sent or received, a picture waits for no more than these.
const BUFFERS: u64 = 30;

pub fn router() -> axum::Router<Cameras> {
    axum::Router::new()
        .route("/whep", post(open))
        .route("/whep/{session}", delete(close))
        .layer(Extension(Arc::new(Sessions::default())))
}

/// Those that are open, by their names.
#[derive(Default)]
struct Sessions {
    open: Mutex<HashMap<String, Session>>,
    /// Those, and those that are being opened.
    places: AtomicUsize,
}

/// A place among the sessions, until it is dropped.
struct Seat(Arc<Sessions>);

impl Sessions {
    fn seat(self: &Arc<Self>) -> Option<Seat> {
        let more = |taken: usize| (taken < MOST).then_some(taken + 1);
        self.places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Seat(self.clone()))
    }

    /// Ends a session, and says whether there was one.
    async fn end(&self, name: &str) -> std::result::Result<bool, Refusal> {
        let session = lock(&self.open).remove(name);
        let was = session.is_some();
        // To stop a pipeline may take a while.
        blocking(move || drop(session)).await?;
        Ok(was)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.places.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn open(
    Named(camera): Named,
    Extension(sessions): Extension<Arc<Sessions>>,
    headers: HeaderMap,
    body: std::result::Result<Bytes, BytesRejection>,
) -> std::result::Result<Response, Refusal> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/sdp") {
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "an offer is of the type application/sdp".into()));
    }
    let body = body.map_err(|error| Refusal(error.status(), error.body_text()))?;
    let (offer, payload) = offer::read(&body).map_err(|why| Refusal(StatusCode::BAD_REQUEST, why))?;
    let later = |why: &str| Refusal(StatusCode::SERVICE_UNAVAILABLE, why.into());
    if !camera.is_playing() {
        return Err(later("the camera gives no picture just now"));
    }
    let seat = sessions.seat().ok_or_else(|| later("there are too many WebRTC viewers; end one, or take JPEG"))?;
    let broken = |why| Refusal(StatusCode::INTERNAL_SERVER_ERROR, why);
    let session = blocking(move || Session::new(&camera, payload, seat)).await?.map_err(broken)?;
    let answered = tokio::time::timeout(PATIENCE, session.answer(offer)).await;
    let answer = match answered.unwrap_or_else(|_| Err("no answer to the offer could be made in time".into())) {
        Ok(answer) => answer,
        Err(why) => {
            blocking(move || drop(session)).await?;
            return Err(broken(why));
        }
    };
    let name = glib::uuid_string_random().to_string();
    let states = session.states.subscribe();
    lock(&sessions.open).insert(name.clone(), session);
    let place = format!("whep/{name}");
    tokio::spawn(async move {
        over(states).await;
        // Where it was ended otherwise there is none.
        let _ = sessions.end(&name).await;
    });
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, "application/sdp"), (LOCATION, place.as_str())], answer).into_response())
}

async fn close(
    Named(_): Named,
    Extension(sessions): Extension<Arc<Sessions>>,
    Path(path): Path<HashMap<String, String>>,
) -> std::result::Result<StatusCode, Refusal> {
    let name = path.get("session").map_or("", String::as_str);
    if sessions.end(name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal(StatusCode::NOT_FOUND, format!("there is no session {name:?}")))
    }
}

/// Returns when a viewer has not come, or has gone.
async fn over(mut states: watch::Receiver<State>) {
    let ended = |state: &State| matches!(state, State::Failed | State::Closed);
    let mut limit = CONNECTING;
    loop {
        let settled = states.wait_for(|state| *state == State::Connected || ended(state));
        match tokio::time::timeout(limit, settled).await {
            Ok(Ok(state)) if *state == State::Connected => {}
            _ => return,
        }
        if states.wait_for(|state| *state == State::Disconnected || ended(state)).await.is_err() {
            return;
        }
        limit = AWAY;
    }
}

/// One viewer: a pipeline of its own, so that nothing that happens to it touches the camera's.
struct Session {
    pipeline: gst::Pipeline,
    webrtc: gst::Element,
    source: gst_app::AppSrc,
    film: Arc<Film>,
    states: watch::Sender<State>,
    _seat: Seat,
}

impl Session {
    fn new(camera: &Camera, payload: u8, seat: Seat) -> Result<Session> {
        let pipeline = gst::Pipeline::new();
        let source = gst_app::AppSrc::builder()
            .format(gst::Format::Time)
            .is_live(true)
            .do_timestamp(true)
            .max_buffers(BUFFERS)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        let (pay, webrtc) = (make("rtph264pay")?, make("webrtcbin")?);
        pay.set_property("pt", u32::from(payload));
        pay.set_property("config-interval", -1i32);
        pay.set_property_from_str("aggregate-mode", "zero-latency");
        webrtc.set_property_from_str("bundle-policy", "max-bundle");
        pipeline.add_many([source.upcast_ref(), &pay, &webrtc]).map_err(wiring)?;
        source.link(&pay).map_err(wiring)?;
        let caps = gst::Caps::builder("application/x-rtp")
            .field("media", "video")
            .field("encoding-name", "H264")
            .field("clock-rate", 90_000)
            .field("payload", i32::from(payload))
            .build();
        pay.link_pads_filtered(Some("src"), &webrtc, Some("sink_%u"), &caps).map_err(wiring)?;
        for pad in webrtc.sink_pads() {
            let transceiver = pad.property::<Option<WebRTCRTPTransceiver>>("transceiver");
            transceiver.ok_or("webrtcbin has no transceiver")?.set_direction(WebRTCRTPTransceiverDirection::Sendonly);
        }
        let states = watch::Sender::new(State::New);
        let told = states.clone();
        webrtc.connect_notify(Some("connection-state"), move |webrtc, _| {
            told.send_replace(webrtc.property("connection-state"));
        });
        let told = states.clone();
        pipeline.bus().ok_or("a pipeline without a bus")?.set_sync_handler(move |_, message| {
            if let gst::MessageView::Error(_) = message.view() {
                told.send_replace(State::Failed);
            }
            gst::BusSyncReply::Drop
        });
        let session = Session { pipeline, webrtc, source, film: camera.film.clone(), states, _seat: seat };
        session.hear_of_losses()?;
        session.pipeline.set_state(gst::State::Playing).map_err(|error| format!("WebRTC does not start: {error}"))?;
        Ok(session)
    }

    /// A viewer that has lost too much asks for a key frame.
    fn hear_of_losses(&self) -> Result<()> {
        let film = Arc::downgrade(&self.film);
        let pad = self.source.static_pad("src").ok_or("an element without a source pad")?;
        pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, probe| {
            if let Some(gst::PadProbeData::Event(event)) = &probe.data
                && gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok()
                && let Some(film) = film.upgrade()
            {
                film.key_frame();
            }
            gst::PadProbeReturn::Ok
        });
        Ok(())
    }

    /// Takes an offer, and gives an answer with all of this side's addresses in it. The film begins.
    async fn answer(&self, offer: SDPMessage) -> Result<String> {
        let offer = WebRTCSessionDescription::new(WebRTCSDPType::Offer, offer);
        self.ask("set-remote-description", &offer).await?;
        let answer = self.ask("create-answer", &None::<gst::Structure>).await?;
        let answer = answer.and_then(|answer| answer.get::<WebRTCSessionDescription>("answer").ok());
        let answer = answer.ok_or("no answer to the offer could be made")?;
        if !answer.sdp().medias().any(|media| media.media() == Some("video") && media.port() != 0) {
            return Err("nothing in the offer fits H.264 video".into());
        }
        let (done, mut gathered) = watch::channel(false);
        self.webrtc.connect_notify(Some("ice-gathering-state"), move |webrtc, _| {
            done.send_replace(
                webrtc.property::<WebRTCICEGatheringState>("ice-gathering-state") == WebRTCICEGatheringState::Complete,
            );
        });
        self.ask("set-local-description", &answer).await?;
        gathered.wait_for(|done| *done).await.map_err(|_| "no address was found to send from")?;
        let local = self.webrtc.property::<Option<WebRTCSessionDescription>>("local-description");
        let text = local.and_then(|local| local.sdp().as_text().ok()).ok_or("the answer cannot be written")?;
        self.film.show(self.source.clone());
        self.film.key_frame();
        Ok(text)
    }

    /// Emits a signal that takes a promise; its reply is to be waited for.
    fn ask(
        &self,
        signal: &'static str,
        argument: &dyn ToValue,
    ) -> impl Future<Output = Result<Option<gst::Structure>>> + use<> {
        let (reply, replied) = oneshot::channel();
        let promise = gst::Promise::with_change_func(move |answer| {
            // Nobody waits where it took too long.
            let _ = reply.send(answer.map(|answer| answer.map(ToOwned::to_owned)));
        });
        self.webrtc.emit_by_name_with_values(signal, &[argument.to_value(), promise.to_value()]);
        async move {
            let answer = replied.await.map_err(|_| "WebRTC ended")?.map_err(|_| format!("{signal} was given up"))?;
            match answer.as_ref().and_then(|answer| answer.get::<glib::Error>("error").ok()) {
                Some(error) => Err(format!("the offer cannot be answered: {error}")),
                None => Ok(answer),
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.film.hide(&self.source);
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
