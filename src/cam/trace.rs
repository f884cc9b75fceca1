//! Follows rows and columns of the picture through the network, operator by operator, from the convolutions and poolings where
//! they are plain.

use std::collections::HashMap;

use super::axes::{Axis, Kind, reshape};
use crate::onnx::{Data, Facts, Graph, Node};

/// The axes of every tensor of which they are known.
#[derive(Debug)]
pub(super) struct Trace<'m>(HashMap<&'m str, Vec<Axis>>);

impl<'m> Trace<'m> {
    /// Linear in the number of nodes. `input` is the picture.
    pub fn new(graph: &Graph<'m>, facts: &Facts) -> Trace<'m> {
        let mut trace = Trace(HashMap::new());
        for &node in &graph.order {
            let step = Step { node, facts, known: &trace.0 };
            let made = step.outputs();
            for (name, axes) in node.outputs().iter().zip(made) {
                let fits = |axes: &Vec<Axis>| {
                    facts.shape(name).is_some_and(|shape| axes.iter().map(Axis::size).eq(shape.iter().copied()))
                };
                if let Some(axes) = axes.filter(fits) {
                    trace.0.insert(name.as_str(), axes);
                }
            }
        }
        trace
    }

    /// The axes of a tensor.
    pub fn axes(&self, tensor: &str) -> Option<&[Axis]> {
        self.0.get(tensor).map(Vec::as_slice)
    }

    /// Whether a tensor has rows or columns in one of its axes.
    pub fn has_cells(&self, tensor: &str) -> bool {
        self.axes(tensor).is_some_and(|axes| axes.iter().any(Axis::has_cells))
    }
}

type Axes = Vec<Axis>;

/// One node, and what is known before it.
struct Step<'a, 'm> {
    node: Node<'m>,
    facts: &'a Facts,
    known: &'a HashMap<&'m str, Axes>,
}

impl<'m> Step<'_, 'm> {
    /// The axes of each output, where they can be told.
    fn outputs(&self) -> Vec<Option<Axes>> {
        let only = |axes: Option<Axes>| vec![axes];
        match self.node.op().as_str() {
            "Conv"
            | "ConvTranspose"
            | "MaxPool"
            | "AveragePool"
            | "LpPool"
            | "GlobalAveragePool"
            | "GlobalMaxPool"
            | "GlobalLpPool"
            | "Resize"
            | "Upsample"
            | "DepthToSpace"
            | "SpaceToDepth"
            | "com.microsoft::FusedConv" => only(self.picture()),
            "Shape" | "Size" | "NonZero" => Vec::new(),
            "Transpose" => only(self.transpose()),
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
                only(self.axes(0).zip(self.shape(0)).and_then(|(axes, shape)| reshape(axes, shape)))
            }
            "Slice" => only(self.slice()),
            "Split" => self.split().unwrap_or_default(),
            "Gather" => only(self.gather()),
            "Concat" => only(self.concat()),
            "Pad" => only(self.pad()),
            "MatMul" => only(self.matmul()),
            "Gemm" => only(self.gemm()),
            op if op.starts_with("Reduce") || op.starts_with("Arg") => only(self.reduce()),
            _ => (0..self.node.outputs().len()).map(|i| self.same(i)).collect(),
        }
    }

    fn axes(&self, input: usize) -> Option<&Axes> {
        self.known.get(self.node.input(input)?)
    }

    fn shape(&self, output: usize) -> Option<&[usize]> {
        self.facts.shape(self.node.outputs().get(output)?)
    }

    /// The value of an input that is the same for every picture.
    fn constant(&self, input: usize) -> Option<Vec<i64>> {
        match &self.facts.get(self.node.input(input)?)?.value.as_ref()?.data {
            Data::I64(values) => Some(values.clone()),
            _ => None,
        }
    }

    /// Integers that are an attribute in old opsets and an input in newer ones.
    fn setting(&self, name: &str, input: usize) -> Option<Vec<i64>> {
        self.node.ints(name).map(<[i64]>::to_vec).or_else(|| self.constant(input))
    }

    /// Channels first, as convolutions and poolings make it.
    fn picture(&self) -> Option<Axes> {
        let shape = self.shape(0)?;
        if shape.len() != 4 {
            return None;
        }
        Some(
            [Kind::Picture, Kind::Channel, Kind::Row, Kind::Column]
                .into_iter()
                .zip(shape)
                .map(|(k, &n)| Axis::of(k, n))
                .collect(),
        )
    }

    /// Element by element, or along the channels: of each axis, what an input of that length says.
    fn same(&self, output: usize) -> Option<Axes> {
        let shape = self.shape(output)?;
        let known: Vec<&Axes> = (0..self.node.inputs().len()).filter_map(|i| self.axes(i)).collect();
        let axis = |at: usize| {
            let from_behind = shape.len() - at;
            let facing = |axes: &&Axes| axes.len().checked_sub(from_behind).map(|i| axes[i].clone());
            known.iter().filter_map(facing).find(|axis| axis.size() == shape[at])
        };
        if known.is_empty() {
            return None;
        }
        Some((0..shape.len()).map(|at| axis(at).unwrap_or_else(|| Axis::of(Kind::Channel, shape[at]))).collect())
    }

    fn transpose(&self) -> Option<Axes> {
        let axes = self.axes(0)?;
        match self.node.ints("perm") {
            None => Some(axes.iter().rev().cloned().collect()),
            Some(perm) => perm.iter().map(|&p| axes.get(usize::try_from(p).ok()?).cloned()).collect(),
        }
    }

    fn slice(&self) -> Option<Axes> {
        let mut axes = self.axes(0)?.clone();
        let (starts, ends) = (self.setting("starts", 1)?, self.setting("ends", 2)?);
        let along = self.setting("axes", 3).unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = self.constant(4).unwrap_or_else(|| vec![1; starts.len()]);
        for (((&axis, &start), &end), &step) in along.iter().zip(&starts).zip(&ends).zip(&steps) {
            let axis = axes.get_mut(place(axis, self.axes(0)?.len())?)?;
            let size = axis.size() as i64;
            let at = |x: i64| if x < 0 { (x.saturating_add(size)).max(0) } else { x.min(size) } as usize;
            *axis = axis.slice(at(start), at(end), usize::try_from(step).ok()?);
        }
        Some(axes)
    }

    fn split(&self) -> Option<Vec<Option<Axes>>> {
        let axes = self.axes(0)?;
        let axis = place(self.node.int("axis", 0), axes.len())?;
        let mut start = 0;
        let part = |i: usize| {
            let size = *self.shape(i)?.get(axis)?;
            let mut axes = axes.clone();
            axes[axis] = axes[axis].slice(start, start + size, 1);
            start += size;
            Some(axes)
        };
        Some((0..self.node.outputs().len()).map(part).collect())
    }

    fn gather(&self) -> Option<Axes> {
        let axes = self.axes(0)?;
        let axis = place(self.node.int("axis", 0), axes.len())?;
        let shape = self.shape(0)?;
        let picked = shape.len().checked_sub(axes.len() - 1)?;
        let indices = self.constant(1)?;
        let first = place(*indices.first()?, axes[axis].size())?;
        let in_a_row = indices.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let middle: Vec<Axis> = match picked {
            0 => Vec::new(),
            1 if in_a_row => vec![axes[axis].slice(first, first + indices.len(), 1)],
            _ => shape[axis..axis + picked].iter().map(|&n| Axis::of(Kind::Channel, n)).collect(),
        };
        Some([&axes[..axis], &middle, &axes[axis + 1..]].concat())
    }

    fn concat(&self) -> Option<Axes> {
        let inputs = self.node.inputs();
        let mut axes = (0..inputs.len()).find_map(|i| self.axes(i))?.clone();
        let axis = place(self.node.int("axis", 1), axes.len())?;
        let part = |i: usize| match self.axes(i) {
            Some(axes) => axes.get(axis).cloned(),
            None => Some(Axis::of(Kind::Channel, *self.facts.shape(&inputs[i])?.get(axis)?)),
        };
        axes[axis] = Axis::concat(&(0..inputs.len()).map(part).collect::<Option<Vec<_>>>()?);
        Some(axes)
    }

    fn pad(&self) -> Option<Axes> {
        let axes = self.axes(0)?;
        let pads = self.setting("pads", 1)?;
        let along = self.constant(3).unwrap_or_else(|| (0..axes.len() as i64).collect());
        let (before, behind) = pads.split_at_checked(along.len())?;
        let mut padded = axes.clone();
        for ((&axis, &a), &b) in along.iter().zip(before).zip(behind) {
            let axis = padded.get_mut(place(axis, axes.len())?)?;
            // cropping
            if a < 0 || b < 0 {
                let end = axis.size().checked_sub(usize::try_from(-b.min(0)).ok()?)?;
                *axis = axis.slice(usize::try_from(-a.min(0)).ok()?, end, 1);
            }
            *axis = axis.padded(usize::try_from(a.max(0)).ok()?, usize::try_from(b.max(0)).ok()?);
        }
        Some(padded)
    }

    /// The last axis is summed over; the second operand, a weight or not, says what stands there afterwards.
    fn matmul(&self) -> Option<Axes> {
        let shape = self.shape(0)?;
        let (rows, columns) = (self.axes(0), self.axes(1));
        if rows.is_none() && columns.is_none() {
            return None;
        }
        let axis = |at: usize| {
            let from_behind = shape.len() - at;
            let facing = |axes: Option<&Axes>| {
                let axis = axes.and_then(|axes| axes.get(axes.len().checked_sub(from_behind)?));
                axis.filter(|axis| axis.size() == shape[at]).cloned()
            };
            let from = match from_behind {
                1 => facing(columns),
                2 => facing(rows),
                _ => facing(rows).or_else(|| facing(columns)),
            };
            from.unwrap_or_else(|| Axis::of(Kind::Channel, shape[at]))
        };
        Some((0..shape.len()).map(axis).collect())
    }

    fn gemm(&self) -> Option<Axes> {
        let rows = self.axes(0)?.get(usize::from(self.node.int("transA", 0) != 0))?.clone();
        Some(vec![rows, Axis::of(Kind::Channel, *self.shape(0)?.get(1)?)])
    }

    fn reduce(&self) -> Option<Axes> {
        let (axes, shape) = (self.axes(0)?, self.shape(0)?);
        let along: Vec<usize> = match self.setting("axes", 1) {
            Some(along) => along.iter().map(|&axis| place(axis, axes.len())).collect::<Option<_>>()?,
            None if self.node.op().starts_with("Arg") => vec![place(self.node.int("axis", 0), axes.len())?],
            None => (0..axes.len()).collect(),
        };
        let kept = shape.len() == axes.len();
        let axis = |(i, axis): (usize, &Axis)| match (along.contains(&i), kept) {
            (false, _) => Some(axis.clone()),
            (true, true) => Some(Axis::default()),
            (true, false) => None,
        };
        Some(axes.iter().enumerate().filter_map(axis).collect())
    }
}

/// An axis or index that may count from the end.
fn place(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add(i64::try_from(length).ok()?)? } else { at };
    usize::try_from(at).ok().filter(|&at| at < length)
}
