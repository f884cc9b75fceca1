//! What is explained and how: the score, the target layer, the method.

/// How activations and gradients become a map (property `method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Method {
    /// Grad-CAM, Selvaraju et al. 2017.
    #[default]
    GradCam,
    /// CAM, Zhou et al. 2016: for heads of global average pooling and one linear layer.
    Cam,
}

/// A class to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The n-th best of each frame, 0 = best.
    Rank(usize),
    /// A class by its index.
    Class(usize),
}
