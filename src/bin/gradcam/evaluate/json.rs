//! The figures as JSON, down to each picture's maps and curves.

use serde_json::{Map, Value, json};

use super::statistics::Estimate;
use super::{Evaluation, Record};

pub fn of(evaluation: &Evaluation) -> Value {
    let (faithful, objects) = evaluation.counts();
    let settings = &evaluation.settings;
    let metrics = evaluation.metrics();
    let against = evaluation.against();
    let rows: Vec<Value> = (evaluation.rows.iter().enumerate())
        .map(|(at, row)| {
            let of = |estimates: Vec<Option<Estimate>>| -> Map<String, Value> {
                metrics
                    .iter()
                    .zip(estimates)
                    .map(|(metric, e)| (metric.name().into(), e.map_or(Value::Null, figure)))
                    .collect()
            };
            let figures = of(metrics.iter().map(|&metric| evaluation.estimate(at, metric)).collect());
            let gains: Map<String, Value> = (against.iter().filter(|against| against.method == at))
                .map(|against| (against.baseline.name.clone(), of(against.gains.clone()).into()))
                .collect();
            let ran = row.method.as_ref();
            json!({
                "name": row.name,
                "method": ran.map(|ran| ran.method),
                "layer": ran.map(|ran| &ran.layer),
                "grid": [row.grid.0, row.grid.1],
                "milliseconds": ran.map(|ran| ran.milliseconds),
                "blank": evaluation.blank(at),
                "figures": figures,
                "better-by": gains,
            })
        })
        .collect();
    json!({
        "model": evaluation.model,
        "steps": settings.steps,
        "fill": settings.fill.name(),
        "insertion-fill": settings.insertion_fill.name(),
        "tolerance": settings.tolerance,
        "seed": settings.seed,
        "batch": evaluation.batch,
        "pictures": faithful,
        "objects": objects,
        "object-area": evaluation.area(),
        "rows": rows,
        "cases": evaluation.records.iter().map(|record| case(evaluation, record)).collect::<Vec<_>>(),
        "notes": evaluation.notes,
    })
}

fn figure(estimate: Estimate) -> Value {
    json!({ "mean": estimate.mean, "low": estimate.low, "high": estimate.high, "n": estimate.count })
}

fn case(evaluation: &Evaluation, record: &Record) -> Value {
    let metrics = evaluation.metrics();
    let rows: Map<String, Value> = (evaluation.rows.iter().enumerate())
        .map(|(at, row)| {
            let figures: Map<String, Value> = (metrics.iter())
                .map(|&metric| (metric.name().into(), json!(record.figure(at, metric, &metrics))))
                .collect();
            let map: Vec<Vec<f32>> = record.maps[at].rows().into_iter().map(|row| row.to_vec()).collect();
            let curves = record.faithful[at].as_ref();
            let value = json!({
                "figures": figures,
                "map": map,
                "fractions": curves.map(|curves| &curves.fractions),
                "deletion": curves.map(|curves| &curves.deletion),
                "insertion": curves.map(|curves| &curves.insertion),
            });
            (row.name.clone(), value)
        })
        .collect();
    json!({
        "file": evaluation.pictures[record.case.picture].name,
        "class": record.case.class,
        "label": record.case.label,
        "score": record.case.score,
        "faithful": record.case.faithful,
        "object-area": record.area,
        "rows": rows,
    })
}
