//! Model in, explained model out: the contract's input and outputs, the backward pass and the map.

use super::Target;
use super::classifier;
use super::head::{Activation, Head};
use super::layer::{self, Layer};
use super::method::{self, Method, Recipe};
use crate::autodiff;
use crate::error::Result;
use crate::onnx::{Attr, DType, Emit, Facts, Graph, Model, Val};

/// What to explain.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// A tensor, node or module name; `None` = automatic.
    pub target_layer: Option<&'a str>,
    /// The output with the class scores; `None` = the only one.
    pub score_output: Option<&'a str>,
    /// Publish the gradient at the layer too, under [`Names::gradient`] (for checks).
    pub with_gradient: bool,
}

/// Names of the contract's tensors; suffixed where the model used the plain name already.
#[derive(Debug, Clone, PartialEq)]
pub struct Names {
    /// int64 [K] input.
    pub target: String,
    /// int64 [N, K] output.
    pub class: String,
    /// float32 [N, K] output.
    pub score: String,
    /// float32 [N, K, h, w] output.
    pub map: String,
    /// float32, the layer's shape; only with [`Request::with_gradient`].
    pub gradient: String,
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
    /// The target layer.
    pub layer: Layer,
    /// Layers that would do too, deepest first.
    pub usable: Vec<Layer>,
    /// Operators between layer and score: name, count, whether there is a rule.
    pub operators: Vec<(String, usize, bool)>,
}

/// Rewrites a model. `facts` are measured on it, `input` is the picture's input tensor.
///
/// # Errors
/// See [`Head::find`], [`Layer::find`], [`autodiff::gradient`]; `cam` refuses heads that are not pooled and linear.
pub fn lower(model: &Model, facts: &Facts, input: &str, request: &Request) -> Result<Lowered> {
    let graph = Graph::new(model)?;
    let head = Head::find(model, &graph, facts, request.score_output)?;
    let usable = layer::usable(&graph, facts, input, &head);
    let layer = Layer::find(&graph, facts, &head, request.target_layer, &usable)?;
    let path = autodiff::path(&graph, &layer.tensor, &head.logits);
    let operators = autodiff::operators(&graph, &path, model.opset());

    let emit = Emit::new(model, facts);
    let names = Names {
        target: emit.fresh("gradcam_target"),
        class: emit.fresh("gradcam_class"),
        score: emit.fresh("gradcam_score"),
        map: emit.fresh("gradcam_map"),
        gradient: emit.fresh("gradcam_gradient"),
    };
    let pictures = head.shape[0];
    let logits = head.scores(&emit);
    let class = choose(&emit, logits, &names.target);
    let probability = probability(&emit, &head, logits, class);
    let activations = layer.grid.pictures(emit.tensor(&layer.tensor));
    let each = class.unstacked();
    let map = match request.method.recipe() {
        Recipe::Gradient(map) => {
            let seed = head.seed(&emit, each);
            let g = autodiff::gradient(&emit, &graph, &head.logits, seed, &layer.tensor)?;
            if request.with_gradient {
                emit.publish(g.expand(&layer.shape).single(), &names.gradient);
            }
            map(activations, layer.grid.pictures(g))
        }
        Recipe::Classifier => method::weighted(activations, classifier::row(&emit, &graph, &head, &layer, each)?),
    };
    emit.publish(class, &names.class);
    emit.publish(probability, &names.score);
    emit.publish(map.stacked(each), &names.map);
    let patch = emit.finish()?;

    let mut explained = model.clone();
    explained.apply(patch);
    explained.add_input(&names.target, DType::I64, &[None]);
    let n = Some(pictures);
    let [_, _, h, w] = layer.grid.shape(&layer.shape);
    explained.add_output(&names.class, Some(DType::I64), Some(&[n, None]));
    explained.add_output(&names.score, Some(DType::F32), Some(&[n, None]));
    explained.add_output(&names.map, Some(DType::F32), Some(&[n, None, Some(h), Some(w)]));
    if request.with_gradient {
        explained.add_output(&names.gradient, None, None);
    }
    for (key, value) in [
        ("gradcam.version", env!("CARGO_PKG_VERSION")),
        ("gradcam.method", request.method.name()),
        ("gradcam.layer", &layer.tensor),
        ("gradcam.logits", &head.logits),
        ("gradcam.activation", head.activation.name()),
        ("gradcam.input", input),
        ("gradcam.name.target", &names.target),
        ("gradcam.name.class", &names.class),
        ("gradcam.name.score", &names.score),
        ("gradcam.name.map", &names.map),
    ] {
        explained.set_metadata(key, value);
    }
    Ok(Lowered { model: explained, names, head, layer, usable, operators })
}

/// [N, K]: the target itself, or the class of that rank where it is negative.
fn choose<'g>(emit: &'g Emit<'g>, logits: Val<'g>, target: &str) -> Val<'g> {
    let shape = logits.shape();
    let ranks = shape[1].min(Target::MAX_RANKS);
    let target = emit.named(target, &[1]);
    let zero = emit.ints(&[0]);
    let ranked = emit.node("Less", &[target, zero], &[], &[1]);
    let rank = emit.node("Where", &[ranked, emit.ints(&[-1]) - target, zero], &[], &[1]);
    let axis = ("axis", Attr::Int(1));
    let top = [shape[0], ranks];
    let outputs: [&[usize]; 2] = [&top; 2];
    let best = if emit.model().opset() >= 10 {
        emit.node_out("TopK", &[logits, emit.ints(&[ranks as i64])], std::slice::from_ref(&axis), &outputs)[1]
    } else {
        emit.node_out("TopK", &[logits], &[axis.clone(), ("k", Attr::Int(ranks as i64))], &outputs)[1]
    };
    let best = emit.node("Gather", &[best, rank], &[axis], &[shape[0], 1]);
    emit.node("Where", &[ranked, best, target], &[], &[shape[0], 1])
}

/// [N, K]: the probability of each class that is explained.
fn probability<'g>(emit: &'g Emit<'g>, head: &Head, logits: Val<'g>, class: Val<'g>) -> Val<'g> {
    let axis = [("axis", Attr::Int(1))];
    let pictures = head.shape[0];
    let own = head.probabilities.as_ref().map(|name| emit.tensor(name).reshape(&logits.shape()));
    let pick = |from: Val<'g>| {
        if pictures == 1 {
            let flat = emit.node("Reshape", &[class, emit.ints(&[-1])], &[], &[1]);
            return emit.node("Gather", &[from, flat], &axis, &[1, 1]);
        }
        emit.node("GatherElements", &[from, class], &axis, &[pictures, 1])
    };
    match (own, head.activation) {
        (Some(own), _) => pick(own),
        (None, Activation::Sigmoid) => pick(logits).unary("Sigmoid"),
        (None, Activation::Softmax) => pick(emit.node("Softmax", &[logits], &axis, &logits.shape())),
    }
}
