//! The program, started for a test and ended after it: it must end well, whatever was done to it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value};

use crate::client::{self, Answer};
use crate::models;

/// For what must happen at some time; no test is about how soon.
pub const LIMIT: Duration = Duration::from_secs(120);

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Asks until the answer is something; `what` is said where it never is.
pub fn until<T>(what: &str, mut asked: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = asked() {
            return answer;
        }
        assert!(Instant::now() < end, "not seen within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The program with its arguments, not started yet.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradcam-dashboard"));
    command.args(args).current_dir(root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("GRADCAM_DASHBOARD_TOKEN");
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        command.envs(runtime().map(|library| ("ORT_DYLIB_PATH", library)));
    }
    command
}

/// ONNX Runtime as `make runtime` lays it down.
fn runtime() -> Option<PathBuf> {
    let found = std::fs::read_dir(root().join("runtime")).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    found
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so")))
        .max()
}

/// What the program said and how it ended, where it is to end by itself.
pub fn outcome(args: &[&str]) -> (Option<i32>, String) {
    let mut child = command(args).spawn().unwrap();
    let end = Instant::now() + LIMIT;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The program while it runs.
pub struct Dashboard {
    child: Child,
    address: SocketAddr,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
    // Kept open: a program whose reader is gone is another test.
    _stdout: BufReader<ChildStdout>,
    _model: models::OnDisk,
}

impl Dashboard {
    /// With these sources and the model that knows bright from dark.
    pub fn open(sources: &[&str]) -> Dashboard {
        Dashboard::with(sources, &[])
    }

    pub fn with(sources: &[&str], more: &[&str]) -> Dashboard {
        Dashboard::start(sources, more, models::save(&models::sides()))
    }

    pub fn start(sources: &[&str], more: &[&str], model: models::OnDisk) -> Dashboard {
        let mut args: Vec<&str> = sources.iter().flat_map(|source| ["--source", *source]).collect();
        args.extend(["--set", "threads=1", "--set", "preprocess=zero-one"]);
        for own in [["--model", model.path.to_str().unwrap()], ["--bind", "127.0.0.1:0"]] {
            args.extend(own.iter().filter(|_| !more.contains(&own[0])));
        }
        args.extend(more);
        let mut child = command(&args).spawn().unwrap();
        let said = Arc::<Mutex<String>>::default();
        let (mut stderr, heard) = (child.stderr.take().unwrap(), said.clone());
        let listener = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = stderr.read(&mut bytes) {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.strip_prefix("http://").and_then(|rest| rest.trim_end().strip_suffix('/')?.parse().ok());
        let Some(address) = address else {
            let _ = child.wait();
            listener.join().unwrap();
            panic!("it began with {line:?}: {}", said.lock().unwrap());
        };
        Dashboard { child, address, said, listener: Some(listener), _stdout: stdout, _model: model }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn get(&self, path: &str) -> Answer {
        client::ask(self.address, "GET", path, &[], b"")
    }

    /// The answer of a GET as JSON, which it must be.
    pub fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer}");
        answer.json()
    }

    pub fn state(&self, id: u32) -> Map<String, Value> {
        match self.json(&format!("/api/cameras/{id}")) {
            Value::Object(state) => state,
            other => panic!("a state that is {other}"),
        }
    }

    /// Waits for a camera whose state is like that.
    pub fn becomes(&self, id: u32, what: &str, like: impl Fn(&Map<String, Value>) -> bool) -> Map<String, Value> {
        let mut last = Map::new();
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            last = self.state(id);
            if like(&last) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("camera {id} never {what}: {last:?}\n{}", self.said());
    }

    pub fn plays(&self, id: u32) -> Map<String, Value> {
        self.becomes(id, "plays", |state| state["state"] == "playing")
    }

    /// Waits until pictures bear a map: the model is open.
    pub fn explains(&self, id: u32) {
        self.becomes(id, "has a layer", |state| state["layer"].is_string() && state["state"] == "playing");
    }

    pub fn patch(&self, id: u32, body: &str) -> Answer {
        let kind = [("content-type", "application/json")];
        client::ask(self.address, "PATCH", &format!("/api/cameras/{id}"), &kind, body.as_bytes())
    }

    /// A figure of `/metrics`.
    pub fn metric(&self, name: &str, id: u32) -> f64 {
        let text = String::from_utf8(self.get("/metrics").body).unwrap();
        let start = format!("{name}{{camera=\"{id}\",");
        let line = text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    /// Waits until so many more frames have gone out.
    pub fn frames_go_on(&self, id: u32, more: f64) {
        let before = self.metric("gradcam_frames_total", id);
        until("frames that go on", || (self.metric("gradcam_frames_total", id) >= before + more).then_some(()));
    }

    /// Memory that it holds, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let status = until("the end of the program", || self.child.try_wait().unwrap());
        self.listener.take().map(JoinHandle::join);
        status
    }

    /// What it complained of so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            eprintln!("the program said: {}", self.said());
        } else if self.listener.is_some() {
            assert_eq!(self.child.try_wait().unwrap(), None, "it has ended by itself: {}", self.said());
            self.signal(Signal::TERM);
            let status = self.ended();
            assert!(status.success() && !panicked(&self.said()), "{status}: {}", self.said());
        }
    }
}

/// Whether anything panicked but on purpose.
fn panicked(said: &str) -> bool {
    said.split("panicked at").skip(1).any(|after| !after.lines().nth(1).is_some_and(|why| why.contains("on purpose")))
}
