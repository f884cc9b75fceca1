//! Model in, explained model out: the contract's input and outputs, the backward pass and the map.

use super::head::{Head, ScoreKind, View};
use super::layer::{self, Layer};
use super::method::{self, Method, Recipe};
use super::{Target, classifier, fuse, guided, recipro};
use crate::autodiff::{self, Flow};
use crate::error::{Error, Result};
use crate::onnx::{Attr, DType, Emit, Facts, Graph, Model, Val};

/// What to explain.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// A tensor, node or module name, or a comma list of them, whose maps are fused; `None` = automatic.
    pub target_layer: Option<&'a str>,
    /// The output with the class scores; `None` = the only one.
    pub score_output: Option<&'a str>,
    /// What they belong to.
    pub score_kind: ScoreKind,
    /// How many class names are known; of a detector they tell scores from what stands beside them.
    pub class_names: Option<usize>,
    /// Explain each class against another: "why A and not B". Adds the input [`Names::versus`].
    pub versus: bool,
    /// Leave out the ReLU that maps end in: what is below zero speaks against the class, or for the one held against it.
    pub signed: bool,
    /// Publish the gradient at the layer too, under [`Names::gradient`] (for checks); of a method that runs copies of the head, the
    /// logits that the copies give for the layer as it is.
    pub with_gradient: bool,
}

/// Names of the contract's tensors; suffixed where the model used the plain name already.
#[derive(Debug, Clone, PartialEq)]
pub struct Names {
    /// int64 input: `[K]` of one picture; of several pictures a class for each, `[N]`, or one for all, `[1]`.
    pub target: String,
    /// int64 input, as `target`; only with [`Request::versus`].
    pub versus: String,
    /// int64 [N, K] output. Of several pictures K is 1.
    pub class: String,
    /// float32 [N, K] output.
    pub score: String,
    /// float32 [N, K, h, w] output; with [`Request::signed`] of either sign.
    pub map: String,
    /// float32 [N, K] output: the map's largest value before its ReLU. Where the map is zero everywhere it says why: below zero,
    /// every place speaks against the class; at zero, none speaks at all.
    pub peak: String,
    /// float32, the layer's shape; only with [`Request::with_gradient`].
    pub gradient: String,
    /// float32, the logits' shape: the gradient of the score with respect to them; only with [`Request::with_gradient`].
    pub seed: String,
}

/// An explained model and what was found on the way.
#[derive(Debug)]
pub struct Lowered {
    /// The model: its own input and outputs, and the contract's.
    pub model: Model,
    /// The contract's tensor names in it.
    pub names: Names,
    /// The score.
    pub head: Head,
    /// The method; of [`Method::Auto`] the one that was taken.
    pub method: Method,
    /// The target layer, whose grid the map has; of several the one with the largest grid.
    pub layer: Layer,
    /// All target layers, in the order asked.
    pub layers: Vec<Layer>,
    /// Layers that would do too, deepest first.
    pub usable: Vec<Layer>,
    /// Operators between layer and score: name, count, whether there is a rule.
    pub operators: Vec<(String, usize, bool)>,
    /// What the user should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Rewrites a model. `facts` are measured on it, `input` is the picture's input tensor.
///
/// [`Explainer`](crate::Explainer) measures by a run; of a small network they are known:
///
/// ```
/// use gstgradcam::cam::{Request, lower};
/// use gstgradcam::onnx::{DType, Fact, Facts, Model, Tensor};
///
/// # fn main() -> gstgradcam::Result<()> {
/// let mut model = Model::new(13);
/// model.add_input("picture", DType::F32, &[Some(1), Some(3), Some(4), Some(4)]);
/// model.add_initializer("filters", &Tensor::f32(&[2, 3, 1, 1], vec![0.5; 6]));
/// model.add_node("Conv", "conv", &["picture", "filters"], &["seen"], &[]);
/// model.add_node("GlobalAveragePool", "pool", &["seen"], &["pooled"], &[]);
/// model.add_node("Flatten", "flat", &["pooled"], &["logits"], &[]);
/// model.add_output("logits", Some(DType::F32), Some(&[Some(1), Some(2)]));
///
/// let shapes: [(&str, &[usize]); 5] = [
///     ("picture", &[1, 3, 4, 4]),
///     ("filters", &[2, 3, 1, 1]),
///     ("seen", &[1, 2, 4, 4]),
///     ("pooled", &[1, 2, 1, 1]),
///     ("logits", &[1, 2]),
/// ];
/// let fact = |shape: &[usize]| Fact { dtype: DType::F32, shape: shape.to_vec(), value: None };
/// let facts = Facts(shapes.map(|(name, shape)| (name.to_string(), fact(shape))).into());
///
/// let lowered = lower(&model, &facts, "picture", &Request::default())?;
/// assert_eq!(lowered.layer.tensor, "seen");
/// let outputs: Vec<String> = lowered.model.outputs().into_iter().map(|output| output.name).collect();
/// assert_eq!(outputs, ["logits", "gradcam_class", "gradcam_score", "gradcam_map", "gradcam_peak"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::ModelUnusable`] and [`Error::Setting`] where no output, or no single one, can be explained; see [`Layer::find`],
/// [`autodiff::gradient`]; `cam` refuses heads that are not pooled and linear, `recipro` heads that take one picture only;
/// [`Error::Setting`] where [`Request::signed`] is asked of a method that has no sign.
pub fn lower(model: &Model, facts: &Facts, input: &str, request: &Request) -> Result<Lowered> {
    if request.signed {
        request.method.check_sign()?;
    }
    if request.method != Method::Auto {
        return write(model, facts, input, request);
    }
    let with = |method| write(model, facts, input, &Request { method, ..*request });
    let (error, missing) = match with(Method::GradCam) {
        Err(error) => match error.without_rule() {
            Some(missing) => (error, missing),
            None => return Err(error),
        },
        done => return done,
    };
    let mut lowered = with(Method::Recipro)
        .map_err(|other| Error::ModelUnusable { why: format!("{error}. Nor without gradients: {other}") })?;
    lowered.warnings.push(format!(
        "there is no gradient rule for {missing}: method=auto takes recipro, which needs none and runs the head once for each of \
         the map's places; a deeper target-layer may do without"
    ));
    Ok(lowered)
}

fn write(model: &Model, facts: &Facts, input: &str, request: &Request) -> Result<Lowered> {
    on_score(model, facts, input, request, |found| write_on(found, request))
}

/// A model whose score was found and lies in one tensor, and what is known of it.
pub(super) struct Scored<'a, 'm> {
    pub model: &'m Model,
    pub graph: &'a Graph<'m>,
    pub facts: &'m Facts,
    /// The picture's input tensor.
    pub input: &'a str,
    pub head: Head,
}

/// Finds the score, and goes on with it.
pub(super) fn on_score<T>(
    model: &Model,
    facts: &Facts,
    input: &str,
    request: &Request,
    then: impl FnOnce(Scored) -> Result<T>,
) -> Result<T> {
    let graph = &Graph::new(model)?;
    let view = View { model, graph, facts, input, names: request.class_names };
    let mut head = Head::find(&view, request.score_output, request.score_kind)?;
    match head.join(model, graph, facts)? {
        Some((model, facts)) => then(Scored { model: &model, graph: &Graph::new(&model)?, facts: &facts, input, head }),
        None => then(Scored { model, graph, facts, input, head }),
    }
}

fn write_on(Scored { model, graph, facts, input, head }: Scored, request: &Request) -> Result<Lowered> {
    let usable = layer::usable(graph, facts, input, &head);
    let layers = fuse::layers(graph, facts, &head, request.target_layer, &usable)?;
    let cells = |layer: &Layer| layer.grid.shape(&layer.shape)[2..].iter().product::<usize>();
    // the first of the largest
    let layer = layers.iter().rev().max_by_key(|layer| cells(layer)).expect("no list is empty").clone();
    let path = autodiff::path(graph, &layer.tensor, &head.logits);
    let operators = autodiff::operators(graph, &path, model.opset());

    let emit = Emit::new(model, facts);
    let names = Names {
        target: emit.fresh("gradcam_target"),
        versus: emit.fresh("gradcam_versus"),
        class: emit.fresh("gradcam_class"),
        score: emit.fresh("gradcam_score"),
        map: emit.fresh("gradcam_map"),
        peak: emit.fresh("gradcam_peak"),
        gradient: emit.fresh("gradcam_gradient"),
        seed: emit.fresh("gradcam_seed"),
    };
    let pictures = head.pictures;
    let explained = head.write(&emit);
    if [explained.ranks, explained.probabilities].iter().any(|table| table.shape().len() != 2) {
        let why = format!("its class scores {:?} have the shape {:?}; export it again", head.logits, head.shape);
        return Err(Error::ModelUnusable { why });
    }
    let class = choose(&emit, explained.ranks, &names.target);
    let probability = at(&emit, explained.probabilities, class);
    let each = class.unstacked();
    let other = request.versus.then(|| choose(&emit, explained.ranks, &names.versus).unstacked());
    let seed = || match other {
        Some(other) => explained.seed(each) - explained.seed(other),
        None => explained.seed(each),
    };
    let tensors: Vec<&str> = layers.iter().map(|layer| layer.tensor.as_str()).collect();
    let activations = |layer: &Layer| layer.grid.pictures(emit.tensor(&layer.tensor));
    let recipe = request.method.recipe();
    let raw: Vec<Val> = match recipe {
        Recipe::Gradient(map) | Recipe::Guided(map) => {
            let gs = autodiff::gradients(&emit, graph, &head.logits, seed(), &tensors, Flow::Plain)?;
            if let (true, Some(i)) = (request.with_gradient, tensors.iter().position(|t| *t == layer.tensor)) {
                emit.publish(gs[i].expand(&layer.shape).single(), &names.gradient);
                emit.publish(seed().single(), &names.seed);
            }
            layers.iter().zip(gs).map(|(layer, g)| map(activations(layer), layer.grid.pictures(g))).collect()
        }
        Recipe::Activations(map) => layers.iter().map(|layer| map(activations(layer))).collect(),
        Recipe::Classifier => {
            let map = |layer| {
                let row = |class| classifier::row(&emit, graph, &head, layer, class);
                let rows = row(each)?;
                let rows = if let Some(other) = other { rows - row(other)? } else { rows };
                Ok(method::weighted(activations(layer), rows))
            };
            layers.iter().map(map).collect::<Result<_>>()?
        }
        Recipe::Masked => {
            let seen = |layer| recipro::recipro(&emit, graph, &head, layer, seed());
            let seen = layers.iter().map(seen).collect::<Result<Vec<_>>>()?;
            if request.with_gradient {
                emit.publish(seen[0].whole, &names.gradient);
            }
            seen.into_iter().map(|seen| seen.map).collect()
        }
    };
    let peaks: Vec<Val> = raw.iter().map(|map| map.max(&[2, 3]).reshape(&[pictures, 1])).collect();
    let peak = if let [peak] = peaks[..] { peak } else { emit.node("Max", &peaks, &[], &[pictures, 1]) };
    let maps = if request.signed { raw } else { raw.iter().map(|map| map.unary("Relu")).collect() };
    let [_, _, h, w] = layer.grid.shape(&layer.shape);
    let mut map = fuse::fuse(&maps, (h, w), request.signed).expect("there is a layer");
    if let Recipe::Guided(_) = recipe {
        let saliency = guided::saliency(&emit, graph, &head.logits, seed(), input)?;
        let size = saliency.shape();
        map = fuse::resize(map, (size[2], size[3])) * saliency;
    }
    let size = map.shape();
    emit.publish(class, &names.class);
    emit.publish(probability, &names.score);
    emit.publish(map.stacked(each), &names.map);
    emit.publish(peak.stacked(each), &names.peak);
    drop(explained);
    let patch = emit.finish()?;

    let mut explained = model.clone();
    explained.apply(patch);
    explained.add_input(&names.target, DType::I64, &[None]);
    if request.versus {
        explained.add_input(&names.versus, DType::I64, &[None]);
    }
    let (n, k) = (Some(pictures), (pictures > 1).then_some(1));
    explained.add_output(&names.class, Some(DType::I64), Some(&[n, k]));
    explained.add_output(&names.score, Some(DType::F32), Some(&[n, k]));
    explained.add_output(&names.map, Some(DType::F32), Some(&[n, k, Some(size[2]), Some(size[3])]));
    explained.add_output(&names.peak, Some(DType::F32), Some(&[n, k]));
    if request.with_gradient {
        explained.add_output(&names.gradient, None, None);
    }
    for (key, value) in [
        ("gradcam.version", env!("CARGO_PKG_VERSION")),
        ("gradcam.method", request.method.name()),
        ("gradcam.layer", &tensors.join(",")),
        ("gradcam.logits", &head.logits),
        ("gradcam.activation", head.activation.name()),
        ("gradcam.score-kind", head.kind().name()),
        ("gradcam.input", input),
        ("gradcam.name.target", &names.target),
        ("gradcam.name.class", &names.class),
        ("gradcam.name.score", &names.score),
        ("gradcam.name.map", &names.map),
        ("gradcam.name.peak", &names.peak),
    ] {
        explained.set_metadata(key, value);
    }
    if request.versus {
        explained.set_metadata("gradcam.name.versus", &names.versus);
    }
    if request.signed {
        explained.set_metadata("gradcam.signed", "true");
    }
    let (method, warnings) = (request.method, head.warnings.clone());
    Ok(Lowered { model: explained, names, head, method, layer, layers, usable, operators, warnings })
}

/// [N, K]: the target itself, or the class of that rank where it is negative. `target` holds K classes of one picture; of several
/// pictures one for each, or one for all.
fn choose<'g>(emit: &'g Emit<'g>, ranks: Val<'g>, target: &str) -> Val<'g> {
    let pictures = ranks.shape()[0];
    let few = ranks.shape()[1].min(Target::MAX_RANKS);
    let mut target = emit.named(target, &[1]);
    if pictures > 1 {
        target = emit.node("Reshape", &[target, emit.ints(&[-1, 1])], &[], &[1, 1]).expand(&[pictures, 1]);
    }
    let (zero, shape) = (emit.ints(&[0]), target.shape());
    let ranked = emit.node("Less", &[target, zero], &[], &shape);
    let rank = emit.node("Where", &[ranked, emit.ints(&[-1]) - target, zero], &[], &shape);
    let axis = ("axis", Attr::Int(1));
    let top = [pictures, few];
    let outputs: [&[usize]; 2] = [&top; 2];
    let best = if emit.model().opset() >= 10 {
        emit.node_out("TopK", &[ranks, emit.ints(&[few as i64])], std::slice::from_ref(&axis), &outputs)[1]
    } else {
        emit.node_out("TopK", &[ranks], &[axis, ("k", Attr::Int(few as i64))], &outputs)[1]
    };
    let best = at(emit, best, rank);
    emit.node("Where", &[ranked, best, target], &[], &[pictures, 1])
}

/// [N, K] of a table [N, C]: the values at the places of each picture, [N, K], or [K] of one picture.
fn at<'g>(emit: &'g Emit<'g>, table: Val<'g>, places: Val<'g>) -> Val<'g> {
    let axis = [("axis", Attr::Int(1))];
    let pictures = table.shape()[0];
    if pictures == 1 {
        let flat = match places.shape()[..] {
            [_] => places,
            _ => emit.node("Reshape", &[places, emit.ints(&[-1])], &[], &[1]),
        };
        return emit.node("Gather", &[table, flat], &axis, &[1, 1]);
    }
    if emit.model().opset() < 11 {
        return table.at_own_class(places).reshape(&[pictures, 1]);
    }
    emit.node("GatherElements", &[table, places], &axis, &[pictures, 1])
}
