//! `gradcam clips`: of a stream that may have no end, only the seconds before and after a class is seen.

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;
use crate::options::{ModelOptions, PaintOptions};

#[cfg(feature = "plugin")]
mod clip;
#[cfg(feature = "plugin")]
mod ring;
#[cfg(feature = "plugin")]
mod tap;

#[derive(Debug, clap::Args)]
#[cfg_attr(not(feature = "plugin"), allow(dead_code))]
pub struct Args {
    /// A video that GStreamer can read: a file, or a URI such as v4l2:///dev/video0 or rtsp://...
    input: PathBuf,
    /// The event: a class, by name or index, that is likelier than this, as in "tabby>0.8"; may be given several times
    #[arg(long, required = true, value_name = "CLASS>SCORE", value_parser = Event::parse)]
    when: Vec<Event>,
    /// Seconds before the event that are kept, and up to one more
    #[arg(long, default_value = "5", value_name = "S", value_parser = seconds)]
    before: Duration,
    /// Seconds after the last frame that shows it
    #[arg(long, default_value = "5", value_name = "S", value_parser = seconds)]
    after: Duration,
    /// Where the clips go: clip-0001.mp4, ...
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// The ONNX model [default: the installed demo model]
    #[arg(long)]
    model: Option<PathBuf>,
    #[command(flatten)]
    options: ModelOptions,
    #[command(flatten)]
    paint: PaintOptions,
}

/// A class, and the score above which it counts as seen.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "plugin"), allow(dead_code))]
struct Event {
    class: String,
    score: f32,
}

impl Event {
    fn parse(text: &str) -> std::result::Result<Event, String> {
        let (class, score) = text.rsplit_once('>').unwrap_or_default();
        let score = score.trim().parse().ok().filter(|score| (0.0..1.0).contains(score));
        let class = Some(class.trim()).filter(|class| !class.is_empty());
        let event = class.zip(score).map(|(class, score)| Event { class: class.into(), score });
        event.ok_or_else(|| "give a class and a score from 0 to 1, as in \"tabby>0.8\"".into())
    }
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let in_range = |seconds: &f64| (0.0..=3600.0).contains(seconds);
    let seconds = text.parse().ok().filter(in_range).ok_or("give a number of seconds from 0 to 3600")?;
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(not(feature = "plugin"))]
pub fn run(_: &Args) -> Result<()> {
    Err(crate::options::no_plugin())
}

#[cfg(feature = "plugin")]
pub fn run(args: &Args) -> Result<()> {
    use crate::video::{Work, like, source, start};

    let uri = source(&args.input)?;
    let folder = &args.output_dir;
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make the folder {folder:?}: {error}"))?;
    // Known now, and not when something happens at last.
    let trial = folder.join("clip.part");
    let tried = std::fs::File::create(&trial).and_then(|_| std::fs::remove_file(&trial));
    tried.map_err(|error| format!("cannot write into the folder {folder:?}: {error}"))?;
    let stop = start()?;
    let format = like(std::path::Path::new("clip.mp4"));
    let thresholds = args.when.iter().map(|event| event.score).collect();
    let tap = tap::Tap::new((args.before, args.after), thresholds, folder.clone(), format);
    let ears = tap.clone();
    let work = Work {
        uri: &uri,
        properties: &args.properties(),
        format,
        sound: false,
        ending: &[tap.sink()?],
        title: "",
        hear: Box::new(move |message| ears.hear(message)),
        look: &|| tap.look(false),
    };
    // Whatever ends it, the clips so far are made whole.
    let done = work.run(&stop);
    let clips = tap.finish()?;
    let count = format!("{clips} clip{}", if clips == 1 { "" } else { "s" });
    crate::say!("{}: {count}; {}", folder.display(), done?);
    Ok(())
}

#[cfg(feature = "plugin")]
impl Args {
    fn properties(&self) -> crate::video::Properties {
        let mut properties = self.options.properties();
        properties.extend(self.paint.properties());
        properties.extend(self.model.as_ref().map(|path| ("model", path.to_string_lossy().into_owned())));
        let classes: Vec<&str> = self.when.iter().map(|event| event.class.as_str()).collect();
        properties.push(("target-class", classes.join(",")));
        properties.push(("post-messages", "true".into()));
        properties.push(("message-interval", "0".into()));
        // A stream that nobody explains has no events.
        properties.push(("wait-for-model", "true".into()));
        properties
    }
}
