//! THE TABLE of methods: how activations and gradients become a map.

use crate::onnx::Val;

/// How activations and gradients become a map (property `method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Method {
    /// Grad-CAM: channel weights are the gradient's means (Selvaraju et al., ICCV 2017, equations 1 and 2).
    #[default]
    GradCam,
    /// CAM: channel weights are the classifier's own, for heads of global average pooling and one linear layer
    /// (Zhou et al., CVPR 2016).
    Cam,
}

impl Method {
    /// Every method with its name on the command line and in the property.
    pub const ALL: [(Method, &'static str); 2] = [(Method::GradCam, "gradcam"), (Method::Cam, "cam")];

    /// The name of the method.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(method, _)| *method == self).map_or("gradcam", |(_, name)| name)
    }
}

impl std::str::FromStr for Method {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Method> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(method, _)| *method).ok_or_else(|| {
            crate::Error::Setting {
                name: "method",
                value: text.into(),
                why: format!("there is no such method; there are {}", Self::ALL.map(|(_, name)| name).join(", ")),
            }
        })
    }
}

/// Grad-CAM. `a` is [N, C, h, w]; `g`, the score's gradient, has its rank and may be 1 where it is constant; the map is
/// [N, K, h, w].
pub(super) fn gradcam<'g>(a: Val<'g>, g: Val<'g>) -> Val<'g> {
    let channels = a.shape()[1];
    let alpha = g.mean(&[2, 3]);
    let mut shape = alpha.shape();
    shape[1] = channels;
    weighted(a, alpha.expand(&shape))
}

/// ReLU(sum over channels of weight times activation). `weights` is [N or K, C] with unit axes behind; one matrix product.
pub(super) fn weighted<'g>(a: Val<'g>, weights: Val<'g>) -> Val<'g> {
    let emit = a.emit();
    let [n, c, h, w] = a.shape()[..] else {
        emit.fail(format!("activations of shape {:?} have no grid", a.shape()));
        return a;
    };
    // with one picture the K classes' weights are its K rows; with several pictures each has one row
    let rows = emit.node("Reshape", &[weights, emit.ints(&[n as i64, -1, c as i64])], &[], &[n, 1, c]);
    let sum = rows.matmul(a.reshape(&[n, c, h * w])).unary("Relu");
    emit.node("Reshape", &[sum, emit.ints(&[n as i64, -1, h as i64, w as i64])], &[], &[n, 1, h, w])
}
