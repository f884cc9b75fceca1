//! The report: one HTML file with everything in it, to be looked at rather than read.

mod charts;
mod shots;

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::metrics::Metric;
use super::pictures::Outline;
use super::statistics::Estimate;
use super::{Evaluation, Record};
use crate::Result;
use charts::{Line, curves, intervals, tone};
use shots::Shot;
pub use shots::Shots;

const STYLE: &str = include_str!("style.css");

pub fn write(path: &Path, evaluation: &Evaluation, shots: &Shots) -> Result<()> {
    let cannot = |error| format!("cannot write {path:?}: {error}");
    let part = crate::export::part(path);
    let written = std::fs::write(&part, page(evaluation, shots)).and_then(|()| std::fs::rename(&part, path));
    Ok(written.map_err(|error| {
        let _ = std::fs::remove_file(&part);
        cannot(error)
    })?)
}

/// Text as HTML.
fn safe(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(evaluation: &Evaluation, shots: &Shots) -> String {
    let (faithful, objects) = evaluation.counts();
    let settings = &evaluation.settings;
    let title = format!(
        "How faithful are the maps of {}?",
        Path::new(&evaluation.model)
            .file_name()
            .map_or_else(|| evaluation.model.clone(), |name| name.to_string_lossy().into_owned())
    );
    let fill = if settings.fill == settings.insertion_fill {
        settings.fill.name().to_string()
    } else {
        format!("{} (deletion), {} (insertion)", settings.fill.name(), settings.insertion_fill.name())
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style><main><header><h1>{0}</h1><p>{faithful} pictures, {objects} objects · {1} \
         steps, filled with {fill} · bars and ± are 95 % confidence intervals</p></header>\n",
        safe(&title),
        settings.steps
    );
    legend(&mut page, evaluation);
    summary(&mut page, evaluation);
    against(&mut page, evaluation);
    mean_curves(&mut page, evaluation);
    pictures(&mut page, evaluation, shots);
    footer(&mut page, evaluation);
    page.push_str("</main></html>\n");
    page
}

fn legend(page: &mut String, evaluation: &Evaluation) {
    page.push_str("<ul class=\"legend\">");
    for (at, row) in evaluation.rows.iter().enumerate() {
        let about = row.method.as_ref().map_or("knows nothing of the class".to_string(), |ran| {
            format!("{} at {}, {}x{}, {:.1} ms", ran.method, ran.layer, row.grid.0, row.grid.1, ran.milliseconds)
        });
        let _ = write!(
            page,
            "<li title=\"{}\"><svg width=\"26\" height=\"8\"><path class=\"line {}\" d=\"M1 4H25\"/></svg>{} <small>{}</small></li>",
            safe(&about),
            tone(evaluation, at),
            safe(&row.name),
            safe(&about)
        );
    }
    page.push_str("</ul>\n");
}

fn summary(page: &mut String, evaluation: &Evaluation) {
    page.push_str("<section><h2>The figures</h2>");
    verdicts(page, evaluation);
    page.push_str("<div class=\"panels\">");
    for metric in evaluation.metrics() {
        let rows: Vec<(String, &'static str, Option<Estimate>)> = (evaluation.rows.iter().enumerate())
            .map(|(at, row)| (row.name.clone(), tone(evaluation, at), evaluation.estimate(at, metric)))
            .collect();
        let _ = write!(
            page,
            "<figure><figcaption><b>{}</b> {}</figcaption>{}</figure>",
            metric.title(),
            better(metric),
            intervals(&rows)
        );
    }
    page.push_str("</div></section>\n");
}

/// Where each method beats every baseline beyond doubt.
fn verdicts(page: &mut String, evaluation: &Evaluation) {
    let against = evaluation.against();
    let metrics = evaluation.metrics();
    for (at, row) in evaluation.rows.iter().enumerate().filter(|(_, row)| row.method.is_some()) {
        let ahead = |column: usize| {
            let mut gains = against.iter().filter(|one| one.method == at).map(|one| one.gains[column]);
            gains.all(|gain| gain.is_some_and(|gain| gain.low > 0.0))
        };
        let won: Vec<&str> = (0..metrics.len()).filter(|&i| ahead(i)).map(|i| metrics[i].title()).collect();
        let won = if won.is_empty() { "no figure".into() } else { won.join(", ") };
        let (tone, name) = (tone(evaluation, at), safe(&row.name));
        let _ = write!(page, "<p><b class=\"{tone}\">{name}</b> beats every baseline beyond doubt in: {won}.</p>");
    }
}

fn better(metric: Metric) -> &'static str {
    if metric.higher_is_better() { "higher is better →" } else { "← lower is better" }
}

fn against(page: &mut String, evaluation: &Evaluation) {
    page.push_str(
        "<section><h2>Better than knowing nothing?</h2><p>How much better than each baseline, picture by picture: + is better \
         whichever way the figure goes. Green and red: the 95 % interval leaves no doubt.</p><div class=\"wide\"><table><thead><tr><th>",
    );
    for metric in evaluation.metrics() {
        let _ = write!(page, "<th>{}", metric.title());
    }
    page.push_str("<tbody>");
    for one in evaluation.against() {
        let _ = write!(
            page,
            "<tr><th>{} <small>against {}</small>",
            safe(&evaluation.rows[one.method].name),
            safe(&one.baseline.name)
        );
        for gain in &one.gains {
            let _ = match gain {
                None => write!(page, "<td>–"),
                Some(gain) => {
                    let verdict = if gain.low > 0.0 {
                        "good"
                    } else if gain.high < 0.0 {
                        "bad"
                    } else {
                        ""
                    };
                    write!(page, "<td class=\"{verdict}\">{:+.3} <small>±{:.3}</small>", gain.mean, gain.margin())
                }
            };
        }
    }
    page.push_str("</table></div></section>\n");
}

fn mean_curves(page: &mut String, evaluation: &Evaluation) {
    let asked = |metric| evaluation.settings.metrics.contains(&metric);
    if !asked(Metric::Deletion) && !asked(Metric::Insertion) {
        return;
    }
    page.push_str("<section><h2>The mean curves</h2><div class=\"panels two\">");
    let records: Vec<&Record> = evaluation.records.iter().collect();
    page.push_str(&both(evaluation, &records, (460.0, 230.0)));
    page.push_str("</div></section>\n");
}

/// The deletion and the insertion curves of some records, of each row the mean; small ones without many words.
fn both(evaluation: &Evaluation, records: &[&Record], size: (f64, f64)) -> String {
    let mut text = String::new();
    for metric in [Metric::Deletion, Metric::Insertion].into_iter().filter(|m| evaluation.settings.metrics.contains(m))
    {
        let lines: Vec<Line> =
            (0..evaluation.rows.len()).filter_map(|row| mean_line(evaluation, records, row, metric)).collect();
        let (what, how) = match metric {
            Metric::Deletion => ("taken away, hottest first", "a curve that falls early is better"),
            _ => ("given back, hottest first", "a curve that rises early is better"),
        };
        let _ = write!(
            text,
            "<figure><figcaption><b>{}</b> {}</figcaption>{}</figure>",
            metric.title(),
            if size.0 > 300.0 { how } else { "" },
            curves(&lines, if size.0 > 300.0 { what } else { "" }, size)
        );
    }
    text
}

fn mean_line(evaluation: &Evaluation, records: &[&Record], row: usize, metric: Metric) -> Option<Line> {
    let all: Vec<_> = records.iter().filter_map(|record| record.faithful[row].as_ref()).collect();
    let first = all.first()?;
    let of = |at: usize| {
        all.iter().map(|one| if metric == Metric::Deletion { one.deletion[at] } else { one.insertion[at] }).sum::<f64>()
    };
    let points = (0..first.fractions.len()).map(|at| (first.fractions[at], of(at) / all.len() as f64)).collect();
    Some(Line { tone: tone(evaluation, row), points })
}

fn pictures(page: &mut String, evaluation: &Evaluation, shots: &Shots) {
    page.push_str(
        "<section><h2>The pictures</h2><p>Each map covers what the model sees of the picture. Dashed: the object's box. Ring: \
         the map's peak.</p>",
    );
    if shots.0.len() < evaluation.records.len() {
        let _ = write!(page, "<p>The first {} of {}.</p>", shots.0.len(), evaluation.records.len());
    }
    for (record, shot) in evaluation.records.iter().zip(&shots.0) {
        card(page, evaluation, record, shot);
    }
    page.push_str("</section>\n");
}

fn card(page: &mut String, evaluation: &Evaluation, record: &Record, shot: &Shot) {
    let (case, picture) = (&record.case, &evaluation.pictures[record.case.picture]);
    let label = case.label.split(',').next().unwrap_or_default();
    let _ = write!(
        page,
        "<article><h3>{} <b>{}</b> <small>{:.0} % · {}</small></h3><div class=\"card\"><div class=\"tiles\">",
        if case.faithful { "" } else { "object: " },
        safe(label),
        case.score * 100.0,
        safe(&picture.name)
    );
    let boxes: String = (case.objects.iter().filter_map(|&number| match &picture.objects[number].outline {
        Outline::Box([x0, y0, x1, y1]) => Some(format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            x0 * 100.0,
            y0 * 100.0,
            (x1 - x0) * 100.0,
            (y1 - y0) * 100.0
        )),
        Outline::Mask(_) => None,
    }))
    .collect();
    let image = |bytes: &[u8]| {
        format!(
            "<div class=\"picture\"><img alt=\"\" loading=\"lazy\" src=\"data:image/jpeg;base64,{}\"><svg viewBox=\"0 0 100 \
             100\" preserveAspectRatio=\"none\">{boxes}</svg>",
            BASE64.encode(bytes)
        )
    };
    let _ = write!(
        page,
        "<figure class=\"tile\">{}</div><figcaption>the picture</figcaption></figure>",
        image(&shot.plain)
    );
    for (at, row) in evaluation.rows.iter().enumerate() {
        let figures: Vec<String> = [Metric::Deletion, Metric::Insertion, Metric::Energy]
            .into_iter()
            .zip(["del", "ins", "in box"])
            .filter_map(|(metric, short)| {
                let figure = record.figure(at, metric, &evaluation.settings.metrics)?;
                Some(format!("{short}&nbsp;{figure:.2}"))
            })
            .collect();
        let peak = record.located[at].map_or(String::new(), |seen| {
            let (x, y) = shot.point(seen.peak);
            format!("<i class=\"peak\" style=\"left:{:.1}%;top:{:.1}%\"></i>", x * 100.0, y * 100.0)
        });
        let _ = write!(
            page,
            "<figure class=\"tile\">{}{peak}</div><figcaption><b class=\"{}\">{}</b><br>{}</figcaption></figure>",
            image(&shot.painted[at]),
            tone(evaluation, at),
            safe(&row.name),
            figures.join(" · ")
        );
    }
    page.push_str("</div>");
    if case.faithful {
        let _ = write!(page, "<div class=\"curves\">{}</div>", both(evaluation, &[record], (260.0, 104.0)));
    }
    page.push_str("</div></article>");
}

fn footer(page: &mut String, evaluation: &Evaluation) {
    page.push_str("<section class=\"notes\"><h2>What is measured</h2><dl>");
    for metric in evaluation.metrics() {
        let _ = write!(page, "<dt>{}<dd>{}", metric.title(), safe(metric.what()));
    }
    page.push_str(
        "<dt>centre, random, edges<dd>Maps on the same grid that know nothing of the class: a Gaussian in the middle, noise, the \
         picture's own edges (Sobel). A method that does not beat them shows nothing.</dl>",
    );
    if !evaluation.notes.is_empty() {
        page.push_str("<h2>To know</h2><ul>");
        evaluation.notes.iter().for_each(|note| {
            let _ = write!(page, "<li>{}", safe(note));
        });
        page.push_str("</ul>");
    }
    let _ = write!(page, "<p>gradcam {}</p></section>", env!("CARGO_PKG_VERSION"));
}
