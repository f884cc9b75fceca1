//! The report's charts as SVG.

use std::fmt::Write as _;

use super::super::Evaluation;
use super::super::statistics::Estimate;
use super::safe;

/// The classes of style.css: methods have colours, baselines kinds of grey lines.
const METHODS: [&str; 6] = ["m0", "m1", "m2", "m3", "m4", "m5"];
const BASELINES: [&str; 3] = ["b0", "b1", "b2"];

/// How a row is drawn.
pub fn tone(evaluation: &Evaluation, row: usize) -> &'static str {
    let methods = evaluation.rows.iter().filter(|row| row.method.is_some()).count();
    match row.checked_sub(methods) {
        Some(baseline) => BASELINES[baseline % BASELINES.len()],
        None => METHODS[row % METHODS.len()],
    }
}

/// A curve.
pub struct Line {
    pub tone: &'static str,
    pub points: Vec<(f64, f64)>,
}

/// Curves over 0 to 100 %, from zero up to the largest value.
pub fn curves(lines: &[Line], what: &str, (width, height): (f64, f64)) -> String {
    let (left, right, top, bottom) = (34.0, 6.0, 8.0, 30.0);
    let largest = lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y).fold(0.0, f64::max);
    let end = nice(largest);
    let x = |value: f64| left + value * (width - left - right);
    let y = |value: f64| height - bottom - value / end * (height - top - bottom);
    let mut svg = format!("<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\">");
    for tick in [0.0, 0.5, 1.0] {
        let (at, value) = (y(tick * end), tick * end);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{left} {at:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{value}</text>",
            width - right,
            left - 5.0,
            at + 3.5
        );
    }
    for (tick, word, side) in [(0.0, "0", "start"), (0.5, what, "mid"), (1.0, "100 %", "end")] {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"{side}\">{word}</text>",
            x(tick),
            height - bottom + 16.0
        );
    }
    // baselines first, so that methods lie above them
    for line in lines
        .iter()
        .filter(|line| BASELINES.contains(&line.tone))
        .chain(lines.iter().filter(|l| METHODS.contains(&l.tone)))
    {
        let path: Vec<String> = line.points.iter().map(|(px, py)| format!("{:.1} {:.1}", x(*px), y(*py))).collect();
        let _ = write!(svg, "<path class=\"line {}\" d=\"M{}\"/>", line.tone, path.join("L"));
    }
    svg + "</svg>"
}

/// Means with their intervals, a row each, on an axis that begins at zero where no value is below it.
pub fn intervals(rows: &[(String, &'static str, Option<Estimate>)]) -> String {
    const ROW: f64 = 22.0;
    const WIDTH: f64 = 330.0;
    let (left, right) = (116.0, 48.0);
    let all = || rows.iter().filter_map(|(.., estimate)| *estimate);
    let low = all().map(|e| e.low).fold(0.0, f64::min);
    let low = if low < 0.0 { -nice(-low) } else { 0.0 };
    let high = nice(all().map(|e| e.high).fold(0.0, f64::max));
    let x = |value: f64| left + (value - low) / (high - low) * (WIDTH - left - right);
    let height = ROW * rows.len() as f64 + 20.0;
    let mut svg = format!("<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">");
    let mut ticks = vec![low, high];
    if low < 0.0 {
        ticks.push(0.0);
    }
    for tick in ticks {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{0:.1} 2V{1:.1}\"/><text x=\"{0:.1}\" y=\"{2:.1}\" class=\"mid\">{tick}</text>",
            x(tick),
            height - 18.0,
            height - 5.0
        );
    }
    for (at, (name, tone, estimate)) in rows.iter().enumerate() {
        let y = ROW * (at as f64 + 0.5) + 2.0;
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" class=\"end name\">{}</text>",
            left - 10.0,
            y + 4.0,
            safe(&shortened(name))
        );
        let Some(e) = estimate else { continue };
        let _ = write!(
            svg,
            "<path class=\"bar {tone}\" d=\"M{:.1} {y:.1}H{:.1}\"/><circle class=\"dot {tone}\" cx=\"{:.1}\" cy=\"{y:.1}\" \
             r=\"4.5\"/><text x=\"{WIDTH}\" y=\"{:.1}\" class=\"end value\">{:.3}</text>",
            x(e.low.max(low)),
            x(e.high.min(high)),
            x(e.mean),
            y + 4.0,
            e.mean
        );
    }
    svg + "</svg>"
}

/// A name that fits beside the bars; the legend has it whole.
fn shortened(name: &str) -> String {
    const MOST: usize = 15;
    if name.chars().count() <= MOST {
        return name.into();
    }
    let tail: Vec<char> = name.chars().rev().take(MOST - 8).collect();
    let head: String = name.chars().take(7).collect();
    format!("{head}…{}", tail.into_iter().rev().collect::<String>())
}

/// The next of 1, 2, 3, 4, 5, 6, 8 times a power of ten.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| step * power >= value * 0.999_999).unwrap_or(10.0);
    // without the dust of binary fractions
    format!("{:.6}", step * power).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, end) in [(0.0, 1.0), (0.37, 0.4), (0.6, 0.6), (0.61, 0.8), (0.97, 1.0), (0.012, 0.02)] {
            assert_eq!(nice(value), end, "{value}");
        }
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shortened("gradcam"), "gradcam");
        assert_eq!(shortened("gradcam@block10/project"), "gradcam…project");
    }
}
