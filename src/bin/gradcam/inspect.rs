//! `gradcam inspect`: what is resolved for a model.

use std::path::PathBuf;

use gstgradcam::{Explainer, ModelInfo};
use serde_json::json;

use crate::options::ModelOptions;
use crate::{Result, say, warn};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ONNX model
    model: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: ModelOptions,
}

pub fn run(args: &Args) -> Result<()> {
    let explainer = Explainer::open(&args.model, &args.options.to_options())?;
    let info = explainer.info();
    warn(info);
    if args.json {
        say!("{:#}", as_json(info, explainer.input_shape()));
    } else {
        for (name, value) in rows(info, explainer.input_shape()) {
            say!("{name:<15}{value}");
        }
    }
    Ok(())
}

fn rows(info: &ModelInfo, shape: &[usize]) -> Vec<(&'static str, String)> {
    let spec = &info.spec;
    let labels = match &info.labels[..] {
        [] => "none found; give --labels-file".into(),
        [first, .., last] => format!("{} ({first:?} ... {last:?})", info.labels.len()),
        [only] => format!("1 ({only:?})"),
    };
    let mut rows = vec![
        ("input", format!("{:?} {shape:?} {}, {}", info.input, info.input_type, spec.color_format.name())),
        ("numbers", info.format.to_string()),
        ("preprocessing", format!("(pixel / 255 - {:?}) / {:?}", spec.mean, spec.std)),
        ("", format!("{} to {}x{}", spec.resize_mode.name(), spec.width, spec.height)),
        ("", spec.origin.clone()),
        ("score", format!("{:?}, {} classes, {}", info.score, info.classes, info.activation)),
        ("labels", labels),
        ("method", info.method.name().into()),
        ("layer", format!("{:?} {:?}", info.layer, info.layer_shape)),
        ("grid", info.grid.clone()),
    ];
    rows.extend(list("other layers", &info.runner_ups));
    let mut title = "operators";
    for (operator, count, ruled) in &info.operators {
        let rule = if *ruled { "" } else { "  NO GRADIENT RULE" };
        rows.push((std::mem::take(&mut title), format!("{count:>4} {operator}{rule}")));
    }
    rows.push(("self-check", info.self_check.clone().unwrap_or_else(|| "not made".into())));
    rows
}

/// Names, as many on a line as fit.
fn list(title: &'static str, names: &[String]) -> Vec<(&'static str, String)> {
    const WIDE: usize = 90;
    let mut lines = vec![String::new()];
    for name in names {
        if lines.last().is_some_and(|line| !line.is_empty() && line.len() + name.len() > WIDE) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if line.is_empty() { "" } else { ", " });
            line.push_str(name);
        }
    }
    if names.is_empty() {
        lines = vec!["none".into()];
    }
    let titles = std::iter::once(title).chain(std::iter::repeat(""));
    titles.zip(lines).collect()
}

fn as_json(info: &ModelInfo, shape: &[usize]) -> serde_json::Value {
    let spec = &info.spec;
    let operators = |wanted: bool| -> serde_json::Value {
        info.operators
            .iter()
            .filter(|(_, _, ruled)| *ruled == wanted)
            .map(|(operator, count, _)| (operator.clone(), json!(count)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!({
        "input": { "name": info.input, "shape": shape, "type": info.input_type },
        "numbers": info.format.to_string(),
        "preprocessing": {
            "width": spec.width,
            "height": spec.height,
            "color-format": spec.color_format.name(),
            "resize-mode": spec.resize_mode.name(),
            "mean": spec.mean,
            "std": spec.std,
            "origin": spec.origin,
        },
        "score": { "tensor": info.score, "activation": info.activation, "classes": info.classes },
        "labels": &info.labels[..],
        "method": info.method.name(),
        "layer": { "tensor": info.layer, "shape": info.layer_shape, "grid": info.grid },
        "other-layers": info.runner_ups,
        "operators": { "with-rule": operators(true), "without-rule": operators(false) },
        "self-check": info.self_check,
        "warnings": info.warnings,
    })
}
