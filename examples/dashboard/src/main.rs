//! `gradcam-dashboard`: a wall of cameras in the browser, each with where a classifier looks painted on it.
//!
//! `source.rs` is where pictures come from, `pipeline.rs` what happens to them, `camera.rs` one camera, `camera/change.rs` how its
//! settings are changed, `keeper.rs` who keeps it playing, `outlet.rs` its newest picture with its numbers, `settings.rs` what may be changed while it plays, `timeline.rs` its last ten minutes,
//! `clip.rs` its last seconds, `webrtc.rs` the other way of its pictures, which an `offer.rs` opens. `serve.rs` takes connections, `guard.rs` says who may ask,
//! `api.rs` answers, `live.rs` sends pictures, `page.rs` and `metrics.rs` are what their names say. The wire: `docs/dashboard.md`.

mod api;
mod camera;
mod clip;
mod guard;
mod keeper;
mod live;
mod metrics;
#[cfg(feature = "webrtc")]
mod offer;
mod outlet;
mod page;
mod pipeline;
mod serve;
mod settings;
mod source;
mod timeline;
#[cfg(feature = "webrtc")]
mod webrtc;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;

use crate::camera::{Camera, Plan};
use crate::guard::Guard;
use crate::source::Source;

/// A wall of cameras in the browser, each with where an ONNX image classifier looks.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110)]
struct Args {
    /// A source, any number of times, by its address or as NAME=ADDRESS: v4l2:/dev/video0, rtsp://..., http://..., a video file (played
    /// round and round), test:ball or another pattern of videotestsrc, test:clock [default: media/*.mp4, else test pictures]
    #[arg(long = "source", value_name = "[NAME=]ADDRESS", value_parser = Source::parse)]
    sources: Vec<Source>,
    /// The ONNX classifier [default: the installed demo model]
    #[arg(long)]
    model: Option<PathBuf>,
    /// Class names: one a line, or JSON [default: the model's metadata, else a file beside the model]
    #[arg(long)]
    labels_file: Option<PathBuf>,
    /// A property of the element gradcam for all cameras, such as execution-provider=cuda, any number of times
    #[arg(long = "set", value_name = "PROPERTY=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// Address and port to listen at; another than loopback needs a token
    #[arg(long, default_value = "127.0.0.1:8090")]
    bind: SocketAddr,
    /// What each request must bear
    #[arg(long, env = "GRADCAM_DASHBOARD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Seconds of each camera that are kept for clips; 0 = none
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=600))]
    keep: u32,
    /// A source that gives no picture for so many seconds is lost, and tried again
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    lost_after: u64,
    /// Connections at once, at most
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    max_connections: u32,
}

/// A failure is a sentence for the user.
type Result<T> = std::result::Result<T, String>;

fn property(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').ok_or("it has the form PROPERTY=VALUE")?;
    Ok((name.into(), value.into()))
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("gradcam-dashboard: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    let guard = Guard::new(args.bind, args.token)?;
    gst::init().map_err(|error| format!("GStreamer could not be started: {error}"))?;
    gstgradcam::plugin_register_static()
        .map_err(|error| format!("the element gradcam could not be registered: {error}"))?;
    let sources = if args.sources.is_empty() { source::built_in() } else { args.sources };
    let plan = Plan { model: args.model, labels_file: args.labels_file, properties: args.properties, keep: args.keep };
    let cameras =
        (1..).zip(sources).map(|(id, source)| Camera::new(id, source, &plan)).collect::<Result<Vec<Arc<Camera>>>>()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("threads could not be started: {error}"))?;
    runtime.block_on(async {
        let listener = serve::bind(args.bind)?;
        let silence = Duration::from_secs(args.lost_after);
        let keepers = cameras.iter().map(|camera| keeper::start(camera, silence)).collect::<Result<Vec<_>>>()?;
        println!("http://{}/", listener.local_addr().unwrap_or(args.bind));
        let done = tokio::select! {
            done = serve::run(listener, api::router(cameras.clone(), guard), args.max_connections) => done,
            done = serve::stopped() => done,
        };
        for camera in &cameras {
            keeper::stop(camera);
        }
        let ended = tokio::task::spawn_blocking(|| keepers.into_iter().try_for_each(std::thread::JoinHandle::join));
        ended.await.ok().and_then(std::result::Result::ok).ok_or("a camera did not end well; please report it")?;
        done
    })
}
