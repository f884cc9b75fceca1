//! Sessions on a model and its rewritten forms, which share the weights.

use std::collections::HashMap;

use crate::engine::{Config, Engine, Interrupter, Place, Weight};
use crate::error::Result;
use crate::onnx::Model;

/// Smaller weights stay in the model's bytes: ONNX Runtime reads shapes and the like from there only.
const LARGE: usize = 1024;

/// The weights of a model by the address of their bytes, which its clones share.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions {
    weights: HashMap<usize, Weight>,
    config: Config,
}

impl Sessions {
    /// Moves the model's large weights to where sessions read them; the model, and what is cloned from it, reads them there too.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn of(model: &mut Model, config: &Config) -> Result<Sessions> {
        let mut sessions = Sessions { weights: HashMap::new(), config: config.clone() };
        for (dtype, shape, bytes) in model.weights_mut().filter(|(.., bytes)| bytes.len() >= LARGE) {
            if let Some((weight, moved)) = Weight::new(dtype.name(), &shape, bytes, config)? {
                sessions.weights.insert(moved.as_ptr().addr(), weight);
                *bytes = moved;
            }
        }
        Ok(sessions)
    }

    /// A session on a model with these weights, and perhaps others.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn open(&self, model: &Model) -> Result<Engine> {
        self.configured(model, &self.config)
    }

    /// A session elsewhere than on the CPU, which gets the weights with the model: what other providers make of memory that is not theirs
    /// differs.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn open_at(&self, model: &Model, place: Place) -> Result<Engine> {
        Engine::new(&model.to_bytes()?, &Config { place, ..self.config.clone() })
    }

    /// As [`Sessions::open`], its graph as it is, so that every tensor can be an output.
    pub fn unoptimized(&self, model: &Model) -> Result<Engine> {
        self.configured(model, &Config { unoptimized: true, ..self.config.clone() })
    }

    /// The same, each session of which is stopped by this.
    pub fn under(&self, interrupter: Interrupter) -> Sessions {
        let config = Config { interrupter: Some(interrupter), ..self.config.clone() };
        Sessions { weights: self.weights.clone(), config }
    }

    /// From here on each session is stopped by an interrupter of its own.
    pub fn part(&mut self) {
        self.config.interrupter = None;
    }

    fn configured(&self, model: &Model, config: &Config) -> Result<Engine> {
        let mut light = model.clone();
        let outside = light.leave_outside(|bytes| self.weights.contains_key(&bytes.as_ptr().addr()));
        let weights: Vec<(String, Weight)> = outside
            .into_iter()
            .filter_map(|(name, bytes)| Some((name, self.weights.get(&bytes.as_ptr().addr())?.clone())))
            .collect();
        Engine::with_weights(&light.to_bytes()?, &weights, config)
    }
}
