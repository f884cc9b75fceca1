//! How the element comes to its model, at the start and while it plays: opened beside the stream, taken between two frames.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gst::subclass::prelude::*;

use super::imp::{CAT, lock};
use super::message;
use super::mode::{OnError, WaitForModel};
use super::regions::InferenceRegion;
use super::session::Session;
use super::settings::{GradCam, Live};
use super::stream::State;
use super::tell::Tell;
use crate::error::Error;
use crate::explain::{ModelInfo, Options};
use crate::worker::{Loading, News, Source, Worker, guard, open};

/// A model that is being opened.
#[derive(Debug)]
pub(super) struct Load {
    loading: Loading,
    source: Source,
    /// It is the model that is open, for frames of another size.
    refit: bool,
}

type Result<T, E = Arc<Error>> = std::result::Result<T, E>;

fn is_interrupted<T>(opened: &Result<T>) -> bool {
    matches!(opened.as_ref().map_err(Arc::as_ref), Err(Error::Interrupted))
}

impl GradCam {
    /// At the start: what can be refused at once is; where frames will wait, and that is known already, this waits.
    pub(super) fn load_first(&self, tell: Tell) -> Result<()> {
        let settings = lock(&self.settings).clone();
        let source = settings.source()?;
        let mut state = lock(&self.state);
        *state = State::default();
        state.tell = tell;
        state.inference_region = settings.inference_region;
        self.begin(&mut state, source, None)?;
        let waits = self.decide(false) == Some(true) && self.waits(true);
        let Some(load) = state.load.as_ref().filter(|_| waits) else { return Ok(()) };
        let opened = load.loading.wait(&self.stopper);
        self.take_up(&mut state, opened, &settings.live())
    }

    /// Between two frames: begins to open what is wished for, takes up what is open.
    pub(super) fn attend(&self, live: &Live) -> Result<(), gst::FlowError> {
        if self.dirty.swap(false, Ordering::SeqCst) {
            let wished = lock(&self.settings).source().map_err(Arc::new);
            let mut state = lock(&self.state);
            let begun = wished.and_then(|source| self.wish(&mut state, source));
            begun.or_else(|error| self.not_opened(&mut state, &error, live))?;
        }
        loop {
            let sync = self.is_sync();
            let opened = {
                let state = lock(&self.state);
                let Some(load) = &state.load else { break };
                let waits = if load.refit { sync } else { state.session.is_none() && self.waits(sync) };
                if waits { Some(load.loading.wait(&self.stopper)) } else { load.loading.poll() }
            };
            let Some(opened) = opened else { break };
            if is_interrupted(&opened) {
                return Err(gst::FlowError::Flushing);
            }
            self.drain()?;
            let mut state = lock(&self.state);
            let taken = self.take_up(&mut state, opened, live);
            let size = state.video.as_ref().map(|video| video.size());
            let fitted = taken.and_then(|()| size.map_or(Ok(()), |size| self.refit(&mut state, size)));
            fitted.or_else(|error| self.not_opened(&mut state, &error, live))?;
        }
        let ended = lock(&self.state).given_up && self.is_fatal(live);
        if ended { Err(gst::FlowError::Error) } else { Ok(()) }
    }

    /// Frames of another size are to come: where they ask for another input, the model is opened for that, and where frames wait so
    /// does this.
    pub(super) fn fit(&self, state: &mut State, frame: (usize, usize)) -> Result<()> {
        self.refit(state, frame)?;
        let Some(load) = state.load.as_ref().filter(|load| load.refit && self.is_sync()) else { return Ok(()) };
        let opened = load.loading.wait(&self.stopper);
        if is_interrupted(&opened) {
            // It goes on: the next frame waits for it.
            return Ok(());
        }
        let live = lock(&self.settings).live();
        self.take_up(state, opened, &live)
    }

    /// Begins to open the model for frames of another size, if they ask for that.
    fn refit(&self, state: &mut State, frame: (usize, usize)) -> Result<()> {
        if state.inference_region == InferenceRegion::RoiList {
            // They are of all proportions: the input keeps its own.
            return Ok(());
        }
        let State { session: Some(session), source: Some(source), own, .. } = &*state else { return Ok(()) };
        if session.wants(frame, *own)? {
            let source = source.clone();
            return self.begin(state, source, Some(frame));
        }
        if state.load.as_ref().is_some_and(|load| load.refit) {
            self.call_off(state);
        }
        Ok(())
    }

    /// Another model is wished for, or again the one that is open.
    fn wish(&self, state: &mut State, source: Source) -> Result<()> {
        if state.session.is_none() || state.source.as_ref() != Some(&source) {
            return self.begin(state, source, None);
        }
        if state.load.as_ref().is_some_and(|load| !load.refit) {
            self.call_off(state);
        }
        Ok(())
    }

    /// Begins to open a model, in place of one that is being opened.
    fn begin(&self, state: &mut State, source: Source, frame_size: Option<(usize, usize)>) -> Result<()> {
        self.call_off(state);
        let element = self.obj().downgrade();
        message::progress(&*self.obj(), gst::ProgressType::Start, "opening the model");
        let asked = Source { options: Options { frame_size, ..source.options.clone() }, ..source.clone() };
        let loading = open(asked, move |news| {
            let Some(element) = element.upgrade() else { return };
            match news {
                News::Stage(stage) => message::progress(&element, gst::ProgressType::Continue, stage.text()),
                News::Open => message::progress(&element, gst::ProgressType::Complete, "the model is open"),
                News::Failed(error) => message::progress(&element, gst::ProgressType::Error, &error.to_string()),
            }
        });
        let loading = loading.inspect_err(|error| {
            message::progress(&*self.obj(), gst::ProgressType::Error, &error.to_string());
        })?;
        state.load = Some(Load { loading, source, refit: frame_size.is_some() });
        Ok(())
    }

    /// Gives up what is being opened.
    pub(super) fn call_off(&self, state: &mut State) {
        if let Some(load) = state.load.take()
            && load.loading.poll().is_none()
        {
            message::progress(&*self.obj(), gst::ProgressType::Canceled, "opening the model was called off");
        }
    }

    /// What was opened takes the place of the model so far; no frame is on its way.
    fn take_up(&self, state: &mut State, opened: Result<Arc<Worker>>, live: &Live) -> Result<()> {
        let Some(load) = state.load.take() else { return Ok(()) };
        let worker = opened?;
        let session = guard(|| Session::new(worker, live, &self.stopper))?;
        let info = session.info();
        self.log(&load.source, info);
        self.stats.runs_on(info.provider.name, info.provider.cache);
        if !load.refit {
            for warning in &info.warnings {
                message::remark(&*self.obj(), warning);
            }
            message::tell(&*self.obj(), &format!("the model runs on {}", info.provider));
            let mut settings = lock(&self.settings);
            settings.resolved_target_layer = Some(info.layers.join(","));
            settings.active_provider = Some(info.provider.name.into());
            drop(settings);
            self.obj().notify_resolved_target_layer();
            self.obj().notify_active_provider();
            (state.own, state.source) = (session.input_size(), Some(load.source));
        }
        (state.session, state.given_up) = (Some(session), false);
        Ok(())
    }

    fn log(&self, source: &Source, info: &ModelInfo) {
        gst::info!(CAT, imp = self, "{}: {}", source.model.display(), info.spec.origin);
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
    }

    /// The model so far goes on; where there is none, the stream ends or frames pass.
    fn not_opened(&self, state: &mut State, error: &Error, live: &Live) -> Result<(), gst::FlowError> {
        if state.session.is_some() {
            message::warn(&*self.obj(), error, "the model so far goes on");
            return Ok(());
        }
        state.given_up = true;
        if self.is_fatal(live) {
            message::fail(&*self.obj(), error);
            return Err(gst::FlowError::Error);
        }
        message::warn(&*self.obj(), error, "the video goes on without a map");
        Ok(())
    }

    /// Whether there is no going on without a model: who waits for one wants it.
    fn is_fatal(&self, live: &Live) -> bool {
        live.on_error == OnError::Stop || self.waits(self.is_sync())
    }

    /// Whether the first frames wait for the model.
    fn waits(&self, sync: bool) -> bool {
        match lock(&self.settings).wait_for_model {
            WaitForModel::Yes => true,
            WaitForModel::No => false,
            WaitForModel::Auto => sync,
        }
    }
}
