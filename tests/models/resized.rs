//! Models exported for one size, run at another: each against the same network exported for that size.

use gstgradcam::onnx::{Attr, DType, Model, Tensor};

use super::*;

const BEST: [Target; 2] = [Target::Rank(0), Target::Class(3)];

/// Adds to a model what lies between "features" [1, 6, h, w] and "flat" [1, 6], as an exporter writes it that knows h and w.
type Middle = fn(&mut Model, usize, usize);

fn shape(model: &mut Model, name: &str, dims: &[usize]) {
    model.add_initializer(name, &Tensor::i64s(&dims.iter().map(|&d| d as i64).collect::<Vec<_>>()));
}

fn reshape(model: &mut Model, from: &str, to: &str, dims: &[usize]) {
    let target = format!("{to}.shape");
    shape(model, &target, dims);
    model.add_node("Reshape", &format!("/{to}/Reshape"), &[from, &target], &[to], &[]);
}

fn mean(model: &mut Model, from: &str) {
    model.add_node(
        "ReduceMean",
        "/pool/ReduceMean",
        &[from],
        &["flat"],
        &[net::ints("axes", &[2, 3]), ("keepdims", Attr::Int(0))],
    );
}

/// ShuffleNet's channel shuffle.
fn shuffle(model: &mut Model, h: usize, w: usize) {
    reshape(model, "features", "pairs", &[1, 2, 3, h, w]);
    model.add_node("Transpose", "/Transpose", &["pairs"], &["turned"], &[net::ints("perm", &[0, 2, 1, 3, 4])]);
    reshape(model, "turned", "shuffled", &[1, 6, h, w]);
    mean(model, "shuffled");
}

/// Channels in groups, as the old exporter writes group normalisation: merged, normalised, split again.
fn groups(model: &mut Model, h: usize, w: usize) {
    reshape(model, "features", "grouped", &[1, 2, 3 * h * w]);
    model.add_node("ReduceMean", "/level", &["grouped"], &["level"], &[net::ints("axes", &[2])]);
    model.add_node("Sub", "/norm", &["grouped", "level"], &["normal"], &[]);
    reshape(model, "normal", "parted", &[1, 6, h, w]);
    model.add_node("Sigmoid", "/act", &["parted"], &["gate"], &[]);
    model.add_node("Mul", "/gated", &["gate", "features"], &["gated"], &[]);
    mean(model, "gated");
}

/// The grid as a sequence, mixed there, and a grid again; the sequence's length is written twice.
fn tokens(model: &mut Model, h: usize, w: usize) {
    reshape(model, "features", "sequence", &[1, 6, h * w]);
    model.add_node("Transpose", "/Transpose", &["sequence"], &["turned"], &[net::ints("perm", &[0, 2, 1])]);
    model.add_initializer("mix", &net::weights(&[6, 6], 32));
    model.add_node("MatMul", "/mix/MatMul", &["turned", "mix"], &["mixed"], &[]);
    model.add_node("Transpose", "/Transpose_1", &["mixed"], &["back"], &[net::ints("perm", &[0, 2, 1])]);
    reshape(model, "back", "grid", &[1, 6, h, w]);
    mean(model, "grid");
}

/// Halved and brought back to size twice: to a size that is there, and to a multiple of its own.
fn resizes(model: &mut Model, h: usize, w: usize) {
    let half = [("kernel_shape", Attr::Ints(vec![2, 2])), ("strides", Attr::Ints(vec![2, 2]))];
    model.add_node("MaxPool", "/half", &["features"], &["half"], &half);
    shape(model, "full.sizes", &[1, 6, h, w]);
    let linear = [("mode", Attr::Str("linear".into()))];
    model.add_node("Resize", "/full/Resize", &["half", "", "", "full.sizes"], &["full"], &linear);
    shape(model, "triple.sizes", &[1, 6, 3 * h, 3 * w]);
    model.add_node("Resize", "/triple/Resize", &["full", "", "", "triple.sizes"], &["triple"], &[]);
    mean(model, "triple");
}

/// A mean over the grid, spread over the grid again.
fn expand(model: &mut Model, h: usize, w: usize) {
    model.add_node("GlobalAveragePool", "/gap", &["features"], &["mean"], &[]);
    shape(model, "spread.shape", &[1, 6, h, w]);
    model.add_node("Expand", "/spread/Expand", &["mean", "spread.shape"], &["spread"], &[]);
    model.add_node("Mul", "/Mul", &["spread", "features"], &["scaled"], &[]);
    mean(model, "scaled");
}

/// Everything but the first row and column, the ends written out.
fn slice(model: &mut Model, h: usize, w: usize) {
    shape(model, "starts", &[1, 1]);
    shape(model, "ends", &[h, w]);
    shape(model, "axes", &[2, 3]);
    model.add_node("Slice", "/Slice", &["features", "starts", "ends", "axes"], &["cut"], &[]);
    mean(model, "cut");
}

/// A pooling with the grid's size, and a product that is made flat.
fn whole_pool(model: &mut Model, h: usize, w: usize) {
    let kernel = [("kernel_shape", Attr::Ints(vec![h as i64, w as i64]))];
    model.add_node("AveragePool", "/pool/AveragePool", &["features"], &["pooled"], &kernel);
    reshape(model, "pooled", "flat", &[1, 6]);
}

fn network(middle: Middle, width: usize, height: usize) -> Model {
    let mut model = net::with_input(13, &[Some(1), Some(3), Some(height), Some(width)]);
    net::trunk(&mut model, "x");
    middle(&mut model, height / 2, width / 2);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    model
}

fn at(width: usize, height: usize) -> Options {
    Options { input_size: Some((width, height)), target_layer: Some("features".into()), ..options() }
}

#[test]
fn what_follows_from_the_size_is_rewritten() {
    let middles: [(&str, Middle); 7] = [
        ("shuffle", shuffle),
        ("groups", groups),
        ("tokens", tokens),
        ("resizes", resizes),
        ("expand", expand),
        ("slice", slice),
        ("whole pool", whole_pool),
    ];
    for (name, middle) in middles {
        for (width, height) in [(24, 8), (12, 20), (8, 8)] {
            let layer = if name == "resizes" { "triple" } else { "features" };
            let options = Options { target_layer: Some(layer.into()), ..at(width, height) };
            let mut resized = open_with(&network(middle, 8, 8), &options);
            let mut made_so = open_with(&network(middle, width, height), &options);
            assert_eq!(resized.input_shape(), [1, 3, height, width], "{name}");
            let input = picture(&[1, 3, height, width]);
            let [a, b] = [&mut resized, &mut made_so].map(|e| e.original_outputs(input.view()).expect("it runs"));
            assert!(off(&a[0].1, &b[0].1) < 1e-6, "{name} at {width}x{height}: {a:?} and {b:?}");
            let [a, b] = [&mut resized, &mut made_so].map(|e| run(e, &input, &BEST).expect("it runs"));
            for (a, b) in a.iter().zip(&b) {
                assert_eq!((a.class, a.map.dim()), (b.class, b.map.dim()), "{name}");
                assert!(off(&a.map, &b.map) < 1e-5, "{name} at {width}x{height}");
            }
        }
    }
}

#[test]
fn a_fixed_and_a_dynamic_export_agree_at_another_size() {
    let mut fixed = open_with(&net::little(), &at(12, 10));
    let mut dynamic = open_with(&net::little_for(17, &[Some(1), Some(3), None, None]), &at(12, 10));
    let [a, b] = [&mut fixed, &mut dynamic].map(|e| maps(e, &BEST));
    for (a, b) in a.iter().zip(&b) {
        assert_eq!((a.class, a.score, &a.map), (b.class, b.score, &b.map));
    }
    let one_side = net::little_for(17, &[None, Some(3), Some(8), None]);
    assert_eq!(maps(&mut open_with(&one_side, &at(12, 10)), &BEST)[0].map, b[0].map);
}

/// "features" pooled to 2x2 and made flat for a fully connected layer, as torch exports adaptive pooling of `side` cells.
fn adaptive(side: usize, pool: bool) -> Model {
    let mut model = net::with_input(17, &[Some(1), Some(3), Some(2 * side), Some(2 * side)]);
    net::trunk(&mut model, "x");
    let factor = Attr::Ints(vec![side as i64 / 2; 2]);
    let from = if pool { "cells" } else { "features" };
    if pool {
        let attrs = [("kernel_shape", factor.clone()), ("strides", factor)];
        model.add_node("AveragePool", "/avgpool/AveragePool", &["features"], &["cells"], &attrs);
    }
    let cells = if pool { 24 } else { 6 * side * side };
    model.add_node("Flatten", "/Flatten", &[from], &["flat"], &[]);
    model.add_initializer("fc.weight", &net::weights(&[net::CLASSES, cells], 4));
    model.add_node("Gemm", "/fc/Gemm", &["flat", "fc.weight"], &["logits"], &[("transB", Attr::Int(1))]);
    net::output(&mut model, "logits");
    model
}

/// Each node reads what is there before it.
fn behind_their_makers(bytes: &[u8]) {
    let model = Model::from_bytes(bytes).expect("a sound model");
    let mut there: Vec<String> = model.initializer_names().map(String::from).collect();
    there.extend(model.inputs().into_iter().map(|input| input.name));
    for node in model.nodes() {
        for input in node.inputs().iter().filter(|name| !name.is_empty()) {
            assert!(there.contains(input), "{} reads {input:?} before it is made", node.name());
        }
        there.extend(node.outputs().iter().cloned());
    }
}

#[test]
fn adaptive_pooling_before_a_fully_connected_layer_adapts() {
    for side in [2, 6] {
        for (width, height) in [(16, 8), (10, 6), (14, 22), (2, 6)] {
            let explainer = open_with(&adaptive(side, true), &at(width, height));
            behind_their_makers(&explainer.explained_model().expect("it can be written"));
            let input = picture(&[1, 3, height, width]);
            let seen = explainer.original_outputs(input.view()).expect("it runs").remove(0).1;
            // torch's definition, from the features of the network without its head
            let mut trunk = net::with_input(17, &[Some(1), Some(3), Some(height), Some(width)]);
            net::trunk(&mut trunk, "x");
            trunk.add_node("GlobalAveragePool", "/pool", &["features"], &["pooled"], &[]);
            trunk.add_node("Flatten", "/Flatten", &["pooled"], &["flat"], &[]);
            net::linear(&mut trunk, "flat", "logits", net::CLASSES);
            net::output(&mut trunk, "logits");
            net::output(&mut trunk, "features");
            let trunk = open_with(&trunk, &Options { score_output: Some("logits".into()), ..at(width, height) });
            let features = trunk.original_outputs(input.view()).expect("it runs").remove(1).1;
            let weights = net::noise(&[net::CLASSES, 6, 2, 2], 4);
            let span = |i: usize, n: usize| i * n / 2..((i + 1) * n).div_ceil(2);
            let logits: Vec<f32> = (0..net::CLASSES)
                .map(|class| {
                    let mut sum = 0.0;
                    for (c, i, j) in (0..24).map(|n| (n / 4, n / 2 % 2, n % 2)) {
                        let (down, across) = (span(i, height / 2), span(j, width / 2));
                        let count = (down.len() * across.len()) as f32;
                        let cells = down.flat_map(|y| across.clone().map(move |x| (y, x)));
                        let mean = cells.map(|(y, x)| features[[0, c, y, x]]).sum::<f32>() / count;
                        sum += weights[[class, c, i, j]] * mean;
                    }
                    sum
                })
                .collect();
            assert!(off(&seen, &logits) < 1e-5, "{side} cells at {width}x{height}");
        }
    }
}

fn fixed(id: &str, model: &Model, words: &[&str]) {
    let error = refusal_with(id, &bytes(model), &Options { input_size: Some((16, 8)), ..options() }, words);
    assert!(matches!(error, Error::Setting { name: "input-size", .. }), "{id}: {error:?}");
}

#[test]
fn the_node_that_fixes_the_size_is_named() {
    let size = ["input-size=16x8", "1x3x8x16", "1x3x8x8"];
    let with = |words: &[&'static str]| [&size, words].concat();
    fixed("fully connected", &adaptive(4, false), &with(&["/fc/Gemm", "96", "6x4x4"]));

    let positions: Middle = |model, h, w| {
        reshape(model, "features", "sequence", &[1, 6, h * w]);
        model.add_initializer("position", &net::weights(&[1, 6, h * w], 40));
        model.add_node("Add", "/embed/Add", &["sequence", "position"], &["placed"], &[]);
        model.add_node(
            "ReduceMean",
            "/ReduceMean",
            &["placed"],
            &["flat"],
            &[net::ints("axes", &[2]), ("keepdims", Attr::Int(0))],
        );
    };
    fixed("position embedding", &network(positions, 8, 8), &with(&["/embed/Add", "position", "1x6x16"]));

    let windows: Middle = |model, _, _| {
        reshape(model, "features", "windows", &[1, 6, 2, 2, 2, 2]);
        let axes = net::ints("axes", &[2, 3, 4, 5]);
        model.add_node("ReduceMean", "/ReduceMean", &["windows"], &["flat"], &[axes, ("keepdims", Attr::Int(0))]);
    };
    fixed("windows", &network(windows, 8, 8), &with(&["/windows/Reshape", "1x6x2x2x2x2"]));

    let thumbnail: Middle = |model, _, _| {
        shape(model, "sizes", &[1, 6, 7, 5]);
        model.add_node("Resize", "/thumb/Resize", &["features", "", "", "sizes"], &["thumb"], &[]);
        mean(model, "thumb");
    };
    fixed("resize", &network(thumbnail, 8, 8), &with(&["/thumb/Resize", "1x6x7x5"]));

    let half: Middle = |model, _, w| {
        model.add_initializer("zero", &Tensor::i64s(&[0]));
        shape(model, "ends", &[w / 2]);
        shape(model, "axes", &[3]);
        model.add_node("Slice", "/left/Slice", &["features", "zero", "ends", "axes"], &["left"], &[]);
        mean(model, "left");
    };
    fixed("slice", &network(half, 8, 8), &with(&["/left/Slice", "axis of 4"]));

    let gather: Middle = |model, _, _| {
        model.add_initializer("order", &Tensor::i64s(&[3, 1, 0, 2]));
        model.add_node("Gather", "/order/Gather", &["features", "order"], &["mixed"], &[("axis", Attr::Int(3))]);
        mean(model, "mixed");
    };
    fixed("gather", &network(gather, 8, 8), &with(&["/order/Gather", "4 fixed places"]));
}

/// A name that the rewriting would like is taken, and the nodes have none.
#[test]
fn names_do_not_collide() {
    let mut model = net::with_input(13, &net::PICTURE);
    model.add_node("Identity", "", &["x"], &["resized0_0"], &[]);
    net::trunk(&mut model, "resized0_0");
    reshape(&mut model, "features", "sequence", &[1, 6, 16]);
    model.add_node("ReduceMean", "", &["sequence"], &["flat"], &[net::ints("axes", &[2]), ("keepdims", Attr::Int(0))]);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    model.add_output("logits", Some(DType::F32), None);
    assert_eq!(maps(&mut open_with(&model, &at(16, 8)), &BEST)[0].map.dim(), (4, 8));
}
