//! The engines that run an explained model: one for a single class, and one for any number of them from when it is first needed.

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
    /// A model of several pictures has one engine: it takes a class for each.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn open(sessions: &Sessions, explained: &Model, names: &Names, pictures: usize) -> Result<Engines> {
        let first = sessions.open(&first(explained, names, pictures))?;
        Ok(Engines { first, single: pictures == 1, several: None })
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
            None => sessions.open(explained)?.in_place_of(&self.first),
        };
        Ok(self.several.insert(several))
    }
}

/// The explained model as the first engine runs it.
pub(super) fn first(explained: &Model, names: &Names, pictures: usize) -> Model {
    let mut first = explained.clone();
    if pictures == 1 {
        [&names.target, &names.versus].into_iter().for_each(|name| first.pin_input(name, DType::I64, &[1]));
    }
    first
}
