//! `gradcam annotate`: a whole video file, its sound kept.

use std::path::PathBuf;

use crate::Result;
use crate::options::{ModelOptions, PaintOptions};

#[cfg(feature = "plugin")]
mod formats;
#[cfg(feature = "plugin")]
mod pipeline;

#[derive(Debug, clap::Args)]
#[cfg_attr(not(feature = "plugin"), allow(dead_code))]
pub struct Args {
    /// A video that GStreamer can read: a file or a URI
    input: PathBuf,
    /// What to write; .mp4, .webm or .mkv
    output: PathBuf,
    /// The ONNX model [default: the installed demo model]
    #[arg(long)]
    model: Option<PathBuf>,
    /// Classes to explain: a comma list of indices, names and ranks (-1 = best) [default: the best class]
    #[arg(long, value_name = "CLASS,...", allow_hyphen_values = true)]
    target_class: Option<String>,
    /// Milliseconds after which 63 % of a change of the map are seen; 0 = at once
    #[arg(long, default_value_t = 200, value_name = "MS", value_parser = clap::value_parser!(u32).range(..=60_000))]
    smoothing: u32,
    /// Leave the sound out
    #[arg(long)]
    no_audio: bool,
    #[command(flatten)]
    options: ModelOptions,
    #[command(flatten)]
    paint: PaintOptions,
}

#[cfg(not(feature = "plugin"))]
pub fn run(_: &Args) -> Result<()> {
    Err("this gradcam was built without GStreamer; build it with the feature `plugin` to annotate videos"
        .to_string()
        .into())
}

#[cfg(feature = "plugin")]
pub fn run(args: &Args) -> Result<()> {
    use crate::export::{not_the_same, part};

    let format = formats::of(&args.output)?;
    let uri = source(&args.input)?;
    not_the_same(&args.input, &args.output)?;
    gst::init().map_err(|error| format!("GStreamer could not be started: {error}"))?;
    gstgradcam::plugin_register_static()
        .map_err(|error| format!("the element gradcam could not be registered: {error}"))?;
    let part = part(&args.output);
    // Made here so that the reason is known before anything starts; filesink would only say "could not open".
    std::fs::File::create(&part).map_err(|error| format!("cannot write {:?}: {error}", args.output))?;
    let done = pipeline::annotate(args, &uri, format, &part).and_then(|report| {
        std::fs::rename(&part, &args.output).map_err(|error| format!("cannot write {:?}: {error}", args.output))?;
        Ok(report)
    });
    if done.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    let report = done?;
    let summary = format!("{}: {report}", args.output.display());
    if report.stopped {
        return Err(format!("stopped before the end; what was done plays. {summary}").into());
    }
    crate::say!("{summary}");
    Ok(())
}

/// A file's URI, after a look at the file itself; what has a scheme is taken as it is.
#[cfg(feature = "plugin")]
fn source(input: &std::path::Path) -> Result<String> {
    let text = input.to_string_lossy();
    if !input.exists() && text.contains("://") {
        return Ok(text.into_owned());
    }
    let cannot = |why: &dyn std::fmt::Display| format!("cannot read the video {input:?}: {why}");
    let file = std::fs::File::open(input).map_err(|error| cannot(&error))?;
    if !file.metadata().map_err(|error| cannot(&error))?.is_file() {
        return Err(cannot(&"it is not a file").into());
    }
    let path = input.canonicalize().map_err(|error| cannot(&error))?;
    Ok(gst::glib::filename_to_uri(path, None).map_err(|error| cannot(&error))?.into())
}
