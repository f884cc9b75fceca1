//! `Explainer`, the public heart: opens a model, probes it, lowers it, runs it.

mod agreement;
mod batch;
mod blank;
mod check;
mod copies;
mod engines;
mod equality;
mod explanation;
mod format;
mod info;
mod inspection;
mod opening;
mod options;
mod place;
mod probe;
mod room;
mod run;
mod scorer;
mod scores;
mod sessions;
mod summary;
mod verdict;

use std::path::Path;

pub use agreement::Agreement;
pub use check::{MapCheck, SelfCheck};
use engines::Engines;
pub use equality::CamEquality;
pub use explanation::{ClassMap, Explanation};
pub use format::NumberFormat;
pub use info::ModelInfo;
pub use inspection::{FileInfo, Inspection, ScoreInfo};
use ndarray::{Array1, ArrayD, ArrayViewD};
pub use opening::{Opening, Stage};
pub use options::Options;
pub use place::ProviderInfo;
pub use scorer::Scorer;
use scores::Table;
pub use scores::{Guess, Scores};
use sessions::Sessions;
pub use summary::Summary;
pub use verdict::Verdict;

use crate::cam::{self, Method, Names, Request, ScoreKind, Target};
use crate::engine::{Config, Engine, Input, Interrupter, Output};
use crate::error::{Error, Result};
use crate::labels;
use crate::onnx::{DType, Facts, Model, ValueInfo};
use crate::prep::{Preparer, ResizeMode, Spec, full_frame};

/// A model, opened and explained. `Send`.
///
/// ```
/// use gstgradcam::frame::Region;
/// use gstgradcam::{Explainer, Options};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (model, library) = ("models/efficientnet-lite0.onnx", std::fs::read_dir("runtime")?.flatten().map(|file| file.path()));
/// # let library = library.into_iter().find(|path| path.to_string_lossy().contains("libonnxruntime.so"));
/// # let options = Options { runtime_library: library, ..Options::default() };
/// let mut explainer = Explainer::open(model.as_ref(), &options)?;
/// println!("{} at {:?}", explainer.info().method.name(), explainer.info().layer);
///
/// // The model's input itself in place of a picture, and a class by its name beside the best one.
/// let input = ndarray::ArrayD::zeros(explainer.input_shape());
/// let targets = explainer.targets("-1, tabby")?;
/// let whole = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
/// let seen = explainer.explain_tensor(input.view(), &targets, whole)?;
/// assert_eq!(seen.maps[1].label, "tabby, tabby cat");
/// assert_eq!(seen.maps[0].map.dim(), (7, 7));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Explainer {
    engines: Engines,
    sessions: Sessions,
    /// As it was read, for as many pictures as are explained in one run.
    original: Model,
    /// The same for one, where they are more.
    single: Option<Model>,
    original_names: Vec<String>,
    explained: Model,
    names: Names,
    /// Where the scores of all classes are.
    table: Option<Table>,
    /// Classes held against the targets, where the model was opened to: one for all, or one for each.
    versus: Vec<Target>,
    shape: Vec<usize>,
    preparer: Preparer,
    buffer: Vec<f32>,
    info: ModelInfo,
    options: Options,
}

impl Explainer {
    /// Reads, checks, probes, lowers, self-checks.
    ///
    /// # Errors
    /// Whatever keeps this model from being explained, before any frame is seen: see [`Error`].
    pub fn open(model: &Path, options: &Options) -> Result<Explainer> {
        Self::open_watched(model, options, &Opening::default())
    }

    /// As [`Explainer::open`]; what was found on the way stays in `found` where it ends in an error.
    fn open_into(model: &Path, options: &Options, found: &mut Found, opening: &Opening) -> Result<Explainer> {
        opening.enter(Stage::Read)?;
        options.check_place()?;
        let original = found.model.insert(Model::load(model)?);
        found.declared = original.inputs();
        found.replaced = NumberFormat::replace(original);
        let metadata = original.metadata();
        let unread = original.drop_unread_inputs();
        let mut input = probe::picture(original, options.input_size)?;
        let elements = (input.channels, input.element());
        let mut spec = Spec::resolve(input.size, input.layout, elements, &metadata, Some(model), &options.prep)?;
        let frame = options.frame_size.filter(|_| spec.resize_mode == ResizeMode::FullFrame);
        if let Some(frame) = frame {
            (spec.width, spec.height) = full_frame(input.size, frame)?;
            input = probe::picture(original, Some((spec.width, spec.height)))?;
        } else if spec.resize_mode == ResizeMode::FullFrame {
            spec.origin += " (no frame is known yet: the input keeps its own size, and frames of other proportions are letterboxed)";
        }
        found.input = Some((input.name.clone(), input.shape.clone()));
        found.spec = Some(spec.clone());
        opening.enter(Stage::Probe)?;
        let config = Config { interrupter: Some(opening.interrupter()), ..options.engine() };
        let sessions = Sessions::of(original, &config)?;
        *original = probe::pin(original.clone(), &input, &sessions).map_err(|error| match (error, frame) {
            (Error::Setting { name: "input-size", why, .. }, Some((width, height))) => {
                let why = format!("for frames of {width}x{height} {why}, or use resize-mode=letterbox");
                Error::Setting { name: "resize-mode", value: ResizeMode::FullFrame.name().into(), why }
            }
            (other, _) => other,
        })?;
        let (names, mut warnings) = labels::resolve(options.labels_file.as_deref(), &metadata, Some(model))?;
        if !unread.is_empty() {
            warnings.push(format!("nothing in the model reads the inputs {unread:?}: left out"));
        }
        Self::write(found, input, spec, sessions, options, (names, warnings), opening)
    }

    /// The same model by another method or at other layers, with all other options as they are; the weights are shared.
    ///
    /// # Errors
    /// As [`Explainer::open`].
    pub fn with(&self, method: Method, target_layer: Option<&str>) -> Result<Explainer> {
        let options = Options { method, target_layer: target_layer.map(String::from), ..self.options.clone() };
        let spec = self.info.spec.clone();
        let single = self.single();
        let input = probe::picture(single, Some((spec.width, spec.height)))?;
        let names = (self.info.labels.to_vec(), Vec::new());
        let mut found = Found { model: Some(single.clone()), replaced: self.info.format.replaced, ..Found::default() };
        Self::write(&mut found, input, spec, self.sessions.clone(), &options, names, &Opening::default())
    }

    /// Measures, lowers and checks the model that was found, its input pinned; `names` are those of its classes, and what is to be
    /// said so far.
    fn write(
        found: &mut Found,
        input: probe::Picture,
        spec: Spec,
        sessions: Sessions,
        options: &Options,
        (names, mut warnings): (Vec<String>, Vec<String>),
        opening: &Opening,
    ) -> Result<Explainer> {
        let one = found.model.as_ref().expect("it was found");
        let shape = input.shape.clone();
        let (several, input, facts) = batch::several(one, input, options.batch_size, &sessions)?;
        let single = several.and_then(|several| found.model.replace(several));
        let original = found.model.as_ref().expect("it was found");
        let facts = &*found.facts.insert(facts);
        found.class_names = names.len();
        let request = options.request(names.len());
        opening.enter(Stage::Lower)?;
        let lowered = cam::lower(original, facts, &input.name, &request)?;
        let places = (input.name.as_str(), lowered.layer.tensor.as_str(), lowered.head.logits.as_str());
        let format = NumberFormat::of(original, facts, places, found.replaced)?;
        let kind = lowered.head.kind();
        let (labels, unfit) = if kind == ScoreKind::Binary {
            labels::fit_binary(names)
        } else {
            labels::fit(names, lowered.head.classes)
        };
        warnings.extend(unfit.into_iter().chain(lowered.warnings).chain(input.warning));
        let mut explained = lowered.model;
        let table = Table::of(&lowered.head, &mut explained);
        for (key, value) in spec.metadata() {
            explained.set_metadata(key, &value);
        }
        if !labels.is_empty() {
            explained.set_metadata("gradcam.labels", &labels.join("\n"));
        }
        opening.enter(Stage::Build)?;
        let mut engines = Engines::open(&sessions, &explained, &lowered.names, options.batch_size)?;
        warnings.extend(not_taken(options.runtime_library.as_deref(), engines.first().library()));
        warnings.extend(found.replaced.map(not_computed));
        let usable = lowered.usable.iter().map(|l| l.tensor.clone());
        let mut explainer = Explainer {
            engines,
            sessions,
            original_names: original.outputs().into_iter().map(|o| o.name).collect(),
            single,
            original: original.clone(),
            explained,
            names: lowered.names,
            table,
            versus: Vec::new(),
            buffer: Vec::new(),
            preparer: Preparer::new(spec.clone()),
            info: ModelInfo {
                input: input.name,
                input_type: input.dtype.name(),
                format,
                spec,
                activation: lowered.head.activation.name(),
                score_output: lowered.head.output,
                score_kind: kind,
                score: lowered.head.logits,
                classes: lowered.head.classes,
                method: lowered.method,
                versus: options.versus.is_some(),
                signed: options.signed,
                runner_ups: usable.filter(|name| lowered.layers.iter().all(|layer| *name != layer.tensor)).collect(),
                grid: lowered.layer.grid.describe(&lowered.layer.shape),
                layer: lowered.layer.tensor,
                layers: lowered.layers.into_iter().map(|layer| layer.tensor).collect(),
                layer_shape: lowered.layer.shape,
                operators: lowered.operators,
                labels: labels.into(),
                provider: ProviderInfo::default(),
                warnings,
                self_check: None,
            },
            shape,
            options: options.clone(),
        };
        if let Some(text) = &options.versus {
            explainer.set_versus(&explainer.info.versus(text)?)?;
        }
        if options.self_check {
            opening.enter(Stage::Check)?;
            let request = Request { method: explainer.info.method, versus: false, ..request };
            explainer.info.self_check = Some(check::run(&mut explainer, facts, &request)?);
        }
        opening.place(&mut explainer)?;
        explainer.sessions.part();
        Ok(explainer)
    }

    /// What was resolved.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// As [`ModelInfo::targets`].
    ///
    /// # Errors
    /// [`Error::Target`] with the range.
    pub fn targets(&self, text: &str) -> Result<Vec<Target>> {
        self.info.targets(text)
    }

    /// Holds other classes against the targets from here on: one for all, or one for each.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no such class, or the model was opened without [`Options::versus`].
    pub fn set_versus(&mut self, versus: &[Target]) -> Result<()> {
        let classes = self.info.classes;
        let refuse = |value: String, why: String| Err(Error::Setting { name: "versus", value, why });
        if let Some(target) = versus.iter().find(|target| !target.exists(classes)) {
            let why = format!("out of range: the model has {classes} classes; give {}", Target::range(classes));
            return refuse(target.code().to_string(), why);
        }
        if self.info.versus == versus.is_empty() {
            let codes: Vec<String> = versus.iter().map(|target| target.code().to_string()).collect();
            let why = "whether one class is held against another is decided when the model is opened; open it anew";
            return refuse(format!("{:?}", codes.join(",")), why.into());
        }
        self.versus = versus.to_vec();
        Ok(())
    }

    /// The classes held against the targets; none where the model was opened without.
    pub fn versus(&self) -> &[Target] {
        &self.versus
    }

    /// Preprocessing by itself, to run it on another thread than the model.
    pub fn preparer(&self) -> Preparer {
        Preparer::new(self.info.spec.clone())
    }

    /// The shape of a prepared input of one picture, e.g. [1, 3, 224, 224].
    pub fn input_shape(&self) -> &[usize] {
        &self.shape
    }

    /// Pictures that are explained in one run, N: [`Options::batch_size`].
    pub fn batch_size(&self) -> usize {
        self.options.batch_size
    }

    /// The model pinned to one picture.
    fn single(&self) -> &Model {
        self.single.as_ref().unwrap_or(&self.original)
    }

    /// The shape of the model's input, [N, 3, 224, 224].
    fn batch_shape(&self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        shape[0] = self.batch_size();
        shape
    }

    /// For stopping a run from another thread.
    pub fn interrupter(&self) -> Interrupter {
        self.engines.interrupter()
    }

    /// The explained model, as bytes of an ONNX file.
    ///
    /// # Errors
    /// [`Error::ModelUnusable`] where it cannot be written.
    pub fn explained_model(&self) -> Result<Vec<u8>> {
        self.explained.to_bytes()
    }

    /// The explained model as it is run for one class a picture: on the CPU the number of classes is fixed.
    ///
    /// # Errors
    /// As [`Explainer::explained_model`].
    pub fn explained_model_as_run(&self) -> Result<Vec<u8>> {
        self.engines.model(&self.explained, &self.names).to_bytes()
    }

    /// The model as it was read, its input of the size and for as many pictures as are explained, as bytes of an ONNX file.
    ///
    /// # Errors
    /// [`Error::ModelUnusable`] where it cannot be written.
    pub fn original_model(&self) -> Result<Vec<u8>> {
        self.original.to_bytes()
    }

    /// The original model's outputs on an input of N pictures: what the explained model's must equal.
    ///
    /// # Errors
    /// As [`Engine::new`] and [`Engine::run`].
    pub fn original_outputs(&self, input: ArrayViewD<f32>) -> Result<Vec<(String, ArrayD<f32>)>> {
        self.plain_outputs(&mut self.sessions.open(&self.original)?, input)
    }

    /// The original model's outputs, by a session on it.
    fn plain_outputs(&self, engine: &mut Engine, input: ArrayViewD<f32>) -> Result<Vec<(String, ArrayD<f32>)>> {
        floats(engine, &[(&self.info.input, Input::F32(input))], &self.original_names)
    }

    /// The same outputs as the explained model gives them.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn explained_outputs(&mut self, input: ArrayViewD<f32>) -> Result<Vec<(String, ArrayD<f32>)>> {
        let best = Array1::from_elem(1, -1i64);
        let versus = self.info.versus.then(|| best.clone());
        let mut inputs = vec![
            (self.info.input.as_str(), Input::F32(input)),
            (self.names.target.as_str(), Input::I64(best.view().into_dyn())),
        ];
        inputs.extend(versus.iter().map(|v| (self.names.versus.as_str(), Input::I64(v.view().into_dyn()))));
        floats(self.engines.first(), &inputs, &self.original_names)
    }
}

/// What opening a model has found, as far as it came.
#[derive(Debug, Default)]
struct Found {
    model: Option<Model>,
    /// What the file says that it is given, before sizes are pinned.
    declared: Vec<ValueInfo>,
    /// The picture's tensor and its shape.
    input: Option<(String, Vec<usize>)>,
    spec: Option<Spec>,
    /// The type that float32 takes the place of.
    replaced: Option<DType>,
    /// How many class names there are.
    class_names: usize,
    facts: Option<Facts>,
}

/// A process runs on one library: the user is told where the one asked for came too late.
fn not_taken(asked: Option<&Path>, loaded: &Path) -> Option<String> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    asked.filter(|asked| real(asked) != real(loaded)).map(|asked| {
        format!(
            "runtime-library {asked:?} is not used: this process loaded {loaded:?} before, and holds one ONNX Runtime; \
             start a process of its own for another"
        )
    })
}

/// A type that the runtime does not compute in.
fn not_computed(own: DType) -> String {
    format!(
        "the model computes in {}, for which ONNX Runtime has no operators on a CPU: it is computed in float32, and exported so",
        own.name()
    )
}

/// The float outputs among those named, and integers of 8 to 32 bits, as float32.
fn floats(engine: &mut Engine, inputs: &[(&str, Input)], names: &[String]) -> Result<Vec<(String, ArrayD<f32>)>> {
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let outputs = engine.run(inputs, &wanted)?;
    Ok(names.iter().cloned().zip(outputs).filter_map(|(name, output)| Some((name, as_floats(output)?))).collect())
}

/// What is float, or an integer of 8 to 32 bits, as float32.
fn as_floats(output: Output) -> Option<ArrayD<f32>> {
    match output {
        Output::F32(values) => Some(values),
        Output::I32(values) => Some(values.mapv(|x| x as f32)),
        _ => None,
    }
}

fn shape_error(e: ndarray::ShapeError) -> Error {
    Error::Inference { why: format!("an array has another shape than expected: {e}") }
}
