//! Where preprocessing is learnt, and what wrong words get.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gstgradcam::Error;
use gstgradcam::prep::{ColorFormat, Element, Layout, Overrides, Preprocess, ResizeMode, Spec};

fn resolve(
    channels: usize,
    metadata: &[(&str, &str)],
    model: Option<&Path>,
    overrides: &Overrides,
) -> Result<Spec, Error> {
    let metadata: BTreeMap<String, String> = metadata.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    Spec::resolve((224, 192), Layout::ChannelsFirst, (channels, Element::Float), &metadata, model, overrides)
}

fn close(got: &[f32], want: &[f32]) -> bool {
    got.len() == want.len() && got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6)
}

/// A folder with a model's name in it and the sidecar's text beside it.
fn with_sidecar(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("m.onnx");
    fs::write(folder.path().join("m.onnx.modelinfo"), text).unwrap();
    (folder, model)
}

#[test]
fn without_a_word_it_is_imagenet_and_the_log_says_so() {
    let spec = resolve(3, &[], None, &Overrides::default()).unwrap();
    assert_eq!((spec.width, spec.height), (224, 192));
    assert_eq!((spec.color_format, spec.resize_mode), (ColorFormat::Rgb, ResizeMode::Crop));
    assert!(close(&spec.mean, &[0.485, 0.456, 0.406]) && close(&spec.std, &[0.229, 0.224, 0.225]));
    assert_eq!(
        spec.origin,
        "mean 0.485,0.456,0.406 from default (imagenet), std 0.229,0.224,0.225 from default (imagenet), \
         color-format rgb from default, resize-mode crop from default"
    );
    let gray = resolve(1, &[], None, &Overrides::default()).unwrap();
    assert_eq!(gray.color_format, ColorFormat::Gray);
    assert!(close(&gray.mean, &[0.449]) && close(&gray.std, &[0.226]));
}

#[test]
fn each_value_is_taken_from_the_strongest_place_that_has_it() {
    let (_folder, model) = with_sidecar(
        "# made by hand\n[modelinfo]\nversion=1.0\nresize-mode=letterbox\ncolor-format=bgr\n\n\
         [input:0]\ndir=input\nranges=0.0,255.0;-1.0,1.0;0.0,1.0\n\n[out]\ndir=output\nmean=9,9,9\n",
    );
    let sidecar = resolve(3, &[], Some(&model), &Overrides::default()).unwrap();
    assert!(close(&sidecar.mean, &[0.0, 0.5, 0.0]) && close(&sidecar.std, &[1.0 / 255.0, 0.5, 1.0]), "{sidecar:?}");
    assert_eq!((sidecar.color_format, sidecar.resize_mode), (ColorFormat::Bgr, ResizeMode::Letterbox));
    assert!(sidecar.origin.contains("m.onnx.modelinfo"), "{}", sidecar.origin);

    let metadata = [("gradcam.mean", "0.1, 0.2, 0.3"), ("gradcam.resize-mode", "stretch"), ("other", "x")];
    let both = resolve(3, &metadata, Some(&model), &Overrides::default()).unwrap();
    assert!(close(&both.mean, &[0.1, 0.2, 0.3]) && close(&both.std, &[1.0 / 255.0, 0.5, 1.0]));
    assert_eq!((both.color_format, both.resize_mode), (ColorFormat::Bgr, ResizeMode::Stretch));

    let overrides = Overrides {
        preprocess: Preprocess::MinusOneOne,
        std: Some(vec![2.0]),
        resize_mode: Some(ResizeMode::Crop),
        ..Overrides::default()
    };
    let user = resolve(3, &metadata, Some(&model), &overrides).unwrap();
    assert!(close(&user.mean, &[0.5; 3]) && close(&user.std, &[2.0; 3]));
    assert_eq!(user.resize_mode, ResizeMode::Crop);
    assert!(user.origin.contains("mean 0.5,0.5,0.5 from the option preprocess=minus-one-one"), "{}", user.origin);
    assert!(user.origin.contains("std 2,2,2 from the option,"), "{}", user.origin);
}

#[test]
fn the_sidecar_may_replace_the_extension_and_gstreamers_own_example_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[modelinfo]\nversion=1.0\ngroup-id=ssd\n\n[image_tensor:0]\nid=image_tensor_0\ntype=uint8\n\
                dims=-1,-1,-1,3\ndir=input\nranges=0.0,255.0;0.0,255.0;0.0,255.0\n";
    fs::write(folder.path().join("m.modelinfo"), text).unwrap();
    let spec = resolve(3, &[], Some(&folder.path().join("m.onnx")), &Overrides::default()).unwrap();
    assert!(close(&spec.mean, &[0.0; 3]) && close(&spec.std, &[1.0 / 255.0; 3]));
    assert!(spec.origin.contains("mean 0,0,0 from"), "{}", spec.origin);
}

#[test]
fn names_of_scalings() {
    let cases =
        [(Preprocess::ZeroOne, 0.0, 1.0), (Preprocess::MinusOneOne, 0.5, 0.5), (Preprocess::Raw, 0.0, 1.0 / 255.0)];
    for (preprocess, mean, std) in cases {
        let named = Overrides { preprocess, ..Overrides::default() };
        let spec = resolve(3, &[("gradcam.mean", "0.9,0.9,0.9")], None, &named).unwrap();
        assert!(close(&spec.mean, &[mean; 3]) && close(&spec.std, &[std; 3]), "{preprocess:?}");
        let same = resolve(3, &[("gradcam.preprocess", preprocess.name())], None, &Overrides::default()).unwrap();
        assert!(close(&same.mean, &[mean; 3]) && close(&same.std, &[std; 3]), "{preprocess:?}");
    }
    // ImageNet's figures are for red, green, blue; a BGR model wants them the other way round.
    let bgr = Overrides { color_format: Some(ColorFormat::Bgr), ..Overrides::default() };
    assert!(close(&resolve(3, &[], None, &bgr).unwrap().mean, &[0.406, 0.456, 0.485]));
    let gray =
        resolve(1, &[("gradcam.mean", "0.1,0.2,0.6"), ("gradcam.std", "0.25")], None, &Overrides::default()).unwrap();
    assert!(close(&gray.mean, &[0.3]) && close(&gray.std, &[0.25]));
}

#[test]
fn every_name_is_read_back() {
    assert!(Preprocess::ALL.iter().all(|v| v.name().parse::<Preprocess>().unwrap() == *v));
    assert!(ColorFormat::ALL.iter().all(|v| v.name().parse::<ColorFormat>().unwrap() == *v));
    assert!(ResizeMode::ALL.iter().all(|v| v.name().parse::<ResizeMode>().unwrap() == *v));
    assert_eq!(
        "squash".parse::<ResizeMode>().unwrap_err().to_string(),
        "resize-mode=squash: use one of crop, stretch, letterbox, full-frame"
    );
}

#[test]
fn wrong_options_are_refused_by_name() {
    let list = |mean: &[f32]| Overrides { mean: Some(mean.into()), ..Overrides::default() };
    let std = |std: &[f32]| Overrides { std: Some(std.into()), ..Overrides::default() };
    let color = |color| Overrides { color_format: Some(color), ..Overrides::default() };
    for (channels, overrides, words) in [
        (3, list(&[0.1, 0.2]), "mean=0.1,0.2: 2 numbers for 3 channel(s); give one for each"),
        (3, list(&[]), "mean=: 0 numbers"),
        (3, list(&[f32::NAN; 3]), "mean=NaN,NaN,NaN: finite numbers are needed"),
        (3, std(&[0.1, 0.0, 0.1]), "std=0.1,0,0.1: numbers above 0 are needed"),
        (3, std(&[-1.0; 3]), "numbers above 0"),
        (1, list(&[0.1, 0.2]), "2 numbers for 1 channel(s)"),
        (1, color(ColorFormat::Rgb), "color-format=rgb: the model's input has 1 channel; use gray"),
        (3, color(ColorFormat::Gray), "color-format=gray: the model's input has 3 channels; use rgb or bgr"),
    ] {
        let error = resolve(channels, &[], None, &overrides).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }) && error.to_string().contains(words), "{error}");
    }
    for channels in [0, 2, 4, 5] {
        let error = resolve(channels, &[], None, &Overrides::default()).unwrap_err();
        assert!(error.to_string().contains(&format!("{channels} channels")), "{error}");
    }
}

#[test]
fn wrong_words_in_the_model_name_the_key_and_the_way_out() {
    for (key, value, words) in [
        ("gradcam.mean", "0.1,x,0.3", "\"x\" is not a number; correct it there, or set the option mean"),
        ("gradcam.mean", "", "\"\" is not a number"),
        ("gradcam.std", "1,0,1", "numbers above 0 are needed"),
        ("gradcam.std", "1,1,1,1", "4 numbers for 3 channel(s)"),
        ("gradcam.std", "inf", "numbers above 0"),
        ("gradcam.color-format", "gray", "the model's input has 3 channels; use rgb or bgr"),
        ("gradcam.color-format", "cmyk", "use one of rgb, bgr, gray"),
        (
            "gradcam.resize-mode",
            "fill",
            "use one of crop, stretch, letterbox, full-frame; correct it there, or set the option resize-mode",
        ),
        ("gradcam.preprocess", "caffe", "use one of auto, imagenet"),
    ] {
        let error = resolve(3, &[(key, value)], None, &Overrides::default()).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::ModelUnusable { .. }), "{text}");
        assert!(text.contains(&format!("{key}={value} in the model's metadata")) && text.contains(words), "{text}");
    }
    // What the user sets is not looked for elsewhere.
    let own = Overrides { mean: Some(vec![0.5]), ..Overrides::default() };
    assert!(resolve(3, &[("gradcam.mean", "x")], None, &own).is_ok());
}

#[test]
fn wrong_sidecars_name_the_file() {
    for (text, words) in [
        ("[in]\ndir=input\nranges=0,1;5\n", "\"5\" is not a pair"),
        ("[in]\ndir=input\nranges=1,1;0,1;0,1\n", "not a pair of a smaller and a greater number"),
        ("[in]\ndir=input\nranges=0,1;0,1\n", "2 numbers for 3 channel(s)"),
        ("[in]\ndir=input\nranges=\n", "0 numbers"),
        ("mean=0.5,\n", "is not a number"),
        ("what is this", "line 1"),
    ] {
        let (_folder, model) = with_sidecar(text);
        let error = resolve(3, &[], Some(&model), &Overrides::default()).unwrap_err().to_string();
        assert!(error.contains("m.onnx.modelinfo") && error.contains(words), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("m.onnx.modelinfo")).unwrap();
    let error = resolve(3, &[], Some(&folder.path().join("m.onnx")), &Overrides::default()).unwrap_err();
    assert!(matches!(error, Error::ModelUnreadable { .. }), "{error}");
}

/// An integer input holds pixels as they are, and refuses numbers that it cannot hold.
#[test]
fn integers_hold_pixels() {
    let resolve = |element, preprocess| {
        let overrides = Overrides { preprocess, ..Overrides::default() };
        let none = std::collections::BTreeMap::new();
        Spec::resolve((8, 8), Layout::ChannelsLast, (3, element), &none, None, &overrides)
    };
    let ends = |spec: &Spec| (-spec.mean[0] / spec.std[0], (1.0 - spec.mean[0]) / spec.std[0]);
    let near = |(a, b): (f32, f32), (c, d): (f32, f32)| (a - c).abs() < 1e-3 && (b - d).abs() < 1e-3;
    for element in [Element::Unsigned, Element::Signed] {
        let wanted = if element == Element::Unsigned { (0.0, 255.0) } else { (-128.0, 127.0) };
        let spec = resolve(element, Preprocess::Auto).expect("pixels are held");
        assert!(near(ends(&spec), wanted), "{:?}", ends(&spec));
        assert!(spec.origin.contains("int8"), "{}", spec.origin);
        for preprocess in [Preprocess::Imagenet, Preprocess::ZeroOne, Preprocess::MinusOneOne] {
            let why = resolve(element, preprocess).expect_err("too few steps").to_string();
            assert!(why.contains("preprocess=raw") && why.contains(preprocess.name()), "{why}");
        }
    }
}
