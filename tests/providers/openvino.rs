//! OpenVINO as a library of its own: taken, told, counted, left again.

use gstgradcam::onnx::{DType, Tensor};
use gstgradcam::{Error, Explainer, Method, Options, Precision, Provider};

use super::{maps, network, open, options, plugin, support};

fn close(a: &ndarray::Array2<f32>, b: &ndarray::Array2<f32>) -> f32 {
    let largest = a.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    a.iter().zip(b).fold(0.0f32, |m, (x, y)| m.max((x - y).abs())) / largest
}

#[test]
fn a_library_that_is_named_is_taken_and_its_maps_are_the_cpus() {
    let mut own = open(&network(false), &options()).unwrap();
    for provider in [Provider::Auto, Provider::Plugin, Provider::OpenVino] {
        let Some(asked) = plugin(provider) else { return };
        let mut explainer = open(&network(false), &asked).unwrap();
        let info = explainer.info();
        assert!(info.warnings.is_empty(), "{:?}", info.warnings);
        println!("{}", info.provider);
        assert_eq!(
            (info.provider.kind.name(), info.provider.runtime.as_deref()),
            ("plugin", Some("OpenVINOExecutionProvider"))
        );
        assert_eq!(info.provider.nodes, Some(info.provider.of));
        assert!(info.provider.agreement.is_some_and(|a| a.cosine > 0.99999 && a.outputs < 1e-5));
        assert!(close(&maps(&mut own), &maps(&mut explainer)) < 1e-4);
    }
}

#[test]
fn the_maps_of_every_method_are_the_cpus() {
    let Some(asked) = plugin(Provider::Plugin) else { return };
    for file in ["methods_relu.onnx", "methods_mixed.onnx"] {
        let path = support::root().join("tests/data").join(file);
        let mut cpu = Explainer::open(&path, &asked.on_cpu()).unwrap();
        // these networks' heads have two linear layers, for which there is no CAM
        for method in Method::all().filter(|method| !matches!(method, Method::Auto | Method::Cam)) {
            // each is opened once, on the CPU, and moved
            cpu = cpu.with(method, None).unwrap();
            let there = cpu.on(&asked).unwrap();
            let agreement = there.info().provider.agreement.expect("it was looked at");
            println!("{file}, {}: {agreement}", method.name());
            assert!(agreement.cosine > 0.99999 && agreement.outputs < 1e-5, "{file}, {}: {agreement}", method.name());
        }
    }
}

#[test]
fn b42_on_the_cpu_again_the_maps_are_the_cpus_to_the_bit() {
    let Some(asked) = plugin(Provider::Plugin) else { return };
    let explainer = open(&network(false), &asked).unwrap();
    let mut there = explainer.on_cpu().unwrap();
    assert_eq!((there.info().provider.kind.name(), there.info().layer.as_str()), ("cpu", "features"));
    assert_eq!(there.info().self_check, explainer.info().self_check, "nothing is checked anew");
    drop(explainer);
    let mut own = open(&network(false), &Options { execution_provider: Provider::Cpu, ..options() }).unwrap();
    assert_eq!(maps(&mut there), maps(&mut own));
    // and back
    let again = there.on(&asked).unwrap();
    assert_eq!((again.info().provider.kind.name(), again.info().self_check.is_some()), ("plugin", true));
    // as one opens it that does not want to wait
    assert_eq!(open(&network(false), &asked.on_cpu()).unwrap().info().provider.kind.name(), "cpu");
}

#[test]
fn nodes_that_it_leaves_to_the_cpu_are_counted() {
    let Some(asked) = plugin(Provider::Plugin) else { return };
    let mut model = network(false);
    model.add_initializer("four", &Tensor::i64s(&[4, 4]));
    model.add_node("Reshape", "fold", &["logits", "four"], &["folded"], &[]);
    model.add_node("Det", "determinant", &["folded"], &["volume"], &[]);
    model.add_output("volume", Some(DType::F32), None);
    let explainer = open(&model, &Options { score_output: Some("logits".into()), ..asked }).unwrap();
    let provider = &explainer.info().provider;
    println!("{provider}");
    assert!(provider.nodes.is_some_and(|nodes| nodes > 0 && nodes < provider.of), "{provider}");
}

#[test]
fn fewer_digits_are_what_was_asked_for_and_show_in_the_figure() {
    let Some(asked) = plugin(Provider::Plugin) else { return };
    for precision in Precision::ALL {
        let explainer = open(&network(false), &Options { precision: *precision, ..asked.clone() }).unwrap();
        let provider = &explainer.info().provider;
        println!("{}: {provider}", precision.name());
        assert!(explainer.info().warnings.is_empty(), "{:?}", explainer.info().warnings);
        let outputs = provider.agreement.expect("it was looked at").outputs;
        // a CPU without these numbers computes in float32
        assert!(if *precision == Precision::Fp32 { outputs < 1e-5 } else { outputs < 0.1 }, "{provider}");
    }
}

#[test]
fn its_devices_and_options_are_its_own() {
    let Some(asked) = plugin(Provider::Plugin) else { return };
    let cpu = Options { device: Some("cpu".into()), ..asked.clone() };
    assert_eq!(open(&network(false), &cpu).unwrap().info().provider.kind.name(), "plugin");
    let refused = |options: Options, words: &[&str]| {
        let error = open(&network(false), &options).expect_err("it cannot be met");
        assert!(matches!(error, Error::Provider { .. }));
        let text = error.to_string();
        println!("{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    refused(Options { device: Some("TPU".into()), ..asked.clone() }, &["device=TPU", "CPU.0"]);
    let wrong = vec![("load_config".to_string(), r#"{"CPU":{"NO_SUCH_THING":"1"}}"#.to_string())];
    refused(Options { provider_options: wrong, ..asked }, &["NO_SUCH_THING"]);
}
