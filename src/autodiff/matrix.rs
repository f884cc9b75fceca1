//! Operators that are linear along an axis: what comes back is a product with their matrix.

use super::back::Back;
use crate::error::Result;
use crate::onnx::Val;

/// Elements that a matrix may have where the tensors at hand have fewer.
const LARGEST: usize = 1 << 22;

/// Weights [outputs, inputs] along one axis.
#[derive(Debug, Clone)]
pub(super) struct Matrix {
    outputs: usize,
    inputs: usize,
    weights: Vec<f32>,
}

/// Whether so many elements, constant or computed, are in proportion to a node's input and output.
pub(super) fn in_proportion(b: &Back, elements: Option<usize>, what: &str) -> Result<()> {
    let of = |shape: &[usize]| shape.iter().product::<usize>();
    let limit = LARGEST.max(of(&b.shape(0)) + of(&b.y_shape(0)));
    match elements {
        Some(n) if n <= limit => Ok(()),
        _ => Err(b.refuse(&format!("its gradient takes {what} of more than {limit} elements"))),
    }
}

impl Matrix {
    /// All zero.
    pub fn new(b: &Back, outputs: usize, inputs: usize) -> Result<Matrix> {
        in_proportion(b, outputs.checked_mul(inputs), "a matrix")?;
        Ok(Matrix { outputs, inputs, weights: vec![0.0; outputs * inputs] })
    }

    /// Output `i` is input `places[i]`.
    pub fn of_places(b: &Back, places: &[usize], inputs: usize) -> Result<Matrix> {
        let mut matrix = Matrix::new(b, places.len(), inputs)?;
        places.iter().enumerate().for_each(|(output, &input)| matrix.add(output, input, 1.0));
        Ok(matrix)
    }

    /// Adds to a weight.
    pub fn add(&mut self, output: usize, input: usize, weight: f32) {
        self.weights[output * self.inputs + input] += weight;
    }

    /// The gradient before the operator, from the one behind it.
    pub fn back<'g>(&self, g: Val<'g>, axis: usize) -> Val<'g> {
        let emit = g.emit();
        if g.shape()[axis] == 1 {
            // alike for all outputs: what each input adds to them
            let sums = (0..self.inputs).map(|i| self.weights.iter().skip(i).step_by(self.inputs).sum()).collect();
            let along = [&[self.inputs], vec![1; g.shape().len() - axis - 1].as_slice()].concat();
            return g * emit.floats(&along, sums);
        }
        product(g, axis, emit.floats(&[self.outputs, self.inputs], self.weights.clone()))
    }
}

/// `g` times a matrix [outputs, inputs] along one axis, which has `outputs` elements.
pub(super) fn product<'g>(g: Val<'g>, axis: usize, matrix: Val<'g>) -> Val<'g> {
    let mut last: Vec<usize> = (0..g.shape().len()).collect();
    last.swap(axis, g.shape().len() - 1);
    let rows = g.transpose(&last);
    let shape = rows.shape();
    // of one axis only: a matrix of one row
    let made = if let [n] = shape[..] { rows.reshape(&[1, n]) } else { rows }.matmul(matrix);
    let made = if shape.len() == 1 { made.reshape(&made.shape()[1..]) } else { made };
    made.transpose(&last)
}

/// CumSum: a triangle of ones.
pub(super) fn cum_sum<'g>(b: &Back<'g>) -> Result<Vec<Option<Val<'g>>>> {
    let shape = b.shape(0);
    let axis = b.weight(1)?.as_i64().and_then(|v| v.first().copied()).unwrap_or(0);
    let Some(axis) = b.place(axis, shape.len()) else { return Err(b.refuse("it has no axis to sum along")) };
    let (exclusive, reverse) = (b.node.int("exclusive", 0) != 0, b.node.int("reverse", 0) != 0);
    let mut matrix = Matrix::new(b, shape[axis], shape[axis])?;
    for (output, input) in (0..shape[axis]).flat_map(|o| (0..shape[axis]).map(move |i| (o, i))) {
        let before = if reverse { input > output } else { input < output };
        if before || (input == output && !exclusive) {
            matrix.add(output, input, 1.0);
        }
    }
    Ok(vec![Some(matrix.back(b.g(), axis))])
}
