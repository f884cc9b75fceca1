//! One probe run: pins the input's size and measures every tensor's type and shape.

use std::collections::{HashMap, HashSet};

use ndarray::ArrayD;

use super::room;
use super::sessions::Sessions;
use crate::engine::{Input, Output};
use crate::error::{Error, Result};
use crate::onnx::{DType, Data, Fact, Facts, Graph, Model, Relaxed, Tensor, ValueInfo};
use crate::prep::{Element, Layout};

/// Input pixels that a model may ask for; more is a slip or an attack.
pub(super) const MAX_PIXELS: usize = 1 << 26;
/// Side of the input where neither model nor user says one.
const DEFAULT_SIDE: usize = 224;
/// Pictures at a time, at most: in a model that was exported for several, which is run once as it is before it is brought down to
/// one, and in a batch that is asked for.
pub(super) const MAX_BATCH: usize = 256;

/// Inputs that a message lists.
const MANY: usize = 8;

/// The picture's input, its sizes pinned.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// The shape that the file fixes, where it says one; else as `shape`.
    pub own: Vec<usize>,
    /// `(width, height)`
    pub size: (usize, usize),
    pub channels: usize,
    pub layout: Layout,
    pub warning: Option<String>,
}

impl Picture {
    /// What its elements hold, for the preprocessing.
    pub fn element(&self) -> Element {
        match self.dtype {
            DType::U8 => Element::Unsigned,
            DType::I8 => Element::Signed,
            _ => Element::Float,
        }
    }
}

/// Fixes the input's sizes to what was asked for: dynamic ones as they are, others by rewriting what follows from them.
pub(super) fn pin(mut model: Model, picture: &Picture, sessions: &Sessions) -> Result<Model> {
    set_shape(&mut model, picture, &picture.own);
    if picture.own == picture.shape {
        return Ok(model);
    }
    let size = match picture.layout {
        Layout::ChannelsFirst => (picture.own[3], picture.own[2]),
        Layout::ChannelsLast => (picture.own[2], picture.own[1]),
    };
    let own = Picture { shape: picture.own.clone(), size, ..picture.clone() };
    let facts = measure(&model, &own, sessions)?;
    let mut relaxed = Relaxed::new(model, facts, &picture.name);
    set_shape(relaxed.model_mut(), picture, &picture.shape);
    let refuse = |why: String| {
        let [own, asked] =
            [&picture.own, &picture.shape].map(|s| s.iter().map(usize::to_string).collect::<Vec<_>>().join("x"));
        let why = format!("the input cannot be {asked} instead of {own}: {why}");
        if picture.own[0] != 1 && picture.own[1..] == picture.shape[1..] {
            return Error::ModelUnusable { why: format!("{why}; export it with batch size 1 or dynamic") };
        }
        let (width, height) = picture.size;
        let why = format!("{why}; keep its own size or export the model with dynamic sizes");
        Error::Setting { name: "input-size", value: format!("{width}x{height}"), why }
    };
    let new = measure(relaxed.model(), picture, sessions).map_err(|error| match error {
        Error::Session { why } | Error::ModelUnusable { why } => refuse(relaxed.verdict(&why)),
        other => other,
    })?;
    relaxed.settle(&new).map_err(refuse)
}

pub(super) fn set_shape(model: &mut Model, picture: &Picture, shape: &[usize]) {
    model.pin_input(&picture.name, picture.dtype, shape);
    model.drop_declared_shapes();
}

/// Finds the picture's input and the sizes that it gets.
pub(super) fn picture(model: &Model, asked: Option<(usize, usize)>) -> Result<Picture> {
    let unusable = |why: String| Err(Error::ModelUnusable { why });
    let inputs = model.inputs();
    // files of older tools, and those without weights, declare every weight
    let list = || {
        let few: Vec<_> = inputs.iter().take(MANY).map(ValueInfo::to_string).collect();
        let more = inputs.len().saturating_sub(MANY);
        few.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
    };
    if model.metadata().contains_key("gradcam.version") && inputs.len() > 1 {
        return unusable("it is an explained model already (written by `gradcam export`); give the original".into());
    }
    let [input] = inputs.as_slice() else {
        return unusable(if inputs.is_empty() {
            "it has no input for a picture; export it with one".into()
        } else {
            format!("it has several inputs, {}; export it with one input, the picture", list())
        });
    };
    let dtype = match input.dtype {
        Some(dtype) if dtype.is_float() || dtype == DType::U8 => dtype,
        // quantised pictures say so; other integers may be anything
        Some(DType::I8) if model.nodes().any(|n| n.op() == "DequantizeLinear" && n.input(0) == Some(&input.name)) => {
            DType::I8
        }
        Some(_) => {
            return unusable(format!(
                "its input {input} is no picture: floating-point numbers, uint8, or int8 that a DequantizeLinear reads are \
                 needed; export it with a float32 input"
            ));
        }
        None => return unusable(format!("its input {input} is no picture: a tensor is needed, best a float32 one")),
    };
    let unknown = vec![None, Some(3), None, None];
    let dims = input.shape.as_ref().unwrap_or(&unknown);
    let &[batch, second, third, fourth] = dims.as_slice() else {
        return unusable(format!("its input {input} is no picture: four axes, [1, 3, height, width], are needed"));
    };
    if batch.is_some_and(|n| n == 0 || n > MAX_BATCH) {
        return unusable(format!(
            "its input {input} takes too many pictures at a time; export it with batch size 1 or dynamic"
        ));
    }
    let is_channels = |d: Option<usize>| matches!(d, Some(1 | 3));
    let last = is_channels(fourth) && !is_channels(second);
    let (layout, channels, height, width) = if last {
        (Layout::ChannelsLast, fourth, second, third)
    } else {
        (Layout::ChannelsFirst, second, third, fourth)
    };
    let channels = channels.unwrap_or(3);
    if !matches!(channels, 1 | 3) {
        return unusable(format!(
            "its input {input} has {channels} channels; export it for 3 (colour) or 1 (grey), which are supported"
        ));
    }
    if let Some((w, h)) = asked {
        let refuse = |why: String| Err(Error::Setting { name: "input-size", value: format!("{w}x{h}"), why });
        if pixels(w, h).is_none() {
            return refuse(format!("1 to {MAX_PIXELS} pixels are supported"));
        }
    }
    let guessed = asked.is_none() && (width.is_none() || height.is_none());
    let (wide, high) = asked.unwrap_or((width.unwrap_or(DEFAULT_SIDE), height.unwrap_or(DEFAULT_SIDE)));
    let (width, height) = (width.unwrap_or(wide), height.unwrap_or(high));
    if pixels(width, height).is_none_or(|n| n.saturating_mul(batch.unwrap_or(1)) > MAX_PIXELS) {
        return unusable(format!(
            "its input {input} is out of range: pictures of 1 to {MAX_PIXELS} pixels are supported, export it for another size"
        ));
    }
    let warning = guessed.then(|| {
        format!("the model's input size is dynamic: {width}x{height} is used; set input-size to the size that it was trained with")
    });
    let shape = |batch, width, height| match layout {
        Layout::ChannelsFirst => vec![batch, channels, height, width],
        Layout::ChannelsLast => vec![batch, height, width, channels],
    };
    let (own, shape) = (shape(batch.unwrap_or(1), width, height), shape(1, wide, high));
    Ok(Picture { name: input.name.clone(), dtype, shape, own, size: (wide, high), channels, layout, warning })
}

/// `None` where there are none, or more than a picture may have.
fn pixels(width: usize, height: usize) -> Option<usize> {
    width.checked_mul(height).filter(|n| (1..=MAX_PIXELS).contains(n))
}

/// A failure of the probe, told as what it is: no frame was there yet, and the size may have been a guess.
fn probe_error(error: Error, picture: &Picture) -> Error {
    let (width, height) = picture.size;
    let size = picture.warning.as_ref().map(|_| {
        format!(
            "the model leaves its input size open and {width}x{height} was tried, set input-size to the size that it was \
             trained with"
        )
    });
    match error {
        Error::Session { why } => {
            let hint = size.unwrap_or("export it again, or set runtime-library to a newer ONNX Runtime".into());
            Error::Session { why: format!("{why}; {hint}") }
        }
        Error::Inference { why } => {
            let hint = size.unwrap_or("export it again".into());
            Error::ModelUnusable {
                why: format!("it fails on a blank test picture of {width}x{height} ({why}); {hint}"),
            }
        }
        other => other,
    }
}

/// The nodes that a message of the runtime speaks of without their names: operators of other domains.
fn strangers(error: Error, graph: &Graph) -> Error {
    let Error::Session { why } = error else { return error };
    let meant = |op: &str| op.split_once("::").is_some_and(|(domain, op)| why.contains(&format!("{domain}:{op}")));
    let node = graph.order.iter().find(|n| meant(&n.op()) && !why.contains(n.name()));
    let named = node.map_or(String::new(), |n| format!(" (node {:?})", n.name()));
    Error::Session { why: why + &named }
}

/// The node behind a size below zero, at which the runtime's binding panics without a name: the first whose outputs it does not bear.
fn negative(error: Error, graph: &Graph, probe: &Model, names: &[&str], sessions: &Sessions) -> Error {
    let told = |error: &Error| matches!(error, Error::Session { why } if why.contains("dim_values must be -1"));
    if !told(&error) {
        return error;
    }
    let fails = |count: &usize| {
        let mut part = probe.clone();
        part.keep_outputs(&names[..*count]);
        sessions.unoptimized(&part).is_err_and(|error| told(&error))
    };
    let counts: Vec<usize> = (1..=names.len()).collect();
    let first = counts.partition_point(|count| !fails(count));
    match names.get(first).and_then(|name| graph.maker_node(name)) {
        Some(node) => Error::Session {
            why: format!("its {} node {:?} would make a tensor with a size below zero", node.op(), node.name()),
        },
        None => error,
    }
}

/// Runs the model once on a blank frame, every tensor an output.
pub(super) fn measure(model: &Model, picture: &Picture, sessions: &Sessions) -> Result<Facts> {
    let graph = Graph::new(model)?;
    let names: Vec<&str> = {
        let mut seen = HashSet::new();
        let made = graph.order.iter().flat_map(|n| n.outputs()).map(String::as_str);
        made.filter(|name| !name.is_empty() && seen.insert(*name)).collect()
    };
    let mut probe = model.clone();
    probe.keep_outputs(&names);
    let blank = ArrayD::<f32>::zeros(picture.shape.clone());
    let depends = depends_on_picture(&graph, &picture.name);
    let (kinds, outputs) = sessions
        .unoptimized(&probe)
        .map_err(|e| negative(strangers(e, &graph), &graph, &probe, &names, sessions))
        .and_then(|mut engine| {
            room::enough(model, &graph, picture, engine.outputs())?;
            let input = [(picture.name.as_str(), Input::F32(blank.view()))];
            let outputs = engine.run_for(&input, &names, |name| !depends.contains(name))?;
            let kinds: HashMap<String, DType> =
                engine.outputs().iter().map(|info| (info.name.clone(), DType::named(&info.kind))).collect();
            Ok((kinds, outputs))
        })
        .map_err(|e| probe_error(e, picture))?;

    let mut facts: HashMap<String, Fact> = HashMap::new();
    facts.insert(picture.name.clone(), Fact { dtype: picture.dtype, shape: picture.shape.clone(), value: None });
    facts.extend(model.initializers().map(|(name, fact)| (name.to_string(), fact)));
    for (name, output) in names.iter().zip(outputs) {
        facts.insert(name.to_string(), fact(kinds.get(*name), output));
    }
    Ok(Facts(facts))
}

/// `declared` is the tensor's own type: values come in the few types that hold them.
fn fact(declared: Option<&DType>, output: Output) -> Fact {
    let (dtype, shape, data) = match output {
        Output::F32(a) => (DType::F32, a.shape().to_vec(), Data::F32(a.into_iter().collect())),
        Output::I64(a) => (DType::I64, a.shape().to_vec(), Data::I64(a.into_iter().collect())),
        Output::I32(a) => (DType::I32, a.shape().to_vec(), Data::I64(a.into_iter().map(i64::from).collect())),
        Output::Bool(a) => (DType::BOOL, a.shape().to_vec(), Data::Bool(a.into_iter().collect())),
        Output::Other(name, shape) => return Fact { dtype: DType::named(&name), shape, value: None },
    };
    let dtype = declared.copied().unwrap_or(dtype);
    Fact { dtype, value: Some(Tensor { shape: shape.clone(), data }), shape }
}

/// Tensors whose values change with the picture. Shapes do not: its size is pinned.
fn depends_on_picture<'m>(graph: &Graph<'m>, picture: &'m str) -> HashSet<&'m str> {
    let mut depends = HashSet::from([picture]);
    for node in &graph.order {
        let random = matches!(node.op().as_str(), "RandomNormal" | "RandomUniform" | "Multinomial" | "Bernoulli");
        let reads = node.reads().any(|x| depends.contains(x));
        if random || (reads && !matches!(node.op().as_str(), "Shape" | "Size")) {
            depends.extend(node.outputs().iter().map(String::as_str));
        }
    }
    depends
}
