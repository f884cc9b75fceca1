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

/// What a method takes its map from.
pub(super) enum Recipe {
    /// Activations [N, C, h, w] and the score's gradient of their rank, which may be 1 along axes where it is constant; gives the
    /// map [N, 1, h, w].
    Gradient(for<'g> fn(Val<'g>, Val<'g>) -> Val<'g>),
    /// The classifier's own weights.
    Classifier,
}

/// One row a method: the variant, its name on the command line and in the property, the recipe.
static TABLE: &[(Method, &str, Recipe)] =
    &[(Method::GradCam, "gradcam", Recipe::Gradient(gradcam)), (Method::Cam, "cam", Recipe::Classifier)];

// Rows stand in the order of the enum, so that a method is its own index; held at compile time.
const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(TABLE[i].0 as usize == i, "rows of TABLE must stand in the order of Method");
        i += 1;
    }
    assert!(TABLE.len() == Method::Cam as usize + 1, "every Method needs a row");
};

impl Method {
    /// Every method.
    pub fn all() -> impl ExactSizeIterator<Item = Method> {
        TABLE.iter().map(|(method, ..)| *method)
    }

    /// Its name on the command line and in the property.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// Whether its map comes from the score's gradient.
    pub fn uses_gradient(self) -> bool {
        matches!(self.recipe(), Recipe::Gradient(_))
    }

    pub(super) fn recipe(self) -> &'static Recipe {
        &TABLE[self as usize].2
    }
}

impl std::str::FromStr for Method {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Method> {
        Self::all().find(|method| method.name() == text).ok_or_else(|| crate::Error::Setting {
            name: "method",
            value: text.into(),
            why: format!(
                "there is no such method; there are {}",
                Self::all().map(Self::name).collect::<Vec<_>>().join(", ")
            ),
        })
    }
}

/// Grad-CAM: the gradient's mean over the grid weighs each channel.
fn gradcam<'g>(a: Val<'g>, g: Val<'g>) -> Val<'g> {
    let channels = a.shape()[1];
    let alpha = g.mean(&[2, 3]);
    let mut shape = alpha.shape();
    shape[1] = channels;
    weighted(a, alpha.expand(&shape))
}

/// ReLU(sum over channels of weight times activation), [N, 1, h, w]. `weights` is [N, C] with unit axes behind; one matrix
/// product.
pub(super) fn weighted<'g>(a: Val<'g>, weights: Val<'g>) -> Val<'g> {
    let emit = a.emit();
    let [n, c, h, w] = a.shape()[..] else {
        emit.fail(format!("activations of shape {:?} have no grid", a.shape()));
        return a;
    };
    let sum = weights.reshape(&[n, 1, c]).matmul(a.reshape(&[n, c, h * w]));
    sum.unary("Relu").reshape(&[n, 1, h, w])
}
