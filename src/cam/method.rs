//! THE TABLE of methods: how activations and gradients become a map.

mod eigen;
mod weighing;

pub(super) use weighing::weighted;

use crate::onnx::Val;

/// How activations and gradients become a map (property `method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Method {
    /// Grad-CAM where every operator between layer and score has a gradient rule, else Recipro-CAM, which needs none.
    #[default]
    Auto,
    /// Grad-CAM: channel weights are the gradient's means (Selvaraju et al., ICCV 2017, equations 1 and 2).
    GradCam,
    /// Grad-CAM++: channel weights are sums of the positive gradients, each weighed by a closed form of its powers
    /// (Chattopadhay et al., WACV 2018).
    GradCamPp,
    /// HiResCAM: gradient times activation in each place, no averaging (Draelos and Carin, 2020).
    HiResCam,
    /// LayerCAM: positive gradient times activation in each place (Jiang et al., IEEE TIP 2021).
    LayerCam,
    /// XGrad-CAM: channel weights are the gradient's means weighed by the activations (Fu et al., BMVC 2020).
    XGradCam,
    /// Eigen-CAM: the activations' first principal component; no gradient, the same for every class (Muhammad and Yeasin,
    /// IJCNN 2020).
    EigenCam,
    /// CAM: channel weights are the classifier's own, for heads of global average pooling and one linear layer
    /// (Zhou et al., CVPR 2016).
    Cam,
    /// Guided Grad-CAM: Grad-CAM upsampled to the input, times guided backpropagation to it (Selvaraju et al., ICCV 2017,
    /// section 3.2; Springenberg et al., 2015).
    GuidedGradCam,
    /// Grad-CAM of the negated gradient: what would have to go for the class to become likelier (Selvaraju et al., ICCV 2017,
    /// section 3.3).
    Counterfactual,
    /// Recipro-CAM: the score that each place of the layer gives by itself; no gradient, the head is run once a place
    /// (Byun and Lee, 2022).
    Recipro,
}

/// What a method takes its map from. Maps are [N, 1, h, w], before the ReLU that all of them end in unless maps of either sign are asked for.
pub(super) enum Recipe {
    /// Activations [N, C, h, w] and the score's gradient of their rank, which may be 1 along axes where it is constant.
    Gradient(for<'g> fn(Val<'g>, Val<'g>) -> Val<'g>),
    /// The same at the layer, and the guided gradient at the model's input.
    Guided(for<'g> fn(Val<'g>, Val<'g>) -> Val<'g>),
    /// Activations alone.
    Activations(for<'g> fn(Val<'g>) -> Val<'g>),
    /// The classifier's own weights.
    Classifier,
    /// Runs of the head on parts of the activations.
    Masked,
}

use Recipe::{Activations, Classifier, Gradient, Guided, Masked};

/// One row a method: the variant, its name on the command line and in the property, the recipe.
static TABLE: &[(Method, &str, Recipe)] = &[
    // where that cannot be, `lower` takes another row
    (Method::Auto, "auto", Gradient(weighing::gradcam)),
    (Method::GradCam, "gradcam", Gradient(weighing::gradcam)),
    (Method::GradCamPp, "gradcampp", Gradient(weighing::gradcampp)),
    (Method::HiResCam, "hirescam", Gradient(weighing::hirescam)),
    (Method::LayerCam, "layercam", Gradient(weighing::layercam)),
    (Method::XGradCam, "xgradcam", Gradient(weighing::xgradcam)),
    (Method::EigenCam, "eigencam", Activations(eigen::eigencam)),
    (Method::Cam, "cam", Classifier),
    (Method::GuidedGradCam, "guided-gradcam", Guided(weighing::gradcam)),
    (Method::Counterfactual, "counterfactual", Gradient(weighing::counterfactual)),
    (Method::Recipro, "recipro", Masked),
];

// Rows stand in the order of the enum, so that a method is its own index; held at compile time.
const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(TABLE[i].0 as usize == i, "rows of TABLE must stand in the order of Method");
        i += 1;
    }
    assert!(TABLE.len() == Method::Recipro as usize + 1, "every Method needs a row");
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
        matches!(self.recipe(), Gradient(_) | Guided(_))
    }

    /// Whether what is below zero before the ReLU speaks against what is above: not where only positive gradients count, nor where no
    /// class is meant.
    pub fn has_sign(self) -> bool {
        !matches!(self, Method::GradCamPp | Method::LayerCam | Method::EigenCam)
    }

    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where maps of either sign are asked of a method that has none.
    pub(super) fn check_sign(self) -> crate::Result<()> {
        if self.has_sign() {
            return Ok(());
        }
        let others: Vec<_> = Self::all().filter(|method| method.has_sign()).map(Self::name).collect();
        let why = format!(
            "method={} shows nothing that speaks against a class, and so has no map of either sign; use {}",
            self.name(),
            others.join(", ")
        );
        Err(crate::Error::Setting { name: "signed", value: "true".into(), why })
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
