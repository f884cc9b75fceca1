//! THE TABLE: one row an operator. A rule that fits one line stands here, others in their family's file.

use super::back::Back;
use crate::error::Result;
use crate::onnx::Val;

/// How an operator passes a gradient back.
pub enum Rule {
    /// One input, one output, same shape: `(x, y, g) -> gradient of x`.
    Unary(for<'g> fn(Val<'g>, Val<'g>, Val<'g>) -> Val<'g>),
    /// Anything else: one gradient an input, `None` for inputs that get none.
    Full(for<'g> fn(&Back<'g>) -> Result<Vec<Option<Val<'g>>>>),
    /// Zero by definition: the output is a step function of the input, or its shape.
    Zero,
}

/// A row of the table.
pub struct Row {
    /// Operator of the standard domain.
    pub op: &'static str,
    /// First opset whose form of the operator the rule understands.
    pub since: i64,
    /// The rule.
    pub rule: Rule,
}

const fn row(op: &'static str, since: i64, rule: Rule) -> Row {
    Row { op, since, rule }
}

use Rule::{Full, Unary, Zero};

/// Sorted into families; looked up by [`find`].
pub static RULES: &[Row] = &[
    // zero by definition
    row("Shape", 1, Zero),
    // pass
    row("Identity", 1, Unary(|_, _, g| g)),
    // activations
    row("Relu", 1, Unary(|_, y, g| g * y.above(0.0))),
    row("Reshape", 5, Full(|b| Ok(vec![Some(b.g().reshape(&b.shape(0))), None]))),
];

/// The row of an operator, if there is one.
pub fn find(op: &str) -> Option<&'static Row> {
    RULES.iter().find(|row| row.op == op)
}
