//! The element in a harness, with grey pictures to push and eyes for what comes out.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo, VideoMeta};

use crate::models::{self, OnDisk};
use crate::support;

/// What the element takes, as its own table has it.
pub fn formats() -> impl Iterator<Item = VideoFormat> {
    gstgradcam::frame::Format::all().map(|format| VideoFormat::from_string(format.name()))
}

/// What unused bytes hold: padding between rows and planes, the x of RGBx.
pub const PADDING: u8 = 0xA5;
/// What the alpha channel holds.
pub const ALPHA: u8 = 77;

/// Whoever has an element holds this shared; a test that counts threads holds it alone.
pub static ALONE: RwLock<()> = RwLock::new(());

pub fn among_others() -> RwLockReadGuard<'static, ()> {
    ALONE.read().unwrap_or_else(PoisonError::into_inner)
}

pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        assert!(
            std::env::var("G_DEBUG").is_ok_and(|v| v.contains("fatal")),
            "A62: run under cargo, which sets G_DEBUG"
        );
        gst::init().unwrap();
        gstgradcam::plugin_register_static().unwrap();
    });
}

/// An element with a model that is stretched over the frame, painted in opaque grey without words: what comes out
/// is the map itself. `settings` come last.
pub fn element(model: &Path, settings: &[(&str, &str)]) -> gst::Element {
    init();
    let element = gst::ElementFactory::make("gradcam").property("model", model.to_str().unwrap()).build().unwrap();
    if let Some(library) = support::runtime() {
        element.set_property("runtime-library", library.to_str().unwrap());
    }
    let plain = [
        ("preprocess", "zero-one"),
        ("resize-mode", "stretch"),
        ("colormap", "gray"),
        ("alpha", "1"),
        ("alpha-mode", "constant"),
        ("normalization", "frame"),
        ("smoothing", "0"),
        ("draw-labels", "false"),
        ("threads", "1"),
        ("mode", "sync"),
        ("max-in-flight", "1"),
    ];
    for (name, value) in plain.iter().chain(settings) {
        element.set_property_from_str(name, value);
    }
    element
}

pub fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    init();
    VideoInfo::builder(format, width, height).fps((30, 1)).build().unwrap()
}

pub struct Rig {
    // Before the harness, which may abort on a dead element: its model's folder goes last.
    pub harness: gst_check::Harness,
    pub element: gst::Element,
    pub bus: gst::Bus,
    pub info: VideoInfo,
    _model: OnDisk,
    _others: RwLockReadGuard<'static, ()>,
}

impl Rig {
    pub fn new(info: VideoInfo, settings: &[(&str, &str)]) -> Rig {
        Rig::with_model(models::save(&models::sides()), info, settings)
    }

    pub fn with_model(model: OnDisk, info: VideoInfo, settings: &[(&str, &str)]) -> Rig {
        let others = among_others();
        let element = element(&model.path, settings);
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        // The harness would abort the process for a model that does not open.
        if element.set_state(gst::State::Paused).is_err() {
            element.set_state(gst::State::Null).unwrap();
            panic!("{:?}", bus.pop_filtered(&[gst::MessageType::Error]));
        }
        let harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
        let mut rig = Rig { harness, element, bus, info: info.clone(), _model: model, _others: others };
        rig.harness.play();
        assert!(rig.caps(&info), "{info:?} is refused");
        rig
    }

    /// The pad that all goes in by: a push from the harness would not tell whether an event was refused.
    pub fn pad(&self) -> gst::Pad {
        self.element.static_pad("sink").unwrap()
    }

    /// Sends caps, and a segment behind the first ones. False if they are refused: then the former ones hold.
    pub fn caps(&mut self, info: &VideoInfo) -> bool {
        let first = self.pad().current_caps().is_none();
        let taken = self.pad().send_event(gst::event::Caps::new(&info.to_caps().unwrap()));
        if first {
            self.segment(0);
        }
        if taken {
            self.info = info.clone();
        }
        taken
    }

    /// A segment whose stream time 0 is at `start` seconds.
    pub fn segment(&self, start: u64) {
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_start(gst::ClockTime::from_seconds(start));
        segment.set_time(gst::ClockTime::ZERO);
        assert!(self.pad().send_event(gst::event::Segment::new(&segment)));
    }

    /// A frame of two greys at this time.
    pub fn frame(&self, ms: u64, left: u8, right: u8) -> gst::Buffer {
        let mut buffer = halves(&self.info, left, right);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(ms));
        buffer
    }

    /// The same, through the element: brightness of its quarters, and whether they are as they were.
    pub fn at(&mut self, ms: u64, left: u8, right: u8) -> ((f32, f32), bool) {
        let frame = self.frame(ms, left, right);
        let before = bytes(&frame);
        let out = self.pass(frame);
        assert_eq!(out.pts(), Some(gst::ClockTime::from_mseconds(ms)));
        (sides(&self.info, &out), bytes(&out) == before)
    }

    /// In and out again.
    pub fn pass(&mut self, buffer: gst::Buffer) -> gst::Buffer {
        self.pad().chain(buffer).unwrap();
        self.harness.try_pull().expect("no frame is lost")
    }

    /// A picture of two greys, through the element; how bright its left and right quarters come out, 0..=255.
    pub fn halves(&mut self, left: u8, right: u8) -> (f32, f32) {
        let out = self.pass(halves(&self.info, left, right));
        sides(&self.info, &out)
    }

    /// The WARNINGs so far: domain's code and text.
    pub fn warnings(&self) -> Vec<(gst::glib::Error, String)> {
        warnings(&self.bus)
    }
}

impl Drop for Rig {
    /// Messages on the bus hold the element, which holds the bus.
    fn drop(&mut self) {
        self.bus.set_flushing(true);
    }
}

pub fn warnings(bus: &gst::Bus) -> Vec<(gst::glib::Error, String)> {
    let mut found = Vec::new();
    while let Some(message) = bus.pop_filtered(&[gst::MessageType::Warning, gst::MessageType::Error]) {
        match message.view() {
            gst::MessageView::Warning(w) => found.push((w.error(), w.error().message().to_string())),
            gst::MessageView::Error(e) => panic!("an ERROR where at most a WARNING belongs: {:?}", e.error()),
            _ => unreachable!("filtered"),
        }
    }
    found
}

/// Studio range where the caps say or imply it.
fn coded(info: &VideoInfo, grey: u8) -> u8 {
    let full = info.format_info().is_rgb() || info.colorimetry().range() == gst_video::VideoColorRange::Range0_255;
    if full { grey } else { (16.0 + f32::from(grey) * 219.0 / 255.0).round() as u8 }
}

/// Bits that a component's sample has beyond 8, and that it lies above the lowest of its word.
fn beyond(info: &VideoInfo, component: u8) -> (u32, u32) {
    (info.comp_depth(component) - 8, info.format_info().shift()[usize::from(component)])
}

/// Where a component begins in a cell, in bytes; GStreamer counts words where samples are words.
pub fn offset(info: &VideoInfo, component: u8) -> usize {
    info.comp_poffset(component) as usize * info.comp_depth(component).div_ceil(8) as usize
}

/// The samples of each component, as 8 bits have them: `f(component, x, y)` in the component's own grid.
pub fn fill(info: &VideoInfo, data: &mut [u8], offsets: &[usize], strides: &[i32], f: impl Fn(usize, u32, u32) -> u8) {
    for component in 0..info.format_info().n_components() as u8 {
        let plane = info.comp_plane(component) as usize;
        for y in 0..info.comp_height(component) {
            for x in 0..info.comp_width(component) {
                let at = offsets[plane] + y as usize * strides[plane] as usize;
                let at = at + (x as i32 * info.comp_pstride(component)) as usize;
                let (at, value) = (at + offset(info, component), f(component as usize, x, y));
                match beyond(info, component) {
                    (0, _) => data[at] = value,
                    (more, shift) => {
                        data[at..at + 2].copy_from_slice(&(u16::from(value) << (more + shift)).to_le_bytes())
                    }
                }
            }
        }
    }
}

/// Left half and right half in two greys, in any of the formats.
pub fn halves(info: &VideoInfo, left: u8, right: u8) -> gst::Buffer {
    let mut data = vec![PADDING; info.size()];
    fill_halves(info, &mut data, info.offset(), info.stride(), left, right);
    let mut buffer = gst::Buffer::from_mut_slice(data);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
    buffer
}

pub fn fill_halves(info: &VideoInfo, data: &mut [u8], offsets: &[usize], strides: &[i32], left: u8, right: u8) {
    let rgb = info.format_info().is_rgb();
    fill(info, data, offsets, strides, |component, x, _| match (rgb, component) {
        (true, 3) => ALPHA,
        (false, 1 | 2) => 128,
        _ if x < info.width() / 2 => coded(info, left),
        _ => coded(info, right),
    });
}

/// Mean brightness (0..=255) of columns `x`, from the first component: luma, or red.
pub fn brightness(info: &VideoInfo, buffer: &gst::BufferRef, x: Range<u32>) -> f32 {
    let meta = buffer.meta::<VideoMeta>().map(|m| (m.offset().to_vec(), m.stride().to_vec()));
    let (offsets, strides) = meta.unwrap_or_else(|| (info.offset().to_vec(), info.stride().to_vec()));
    let map = buffer.map_readable().unwrap();
    let plane = info.comp_plane(0) as usize;
    let at = |x: u32, y: u32| {
        let row = offsets[plane] + y as usize * strides[plane] as usize;
        let at = row + (x as i32 * info.comp_pstride(0)) as usize + offset(info, 0);
        match beyond(info, 0) {
            (0, _) => map[at],
            (more, shift) => (u16::from_le_bytes([map[at], map[at + 1]]) >> (more + shift)) as u8,
        }
    };
    let sum: u64 =
        (0..info.height()).flat_map(|y| x.clone().map(move |x| (x, y))).map(|(x, y)| u64::from(at(x, y))).sum();
    let mean = sum as f32 / (x.len() as f32 * info.height() as f32);
    let (black, white) = (f32::from(coded(info, 0)), f32::from(coded(info, 255)));
    (mean - black) / (white - black) * 255.0
}

/// Brightness of the left and the right quarter.
pub fn sides(info: &VideoInfo, buffer: &gst::BufferRef) -> (f32, f32) {
    let (width, quarter) = (info.width(), (info.width() / 4).max(1));
    (brightness(info, buffer, 0..quarter), brightness(info, buffer, width - quarter..width))
}

/// The bytes of a buffer.
pub fn bytes(buffer: &gst::BufferRef) -> Vec<u8> {
    buffer.map_readable().unwrap().to_vec()
}

/// A pipeline from text, where GRADCAM stands for the element set up as [`element`] does.
pub fn launch(text: &str, model: &Path, settings: &[(&str, &str)]) -> gst::Pipeline {
    init();
    let pipeline = gst::parse::launch(&text.replace("GRADCAM", "identity name=place")).unwrap();
    let pipeline: gst::Pipeline = pipeline.downcast().unwrap();
    // Put where the text says by hand: the text of a path would need quoting.
    let place = pipeline.by_name("place").unwrap();
    let (before, after) = ["sink", "src"].map(|pad| place.static_pad(pad).unwrap().peer().unwrap()).into();
    pipeline.remove(&place).unwrap();
    let gradcam = element(model, settings);
    pipeline.add(&gradcam).unwrap();
    before.link(&gradcam.static_pad("sink").unwrap()).unwrap();
    gradcam.static_pad("src").unwrap().link(&after).unwrap();
    pipeline
}

/// A pipeline's bus until EOS; panics with the text of an ERROR.
pub fn until_eos(pipeline: &gst::Element) {
    let bus = pipeline.bus().unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    match bus.timed_pop_filtered(gst::ClockTime::from_seconds(120), &wanted).expect("an end within two minutes").view()
    {
        gst::MessageView::Error(e) => panic!("{} ({:?})", e.error(), e.debug()),
        _ => pipeline.set_state(gst::State::Null).unwrap(),
    };
}

/// Waits for what another thread brings about.
pub fn until<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        if let Some(seen) = seen() {
            return seen;
        }
        assert!(std::time::Instant::now() < end, "{what}: not within a minute");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// The plugin's file, which cargo builds with the tests.
pub fn plugin() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folders = [test.parent().unwrap(), test.parent().unwrap().parent().unwrap()];
    let file = folders.iter().map(|folder| folder.join("libgstgradcam.so")).find(|file| file.exists());
    file.expect("cargo builds libgstgradcam.so beside the tests")
}
