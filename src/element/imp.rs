//! The element's life: states, caps, events and queries, each led to where it is dealt with.

use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, PoisonError};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::base_transform::GenerateOutputSuccess;
use gst_video::subclass::prelude::*;

use super::beside::{Beside, across};
use super::frame::{Video, formats};
use super::heatmap::Heatmap;
use super::mode::Pace;
use super::settings::GradCam;
use super::tell::Tell;
use super::words::Pen;
use super::{message, stats};
use crate::worker::{guard, lock};

pub(super) static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("gradcam", gst::DebugColorFlags::empty(), Some("Grad-CAM on live video")));

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
        let before = lock(&self.settings).opened();
        self.derived_set_property(id, value, pspec);
        if lock(&self.settings).opened() != before {
            self.dirty.store(true, Ordering::SeqCst);
        }
        if pspec.name() == "output-mode" {
            self.relaid.store(true, Ordering::SeqCst);
        }
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
            self.started.store(false, Ordering::SeqCst);
            self.stopper.cancel();
        }
        self.parent_change_state(transition)
    }
}

impl BaseTransformImpl for GradCam {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.stopper.resume();
        let settings = lock(&self.settings).clone();
        self.beside.store(settings.is_beside(), Ordering::SeqCst);
        *lock(&self.pace) = Pace::new(settings.mode, settings.wait_for_model);
        self.stats.start();
        self.dirty.store(false, Ordering::SeqCst);
        let pen = Pen::new(settings.live().font).map_err(|error| message::failure(&error))?;
        let tell = Tell::new(&lock(&self.telling)).map_err(|error| message::failure(&error))?;
        if let Err(error) = self.load_first(tell, pen) {
            self.call_off(&mut lock(&self.state));
            return Err(message::failure(&error));
        }
        self.started.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.started.store(false, Ordering::SeqCst);
        self.stopper.cancel();
        let mut state = std::mem::take(&mut *lock(&self.state));
        self.call_off(&mut state);
        drop(state);
        lock(&self.settings).closed();
        self.heatmap.stop();
        gst::debug!(CAT, imp = self, "stopped; {}", self.stats.to_structure());
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            // Comes beside the streaming thread, which may be waiting for a run.
            gst::EventView::FlushStart(_) => self.stopper.cancel(),
            gst::EventView::FlushStop(_) => {
                let mut state = lock(&self.state);
                state.clear();
                state.tell.flush();
                drop(state);
                lock(&self.pace).flushed();
                self.stopper.resume();
                // The element may have gone down in the meantime, which no flush undoes.
                if !self.started.load(Ordering::SeqCst) {
                    self.stopper.cancel();
                }
            }
            _ if event.is_serialized() => {
                // What is on its way goes first. Where it cannot go on, the next frame will tell.
                let _ = self.safely(|| self.drain());
                if event.type_() == gst::EventType::Eos {
                    lock(&self.state).tell.close().unwrap_or_else(|error| message::fail(&*self.obj(), &error));
                }
            }
            _ => {}
        }
        match event.type_() {
            gst::EventType::StreamStart => lock(&self.state).restart(),
            gst::EventType::Segment => lock(&self.state).forget(),
            gst::EventType::Caps => {
                self.decide(false);
            }
            _ => {}
        }
        let taken = self.parent_sink_event(event.clone());
        if taken {
            self.heatmap.event(&event);
        }
        taken
    }

    fn src_event(&self, event: gst::Event) -> bool {
        if let gst::EventView::Qos(qos) = event.view() {
            self.hear(qos);
        }
        self.parent_src_event(event)
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        if direction == gst::PadDirection::Src
            && let gst::QueryViewMut::Latency(latency) = query.view_mut()
        {
            return self.answer_latency(latency);
        }
        if direction == gst::PadDirection::Sink && query.is_serialized() {
            let _ = self.safely(|| self.drain());
        }
        // The base class asks `transform_caps` twice for it, on whatever thread.
        let is_caps = query.type_() == gst::QueryType::Caps;
        let _one_width = is_caps.then(|| self.asked.read().unwrap_or_else(PoisonError::into_inner));
        BaseTransformImplExt::parent_query(self, direction, query)
    }

    fn transform_caps(
        &self,
        direction: gst::PadDirection,
        caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        let caps = if self.beside.load(Ordering::SeqCst) { across(direction, caps) } else { caps.clone() };
        Some(
            filter.map_or_else(
                || caps.clone(),
                |filter| filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First),
            ),
        )
    }

    fn propose_allocation(
        &self,
        decided: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        if !self.beside.load(Ordering::SeqCst) {
            return self.parent_propose_allocation(decided, query);
        }
        // Downstream has frames of another size.
        query.add_allocation_meta::<gst_video::VideoMeta>(None);
        Ok(())
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

    fn submit_input_buffer(&self, is_discont: bool, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.safely(|| {
            if self.relaid.swap(false, Ordering::SeqCst) {
                self.lay_out();
            }
            // The base class renegotiates here where it has to.
            self.parent_submit_input_buffer(is_discont, buffer)?;
            self.take_queued_buffer().map_or(Ok(()), |buffer| self.take_in(buffer))?;
            Ok(gst::FlowSuccess::Ok)
        })
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        let Some(ready) = self.safely(|| self.put_out(false))? else { return Ok(GenerateOutputSuccess::NoOutput) };
        ready.first().map(GenerateOutputSuccess::Buffer)
    }
}

impl VideoFilterImpl for GradCam {
    fn set_info(
        &self,
        caps: &gst::Caps,
        info: &gst_video::VideoInfo,
        out_caps: &gst::Caps,
        out: &gst_video::VideoInfo,
    ) -> Result<(), gst::LoggableError> {
        let known = |caps: &gst::Caps, info| {
            Video::new(caps, info).ok_or_else(|| gst::loggable_error!(CAT, "cannot paint on {caps}"))
        };
        let video = known(caps, info)?;
        // Frames on their way go as they were to go. Where they cannot, the next one will tell.
        let _ = self.safely(|| self.drain());
        let beside = (out.width() != info.width()).then(|| {
            Beside::new(out_caps, out, known(out_caps, out)?).map_err(|error| {
                message::fail(&*self.obj(), &error);
                gst::loggable_error!(CAT, "cannot double {caps}: {error}")
            })
        });
        let beside = beside.transpose()?;
        let mut state = lock(&self.state);
        if let Err(error) = guard(|| Ok(self.fit(&mut state, video.size()))).unwrap_or_else(|e| Err(Arc::new(e))) {
            message::fail(&*self.obj(), &error);
            return Err(gst::loggable_error!(CAT, "cannot explain {caps}: {error}"));
        }
        if state.video.as_ref() != Some(&video) {
            state.forget();
        }
        (state.video, state.beside) = (Some(video), beside);
        let fps = info.fps();
        let frame = if fps.numer() > 0 { f64::from(fps.denom()) / f64::from(fps.numer()) } else { 0.0 };
        lock(&self.pace).frame = Duration::from_secs_f64(frame);
        Ok(())
    }
}

impl GradCam {
    /// Takes up `output-mode` between two frames: where it changes their width, downstream is asked first.
    fn lay_out(&self) {
        let beside = lock(&self.settings).is_beside();
        if beside == self.beside.load(Ordering::SeqCst) {
            return;
        }
        let element = self.obj();
        let pad = element.src_pad();
        if let Some(caps) = pad.current_caps() {
            let direction = if beside { gst::PadDirection::Sink } else { gst::PadDirection::Src };
            let caps = across(direction, &caps);
            if !pad.peer_query_accept_caps(&caps) {
                let text = "output-mode was set while running, and what follows takes no frames of another width: the width changes \
                            at the next start (state READY or NULL)";
                return message::remark(&*element, text);
            }
        }
        let nobody_asks = self.asked.write().unwrap_or_else(PoisonError::into_inner);
        self.beside.store(beside, Ordering::SeqCst);
        drop(nobody_asks);
        element.reconfigure_src();
    }

    /// A panic on the streaming thread is an ERROR, and not the element's death.
    fn safely<T>(&self, f: impl FnOnce() -> Result<T, gst::FlowError>) -> Result<T, gst::FlowError> {
        guard(|| Ok(f())).unwrap_or_else(|error| {
            message::fail(&*self.obj(), &error);
            Err(gst::FlowError::Error)
        })
    }
}
