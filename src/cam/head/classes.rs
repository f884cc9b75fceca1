//! One score a class.

use super::end::End;
use super::view::View;
use super::{Activation, Candidate, Doubt, Explained, Head, Not, Reading, ScoreKind};
use crate::onnx::{Attr, Emit, Val};

/// The score of a class is its logit.
#[derive(Debug)]
struct Classes;

/// The number of scores for one picture, if they lie along one axis; every other but the pictures' has length 1.
pub(super) fn scores(shape: &[usize], pictures: usize) -> Option<usize> {
    let rest = match shape {
        rest if pictures == 1 => rest,
        [first, rest @ ..] if *first == pictures => rest,
        _ => return None,
    };
    let long = rest.iter().filter(|&&length| length != 1).count();
    (long <= 1).then(|| rest.iter().product())
}

pub(super) fn read(view: &View, end: &End) -> Result<Candidate, Not> {
    let count = scores(&end.shape, view.pictures()).ok_or(Not::Shape)?;
    if count == 1 && end.activation == Some(Activation::Softmax) {
        return Err(Not::one_class());
    }
    if count == 0 {
        return Err(Not::Broken("has zero classes; export it again".into()));
    }
    let mut warnings = end.warnings.clone();
    warnings.extend(buried(view, end, count));
    let guess = if count == 1 { Activation::Sigmoid } else { Activation::Softmax };
    let head = Head {
        output: end.output.clone(),
        logits: end.scores.clone(),
        shape: end.shape.clone(),
        pictures: view.pictures(),
        classes: count,
        activation: end.activation.unwrap_or(guess),
        probabilities: end.probabilities.clone(),
        warnings,
        reading: Box::new(Classes),
    };
    Ok(Candidate { head, doubt: if count == 1 { Doubt::Open } else { Doubt::None } })
}

/// Scores that are sums or parts of probabilities: nothing in front of the softmax has one score a class.
fn buried(view: &View, end: &End, classes: usize) -> Option<String> {
    if end.activation.is_some() {
        return None;
    }
    let over_classes = |node: &crate::onnx::Node| {
        let shape = node.input(0).map(|x| view.shape(x)).unwrap_or_default();
        matches!(node.op().as_str(), "Softmax" | "LogSoftmax")
            && scores(shape, view.pictures()).is_some_and(|n| n >= classes)
    };
    let node = view.since_weights(&end.scores).into_iter().find(over_classes)?;
    Some(format!(
        "the scores {:?} are made of probabilities ({} node {:?}) in a way that is not looked through: they are explained as they \
         are, and the map fades where the model is sure",
        end.scores,
        node.op(),
        node.name()
    ))
}

impl Reading for Classes {
    fn kind(&self) -> ScoreKind {
        ScoreKind::Classes
    }

    fn write<'g>(&self, emit: &'g Emit<'g>, head: &Head) -> Explained<'g> {
        let table = [head.pictures, head.classes];
        let ranks = emit.tensor(&head.logits).reshape(&table);
        let probabilities = match (&head.probabilities, head.activation) {
            (Some(own), _) => emit.tensor(own).reshape(&table),
            (None, Activation::Softmax) => emit.node("Softmax", &[ranks], &[("axis", Attr::Int(1))], &table),
            (None, Activation::Sigmoid) => ranks.unary("Sigmoid"),
            (None, Activation::None) => ranks,
        };
        let shape = head.shape.clone();
        Explained { ranks, probabilities, seed: Box::new(move |class| emit.one_hot(class, &shape)) }
    }

    fn row<'g>(&self, weights: Val<'g>, class: Val<'g>) -> Option<Val<'g>> {
        Some(weights.at_class(class))
    }
}
