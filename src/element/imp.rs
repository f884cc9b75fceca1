//! The element's life: states, caps, events, and the way of a frame through it.

use std::sync::atomic::Ordering;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_video::subclass::prelude::*;
use ndarray::ArrayView2;

use super::frame::{Video, formats};
use super::heatmap::Heatmap;
use super::message;
use super::session::{Annotated, Session};
use super::settings::{GradCam, Settings};
use super::stats;
use super::tell::{Outcome, Tell};
use crate::error::{Error, Result};
use crate::explain::{Explainer, Options};
use crate::frame::Region;
use crate::worker::{Stopper, guard};

static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("gradcam", gst::DebugColorFlags::empty(), Some("Grad-CAM on live video")));

/// What a frame needs.
#[derive(Debug, Default)]
pub struct State {
    session: Option<Session>,
    video: Option<Video>,
    opened: Option<Opened>,
    tell: Tell,
}

/// Where the model runs: nowhere else so far.
const PROVIDER: &str = "cpu";

/// What the open model was opened from, to open it for frames of other proportions.
#[derive(Debug)]
struct Opened {
    settings: Settings,
    /// The model's input before any frame was known, (width, height).
    own: (usize, usize),
}

/// A poisoned lock still holds whole values here: nothing is left half changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[glib::object_subclass]
impl ObjectSubclass for GradCam {
    const NAME: &'static str = "GstGradCam";
    type Type = super::GradCam;
    type ParentType = gst_video::VideoFilter;
}

#[glib::derived_properties]
impl ObjectImpl for GradCam {
    fn constructed(&self) {
        self.parent_constructed();
        // GstVideoFilter drops late frames by default: a map may be late, a frame is never lost for it.
        self.obj().set_qos(false);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static ALL: LazyLock<Vec<glib::ParamSpec>> =
            LazyLock::new(|| GradCam::derived_properties().iter().cloned().chain([stats::property()]).collect());
        &ALL
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats.to_structure().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, value, pspec);
        if self.started.load(Ordering::SeqCst) && pspec.flags().contains(gst::PARAM_FLAG_MUTABLE_READY) {
            let name = pspec.name();
            let text = format!("{name} was set while running: it takes effect at the next start (state READY or NULL)");
            message::remark(&*self.obj(), &text);
        }
    }
}

impl GstObjectImpl for GradCam {}

impl ElementImpl for GradCam {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Grad-CAM overlay",
                "Filter/Effect/Analyzer/Video",
                "Shows where an ONNX image classifier looks: explains every frame (Grad-CAM) and paints the heat map over it",
                "The gradcam developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst_video::VideoCapsBuilder::new().format_list(formats()).build();
            let [sink, src] = [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                .map(|(name, direction)| gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps))
                .map(|template| template.expect("both are named once and have caps"));
            vec![sink, src, Heatmap::template()]
        });
        &TEMPLATES
    }

    fn request_new_pad(&self, template: &gst::PadTemplate, _: Option<&str>, _: Option<&gst::Caps>) -> Option<gst::Pad> {
        self.heatmap.request(&self.obj(), template)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        self.heatmap.release(&self.obj(), pad);
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::PausedToReady {
            self.cancel();
        }
        self.parent_change_state(transition)
    }
}

impl BaseTransformImpl for GradCam {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        let tell = Tell::new(&lock(&self.telling)).map_err(|error| message::failure(&error))?;
        let session = guard(|| self.open(&settings)).map_err(|error| message::failure(&error))?;
        self.stats.start();
        self.stats.runs_on(PROVIDER, None);
        *lock(&self.stopper) = Some(session.worker().stopper());
        let opened = Opened { settings, own: session.input_size() };
        *lock(&self.state) = State { session: Some(session), video: None, opened: Some(opened), tell };
        self.started.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.started.store(false, Ordering::SeqCst);
        self.cancel();
        *lock(&self.stopper) = None;
        let State { session, .. } = std::mem::take(&mut *lock(&self.state));
        self.heatmap.stop();
        if let Some(session) = session {
            gst::debug!(CAT, imp = self, "stopped; {} frames passed without a map", session.failures.total());
        }
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            // Comes beside the streaming thread, which may be waiting for a run.
            gst::EventView::FlushStart(_) => self.cancel(),
            gst::EventView::FlushStop(_) => {
                if let Some(stopper) = &*lock(&self.stopper) {
                    stopper.resume();
                }
                lock(&self.state).tell.flush();
            }
            _ => {}
        }
        let taken = self.parent_sink_event(event.clone());
        if taken {
            self.heatmap.event(&event);
        }
        taken
    }

    fn before_transform(&self, buffer: &gst::BufferRef) {
        let segment = self.obj().segment();
        let segment = segment.downcast_ref::<gst::ClockTime>();
        if let Some(time) = segment.and_then(|segment| segment.to_stream_time(buffer.pts()))
            && let Err(error) = self.obj().sync_values(time)
        {
            gst::debug!(CAT, imp = self, "controlled properties stay as they are: {error}");
        }
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.stats.frame_in();
        let (live, telling) = (lock(&self.settings).live(), lock(&self.telling).clone());
        let mut state = lock(&self.state);
        let State { session: Some(session), video: Some(video), tell, .. } = &mut *state else {
            return Err(gst::FlowError::NotNegotiated);
        };
        for error in session.retarget(&live) {
            message::warn(&*self.obj(), &error, "the class explained so far stays");
        }
        if let Some(error) = tell.take_up(&telling) {
            message::warn(&*self.obj(), &error, "the former region of interest stays");
        }
        let (annotated, reason) = match session.annotate(video, buffer, &live, &self.stats) {
            Err(Error::Interrupted) if session.worker().stopper().is_cancelled() => {
                return Err(gst::FlowError::Flushing);
            }
            Ok(Annotated { remark, reason, explanation, heat }) => {
                if let Some(text) = remark {
                    message::remark(&*self.obj(), &text);
                }
                (Some((explanation, heat)), reason)
            }
            Err(error) => {
                gst::debug!(CAT, imp = self, "frame {:?} passes without a map: {error}", buffer.pts());
                self.stats.failed();
                if let Some(count) = session.failures.count(Instant::now()) {
                    let and_so = format!("the video goes on without a map ({count} frames so far)");
                    message::warn(&*self.obj(), &error, &and_so);
                }
                (None, Some(error.to_string()))
            }
        };
        // Each frame is explained by itself: its map is of no other.
        let age = Duration::ZERO;
        if reason.is_none() {
            self.stats.annotated(age);
        }
        let explanation = annotated.as_ref().map(|(explanation, _)| explanation);
        let map_age = explanation.map(|_| age);
        let outcome = Outcome { explanation, map_age, provider: self.stats.provider(), reason };
        tell.frame(&self.obj(), buffer, video.size(), outcome, &telling);
        drop(state);
        let heat = annotated.as_ref().map(|(explanation, heat)| (heat.view(), explanation.region));
        self.show(heat, buffer)?;
        self.stats.frame_out(Instant::now());
        Ok(gst::FlowSuccess::Ok)
    }
}

impl VideoFilterImpl for GradCam {
    fn set_info(
        &self,
        caps: &gst::Caps,
        info: &gst_video::VideoInfo,
        _: &gst::Caps,
        _: &gst_video::VideoInfo,
    ) -> Result<(), gst::LoggableError> {
        let video = Video::new(info).ok_or_else(|| gst::loggable_error!(CAT, "cannot paint on {caps}"))?;
        let mut state = lock(&self.state);
        if let Err(error) = guard(|| self.fit(&mut state, video.size())) {
            self.post_error_message(message::failure(&error));
            return Err(gst::loggable_error!(CAT, "cannot explain {caps}: {error}"));
        }
        state.video = Some(video);
        Ok(())
    }
}

impl GradCam {
    /// Opens the model as the properties say, and tells the log and the bus what was found.
    fn open(&self, settings: &Settings) -> Result<Session> {
        let explainer = self.explainer(settings, None)?;
        let info = explainer.info().clone();
        let session = Session::new(explainer, &settings.live())?;
        for warning in &info.warnings {
            message::remark(&*self.obj(), warning);
        }
        lock(&self.settings).resolved_target_layer = Some(info.layers.join(","));
        self.obj().notify_resolved_target_layer();
        lock(&self.settings).active_provider = Some(info.provider.name.into());
        self.obj().notify_active_provider();
        Ok(session)
    }

    /// Opens the model anew where whole frames of this size need another input.
    fn fit(&self, state: &mut State, frame: (usize, usize)) -> Result<()> {
        let State { session: Some(session), opened: Some(opened), .. } = state else { return Ok(()) };
        if !session.wants(frame, opened.own)? {
            return Ok(());
        }
        let explainer = self.explainer(&opened.settings, Some(frame))?;
        let mut stopper = lock(&self.stopper);
        // A flush or the end may have come in the meantime; the worker that goes cancels its own stopper.
        let cancelled = stopper.as_ref().is_some_and(Stopper::is_cancelled);
        session.reopen(explainer)?;
        let fresh = session.worker().stopper();
        if cancelled {
            fresh.cancel();
        }
        *stopper = Some(fresh);
        Ok(())
    }

    fn explainer(&self, settings: &Settings, frame_size: Option<(usize, usize)>) -> Result<Explainer> {
        let model = settings.model()?;
        let explainer = Explainer::open(&model, &Options { frame_size, ..settings.options()? })?;
        let info = explainer.info();
        gst::info!(CAT, imp = self, "{}: {}", model.display(), info.spec.origin);
        gst::info!(
            CAT,
            imp = self,
            "score {} ({}), layer {} {:?}",
            info.score,
            info.activation,
            info.layer,
            info.layer_shape
        );
        gst::info!(CAT, imp = self, "runs on {}; tried before: {:?}", info.provider, info.provider.tried);
        if let Some(check) = &info.self_check {
            gst::info!(CAT, imp = self, "self-check took {} ms: {check}", check.took.as_millis());
        }
        Ok(explainer)
    }

    /// Sends the map of a frame to the pad `heatmap`, if it is there.
    fn show(
        &self,
        heat: Option<(ArrayView2<f32>, Region)>,
        buffer: &gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        match guard(|| self.heatmap.picture(heat, buffer)) {
            Ok(Some(picture)) => picture.push(),
            Ok(None) => Ok(gst::FlowSuccess::Ok),
            Err(error) => {
                message::warn(&*self.obj(), &error, "the pad heatmap goes without this frame");
                Ok(gst::FlowSuccess::Ok)
            }
        }
    }

    fn cancel(&self) {
        if let Some(stopper) = &*lock(&self.stopper) {
            stopper.cancel();
        }
    }
}
