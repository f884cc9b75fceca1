//! Several pictures at a time in a model that was exported for one: the shapes that the file fixes to one picture are rewritten.
//!
//! An exporter that knows of one picture writes `[1, 197, 768]`, and merges the picture's axis with those of windows or heads. Where
//! it lies is followed from the input on. What is lost on the way stays as it is, and the runtime or the self-check says so.

use std::collections::{HashMap, HashSet};

use super::holds;
use crate::onnx::draft::Draft;
use crate::onnx::{Facts, Graph, Model, Node, Tensor};

/// Where pictures lie in a tensor: in this axis, around so many of its elements.
#[derive(Debug, Clone, Copy)]
struct Place {
    axis: usize,
    inside: usize,
}

/// What is to be done to a node.
enum Change {
    /// Its input says this shape.
    Shape(usize, Vec<i64>),
    /// Its input, the same for every picture, is repeated to this shape.
    Repeat(usize, Vec<i64>),
}

/// The model for `count` pictures at a time, from what was measured with one; `picture` is its input, still to be pinned. Shapes that
/// the file computes are its own affair, unless it fails so: then `computed` has them rewritten too.
///
/// # Errors
/// The node that picks one picture, or works along the pictures.
pub fn rebatch(model: &Model, one: &Facts, picture: &str, count: usize, computed: bool) -> Result<Model, String> {
    let graph = Graph::new(model).map_err(|error| error.to_string())?;
    let files: HashMap<&str, usize> =
        model.nodes().enumerate().filter_map(|(at, node)| Some((node.outputs().first()?.as_str(), at))).collect();
    let mut walk = Walk {
        model,
        one,
        count,
        computed,
        places: HashMap::from([(picture, Place { axis: 0, inside: 1 })]),
        follows: HashSet::from([picture]),
    };
    let mut changes = Vec::new();
    for node in &graph.order {
        walk.pass(node)?;
        let at = node.outputs().first().and_then(|y| files.get(y.as_str()));
        changes.extend(at.into_iter().flat_map(|at| walk.changes(node).into_iter().map(|change| (*at, change))));
    }
    let mut draft = Draft::new(model.clone(), "batched");
    for (at, change) in changes {
        let (Change::Shape(input, dims) | Change::Repeat(input, dims)) = &change;
        let mut name = draft.constant(&format!("{at}_{input}_dims"), &Tensor::i64s(dims));
        if let Change::Repeat(..) = change {
            let (own, repeated) = (draft.node(at).input[*input].clone(), draft.name(&format!("{at}_{input}")));
            draft.model.add_node("Expand", &repeated, &[&own, &name], &[&repeated], &[]);
            name = repeated;
        }
        draft.node(at).input[*input] = name;
    }
    draft.finish()
}

struct Walk<'a, 'm> {
    model: &'m Model,
    one: &'a Facts,
    count: usize,
    computed: bool,
    places: HashMap<&'m str, Place>,
    /// Tensors that come from the picture or from its shape.
    follows: HashSet<&'m str>,
}

impl<'m> Walk<'_, 'm> {
    /// Where pictures lie in what a node makes.
    fn pass(&mut self, node: &Node<'m>) -> Result<(), String> {
        if node.has_subgraph() || node.reads().any(|x| self.follows.contains(x)) {
            self.follows.extend(node.outputs().iter().map(String::as_str));
        }
        let placed = |x: &String| Some((self.one.shape(x)?, *self.places.get(x.as_str())?));
        let Some((i, (from, place))) = node.inputs().iter().enumerate().find_map(|(i, x)| Some((i, placed(x)?))) else {
            return Ok(());
        };
        for made in node.outputs() {
            // what is the same for every picture has none in it: a shape, a mask
            let Some(fact) = self.one.get(made).filter(|fact| fact.value.is_none()) else { continue };
            let who = |what: &str| format!("{} node {:?} {what}", node.op(), node.name());
            if let Some(place) = self.after(node, i, place, from, &fact.shape).map_err(who)? {
                self.places.insert(made, place);
            }
        }
        Ok(())
    }

    /// Where pictures lie in an output of shape `to`, if they lie at `at` in input `i` of shape `from`.
    fn after(
        &self,
        node: &Node,
        i: usize,
        at: Place,
        from: &[usize],
        to: &[usize],
    ) -> Result<Option<Place>, &'static str> {
        let rank = from.len() as i64;
        let front = |axis: i64, rank: i64| usize::try_from(if axis < 0 { axis + rank } else { axis }).ok();
        let axes = |rank: i64| {
            let given = node.ints("axes").map(<[i64]>::to_vec).or_else(|| self.constant(node.input(1)?));
            given.map(|axes| axes.into_iter().filter_map(|axis| front(axis, rank)).collect::<Vec<_>>())
        };
        // the axes of `gone` are no more
        let without = |gone: &[usize]| at.axis - gone.iter().filter(|&&axis| axis < at.axis).count();
        let op = node.op();
        let axis = match op.as_str() {
            "Reshape" | "Flatten" => return Ok(locate(to, at.within(from))),
            "Transpose" => match node.ints("perm") {
                Some(perm) => perm.iter().position(|&from| front(from, rank) == Some(at.axis)),
                None => to.len().checked_sub(at.axis + 1),
            },
            "Unsqueeze" => {
                let new = axes(to.len() as i64).unwrap_or_default();
                (0..to.len()).filter(|axis| !new.contains(axis)).nth(at.axis)
            }
            "Squeeze" => match axes(rank) {
                Some(gone) if !gone.contains(&at.axis) => Some(without(&gone)),
                _ => return Err("takes the pictures' axis away"),
            },
            // of a table
            "Gather" if i == 1 => usize::try_from(node.int("axis", 0)).ok().map(|axis| axis + at.axis),
            "Gather" => match front(node.int("axis", 0), rank) {
                Some(axis) if axis == at.axis => return Err("picks one picture"),
                Some(axis) if axis < at.axis => (at.axis + to.len()).checked_sub(from.len()),
                _ => Some(at.axis),
            },
            op if op.starts_with("Reduce") || op.starts_with("Arg") => {
                let along =
                    if op.starts_with("Arg") { front(node.int("axis", 0), rank).map(|a| vec![a]) } else { axes(rank) };
                let along = along.unwrap_or_else(|| (0..from.len()).collect());
                if along.contains(&at.axis) {
                    return Err("works along the pictures");
                }
                Some(if to.len() == from.len() { at.axis } else { without(&along) })
            }
            // operands are aligned by their last axes
            _ => (at.axis + to.len()).checked_sub(from.len()).filter(|&axis| to[axis] == from[at.axis]),
        };
        Ok(axis.filter(|&axis| axis < to.len()).map(|axis| Place { axis, ..at }))
    }

    /// What a node fixes to one picture.
    fn changes(&self, node: &Node<'m>) -> Vec<Change> {
        let Some((made, place)) =
            node.outputs().first().and_then(|y| Some((self.shape(y)?, *self.places.get(y.as_str())?)))
        else {
            return Vec::new();
        };
        let several = |shape: &[usize], place: Place| {
            let mut shape = shape.to_vec();
            shape[place.axis] *= self.count;
            shape
        };
        let dims = |shape: &[usize]| shape.iter().map(|&n| n as i64).collect::<Vec<_>>();
        let fixed = |i: usize| node.input(i).and_then(|name| self.constant(name));
        let wanted = several(made, place);
        match node.op().as_str() {
            "Reshape" if fixed(1).is_some() => {
                let from = node.input(0).and_then(|x| Some(several(self.shape(x)?, *self.places.get(x)?)));
                let stays = from.is_some_and(|from| holds(node.proto, self.one, self.model, &from, &wanted));
                if stays { Vec::new() } else { vec![Change::Shape(1, dims(&wanted))] }
            }
            "Resize" if fixed(3).is_some_and(|sizes| sizes.len() == wanted.len()) => {
                vec![Change::Shape(3, dims(&wanted))]
            }
            "Concat" if place.inside == 1 => {
                // to repeat what is as long already changes nothing
                let alone = |x: &str| {
                    !self.places.contains_key(x) && self.shape(x).is_some_and(|own| own.get(place.axis) == Some(&1))
                };
                let mut repeated = vec![1; made.len()];
                repeated[place.axis] = self.count as i64;
                let inputs = node.inputs().iter().enumerate().filter(|(_, x)| alone(x));
                inputs.map(|(i, _)| Change::Repeat(i, repeated.clone())).collect()
            }
            _ => Vec::new(),
        }
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.one.shape(name)
    }

    /// Integers that the file fixes, or that may be fixed.
    fn constant(&self, name: &str) -> Option<Vec<i64>> {
        let fixed = Some(name).filter(|name| self.computed || !self.follows.contains(name))?;
        let measured = self.one.get(fixed).and_then(|fact| fact.value.clone());
        measured.or_else(|| self.model.initializer(fixed))?.as_i64().map(<[i64]>::to_vec)
    }
}

impl Place {
    /// Elements behind one picture's first that lie in a row before the next picture's.
    fn within(self, shape: &[usize]) -> usize {
        self.inside * shape[self.axis + 1..].iter().product::<usize>()
    }
}

/// Where pictures lie in a shape, if each has `within` elements in a row: an axis of length 1 there is theirs; else the axis
/// behind them, as heads are merged with pictures, unless it is the last, the channels'.
fn locate(shape: &[usize], within: usize) -> Option<Place> {
    let behind = |axis: usize| shape[axis..].iter().product::<usize>();
    if let Some(axis) = (0..shape.len()).find(|&axis| shape[axis] == 1 && behind(axis + 1) == within) {
        return Some(Place { axis, inside: 1 });
    }
    let last = shape.len().checked_sub(1)?;
    if last > 0 && (behind(last) == within || within == 1) {
        let axis = if within == 1 { last } else { last - 1 };
        return Some(Place { axis, inside: 1 });
    }
    (0..shape.len()).find_map(|axis| {
        let (whole, step) = (behind(axis), behind(axis + 1));
        let fits = within > step && within <= whole && within.is_multiple_of(step) && whole.is_multiple_of(within);
        fits.then_some(Place { axis, inside: within / step })
    })
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn pictures_lie_where_exporters_put_them() {
        let place = |shape: &[usize], within| locate(shape, within).map(|place| (place.axis, place.inside));
        // a head of its own, windows of 8x8, heads in front, tokens in front
        assert_eq!(place(&[1, 512], 512), Some((0, 1)));
        assert_eq!(place(&[64, 49, 96], 64 * 49 * 96), Some((0, 64)));
        assert_eq!(place(&[1, 8, 8, 7, 7, 96], 64 * 49 * 96), Some((0, 1)));
        assert_eq!(place(&[197, 12, 64], 768), Some((1, 12)));
        assert_eq!(place(&[197, 1, 768], 768), Some((1, 1)));
        assert_eq!(place(&[197, 768], 768), Some((0, 1)));
        assert_eq!(place(&[12, 197, 64], 12 * 197 * 64), Some((0, 12)));
        assert_eq!(place(&[6, 4], 9), None);
    }
}
