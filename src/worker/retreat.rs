//! A provider that fails while it runs is left for the CPU, which repeats the run that failed: no frame goes without its map for it.

use std::sync::{Arc, OnceLock};

use super::queue::Job;
use super::room::Model;
use crate::error::{Error, Result};
use crate::explain::{Explanation, ProviderInfo};

/// That a worker has left its provider for the CPU.
#[derive(Debug)]
pub struct Retreat {
    /// The provider that failed, as the property `execution-provider` spells it.
    pub from: &'static str,
    /// What it said.
    pub why: String,
    /// Where the model runs now.
    pub to: ProviderInfo,
}

/// A model that goes on on the CPU.
pub(super) struct Retreating {
    model: Box<dyn Model>,
    /// The same on the CPU, once that was needed.
    cpu: Option<(Box<dyn Model>, ProviderInfo)>,
    told: Arc<OnceLock<Retreat>>,
}

impl Retreating {
    pub fn new(model: Box<dyn Model>, told: Arc<OnceLock<Retreat>>) -> Self {
        Retreating { model, cpu: None, told }
    }
}

impl Model for Retreating {
    fn run(&mut self, jobs: &mut [Job]) -> Result<Vec<Explanation>> {
        // What takes too long, was interrupted or gave no numbers is not the provider's fault, or would be no better on the CPU.
        let (why, from) = match (self.model.run(jobs), self.model.elsewhere()) {
            (Err(Error::Inference { why }), Some(from)) => (why, from),
            (done, _) => return done,
        };
        let failed = |error: Error| Error::Inference { why: format!("{why}; and on the CPU: {error}") };
        let (mut cpu, to) = match self.cpu.take() {
            Some(there) => there,
            None => self.model.on_cpu().map_err(failed)?,
        };
        match cpu.run(jobs) {
            Ok(seen) => {
                self.model = cpu;
                let _ = self.told.set(Retreat { from, why, to });
                Ok(seen)
            }
            // The frame's fault, then.
            Err(error) => {
                self.cpu = Some((cpu, to));
                Err(if matches!(error, Error::Interrupted) { error } else { failed(error) })
            }
        }
    }

    fn begin(&mut self) {
        self.model.begin();
    }

    fn renew(&mut self) -> Result<()> {
        self.model.renew()
    }

    fn elsewhere(&self) -> Option<&'static str> {
        self.model.elsewhere()
    }

    fn on_cpu(&self) -> Result<(Box<dyn Model>, ProviderInfo)> {
        self.model.on_cpu()
    }
}
