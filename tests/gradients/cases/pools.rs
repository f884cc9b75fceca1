//! Poolings.

use crate::case::{Case, op};

pub fn all() -> Vec<Case> {
    let max = |shape: &[usize], kernel: &[i64]| op("MaxPool").x(shape).apart().ints("kernel_shape", kernel);
    let mean = |shape: &[usize], kernel: &[i64]| op("AveragePool").x(shape).ints("kernel_shape", kernel);
    let power = |shape: &[usize], kernel: &[i64]| op("LpPool").x(shape).ints("kernel_shape", kernel);
    let two: &[i64] = &[2, 2];
    let ones: &[i64] = &[1, 1, 1, 1];
    vec![
        max(&[1, 3, 6, 8], &[2, 4]).ints("strides", &[2, 4]).note("tiles").opset(9),
        max(&[1, 3, 7, 9], two).ints("strides", two).note("tiles, left over"),
        max(&[1, 3, 7, 7], two).ints("strides", two).int("ceil_mode", 1).note("ceil"),
        max(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).ints("pads", ones).note("ResNet's stem"),
        max(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).ints("pads", ones).opset(9).note("no strided Slice yet"),
        max(&[1, 3, 9, 8], &[3, 2]).ints("strides", &[2, 3]).opset(9).note("no strided Slice yet"),
        max(&[1, 3, 8, 9], &[3, 3]).ints("strides", two).int("ceil_mode", 1),
        max(&[1, 3, 6, 6], &[3, 3]).ints("pads", ones).note("Inception"),
        max(&[1, 3, 8, 7], &[5, 5]).ints("pads", &[2, 2, 2, 2]).note("YOLO"),
        max(&[1, 3, 8, 7], &[4, 3]).ints("pads", &[1, 2, 2, 0]).note("stride 1, asymmetric"),
        max(&[1, 3, 7, 8], &[3, 2]).ints("pads", &[1, 0, 0, 1]).ints("strides", &[1, 3]).note("asymmetric"),
        max(&[1, 3, 8, 8], &[3, 3]).ints("dilations", two).ints("strides", two).note("dilated"),
        max(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).str("auto_pad", "SAME_UPPER"),
        max(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).str("auto_pad", "SAME_LOWER"),
        max(&[1, 3, 9], &[3]).ints("strides", &[2]).note("one axis"),
        max(&[1, 2, 4, 6, 4], &[2, 2, 2]).ints("strides", &[2, 2, 2]).note("three axes"),
        mean(&[1, 3, 6, 8], &[2, 4]).ints("strides", &[2, 4]).note("tiles").opset(9),
        mean(&[1, 3, 6, 6], &[6, 6]).note("global"),
        mean(&[1, 3, 7, 9], two).ints("strides", two).note("left over"),
        mean(&[1, 3, 6, 6], &[3, 3]).note("stride 1"),
        mean(&[1, 3, 6, 6], &[3, 3]).ints("pads", ones).int("count_include_pad", 1).note("Inception"),
        mean(&[1, 3, 6, 6], &[3, 3]).ints("pads", ones).note("padding not counted"),
        mean(&[1, 3, 7, 7], &[3, 3]).ints("pads", ones).ints("strides", two),
        mean(&[1, 3, 7, 7], &[3, 3]).ints("pads", ones).ints("strides", two).int("count_include_pad", 1),
        mean(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).int("ceil_mode", 1).opset(19),
        mean(&[1, 3, 8, 8], &[3, 2]).ints("pads", &[1, 0, 0, 1]).ints("strides", &[2, 3]).note("asymmetric"),
        mean(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).str("auto_pad", "SAME_UPPER"),
        mean(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).str("auto_pad", "SAME_LOWER"),
        mean(&[1, 3, 8, 8], &[3, 3]).ints("dilations", two).opset(19).note("dilated"),
        op("GlobalAveragePool"),
        op("GlobalAveragePool").x(&[1, 4, 5]).note("one axis"),
        op("GlobalMaxPool").apart(),
        max(&[1, 3, 7, 9], &[3, 3])
            .ints("strides", two)
            .int("ceil_mode", 1)
            .ints("dilations", two)
            .note("ceil, dilated"),
        max(&[1, 3, 8, 8], &[2, 2]).ints("strides", two).int("storage_order", 1).note("column-major indices"),
        max(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).makes(&["y", "indices"]).note("indices made"),
        max(&[1, 3, 9, 9], &[3, 3]).ints("strides", two).ints("pads", ones).int("ceil_mode", 1).opset(22),
        mean(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).ints("pads", ones).opset(9).int("count_include_pad", 1),
        mean(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).int("ceil_mode", 1).opset(10),
        mean(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).int("ceil_mode", 1).opset(11).ints("pads", ones),
        mean(&[1, 3, 8, 8], &[3, 3])
            .ints("strides", two)
            .int("ceil_mode", 1)
            .opset(11)
            .ints("pads", ones)
            .int("count_include_pad", 1),
        mean(&[1, 3, 8, 8], &[3, 3])
            .ints("strides", two)
            .int("ceil_mode", 1)
            .opset(19)
            .ints("pads", ones)
            .int("count_include_pad", 1),
        mean(&[1, 3, 8, 7], &[3, 3])
            .ints("strides", two)
            .int("ceil_mode", 1)
            .opset(22)
            .ints("pads", ones)
            .int("count_include_pad", 1),
        mean(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).int("ceil_mode", 1).opset(22).ints("pads", ones),
        power(&[1, 3, 6, 8], two).ints("strides", two),
        power(&[1, 3, 7, 7], &[3, 3]).ints("strides", two).int("p", 3).ints("pads", ones),
        power(&[1, 3, 7, 7], &[3, 3]).int("p", 1).kinks(&[0.0]),
        power(&[1, 3, 7, 8], &[3, 3]).ints("strides", two).str("auto_pad", "SAME_UPPER").opset(11),
        power(&[1, 3, 8, 8], &[3, 3]).ints("strides", two).int("ceil_mode", 1).opset(18),
        power(&[1, 3, 8, 8], &[3, 2]).ints("dilations", &[2, 1]).opset(18),
        power(&[1, 3, 8], &[3]).ints("strides", &[2]).opset(22).note("one axis"),
        op("GlobalLpPool"),
        op("GlobalLpPool").int("p", 3),
        op("GlobalLpPool").int("p", 1).kinks(&[0.0]),
    ]
}
