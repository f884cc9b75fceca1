//! All pictures together: each row's figures, and how much better each method is than the baselines.

use super::metrics::Metric;
use super::statistics::{self, Estimate};
use super::{Evaluation, Row};

/// A method against a baseline of the same grid, picture by picture.
pub struct Against<'a> {
    pub method: usize,
    pub baseline: &'a Row,
    /// How much better, positive = better, in the order of [`Evaluation::metrics`].
    pub gains: Vec<Option<Estimate>>,
}

impl Evaluation {
    /// What was measured, in the order of the table.
    pub fn metrics(&self) -> Vec<Metric> {
        Metric::all().filter(|metric| self.settings.metrics.contains(metric)).collect()
    }

    /// A row's figure for each record that has one.
    fn figures(&self, row: usize, metric: Metric) -> impl Iterator<Item = Option<f64>> {
        let metrics = &self.settings.metrics;
        self.records.iter().map(move |record| record.figure(row, metric, metrics))
    }

    /// A row's mean figure.
    pub fn estimate(&self, row: usize, metric: Metric) -> Option<Estimate> {
        let values: Vec<f64> = self.figures(row, metric).flatten().collect();
        if metric.is_share() { statistics::share(&values) } else { statistics::mean(&values) }
    }

    /// Every method against every baseline of its grid.
    pub fn against(&self) -> Vec<Against<'_>> {
        let mut all = Vec::new();
        for (method, row) in self.rows.iter().enumerate().filter(|(_, row)| row.method.is_some()) {
            let same = |other: &Row| other.method.is_none() && other.grid == row.grid;
            for (other, baseline) in self.rows.iter().enumerate().filter(|(_, other)| same(other)) {
                let gain = |metric: Metric| {
                    let pairs = self.figures(method, metric).zip(self.figures(other, metric));
                    let gains: Vec<f64> = pairs.filter_map(|(one, other)| Some(metric.gain(one?, other?))).collect();
                    statistics::mean(&gains)
                };
                all.push(Against { method, baseline, gains: self.metrics().into_iter().map(gain).collect() });
            }
        }
        all
    }

    /// How many maps of a row say nothing: they are the same everywhere.
    pub fn blank(&self, row: usize) -> usize {
        self.records.iter().filter(|record| record.case.faithful && record.faithful[row].is_none()).count()
    }

    /// Pictures that faithfulness was measured on, and objects that localisation was.
    pub fn counts(&self) -> (usize, usize) {
        let faithful = self.records.iter().filter(|record| record.case.faithful).count();
        (faithful, self.records.iter().filter(|record| record.area.is_some()).count())
    }

    /// The objects' mean share of what the model sees.
    pub fn area(&self) -> Option<f64> {
        let areas: Vec<f64> = self.records.iter().filter_map(|record| record.area).collect();
        (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
    }
}
