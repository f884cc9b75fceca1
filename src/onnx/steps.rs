//! Masks: steps of 0 and 1, and a product with a number that suits them, written in operators that ONNX Runtime keeps in the blocked
//! layout of the convolutions around them.

use super::node::Attr;
use super::val::Val;

/// 2^90: numbers further apart than 1e-27 are told apart, and those up to 1e11 can be compared with.
const STEEP: f32 = (1u128 << 90) as f32;

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
        let attrs = [("alpha", Attr::Float(STEEP)), ("beta", Attr::Float(1.0))];
        self.emit.node("HardSigmoid", &[self], &attrs, &self.shape())
    }

    /// 1.0 where `low < self < high`, else 0.0.
    pub fn inside(self, low: f32, high: f32) -> Val<'g> {
        self.above(low) * self.below(high)
    }

    /// 1.0 where `self` lies beyond `x` on the side of `sign`, else 0.0: a HardSigmoid too steep to have values between, as its
    /// slope is a power of two. One operator, which ONNX Runtime keeps in the blocked layout of the convolutions around it;
    /// Greater and Cast would have both operands brought into plain order, and Where is slower still.
    fn step(self, sign: f32, x: f32) -> Val<'g> {
        let attrs = [("alpha", Attr::Float(sign * STEEP)), ("beta", Attr::Float(-sign * x * STEEP))];
        self.emit.node("HardSigmoid", &[self], &attrs, &self.shape())
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
