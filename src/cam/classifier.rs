//! The linear layer behind global average pooling, read off the file and not by any gradient: what CAM takes its weights from.

use super::head::{Head, ScoreKind};
use super::layer::Layer;
use crate::error::{Error, Result};
use crate::onnx::{Emit, Graph, Node, Val};

/// Operators that keep the values and their order.
const SHAPES: [&str; 9] =
    ["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast", "QuantizeLinear", "DequantizeLinear"];
/// Operators that keep the grid too.
const NOTHING: [&str; 5] = ["Identity", "Dropout", "Cast", "QuantizeLinear", "DequantizeLinear"];

/// [N, C]: the classifier's weights of each class in `class` ([N, 1], int64).
///
/// # Errors
/// [`Error::ModelUnusable`] where anything but pooling and one linear layer stands between layer and score.
pub(super) fn row<'g>(
    emit: &'g Emit<'g>,
    graph: &Graph<'g>,
    head: &Head,
    layer: &Layer,
    class: Val<'g>,
) -> Result<Val<'g>> {
    let refuse = |found: String| Error::ModelUnusable {
        why: format!(
            "method=cam needs global average pooling and one linear layer between target-layer {:?} and the score, but \
             there is {found}; use method=gradcam, which needs neither",
            layer.tensor
        ),
    };
    if !matches!(head.kind(), ScoreKind::Classes | ScoreKind::Binary) {
        return Err(refuse(format!("a score of many places ({})", head.kind().name())));
    }
    let (node, name) = linear(emit, graph, head).map_err(|found| refuse(describe(found)))?;
    let matrix = emit.weight(name).ok_or_else(|| refuse("a product of two computed tensors".into()))?;
    let rows_are_classes = node.op() == "Conv" || (node.op() == "Gemm" && node.int("transB", 0) == 1);
    let (channels, scores) = (layer.shape[1], head.shape.iter().product::<usize>() / head.pictures.max(1));
    let wanted = if rows_are_classes { [scores, channels] } else { [channels, scores] };
    let shaped = matrix.shape.len() >= 2 && matrix.shape[..2] == wanted && matrix.shape[2..].iter().all(|&d| d == 1);
    if !shaped || node.float("alpha", 1.0) != 1.0 || node.int("transA", 0) != 0 {
        return Err(refuse(format!("a {} of weights {:?}", node.op(), matrix.shape)));
    }
    let pool = graph.maker_node(skip(graph, node.input(0).unwrap_or_default(), &SHAPES));
    let pooled = pool.filter(|n| is_global_mean(emit, n)).and_then(|n| n.input(0));
    let same = |x| skip(graph, x, &NOTHING) == skip(graph, &layer.tensor, &NOTHING);
    if !pooled.is_some_and(same) {
        return Err(refuse(describe(pool)));
    }
    let matrix = emit.constant(&matrix);
    let rows = if rows_are_classes { matrix } else { matrix.transpose(&[1, 0]) };
    head.row(rows.reshape(&[scores, channels]), class).ok_or_else(|| refuse("another kind of score".into()))
}

/// The node that makes the logits, a bias added by a node of its own looked through, and its weight's name; else the node
/// that stands there.
fn linear<'g>(emit: &Emit, graph: &Graph<'g>, head: &Head) -> Result<(Node<'g>, &'g str), Option<Node<'g>>> {
    let mut made = graph.maker_node(&head.logits);
    while let Some(node) = made.filter(|n| SHAPES.contains(&n.op().as_str())) {
        made = node.input(0).and_then(|x| graph.maker_node(x));
    }
    if let Some(add) = made.filter(|n| n.op() == "Add") {
        let computed: Vec<&str> =
            add.inputs().iter().map(String::as_str).filter(|x| emit.weight(x).is_none()).collect();
        // two computed sides are two branches, not a bias
        let [product] = computed[..] else { return Err(made) };
        made = graph.maker_node(skip(graph, product, &SHAPES));
    }
    let node = made.filter(|n| matches!(n.op().as_str(), "Gemm" | "MatMul" | "Conv")).ok_or(made)?;
    Ok((node, node.input(1).unwrap_or_default()))
}

/// Whether a node averages over the whole grid, and over nothing else.
fn is_global_mean(emit: &Emit, node: &Node) -> bool {
    let shape = |x: Option<&str>| x.and_then(|x| emit.facts().shape(x)).unwrap_or_default().to_vec();
    let (from, to) = (shape(node.input(0)), shape(node.outputs().first().map(String::as_str)));
    let [n, c, grid @ ..] = from.as_slice() else { return false };
    match node.op().as_str() {
        "GlobalAveragePool" => true,
        // one value a picture and channel is left only where both grid axes are gone
        "ReduceMean" => to.iter().product::<usize>() == n * c,
        "AveragePool" => {
            let whole =
                node.ints("kernel_shape").is_some_and(|k| k.iter().map(|&k| k as usize).eq(grid.iter().copied()));
            whole && node.ints("pads").is_none_or(|pads| pads.iter().all(|&p| p == 0))
        }
        _ => false,
    }
}

/// What a tensor is, seen through operators that do not change it.
fn skip<'t, 'g: 't>(graph: &Graph<'g>, mut tensor: &'t str, ops: &[&str]) -> &'t str {
    while let Some(node) = graph.maker_node(tensor).filter(|n| ops.contains(&n.op().as_str())) {
        tensor = node.input(0).unwrap_or_default();
    }
    tensor
}

fn describe(node: Option<Node>) -> String {
    node.map_or("none".into(), |n| format!("{} node {:?}", n.op(), n.name()))
}
