//! What a map says of the model: deletion and insertion, average drop and increase, ROAD.

use std::num::NonZero;
use std::sync::Mutex;

use gstgradcam::Scorer;
use ndarray::Array2;

use super::impute::impute;
use super::metrics::Metric;
use super::random::Random;
use super::{Settings, heat};
use crate::Result;

/// ROAD's deviation of the noise on what is filled in.
const NOISE: f32 = 0.01;
/// Per cent of the places that ROAD keeps.
const KEPT: [usize; 9] = [10, 20, 30, 40, 50, 60, 70, 80, 90];

/// The probabilities that a map's order of places leads to.
#[derive(Debug, Clone, Default)]
pub struct Faithful {
    /// Share of the places that were taken away, or given back.
    pub fractions: Vec<f64>,
    pub deletion: Vec<f64>,
    pub insertion: Vec<f64>,
    /// On the picture as it is.
    whole: f64,
    /// On the input times the map.
    masked: f64,
    /// After the hottest places were taken away and filled in, and after the coldest.
    hottest: Vec<f64>,
    coldest: Vec<f64>,
}

impl Faithful {
    /// One of the figures of this family; `None` where it was not asked for.
    pub fn figure(&self, metric: Metric, metrics: &[Metric]) -> Option<f64> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        metrics.contains(&metric).then_some(())?;
        match metric {
            Metric::Deletion => Some(area(&self.fractions, &self.deletion)),
            Metric::Insertion => Some(area(&self.fractions, &self.insertion)),
            Metric::Drop => Some((self.whole - self.masked).max(0.0) / self.whole.max(1e-7)),
            Metric::Increase => Some(if self.masked > self.whole { 1.0 } else { 0.0 }),
            Metric::Road => Some((mean(&self.coldest) - mean(&self.hottest)) / 2.0),
            Metric::Pointing | Metric::Energy => None,
        }
    }
}

/// One input that the model is run on; the first number is the map's.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Run {
    Whole,
    /// Nothing but the fill: of deletion, and of insertion where it has another.
    Empty(usize),
    /// So many of the hottest places are taken away.
    Deletion(usize, usize),
    /// So many of the hottest places are given back.
    Insertion(usize, usize),
    Masked(usize),
    /// The n-th of the inputs that ROAD makes.
    Road(usize, usize),
}

/// A map made ready.
struct Order {
    heat: Vec<f32>,
    ranks: Vec<usize>,
}

/// Runs the model on all that the maps ask for, a map that is the same everywhere left out; `progress` is told of each run.
pub fn measure(
    scorer: &mut Scorer,
    settings: &Settings,
    (class, case): (usize, u64),
    input: &[f32],
    maps: &[Array2<f32>],
    mut progress: impl FnMut(),
) -> Result<Vec<Option<Faithful>>> {
    let shape = settings.shape;
    let orders: Vec<Option<Order>> = maps
        .iter()
        .map(|map| {
            let heat = heat::scaled(map, shape.size())?;
            Some(Order { ranks: heat::ranks(&heat), heat })
        })
        .collect();
    let counts = counts(shape.places(), settings.steps);
    let runs = runs(settings, &counts, &orders);
    let fills = [settings.fill, settings.insertion_fill].map(|fill| fill.of(input, shape));
    let order = |map: usize| orders[map].as_ref().expect("only maps with an order are run");
    let mut road: Option<(usize, Vec<Vec<f32>>)> = None;
    let scores = scorer.scores(class, runs.len(), |i, out| {
        progress();
        match runs[i] {
            Run::Whole => out.copy_from_slice(input),
            Run::Empty(fill) => out.copy_from_slice(&fills[fill]),
            Run::Deletion(map, count) => {
                let ranks = &order(map).ranks;
                shape.write(out, |place, at| if ranks[place] < count { fills[0][at] } else { input[at] });
            }
            Run::Insertion(map, count) => {
                let ranks = &order(map).ranks;
                shape.write(out, |place, at| if ranks[place] < count { input[at] } else { fills[1][at] });
            }
            Run::Masked(map) => {
                let heat = &order(map).heat;
                shape.write(out, |place, at| input[at] * heat[place]);
            }
            Run::Road(map, n) => {
                if road.as_ref().is_none_or(|(of, _)| *of != map) {
                    road = Some((map, imputed(settings, case, input, &order(map).ranks)));
                }
                let (_, made) = road.as_ref().expect("it was just made");
                out.copy_from_slice(&made[n]);
            }
        }
        Ok::<(), crate::Failure>(())
    })?;
    let score = |run: Run| runs.iter().position(|r| *r == run).map_or(f64::NAN, |i| f64::from(scores[i]));
    let curves = |map: usize| {
        let last = counts.len() - 1;
        let inner = |run: fn(usize, usize) -> Run, (first, end): (Run, Run)| {
            let at = |i| {
                if i == 0 {
                    first
                } else if i == last {
                    end
                } else {
                    run(map, counts[i])
                }
            };
            (0..=last).map(|i| score(at(i))).collect()
        };
        let empty = Run::Empty(usize::from(settings.fill != settings.insertion_fill));
        let road = |from: usize| (from..from + KEPT.len()).map(|n| score(Run::Road(map, n))).collect();
        Faithful {
            fractions: counts.iter().map(|&count| count as f64 / shape.places() as f64).collect(),
            deletion: inner(Run::Deletion, (Run::Whole, Run::Empty(0))),
            insertion: inner(Run::Insertion, (empty, Run::Whole)),
            whole: score(Run::Whole),
            masked: score(Run::Masked(map)),
            hottest: road(0),
            coldest: road(KEPT.len()),
        }
    };
    Ok(orders.iter().enumerate().map(|(map, order)| order.as_ref().map(|_| curves(map))).collect())
}

/// How many runs a case of so many maps takes.
pub fn count(settings: &Settings, maps: usize) -> usize {
    let order = || Some(Order { heat: Vec::new(), ranks: Vec::new() });
    let orders: Vec<_> = (0..maps).map(|_| order()).collect();
    runs(settings, &counts(settings.shape.places(), settings.steps), &orders).len()
}

/// Every input once, those of a map one after the other.
fn runs(settings: &Settings, counts: &[usize], orders: &[Option<Order>]) -> Vec<Run> {
    let asked = |metrics: &[Metric]| metrics.iter().any(|metric| settings.metrics.contains(metric));
    let inner = &counts[1..counts.len() - 1];
    let mut runs = vec![Run::Whole];
    if asked(&[Metric::Deletion, Metric::Insertion]) {
        runs.push(Run::Empty(0));
        if settings.fill != settings.insertion_fill {
            runs.push(Run::Empty(1));
        }
    }
    for map in orders.iter().enumerate().filter_map(|(map, order)| order.as_ref().map(|_| map)) {
        if asked(&[Metric::Deletion]) {
            runs.extend(inner.iter().map(|&count| Run::Deletion(map, count)));
        }
        if asked(&[Metric::Insertion]) {
            runs.extend(inner.iter().map(|&count| Run::Insertion(map, count)));
        }
        if asked(&[Metric::Drop, Metric::Increase]) {
            runs.push(Run::Masked(map));
        }
        if asked(&[Metric::Road]) {
            runs.extend((0..2 * KEPT.len()).map(|n| Run::Road(map, n)));
        }
    }
    runs
}

/// So many places at each step, as torch-cam has them: steps of the same whole number, the last one shorter.
fn counts(places: usize, steps: usize) -> Vec<usize> {
    (0..places).step_by(places.div_ceil(steps)).chain([places]).collect()
}

/// By trapezoids.
fn area(fractions: &[f64], curve: &[f64]) -> f64 {
    let pairs = fractions.windows(2).zip(curve.windows(2));
    pairs.map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0).sum()
}

/// ROAD's inputs: without the hottest places, then without the coldest, filled in.
fn imputed(settings: &Settings, case: u64, input: &[f32], ranks: &[usize]) -> Vec<Vec<f32>> {
    let (shape, places) = (settings.shape, ranks.len());
    let make = |n: usize| {
        // as many as lie below numpy's percentile
        let kept = (KEPT[n % KEPT.len()] * (places - 1)).div_ceil(100);
        let stays = |rank: usize| if n < KEPT.len() { rank >= places - kept } else { rank < kept };
        let known: Vec<bool> = ranks.iter().map(|&rank| stays(rank)).collect();
        let mut out = input.to_vec();
        impute(&mut out, shape, &known);
        let mut random = Random::new(settings.seed, case << 8 | n as u64);
        for place in (0..places).filter(|&place| !known[place]) {
            (0..shape.channels).for_each(|channel| out[shape.at(channel, place)] += NOISE * random.normal());
        }
        out
    };
    let todo: Mutex<Vec<usize>> = Mutex::new((0..2 * KEPT.len()).collect());
    let next = || todo.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
    let work = || std::iter::from_fn(next).map(|n| (n, make(n))).collect::<Vec<_>>();
    let threads = if settings.threads > 0 {
        settings.threads
    } else {
        std::thread::available_parallelism().map_or(1, NonZero::get)
    };
    let mut made = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(2 * KEPT.len())).map(|_| scope.spawn(work)).collect();
        let mut made = work();
        made.extend(others.into_iter().flat_map(|other| other.join().unwrap_or_default()));
        made
    });
    made.sort_by_key(|(n, _)| *n);
    made.into_iter().map(|(_, input)| input).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_equal_but_for_the_last() {
        assert_eq!(counts(10, 4), [0, 3, 6, 9, 10]);
        assert_eq!(counts(10, 5), [0, 2, 4, 6, 8, 10]);
        assert_eq!(counts(3, 20), [0, 1, 2, 3]);
    }

    #[test]
    fn the_area_is_under_the_lines_between_the_points() {
        let area = area(&[0.0, 0.25, 1.0], &[1.0, 0.5, 0.1]);
        assert!((area - (0.25 * 0.75 + 0.75 * 0.3)).abs() < 1e-12);
    }

    #[test]
    fn drop_is_relative_and_a_rise_is_no_drop() {
        let all: Vec<Metric> = Metric::all().collect();
        let seen = Faithful { whole: 0.8, masked: 0.2, hottest: vec![0.1], coldest: vec![0.5], ..Faithful::default() };
        let close = |metric, want: f64| {
            let have = seen.figure(metric, &all).expect("it was asked for");
            assert!((have - want).abs() < 1e-12, "{metric:?} {have}");
        };
        close(Metric::Drop, 0.75);
        close(Metric::Increase, 0.0);
        close(Metric::Road, 0.2);
        let risen = Faithful { whole: 0.8, masked: 0.9, ..Faithful::default() };
        assert_eq!(risen.figure(Metric::Drop, &all), Some(0.0));
        assert_eq!(risen.figure(Metric::Increase, &all), Some(1.0));
        assert_eq!(risen.figure(Metric::Road, &[Metric::Drop]), None);
    }
}
