//! Makes the demo video: photographs on a wall, and a camera that moves over them.
//!
//!     cargo run --example make_demo_video -- OUT.mp4 PHOTO...
//!
//! 1280x720, 25 frames a second, H.264; each photograph fills four seconds and fades into the next.

use std::error::Error;
use std::{env, process};

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use gst::prelude::*;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const RATE: i32 = 25;
/// Frames that show a photograph, and how many of them it shares with the next.
const SCENE: usize = 100;
const FADE: usize = 15;
/// The wall, in pixels, and the box on it that the photograph fills.
const WALL: (u32, u32) = (1920, 1080);
const PHOTO: (u32, u32) = (1160, 860);

/// Where the camera looks: centre on the wall and width of the view, as fractions of the wall's width and height.
#[derive(Clone, Copy)]
struct View {
    x: f64,
    y: f64,
    width: f64,
}

/// The camera's ways, taken in turn: along the photograph while it draws nearer or steps back.
const WAYS: [(View, View); 4] = [
    (View { x: 0.43, y: 0.52, width: 0.78 }, View { x: 0.57, y: 0.48, width: 0.60 }),
    (View { x: 0.58, y: 0.46, width: 0.62 }, View { x: 0.42, y: 0.50, width: 0.80 }),
    (View { x: 0.60, y: 0.50, width: 0.78 }, View { x: 0.44, y: 0.56, width: 0.72 }),
    (View { x: 0.43, y: 0.56, width: 0.70 }, View { x: 0.56, y: 0.54, width: 0.58 }),
];

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [out, photos @ ..] = &args[..] else { usage() };
    if photos.is_empty() {
        usage();
    }
    if let Err(error) = make(out, photos) {
        eprintln!("make_demo_video: {error}");
        process::exit(1);
    }
}

fn usage() -> ! {
    eprintln!("usage: make_demo_video OUT.mp4 PHOTO...");
    process::exit(2)
}

fn make(out: &str, photos: &[String]) -> Result<()> {
    let walls = photos.iter().map(|photo| wall(photo)).collect::<Result<Vec<_>>>()?;
    let movie = Movie::start(out)?;
    let step = SCENE - FADE;
    let frames = step * walls.len() + FADE;
    for frame in 0..frames {
        let scene = (frame / step).min(walls.len() - 1);
        let at = frame - scene * step;
        let mut picture = shot(&walls[scene], WAYS[scene % WAYS.len()], at)?;
        if scene > 0 && at < FADE {
            let before = shot(&walls[scene - 1], WAYS[(scene - 1) % WAYS.len()], at + step)?;
            let new = (at + 1) as f32 / (FADE + 1) as f32;
            for (pixel, old) in picture.iter_mut().zip(before) {
                *pixel = (f32::from(*pixel) * new + f32::from(old) * (1.0 - new)).round() as u8;
            }
        }
        movie.push(picture, frame)?;
    }
    movie.finish()?;
    println!("{out}: {frames} frames, {:.1} s", frames as f64 / f64::from(RATE));
    Ok(())
}

/// A photograph in front of its own blurred, darkened enlargement.
fn wall(path: &str) -> Result<Image<'static>> {
    let photo = image::open(path).map_err(|error| format!("{path}: {error}"))?.into_rgb8();
    let (width, height) = photo.dimensions();
    let photo = Image::from_vec_u8(width, height, photo.into_raw(), PixelType::U8x3)?;
    let mut wall = scaled(&scaled(&photo, (16, 9))?, WALL)?;
    wall.buffer_mut().iter_mut().for_each(|value| *value = (u16::from(*value) * 3 / 5) as u8);

    let scale = (f64::from(PHOTO.0) / f64::from(width)).min(f64::from(PHOTO.1) / f64::from(height));
    let size = ((f64::from(width) * scale) as u32, (f64::from(height) * scale) as u32);
    let photo = scaled(&photo, size)?;
    let (left, top) = ((WALL.0 - size.0) / 2, (WALL.1 - size.1) / 2);
    let (row, stride) = (size.0 as usize * 3, WALL.0 as usize * 3);
    for (y, line) in photo.buffer().chunks_exact(row).enumerate() {
        let start = (top as usize + y) * stride + left as usize * 3;
        wall.buffer_mut()[start..start + row].copy_from_slice(line);
    }
    Ok(wall)
}

fn scaled(image: &Image, (width, height): (u32, u32)) -> Result<Image<'static>> {
    let mut out = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new().resize(image, &mut out, &options)?;
    Ok(out)
}

/// What the camera sees of a wall in a scene's frame; it starts and stops gently.
fn shot(wall: &Image, (from, to): (View, View), frame: usize) -> Result<Vec<u8>> {
    let t = frame as f64 / (SCENE - 1) as f64;
    let t = t * t * (3.0 - 2.0 * t);
    let between = |a: f64, b: f64| a + (b - a) * t;
    let (wall_width, wall_height) = (f64::from(WALL.0), f64::from(WALL.1));
    let width = wall_width * between(from.width, to.width);
    let height = width * f64::from(HEIGHT) / f64::from(WIDTH);
    let left = (wall_width * between(from.x, to.x) - width / 2.0).clamp(0.0, wall_width - width);
    let top = (wall_height * between(from.y, to.y) - height / 2.0).clamp(0.0, wall_height - height);
    let options =
        ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom)).crop(left, top, width, height);
    let mut view = Image::new(WIDTH, HEIGHT, PixelType::U8x3);
    Resizer::new().resize(wall, &mut view, &options)?;
    Ok(view.into_vec())
}

/// The encoder's end: RGB frames go in.
struct Movie {
    pipeline: gst::Pipeline,
    frames: gst_app::AppSrc,
}

impl Movie {
    fn start(out: &str) -> Result<Movie> {
        gst::init()?;
        let line = "appsrc name=frames format=time block=true max-buffers=4 ! videoconvert \
                    ! video/x-raw,format=I420,colorimetry=bt709 ! x264enc speed-preset=veryfast quantizer=20 pass=qual \
                    ! h264parse ! mp4mux faststart=true ! filesink name=file";
        let pipeline = gst::parse::launch(line)?.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline")?;
        pipeline.by_name("file").ok_or("no filesink")?.set_property("location", out);
        let source = pipeline.by_name("frames").ok_or("no appsrc")?;
        let frames = source.downcast::<gst_app::AppSrc>().map_err(|_| "not an appsrc")?;
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "RGB")
            .field("width", WIDTH as i32)
            .field("height", HEIGHT as i32)
            .field("framerate", gst::Fraction::new(RATE, 1))
            .build();
        frames.set_caps(Some(&caps));
        pipeline.set_state(gst::State::Playing)?;
        Ok(Movie { pipeline, frames })
    }

    fn push(&self, picture: Vec<u8>, frame: usize) -> Result<()> {
        let time = |frame: usize| gst::ClockTime::SECOND * frame as u64 / RATE as u64;
        let mut buffer = gst::Buffer::from_mut_slice(picture);
        let header = buffer.get_mut().ok_or("a new buffer is shared")?;
        header.set_pts(time(frame));
        header.set_duration(time(frame + 1) - time(frame));
        self.frames.push_buffer(buffer).map(drop).map_err(|_| self.reason())
    }

    fn finish(self) -> Result<()> {
        self.frames.end_of_stream()?;
        let bus = self.pipeline.bus().ok_or("no bus")?;
        let end = bus.timed_pop_filtered(None, &[gst::MessageType::Eos, gst::MessageType::Error]);
        let failed = end.is_none_or(|message| matches!(message.view(), gst::MessageView::Error(_)));
        let reason = failed.then(|| self.reason());
        self.pipeline.set_state(gst::State::Null)?;
        reason.map_or(Ok(()), Err)
    }

    /// What the pipeline says of its end.
    fn reason(&self) -> Box<dyn Error> {
        let message = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => error.error().to_string().into(),
            _ => "the encoding pipeline stopped".into(),
        }
    }
}
