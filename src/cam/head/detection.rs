//! Boxes with scores, in one tensor: an axis of anchors, an axis of entries (four of the box, then the scores).
//!
//! The score of a class is that of its best anchor, which is held fixed; where there is an objectness, anchors are compared by the
//! class's score times it. What is differentiated is the class's entry at that anchor, before its sigmoid where the graph shows one.

use super::end::End;
use super::entries::{Made, before_sigmoid, parts};
use super::view::View;
use super::{Activation, Candidate, Doubt, Explained, Head, Not, Reading, ScoreKind};
use crate::onnx::{Attr, Data, Emit, Graph, Tensor, Val};

/// Entries of a box.
const BOX: usize = 4;

#[derive(Debug)]
struct Detection {
    /// The output's axis of entries.
    axis: usize,
    /// Whether it lies before the axis of anchors.
    entries_first: bool,
    anchors: usize,
    /// The first class's entry; the objectness stands before it, if there is one.
    first: usize,
    objectness: bool,
    /// Whether the output holds logits, of which nothing has made probabilities.
    raw: bool,
}

pub(super) fn read(view: &View, end: &End) -> Result<Candidate, Not> {
    let output = end.output.as_str();
    let shape = view.shape(output);
    let pictures = view.pictures();
    if pictures > 1 && shape.first() != Some(&pictures) {
        return Err(Not::Shape);
    }
    let first = usize::from(pictures > 1);
    let long: Vec<usize> = (first..shape.len()).filter(|&axis| shape[axis] != 1).collect();
    let [a, b] = long[..] else { return Err(Not::Shape) };
    if let Some(node) = view
        .since_weights(output)
        .into_iter()
        .find(|node| matches!(node.op().as_str(), "NonMaxSuppression" | "TopK" | "ArgMax"))
    {
        return Err(Not::Broken(format!(
            "if it holds boxes, they are selected already ({} node {:?}), and no score of all of them is left; export it without",
            node.op(),
            node.name()
        )));
    }
    // where a cut behind the box shows, it tells the axis; else there are more anchors than entries
    let cut = |axis: usize| {
        let parts = parts(view, output, axis);
        let behind = (1..parts.len()).find(|&i| parts[..i].iter().sum::<usize>() == BOX)?;
        Some(parts[behind..].to_vec())
    };
    let (axis, rest) = match (cut(a), cut(b)) {
        (Some(rest), None) => (a, Some(rest)),
        (None, Some(rest)) => (b, Some(rest)),
        (cut_a, cut_b) => {
            if shape[a] <= shape[b] {
                (a, cut_a)
            } else {
                (b, cut_b)
            }
        }
    };
    let (entries, last) = (shape[axis], axis == b);
    if entries <= BOX {
        return Err(Not::Shape);
    }
    let scratch = Emit::new(view.model, view.facts);
    let made = |range| before_sigmoid(&scratch, view, output, axis, range);
    let layout = layout(entries, last, rest.as_deref().unwrap_or_default(), view.names);
    let Layout { first, classes, objectness, .. } = layout;
    let mut warnings = Vec::new();
    // a sigmoid over boxes and scores together is YOLO v5's and v7's, scores of several parts say what each is
    let shown = rest.as_ref().is_some_and(|rest| {
        !last || rest.len() > 1 || made((BOX, entries)).is_some_and(|stretch| stretch.beside == entries)
    });
    if !shown && !layout.named {
        let with = |yes: bool| if yes { "with an objectness" } else { "without an objectness" };
        warnings.push(format!(
            "the output {output:?} of shape {shape:?} is taken for boxes {} and {classes} classes, by its shape alone; if it has {} \
             classes, a labels-file with their names says so",
            with(objectness),
            if objectness { classes + 1 } else { classes.saturating_sub(1) }
        ));
    }
    let from = made((first, first + classes)).map(|stretch| stretch.made);
    let reading = Detection {
        axis,
        entries_first: !last,
        anchors: shape[if axis == a { b } else { a }],
        first,
        objectness,
        raw: from == Some(Made::Weights),
    };
    let head = Head {
        output: output.into(),
        logits: output.into(),
        shape: shape.to_vec(),
        pictures,
        classes,
        activation: if from.is_some() { Activation::Sigmoid } else { Activation::None },
        probabilities: None,
        warnings,
        reading: Box::new(reading),
    };
    Ok(Candidate { head, doubt: if rest.is_some() || layout.named { Doubt::None } else { Doubt::Open } })
}

/// Where the classes' entries are.
struct Layout {
    first: usize,
    classes: usize,
    objectness: bool,
    /// Whether the number of class names says so.
    named: bool,
}

/// `last`: the entries lie behind the anchors. `rest`: the parts behind the box that the graph shows. The rule: entries before anchors
/// are those of YOLO v8 and later, without an objectness; entries behind anchors those of v5 and v7, with one; a number of class
/// names that fits decides before either.
fn layout(entries: usize, last: bool, rest: &[usize], names: Option<usize>) -> Layout {
    let all = entries - BOX;
    let of = |objectness, classes, named| Layout { first: BOX + usize::from(objectness), classes, objectness, named };
    let (part, next) = (rest.first().copied().unwrap_or(all), rest.get(1).copied());
    let names = names.filter(|&names| names > 0);
    match names {
        Some(names) if last && part == 1 && next == Some(names) => of(true, names, true),
        Some(names) if part == names || all == names => of(false, names, true),
        Some(names) if part == names + 1 && last => of(true, names, true),
        _ if !last => of(false, part, false),
        _ => match (part, next) {
            (1, Some(classes)) => of(true, classes, false),
            // one entry alone is a class
            (1, None) => of(false, 1, false),
            _ => of(true, part - 1, false),
        },
    }
}

impl Detection {
    /// [N, count, anchors]: entries of the output, as probabilities.
    fn rows<'g>(&self, emit: &'g Emit<'g>, head: &Head, start: usize, count: usize) -> Val<'g> {
        let cut = emit.tensor(&head.output).slice(&[(self.axis, start, start + count, 1)]);
        let rows = if self.entries_first {
            cut.reshape(&[head.pictures, count, self.anchors])
        } else {
            cut.reshape(&[head.pictures, self.anchors, count]).transpose(&[0, 2, 1])
        };
        if self.raw { rows.unary("Sigmoid") } else { rows }
    }
}

impl Reading for Detection {
    fn kind(&self) -> ScoreKind {
        ScoreKind::Detection
    }

    fn write<'g>(&self, emit: &'g Emit<'g>, head: &Head) -> Explained<'g> {
        let (pictures, classes, anchors) = (head.pictures, head.classes, self.anchors);
        let scores = self.rows(emit, head, self.first, classes);
        let scores = if self.objectness { scores * self.rows(emit, head, BOX, 1) } else { scores };
        let best = scores.max(&[2]).reshape(&[pictures, classes]);
        let every = emit.constant(&Tensor { shape: vec![1, anchors], data: Data::I64((0..anchors as i64).collect()) });
        // of the output, the logits have all entries; joined, those of the classes alone
        let before = if head.logits == head.output { self.first } else { 0 };
        let (shape, axis, entries_first) = (head.shape.clone(), self.axis, self.entries_first);
        let seed = move |class: Val<'g>| {
            let anchor = emit.node(
                "ArgMax",
                &[scores.at_own_class(class)],
                &[("axis", Attr::Int(1)), ("keepdims", Attr::Int(1))],
                &[pictures, 1],
            );
            let behind = shape[axis] - before - classes;
            let class = emit.one_hot(class, &[pictures, classes]).pad(&[(0, 0), (before, behind)], 0.0);
            let (rows, columns) = if entries_first { (class, anchor.same(every)) } else { (anchor.same(every), class) };
            let sizes = [rows.shape()[1], columns.shape()[1]];
            (rows.reshape(&[pictures, sizes[0], 1]) * columns.reshape(&[pictures, 1, sizes[1]])).reshape(&shape)
        };
        Explained { ranks: best, probabilities: best, seed: Box::new(seed) }
    }

    fn join<'g>(&self, emit: &'g Emit<'g>, graph: &Graph<'g>, head: &Head) -> Option<Val<'g>> {
        let range = (self.first, self.first + head.classes);
        let stretch = before_sigmoid(emit, &View::over(emit, graph), &head.output, self.axis, range)?;
        (stretch.made == Made::Sigmoid).then_some(stretch.value)
    }
}
