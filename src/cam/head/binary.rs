//! One score for two classes.

use super::classes::scores;
use super::end::End;
use super::view::View;
use super::{Activation, Candidate, Doubt, Explained, Head, Not, Reading, ScoreKind};
use crate::onnx::{Emit, Val};

/// The score of one class is the logit, that of the other the negated logit; the likelier class is the one above zero.
#[derive(Debug)]
struct Binary {
    /// The class of the logit: 1, unless the graph says otherwise.
    positive: usize,
}

pub(super) fn read(view: &View, end: &End) -> Result<Candidate, Not> {
    if scores(&end.shape, view.pictures()) != Some(1) {
        return Err(Not::Shape);
    }
    let doubt = match end.activation {
        Some(Activation::Softmax) => {
            return Err(Not::one_class());
        }
        Some(_) => Doubt::None,
        None => Doubt::Warn(format!(
            "the one score {:?} is taken for the logit of class 1 of two classes, for there is no sigmoid that says so; \
             score-kind=binary keeps this, score-kind=classes explains the score by itself",
            end.scores
        )),
    };
    let head = Head {
        output: end.output.clone(),
        logits: end.scores.clone(),
        shape: end.shape.clone(),
        pictures: view.pictures(),
        classes: 2,
        activation: Activation::Sigmoid,
        probabilities: end.probabilities.clone(),
        warnings: end.warnings.clone(),
        reading: Box::new(Binary { positive: end.positive }),
    };
    Ok(Candidate { head, doubt })
}

impl Binary {
    /// 1 for the class of the logit, -1 for the other; [N, 1].
    fn sign<'g>(&self, class: Val<'g>) -> Val<'g> {
        let one = class.cast(1) * 2.0 - 1.0;
        if self.positive == 1 { one } else { -one }
    }

    /// [N, 2] of the two classes' values.
    fn both<'g>(&self, negative: Val<'g>, positive: Val<'g>) -> Val<'g> {
        Val::concat(&if self.positive == 1 { [negative, positive] } else { [positive, negative] }, 1)
    }
}

impl Reading for Binary {
    fn kind(&self) -> ScoreKind {
        ScoreKind::Binary
    }

    fn write<'g>(&self, emit: &'g Emit<'g>, head: &Head) -> Explained<'g> {
        let column = [head.pictures, 1];
        let logit = emit.tensor(&head.logits).reshape(&column);
        let ranks = self.both(-logit, logit);
        let probabilities = match &head.probabilities {
            Some(own) => {
                let own = emit.tensor(own).reshape(&column);
                self.both(1.0 - own, own)
            }
            None => ranks.unary("Sigmoid"),
        };
        let (shape, positive) = (head.shape.clone(), self.positive);
        let seed = move |class| Binary { positive }.sign(class).reshape(&shape);
        Explained { ranks, probabilities, seed: Box::new(seed) }
    }

    fn row<'g>(&self, weights: Val<'g>, class: Val<'g>) -> Option<Val<'g>> {
        Some(weights * self.sign(class))
    }
}
