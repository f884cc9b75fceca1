//! What is explained: the class scores of a model, behind whatever makes probabilities of them.
//!
//! One file a kind of model, with a row in [`READERS`]: it looks at the end of an output and says what it would be as that kind, and
//! writes how its classes are ranked, how likely they are, and what is differentiated. A softmax left in an exported file is the
//! most frequent cause of wrong maps elsewhere: its gradient vanishes where the network is sure.

mod binary;
mod classes;
mod detection;
mod end;
mod entries;
mod search;
mod segmentation;
mod view;
mod written;

use std::collections::HashSet;

use end::End;
pub(super) use view::View;

use crate::error::Result;
use crate::onnx::{DType, Emit, Fact, Facts, Graph, Model, Val};

/// What a model's scores belong to (property `score-kind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum ScoreKind {
    /// What the graph shows; where it leaves two readings open, an error or a warning says so.
    #[default]
    Auto,
    /// One score a class: `[N, C]`, `[N, C, 1, 1]`, `[C]`, ...
    Classes,
    /// One score for two classes: class 1 is its logit, class 0 the negated one.
    Binary,
    /// A score for each class in each place: `[N, C, H, W]` or channels last.
    Segmentation,
    /// Boxes with scores: `[N, 4 + C, A]` (YOLO v8 and later) or `[N, A, 5 + C]` (with an objectness, v5 and v7).
    Detection,
}

/// One row a kind, besides `auto`: its name on the command line and in the property, and what reads an output as it.
static READERS: &[(ScoreKind, &str, Reader)] = &[
    (ScoreKind::Classes, "classes", classes::read),
    (ScoreKind::Binary, "binary", binary::read),
    (ScoreKind::Segmentation, "segmentation", segmentation::read),
    (ScoreKind::Detection, "detection", detection::read),
];

/// What an output would be as one kind; or why it cannot be.
type Reader = fn(&View, &End) -> Result<Candidate, Not>;

impl ScoreKind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = ScoreKind> {
        std::iter::once(ScoreKind::Auto).chain(READERS.iter().map(|(kind, ..)| *kind))
    }

    /// Its name on the command line and in the property.
    pub fn name(self) -> &'static str {
        READERS.iter().find(|(kind, ..)| *kind == self).map_or("auto", |(_, name, _)| name)
    }
}

/// What makes probabilities of the logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// One class of many.
    Softmax,
    /// Each class by itself.
    Sigmoid,
    /// Nothing that was found: the scores are taken as they are.
    None,
}

impl Activation {
    /// As ONNX calls the operator, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Softmax => "softmax",
            Activation::Sigmoid => "sigmoid",
            Activation::None => "none",
        }
    }
}

/// A model's end.
#[derive(Debug)]
pub struct Head {
    /// The model's output.
    pub output: String,
    /// The tensor that is differentiated: the logits.
    pub logits: String,
    /// Its measured shape.
    pub shape: Vec<usize>,
    /// Pictures in a run, N.
    pub pictures: usize,
    /// Number of classes C.
    pub classes: usize,
    /// How the model makes, or would make, probabilities.
    pub activation: Activation,
    /// The model's own probabilities, with as many elements as the logits and in their order, if it computes them.
    pub probabilities: Option<String>,
    /// What the user should know, a sentence each.
    pub warnings: Vec<String>,
    reading: Box<dyn Reading>,
}

/// Why an output is not of a kind.
#[derive(Debug)]
enum Not {
    /// By its shape.
    Shape,
    /// It would be, but for this: the end of a sentence.
    Broken(String),
}

impl Not {
    fn one_class() -> Not {
        Not::Broken("is a softmax over one class, which is 1 whatever the picture; export the score before it".into())
    }
}

/// A head, and what speaks against taking it unasked.
#[derive(Debug)]
struct Candidate {
    head: Head,
    doubt: Doubt,
}

#[derive(Debug)]
enum Doubt {
    None,
    /// Taken where nothing else is there, with this warning.
    Warn(String),
    /// Taken only if asked for: nothing in the graph says that it is so.
    Open,
}

/// One kind's way from the logits to what is explained.
trait Reading: std::fmt::Debug {
    fn kind(&self) -> ScoreKind;

    /// Written into the graph.
    fn write<'g>(&self, emit: &'g Emit<'g>, head: &Head) -> Explained<'g>;

    /// For a linear layer whose outputs are the logits, `weights` [logits, channels]: the gradient of the score of `class` with
    /// respect to its input, [N, channels]. `None` where the score is not one of one place.
    fn row<'g>(&self, _weights: Val<'g>, _class: Val<'g>) -> Option<Val<'g>> {
        None
    }

    /// The logits, where they lie in other tensors than the output.
    fn join<'g>(&self, _emit: &'g Emit<'g>, _graph: &Graph<'g>, _head: &Head) -> Option<Val<'g>> {
        None
    }
}

/// What is written for a head. The score that is explained is the sum of the logits weighed by the seed, which is held fixed.
pub(super) struct Explained<'g> {
    /// [N, C]: by what classes are ranked.
    pub ranks: Val<'g>,
    /// [N, C]: how likely each is.
    pub probabilities: Val<'g>,
    seed: Box<dyn Fn(Val<'g>) -> Val<'g> + 'g>,
}

impl<'g> Explained<'g> {
    /// The gradient of the score of `class` ([N, 1], int64, for each class explained) with respect to the logits, in their shape.
    pub fn seed(&self, class: Val<'g>) -> Val<'g> {
        (self.seed)(class)
    }
}

impl Head {
    /// What is read, as what kind: the output and kind asked for, or the only ones that fit.
    ///
    /// # Errors
    /// [`Error::ModelUnusable`] or [`Error::Setting`] listing the outputs and what each could be, where none or several would do.
    pub(super) fn find(view: &View, output: Option<&str>, kind: ScoreKind) -> Result<Head> {
        search::find(view, output, kind)
    }

    /// The kind that was taken, never [`ScoreKind::Auto`].
    pub fn kind(&self) -> ScoreKind {
        self.reading.kind()
    }

    pub(super) fn write<'g>(&self, emit: &'g Emit<'g>) -> Explained<'g> {
        self.reading.write(emit, self)
    }

    pub(super) fn row<'g>(&self, weights: Val<'g>, class: Val<'g>) -> Option<Val<'g>> {
        self.reading.row(weights, class)
    }

    /// Where the logits lie in several tensors: the model with one more, in which they are together, and its facts.
    ///
    /// # Errors
    /// [`Error::ModelUnusable`] where that cannot be written.
    pub(super) fn join(&mut self, model: &Model, graph: &Graph, facts: &Facts) -> Result<Option<(Model, Facts)>> {
        let emit = Emit::new(model, facts);
        let Some(logits) = self.reading.join(&emit, graph, self) else { return Ok(None) };
        (self.shape, self.logits) = (logits.shape(), logits.name());
        if facts.get(&self.logits).is_some() {
            return Ok(None);
        }
        self.logits = emit.fresh("gradcam_logits");
        emit.publish(logits, &self.logits);
        let mut facts = facts.clone();
        facts.0.extend(emit.written());
        facts.0.insert(self.logits.clone(), Fact { dtype: DType::F32, shape: self.shape.clone(), value: None });
        let mut model = model.clone();
        model.apply(emit.finish()?);
        Ok(Some((model, facts)))
    }
}

/// Tensors from which the logits come without a layer of weights in between: scores of classes already, no features. A convolution
/// that only mixes or enlarges as many channels as there are classes counts as none.
pub(super) fn reduced<'m>(graph: &Graph<'m>, facts: &Facts, head: &Head) -> HashSet<&'m str> {
    let mut found = HashSet::new();
    let mut open: Vec<&str> =
        graph.maker_node(&head.logits).iter().flat_map(|node| node.outputs()).map(String::as_str).collect();
    while let Some(tensor) = open.pop() {
        let Some(node) = graph.maker_node(tensor).filter(|_| found.insert(tensor)) else { continue };
        if !view::is_weighted(&node.op()) {
            open.extend(node.inputs().iter().map(String::as_str));
        } else if let Some(x) = node.input(0).filter(|_| node.op().starts_with("Conv")) {
            let channels = facts.shape(x).and_then(|shape| shape.get(1));
            open.extend((channels == Some(&head.classes)).then_some(x));
        }
    }
    found
}
