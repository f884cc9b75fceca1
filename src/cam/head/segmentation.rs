//! A score for each class in each place.
//!
//! The score of a class is the sum of its logit over the places where it wins, which are held fixed: what pytorch-grad-cam's
//! SemanticSegmentationTarget sums with the mask of the prediction. Classes are ranked by how many places they win, then by how sure
//! the model is there. A class's probability is the mean of its probability over the places it wins, 0 where it wins none.

use super::end::End;
use super::view::View;
use super::{Activation, Candidate, Doubt, Explained, Head, Not, Reading, ScoreKind};
use crate::cam::axes::Kind;
use crate::cam::trace::Trace;
use crate::onnx::{Attr, Data, Emit, Tensor, Val};

#[derive(Debug)]
struct Segmentation {
    /// The axis of the classes. Of length 1, it holds the logit of class 1 of two.
    axis: usize,
}

pub(super) fn read(view: &View, end: &End) -> Result<Candidate, Not> {
    let (shape, pictures) = (&end.shape, view.pictures());
    let first = match shape.len() {
        4 if shape[0] == pictures => 1,
        3 if pictures == 1 => 0,
        _ => return Err(Not::Shape),
    };
    let told = end.axis.filter(|&axis| axis >= first && shape[axis] > 1);
    // without an axis of pictures, the classes' is not the first by habit
    let habit = (first == 1).then_some(first);
    let axis = told.or_else(|| traced(view, &end.scores, first)).or(habit).ok_or(Not::Shape)?;
    let (length, size): (usize, Vec<usize>) = (shape[axis], grid(shape.len(), first, axis).map(|a| shape[a]).collect());
    if size.iter().any(|&n| n < 2) || length == 0 {
        return Err(Not::Shape);
    }
    if length == 1 && end.activation == Some(Activation::Softmax) {
        return Err(Not::one_class());
    }
    let classes = length.max(2);
    let named = view.names == Some(classes);
    let sided = |n: &usize| view.shape(view.input).contains(n);
    let doubt = match (told, end.activation) {
        _ if named => Doubt::None,
        (Some(_), _) => Doubt::None,
        (None, activation) if activation.is_some() || (length > 1 && size.iter().all(sided)) => Doubt::Warn(format!(
            "the output {:?} of shape {shape:?} is taken for a segmentation of {classes} classes{}; score-kind=segmentation says so",
            end.output,
            if activation.is_some() { ", for a sigmoid makes it" } else { ", for it has the picture's size" }
        )),
        _ => Doubt::Open,
    };
    let head = Head {
        output: end.output.clone(),
        logits: end.scores.clone(),
        shape: shape.clone(),
        pictures,
        classes,
        activation: end.activation.unwrap_or(if length == 1 { Activation::Sigmoid } else { Activation::Softmax }),
        probabilities: end.probabilities.clone(),
        warnings: end.warnings.clone(),
        reading: Box::new(Segmentation { axis }),
    };
    Ok(Candidate { head, doubt })
}

/// The axis that is neither the pictures' nor rows nor columns, where these are known.
fn traced(view: &View, scores: &str, first: usize) -> Option<usize> {
    let trace = Trace::new(view.graph, view.facts);
    let axes = trace.axes(scores)?;
    let mut left = (first..axes.len()).filter(|&a| !axes[a].is(Kind::Row) && !axes[a].is(Kind::Column));
    let only = left.next()?;
    (left.next().is_none()).then_some(only)
}

/// Rows and columns.
fn grid(rank: usize, first: usize, axis: usize) -> impl Iterator<Item = usize> {
    (first..rank).filter(move |&a| a != axis)
}

impl Segmentation {
    /// 1 where a class wins, and how likely the winner is there, both in the rank of the logits; of a single logit, the mask of its
    /// two classes.
    fn winners<'g>(&self, emit: &'g Emit<'g>, head: &Head) -> (Val<'g>, Val<'g>) {
        let (logits, axis) = (emit.tensor(&head.logits), self.axis);
        let own = head.probabilities.as_ref().map(|own| emit.tensor(own).reshape(&head.shape));
        if head.shape[axis] == 1 {
            let positive = logits.above(0.0);
            let likely = own.unwrap_or_else(|| logits.unary("Sigmoid"));
            let winner = positive * likely + (1.0 - positive) * (1.0 - likely);
            return (Val::concat(&[1.0 - positive, positive], axis), winner);
        }
        let mut one = head.shape.clone();
        one[axis] = 1;
        // the first of equals, as argmax has it
        let best = [("axis", Attr::Int(axis as i64)), ("keepdims", Attr::Int(1))];
        let best = emit.node("ArgMax", &[logits], &best, &one);
        let mut along = vec![1; head.shape.len()];
        along[axis] = head.classes;
        let every = emit.constant(&Tensor { shape: along, data: Data::I64((0..head.classes as i64).collect()) });
        let largest = logits.max(&[axis]);
        let winner = match (own, head.activation) {
            (Some(own), _) => own.max(&[axis]),
            (None, Activation::Sigmoid) => largest.unary("Sigmoid"),
            // the softmax's largest value
            _ => 1.0 / (logits - largest).unary("Exp").sum(&[axis]),
        };
        (best.same(every), winner)
    }
}

impl Reading for Segmentation {
    fn kind(&self) -> ScoreKind {
        ScoreKind::Segmentation
    }

    fn write<'g>(&self, emit: &'g Emit<'g>, head: &Head) -> Explained<'g> {
        let (rank, axis, classes, pictures) = (head.shape.len(), self.axis, head.classes, head.pictures);
        let (mask, winner) = self.winners(emit, head);
        let grid: Vec<usize> = grid(rank, rank - 3, axis).collect();
        let total = |values: Val<'g>| values.sum(&grid).reshape(&[pictures, classes]);
        let area = total(mask);
        let probabilities =
            total(mask * winner) / emit.node("Max", &[area, emit.floats(&[], vec![1.0])], &[], &area.shape());
        let logits = head.shape[axis];
        let seed = move |class: Val<'g>| {
            let mut shape = vec![1; rank];
            shape[axis] = classes;
            if rank == 4 {
                shape[0] = pictures;
            }
            let of_class = emit.one_hot(class, &shape) * mask;
            if logits > 1 {
                return of_class;
            }
            let half = |class: usize| of_class.slice(&[(axis, class, class + 1, 1)]);
            half(1) - half(0)
        };
        // whole places first: no mean reaches 1/2 of one
        Explained { ranks: area + probabilities * 0.5, probabilities, seed: Box::new(seed) }
    }
}
