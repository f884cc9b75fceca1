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
    single: Engine,
    several: Option<Engine>,
}

impl Engines {
    /// # Errors
    /// As [`Engine::new`].
    pub fn open(sessions: &Sessions, explained: &Model, names: &Names) -> Result<Engines> {
        Ok(Engines { single: sessions.open(&single(explained, names))?, several: None })
    }

    /// Stops a run of either.
    pub fn interrupter(&self) -> Interrupter {
        self.single.interrupter()
    }

    /// The engine for one class.
    pub fn single(&mut self) -> &mut Engine {
        &mut self.single
    }

    /// The engine for so many classes at once.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn of(&mut self, classes: usize, sessions: &Sessions, explained: &Model) -> Result<&mut Engine> {
        if classes == 1 {
            return Ok(&mut self.single);
        }
        let several = match self.several.take() {
            Some(several) => several,
            None => sessions.open(explained)?.in_place_of(&self.single),
        };
        Ok(self.several.insert(several))
    }
}

/// The explained model for one class.
pub(super) fn single(explained: &Model, names: &Names) -> Model {
    let mut single = explained.clone();
    [&names.target, &names.versus].into_iter().for_each(|name| single.pin_input(name, DType::I64, &[1]));
    single
}
