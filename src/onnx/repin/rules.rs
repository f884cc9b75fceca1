//! Which constants follow from the input's size, operator by operator.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;

use crate::onnx::{Facts, Graph, Model, Node, Tensor};

/// Where an axis length comes from.
#[derive(Debug, Clone)]
pub(super) enum Dim {
    /// Not from the size.
    Fixed(usize),
    /// The product of these axes of a tensor, times a fraction.
    Of { tensor: String, axes: Range<usize>, times: (usize, usize) },
}

/// What is to be done to a node.
#[derive(Debug)]
pub(super) enum Change {
    /// Its input `input` says these axis lengths.
    Dims { input: usize, dims: Vec<Dim> },
    /// These of its inputs are these numbers.
    Inputs(Vec<(usize, Vec<i64>)>),
    /// Its attribute `ends` is this.
    Ends(Vec<i64>),
    /// A pooling over the whole grid, written with the grid's size: it becomes the global one.
    Whole,
    /// A pooling to this grid before a fully connected layer: torch's adaptive pooling.
    Adaptive { grid: [i64; 2] },
}

pub(super) struct Finder<'m> {
    model: &'m Model,
    facts: &'m Facts,
    graph: Graph<'m>,
    /// Tensors that come from the picture or from its shape.
    follows: HashSet<&'m str>,
}

impl<'m> Finder<'m> {
    pub(super) fn new(model: &'m Model, facts: &'m Facts, picture: &'m str) -> Self {
        let graph = Graph::new(model).expect("it was sorted when it was read");
        let mut follows = HashSet::from([picture]);
        for node in &graph.order {
            if node.has_subgraph() || node.inputs().iter().any(|x| follows.contains(x.as_str())) {
                follows.extend(node.outputs().iter().map(String::as_str));
            }
        }
        Finder { model, facts, graph, follows }
    }

    /// The nodes to change, by their positions in the file.
    pub(super) fn find(&self) -> Vec<(usize, Change)> {
        let known = |node: &Node| node.input(0).is_some_and(|x| self.follows.contains(x));
        let nodes = self.model.nodes().enumerate().filter(|(_, node)| known(node));
        nodes.filter_map(|(at, node)| Some((at, self.change(&node)?))).collect()
    }

    fn change(&self, node: &Node<'m>) -> Option<Change> {
        let x = node.input(0)?;
        let (from, to) = (self.facts.shape(x)?, self.facts.shape(node.outputs().first()?)?);
        match node.op().as_str() {
            "Reshape" => {
                self.constant(node.input(1)?)?;
                let dims = self.reshaped(x, from, to);
                let follows = dims.iter().any(|dim| matches!(dim, Dim::Of { .. }));
                follows.then_some(Change::Dims { input: 1, dims })
            }
            "Expand" => {
                self.constant(node.input(1)?)?;
                self.spread(x, from, to, &Dim::Fixed(1)).map(|dims| Change::Dims { input: 1, dims })
            }
            "Resize" => {
                self.constant(node.input(3)?)?;
                if from.len() != to.len() || to.contains(&0) {
                    return None;
                }
                let dims = (0..to.len()).map(|a| of(x, a..a + 1, (1, 1))).collect::<Vec<_>>();
                let axes = changed(from, to);
                if let Some(reference) = self.reference(x, &axes, to) {
                    let dims = dims.into_iter().enumerate();
                    let dim = |(a, own)| if axes.contains(&a) { of(reference, a..a + 1, (1, 1)) } else { own };
                    return Some(Change::Dims { input: 3, dims: dims.map(dim).collect() });
                }
                let whole = |&a: &usize| to[a].is_multiple_of(from[a]) || from[a].is_multiple_of(to[a]);
                let scaled = |a: usize| match to[a].is_multiple_of(from[a]) {
                    true => of(x, a..a + 1, (to[a] / from[a], 1)),
                    false => of(x, a..a + 1, (1, from[a] / to[a])),
                };
                // from one cell to many is no scale but a copy of a size that is found nowhere else
                let scale = axes.iter().all(whole) && axes.iter().all(|&a| from[a] > 1);
                scale.then(|| Change::Dims { input: 3, dims: (0..to.len()).map(scaled).collect() })
            }
            "Slice" => self.slice(node, from),
            "AveragePool" | "MaxPool" => self.pool(node, from, to),
            _ => None,
        }
    }

    /// The value of a tensor that the file fixes.
    fn constant(&self, name: &str) -> Option<Vec<i64>> {
        if self.follows.contains(name) {
            return None;
        }
        let measured = self.facts.get(name).and_then(|fact| fact.value.clone());
        measured.or_else(|| self.model.initializer(name)).as_ref().and_then(Tensor::as_i64).map(<[_]>::to_vec)
    }

    /// The axes of a reshape's output: groups of axes that hold the same values, the smallest there are. An axis that goes over as it
    /// is keeps its length; axes that are merged multiply; axes that are split again get the lengths from before they were merged.
    fn reshaped(&self, x: &'m str, from: &[usize], to: &[usize]) -> Vec<Dim> {
        let mut dims: Vec<Dim> = to.iter().map(|&n| Dim::Fixed(n)).collect();
        for (before, after) in groups(from, to) {
            if after.len() == 1 {
                dims[after.start] = of(x, before, (1, 1));
            } else if let Some((tensor, axes)) = self.merged(x, &to[after.clone()], &from[before.clone()]) {
                for (axis, earlier) in after.zip(axes) {
                    dims[axis] = of(tensor, earlier..earlier + 1, (1, 1));
                }
            } else if before.len() > 1 {
                // channels in groups, each with its cells (group normalisation)
                let last = after.end - 1;
                let groups = to[after.start..last].iter().product();
                if groups > 0 && from[before.start].is_multiple_of(groups) {
                    dims[last] = of(x, before, (1, groups));
                }
            }
        }
        dims
    }

    /// The nearest tensor that a reshape on the way to `x` turned from `split` axes into `merged` ones, and those axes.
    fn merged(&self, x: &'m str, split: &[usize], merged: &[usize]) -> Option<(&'m str, Range<usize>)> {
        self.ancestors(x).find_map(|tensor| {
            let node = self.graph.maker_node(tensor)?;
            if !matches!(node.op().as_str(), "Reshape" | "Flatten") {
                return None;
            }
            let before = node.input(0).filter(|name| self.follows.contains(name))?;
            let (from, to) = (self.facts.shape(before)?, self.facts.shape(tensor)?);
            let found =
                groups(from, to).into_iter().find(|(b, a)| &from[b.clone()] == split && &to[a.clone()] == merged);
            found.map(|(axes, _)| (before, axes))
        })
    }

    /// The axes of an output that is stretched: `kept` where they are as before, those of a tensor with that grid elsewhere.
    fn spread(&self, x: &'m str, from: &[usize], to: &[usize], kept: &Dim) -> Option<Vec<Dim>> {
        let axes = changed(from, to);
        if from.len() != to.len() || axes.is_empty() {
            return None;
        }
        let reference = self.reference(x, &axes, to)?;
        let dim = |a| if axes.contains(&a) { of(reference, a..a + 1, (1, 1)) } else { kept.clone() };
        Some((0..to.len()).map(dim).collect())
    }

    /// The nearest tensor before `x` with these lengths at these axes.
    fn reference(&self, x: &'m str, axes: &[usize], to: &[usize]) -> Option<&'m str> {
        let like = |name: &&str| {
            let shape = self.facts.shape(name).filter(|shape| shape.len() == to.len());
            shape.is_some_and(|shape| axes.iter().all(|&a| shape[a] == to[a]))
        };
        self.ancestors(x).find(like)
    }

    /// Tensors that `x` is made from, the nearest first, back to the picture.
    fn ancestors(&self, x: &'m str) -> impl Iterator<Item = &'m str> {
        let mut seen = HashSet::from([x]);
        let mut queue = VecDeque::from([x]);
        std::iter::from_fn(move || {
            let next = queue.pop_front()?;
            let inputs = self.graph.maker_node(next).map_or(&[][..], |node| node.inputs());
            for input in inputs.iter().map(String::as_str).filter(|name| self.follows.contains(name)) {
                if seen.insert(input) {
                    queue.push_back(input);
                }
            }
            Some(next)
        })
    }

    /// A slice to the end of an axis, with the end written as the axis' length.
    fn slice(&self, node: &Node<'m>, from: &[usize]) -> Option<Change> {
        let bounds = Bounds::of(node, from.len(), |name| self.constant(name))?;
        let to_the_end = |i: usize| bounds.steps[i] > 0 && usize::try_from(bounds.ends[i]) == Ok(from[bounds.axes[i]]);
        if !(0..bounds.ends.len()).any(to_the_end) {
            return None;
        }
        let ends: Vec<i64> =
            (0..bounds.ends.len()).map(|i| if to_the_end(i) { i64::MAX } else { bounds.ends[i] }).collect();
        if node.ints("ends").is_some() {
            return Some(Change::Ends(ends));
        }
        // all of them, since they must be of one integer type
        let axes = bounds.axes.iter().map(|&a| a as i64).collect();
        let all = [bounds.starts, ends, axes, bounds.steps].into_iter().zip(1..);
        Some(Change::Inputs(all.filter(|(_, i)| node.input(*i).is_some()).map(|(values, i)| (i, values)).collect()))
    }

    fn pool(&self, node: &Node<'m>, from: &[usize], to: &[usize]) -> Option<Change> {
        let kernel: Vec<usize> = node.ints("kernel_shape")?.iter().map(|&k| k as usize).collect();
        let plain = node.ints("pads").is_none_or(|pads| pads.iter().all(|&p| p == 0))
            && node.ints("dilations").is_none_or(|all| all.iter().all(|&d| d == 1))
            && matches!(node.str("auto_pad", "NOTSET").as_str(), "NOTSET" | "VALID")
            && node.outputs().len() == 1;
        let strides = node.ints("strides").unwrap_or(&[1, 1]);
        let (&[_, _, ref sides @ ..], &[_, _, ref grid @ ..], true) = (from, to, plain) else { return None };
        if [kernel.len(), strides.len(), sides.len(), grid.len()] != [2; 4] {
            return None;
        }
        if kernel == sides {
            return (kernel != [1, 1]).then_some(Change::Whole);
        }
        let tiles =
            (0..2).all(|i| strides[i] as usize == kernel[i] && kernel[i].checked_mul(grid[i]) == Some(sides[i]));
        let adaptive = node.op() == "AveragePool" && tiles && self.is_flattened(node.outputs().first()?, to);
        adaptive.then(|| Change::Adaptive { grid: [grid[0] as i64, grid[1] as i64] })
    }

    /// Whether a grid goes nowhere but, made flat, into a fully connected layer.
    fn is_flattened(&self, tensor: &'m str, shape: &[usize]) -> bool {
        let mut at = tensor;
        let mut flat = false;
        while let [next] = self.graph.readers(at) {
            let node = self.graph.order[*next];
            match node.op().as_str() {
                "Gemm" | "MatMul" => return flat && node.input(0) == Some(at),
                "Identity" | "Dropout" | "Relu" => {}
                "Flatten" | "Reshape" => flat = true,
                _ => return false,
            }
            let Some(out) = node.outputs().first() else { return false };
            if flat && self.facts.shape(out) != Some(&[shape[0], shape[1..].iter().product()]) {
                return false;
            }
            at = out;
        }
        false
    }
}

fn of(tensor: &str, axes: Range<usize>, times: (usize, usize)) -> Dim {
    Dim::Of { tensor: tensor.into(), axes, times }
}

fn changed(from: &[usize], to: &[usize]) -> Vec<usize> {
    (0..to.len().min(from.len())).filter(|&a| from[a] != to[a]).collect()
}

/// The smallest groups of axes with equal products, in order; axes of length 1 stay outside where they may.
fn groups(from: &[usize], to: &[usize]) -> Vec<(Range<usize>, Range<usize>)> {
    let (mut i, mut j) = (0, 0);
    let mut groups = Vec::new();
    while i < from.len() && j < to.len() {
        if from[i] == 1 && to[j] != 1 {
            i += 1;
            continue;
        }
        if to[j] == 1 && from[i] != 1 {
            j += 1;
            continue;
        }
        let (start, begin) = (i, j);
        let (mut a, mut b) = (from[i], to[j]);
        (i, j) = (i + 1, j + 1);
        while a != b {
            let side = if a < b { (&mut a, from.get(i), &mut i) } else { (&mut b, to.get(j), &mut j) };
            let (product, Some(&next), at) = side else { return groups };
            *product *= next;
            *at += 1;
        }
        groups.push((start..i, begin..j));
    }
    groups
}

/// What a Slice says, whichever opset it was written in.
pub(super) struct Bounds {
    pub(super) starts: Vec<i64>,
    pub(super) ends: Vec<i64>,
    pub(super) axes: Vec<usize>,
    pub(super) steps: Vec<i64>,
}

impl Bounds {
    /// `None` where they are computed, or do not fit.
    pub(super) fn of(node: &Node, rank: usize, constant: impl Fn(&str) -> Option<Vec<i64>>) -> Option<Bounds> {
        let read = |name: &str, i: usize| match node.ints(name) {
            Some(values) => Some(values.to_vec()),
            None => constant(node.input(i)?),
        };
        let (starts, ends) = (read("starts", 1)?, read("ends", 2)?);
        let count = starts.len();
        let given = |name: &str, i: usize| node.ints(name).is_some() || node.input(i).is_some();
        let axes = if given("axes", 3) { read("axes", 3)? } else { (0..count as i64).collect() };
        let steps = if given("steps", 4) { read("steps", 4)? } else { vec![1; count] };
        let axes: Option<Vec<usize>> =
            axes.iter().map(|&a| usize::try_from(if a < 0 { a + rank as i64 } else { a }).ok()).collect();
        let axes = axes.filter(|axes| axes.iter().all(|&a| a < rank))?;
        let even = ends.len() == count && axes.len() == count && steps.len() == count;
        even.then_some(Bounds { starts, ends, axes, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_the_smallest_that_hold_the_same_values() {
        let case = |from: &[usize], to: &[usize]| groups(from, to);
        assert_eq!(case(&[1, 512, 1, 1], &[1, 512]), [(0..1, 0..1), (1..2, 1..2)]);
        assert_eq!(case(&[1, 512, 7, 7], &[1, 25088]), [(0..1, 0..1), (1..4, 1..2)]);
        assert_eq!(case(&[1, 64, 7, 5], &[1, 64, 35]), [(0..1, 0..1), (1..2, 1..2), (2..4, 2..3)]);
        assert_eq!(
            case(&[1, 116, 28, 28], &[1, 2, 58, 28, 28]),
            [(0..1, 0..1), (1..2, 1..3), (2..3, 3..4), (3..4, 4..5)]
        );
        assert_eq!(case(&[1, 8, 4, 9], &[1, 4, 72]), [(0..1, 0..1), (1..4, 1..3)]);
        assert_eq!(case(&[6], &[1, 6]), [(0..1, 1..2)]);
        assert_eq!(case(&[0, 3], &[0, 3]), [(0..1, 0..1), (1..2, 1..2)]);
    }
}
