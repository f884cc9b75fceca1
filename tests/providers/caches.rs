//! B43: what a provider has built is kept, found again, and left alone where it cannot be trusted or written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gstgradcam::{Explainer, Options, Precision, Provider};

use super::{network, open, plugin};

/// Set in the child to a folder without room.
const FULL: &str = "GRADCAM_TEST_FULL_FOLDER";

fn keeping(folder: &Path) -> Option<Options> {
    Some(Options { engine_cache_dir: Some(folder.to_path_buf()), ..plugin(Provider::Plugin)? })
}

fn told(explainer: &Explainer) -> (Option<bool>, Vec<String>) {
    (explainer.info().provider.cache, explainer.info().warnings.clone())
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn b43_what_was_built_is_found_again_for_the_same_model_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let Some(asked) = keeping(folder.path()) else { return };
    assert_eq!(told(&open(&network(false), &asked).unwrap()), (Some(false), vec![]));
    assert_eq!(told(&open(&network(false), &asked).unwrap()), (Some(true), vec![]));
    let others = [
        (network(false), Options { threads: 2, ..asked.clone() }),
        (network(false), Options { precision: Precision::Bf16, ..asked.clone() }),
        (network(false), Options { target_layer: Some("convolved".into()), ..asked.clone() }),
        (network(false), Options { input_size: Some((16, 16)), ..asked.clone() }),
    ];
    for (model, options) in others {
        assert_eq!(told(&open(&model, &options).unwrap()), (Some(false), vec![]));
    }
    assert_eq!(inside(folder.path()).len(), 5, "a folder each, and none in the making");
}

#[test]
fn b43_a_damaged_cache_is_said_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let Some(asked) = keeping(folder.path()) else { return };
    open(&network(false), &asked).unwrap();
    let kept = inside(folder.path()).remove(0);
    let blob = inside(&kept).into_iter().find(|path| path.extension().is_some_and(|kind| kind == "blob")).unwrap();
    let whole = fs::read(&blob).unwrap();
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, &whole[..whole.len() / 2]).unwrap();
    let (cache, warnings) = told(&open(&network(false), &asked).unwrap());
    assert_eq!(cache, Some(false));
    let [warning] = &warnings[..] else { panic!("one warning, not {warnings:?}") };
    assert!(warning.contains("is not used and made anew") && warning.contains(".blob"), "{warning}");
    assert_eq!(told(&open(&network(false), &asked).unwrap()), (Some(true), vec![]));
}

#[test]
fn b43_without_a_place_to_write_the_model_runs_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for root in [file.join("below"), "/proc/gradcam".into()] {
        let Some(asked) = keeping(&root) else { return };
        let explainer = open(&network(false), &asked).unwrap();
        assert_eq!(explainer.info().provider.kind.name(), "plugin");
        let (cache, warnings) = told(&explainer);
        let [warning] = &warnings[..] else { panic!("one warning, not {warnings:?}") };
        assert!(warning.contains(&*root.to_string_lossy()) && warning.contains("engine-cache-dir"), "{warning}");
        assert_eq!(cache, None);
    }
}

/// A file system of 64 KB, in a name space of its own.
#[test]
fn b43_on_a_full_disk_the_model_runs_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    if plugin(Provider::Plugin).is_none() {
        return;
    }
    let test = std::env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=64k none \"$1\" || exit 77; exec \"$0\" --exact caches::child_full --ignored --nocapture";
    let mut child = Command::new("unshare");
    child.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(test).arg(folder.path());
    let Ok(output) = child.env(FULL, folder.path()).output() else {
        println!("not run: unshare, which makes a file system for it, is not there");
        return;
    };
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if stderr.contains("unshare failed") || output.status.code() == Some(77) {
        println!("not run: no file system can be mounted here: {stderr}");
        return;
    }
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn child_full() {
    let Some(folder) = std::env::var_os(FULL).map(PathBuf::from) else { return };
    let explainer = open(&network(false), &keeping(&folder).unwrap()).unwrap();
    assert_eq!(explainer.info().provider.kind.name(), "plugin");
    let (cache, warnings) = told(&explainer);
    let [warning] = &warnings[..] else { panic!("one warning, not {warnings:?}") };
    assert!(warning.contains("No space left") && warning.contains("no engine is kept"), "{warning}");
    assert_eq!(cache, None);
    assert!(inside(&folder).is_empty(), "what was begun is taken away");
}
