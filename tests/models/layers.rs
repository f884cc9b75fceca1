//! B27, B28, B29: which layer and which class, by which name, and what is said when there is none.

use gstgradcam::onnx::{Attr, Data, Model, Tensor};
use gstgradcam::{Error, Method, autodiff};

use super::raw::{edit_node, node, pair};
use super::*;

fn at(layer: &str) -> Options {
    Options { target_layer: Some(layer.into()), ..options() }
}

fn layer_error(id: &str, bytes: &[u8], layer: &str, words: &[&str]) {
    let error = refusal_with(id, bytes, &at(layer), words);
    assert!(matches!(error, Error::Layer { .. }), "{id}: {error:?}");
}

#[test]
fn b27_no_grid_anywhere() {
    let mut mlp = net::with_input(17, &net::PICTURE);
    mlp.add_node("Flatten", "flatten", &["x"], &["flat"], &[]);
    mlp.add_initializer("w1", &net::weights(&[192, 6], 3));
    mlp.add_node("MatMul", "hidden", &["flat", "w1"], &["h"], &[]);
    mlp.add_node("Relu", "relu", &["h"], &["r"], &[]);
    net::linear(&mut mlp, "r", "logits", net::CLASSES);
    net::output(&mut mlp, "logits");
    let error = refusal("B27 MLP", &bytes(&mlp), &["no layer with a spatial grid", "usable layers: none"]);
    assert!(matches!(error, Error::Layer { .. }));
}

#[test]
fn b27_names_that_are_no_layer() {
    let little = bytes(&net::little());
    let usable = "usable layers: features, conv2, relu1, conv1";
    layer_error("B27 wrong name", &little, "layer4", &["\"layer4\"", "no computed tensor, node or module", usable]);
    layer_error("B27 empty", &little, "", &["\"\"", usable]);
    layer_error("B27 behind flatten", &little, "flat", &["\"flat\"", "[1, 6]", usable]);
    layer_error("B27 pooled", &little, "pooled", &["\"pooled\"", "[1, 6, 1, 1]", usable]);
    layer_error("B27 weight", &little, "conv1.weight", &["\"conv1.weight\"", usable]);
    layer_error("B27 the picture", &little, "x", &["\"x\"", usable]);
    layer_error("B27 the score", &little, "logits", &["\"logits\"", usable]);

    let mut aside = net::little();
    aside.add_node("Relu", "aside", &["conv1"], &["aside_out"], &[]);
    net::output(&mut aside, "aside_out");
    layer_error("B27 no influence", &bytes(&aside), "aside", &["\"aside\"", "no influence", "logits", "features"]);
}

/// One layer, under every name that it goes by.
#[test]
fn target_layer_by_each_kind_of_name() {
    let legacy = bytes(&net::little());
    for (name, tensor) in [
        ("features", "features"),
        ("/layer2/layer2.1/Relu", "features"),
        ("layer2.1", "features"),
        ("layer2", "features"),
        ("layer2.0", "conv2"),
        ("/layer2/layer2.0/Conv", "conv2"),
        ("relu1", "relu1"),
        ("conv1", "conv1"),
    ] {
        let explainer = open_bytes(&legacy, &at(name));
        assert_eq!(explainer.info().layer, tensor, "{name}");
    }
    // torch's newer exporter keeps the modules in the nodes' metadata, as a Python list
    let scopes = [
        ("/layer2/layer2.0/Conv", "node_7", "['', 'backbone', 'backbone.block', 'backbone.block.0', 'conv2d_1']"),
        ("/layer2/layer2.1/Relu", "node_8", "['', 'backbone', 'backbone.block', 'backbone.block.1', 'relu_1']"),
        ("/conv1/Conv", "node_9", "['', 'stem', 'conv2d']"),
    ];
    let modern = scopes.iter().fold(legacy, |bytes, (name, plain, list)| {
        let scope = pair("pkg.torch.onnx.name_scopes", list);
        edit_node(&bytes, name, |n| n.with(node::METADATA, scope.clone()).set(node::NAME, *plain))
    });
    for (name, tensor) in [
        ("backbone.block.1", "features"),
        ("backbone.block", "features"),
        ("backbone", "features"),
        ("backbone.block.0", "conv2"),
        ("stem", "conv1"),
    ] {
        assert_eq!(open_bytes(&modern, &at(name)).info().layer, tensor, "{name}");
    }
    layer_error("B27 half a module", &modern, "back", &["\"back\"", "features"]);
}

#[test]
fn what_is_told_of_a_layer() {
    let explainer = open(&net::little());
    let info = explainer.info();
    assert_eq!((info.layer.as_str(), &info.layer_shape[..]), ("features", &net::GRID[..]));
    assert_eq!(info.runner_ups, ["conv2", "relu1", "conv1"]);
    let early = open_with(&net::little(), &at("conv1"));
    assert_eq!(early.info().runner_ups, ["features", "conv2", "relu1"]);
    assert!(early.info().operators.contains(&("Relu".into(), 2, true)), "{:?}", early.info().operators);
}

/// What Compress and ReverseSequence read beside the channels: to keep all six, to turn all six round.
fn operands(model: &mut Model) {
    model.add_initializer("all", &Tensor { shape: vec![6], data: Data::Bool(vec![true; 6]) });
    model.add_initializer("length", &Tensor::i64s(&[6]));
}

/// The network with an operator between its layer and its score.
fn with_operator(op: &str, inputs: &[&str], attrs: &[(&str, Attr)]) -> Model {
    let mut model = net::body(17, &net::PICTURE);
    operands(&mut model);
    model.add_node(op, "strange", inputs, &["changed"], attrs);
    net::linear(&mut model, "changed", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    model
}

#[test]
fn b28_operators_without_a_rule() {
    let op = "Compress";
    assert!(autodiff::RULES.iter().all(|row| row.op != op), "it has a rule now: put another here");
    let model = bytes(&with_operator(op, &["flat", "all"], &[("axis", Attr::Int(1))]));
    for method in Method::all().filter(|&method| method.uses_gradient() && method != Method::Auto) {
        let words = [op, "strange", "target-layer", "method=cam"];
        let error = refusal_with("B28", &model, &Options { method, ..options() }, &words);
        assert!(matches!(&error, Error::Unsupported { ops } if ops[..] == [(op.to_string(), "strange".to_string())]));
    }
    // left to itself it takes a method without gradients, and says for want of what
    let mut explainer = open_bytes(&model, &options());
    assert_eq!(explainer.info().method, Method::Recipro);
    let warning = explainer.info().warnings.iter().find(|w| w.contains("recipro")).expect("it says so").clone();
    assert!(warning.contains(op) && warning.contains("strange"), "{warning}");
    assert_eq!(maps(&mut explainer, &[Target::Rank(0), Target::Class(2)]).len(), 2);
}

/// All that is missing, at once, with its nodes.
#[test]
fn b28_every_missing_operator_is_named() {
    let mut model = net::body(17, &net::PICTURE);
    operands(&mut model);
    let turned = [("batch_axis", Attr::Int(0)), ("time_axis", Attr::Int(1))];
    model.add_node("ReverseSequence", "one", &["flat", "length"], &["a"], &turned);
    model.add_node("Compress", "two", &["a", "all"], &["b"], &[("axis", Attr::Int(1))]);
    model.add_node("ReverseSequence", "three", &["b", "length"], &["changed"], &turned);
    net::linear(&mut model, "changed", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    let gradcam = Options { method: Method::GradCam, ..options() };
    let words = ["ReverseSequence (nodes \"one\", \"three\")", "Compress (node \"two\")"];
    let error = refusal_with("B28", &bytes(&model), &gradcam, &words);
    assert!(matches!(&error, Error::Unsupported { ops } if ops.len() == 3), "{error:?}");
}

/// Recipro-CAM runs the head on many copies at once: one that mixes them is refused, by its shape or by its numbers.
#[test]
fn recipro_refuses_heads_that_mix_pictures() {
    let recipro = Options { method: Method::Recipro, ..options() };
    let along = |axis: i64| {
        let mut model = net::body(17, &net::PICTURE);
        model.add_initializer("axis", &Tensor { shape: vec![], data: Data::I64(vec![axis]) });
        model.add_node("CumSum", "strange", &["flat", "axis"], &["changed"], &[]);
        net::linear(&mut model, "changed", "logits", net::CLASSES);
        net::output(&mut model, "logits");
        bytes(&model)
    };
    open_bytes(&along(1), &recipro);
    // only the figures show that the pictures are summed up
    let error = refusal_with("recipro", &along(0), &recipro, &["self-check", "mixes pictures", "method=recipro"]);
    assert!(matches!(error, Error::SelfCheck { .. }));
    let mut turned = net::body(17, &net::PICTURE);
    turned.add_node("Transpose", "turn", &["flat"], &["column"], &[]);
    turned.add_initializer("to", &Tensor::i64s(&[1, 6]));
    turned.add_node("Reshape", "back", &["column", "to"], &["changed"], &[]);
    net::linear(&mut turned, "changed", "logits", net::CLASSES);
    net::output(&mut turned, "logits");
    refusal_with(
        "recipro",
        &bytes(&turned),
        &recipro,
        &["Transpose node \"turn\"", "one picture only", "method=recipro"],
    );
}

/// An operator that has no rule is no matter where it lies before the layer; `method=cam` needs none at all.
#[test]
fn b28_operators_before_the_layer() {
    let mut model = net::with_input(17, &net::PICTURE);
    model.add_initializer("all", &Tensor { shape: vec![8], data: Data::Bool(vec![true; 8]) });
    model.add_node("Compress", "strange", &["x", "all"], &["kept"], &[("axis", Attr::Int(3))]);
    net::trunk(&mut model, "kept");
    net::pool(&mut model);
    net::linear(&mut model, "flat", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    open(&model);
    open_with(&model, &Options { method: Method::Cam, ..options() });
}

#[test]
fn cam_says_what_it_needs() {
    let cam = Options { method: Method::Cam, ..options() };
    let mut model = net::body(17, &net::PICTURE);
    model.add_node("Relu", "between", &["flat"], &["changed"], &[]);
    net::linear(&mut model, "changed", "logits", net::CLASSES);
    net::output(&mut model, "logits");
    let error = refusal_with("cam", &bytes(&model), &cam, &["method=cam", "\"features\"", "between", "method=gradcam"]);
    assert!(matches!(error, Error::ModelUnusable { .. }));
    let early = Options { target_layer: Some("conv1".into()), ..cam };
    refusal_with("cam", &bytes(&net::little()), &early, &["method=cam", "\"conv1\"", "method=gradcam"]);
}

#[test]
fn b29_classes() {
    let explainer = open(&net::little());
    for text in ["5", "-6", "99999999999999999999", "cat", "1,,2", "1.5", "--1", "0x1"] {
        let error = explainer.targets(text).expect_err("there is no such class");
        let error = says("B29", error, &["target-class", "0..=4", "-1..=-5"]);
        assert!(matches!(error, Error::Target { .. }), "{text}: {error:?}");
    }
    assert_eq!(explainer.targets("").expect("the best"), [Target::Rank(0)]);
    let mixed = [Target::Class(4), Target::Rank(0), Target::Rank(4)];
    assert_eq!(explainer.targets("4, -1,-5").expect("they exist"), mixed);

    let (folder, path) = save(&bytes(&net::little()));
    let labels = folder.path().join("labels.txt");
    std::fs::write(&labels, "apple\nbanana\ncherry\ndamson\nelder\n").expect("written");
    let explainer = Explainer::open(&path, &Options { labels_file: Some(labels), ..options() }).expect("opens");
    assert_eq!(explainer.targets("Cherry").expect("it exists"), [Target::Class(2)]);
    let error = explainer.targets("berry").expect_err("there is none");
    says("B29 name", error, &["\"berry\"", "no class has this name"]);
}

/// Ranks end where the explained model's own end, also for a model of many classes.
#[test]
fn b29_ranks_of_a_model_with_many_classes() {
    let mut model = net::body(17, &net::PICTURE);
    net::linear(&mut model, "flat", "logits", 150);
    net::output(&mut model, "logits");
    let mut explainer = open(&model);
    let last = explainer.targets("-100").expect("the hundredth best");
    assert_eq!(maps(&mut explainer, &last).len(), 1);
    says("B29 rank", explainer.targets("-101").expect_err("too deep"), &["-101", "-1..=-100"]);
}

/// What looks like a pooled, linear head and is none: CAM's weights would leave out a branch, or weigh cells that count nothing.
#[test]
fn cam_refuses_a_head_that_only_looks_pooled_and_linear() {
    let cam = Options { method: Method::Cam, ..options() };
    let mut branches = net::body(17, &net::PICTURE);
    net::linear(&mut branches, "flat", "one", net::CLASSES);
    branches.add_node("Neg", "neg", &["flat"], &["turned"], &[]);
    branches.add_node("Gemm", "fc2", &["turned", "fc.weight", "fc.bias"], &["two"], &[("transB", Attr::Int(1))]);
    branches.add_node("Add", "both", &["one", "two"], &["logits"], &[]);
    net::output(&mut branches, "logits");
    refusal_with("cam two branches", &bytes(&branches), &cam, &["method=cam", "Add", "\"both\"", "method=gradcam"]);

    // one window of 3x3 on a grid of 4x4: the last row and column do not count
    let mut part = net::with_input(17, &net::PICTURE);
    net::trunk(&mut part, "x");
    let window = [net::ints("kernel_shape", &[3, 3]), net::ints("strides", &[3, 3])];
    part.add_node("AveragePool", "part", &["features"], &["pooled"], &window);
    part.add_node("Flatten", "flatten", &["pooled"], &["flat"], &[]);
    net::linear(&mut part, "flat", "logits", net::CLASSES);
    net::output(&mut part, "logits");
    refusal_with("cam part of the grid", &bytes(&part), &cam, &["method=cam", "AveragePool", "\"part\""]);
    open(&part); // gradcam knows which cells count
}
