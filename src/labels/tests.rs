//! Cases B29 and B30: labels and target classes as users really write them.

use super::*;

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    (folder, path)
}

fn load(name: &str, bytes: &[u8]) -> Result<Vec<String>> {
    let (_folder, path) = file(name, bytes);
    from_file(&path)
}

fn sentence<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.expect_err("must be refused").to_string()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| name.to_string()).collect()
}

#[test]
fn text_with_bom_crlf_and_empty_lines_keeps_every_index() {
    let labels = load("l.txt", "\u{feff}tench, Tinca tinca\r\n\r\ncrane \r\n\r\n\n".as_bytes()).expect("plain text");
    assert_eq!(labels, names(&["tench, Tinca tinca", "", "crane"]));
    assert_eq!(fit(labels, 3), (names(&["tench, Tinca tinca", "class 1", "crane"]), None));
    assert_eq!(load("l.txt", b"[MASK]\ncat").expect("a name may start with a bracket"), names(&["[MASK]", "cat"]));
}

#[test]
fn json_and_python_forms_give_the_same_names() {
    let want = names(&["cat", "", "jack-o'-lantern"]);
    for text in [
        r#"["cat", "", "jack-o'-lantern"]"#,
        r#"{"0": "cat", "2": "jack-o'-lantern"}"#,
        r#"{"2": "jack-o'-lantern", "0": "cat"}"#,
        r#"{"model_type": "resnet", "id2label": {"0": "cat", "2": "jack-o'-lantern"}}"#,
        r#"{"cat": 0, "jack-o'-lantern": 2}"#,
        r#"{"0": ["n02", "cat"], "2": ["n03", "jack-o'-lantern"]}"#,
        r#"{0: 'cat', 2: "jack-o'-lantern"}"#,
        r#"{0: 'cat', 2: 'jack-o\'-lantern',}"#,
        r#"['cat', '', "jack-o'-lantern"]"#,
    ] {
        assert_eq!(load("l.json", text.as_bytes()).expect(text), want, "{text}");
    }
}

#[test]
fn ten_classes_sort_by_number_not_by_text() {
    let text: String = (0..12).map(|i| format!("\"{i}\": \"c{i}\",")).collect();
    let labels = load("l.json", format!("{{{}}}", text.trim_end_matches(',')).as_bytes()).expect("a mapping");
    assert_eq!(labels[2], "c2");
    assert_eq!(labels[11], "c11");
}

#[test]
fn unusable_files_are_refused_with_a_way_out() {
    let gone = sentence(from_file(Path::new("no/such/labels.txt")));
    assert!(gone.contains("no/such/labels.txt") && gone.contains("does not exist"), "{gone}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(sentence(from_file(folder.path())).contains("is not a file"));
    assert!(sentence(load("l.txt", b"cat\n\xff\xfedog")).contains("not UTF-8 text (byte 4)"));
    assert!(sentence(load("l.txt", b"\r\n\n")).contains("holds no class names"));
    assert!(sentence(load("l.json", br#"["cat", "#)).contains("starts like JSON but is not"));
    assert!(sentence(load("l.json", br#"{"a": "b"}"#)).contains("JSON without class names"));
    assert!(sentence(load("l.json", br#"["cat", 7]"#)).contains("7 is no class name"));
    assert!(sentence(load("l.json", br#"{"9999999999": "cat"}"#)).contains("class 9999999999"));
    assert!(sentence(load("l.json", br#"{"1": "cat", "01": "dog"}"#)).contains("two names"));
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let (_folder, path) = file("l.txt", b"");
    // Sparse: takes no room on the disk.
    std::fs::File::options().write(true).open(&path).and_then(|f| f.set_len(1 << 30)).expect("a sparse file");
    assert!(sentence(from_file(&path)).contains("larger than 16 MiB"));
}

#[test]
fn metadata_of_the_usual_exporters_is_understood() {
    let of = |key: &str, text: &str| from_metadata(&BTreeMap::from([(key.to_string(), text.to_string())]));
    assert_eq!(of("gradcam.labels", "cat\ndog"), Some(names(&["cat", "dog"])));
    assert_eq!(of("id2label", r#"{"0": "cat", "1": "dog"}"#), Some(names(&["cat", "dog"])));
    assert_eq!(of("names", "{0: 'cat', 1: 'dog'}"), Some(names(&["cat", "dog"])));
    assert_eq!(of("labels", "imagenet"), None);
    assert_eq!(of("names", "{0: broken"), None);
    assert_eq!(of("author", "cat\ndog"), None);
}

#[test]
fn the_nearest_file_beside_the_model_wins_and_never_stops_it() {
    let (folder, model) = file("m.onnx", b"");
    assert_eq!(beside(&model), None);
    for (name, text) in [("labels.txt", "c"), ("m.txt", "b"), ("m.labels.txt", "a")] {
        std::fs::write(folder.path().join(name), text).expect("a temporary file");
        assert_eq!(beside(&model), Some(folder.path().join(name)));
    }
    std::fs::write(folder.path().join("m.labels.txt"), b"\xff").expect("a temporary file");
    let (labels, warnings) = resolve(None, &BTreeMap::new(), Some(&model)).expect("only a warning");
    assert!(labels.is_empty() && warnings.len() == 1 && warnings[0].contains("not UTF-8"), "{warnings:?}");
    let named = folder.path().join("m.labels.txt");
    assert!(resolve(Some(&named), &BTreeMap::new(), Some(&model)).is_err(), "a file the user named must be right");
    let (labels, _) = resolve(Some(&folder.path().join("m.txt")), &BTreeMap::new(), Some(&model)).expect("named");
    assert_eq!(labels, names(&["b"]));
}

#[test]
fn too_few_and_too_many_names_warn() {
    let (labels, warning) = fit(names(&["cat", "dog"]), 5);
    assert_eq!(labels, names(&["cat", "dog", "class 2", "class 3", "class 4"]));
    assert!(warning.expect("a warning").contains("only 2 class names for a model of 5"));
    let (labels, warning) = fit(names(&["a", "b", "c", "d"]), 2);
    assert_eq!(labels, names(&["a", "b"]));
    assert!(warning.expect("a warning").contains("another model"));
}

#[test]
fn a_shift_by_one_is_never_silent() {
    let (labels, warning) = fit(names(&["Background", "cat", "dog"]), 2);
    assert_eq!(labels, names(&["cat", "dog"]));
    assert!(warning.expect("a warning").contains("moved down by one"));

    for first in ["tench, Tinca tinca", "n01440764"] {
        let mut imagenet = names(&[first]);
        imagenet.resize(1000, "x".into());
        let (labels, warning) = fit(imagenet, 1001);
        assert_eq!((labels.len(), &labels[0][..], &labels[1][..]), (1001, "background", first));
        assert!(warning.expect("a warning").contains("moved up by one"));
    }

    for given in [names(&["cat", "dog"]), names(&["a", "b", "c", "d"])] {
        let (labels, warning) = fit(given, 3);
        assert_eq!(labels, names(&["class 0", "class 1", "class 2"]), "what cannot be known is not shown");
        assert!(warning.expect("a warning").contains("off by one"));
    }
}

#[test]
fn one_name_for_one_score_is_class_1s() {
    let (labels, warning) = fit_binary(names(&["defect"]));
    assert_eq!(labels, names(&["not defect", "defect"]));
    assert!(warning.expect("a warning").contains("class 1"));
    assert_eq!(fit_binary(names(&["good", "bad"])), (names(&["good", "bad"]), None));
    assert_eq!(fit_binary(Vec::new()), (Vec::new(), None));
}

fn zoo() -> Vec<String> {
    names(&["tench, Tinca tinca", "crane", "Cat", "cat", "crane", "missile", "projectile, missile", "class 7"])
}

#[test]
fn targets_are_indices_names_and_ranks() {
    let parse = |text: &str| parse_targets(text, &zoo(), 8);
    assert_eq!(parse("").expect("best"), [Target::Rank(0)]);
    assert_eq!(parse("  ").expect("best"), [Target::Rank(0)]);
    assert_eq!(parse("-1, -2").expect("ranks"), [Target::Rank(0), Target::Rank(1)]);
    assert_eq!(parse("7,0").expect("indices"), [Target::Class(7), Target::Class(0)]);
    assert_eq!(parse("tench").expect("a synonym"), [Target::Class(0)]);
    assert_eq!(parse("TINCA TINCA").expect("a later synonym, any case"), [Target::Class(0)]);
    assert_eq!(parse("tench, Tinca tinca").expect("a name with a comma"), [Target::Class(0)]);
    let list = [Target::Class(3), Target::Class(0), Target::Rank(7), Target::Class(2)];
    assert_eq!(parse("cat, tench, Tinca tinca, -8, Cat").expect("a list"), list);
    assert_eq!(parse("missile").expect("the whole name before a synonym"), [Target::Class(5)]);
}

#[test]
fn targets_that_do_not_exist_are_refused_with_the_range() {
    let refused = |text: &str| sentence(parse_targets(text, &zoo(), 8));
    for text in ["8", "-9", "cat,8", "99999999999999999999"] {
        assert!(refused(text).contains("0..=7") && refused(text).contains("-1..=-8"), "{}", refused(text));
    }
    assert!(refused("crane").contains("indices 1, 4"), "{}", refused("crane"));
    assert!(refused("CAT").contains("indices 2, 3"), "{}", refused("CAT"));
    assert!(refused("cat,,7").contains("empty"), "{}", refused("cat,,7"));
    assert!(refused("proj").contains("\"projectile, missile\" (6)"), "{}", refused("proj"));
    assert!(refused("unicorn").contains("no class has this name"), "{}", refused("unicorn"));
    assert!(sentence(parse_targets("cat", &[], 8)).contains("no class names are known"));
    assert_eq!(parse_targets("7", &[], 8).expect("an index needs no names"), [Target::Class(7)]);
}
