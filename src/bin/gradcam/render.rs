//! `gradcam render`: paints a recording anew, from the clean video and what was seen on it. No model is run.

use std::path::PathBuf;

use crate::Result;
use crate::named::Named;
use crate::options::{PaintOptions, smoothing};

#[derive(Debug, clap::Args)]
#[cfg_attr(not(feature = "plugin"), allow(dead_code))]
pub struct Args {
    // First: which of its options were named is read before any other argument is taken away.
    #[command(flatten)]
    paint: Named<PaintOptions>,
    /// The clean video, as it was before it was annotated
    video: PathBuf,
    /// What was seen on it, as `gradcam annotate --sidecar --maps` has written it; the maps lie beside it
    #[arg(value_name = "SIDECAR.jsonl")]
    sidecar: PathBuf,
    /// What to write; .mp4, .webm or .mkv
    output: PathBuf,
    /// Milliseconds after which 63 % of a change of the map are seen; 0 = at once
    #[arg(long, value_name = "MS", value_parser = smoothing())]
    smoothing: Option<u32>,
    /// Seconds of the recording before the video's beginning, where that was cut off
    #[arg(long, default_value_t = 0.0, value_name = "S", allow_negative_numbers = true)]
    offset: f64,
    /// Leave the sound out
    #[arg(long)]
    no_audio: bool,
}

#[cfg(not(feature = "plugin"))]
pub fn run(_: &Args) -> Result<()> {
    Err(crate::options::no_plugin())
}

#[cfg(feature = "plugin")]
pub fn run(args: &Args) -> Result<()> {
    use gstgradcam::record::Recording;

    crate::export::not_the_same(&args.sidecar, &args.output)?;
    let stop = crate::video::start()?;
    let recording = Recording::open(&args.sidecar)?;
    recording.remark().into_iter().for_each(|text| eprintln!("gradcam: {text}"));
    let job = crate::video::Job {
        input: &args.video,
        output: &args.output,
        sound: !args.no_audio,
        properties: args.properties(recording.header()),
        sidecar: None,
        title: String::new(),
    };
    let (video, sidecar) = (args.video.display(), args.sidecar.display());
    let told = |report: &crate::video::Report| report.frames.saturating_sub(report.skipped);
    let report = job.run(&stop, |report| match told(report) {
        0 => {
            Err(format!("{sidecar} tells of no frame of {video}: it is that of another video, or --offset is wrong")
                .into())
        }
        _ => Ok(()),
    })?;
    if told(&report) < report.frames {
        let (told, all) = (told(&report), report.frames);
        eprintln!("gradcam: {sidecar} tells of {told} of the {all} frames of {video}; the others are as they were");
    }
    crate::say!("{}: {report}", args.output.display());
    Ok(())
}

#[cfg(feature = "plugin")]
impl Args {
    /// As it was recorded, but for what was named.
    fn properties(&self, header: &gstgradcam::record::Header) -> crate::video::Properties {
        let recorded = |name: &'static str| {
            let value = header.settings.get(name)?;
            Some((name, value.as_str().map_or_else(|| value.to_string(), String::from)))
        };
        let known = gstgradcam::element::recorded_settings();
        let mut properties: Vec<_> = known.iter().copied().filter_map(recorded).collect();
        let named = |name: &str| self.paint.names(name);
        properties.extend(self.paint.options.properties().into_iter().filter(|(name, _)| named(name)));
        properties.extend(self.smoothing.map(|smoothing| ("smoothing", smoothing.to_string())));
        properties.push(("explanations", self.sidecar.to_string_lossy().into_owned()));
        properties.push(("explanations-offset", ((self.offset * 1e9) as i64).to_string()));
        properties.push(("mode", "sync".into()));
        properties
    }
}
