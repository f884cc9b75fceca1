//! `gradcam annotate`: whole video files, their sound kept, one or many at once.

use std::path::PathBuf;

use crate::Result;
use crate::options::{ModelOptions, PaintOptions, smoothing};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "gradcam annotate [OPTIONS] IN OUT\n       gradcam annotate [OPTIONS] --output-dir DIR IN..."
)]
#[cfg_attr(not(feature = "plugin"), allow(dead_code))]
pub struct Args {
    /// A video that GStreamer can read (a file or a URI), and what to write: .mp4, .webm or .mkv; with --output-dir videos alone
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Annotate every FILE, into this folder and under its own name; what is there already is left as it is
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// With --output-dir, annotate again what is there already
    #[arg(long, requires = "output_dir")]
    overwrite: bool,
    /// Write what was seen beside the video: OUT with the ending .jsonl, a line for each frame
    #[arg(long)]
    sidecar: bool,
    /// And the raw maps, with the ending .gcm: `gradcam render` paints them anew
    #[arg(long, requires = "sidecar")]
    maps: bool,
    /// The ONNX model [default: the installed demo model]
    #[arg(long)]
    model: Option<PathBuf>,
    /// Classes to explain: a comma list of indices, names and ranks (-1 = best) [default: the best class]
    #[arg(long, value_name = "CLASS,...", allow_hyphen_values = true)]
    target_class: Option<String>,
    /// Milliseconds after which 63 % of a change of the map are seen; 0 = at once
    #[arg(long, default_value_t = 200, value_name = "MS", value_parser = smoothing())]
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
    Err(crate::options::no_plugin())
}

#[cfg(feature = "plugin")]
pub fn run(args: &Args) -> Result<()> {
    let pairs = args.pairs()?;
    let stop = crate::video::start()?;
    match &pairs[..] {
        [(input, output)] if args.output_dir.is_none() => {
            let report = args.job(input, output, String::new()).run(&stop, |_| Ok(()))?;
            crate::say!("{}: {report}", output.display());
            Ok(())
        }
        pairs => args.run_all(pairs, &stop),
    }
}

#[cfg(feature = "plugin")]
impl Args {
    /// Each input and its output.
    fn pairs(&self) -> Result<Vec<(PathBuf, PathBuf)>> {
        let Some(folder) = &self.output_dir else {
            return match &self.files[..] {
                [input, output] => Ok(vec![(input.clone(), output.clone())]),
                files => Err(format!(
                    "{} files are named; name a video and the file to write, or any number of videos and --output-dir DIR",
                    files.len()
                )
                .into()),
            };
        };
        let mut pairs: Vec<(PathBuf, PathBuf)> = Vec::with_capacity(self.files.len());
        for input in &self.files {
            let name = input.file_stem().ok_or_else(|| format!("{input:?} has no name to write it under"))?;
            let mut name = name.to_os_string();
            name.push(format!(".{}", crate::video::like(input).extension));
            let output = folder.join(name);
            if let Some((other, _)) = pairs.iter().find(|(_, taken)| *taken == output) {
                return Err(format!(
                    "{other:?} and {input:?} would both be written to {output:?}; annotate one of them by itself"
                )
                .into());
            }
            pairs.push((input.clone(), output));
        }
        std::fs::create_dir_all(folder).map_err(|error| format!("cannot make the folder {folder:?}: {error}"))?;
        Ok(pairs)
    }

    fn job<'a>(&self, input: &'a std::path::Path, output: &'a std::path::Path, title: String) -> crate::video::Job<'a> {
        let sidecar = self.sidecar.then(|| (output.with_extension("jsonl"), self.maps));
        crate::video::Job { input, output, sound: !self.no_audio, properties: self.properties(), sidecar, title }
    }

    fn properties(&self) -> crate::video::Properties {
        let mut properties = self.options.properties();
        properties.push(("mode", "sync".into()));
        properties.extend(self.paint.properties());
        properties.push(("smoothing", self.smoothing.to_string()));
        properties.extend(self.model.as_ref().map(|path| ("model", path.to_string_lossy().into_owned())));
        properties.extend(self.target_class.clone().map(|text| ("target-class", text)));
        properties
    }

    /// One after the other; what is whole already is skipped, and what fails does not keep the others from being made.
    fn run_all(&self, pairs: &[(PathBuf, PathBuf)], stop: &crate::video::Stop) -> Result<()> {
        use std::sync::atomic::Ordering;

        let jobs = pairs.iter().enumerate().map(|(nth, (input, output))| {
            self.job(input, output, format!("{} of {}, {}: ", nth + 1, pairs.len(), input.display()))
        });
        let (mut made, mut skipped, mut failed) = (0, 0, 0);
        // Asleep between two files the engine would be gone: this one holds it.
        let mut keeper = None;
        for job in jobs {
            if job.is_done() && !self.overwrite {
                crate::say!("{}: there already", job.output.display());
                skipped += 1;
                continue;
            }
            if keeper.is_none() {
                keeper = Some(Keeper(crate::video::painter(&self.properties())?));
            }
            let output = job.output;
            match job.run(stop, |_| Ok(())) {
                Ok(report) => {
                    crate::say!("{}: {report}", output.display());
                    made += 1;
                }
                Err(failure) if stop.load(Ordering::Acquire) => return Err(failure),
                Err(crate::Failure(why)) => {
                    eprintln!("gradcam: {why}");
                    failed += 1;
                }
            }
        }
        if failed > 0 {
            let rest = if skipped > 0 { format!(", {skipped} were there already") } else { String::new() };
            return Err(format!("{failed} of {} videos could not be annotated; {made} were{rest}", pairs.len()).into());
        }
        Ok(())
    }
}

#[cfg(feature = "plugin")]
struct Keeper(gst::Element);

#[cfg(feature = "plugin")]
impl Drop for Keeper {
    fn drop(&mut self) {
        // An element must not be dropped awake.
        let _ = gst::prelude::ElementExt::set_state(&self.0, gst::State::Null);
    }
}
