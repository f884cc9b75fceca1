//! What a provider has built, kept for the next start: a folder for each model and all that it was built for, whole or not there.
//!
//! A provider builds into a folder of ours beside it, which takes its name when it is done; so two processes, or one that is killed,
//! cannot leave half a one. Its list of checksums (`sha256sum -c SHA256SUMS`) tells a file that was changed since.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

/// The list of a folder's files.
const LIST: &str = "SHA256SUMS";
/// Room that there must be for a start; engines are larger.
const ROOM: usize = 1 << 20;
/// Folders in the making that are older were left by a process that was killed.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// `$XDG_CACHE_HOME/gradcam`, by default `~/.cache/gradcam`.
pub fn default_folder() -> Option<PathBuf> {
    super::find::own_folder("XDG_CACHE_HOME", ".cache")
}

/// A name for what these parts together decide.
pub fn key(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..16])
}

/// A folder to build into, or one that was built before.
#[derive(Debug)]
pub struct Kept {
    /// Where it is in the end.
    own: PathBuf,
    /// Where it is made; `None` = it was there.
    work: Option<PathBuf>,
}

impl Kept {
    /// The folder of that name, or one to make it in; and what is to be said of one that was there and cannot be used.
    ///
    /// # Errors
    /// Why nothing can be kept below `root`.
    pub fn open(root: &Path, key: &str) -> Result<(Kept, Option<String>), String> {
        let own = root.join(key);
        let mut remark = None;
        if own.is_dir() {
            match sound(&own) {
                Ok(()) => return Ok((Kept { own, work: None }, None)),
                Err(why) => {
                    remark = Some(format!("the engine cache {} is not used and made anew: {why}", own.display()))
                }
            }
            fs::remove_dir_all(&own).map_err(|error| format!("{} cannot be made anew: {error}", own.display()))?;
        }
        fs::create_dir_all(root).map_err(|error| format!("{} cannot be made: {error}", root.display()))?;
        clean(root);
        let work = in_the_making(&own);
        fs::create_dir(&work).map_err(|error| format!("{} cannot be written: {error}", root.display()))?;
        let kept = Kept { own, work: Some(work) };
        kept.has_room()?;
        Ok((kept, remark))
    }

    /// Where the provider reads and writes.
    pub fn folder(&self) -> &Path {
        self.work.as_deref().unwrap_or(&self.own)
    }

    /// Whether it was built before.
    pub fn hit(&self) -> bool {
        self.work.is_none()
    }

    /// Whether the provider has built something beside what was there: for another device, say. That is kept, too.
    ///
    /// # Errors
    /// Why it cannot be kept.
    pub fn grew(&self) -> Result<bool, String> {
        if !self.hit() {
            return Ok(true);
        }
        let (known, files) = (listed(&self.own)?, files(&self.own)?);
        let grew = files.iter().any(|file| !known.iter().any(|(_, name)| name == file));
        if grew {
            list(&self.own, &files)?;
        }
        Ok(grew)
    }

    /// # Errors
    /// Why nothing more can be written.
    pub fn has_room(&self) -> Result<(), String> {
        let file = self.folder().join(".room");
        let result = File::create(&file).and_then(|mut file| {
            file.write_all(&vec![0; ROOM])?;
            file.sync_all()
        });
        // it may never have come to be
        let _ = fs::remove_file(&file);
        result
            .map_err(|error| format!("{} cannot be written: {error}", self.own.parent().unwrap_or(&self.own).display()))
    }

    /// Gives the folder its name, with the list of what is in it. `false` where the provider left nothing.
    ///
    /// # Errors
    /// Why it cannot be kept.
    pub fn keep(mut self) -> Result<bool, String> {
        let Some(work) = &self.work else { return Ok(true) };
        let files = files(work)?;
        if files.is_empty() {
            return Ok(false);
        }
        list(work, &files)?;
        match fs::rename(work, &self.own) {
            Ok(()) => {
                self.work = None;
                Ok(true)
            }
            // another process was faster
            Err(_) if sound(&self.own).is_ok() => Ok(true),
            Err(error) => Err(format!("{} cannot be written: {error}", self.own.display())),
        }
    }

    /// Removes what was there and did not serve.
    pub fn discard(self) {
        if self.hit() {
            // what cannot be removed is met again, and said again
            let _ = fs::remove_dir_all(&self.own);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            // else it is cleaned away when it is stale
            let _ = fs::remove_dir_all(work);
        }
    }
}

/// # Errors
/// What is wrong with a folder.
fn sound(folder: &Path) -> Result<(), String> {
    let listed = listed(folder)?;
    if let Some(strange) = files(folder)?.iter().find(|file| !listed.iter().any(|(_, name)| name == *file)) {
        return Err(format!("{strange:?} in it is not in its {LIST}"));
    }
    if listed.is_empty() {
        return Err(format!("its {LIST} lists nothing"));
    }
    let changed = listed.iter().find(|(wanted, name)| !sum(&folder.join(name)).is_ok_and(|found| found == *wanted));
    changed.map_or(Ok(()), |(_, name)| Err(format!("{name:?} in it is missing or damaged")))
}

/// What a folder's list holds: sums, and names.
fn listed(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let list = fs::read_to_string(folder.join(LIST)).map_err(|error| format!("its {LIST} cannot be read ({error})"))?;
    let line = |line: &str| line.split_once("  ").map(|(sum, name)| (sum.to_string(), name.to_string()));
    Ok(list.lines().filter_map(line).collect())
}

/// Lists these files of a folder, in place of what was listed before.
fn list(folder: &Path, files: &[String]) -> Result<(), String> {
    let mut list = String::new();
    for file in files {
        list += &format!("{}  {file}\n", sum(&folder.join(file))?);
    }
    let cannot = |error: std::io::Error| format!("{} cannot be written: {error}", folder.display());
    let new = in_the_making(folder);
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(list.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, folder.join(LIST))
    });
    written.map_err(|error| {
        // it may never have come to be
        let _ = fs::remove_file(&new);
        cannot(error)
    })
}

/// A name of this process's own beside a file or folder, for the time that it is made in.
fn in_the_making(path: &Path) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let key = name.trim_start_matches('.').split('.').next().unwrap_or_default();
    path.with_file_name(format!(".{key}.{}.{number}", std::process::id()))
}

/// Whether a name is one of [`in_the_making`]'s: a hidden one of a [`key`], a process and a number. Others are not ours to touch.
fn is_in_the_making(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    let ["", key, process, number] = parts[..] else { return false };
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    key.len() == 32 && hexadecimal(key) && process.parse::<u32>().is_ok() && number.parse::<usize>().is_ok()
}

/// The files of a folder that are not ours, by name.
fn files(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok().filter(|entry| entry.path().is_file())?.file_name().into_string().ok())
        .filter(|name| name != LIST)
        .collect();
    names.sort();
    Ok(names)
}

/// A file's SHA-256 sum.
pub fn sum(file: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let (mut input, mut hash, mut part) = (File::open(file).map_err(cannot)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match input.read(&mut part).map_err(cannot)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&part[..read]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes folders in the making that nobody makes any more.
fn clean(root: &Path) {
    let old = |path: &Path| {
        let made = fs::metadata(path).and_then(|data| data.modified()).ok();
        made.and_then(|made| SystemTime::now().duration_since(made).ok()).is_some_and(|age| age > STALE)
    };
    let ours = |path: &Path| path.file_name().is_some_and(|name| is_in_the_making(&name.to_string_lossy()));
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(|path| path.is_dir() && ours(path) && old(path)) {
        // another process may do the same
        let _ = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(root: &Path) -> (Kept, Option<String>) {
        let (kept, remark) = Kept::open(root, "key").unwrap();
        if !kept.hit() {
            fs::write(kept.folder().join("engine"), "built").unwrap();
        }
        (kept, remark)
    }

    /// What lies in a folder, hidden or not.
    fn inside(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_kept_is_found_and_nothing_else_stays() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("made/on/the/way");
        drop(build(&root));
        assert!(inside(&root).is_empty(), "not kept, not left");
        let (kept, remark) = build(&root);
        assert!(!kept.hit() && remark.is_none() && kept.keep().unwrap());
        let (kept, remark) = build(&root);
        assert!(kept.hit() && remark.is_none());
        assert_eq!((inside(&root), inside(kept.folder())), (vec!["key".into()], vec![LIST.into(), "engine".into()]));
        let (nothing, _) = Kept::open(&root, "other").unwrap();
        assert!(!nothing.keep().unwrap(), "a provider that left nothing");
        assert_eq!(inside(&root), ["key"]);
    }

    #[test]
    fn of_two_that_build_at_once_one_is_kept_and_both_go_on() {
        let root = tempfile::tempdir().unwrap();
        let ((one, _), (two, _)) = (build(root.path()), build(root.path()));
        assert_ne!(one.folder(), two.folder());
        assert!(one.keep().unwrap() && two.keep().unwrap());
        assert_eq!(inside(root.path()), ["key"]);
    }

    #[test]
    fn b43_damaged_and_foreign_folders_are_said_and_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("key");
        type Harm = fn(&Path);
        let harms: [(&str, Harm); 5] = [
            ("\"engine\" in it is missing or damaged", |own| fs::write(own.join("engine"), "bui").unwrap()),
            ("\"engine\" in it is missing or damaged", |own| fs::remove_file(own.join("engine")).unwrap()),
            ("\"strange\" in it is not in its SHA256SUMS", |own| fs::write(own.join("strange"), "x").unwrap()),
            ("its SHA256SUMS cannot be read", |own| fs::remove_file(own.join(LIST)).unwrap()),
            ("its SHA256SUMS lists nothing", |own| {
                fs::remove_file(own.join("engine")).unwrap();
                fs::write(own.join(LIST), "").unwrap();
            }),
        ];
        for (why, harm) in harms {
            let (kept, _) = build(root.path());
            assert!(kept.keep().unwrap());
            harm(&own);
            let (kept, remark) = build(root.path());
            let remark = remark.unwrap();
            assert!(!kept.hit() && remark.contains(why), "{remark}");
            assert!(kept.keep().unwrap() && sound(&own).is_ok());
        }
    }

    #[test]
    fn b43_where_nothing_can_be_written_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        // a file for a folder, and a file system that takes none, for root as for others
        for root in [file.join("below"), PathBuf::from("/proc/gradcam")] {
            let why = Kept::open(&root, "key").unwrap_err();
            assert!(why.contains(&*root.to_string_lossy()) && why.contains("cannot be made"), "{why}");
        }
    }

    #[test]
    fn folders_of_processes_that_were_killed_are_cleaned_away_and_nobody_elses() {
        let root = tempfile::tempdir().unwrap();
        let key = key(&[b"model"]);
        let [old, fresh] = [1, 2].map(|process| format!(".{key}.{process}.0"));
        let foreign = [".config", ".git.1.0", &format!(".{key}"), &format!("{key}.1.0"), &format!(".{key}.1.0.more")]
            .map(String::from);
        for name in [&old, &fresh].into_iter().chain(&foreign) {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        for name in [&old].into_iter().chain(&foreign) {
            File::open(root.path().join(name)).unwrap().set_modified(SystemTime::now() - 2 * STALE).unwrap();
        }
        drop(Kept::open(root.path(), &key).unwrap());
        let mut left = foreign.to_vec();
        left.push(fresh);
        left.sort();
        assert_eq!(inside(root.path()), left);
    }

    #[test]
    fn what_is_built_beside_what_was_there_is_kept_too() {
        let root = tempfile::tempdir().unwrap();
        assert!(build(root.path()).0.keep().unwrap());
        let (kept, _) = build(root.path());
        assert!(kept.hit() && !kept.grew().unwrap());
        fs::write(kept.folder().join("engine of another device"), "built").unwrap();
        assert!(kept.grew().unwrap() && kept.keep().unwrap());
        let (kept, remark) = build(root.path());
        assert!(kept.hit() && remark.is_none() && !kept.grew().unwrap(), "{remark:?}");
        assert_eq!(inside(root.path()), ["key"]);
    }

    #[test]
    fn keys_differ_where_any_part_does() {
        let one = key(&[b"ab", b"c"]);
        assert!(one != key(&[b"a", b"bc"]) && one != key(&[b"ab"]) && one == key(&[b"ab", b"c"]) && one.len() == 32);
    }
}
