//! On which provider the explained model runs: those asked for in turn, each held against the CPU's maps.

use std::fmt;

use super::agreement::{Agreement, Sight};
use super::engines::Engines;
use super::sessions::Sessions;
use super::{Explainer, ModelInfo, Options};
use crate::engine::{Engine, Place, Precision, Provider, Range, cache_folder};
use crate::error::{Error, Result};
use crate::onnx::{DType, Model};

/// Maps at once that a provider prepares for, where it builds for a range of shapes.
const MAPS: usize = 8;
/// Why a provider is passed over without a word of warning.
const ABSENT: &str = "this ONNX Runtime was built without it";

/// What computes the explained model; as text, a line.
#[derive(Debug, Clone, Default)]
pub struct ProviderInfo {
    /// The provider; never [`Provider::Auto`].
    pub kind: Provider,
    /// What the runtime calls it, where it said.
    pub runtime: Option<String>,
    /// Nodes that it took, where the runtime said; the others run on the CPU (behind TensorRT, through CUDA).
    pub nodes: Option<usize>,
    /// Nodes that there are.
    pub of: usize,
    /// What it built was there from an earlier start (`true`), or will be for the next (`false`); `None` = nothing is kept.
    pub cache: Option<bool>,
    /// How its maps compare with the CPU's, if that was looked at.
    pub agreement: Option<Agreement>,
    /// Providers that were tried before it, with the reason that each was not taken.
    pub tried: Vec<(Provider, String)>,
    /// What was said of it in [`ModelInfo::warnings`].
    warnings: Vec<String>,
}

impl fmt::Display for ProviderInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(runtime) = &self.runtime {
            write!(f, " ({runtime})")?;
        }
        match self.nodes {
            Some(nodes) => write!(f, ", {nodes} of {} nodes", self.of)?,
            None => write!(f, ", of {} nodes it is not known how many", self.of)?,
        }
        match self.cache {
            Some(true) => f.write_str(", as built at an earlier start")?,
            Some(false) => f.write_str(", built and kept for the next start")?,
            None => {}
        }
        self.agreement.as_ref().map_or(Ok(()), |agreement| write!(f, "; {agreement}"))
    }
}

impl Explainer {
    /// The same explained model on the CPU, whatever it runs on now; nothing is lowered or checked anew.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn on_cpu(&self) -> Result<Explainer> {
        self.on(&self.options.on_cpu())
    }

    /// The same explained model where `options` say that it is to run, of which nothing else is read; nothing is lowered anew. While it is
    /// built, this one explains on: open it with [`Options::on_cpu`] not to wait for another provider at first.
    ///
    /// # Errors
    /// As [`Engine::new`]; [`Error::Provider`].
    pub fn on(&self, options: &Options) -> Result<Explainer> {
        let mut sessions = self.sessions.clone();
        sessions.part();
        self.placed(options, sessions)
    }

    /// As [`Explainer::on_cpu`], to take this one's place: what stops its runs stops those of the new one.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn in_place_on_cpu(&self) -> Result<Explainer> {
        let mut explainer = self.placed(&self.options.on_cpu(), self.sessions.under(self.interrupter()))?;
        explainer.sessions.part();
        Ok(explainer)
    }

    fn placed(&self, options: &Options, sessions: Sessions) -> Result<Explainer> {
        options.check_place()?;
        let mut explainer = Explainer {
            engines: Engines::open(&sessions, &self.explained, &self.names, self.batch_size())?,
            sessions,
            original: self.original.clone(),
            single: self.single.clone(),
            original_names: self.original_names.clone(),
            explained: self.explained.clone(),
            names: self.names.clone(),
            versus: self.versus.clone(),
            table: self.table.clone(),
            shape: self.shape.clone(),
            preparer: self.preparer(),
            buffer: Vec::new(),
            info: self.info.clone(),
            options: self.options.placed_as(options),
        };
        explainer.place()?;
        Ok(explainer)
    }

    /// The same model in new sessions where it runs now, in place of ones that may be broken; what stops its runs stays.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn renew(&mut self) -> Result<()> {
        let sessions = self.sessions.under(self.interrupter());
        self.engines = match self.placement() {
            Place { provider: Provider::Cpu, .. } => {
                Engines::open(&sessions, &self.explained, &self.names, self.batch_size())?
            }
            place => Engines::elsewhere(sessions.open_at(&self.placeable(), place)?),
        };
        Ok(())
    }

    /// Where its engine runs, for others to run beside it.
    pub fn placement(&self) -> Place {
        self.place_on(self.info.provider.kind)
    }

    /// Moves the explained model from the CPU, where it was checked, to where it was asked to run.
    pub(super) fn place(&mut self) -> Result<()> {
        let asked = self.options.execution_provider;
        let auto = asked == Provider::Auto;
        let old = std::mem::take(&mut self.info.provider);
        self.info.warnings.retain(|warning| !old.warnings.contains(warning));
        let of = self.explained.nodes().count();
        let mut info = ProviderInfo { nodes: Some(of), of, ..ProviderInfo::default() };
        let (mut tried, mut failed) = (Vec::new(), Vec::new());
        for kind in asked.candidates(self.options.provider_library.is_some()) {
            if kind == Provider::Cpu {
                break;
            }
            if auto && !kind.built_in(self.options.runtime_library.as_deref())? {
                tried.push((kind, ABSENT.into()));
                continue;
            }
            match self.try_on(kind) {
                Ok((_, ProviderInfo { agreement: Some(other), .. })) if auto && !other.holds(&self.limits()) => {
                    failed.push(format!("{} computes other maps than the CPU ({other})", kind.name()));
                    tried.push((kind, other.to_string()));
                }
                Ok((engine, taken)) => {
                    self.engines = Engines::elsewhere(engine);
                    info = taken;
                    break;
                }
                // Nobody waits any more.
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) if auto => {
                    let why = match error {
                        Error::Provider { why, .. } => why,
                        other => other.to_string(),
                    };
                    failed.push(format!("{} failed: {why}", kind.name()));
                    tried.push((kind, why));
                }
                Err(error) => return Err(error),
            }
        }
        info.tried = tried;
        if !failed.is_empty() {
            info.warnings.push(format!("execution-provider=auto runs on {}: {}", info.kind.name(), failed.join("; ")));
        }
        if auto && info.kind == Provider::Cpu {
            info.warnings.extend(self.unused());
        }
        self.info.warnings.extend(info.warnings.iter().cloned());
        self.info.provider = info;
        Ok(())
    }

    /// Wishes that the CPU cannot meet, to which nobody else was found.
    fn unused(&self) -> Option<String> {
        let options = &self.options;
        let mut wishes = options.device.iter().map(|device| format!("device={device}")).collect::<Vec<_>>();
        if options.precision != Precision::Fp32 {
            wishes.push(format!("precision={}", options.precision.name()));
        }
        let why = "the CPU computes in the model's own numbers and has no devices to choose from";
        (!wishes.is_empty()).then(|| format!("{} not used: {why}", wishes.join(" and ")))
    }

    /// The explained model as other providers than the CPU get it.
    fn placeable(&self) -> Model {
        let mut model = self.explained.clone();
        if self.options.precision != Precision::Fp32 && self.info.format.computed == DType::F32 {
            model.compare_for_steps();
        }
        model
    }

    /// An engine on `kind`, and what is to be said of it.
    fn try_on(&mut self, kind: Provider) -> Result<(Engine, ProviderInfo)> {
        let mut engine = self.sessions.open_at(&self.placeable(), self.place_on(kind))?;
        let agreement = self.options.self_check.then(|| self.agreement(&mut engine)).transpose()?;
        let (name, of) = (kind.name(), self.explained.nodes().count());
        let mut warnings = Vec::new();
        if let Some(other) = agreement.filter(|agreement| !agreement.holds(&self.limits())) {
            warnings.push(format!(
                "execution-provider={name} computes other maps than the CPU, which were checked: {other}; set it to cpu or auto for maps \
                 that can be relied on"
            ));
        }
        let placed = engine.placed();
        warnings.extend(placed.remarks.iter().cloned());
        if kind.builds() && self.options.engine_cache_dir.is_none() && cache_folder().is_none() {
            let why = "neither XDG_CACHE_HOME nor HOME is set; set engine-cache-dir to a folder, or to none";
            warnings.push(format!("no engine is kept for the next start: {why}"));
        }
        let share = placed.share(kind, of);
        if let Some((0, _)) = share {
            warnings.push(format!("{name} takes no node of this model: all of it runs on the CPU"));
        }
        let info = ProviderInfo {
            kind,
            runtime: placed.runtime(kind).map(str::to_owned),
            nodes: share.map(|(nodes, _)| nodes),
            of: share.map_or(of, |(_, of)| of),
            cache: placed.cache,
            agreement,
            tried: Vec::new(),
            warnings,
        };
        Ok((engine, info))
    }

    /// How the engine's maps compare with those of the one that is in use, on the CPU.
    fn agreement(&mut self, engine: &mut Engine) -> Result<Agreement> {
        let sight = Sight::new(&self.info, &self.names, &self.original_names, &self.batch_shape())?;
        let here = sight.of(self.engines.of(sight.ranks(), &self.sessions, &self.explained)?, None)?;
        Ok(here.against(&sight.of(engine, Some(&here))?))
    }

    fn place_on(&self, provider: Provider) -> Place {
        let Explainer { options, info, names, .. } = self;
        if provider == Provider::Cpu {
            return Place::default();
        }
        let inputs = self.explained.inputs();
        let free = inputs.iter().filter(|input| input.shape.as_ref().is_some_and(|shape| shape.contains(&None)));
        let range = |name: &String| {
            let (usual, most) = if *name == names.target || *name == names.versus {
                // several classes of one picture, or one of each
                match self.batch_size() {
                    1 => (vec![1], vec![MAPS]),
                    pictures => (vec![pictures], vec![pictures]),
                }
            } else {
                (self.batch_shape(), self.batch_shape())
            };
            let least = if usual.len() == 1 { vec![1] } else { usual.clone() };
            Range { name: name.clone(), least, usual, most }
        };
        Place {
            provider,
            quantised: info.format.quantised.is_some(),
            shapes: free.map(|input| range(&input.name)).collect(),
            ..options.place(provider)
        }
    }

    /// How far outputs may be off and how much maps must be alike: fewer digits, more freedom.
    fn limits(&self) -> Agreement {
        let ModelInfo { format, .. } = &self.info;
        let exact =
            self.options.precision == Precision::Fp32 && format.quantised.is_none() && format.computed == DType::F32;
        if exact { Agreement { outputs: 1e-2, cosine: 0.99 } } else { Agreement { outputs: 0.1, cosine: 0.9 } }
    }
}
