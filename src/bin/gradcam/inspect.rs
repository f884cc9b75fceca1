//! `gradcam inspect`: what is found out about a model, whether or not it can be explained, and what that comes to.

use std::path::PathBuf;

use gstgradcam::explain::{CamEquality, MapCheck, SelfCheck};
use gstgradcam::onnx::{ValueInfo, tensorrt};
use gstgradcam::{Inspection, ModelInfo, ProviderInfo};
use serde_json::{Map, Value, json};

use crate::options::ModelOptions;
use crate::{Result, say};

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
    let seen = Inspection::of(&args.model, &args.options.to_options());
    if args.json {
        say!("{:#}", as_json(&seen));
    } else {
        for (name, value) in rows(&seen) {
            say!("{name:<15}{value}");
        }
    }
    seen.error.map_or(Ok(()), |error| Err(error.into()))
}

type Rows = Vec<(&'static str, String)>;

fn rows(seen: &Inspection) -> Rows {
    let mut rows = Rows::new();
    if let Some(file) = &seen.file {
        let by = if file.producer.is_empty() { String::new() } else { format!(", written by {}", file.producer) };
        let nodes: usize = file.operators.iter().map(|(_, count)| count).sum();
        rows.push(("file", format!("opset {}, {nodes} nodes, {} weights{by}", file.opset, file.weights)));
        rows.extend(lines("inputs", &few(&file.inputs)));
        rows.extend(lines("outputs", &few(&file.outputs)));
    }
    if let Some((name, shape)) = &seen.input {
        rows.push(("picture", format!("{name:?} {shape:?}")));
    }
    if let Some(spec) = &seen.spec {
        rows.push(("preprocessing", format!("(pixel / 255 - {:?}) / {:?}", spec.mean, spec.std)));
        let fit =
            format!("{}, {} to {}x{}", spec.color_format.name(), spec.resize_mode.name(), spec.width, spec.height);
        rows.extend([("", fit), ("", spec.origin.clone())]);
    }
    if let Some(score) = &seen.score {
        rows.push(("score", format!("{:?}, {} classes, {}", score.tensor, score.classes, score.activation)));
        rows.push(("", score.found.clone()));
    }
    if let Some(info) = &seen.info {
        rows.extend(resolved(info));
    }
    let explained = |tensor: &String| seen.info.as_ref().is_some_and(|info| info.layers.contains(tensor));
    let others = seen.layers.iter().map(|layer| layer.tensor.clone()).filter(|tensor| !explained(tensor));
    if seen.score.is_some() {
        rows.extend(lines("other layers", &others.collect::<Vec<_>>()));
    }
    rows.extend(operators(seen));
    if let Some(obstacles) = &seen.tensorrt {
        rows.extend(trt(obstacles, seen.info.is_some()));
    }
    if let Some(CamEquality { cosine, ratio }) = seen.equality {
        rows.push(("cam = gradcam", format!("cosine {cosine:.9}, cam is {ratio:.2} times as large")));
    }
    if let Some(info) = &seen.info {
        rows.push(("self-check", info.self_check.as_ref().map_or("not made".into(), SelfCheck::to_string)));
        let check = info.self_check.as_ref().map_or(0, |check| check.took.as_millis());
        rows.push(("opened", format!("in {} ms, of which the self-check {check} ms", seen.took.as_millis())));
    }
    let titles = std::iter::once("verdict").chain(std::iter::repeat(""));
    rows.extend(titles.zip(seen.verdicts.iter().map(ToString::to_string)));
    rows
}

fn resolved(info: &ModelInfo) -> Rows {
    let labels = match &info.labels[..] {
        [] => "none found; give --labels-file".into(),
        [first, .., last] => format!("{} ({first:?} ... {last:?})", info.labels.len()),
        [only] => format!("1 ({only:?})"),
    };
    let mut rows =
        vec![("numbers", info.format.to_string()), ("labels", labels), ("method", info.method.name().into())];
    rows.push(("layer", format!("{:?} {:?}", info.layer, info.layer_shape)));
    rows.push(("grid", info.grid.clone()));
    rows.push(("provider", info.provider.to_string()));
    rows.extend(info.provider.tried.iter().map(|(kind, why)| ("", format!("not {}: {why}", kind.name()))));
    rows
}

/// Those on the way from layer to score; all, where no such way was found.
fn operators(seen: &Inspection) -> Rows {
    let titles = |title| std::iter::once(title).chain(std::iter::repeat(""));
    if seen.operators.is_empty() {
        let all = seen.file.iter().flat_map(|file| &file.operators).map(|(op, count)| format!("{count:>4} {op}"));
        return titles("operators").zip(all).collect();
    }
    let line = |(op, count, ruled): &(String, usize, bool)| {
        let nodes: Vec<_> = seen.without_rule.iter().filter(|(missing, _)| missing == op).map(|(_, n)| n).collect();
        let rule = if *ruled { String::new() } else { format!("  NO GRADIENT RULE: {nodes:?}") };
        format!("{count:>4} {op}{rule}")
    };
    titles("operators").zip(seen.operators.iter().map(line)).collect()
}

fn trt(obstacles: &[tensorrt::Obstacle], explained: bool) -> Rows {
    let what = if explained { "the explained model" } else { "the original model" };
    let not = if obstacles.iter().any(|obstacle| obstacle.refused) { "not " } else { "" };
    let mut rows = vec![("TensorRT", format!("by the list of {}, {what} is {not}taken", tensorrt::VERSION))];
    for obstacle in obstacles {
        let nodes: Vec<&str> = obstacle.nodes.iter().map(|(_, node)| node.as_str()).collect();
        let nodes = if nodes.is_empty() { String::new() } else { format!(" (at {nodes:?})") };
        rows.push(("", format!("{}{}{nodes}", if obstacle.refused { "refused: " } else { "" }, obstacle.why)));
    }
    rows
}

/// The first of them: a file may declare each of its weights.
fn few(values: &[ValueInfo]) -> Vec<String> {
    const FEW: usize = 8;
    let more = values.len().saturating_sub(FEW);
    let more = (more > 0).then(|| format!("and {more} more"));
    values.iter().take(FEW).map(ValueInfo::to_string).chain(more).collect()
}

/// Names, as many on a line as fit.
fn lines(title: &'static str, names: &[String]) -> Rows {
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

/// Figures as numbers, and `null` for what was not found.
fn as_json(seen: &Inspection) -> Value {
    let file = seen.file.as_ref().map(|file| {
        let list = |values: &[ValueInfo]| -> Vec<Value> {
            values
                .iter()
                .map(|v| json!({ "name": v.name, "type": v.dtype.map(|d| d.name()), "shape": v.shape }))
                .collect()
        };
        json!({
            "producer": file.producer,
            "opset": file.opset,
            "weights": file.weights,
            "inputs": list(&file.inputs),
            "outputs": list(&file.outputs),
            "operators": counts(file.operators.iter().map(|(op, count)| (op, count))),
        })
    });
    let spec = seen.spec.as_ref().map(|spec| {
        json!({
            "width": spec.width,
            "height": spec.height,
            "color-format": spec.color_format.name(),
            "resize-mode": spec.resize_mode.name(),
            "mean": spec.mean,
            "std": spec.std,
            "assumed": spec.assumed,
            "origin": spec.origin,
        })
    });
    let score = seen.score.as_ref().map(|score| {
        json!({
            "output": score.output,
            "kind": score.kind.name(),
            "tensor": score.tensor,
            "found": score.found,
            "activation": score.activation,
            "classes": score.classes,
        })
    });
    let info = seen.info.as_ref();
    let layer = info
        .map(|info| json!({ "tensor": info.layer, "shape": info.layer_shape, "grid": info.grid, "all": info.layers }));
    let others = seen.layers.iter().filter(|layer| !info.is_some_and(|info| info.layers.contains(&layer.tensor)));
    let ruled = |wanted: bool| {
        counts(seen.operators.iter().filter(|(.., ruled)| *ruled == wanted).map(|(op, count, _)| (op, count)))
    };
    json!({
        "file": file,
        "input": seen.input.as_ref().map(|(name, shape)| json!({ "name": name, "shape": shape })),
        "preprocessing": spec,
        "score": score,
        "labels": info.map(|info| &info.labels[..]),
        "method": info.map(|info| info.method.name()),
        "layer": layer,
        "other-layers": others.map(|layer| &layer.tensor).collect::<Vec<_>>(),
        "operators": { "with-rule": ruled(true), "without-rule": ruled(false), "missing": nodes(&seen.without_rule) },
        "tensorrt": seen.tensorrt.as_ref().map(|obstacles| trt_json(obstacles)),
        "provider": info.map(|info| provider_json(&info.provider)),
        "self-check": info.and_then(|info| info.self_check.as_ref()).map(check_json),
        "cam-equality": seen.equality.map(|CamEquality { cosine, ratio }| json!({ "cosine": cosine, "ratio": ratio })),
        "opened-ms": milliseconds(seen.took),
        "warnings": info.map_or(&[][..], |info| &info.warnings),
        "verdicts": seen.verdicts.iter().map(|v| json!({ "verdict": v.name(), "why": v.why() })).collect::<Vec<_>>(),
        "error": seen.error.as_ref().map(ToString::to_string),
    })
}

fn provider_json(provider: &ProviderInfo) -> Value {
    let tried = provider.tried.iter().map(|(kind, why)| json!({ "name": kind.name(), "why": why }));
    json!({
        "name": provider.kind.name(),
        "runtime-name": provider.runtime,
        "nodes": provider.nodes,
        "of": provider.of,
        "cache-hit": provider.cache,
        "map-cosine": provider.agreement.map(|agreement| agreement.cosine),
        "output-difference": provider.agreement.map(|agreement| agreement.outputs),
        "tried": tried.collect::<Vec<_>>(),
        "text": provider.to_string(),
    })
}

fn check_json(check: &SelfCheck) -> Value {
    let mut json = json!({
        "output-change": check.outputs,
        "took-ms": milliseconds(check.took),
        "text": check.to_string(),
    });
    match check.map {
        MapCheck::Gradient(error) => json["gradient-error"] = error.into(),
        MapCheck::Copies(error) => json["copies-error"] = error.into(),
        _ => {}
    }
    json
}

fn trt_json(obstacles: &[tensorrt::Obstacle]) -> Value {
    let each = |o: &tensorrt::Obstacle| json!({ "why": o.why, "refused": o.refused, "nodes": nodes(&o.nodes) });
    json!({
        "version": tensorrt::VERSION,
        "taken": obstacles.iter().all(|obstacle| !obstacle.refused),
        "obstacles": obstacles.iter().map(each).collect::<Vec<_>>(),
    })
}

fn nodes(nodes: &[(String, String)]) -> Vec<Value> {
    nodes.iter().map(|(operator, node)| json!({ "operator": operator, "node": node })).collect()
}

fn counts<'a>(operators: impl Iterator<Item = (&'a String, &'a usize)>) -> Map<String, Value> {
    operators.map(|(operator, count)| (operator.clone(), json!(count))).collect()
}

fn milliseconds(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
