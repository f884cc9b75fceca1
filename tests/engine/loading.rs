//! Loading the library: each way that it can fail has its own sentence, and none spoils a later good path.
//!
//! A process loads one library only, so these cases run in a child process of this very test binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gstgradcam::Error;
use gstgradcam::engine::runtime;

/// Set in the child to the folder of the bad files.
const CHILD: &str = "GRADCAM_TEST_BAD_LIBRARIES";

#[test]
fn bad_libraries_have_their_own_sentence_and_a_good_one_still_loads_after_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    fs::write(folder.path().join("text.so"), "this is not a library, only a text\n").unwrap();
    fs::write(folder.path().join("empty.so"), "").unwrap();
    compile(&folder.path().join("other.so"), "int answer(void) { return 42; }");
    let old = r#"
        static const char *version(void) { return "1.9.0"; }
        static const void *api(unsigned v) { (void)v; return 0; }
        static const struct { const void *(*api)(unsigned); const char *(*version)(void); } base = { api, version };
        const void *OrtGetApiBase(void) { return &base; }"#;
    compile(&folder.path().join("old.so"), old);
    let whole = fs::read(folder.path().join("other.so")).unwrap();
    fs::write(folder.path().join("cut.so"), &whole[..64]).unwrap();
    let mut foreign = whole;
    // e_machine: RISC-V, or x86-64 where that is what we are.
    foreign[18] = if cfg!(target_arch = "riscv64") { 62 } else { 243 };
    foreign[19] = 0;
    fs::write(folder.path().join("foreign.so"), foreign).unwrap();
    child("loading::child_bad_libraries", folder.path(), None);
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn child_bad_libraries() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let says = |name: &str, reason: &str| {
        let path = folder.join(name);
        let Err(Error::Runtime { why }) = runtime(Some(&path)) else { panic!("{name} was taken") };
        assert!(why.starts_with(&format!("{} ", path.display())), "{why}");
        assert!(why.contains(reason), "{name}: {why}");
        let text = Error::Runtime { why }.to_string();
        assert!(text.contains("runtime-library") && text.contains("ORT_DYLIB_PATH") && text.contains("make runtime"));
    };
    says("missing.so", "does not exist");
    says("text.so", "is not a shared library");
    says("empty.so", "is not a shared library");
    says("cut.so", "cannot be opened: ");
    says("folder", "is a folder; name the library file");
    says("other.so", "not ONNX Runtime's");
    says("old.so", "is ONNX Runtime 1.9.0, too old: 1.22 or later is needed");
    says("foreign.so", "is built for ");

    // Beside a good library the folder's sentence names it.
    let good = crate::library();
    let Err(Error::Runtime { why }) = runtime(good.parent()) else { panic!("a folder was taken") };
    assert!(why.contains(&*good.file_name().unwrap().to_string_lossy()), "{why}");

    let (version, path) = runtime(Some(&good)).unwrap();
    assert_eq!(path, good);
    assert!(version.starts_with("1."), "{version}");
    // One library a process: from now on that one is told, whatever is asked for.
    assert_eq!(runtime(Some(&folder.join("text.so"))).unwrap(), (version, path));
}

#[test]
fn without_a_library_anywhere_all_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    child("loading::child_nowhere", folder.path(), None);
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn child_nowhere() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    match runtime(None) {
        Err(Error::Runtime { why }) => {
            assert!(why.contains("no libonnxruntime.so in "), "{why}");
            assert!(why.contains(&*folder.join("gradcam").to_string_lossy()), "{why}");
            assert!(why.contains("/usr/lib"), "{why}");
        }
        // A library that the system has is found after the user's folder: nothing to say then.
        Ok((_, path)) => assert!(path.starts_with("/usr"), "{path:?}"),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_users_data_folder_is_searched() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("gradcam")).unwrap();
    // The file in it is a text: that it is refused by name shows that it was found.
    fs::write(folder.path().join("gradcam/libonnxruntime.so.1.99.0"), "this is not a library, only a text\n").unwrap();
    child("loading::child_data_folder", folder.path(), None);
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn child_data_folder() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let file = folder.join("gradcam/libonnxruntime.so.1.99.0");
    match runtime(None) {
        Err(Error::Runtime { why }) => {
            assert!(why.contains(&format!("{} is not a shared library", file.display())), "{why}");
        }
        Ok((_, path)) => assert!(path.starts_with("/usr"), "{path:?}"),
        Err(other) => panic!("{other}"),
    }
}

/// As `make install-system` and the package lay it down: PREFIX/bin/gradcam, PREFIX/lib/gradcam/libonnxruntime.so.
#[test]
fn the_folder_of_a_systems_installation_is_searched() {
    let prefix = tempfile::tempdir().unwrap();
    let [programs, own] = ["bin", "lib/gradcam"].map(|folder| prefix.path().join(folder));
    for folder in [&programs, &own] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(own.join("libonnxruntime.so.1.99.0"), "this is not a library, only a text\n").unwrap();
    let (this, binary) = (std::env::current_exe().unwrap(), programs.join("program"));
    fs::hard_link(&this, &binary).or_else(|_| fs::copy(&this, &binary).map(|_| ())).unwrap();
    let folders = (&*prefix.path().join("lib"), prefix.path());
    program(&binary, "loading::child_data_folder", folders, None);
}

#[test]
fn the_environment_variable_is_taken_and_never_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    child("loading::child_variable", folder.path(), Some(&folder.path().join("gone.so")));
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn child_variable() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let Err(Error::Runtime { why }) = runtime(None) else { panic!("a wrong ORT_DYLIB_PATH was passed over") };
    assert_eq!(why, format!("{} does not exist", folder.join("gone.so").display()));
}

/// Runs one ignored test of this binary with a clean environment: the folder as the user's data, the variable as given.
fn child(test: &str, folder: &Path, variable: Option<&Path>) {
    program(&std::env::current_exe().unwrap(), test, (folder, folder), variable);
}

/// This test binary, wherever it lies; `data` is the user's data folder.
fn program(binary: &Path, test: &str, (folder, data): (&Path, &Path), variable: Option<&Path>) {
    let mut command = Command::new(binary);
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command.env(CHILD, folder).env("XDG_DATA_HOME", data).env_remove("LD_LIBRARY_PATH");
    match (variable, test.ends_with("bad_libraries")) {
        (Some(path), _) => command.env("ORT_DYLIB_PATH", path),
        (None, true) => command.env("ORT_DYLIB_PATH", crate::library()),
        (None, false) => command.env_remove("ORT_DYLIB_PATH"),
    };
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{test} did not run: {stdout}");
}

/// A shared library from C source; where Rust links, a C compiler is.
fn compile(library: &Path, source: &str) {
    let file = library.with_extension("c");
    fs::write(&file, source).unwrap();
    let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(library).arg(&file).status();
    assert!(status.expect("cc, the C compiler that Rust links with").success());
}
