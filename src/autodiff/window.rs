//! The windows that convolutions and poolings slide over their input, one [`Axis`] for each spatial dimension.

use super::back::Back;
use super::phase;
use crate::error::Result;
use crate::onnx::{Attr, Tensor, Val};

/// Largest setting of a window that is no slip or attack.
const LARGEST: usize = 1 << 16;

/// One spatial dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    /// Samples in a window.
    pub kernel: usize,
    /// From one window to the next.
    pub stride: usize,
    /// From one sample of a window to the next.
    pub dilation: usize,
    /// Length of what the windows slide over.
    pub wide: usize,
    /// Number of windows.
    pub narrow: usize,
    /// Padding in front.
    pub before: usize,
    /// Padding behind, as declared; `ceil_mode` may reach further.
    pub after: usize,
}

/// Reads a node's windows over `wide` (all axes), one for each element of `narrow`.
pub(super) fn axes(b: &Back, wide: &[usize], narrow: &[usize], kernel: &[usize]) -> Result<Vec<Axis>> {
    let n = kernel.len();
    if wide.len() != n + 2 || narrow.len() != n + 2 {
        return Err(b.refuse(&format!("its {n} kernel axes do not fit tensors of shape {wide:?} and {narrow:?}")));
    }
    let mode = match b.node.str("auto_pad", "NOTSET") {
        // a ConvTranspose that is told its output's size pads as much as that takes
        mode if b.node.ints("output_shape").is_some() && mode != "SAME_UPPER" => "SAME_LOWER".into(),
        mode => mode,
    };
    let (strides, dilations, pads) = (b.node.ints("strides"), b.node.ints("dilations"), b.node.ints("pads"));
    let get = |list: Option<&[i64]>, i: usize, default: usize| match list.and_then(|l| l.get(i)) {
        Some(&v) => usize::try_from(v)
            .ok()
            .filter(|&v| v <= LARGEST)
            .ok_or_else(|| b.refuse(&format!("it has the window setting {v}"))),
        None => Ok(default),
    };
    let axis = |i: usize| -> Result<Axis> {
        let (stride, dilation) = (get(strides, i, 1)?.max(1), get(dilations, i, 1)?.max(1));
        let (kernel, wide, narrow) = (kernel[i], wide[i + 2], narrow[i + 2]);
        if kernel == 0 || narrow == 0 || wide == 0 {
            return Err(b.refuse("it slides over nothing"));
        }
        if kernel > LARGEST {
            return Err(b.refuse(&format!("its windows have {kernel} samples")));
        }
        let missing = ((narrow - 1) * stride + dilation * (kernel - 1) + 1).saturating_sub(wide);
        let (before, after) = match mode.as_str() {
            "SAME_UPPER" => (missing / 2, missing - missing / 2),
            "SAME_LOWER" => (missing - missing / 2, missing / 2),
            "VALID" => (0, 0),
            _ => (get(pads, i, 0)?, get(pads, i + n, 0)?),
        };
        let axis = Axis { kernel, stride, dilation, wide, narrow, before, after };
        // a window that lies beyond all padding was never slid over what was measured
        if axis.reach() >= before + wide + after + stride {
            return Err(b.refuse("its window settings do not fit the shapes that were measured"));
        }
        Ok(axis)
    };
    (0..n).map(axis).collect()
}

impl Axis {
    /// From a window's first to behind its last sample.
    fn span(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// From the first window's first to behind the last window's last sample.
    fn reach(&self) -> usize {
        (self.narrow - 1) * self.stride + self.span()
    }

    /// How far the last window reaches behind the input, and how much of the input no window reaches; one of the two is 0.
    pub fn excess(&self) -> (usize, usize) {
        let (reach, end) = (self.reach(), self.before + self.wide);
        (reach.saturating_sub(end), end.saturating_sub(reach))
    }

    /// Padding of a stride-1 window over the narrow side that gives the wide side; `None` where it would be negative.
    pub fn reversed_pads(&self) -> Option<(usize, usize)> {
        let before = (self.span() - 1).checked_sub(self.before)?;
        let after = (self.wide + self.span()).checked_sub(1 + self.narrow + before)?;
        (self.stride == 1).then_some((before, after))
    }

    /// One window for each sample, of that sample alone.
    pub fn is_point(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.before == 0 && self.wide == self.narrow
    }

    /// As many windows as samples, each around its own: place `before` of every window is the sample of the same number.
    pub fn same_size(&self) -> bool {
        self.wide == self.narrow && self.before < self.kernel && self.dilation == 1 && self.reversed_pads().is_some()
    }

    /// Windows side by side that start at the first sample; some of the end may be left over.
    pub fn tiles(&self) -> bool {
        self.stride == self.kernel && self.dilation == 1 && self.before == 0 && self.excess().0 == 0
    }
}

/// One attribute value for each axis.
pub(super) fn column(axes: &[Axis], of: impl Fn(&Axis) -> usize) -> Attr {
    Attr::Ints(axes.iter().map(|a| of(a) as i64).collect())
}

/// Fronts, then ends: the layout of `pads`.
pub(super) fn pads(pads: &[(usize, usize)]) -> Attr {
    Attr::Ints(pads.iter().map(|p| p.0 as i64).chain(pads.iter().map(|p| p.1 as i64)).collect())
}

/// Adds each window's values, weighted, to the samples it was taken from: the adjoint of a convolution over `shape` with
/// `weight` [windows' channels, samples' channels / group, kernel..].
pub(super) fn spread<'g>(g: Val<'g>, weight: &Tensor, axes: &[Axis], group: usize, shape: &[usize]) -> Val<'g> {
    if let Some(by_phases) = phase::spread(g, weight, axes, group) {
        return by_phases;
    }
    let attrs = [
        ("group", Attr::Int(group as i64)),
        ("kernel_shape", column(axes, |a| a.kernel)),
        ("strides", column(axes, |a| a.stride)),
        ("dilations", column(axes, |a| a.dilation)),
        ("pads", pads(&axes.iter().map(|a| (a.before, a.excess().0)).collect::<Vec<_>>())),
        ("output_padding", column(axes, |a| a.excess().1)),
    ];
    let emit = g.emit();
    emit.pictures("ConvTranspose", &[g, emit.constant(weight)], &attrs, shape)
}

/// Every place in a box of these lengths, row-major.
pub(super) fn places(lengths: &[usize]) -> Vec<Vec<usize>> {
    lengths.iter().fold(vec![Vec::new()], |places, &length| {
        places.iter().flat_map(|p| (0..length).map(move |k| [p.as_slice(), &[k]].concat())).collect()
    })
}
