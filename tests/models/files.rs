//! B01, B02, B03: what is no model file at all, or half of one.

use std::path::Path;
use std::process::Command;

use gstgradcam::{Error, Explainer};

use super::*;

#[test]
fn b01_missing_folder_empty_device_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let error =
        refused("B01 missing", &at("gone.onnx"), &options(), &["gone.onnx", "does not exist", "check the path"]);
    assert!(matches!(error, Error::ModelNotFound { .. }));
    let error = refused("B01 no path", Path::new(""), &options(), &["does not exist"]);
    assert!(matches!(error, Error::ModelNotFound { .. }));

    std::fs::create_dir(at("folder.onnx")).expect("a folder");
    std::fs::write(at("empty.onnx"), "").expect("a file");
    let made = Command::new("mkfifo").arg(at("pipe.onnx")).status().expect("mkfifo runs").success();
    assert!(made);
    std::os::unix::fs::symlink(at("gone.onnx"), at("link.onnx")).expect("a link");
    for (path, words) in [
        (at("folder.onnx"), ["folder.onnx", "a folder; name an .onnx file"]),
        (at("empty.onnx"), ["empty.onnx", "empty; copy or export the model again"]),
        (at("pipe.onnx"), ["pipe.onnx", "not a regular file"]),
        ("/dev/zero".into(), ["/dev/zero", "not a regular file"]),
        (at("empty.onnx").join("m.onnx"), ["m.onnx", "check the path"]),
    ] {
        let error = refused("B01", &path, &options(), &words);
        assert!(matches!(error, Error::ModelUnreadable { .. }));
    }
    let error = refused("B01 broken link", &at("link.onnx"), &options(), &["link.onnx"]);
    assert!(matches!(error, Error::ModelNotFound { .. }));
}

#[test]
fn b01_no_right_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = save(&bytes(&net::little()));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("the owner may");
    if std::fs::read(&path).is_ok() {
        println!("not run: this user may read everything");
        return;
    }
    let error = refused("B01 no right", &path, &options(), &["model.onnx", "check its permissions"]);
    assert!(matches!(error, Error::ModelUnreadable { .. }));
}

#[test]
fn b02_bytes_that_are_no_model() {
    let whole = bytes(&net::little());
    let noise: Vec<u8> = net::noise(&[4096], 9).iter().map(|x| (x * 127.0) as u8).collect();
    let page = b"<!DOCTYPE html><html><body>404: not found</body></html>".repeat(20);
    for (id, content) in [
        ("B02 text", b"this is a text, and no model\n".repeat(9)),
        ("B02 web page", page),
        ("B02 random", noise),
        ("B02 zeros", vec![0; 4096]),
        ("B02 half", whole[..whole.len() / 2].to_vec()),
        ("B02 last byte cut", whole[..whole.len() - 1].to_vec()),
        ("B02 first byte cut", whole[1..].to_vec()),
    ] {
        let error = refusal(id, &content, &["not a usable ONNX file", "export or copy it again"]);
        assert!(matches!(error, Error::ModelDamaged { .. }), "{id}");
    }
}

/// A file may be cut at any byte: each time a sentence, never a panic.
#[test]
fn b02_cut_anywhere() {
    let whole = bytes(&net::little());
    let (_folder, path) = save(&whole);
    for length in (1..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..length]).expect("written");
        let error = gstgradcam::onnx::Model::load(&path).err();
        let error = error.unwrap_or_else(|| panic!("{length} of {} bytes were taken for a model", whole.len()));
        assert!(matches!(error, Error::ModelDamaged { .. } | Error::ModelUnusable { .. }), "{length}: {error}");
    }
}

/// The same with one byte changed: read or refused, and what is read is written again.
#[test]
fn b02_one_byte_changed_anywhere() {
    let whole = bytes(&net::little());
    let (mut read, mut refused) = (0, 0);
    for at in (0..whole.len()).step_by(3) {
        for flip in [1u8, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            match gstgradcam::onnx::Model::from_bytes(&changed) {
                Ok(model) => {
                    read += 1;
                    model.to_bytes().expect("what was read can be written");
                }
                Err(error) => {
                    refused += 1;
                    assert!(!error.to_string().contains('\n'));
                }
            }
        }
    }
    println!("{read} read, {refused} refused");
    assert!(read > 0 && refused > 0);
}

#[test]
fn b03_more_than_two_gigabytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("big.onnx");
    // a hole: it takes no room on the disk
    std::fs::File::create(&path).and_then(|file| file.set_len(3 << 30)).expect("a sparse file");
    let error = refused("B03", &path, &options(), &["big.onnx", "2 GiB", "external data"]);
    assert!(matches!(error, Error::ModelUnreadable { .. }));
}

#[test]
fn a_sound_model_opens_from_a_relative_path() {
    let (folder, path) = save(&bytes(&net::little()));
    let here = std::env::current_dir().expect("a working folder");
    let up: std::path::PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = up.join(path.strip_prefix("/").expect("absolute"));
    assert!(relative.is_relative());
    Explainer::open(&relative, &options()).expect("it opens");
    drop(folder);
}

/// A process holds one ONNX Runtime: a second library is not taken, and the user is told.
#[test]
fn b40_a_library_that_comes_too_late_is_named() {
    let before = open(&net::little()).info().warnings.clone();
    assert!(before.iter().all(|text| !text.contains("runtime-library")), "{before:?}");
    let late = Options { runtime_library: Some("/nowhere/libonnxruntime.so".into()), ..options() };
    let warnings = open_with(&net::little(), &late).info().warnings.clone();
    let [text] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    println!("B40 too late: {text}");
    assert!(text.contains("/nowhere/libonnxruntime.so") && text.contains("not used"), "{text}");
}
