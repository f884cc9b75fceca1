//! The figures as text for a terminal.

use std::fmt::Write as _;

use super::Evaluation;
use super::statistics::Estimate;

/// Both tables: each row's means, and the methods against the baselines.
pub fn of(evaluation: &Evaluation) -> String {
    let metrics = evaluation.metrics();
    let (faithful, objects) = evaluation.counts();
    let mut text = format!("{} on {faithful} pictures", evaluation.model);
    if objects > 0 {
        let _ = write!(
            text,
            ", {objects} objects ({:.0} % of what the model sees)",
            evaluation.area().unwrap_or(0.0) * 100.0
        );
    }
    text.push_str("; ± is the 95 % confidence interval\n");
    for row in &evaluation.rows {
        if let Some(ran) = &row.method {
            let _ = writeln!(text, "{}: layer {:?}, {}x{}", row.name, ran.layer, row.grid.0, row.grid.1);
        }
    }
    let title =
        |metric: &super::Metric| format!("{} {}", metric.title(), if metric.higher_is_better() { "↑" } else { "↓" });
    let mut means =
        vec![["".to_string(), "ms".into()].into_iter().chain(metrics.iter().map(title)).collect::<Vec<_>>()];
    for (at, row) in evaluation.rows.iter().enumerate() {
        let time = row.method.as_ref().map_or("-".into(), |ran| format!("{:.1}", ran.milliseconds));
        let figures = metrics.iter().map(|&metric| shown(evaluation.estimate(at, metric), false));
        means.push([row.name.clone(), time].into_iter().chain(figures).collect());
    }
    text.push('\n');
    text.push_str(&lines(&means));
    let mut gains = vec![
        ["better by".to_string(), "".into()].into_iter().chain(metrics.iter().map(|m| m.title().to_string())).collect(),
    ];
    for against in evaluation.against() {
        let name = format!("{} - {}", evaluation.rows[against.method].name, against.baseline.name);
        let figures = against.gains.iter().map(|gain| shown(*gain, true));
        gains.push([name, String::new()].into_iter().chain(figures).collect());
    }
    text.push('\n');
    text.push_str(&lines(&gains));
    text.push_str("* better, - worse: the interval of the paired differences leaves no doubt\n");
    for (at, row) in evaluation.rows.iter().enumerate() {
        match evaluation.blank(at) {
            0 => {}
            blank => {
                let _ = writeln!(text, "{}: {blank} maps are the same everywhere and were left out", row.name);
            }
        }
    }
    text.pop();
    text
}

/// A figure with its margin; of a difference also its sign, and a mark where it is beyond doubt.
fn shown(estimate: Option<Estimate>, difference: bool) -> String {
    match estimate {
        None => "-".into(),
        Some(e) if difference => {
            let mark = if e.low > 0.0 {
                "*"
            } else if e.high < 0.0 {
                "-"
            } else {
                " "
            };
            format!("{:+.3} ±{:.3}{mark}", e.mean, e.margin())
        }
        Some(e) => format!("{:.3} ±{:.3}", e.mean, e.margin()),
    }
}

/// Columns, the first to the left and the others to the right.
fn lines(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1).filter(|(_, width)| **width > 0) {
            let _ = write!(line, "  {cell:>width$}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
