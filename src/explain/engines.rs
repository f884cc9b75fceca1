//! The engines that run an explained model: on the CPU one for a single class, and one for any number of them from when it is first
//! needed; elsewhere one for all.

use super::sessions::Sessions;
use crate::cam::Names;
use crate::engine::{Engine, Interrupter};
use crate::error::Result;
use crate::onnx::{DType, Model};

/// ONNX Runtime keeps what lies between convolutions in their blocked layout only where it knows every length, the number of classes
/// too.
#[derive(Debug)]
pub(super) struct Engines {
    first: Engine,
    /// Whether the first one takes a single class only.
    single: bool,
    several: Option<Engine>,
}

impl Engines {
    /// On the CPU. A model of several pictures has one engine: it takes a class for each.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn open(sessions: &Sessions, explained: &Model, names: &Names, pictures: usize) -> Result<Engines> {
        let single = pictures == 1;
        let first = sessions.open(&if single { self::single(explained, names) } else { explained.clone() })?;
        Ok(Engines { first, single, several: None })
    }

    /// An engine on another provider, which may take minutes to build: it takes any number of classes.
    pub fn elsewhere(engine: Engine) -> Engines {
        Engines { first: engine, single: false, several: None }
    }

    /// The explained model as the first engine runs it.
    pub fn model(&self, explained: &Model, names: &Names) -> Model {
        if self.single { single(explained, names) } else { explained.clone() }
    }

    /// Stops a run of either.
    pub fn interrupter(&self) -> Interrupter {
        self.first.interrupter()
    }

    /// The engine that is always there.
    pub fn first(&mut self) -> &mut Engine {
        &mut self.first
    }

    /// The engine for so many classes at once.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn of(&mut self, classes: usize, sessions: &Sessions, explained: &Model) -> Result<&mut Engine> {
        if classes == 1 || !self.single {
            return Ok(&mut self.first);
        }
        let several = match self.several.take() {
            Some(several) => several,
            None => sessions.under(self.first.interrupter()).open(explained)?,
        };
        Ok(self.several.insert(several))
    }
}

fn single(explained: &Model, names: &Names) -> Model {
    let mut single = explained.clone();
    [&names.target, &names.versus].into_iter().for_each(|name| single.pin_input(name, DType::I64, &[1]));
    single
}
