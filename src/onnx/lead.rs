//! The K classes that are explained at once: a dimension of a value that its shape does not show. Of several pictures each has
//! one class, and there is no such dimension.
//!
//! A gradient of K classes has the shape of the forward tensor it belongs to, and K times its elements; K is known only when
//! the graph runs. Where axis 0 has length 1, as the batch of one picture, K takes its place, and operators see pictures as
//! ever; elsewhere K stands before axis 0. Rules and methods need not know: the methods of [`Val`] keep track.

use super::emit::Emit;
use super::node::Attr;
use super::tensor::{Data, Tensor};
use super::val::{Form, Val, Value};

/// Where K lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// Nowhere: the same for every class.
    None,
    /// In axis 0, whose own length is 1: [K, s1, ..].
    InPlace,
    /// In front: [K, s0, s1, ..].
    Before,
}

impl Lead {
    /// Where it is best kept in a value of that shape.
    pub fn of(shape: &[usize]) -> Lead {
        if shape.first() == Some(&1) { Lead::InPlace } else { Lead::Before }
    }

    /// Axes of the tensor that stand before axis 0 of the shape.
    pub fn offset(self) -> usize {
        usize::from(self == Lead::Before)
    }
}

impl<'g> Val<'g> {
    pub(super) fn lead(self) -> Lead {
        self.emit.values.borrow()[self.id].lead
    }

    /// Whether it differs from class to class.
    pub fn is_per_class(self) -> bool {
        self.lead() != Lead::None
    }

    /// The same elements in another shape, K where it is wanted.
    pub(super) fn lay(self, shape: &[usize], lead: Lead) -> Val<'g> {
        if self.lead() == lead && self.shape() == shape {
            return self;
        }
        let rest = if lead == Lead::InPlace { &shape[1..] } else { shape };
        let dims = rest.iter().map(|&d| d as i64);
        let dims: Vec<i64> = if lead == Lead::None { dims.collect() } else { [-1].into_iter().chain(dims).collect() };
        self.emit.raw("Reshape", &[self, self.emit.ints(&dims)], &[], &[(shape, lead)])[0]
    }

    /// The value with K in front: a tensor [K, shape..].
    pub fn before(self) -> Val<'g> {
        if self.lead() == Lead::InPlace { self.lay(&self.shape(), Lead::Before) } else { self }
    }

    /// As an operand of an operator that broadcasts to `rank` axes, with K where the result has it.
    pub(super) fn operand(self, rank: usize, lead: Lead) -> Val<'g> {
        if !self.is_per_class() {
            return self;
        }
        let shape = self.shape();
        let padded = [vec![1; rank.saturating_sub(shape.len())], shape].concat();
        if lead == Lead::InPlace && padded.first() != Some(&1) {
            self.emit.fail(format!("an operand of shape {padded:?} is longer than the result"));
            return self;
        }
        self.lay(&padded, lead)
    }

    /// For a weight [classes, rest..]: the row of each class in `class` ([N, 1], int64), [N, rest..]. One row read instead of
    /// a product with all of the weight.
    pub fn at_class(self, class: Val<'g>) -> Val<'g> {
        let (weight, pictures) = (self.shape(), class.shape()[0]);
        let rows = [&[pictures, 1], &weight[1..]].concat();
        let rows = self.emit.raw("Gather", &[self, class], &[("axis", Attr::Int(0))], &[(&rows, class.lead())])[0];
        rows.reshape(&[&[pictures], &weight[1..]].concat())
    }

    /// For a table [N, classes, rest..], a part for each picture: the row of each picture's class, [N, rest..].
    pub fn at_own_class(self, class: Val<'g>) -> Val<'g> {
        let shape = self.shape();
        let [pictures, classes, rest @ ..] = &shape[..] else {
            self.emit.fail(format!("a table of shape {shape:?}"));
            return self;
        };
        let rows = self.reshape(&[&[pictures * classes], rest].concat());
        if *pictures == 1 {
            return rows.at_class(class);
        }
        let before = (0..*pictures).map(|picture| (picture * classes) as i64).collect();
        let before = self.emit.constant(&Tensor { shape: vec![*pictures, 1], data: Data::I64(before) });
        rows.at_class(class + before)
    }

    /// [N, K, rest..] as a tensor that shows K, of a value [N, 1, rest..]. What does not differ from class to class is
    /// repeated for each in `class`. Of several pictures, which have one class each, the value itself.
    pub fn stacked(self, class: Val<'g>) -> Val<'g> {
        let shape = self.shape();
        if !class.is_per_class() {
            return self;
        }
        if !self.is_per_class() {
            let ones = class.binary("Equal", class).cast(1);
            return (self * ones.reshape(&vec![1; shape.len()])).stacked(class);
        }
        let dims: Vec<i64> = [1, -1].into_iter().chain(shape[2..].iter().map(|&d| d as i64)).collect();
        self.emit.raw("Reshape", &[self, self.emit.ints(&dims)], &[], &[(&shape, Lead::None)])[0]
    }

    /// The inverse for the classes [1, K] of one picture: a value [1, 1] for each. Those of several pictures, [N, 1], stay.
    pub fn unstacked(self) -> Val<'g> {
        let shape = self.shape();
        if shape[0] == 1 { self.lay(&[1, 1], Lead::InPlace) } else { self }
    }

    /// Where K is 1: the tensor of just the value's shape.
    pub fn single(self) -> Val<'g> {
        let shape = self.shape();
        let dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        self.emit.raw("Reshape", &[self, self.emit.ints(&dims)], &[], &[(&shape, Lead::None)])[0]
    }
}

impl<'m> Emit<'m> {
    /// A tensor [K, shape..] that already has a name: a value for each class.
    pub fn per_class<'g>(&'g self, name: &str, shape: &[usize]) -> Val<'g>
    where
        'm: 'g,
    {
        let value = Value { form: Form::Written(name.into()), shape: shape.to_vec(), lead: Lead::Before };
        self.val(self.push(value)).lay(shape, Lead::of(shape))
    }

    /// A node of an operator that broadcasts its inputs, or has one and keeps its shape.
    pub fn node<'g>(&'g self, op: &str, inputs: &[Val<'g>], attrs: &[(&str, Attr)], shape: &[usize]) -> Val<'g>
    where
        'm: 'g,
    {
        let lead = if inputs.iter().any(|v| v.is_per_class()) { Lead::of(shape) } else { Lead::None };
        let inputs: Vec<Val> = inputs.iter().map(|v| v.operand(shape.len(), lead)).collect();
        self.raw(op, &inputs, attrs, &[(shape, lead)])[0]
    }

    /// A node of an operator that takes each entry of axis 0 of its first input by itself (convolutions, poolings); its other
    /// inputs are constants.
    pub fn pictures<'g>(&'g self, op: &str, inputs: &[Val<'g>], attrs: &[(&str, Attr)], shape: &[usize]) -> Val<'g>
    where
        'm: 'g,
    {
        let lead = inputs[0].lead();
        if lead != Lead::Before {
            return self.raw(op, inputs, attrs, &[(shape, lead)])[0];
        }
        // K entries of axis 0 each: [K * N, ..]
        let one = inputs[0].shape();
        let dims: Vec<i64> = [-1].into_iter().chain(one[1..].iter().map(|&d| d as i64)).collect();
        let folded = self.raw("Reshape", &[inputs[0], self.ints(&dims)], &[], &[(&one, Lead::None)])[0];
        let made = self.raw(op, &[&[folded], &inputs[1..]].concat(), attrs, &[(shape, Lead::None)])[0];
        let dims: Vec<i64> = [-1].into_iter().chain(shape.iter().map(|&d| d as i64)).collect();
        self.raw("Reshape", &[made, self.ints(&dims)], &[], &[(shape, Lead::Before)])[0]
    }

    /// A node of any operator with any number of outputs, over tensors that are the same for all classes.
    pub fn node_out<'g>(
        &'g self,
        op: &str,
        inputs: &[Val<'g>],
        attrs: &[(&str, Attr)],
        outputs: &[&[usize]],
    ) -> Vec<Val<'g>>
    where
        'm: 'g,
    {
        if inputs.iter().any(|v| v.is_per_class()) {
            self.fail(format!("{op} over a value that differs from class to class"));
        }
        let outputs: Vec<_> = outputs.iter().map(|shape| (*shape, Lead::None)).collect();
        self.raw(op, inputs, attrs, &outputs)
    }
}
