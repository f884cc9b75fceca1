//! Looking on while a model is opened: which stage it is at, and how to end it before it is done.

use std::fmt;
use std::path::Path;

use super::{Explainer, Found, Options};
use crate::engine::Interrupter;
use crate::error::{Error, Result};
use crate::onnx::Model;

/// What opening a model goes through, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The file is read and checked.
    Read,
    /// A first run measures shapes.
    Probe,
    /// The backward pass is written.
    Lower,
    /// ONNX Runtime builds its session.
    Build,
    /// Outputs and gradients are compared.
    Check,
    /// The execution provider builds what it runs, and its maps are compared with the CPU's.
    Place,
}

impl Stage {
    /// In words: "reading the model".
    pub fn text(self) -> &'static str {
        match self {
            Stage::Read => "reading the model",
            Stage::Probe => "measuring the model",
            Stage::Lower => "writing the backward pass",
            Stage::Build => "building the session",
            Stage::Check => "checking outputs and gradients",
            Stage::Place => "moving to the execution provider",
        }
    }
}

/// Given to [`Explainer::open_watched`](super::Explainer::open_watched): is told each stage, and ends it by its interrupter.
#[derive(Default)]
pub struct Opening {
    tell: Option<Box<dyn Fn(Stage) + Send>>,
    interim: Option<Interim>,
    interrupter: Interrupter,
}

type Interim = Box<dyn Fn(&Explainer) -> Result<()> + Send>;

impl Opening {
    /// Calls `tell` at the beginning of each stage; ended by `interrupter`.
    pub fn new(tell: impl Fn(Stage) + Send + 'static, interrupter: Interrupter) -> Self {
        Opening { tell: Some(Box::new(tell)), interim: None, interrupter }
    }

    /// Where the model is to move to a provider that may take its time to build what it runs, `interim` is called with the explainer as it
    /// is before that, on the CPU: [`Explainer::on_cpu`] gives another one, to explain meanwhile. Its error ends the opening.
    #[must_use]
    pub fn with_interim(self, interim: impl Fn(&Explainer) -> Result<()> + Send + 'static) -> Self {
        Opening { interim: Some(Box::new(interim)), ..self }
    }

    /// Barred, it ends the opening with [`Error::Interrupted`]: a run at once, all else at the next stage. Later it is the one of the
    /// explainer that comes out.
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    pub(super) fn enter(&self, stage: Stage) -> Result<()> {
        if self.interrupter.is_barred() {
            return Err(Error::Interrupted);
        }
        if let Some(tell) = &self.tell {
            tell(stage);
        }
        Ok(())
    }

    /// The last stage: what was opened on the CPU moves to where it is asked to run.
    pub(super) fn place(&self, explainer: &mut Explainer) -> Result<()> {
        self.enter(Stage::Place)?;
        if let Some(interim) = &self.interim
            && explainer.options.leaves_cpu()?
        {
            interim(explainer)?;
        }
        explainer.place()?;
        // A build cannot be interrupted: whoever asked for the end meanwhile gets it here.
        if self.interrupter.is_barred() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("interrupter", &self.interrupter).finish_non_exhaustive()
    }
}

impl Explainer {
    /// Whether there is a file that may be read as a model; it is not read.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`], [`Error::ModelUnreadable`].
    pub fn readable(model: &Path) -> Result<()> {
        Model::file(model).map(|_| ())
    }

    /// As [`Explainer::open`]; `opening` is told the stages and can end it.
    ///
    /// # Errors
    /// As [`Explainer::open`]; [`Error::Interrupted`].
    pub fn open_watched(model: &Path, options: &Options, opening: &Opening) -> Result<Explainer> {
        Self::open_into(model, options, &mut Found::default(), opening)
    }
}
