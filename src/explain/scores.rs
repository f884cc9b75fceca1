//! How likely each class is: the list behind the classes that are explained, read off the model's own scores.

use std::sync::Arc;

use super::{ClassMap, ModelInfo};
use crate::cam::{Activation, Head, ScoreKind};
use crate::engine::Output;
use crate::labels;
use crate::onnx::Model;

/// One class and how likely it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// Class index.
    pub class: usize,
    /// Its name ("class 17" where none is known).
    pub label: String,
    /// Its probability.
    pub score: f32,
}

impl Guess {
    /// What is written on a frame, the first of the label's synonyms and its probability: "Egyptian cat 38 %".
    pub fn caption(&self) -> String {
        let name = self.label.split(',').next().unwrap_or_default().trim_end();
        format!("{name} {:.0} %", self.score * 100.0)
    }
}

/// A value for each class, `[C]`, and how it becomes a probability. Empty where the model's scores are not one for each class of the
/// picture: segmentation and detection.
#[derive(Debug, Clone)]
pub struct Scores {
    values: Vec<f32>,
    activation: Activation,
    labels: Arc<[String]>,
    /// The likeliest classes, where the values are not known any more.
    listed: Vec<Guess>,
}

impl Default for Scores {
    fn default() -> Self {
        Scores { values: Vec::new(), activation: Activation::None, labels: Arc::default(), listed: Vec::new() }
    }
}

impl Scores {
    /// The `k` likeliest classes, the likeliest first; of equal ones the first. All that there are, where they are fewer.
    pub fn best(&self, k: usize) -> Vec<Guess> {
        if self.values.is_empty() {
            return self.listed.iter().take(k).cloned().collect();
        }
        let mut order: Vec<usize> = (0..self.values.len()).collect();
        let hotter = |a: &usize, b: &usize| self.values[*b].total_cmp(&self.values[*a]).then(a.cmp(b));
        if (1..order.len()).contains(&k) {
            order.select_nth_unstable_by(k - 1, hotter);
        }
        order.truncate(k);
        order.sort_unstable_by(hotter);
        let top = order.first().map_or(0.0, |&class| f64::from(self.values[class]));
        let above = |class: usize| (f64::from(self.values[class]) - top).exp();
        let total: f64 = match self.activation {
            Activation::Softmax => (0..self.values.len()).map(above).sum(),
            _ => 1.0,
        };
        let probability = |class: usize| match self.activation {
            Activation::Softmax => (above(class) / total) as f32,
            Activation::Sigmoid => (1.0 / (1.0 + (-f64::from(self.values[class])).exp())) as f32,
            Activation::None => self.values[class],
        };
        let guess = |class| Guess { class, label: labels::name(&self.labels, class), score: probability(class) };
        order.into_iter().map(guess).collect()
    }

    /// Those that were the best ones, the likeliest first: all that a recording knows.
    pub(crate) fn listed(best: &[Guess]) -> Scores {
        Scores { listed: best.to_vec(), ..Scores::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.listed.is_empty()
    }
}

/// The tensor that holds a value for each class.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) tensor: String,
    activation: Activation,
}

impl Table {
    /// The logits, or the probabilities that the model makes of them: whichever is an output already, else the logits, which become
    /// one. `None` for scores that are not one a class; one score for two classes needs no table.
    pub(super) fn of(head: &Head, explained: &mut Model) -> Option<Table> {
        if head.kind() != ScoreKind::Classes {
            return None;
        }
        let logits = (&head.logits, head.activation);
        let own = head.probabilities.as_ref().map(|own| (own, Activation::None));
        let outputs = explained.outputs();
        let is_output = |(tensor, _): &(&String, Activation)| outputs.iter().any(|output| output.name == **tensor);
        let (tensor, activation) = [Some(logits), own].into_iter().flatten().find(is_output).unwrap_or_else(|| {
            explained.add_output(&head.logits, None, None);
            logits
        });
        Some(Table { tensor: tensor.clone(), activation })
    }

    /// The scores of picture `n` of so many that came out of a run with this tensor, whose values are a picture's after another's.
    pub(super) fn scores(&self, output: &Output, (n, pictures): (usize, usize), info: &ModelInfo) -> Scores {
        match output {
            Output::F32(values) => Scores {
                values: values
                    .iter()
                    .skip(n * values.len() / pictures)
                    .take(values.len() / pictures)
                    .copied()
                    .collect(),
                activation: self.activation,
                labels: info.labels.clone(),
                listed: Vec::new(),
            },
            _ => Scores::default(),
        }
    }
}

/// Of one score for two classes: the probabilities of both, which add up to 1.
pub(super) fn of_two(one: &ClassMap, info: &ModelInfo) -> Scores {
    let mut values = vec![1.0 - one.score; 2];
    values[one.class.min(1)] = one.score;
    Scores { values, labels: info.labels.clone(), ..Scores::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(values: &[f32], activation: Activation) -> Scores {
        Scores { values: values.to_vec(), activation, labels: ["a", "b"].map(String::from).into(), listed: Vec::new() }
    }

    fn best(scores: &Scores, k: usize) -> Vec<(usize, f32)> {
        scores.best(k).into_iter().map(|guess| (guess.class, guess.score)).collect()
    }

    #[test]
    fn the_best_come_first_and_of_equals_the_first_class() {
        let seen = scores(&[0.1, 0.4, 0.1, 0.4], Activation::None);
        assert_eq!(best(&seen, 3), [(1, 0.4), (3, 0.4), (0, 0.1)]);
        assert_eq!(best(&seen, 9).len(), 4);
        assert_eq!(best(&seen, 0), []);
        assert_eq!(best(&Scores::default(), 3), []);
        assert_eq!(best(&Scores::listed(&seen.best(2)), 9), [(1, 0.4), (3, 0.4)]);
        assert_eq!(
            seen.best(4).into_iter().map(|guess| guess.label).collect::<Vec<_>>(),
            ["b", "class 3", "a", "class 2"]
        );
    }

    #[test]
    fn logits_become_probabilities() {
        // e^1, e^0 of e + 1 + 1
        let seen = best(&scores(&[1000.0, 1001.0, 1000.0], Activation::Softmax), 2);
        assert_eq!((seen[0].0, seen[1].0), (1, 0));
        assert!((seen[0].1 - 0.576_116_9).abs() < 1e-6 && (seen[1].1 - 0.211_941_55).abs() < 1e-6, "{seen:?}");
        let seen = best(&scores(&[0.0, -2.0], Activation::Sigmoid), 2);
        assert!(seen[0] == (0, 0.5) && (seen[1].1 - 0.119_202_92).abs() < 1e-7, "{seen:?}");
    }
}
