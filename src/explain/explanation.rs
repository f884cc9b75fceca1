//! What comes out for a frame: a map for each class explained.

use std::time::Duration;

use ndarray::Array2;

use super::{Guess, Scores};
use crate::frame::Region;

/// One class, explained.
#[derive(Debug, Clone)]
pub struct ClassMap {
    /// Class index.
    pub class: usize,
    /// Its name ("class 17" where none is known).
    pub label: String,
    /// Its probability.
    pub score: f32,
    /// The raw map, [h, w], before any scaling. All finite.
    pub map: Array2<f32>,
    /// Whether the map is without the method's ReLU: what is below zero speaks against the class.
    pub signed: bool,
    /// Why the map is zero everywhere, if it is: a sentence's end, as in "nothing is painted: {reason}".
    pub reason: Option<String>,
}

/// One frame, explained.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// One for each target, in the order asked.
    pub maps: Vec<ClassMap>,
    /// How likely every class is.
    pub scores: Scores,
    /// The part of the frame that the map covers.
    pub region: Region,
    /// Time of the run itself, of all pictures that were in it.
    pub took: Duration,
}

impl ClassMap {
    /// The class and how likely it is.
    pub fn guess(&self) -> Guess {
        Guess { class: self.class, label: self.label.clone(), score: self.score }
    }

    /// What is written on a frame: [`Guess::caption`].
    pub fn caption(&self) -> String {
        self.guess().caption()
    }
}

impl Explanation {
    /// The `k` likeliest classes, the likeliest first; of scores that are not one for each class of the picture (segmentation,
    /// detection) those of the classes explained.
    pub fn best(&self, k: usize) -> Vec<Guess> {
        if !self.scores.is_empty() {
            return self.scores.best(k);
        }
        let mut seen: Vec<Guess> = self.maps.iter().map(ClassMap::guess).collect();
        seen.sort_by(|a, b| b.score.total_cmp(&a.score));
        seen.truncate(k);
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn seen(label: &str, map: Array2<f32>) -> ClassMap {
        ClassMap { class: 3, label: label.into(), score: 0.384, map, signed: false, reason: None }
    }

    #[test]
    fn captions_are_one_name_and_a_whole_percentage() {
        assert_eq!(seen("Egyptian cat", array![[1.0]]).caption(), "Egyptian cat 38 %");
        assert_eq!(seen("robin, American robin", array![[1.0]]).caption(), "robin 38 %");
    }

    #[test]
    fn without_a_score_for_each_class_the_best_are_those_explained() {
        let maps = [("cat", 0.2), ("dog", 0.7)].map(|(label, score)| ClassMap { score, ..seen(label, array![[1.0]]) });
        let region = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        let seen = Explanation { maps: maps.into(), scores: Scores::default(), region, took: Duration::ZERO };
        let best = |k| seen.best(k).into_iter().map(|guess| guess.label).collect::<Vec<_>>();
        assert_eq!(best(5), ["dog", "cat"]);
        assert_eq!(best(1), ["dog"]);
    }
}
