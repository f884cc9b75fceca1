//! B13, B14: weights that lie outside the model file, or are said to.

use std::path::Path;

use gstgradcam::Error;
use gstgradcam::onnx::Model;

use super::raw::{Message, attribute, edit, edit_weight, graph, model, node, pair, tensor};
use super::*;

/// The model with conv2's weights kept outside, as these entries say.
fn outside(entries: &[(&str, &str)]) -> Vec<u8> {
    edit_weight(&bytes(&net::little()), "conv2.weight", |t| external(t, entries))
}

fn external(tensor: Message, entries: &[(&str, &str)]) -> Message {
    let bare = tensor.without(tensor::RAW).with(tensor::LOCATION, 1);
    entries.iter().fold(bare, |t, (key, value)| t.with(tensor::EXTERNAL, pair(key, value)))
}

/// conv2's weights as bytes.
fn weights() -> Vec<u8> {
    net::weights(&[6, 4, 3, 3], 3).as_f32().expect("floats").iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// A folder with `model.onnx`, and in it `model.onnx.data` whose first 64 bytes are somebody else's.
fn folder(model: &[u8]) -> (TempDir, PathBuf) {
    let (folder, path) = save(model);
    std::fs::write(folder.path().join("model.onnx.data"), [vec![0xff; 64], weights()].concat()).expect("written");
    (folder, path)
}

fn refused_as(id: &str, entries: &[(&str, &str)], words: &[&str]) -> Error {
    let (_folder, path) = folder(&outside(entries));
    refused(id, &path, &options(), &[&["\"conv2.weight\""], words].concat())
}

#[test]
fn b13_a_good_one_gives_the_same_map() {
    let mut plain = open(&net::little());
    let wanted = maps(&mut plain, &[Target::Class(2)]);
    for entries in [
        &[("location", "model.onnx.data"), ("offset", "64"), ("length", "864")][..],
        &[("location", "./model.onnx.data"), ("offset", "64")],
    ] {
        let (folder, path) = folder(&outside(entries));
        let mut explainer = Explainer::open(&path, &options()).expect("it opens");
        // everything was read into memory: the files may go, or be cut short, while the model runs
        std::fs::write(folder.path().join("model.onnx.data"), "").expect("written");
        drop(folder);
        assert_eq!(maps(&mut explainer, &[Target::Class(2)])[0].map, wanted[0].map);
    }
}

#[test]
fn b13_paths_that_lead_out() {
    let absolute = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    for location in [
        "../../../../etc/passwd",
        absolute.to_str().expect("UTF-8"),
        "sub/../../model.onnx.data",
        "*/_ORT_MEM_ADDR_/*",
        "",
    ] {
        let entries = [("location", location), ("offset", "0"), ("length", "864")];
        let error = refused_as("B13", &entries, &["inside the model's folder", "refused"]);
        assert!(matches!(error, Error::ModelDamaged { .. }), "{location}: {error:?}");
    }
    let error = refused_as("B13 no location", &[("offset", "0")], &["names no file"]);
    assert!(matches!(error, Error::ModelDamaged { .. }));
    let error = refused_as("B13 NUL", &[("location", "a\0b")], &["refused"]);
    assert!(matches!(error, Error::ModelDamaged { .. }));
}

#[test]
fn b13_files_that_are_not_to_be_read() {
    let entries = |name| [("location", name), ("offset", "0"), ("length", "864")];
    let error = refused_as("B13 missing", &entries("gone.data"), &["gone.data", "copy that file too"]);
    assert!(matches!(error, Error::ModelUnreadable { .. }));

    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(secret.path(), weights()).expect("written");
    let (place, path) = folder(&outside(&entries("link.data")));
    std::os::unix::fs::symlink(secret.path(), place.path().join("link.data")).expect("a link");
    let error = refused("B13 link out", &path, &options(), &["conv2.weight", "link.data", "leads out"]);
    assert!(matches!(error, Error::ModelDamaged { .. }));

    let (place, path) = folder(&outside(&entries("pipe.data")));
    let made = std::process::Command::new("mkfifo").arg(place.path().join("pipe.data")).status();
    assert!(made.expect("mkfifo runs").success());
    let error = refused("B13 pipe", &path, &options(), &["conv2.weight", "pipe.data", "regular file"]);
    assert!(matches!(error, Error::ModelDamaged { .. }));

    let (place, path) = folder(&outside(&entries("inner")));
    std::fs::create_dir(place.path().join("inner")).expect("a folder");
    let error = refused("B13 folder", &path, &options(), &["conv2.weight", "inner", "regular file"]);
    assert!(matches!(error, Error::ModelDamaged { .. }));
}

#[test]
fn b13_places_that_are_not_in_the_file() {
    let at = |offset, length| [("location", "model.onnx.data"), ("offset", offset), ("length", length)];
    for (id, entries, words) in [
        ("B13 past the end", at("65", "864"), ["65+864", "928 bytes"]),
        ("B13 offset past the end", at("99999999999", "864"), ["99999999999", "928 bytes"]),
        ("B13 offset + length overflow", at("18446744073709551615", "864"), ["18446744073709551615", "928 bytes"]),
        ("B13 negative offset", at("-1", "864"), ["offset", "\"-1\""]),
        ("B13 negative length", at("0", "-864"), ["length", "\"-864\""]),
        ("B13 length 2^62", at("0", "4611686018427387904"), ["4611686018427387904", "864"]),
        ("B13 length zero", at("0", "0"), ["claims 0 bytes", "864"]),
        ("B13 offset is no number", at("many", "864"), ["offset", "\"many\""]),
    ] {
        let error = refused_as(id, &entries, &words);
        assert!(matches!(error, Error::ModelDamaged { .. }), "{id}: {error:?}");
    }
    let huge = edit_weight(&outside(&at("0", "4611686018427387904")), "conv2.weight", |t| {
        t.without(tensor::DIMS).with(tensor::DIMS, 1i64 << 60)
    });
    let (_folder, path) = folder(&huge);
    refused("B13 shape and length 2^62", &path, &options(), &["conv2.weight", "928 bytes"]);
}

/// ONNX Runtime would look for a file of a model from memory in the working folder.
#[test]
fn b14_the_working_folder_is_never_looked_at() {
    assert!(Path::new("Cargo.toml").exists(), "cargo runs tests in the package's folder");
    let entries = [("location", "Cargo.toml"), ("offset", "0"), ("length", "864")];
    let error = refused_as("B14", &entries, &["Cargo.toml", "copy that file too"]);
    assert!(matches!(error, Error::ModelUnreadable { .. }));
    for entries in [entries, [("location", "../../etc/passwd"), ("offset", "0"), ("length", "864")]] {
        let error = Model::from_bytes(&outside(&entries)).expect_err("there is no folder");
        let error = says("B14 from memory", error, &["conv2.weight", "open the model by its path"]);
        assert!(matches!(error, Error::ModelUnusable { .. }));
    }
}

/// Tensors also stand in attributes, sub-graphs and functions, where the runtime would follow them.
#[test]
fn b13_tensors_inside_nodes() {
    let entries = [("location", "/etc/passwd"), ("offset", "0"), ("length", "24")];
    let hidden = || {
        let tensor = Message::default().with(tensor::DIMS, 6).with(tensor::TYPE, 1).with(tensor::NAME, "hidden");
        external(tensor, &entries)
    };
    let constant = || {
        let value = Message::default()
            .with(attribute::NAME, "value")
            .with(attribute::TENSOR, hidden())
            .with(attribute::TYPE, 4);
        let node = Message::default().with(node::OP, "Constant").with(node::NAME, "inner");
        node.with(node::OUTPUT, "inner_value").with(node::ATTRIBUTE, value)
    };
    let branch = |body: Message| {
        Message::default().with(attribute::NAME, "then_branch").with(attribute::GRAPH, body).with(attribute::TYPE, 5)
    };
    let deep = |body: Message| {
        Message::default().with(node::OP, "If").with(node::OUTPUT, "made").with(node::ATTRIBUTE, branch(body))
    };
    let plain = bytes(&net::little());
    let with_node = |n: Message| edit(&plain, move |g| g.with(graph::NODE, n.clone()));
    let function = Message::default().with(1, "f").with(7, constant());
    for (id, bytes) in [
        ("B13 attribute", with_node(constant())),
        ("B13 sub-graph's node", with_node(deep(Message::default().with(graph::NODE, constant())))),
        ("B13 sub-graph's weight", with_node(deep(Message::default().with(graph::INITIALIZER, hidden())))),
        ("B13 function", Message::parse(&plain).with(model::FUNCTIONS, function).bytes()),
    ] {
        let (_folder, path) = folder(&bytes);
        let error = refused(id, &path, &options(), &["\"hidden\"", "refused"]);
        assert!(matches!(error, Error::ModelDamaged { .. }), "{id}: {error:?}");
    }
}
