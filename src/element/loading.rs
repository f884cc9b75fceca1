//! How the element comes to its model, at the start and while it plays: opened beside the stream, taken between two frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::subclass::prelude::*;

use super::imp::CAT;
use super::message;
use super::mode::{InterimProvider, OnError};
use super::newest::Newest;
use super::playback;
use super::regions::InferenceRegion;
use super::session::Session;
use super::settings::GradCam;
use super::stream::State;
use super::tell::Tell;
use super::wishes::Live;
use super::words::Pen;
use crate::error::Error;
use crate::explain::{ModelInfo, Options, ProviderInfo};
use crate::worker::{Loading, News, Source, Worker, guard, lock, open};

/// A model that is being opened.
#[derive(Debug)]
pub(super) struct Load {
    loading: Loading,
    source: Source,
    /// It is the model that is open, for frames of this size.
    refit: Option<(usize, usize)>,
    /// The CPU may explain until it is open.
    meanwhile: bool,
    /// It does.
    taken: bool,
    /// Its progress was told to the end.
    ended: Arc<AtomicBool>,
}

/// Progress.
const MEANWHILE: &str = "the CPU explains until the execution provider is ready";

type Result<T, E = Arc<Error>> = std::result::Result<T, E>;

fn is_interrupted<T>(opened: &Result<T>) -> bool {
    matches!(opened.as_ref().map_err(Arc::as_ref), Err(Error::Interrupted))
}

impl GradCam {
    /// At the start: what can be refused at once is; where frames will wait, and that is known already, this waits.
    pub(super) fn load_first(&self, tell: Tell, pen: Pen) -> Result<()> {
        let settings = lock(&self.settings).clone();
        let mut state = lock(&self.state);
        *state = State::default();
        (state.tell, state.pen, state.playback) = (tell, pen, settings.playback()?);
        if let Some(playback) = &state.playback {
            self.stats.runs_on(playback::NAME, None);
            playback.remark().into_iter().for_each(|text| message::remark(&*self.obj(), text));
            return Ok(());
        }
        let source = settings.source()?;
        state.runtime_library.clone_from(&source.options.runtime_library);
        state.inference_region = settings.inference_region;
        self.begin(&mut state, source, None)?;
        let waits = self.decide(false) == Some(true) && self.waits(true);
        let Some(load) = state.load.as_ref().filter(|_| waits) else { return Ok(()) };
        let opened = load.loading.wait(&self.stopper);
        self.take_up(&mut state, opened, false, &settings.live())
    }

    /// Between two frames: begins to open what is wished for, takes up what is open.
    pub(super) fn attend(&self, live: &Live) -> Result<(), gst::FlowError> {
        if lock(&self.state).playback.is_some() {
            return Ok(());
        }
        if self.dirty.swap(false, Ordering::SeqCst) {
            let wished = lock(&self.settings).source().map_err(Arc::new);
            let mut state = lock(&self.state);
            let begun = wished.and_then(|mut source| {
                // The process has the one that it began with.
                source.options.runtime_library.clone_from(&state.runtime_library);
                self.wish(&mut state, source)
            });
            begun.or_else(|error| self.not_opened(&mut state, &error, live))?;
        }
        loop {
            let sync = self.is_sync();
            let (opened, interim) = {
                let state = lock(&self.state);
                let Some(load) = &state.load else { break };
                let waits = self.waits_for(&state, load.refit, sync);
                let done = if waits { Some(load.loading.wait(&self.stopper)) } else { load.loading.poll() };
                let interim = match &done {
                    Some(Ok(_)) => None,
                    _ if waits || load.taken || !load.meanwhile => None,
                    _ => load.loading.interim(),
                };
                match (interim, done) {
                    (Some(worker), _) => (Ok(worker), true),
                    (None, Some(opened)) => (opened, false),
                    (None, None) => break,
                }
            };
            if is_interrupted(&opened) {
                return Err(gst::FlowError::Flushing);
            }
            self.drain()?;
            let mut state = lock(&self.state);
            let taken = self.take_up(&mut state, opened, interim, live);
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
        if let Some(playback) = &state.playback {
            return Ok(playback.fits(frame)?);
        }
        self.refit(state, frame)?;
        let waits = |load: &&Load| load.refit.is_some() && self.waits_for(state, load.refit, self.is_sync());
        let Some(load) = state.load.as_ref().filter(waits) else { return Ok(()) };
        let opened = load.loading.wait(&self.stopper);
        if is_interrupted(&opened) {
            // It goes on: the next frame waits for it.
            return Ok(());
        }
        let live = lock(&self.settings).live();
        self.take_up(state, opened, false, &live)
    }

    /// Begins to open the model for frames of another size, if they ask for that.
    fn refit(&self, state: &mut State, frame: (usize, usize)) -> Result<()> {
        if state.inference_region == InferenceRegion::RoiList {
            // They are of all proportions: the input keeps its own.
            return Ok(());
        }
        let State { session: Some(session), source: Some(source), own, .. } = &*state else { return Ok(()) };
        let fits = !session.wants(frame, *own)?;
        let size = state.load.as_ref().and_then(|load| load.refit);
        if size == Some(frame) {
            return Ok(());
        }
        // One that is for a size that frames do not have any more.
        let stale = state.load.as_ref().is_some_and(|load| load.refit.is_some() && !load.taken);
        if !fits || (stale && state.interim) {
            let source = source.clone();
            return self.begin(state, source, Some(frame));
        }
        if stale {
            self.call_off(state);
        }
        Ok(())
    }

    /// Another model is wished for, or again the one that is open.
    fn wish(&self, state: &mut State, source: Source) -> Result<()> {
        if state.load.as_ref().is_some_and(|load| load.source == source) {
            return Ok(());
        }
        if state.session.is_none() || state.interim || state.source.as_ref() != Some(&source) {
            return self.begin(state, source, None);
        }
        self.call_off(state);
        Ok(())
    }

    /// Begins to open a model, in place of one that is being opened.
    fn begin(&self, state: &mut State, source: Source, frame_size: Option<(usize, usize)>) -> Result<()> {
        self.call_off(state);
        let meanwhile = self.may_explain_meanwhile(state, frame_size);
        let element = self.obj().downgrade();
        message::progress(&*self.obj(), gst::ProgressType::Start, "opening the model");
        let asked = Source { options: Options { frame_size, ..source.options.clone() }, ..source.clone() };
        let ended = Arc::<AtomicBool>::default();
        let end = ended.clone();
        let loading = open(asked, meanwhile, move |news| {
            let Some(element) = element.upgrade() else { return };
            match news {
                News::Stage(stage) => message::progress(&element, gst::ProgressType::Continue, stage.text()),
                // The end for whoever waits for that, as gst-launch does; the rest is told by INFO and WARNING.
                News::Interim if meanwhile => {
                    message::progress(&element, gst::ProgressType::Complete, MEANWHILE);
                    end.store(true, Ordering::SeqCst);
                }
                News::Interim => {}
                _ if end.load(Ordering::SeqCst) => {}
                News::Open => message::progress(&element, gst::ProgressType::Complete, "the model is open"),
                News::Failed(error) => message::progress(&element, gst::ProgressType::Error, &error.to_string()),
            }
        });
        let loading = loading.inspect_err(|error| {
            message::progress(&*self.obj(), gst::ProgressType::Error, &error.to_string());
        })?;
        state.load = Some(Load { loading, source, refit: frame_size, meanwhile, taken: false, ended });
        Ok(())
    }

    /// Gives up what is being opened.
    pub(super) fn call_off(&self, state: &mut State) {
        if let Some(load) = state.load.take()
            && load.loading.poll().is_none()
            && !load.ended.load(Ordering::SeqCst)
        {
            message::progress(&*self.obj(), gst::ProgressType::Canceled, "opening the model was called off");
        }
    }

    /// What was opened, `interim` on the CPU only, takes the place of the model so far; no frame is on its way.
    fn take_up(&self, state: &mut State, opened: Result<Arc<Worker>>, interim: bool, live: &Live) -> Result<()> {
        let Some(load) = state.load.take() else { return Ok(()) };
        let worker = opened?;
        let (refit, taken) = (load.refit.is_some(), load.taken);
        let before = state.session.as_ref().filter(|_| refit || taken);
        let before = before.map(|session| session.info().warnings.clone()).unwrap_or_default();
        let session = match state.session.take() {
            Some(mut session) if taken => {
                session.move_to(worker, &self.stopper);
                session
            }
            session => match guard(|| Session::new(worker, live, &self.stopper)) {
                Ok(session) => session,
                Err(error) => {
                    // Called off with the rest, if it is not ready.
                    (state.session, state.load) = (session, Some(load));
                    self.call_off(state);
                    return Err(error.into());
                }
            },
        };
        let info = session.info();
        self.log(&load.source, info);
        for warning in info.warnings.iter().filter(|warning| !before.contains(warning)) {
            message::remark(&*self.obj(), warning);
        }
        if !refit || self.stats.provider() != info.provider.kind.name() {
            self.runs_on(&info.provider);
        }
        if !refit {
            lock(&self.settings).resolved_target_layer = Some(info.layers.join(","));
            self.obj().notify_resolved_target_layer();
            (state.own, state.source) = (session.input_size(), Some(load.source.clone()));
        }
        if !taken {
            // What another model saw, or this one on frames of another size, is not for the frames to come.
            state.newest = Newest::default();
        }
        (state.session, state.given_up, state.interim) = (Some(session), false, interim);
        if interim {
            state.load = Some(Load { taken: true, ..load });
        }
        Ok(())
    }

    /// Says where the model runs from now on.
    pub(super) fn runs_on(&self, provider: &ProviderInfo) {
        self.stats.runs_on(provider.kind.name(), provider.cache);
        message::tell(&*self.obj(), &format!("the model runs on {provider}"));
        lock(&self.settings).active_provider = Some(provider.kind.name().into());
        self.obj().notify_active_provider();
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
            message::refuse(&*self.obj(), error, "the model so far goes on");
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

    /// Whether frames wait for what is being opened: the first ones, and in sync mode those of another size.
    fn waits_for(&self, state: &State, refit: Option<(usize, usize)>, sync: bool) -> bool {
        (if refit.is_some() { sync } else { state.session.is_none() }) && self.waits(sync)
    }

    /// Whether a model that is begun to be opened may explain on the CPU first. In sync mode that would hold up frames which have another
    /// one.
    fn may_explain_meanwhile(&self, state: &State, refit: Option<(usize, usize)>) -> bool {
        if lock(&self.settings).interim_provider == InterimProvider::None {
            return false;
        }
        self.decide(false).is_none_or(|sync| {
            let held_up = sync && state.session.is_some() && !state.interim;
            !held_up && !self.waits_for(state, refit, sync)
        })
    }

    /// Whether the first frames wait for the model.
    fn waits(&self, sync: bool) -> bool {
        lock(&self.pace).waits(sync)
    }
}
