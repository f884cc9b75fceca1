//! Convolutions.

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let conv = |shape: &[usize], weight: &[usize]| op("Conv").x(shape).weight(weight);
    let same = |mode: &str| op("Conv").x(&[1, 4, 7, 8]).weight(&[6, 4, 3, 4]).str("auto_pad", mode);
    let back = |weight: &[usize]| op("ConvTranspose").x(&[1, 4, 5, 6]).weight(weight);
    vec![
        conv(&[1, 4, 6, 6], &[6, 4, 3, 3]).weight(&[6]).note("bias"),
        conv(&[1, 4, 6, 6], &[6, 4, 3, 3]).ints("pads", &[1, 1, 1, 1]).opset(9),
        conv(&[1, 4, 6, 7], &[6, 4, 3, 3]).ints("pads", &[2, 0, 1, 2]).note("asymmetric"),
        conv(&[1, 4, 9, 9], &[6, 4, 3, 3]).ints("pads", &[2, 2, 2, 2]).ints("dilations", &[2, 2]).note("dilated"),
        conv(&[1, 4, 8, 8], &[6, 4, 3, 3]).ints("pads", &[1, 1, 1, 1]).ints("strides", &[2, 2]).note("uncovered end"),
        conv(&[1, 4, 9, 7], &[6, 4, 3, 2])
            .ints("pads", &[1, 0, 0, 2])
            .ints("strides", &[3, 2])
            .note("stride, asymmetric"),
        conv(&[1, 4, 9, 9], &[4, 4, 3, 3])
            .ints("strides", &[2, 2])
            .ints("dilations", &[2, 2])
            .note("stride, dilated, square"),
        conv(&[1, 4, 6, 6], &[6, 4, 1, 1]).note("pointwise"),
        conv(&[1, 4, 7, 7], &[6, 4, 1, 1]).ints("strides", &[2, 2]).note("downsample"),
        conv(&[1, 4, 5, 5], &[6, 4, 1, 1]).ints("pads", &[1, 1, 1, 1]).note("pointwise, padded"),
        conv(&[1, 4, 6, 6], &[4, 1, 3, 3]).ints("pads", &[1, 1, 1, 1]).int("group", 4).note("depthwise"),
        conv(&[1, 4, 6, 6], &[8, 1, 3, 3]).int("group", 4).ints("strides", &[2, 2]).note("depthwise times two"),
        conv(&[1, 4, 6, 6], &[6, 2, 3, 3]).int("group", 2).note("two groups"),
        conv(&[1, 4, 6, 6], &[6, 2, 1, 1]).int("group", 2).note("two groups, pointwise"),
        conv(&[1, 4, 9], &[6, 4, 3]).ints("pads", &[1, 1]).note("one axis"),
        conv(&[1, 2, 4, 5, 4], &[3, 2, 2, 3, 2]).note("three axes"),
        same("SAME_UPPER"),
        same("SAME_LOWER"),
        same("SAME_UPPER").ints("strides", &[2, 3]),
        same("SAME_LOWER").ints("strides", &[2, 3]),
        same("VALID"),
        back(&[4, 3, 3, 3]).weight(&[3]),
        back(&[4, 3, 2, 2]).ints("strides", &[2, 2]),
        back(&[4, 3, 3, 3]).ints("strides", &[2, 2]).ints("pads", &[1, 1, 1, 1]).ints("output_padding", &[1, 1]),
        back(&[4, 2, 3, 3])
            .ints("strides", &[3, 2])
            .ints("pads", &[0, 1, 1, 0])
            .int("group", 2)
            .ints("dilations", &[1, 2]),
        back(&[4, 3, 3, 3]).ints("strides", &[2, 2]).str("auto_pad", "SAME_UPPER"),
        back(&[4, 3, 3, 3]).ints("strides", &[2, 2]).str("auto_pad", "SAME_LOWER"),
        back(&[4, 3, 4, 3]).ints("strides", &[1, 2]).str("auto_pad", "SAME_UPPER"),
        back(&[4, 3, 2, 2]).ints("strides", &[3, 3]).str("auto_pad", "VALID"),
        back(&[4, 3, 3, 3]).ints("strides", &[2, 2]).ints("output_shape", &[10, 12]),
        back(&[4, 3, 3, 3]).ints("strides", &[2, 2]).ints("output_shape", &[9, 11]).str("auto_pad", "SAME_UPPER"),
        back(&[4, 3, 3, 3]).ints("strides", &[2, 2]).ints("output_shape", &[10, 12]).str("auto_pad", "SAME_LOWER"),
        op("ConvTranspose").x(&[1, 4, 5]).weight(&[4, 3, 4]).ints("strides", &[2]).ints("output_shape", &[11]),
    ]
}
