//! Steps from 0 to 1, the masks of ReLU, Clip, pools and their kin: as one operator that ONNX Runtime keeps in the blocked layout of the
//! convolutions around it, or as several where fewer digits than float32's are computed with.

use super::model::Model;
use super::node::{Attr, Node, make};
use super::tensor::{DType, Tensor};
use super::val::Val;

/// 2^90: numbers further apart than 1e-27 are told apart, and those up to 1e11 can be compared with.
const STEEP: f32 = (1u128 << 90) as f32;
/// In place of 0, for which OpenVINO's plugin (1.8.1) takes ONNX's default of 0.5.
const NOTHING: f32 = -f32::MIN_POSITIVE;
/// A step at 0 that is 1 there.
const WITH_ZERO: f32 = 1.0;

/// What makes a HardSigmoid 1 beyond `x` on the side of `sign`, else 0: so steep that there is nothing between, as its slope is a power of
/// two.
fn attrs(sign: f32, x: f32) -> [(&'static str, Attr); 2] {
    let beta = if x == 0.0 { NOTHING } else { -sign * x * STEEP };
    [("alpha", Attr::Float(sign * STEEP)), ("beta", Attr::Float(beta))]
}

impl<'g> Val<'g> {
    /// 1.0 where `self > x`, else 0.0.
    pub fn above(self, x: f32) -> Val<'g> {
        self.step(1.0, x)
    }

    /// 1.0 where `self < x`, else 0.0.
    pub fn below(self, x: f32) -> Val<'g> {
        self.step(-1.0, x)
    }

    /// 1.0 where `self >= 0`, else 0.0.
    pub fn not_negative(self) -> Val<'g> {
        let attrs = [("alpha", Attr::Float(STEEP)), ("beta", Attr::Float(WITH_ZERO))];
        self.emit.node("HardSigmoid", &[self], &attrs, &self.shape())
    }

    /// 1.0 where `low < self < high`, else 0.0.
    pub fn inside(self, low: f32, high: f32) -> Val<'g> {
        self.above(low) * self.below(high)
    }

    /// 1.0 where `self` lies beyond `x` on the side of `sign`, else 0.0: a HardSigmoid too steep to have values between. One
    /// operator, which ONNX Runtime keeps in the blocked layout of the convolutions around it;
    /// Greater and Cast would have both operands brought into plain order, and Where is slower still.
    fn step(self, sign: f32, x: f32) -> Val<'g> {
        self.emit.node("HardSigmoid", &[self], &attrs(sign, x), &self.shape())
    }

    /// Times a number, of pictures by a convolution of single samples, which ONNX Runtime keeps in the blocked layout of
    /// the convolutions around it, and does at once with a sum that follows. Mul would have the tensor brought into plain order.
    pub fn scaled(self, by: f32) -> Val<'g> {
        let shape = self.shape();
        let [_, channels, _, _, ..] = shape[..] else { return self * by };
        let mut kernel = vec![1; shape.len()];
        kernel[0] = channels;
        let kernel = self.emit.floats(&kernel, vec![by; channels]);
        self.emit.pictures("Conv", &[self, kernel], &[("group", Attr::Int(channels as i64))], &shape)
    }

    /// 1.0 where `self > other`, else 0.0.
    pub fn above_val(self, other: Val<'g>) -> Val<'g> {
        self.binary("Greater", other).cast(1)
    }

    /// 1.0 where `self < other`, else 0.0.
    pub fn below_val(self, other: Val<'g>) -> Val<'g> {
        self.binary("Less", other).cast(1)
    }

    /// 1.0 where they are equal, else 0.0.
    pub fn same(self, other: Val<'g>) -> Val<'g> {
        self.binary("Equal", other).cast(1)
    }

    /// 1.0, 0.0 or -1.0, as it is above zero, zero or below.
    pub fn sign(self) -> Val<'g> {
        self.above(0.0) - self.below(0.0)
    }

    /// Itself, and 1.0 where it is zero: to divide by.
    pub fn or_one(self) -> Val<'g> {
        self + self.is_zero()
    }

    /// 1.0 where it is zero, else 0.0.
    pub fn is_zero(self) -> Val<'g> {
        1.0 - self.above(0.0) - self.below(0.0)
    }
}

impl Model {
    /// Writes steps of float32 as Greater, or Less, and Cast: float16 has no number so steep.
    pub fn compare_for_steps(&mut self) {
        let graph = self.proto.graph.mut_or_insert_default();
        for node in std::mem::take(&mut graph.node) {
            let seen = Node { proto: &node };
            let (alpha, beta) = (seen.float("alpha", 0.2), seen.float("beta", 0.5));
            if seen.op() != "HardSigmoid" || alpha.abs() != STEEP {
                graph.node.push(node);
                continue;
            }
            let x = if beta == NOTHING || beta == WITH_ZERO { 0.0 } else { -beta / alpha };
            let (input, output) = (node.input[0].as_str(), node.output[0].as_str());
            let [limit, before, beyond] = ["limit", "before", "beyond"].map(|part| format!("{output}/{part}"));
            let value = [("value", Attr::Tensor(Tensor::f32(&[], vec![x])))];
            graph.node.push(make("Constant", &limit, &[], &[&limit], &value));
            if beta == WITH_ZERO {
                graph.node.push(make("Less", &before, &[input, &limit], &[&before], &[]));
                graph.node.push(make("Not", &beyond, &[&before], &[&beyond], &[]));
            } else {
                let op = if alpha > 0.0 { "Greater" } else { "Less" };
                graph.node.push(make(op, &beyond, &[input, &limit], &[&beyond], &[]));
            }
            let to = [("to", Attr::Int(DType::F32.0.into()))];
            graph.node.push(make("Cast", node.name(), &[&beyond], &[output], &to));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_written_as_a_comparison_with_the_same_limit() {
        let mut model = Model::new(17);
        for (name, (sign, x)) in [("up", (1.0, 0.0)), ("down", (-1.0, 6.0)), ("below", (1.0, -2.5))] {
            model.add_node("HardSigmoid", name, &["y"], &[name], &attrs(sign, x));
        }
        let with_zero = [("alpha", Attr::Float(STEEP)), ("beta", Attr::Float(WITH_ZERO))];
        model.add_node("HardSigmoid", "from", &["y"], &["from"], &with_zero);
        model.add_node("HardSigmoid", "own", &["y"], &["own"], &[("alpha", Attr::Float(0.5))]);
        model.compare_for_steps();
        let limits: Vec<f32> =
            model.nodes().filter_map(|n| n.tensor("value")).filter_map(|t| Some(t.as_f32()?[0])).collect();
        assert_eq!(limits, [0.0, 6.0, -2.5, 0.0]);
        let ops: Vec<String> = model.nodes().map(|n| n.op()).filter(|op| op != "Constant").collect();
        assert_eq!(ops, ["Greater", "Cast", "Less", "Cast", "Greater", "Cast", "Less", "Not", "Cast", "HardSigmoid"]);
    }
}
