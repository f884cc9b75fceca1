//! Steps from 0 to 1, the masks of ReLU, Clip and their kin: as one operator, or as two where fewer digits than float32's are computed with.

use super::model::Model;
use super::node::{Attr, Node, make};
use super::tensor::{DType, Tensor};

/// 2^90: numbers further apart than 1e-27 are told apart, and those up to 1e11 can be compared with.
const STEEP: f32 = (1u128 << 90) as f32;
/// In place of 0, for which OpenVINO's plugin (1.8.1) takes ONNX's default of 0.5.
const NOTHING: f32 = -f32::MIN_POSITIVE;

/// What makes a HardSigmoid 1 beyond `x` on the side of `sign`, else 0: so steep that there is nothing between, as its slope is a power of
/// two.
pub(super) fn attrs(sign: f32, x: f32) -> [(&'static str, Attr); 2] {
    let beta = if x == 0.0 { NOTHING } else { -sign * x * STEEP };
    [("alpha", Attr::Float(sign * STEEP)), ("beta", Attr::Float(beta))]
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
            let x = if beta == NOTHING { 0.0 } else { -beta / alpha };
            let (input, output) = (node.input[0].as_str(), node.output[0].as_str());
            let [limit, beyond] = ["limit", "beyond"].map(|part| format!("{output}/{part}"));
            let value = [("value", Attr::Tensor(Tensor::f32(&[], vec![x])))];
            graph.node.push(make("Constant", &limit, &[], &[&limit], &value));
            let op = if alpha > 0.0 { "Greater" } else { "Less" };
            graph.node.push(make(op, &beyond, &[input, &limit], &[&beyond], &[]));
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
        model.add_node("HardSigmoid", "own", &["y"], &["own"], &[("alpha", Attr::Float(0.5))]);
        model.compare_for_steps();
        let limits: Vec<f32> =
            model.nodes().filter_map(|n| n.tensor("value")).filter_map(|t| Some(t.as_f32()?[0])).collect();
        assert_eq!(limits, [0.0, 6.0, -2.5]);
        let ops: Vec<String> = model.nodes().map(|n| n.op()).filter(|op| op != "Constant").collect();
        assert_eq!(ops, ["Greater", "Cast", "Less", "Cast", "Greater", "Cast", "HardSigmoid"]);
    }
}
