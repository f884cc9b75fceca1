//! Which node keeps a network to its own input size, in words.

use super::Edit;
use super::rules::{Bounds, Change, Dim};
use crate::onnx::{Data, Facts, Graph, Model, Node};

/// From the runtime's words, which name the node that failed at the new size.
pub(super) fn of(model: &Model, own: &Facts, picture: &str, edits: &[Edit], why: &str) -> String {
    let named = |node: &Node| {
        let name = node.name();
        [format!("'{name}'"), format!("({name})"), format!(":{name} ")].iter().any(|quoted| why.contains(quoted))
    };
    let Some(node) = model.nodes().filter(named).max_by_key(|node| node.name().len()) else { return why.into() };
    let graph = Graph::new(model);
    let data: Vec<&str> = node.inputs().iter().map(String::as_str).collect();
    let shape = |name: &str| own.shape(name).unwrap_or_default();
    let who = format!("{} node {:?}", node.op(), node.name());
    let held = |name: &&str| own.get(name).is_some_and(|f| f.value.is_some()) || model.initializer(name).is_some();
    match node.op().as_str() {
        "Gemm" | "MatMul" if data.len() > 1 => {
            let takes = shape(data[0]).last().copied().unwrap_or_default();
            // the grid that was made flat for it
            let mut at = data[0];
            let mut grid = None;
            while let Some(maker) = graph.as_ref().ok().and_then(|g| g.maker_node(at)) {
                let Some(from) = maker.input(0).filter(|from| *from != picture) else { break };
                if matches!(maker.op().as_str(), "Reshape" | "Flatten") {
                    grid = Some(shape(from)).filter(|s| s.len() == 4 && s[1..].iter().product::<usize>() == takes);
                    break;
                }
                if shape(from) != shape(at) {
                    break;
                }
                at = from;
            }
            let cells = grid.map_or(String::new(), |grid| format!(" = {}", times(&grid[1..])));
            format!("{who} takes {takes}{cells} values")
        }
        "Reshape" => {
            let was = edits.iter().find(|edit| edit.was.output == node.outputs());
            let target = was.map_or(node, |edit| Node { proto: &edit.was });
            let made = target.outputs().first().map_or(&[][..], |name| shape(name));
            format!("{who} fixes {} for an input of {}", times(made), times(shape(data[0])))
        }
        _ => match data.iter().find(|name| held(name) && shape(name).iter().any(|&n| n > 1)) {
            Some(constant) => format!("{who} holds the constant {constant:?} of {}", times(shape(constant))),
            None => format!("{who} fails at another size"),
        },
    }
}

/// Refuses what runs at the new size but means another thing there, or holds the grid to its own size.
pub(super) fn lasting(model: &Model, own: &Facts, new: &Facts, edits: &[Edit]) -> Result<(), String> {
    let constant = |name: &str| {
        let value = own.get(name).and_then(|fact| fact.value.clone()).or_else(|| model.initializer(name));
        value.and_then(|tensor| if let Data::I64(values) = tensor.data { Some(values) } else { None })
    };
    for Edit { was, change, .. } in edits {
        // cells that stay with their group of channels: so many channels as before
        let Change::Dims { dims, .. } = change else { continue };
        let moved = dims.iter().any(|dim| match dim {
            Dim::Of { tensor, axes, times: (1, 2..) } if axes.len() > 1 => {
                let length = |facts: &Facts| facts.shape(tensor).map(|shape| shape[axes.start]);
                length(own) != length(new)
            }
            _ => false,
        });
        if moved {
            let made = own.shape(&was.output[0]).unwrap_or_default();
            return Err(format!("{} node {:?} fixes {}", was.op_type(), was.name(), times(made)));
        }
    }
    let edited: Vec<&str> = edits.iter().map(|edit| edit.was.output[0].as_str()).collect();
    for node in model.nodes() {
        if let Some(axis) = stretched(&node, own, new) {
            return Err(format!("{} node {:?} keeps an axis of {axis} by a constant", node.op(), node.name()));
        }
        let (Some(x), Some(made)) = (node.input(0), node.outputs().first()) else { continue };
        let (Some(before), Some(after)) = (own.shape(x), new.shape(x)) else { continue };
        if before == after || before.len() != after.len() {
            continue;
        }
        let who = || format!("{} node {:?}", node.op(), node.name());
        match node.op().as_str() {
            "Resize" if !edited.contains(&made.as_str()) && own.shape(made) == new.shape(made) => {
                return Err(format!("{} fixes {}", who(), times(own.shape(made).unwrap_or_default())));
            }
            "Slice" => {
                let Some(bounds) = Bounds::of(&node, before.len(), constant) else { continue };
                // the first and the last are what they were (a class token); any other place may be a part of the grid
                let inside = |bound: i64, n: usize| bound.unsigned_abs() > 1 && bound.unsigned_abs() < n as u64;
                let all = bounds.axes.iter().zip(bounds.starts.iter().zip(&bounds.ends));
                let fixed = all.filter(|(axis, _)| before[**axis] != after[**axis]);
                for (&axis, (&start, &end)) in fixed {
                    if inside(start, before[axis]) || inside(end, before[axis]) {
                        let n = before[axis];
                        return Err(format!("{} cuts an axis of {n} at fixed places ({start} to {end})", who()));
                    }
                }
            }
            "Gather" => {
                let axis = node.int("axis", 0);
                let axis = usize::try_from(if axis < 0 { axis + before.len() as i64 } else { axis }).unwrap_or(0);
                let picked = node.input(1).and_then(constant).map_or(0, |indices| indices.len());
                if picked > 1 && before.get(axis) != after.get(axis) {
                    return Err(format!("{} picks {picked} fixed places of an axis of {}", who(), before[axis]));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The length of an axis that shrank to 1 in one operand of an elementwise node, and was stretched to what it was by another.
fn stretched(node: &Node, own: &Facts, new: &Facts) -> Option<usize> {
    let elementwise = ["Add", "Sub", "Mul", "Div", "Pow", "Where", "Max", "Min", "PRelu", "Equal", "Less", "Greater"];
    if !elementwise.contains(&node.op().as_str()) {
        return None;
    }
    let out = node.outputs().first()?;
    let (before, after) = (own.shape(out)?, new.shape(out)?);
    node.inputs().iter().find_map(|name| {
        let axes = own.shape(name)?.iter().rev().zip(new.shape(name)?.iter().rev());
        // right-aligned, as operands are broadcast
        axes.zip(before.iter().rev().zip(after.iter().rev()))
            .find_map(|((&was, &is), (b, a))| (was > 1 && is == 1 && b == a).then_some(was))
    })
}

fn times(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}
