//! Where ONNX Runtime's library may lie: which file is tried, in which order, and what a look at it says before it is opened.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The library's file name; a dot and a version may follow.
const NAME: &str = "libonnxruntime.so";

/// Our own shared object, for the folder that holds the plugin.
const PLUGIN: &str = "libgstgradcam.so";

/// ELF's `e_machine` for the architectures that ONNX Runtime is built for.
const MACHINES: &[(&str, u16)] = &[("x86", 3), ("arm", 40), ("x86_64", 62), ("aarch64", 183), ("riscv64", 243)];

/// What is to be tried.
pub struct Search {
    /// Files, the best first.
    pub files: Vec<PathBuf>,
    /// Folders without such a file, for the message.
    pub empty: Vec<PathBuf>,
}

/// The files to try: what was named (by the caller, then by `ORT_DYLIB_PATH`) alone, else all that the usual folders hold.
pub fn search(named: Option<&Path>) -> Search {
    let environment = || env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(path) = named.map(Path::to_path_buf).or_else(environment) {
        let path = std::path::absolute(&path).unwrap_or(path);
        return Search { files: vec![path], empty: Vec::new() };
    }
    let mut search = Search { files: Vec::new(), empty: Vec::new() };
    for folder in folders() {
        let found = libraries(&folder);
        if found.is_empty() {
            search.empty.push(folder);
        }
        search.files.extend(found);
    }
    search
}

/// The usual folders: the plugin's, the program's, the user's data, what the dynamic loader is told, the system's.
fn folders() -> Vec<PathBuf> {
    let beside = |file: PathBuf| file.parent().map(Path::to_path_buf);
    let mut folders = Vec::new();
    folders.extend(plugin_file().and_then(beside));
    folders.extend(env::current_exe().ok().and_then(beside));
    folders.extend(data_folder());
    folders.extend(env::var_os("LD_LIBRARY_PATH").iter().flat_map(env::split_paths).filter(|path| path.is_absolute()));
    folders.extend(installed());
    folders.extend(["/usr/local/lib", &system_library(), "/usr/lib64", "/usr/lib"].map(PathBuf::from));
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

/// Where runtime and demo model are installed together: for the user, else for the system.
pub fn own_folders() -> Vec<PathBuf> {
    data_folder().into_iter().chain(installed()).collect()
}

/// `lib/gradcam`, as a system's installation has it: of the plugin, of the program, of `/usr/local`, of the package.
fn installed() -> impl Iterator<Item = PathBuf> {
    let above = |file: PathBuf| Some(file.parent()?.parent()?.to_path_buf());
    let plugin = plugin_file().and_then(above).map(|lib| lib.join("gradcam"));
    let program = env::current_exe().ok().and_then(above).map(|prefix| prefix.join("lib/gradcam"));
    let system = ["/usr/local/lib", &system_library()].map(|lib| Path::new(lib).join("gradcam"));
    plugin.into_iter().chain(program).chain(system).filter(|folder| folder.is_dir())
}

/// Debian's folder of libraries.
fn system_library() -> String {
    format!("/usr/lib/{}-linux-gnu", env::consts::ARCH)
}

/// `$XDG_DATA_HOME/gradcam`, by default `~/.local/share/gradcam`: where `make install` puts the runtime and the demo model.
fn data_folder() -> Option<PathBuf> {
    own_folder("XDG_DATA_HOME", ".local/share")
}

/// Our folder in the one that a variable of the XDG Base Directory Specification names, by default `home` in the user's home.
pub fn own_folder(variable: &str, home: &str) -> Option<PathBuf> {
    let xdg = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").filter(|home| !home.is_empty()).map(|user| Path::new(&user).join(home));
    xdg.or_else(home).map(|folder| folder.join("gradcam"))
}

/// The file that our own code was loaded from, if it is the plugin: Linux lists it among the process's mappings.
fn plugin_file() -> Option<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().filter_map(|line| Some(Path::new(&line[line.find('/')?..])));
    path.into_iter().find(|path| path.file_name().is_some_and(|name| name == PLUGIN)).map(Path::to_path_buf)
}

/// `libonnxruntime.so.*` of a folder, newest version first, then the plain name.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let version = |path: &Path| -> Option<Vec<u32>> {
        let rest = path.file_name()?.to_str()?.strip_prefix(NAME)?;
        if rest.is_empty() {
            return Some(Vec::new());
        }
        rest.strip_prefix('.')?.split('.').map(|part| part.parse().ok()).collect()
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries.filter_map(|path| Some((version(&path)?, path))).collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// Why a file cannot be the library, told before the dynamic loader sees it: its own words are poor, and a pipe would block.
pub fn objection(path: &Path) -> Option<String> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some("does not exist".into()),
        Err(error) => return Some(format!("cannot be read: {error}")),
    };
    if metadata.is_dir() {
        let inside = libraries(path).into_iter().next().unwrap_or_else(|| path.join(NAME));
        return Some(format!("is a folder; name the library file, such as {}", inside.display()));
    }
    if !metadata.is_file() {
        return Some("is not a regular file".into());
    }
    let mut head = [0; 20];
    if let Err(error) = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
        let short = error.kind() == std::io::ErrorKind::UnexpectedEof;
        return Some(if short { "is not a shared library".into() } else { format!("cannot be read: {error}") });
    }
    if !head.starts_with(b"\x7fELF") {
        return Some("is not a shared library".into());
    }
    let little = head[5] == 1;
    let machine = [head[18], head[19]];
    let machine = if little { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) };
    let ours = MACHINES.iter().find(|(arch, _)| *arch == env::consts::ARCH)?.1;
    let theirs = MACHINES.iter().find(|(_, code)| *code == machine).map_or("another architecture", |(arch, _)| arch);
    (machine != ours).then(|| format!("is built for {theirs}, this process is {}", env::consts::ARCH))
}

/// The version in the library's own file name (links followed), else in its table of symbol versions.
pub fn version(path: &Path) -> String {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let name = real.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(version) = name.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('.')).filter(|v| v.contains('.')) {
        return version.to_owned();
    }
    let bytes = fs::read(&real).unwrap_or_default();
    let tag = b"\0VERS_";
    let at = bytes.windows(tag.len()).position(|window| window == tag).map(|at| at + tag.len());
    let digits = at.map(|at| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.'));
    digits.map_or_else(|| "unknown".into(), |digits| digits.map(|byte| char::from(*byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_version_comes_first_and_other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let names =
            ["libonnxruntime.so", "libonnxruntime.so.1.9.0", "libonnxruntime.so.1.32.0", "libonnxruntime.so.old"];
        for name in names.iter().chain(&["libonnxruntime_providers_shared.so", "readme"]) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found: Vec<_> = libraries(folder.path()).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(found, ["libonnxruntime.so.1.32.0", "libonnxruntime.so.1.9.0", "libonnxruntime.so"]);
    }

    #[test]
    fn a_named_path_is_the_only_one_and_absolute() {
        let search = search(Some(Path::new("some/libonnxruntime.so")));
        assert_eq!(search.files, [env::current_dir().unwrap().join("some/libonnxruntime.so")]);
        assert!(search.empty.is_empty());
    }

    #[test]
    fn the_version_is_read_from_the_name_behind_a_link_or_from_the_symbols() {
        let folder = tempfile::tempdir().unwrap();
        let [plain, link, bare] =
            ["libonnxruntime.so.1.30.1", "libonnxruntime.so", "renamed.so"].map(|n| folder.path().join(n));
        fs::write(&plain, "").unwrap();
        std::os::unix::fs::symlink(&plain, &link).unwrap();
        fs::write(&bare, b"..\0OrtGetApiBase\0VERS_1.28.3\0..").unwrap();
        assert_eq!([&plain, &link, &bare].map(|path| version(path)), ["1.30.1", "1.30.1", "1.28.3"]);
    }
}
