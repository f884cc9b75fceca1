//! `make soak`: streams for as long as one likes, first in peace, then with all that can change or go wrong; no frame is lost, and
//! memory, threads and files stay as they were.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

use crate::models::{self, OnDisk};
use crate::rig::{self, formats, halves, info};
use crate::system::{files, resident, threads};

/// How long, in seconds.
const SECONDS: &str = "GRADCAM_SOAK_SECONDS";
/// What the random numbers begin with, to see the same again.
const SEED: &str = "GRADCAM_SOAK_SEED";
/// Frames between two looks at the memory.
const EVERY: u64 = 250;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Memory over frames.
#[derive(Default)]
struct Memory(Vec<(f64, f64)>);

impl Memory {
    fn look(&mut self, frames: u64) {
        self.0.push((frames as f64, resident() as f64));
    }

    /// Kilobytes a frame, by least squares, once the first tenth has warmed up.
    fn slope(&self) -> f64 {
        let points = &self.0[self.0.len() / 10..];
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let over: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        over / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
    }

    fn report(&self, what: &str) {
        let (first, last) = (self.0[0].1, self.0[self.0.len() - 1].1);
        let most = self.0.iter().map(|point| point.1).fold(0.0, f64::max);
        println!(
            "{what}: memory {first} kB at first, {most} at most, {last} at last; {:+.0} kB in 100 000 frames; {} threads, {} files",
            self.slope() * 1e5,
            threads(),
            files()
        );
    }
}

/// What is to come out.
#[derive(Default)]
struct Awaited {
    times: VecDeque<Option<gst::ClockTime>>,
    out: u64,
    wrong: Option<String>,
}

/// An element between two pads of ours.
struct Stream {
    element: gst::Element,
    bus: gst::Bus,
    source: gst::Pad,
    _sink: gst::Pad,
    awaited: Arc<Mutex<Awaited>>,
    of: VideoInfo,
    ms: u64,
    sent: u64,
    flushed: u64,
    warnings: u64,
    heatmap: Option<(gst::Pad, gst::Pad)>,
}

fn sink(chain: impl Fn(gst::Buffer) + Send + Sync + 'static) -> gst::Pad {
    let any = gst::Caps::new_any();
    let template = gst::PadTemplate::new("any", gst::PadDirection::Sink, gst::PadPresence::Always, &any).unwrap();
    let pad =
        gst::Pad::builder_from_template(&template).event_function(|_, _, _| true).chain_function(move |_, _, frame| {
            chain(frame);
            Ok(gst::FlowSuccess::Ok)
        });
    let pad = pad.build();
    pad.set_active(true).unwrap();
    pad
}

impl Stream {
    fn new(model: &OnDisk, settings: &[(&str, &str)]) -> Stream {
        let element = rig::element(&model.path, settings);
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let any = gst::Caps::new_any();
        let template = gst::PadTemplate::new("all", gst::PadDirection::Src, gst::PadPresence::Always, &any).unwrap();
        let source = gst::Pad::from_template(&template);
        source.set_active(true).unwrap();
        source.link(&element.static_pad("sink").unwrap()).unwrap();
        let awaited = Arc::new(Mutex::new(Awaited::default()));
        let seen = awaited.clone();
        let end = sink(move |frame| {
            let mut seen = seen.lock().unwrap();
            seen.out += 1;
            let wanted = seen.times.pop_front();
            if wanted != Some(frame.pts()) && seen.wrong.is_none() {
                seen.wrong = Some(format!("{:?} came out, not {wanted:?}", frame.pts()));
            }
        });
        element.static_pad("src").unwrap().link(&end).unwrap();
        let of = info(VideoFormat::I420, 64, 48);
        let mut stream = Stream {
            element,
            bus,
            source,
            _sink: end,
            awaited,
            of,
            ms: 0,
            sent: 0,
            flushed: 0,
            warnings: 0,
            heatmap: None,
        };
        stream.start();
        stream
    }

    fn start(&mut self) {
        let started = self.element.set_state(gst::State::Playing);
        assert!(started.is_ok(), "{:?}", self.bus.pop_filtered(&[gst::MessageType::Error]));
        assert!(self.source.push_event(gst::event::StreamStart::new("soak")));
        self.caps();
        self.segment();
    }

    fn caps(&mut self) {
        assert!(self.source.push_event(gst::event::Caps::new(&self.of.to_caps().unwrap())), "{:?}", self.of);
    }

    fn segment(&mut self) {
        assert!(self.source.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())));
    }

    fn push(&mut self) {
        self.ms += 40;
        let mut frame = if self.ms.is_multiple_of(80) { halves(&self.of, 230, 10) } else { halves(&self.of, 20, 200) };
        let time = Some(gst::ClockTime::from_mseconds(self.ms));
        frame.get_mut().unwrap().set_pts(time);
        self.awaited.lock().unwrap().times.push_back(time);
        assert_eq!(
            self.source.push(frame),
            Ok(gst::FlowSuccess::Ok),
            "{:?}",
            self.element.property::<gst::Structure>("stats")
        );
        self.sent += 1;
    }

    /// Reads the bus; all that was sent and not flushed is out, but for what may be in flight.
    fn check(&mut self, in_flight: usize) {
        while let Some(message) = self.bus.pop() {
            match message.view() {
                gst::MessageView::Error(error) => panic!("{} {:?}", error.error(), error.debug()),
                gst::MessageView::Warning(_) => self.warnings += 1,
                _ => {}
            }
        }
        let awaited = self.awaited.lock().unwrap();
        assert!(awaited.wrong.is_none(), "{:?}", awaited.wrong);
        assert!(awaited.times.len() <= in_flight, "{} frames are still to come", awaited.times.len());
        assert_eq!(awaited.out + self.flushed + awaited.times.len() as u64, self.sent);
    }

    /// What is in flight is dropped, as it is to be.
    fn forget(&mut self) {
        let mut awaited = self.awaited.lock().unwrap();
        assert!(awaited.times.len() <= 64, "{} frames were in flight", awaited.times.len());
        self.flushed += std::mem::take(&mut awaited.times).len() as u64;
    }

    fn drain(&mut self) {
        self.source.push_event(gst::event::CustomDownstream::new(gst::Structure::new_empty("drain")));
        self.check(0);
    }

    fn flush(&mut self) {
        assert!(self.source.push_event(gst::event::FlushStart::new()));
        assert!(self.source.push_event(gst::event::FlushStop::new(true)));
        self.forget();
        self.segment();
    }

    fn cycle(&mut self, random: &mut Random, models: &[OnDisk]) {
        let down = random.of(&[gst::State::Null, gst::State::Ready]);
        self.element.set_state(down).unwrap();
        self.forget();
        // What cannot be opened is the end where frames wait for it.
        for (name, value) in
            [("fault", ""), ("target-layer", ""), ("input-size", ""), ("target-class", ""), ("roi", "")]
        {
            self.element.set_property(name, value);
        }
        self.element.set_property("model", models[random.below(models.len())].path.to_str());
        self.element.set_property_from_str("mode", random.of(&["sync", "async"]));
        self.start();
    }

    fn toggle_heatmap(&mut self) {
        match self.heatmap.take() {
            Some((pad, _)) => self.element.release_request_pad(&pad),
            None => {
                let (pad, end) = (self.element.request_pad_simple("heatmap").unwrap(), sink(drop));
                pad.link(&end).unwrap();
                self.heatmap = Some((pad, end));
            }
        }
    }

    /// Whatever an application might do, and a model might suffer.
    fn disturb(&mut self, random: &mut Random, models: &[OnDisk]) {
        let (name, values): (&str, &[&str]) = match random.below(28) {
            0 => ("alpha", &["0", "0.3", "1"]),
            1 => ("colormap", &["jet", "gray", "turbo", "viridis"]),
            2 => ("draw-labels", &["true", "false"]),
            3 => ("target-class", &["bright", "dark", "0", "-2", "-1,-2", "nonsense", ""]),
            4 => ("inference-interval", &["1", "1", "2", "7"]),
            5 => ("min-change", &["0", "0.02", "0.5"]),
            6 => ("expire-overlay", &["0", "1", "100000000", "1000000000"]),
            7 => ("max-in-flight", &["1", "2", "4", "64"]),
            8 => ("top-k", &["1", "2", "100"]),
            9 => ("roi", &["0,0,0.5,1", "nonsense", ""]),
            10 => ("output-map-meta", &["true", "false"]),
            11 => ("attach-meta", &["true", "false"]),
            12 => ("method", &["gradcam", "cam", "hirescam", "layercam"]),
            13 => ("target-layer", &["layer", "conv", "nonsense", ""]),
            14 => ("input-size", &["", "24x16", "1x1", "nonsense"]),
            15 => ("engine-id", &["", "a", "b"]),
            16 | 17 => ("fault", FAULTS),
            18 | 19 => ("fault", &[""]),
            20 => return self.flush(),
            21 => return self.cycle(random, models),
            22 => return self.toggle_heatmap(),
            23 => {
                assert!(self.source.push_event(gst::event::Eos::new()));
                self.check(0);
                return self.flush();
            }
            24 => {
                let format = random.of(&formats().collect::<Vec<_>>());
                let (width, height) = (1 + random.below(90) as u32, 1 + random.below(70) as u32);
                self.of = info(format, width, height);
                self.drain();
                return self.caps();
            }
            25 => {
                let model = random.of(&models.iter().collect::<Vec<_>>());
                return self.element.set_property("model", model.path.to_str());
            }
            26 => ("model", &["/nowhere/m.onnx"]),
            _ => return self.drain(),
        };
        self.element.set_property_from_str(name, random.of(values));
    }

    fn stop(mut self, what: &str) {
        self.drain();
        let stats: gst::Structure = self.element.property("stats");
        self.element.set_state(gst::State::Null).unwrap();
        // Messages hold the element, which holds the bus.
        self.bus.set_flushing(true);
        let count = |name| stats.get::<u64>(name).unwrap();
        println!(
            "{what}: {} frames in, {} out, {} dropped by flushes and stops, {} warnings; since its last start {} inferences, {} maps",
            self.sent,
            self.awaited.lock().unwrap().out,
            self.flushed,
            self.warnings,
            count("inferences"),
            count("frames-annotated")
        );
    }
}

const FAULTS: &[&str] = &[
    "fail-every=3",
    "fail-every=1",
    "nan-every=2",
    "panic-at=5",
    "kill-at=4",
    "kill-every=1",
    "hang-at=6",
    "slow-ms=3",
    "fail-load=1",
    "slow-load-ms=30",
    "panic-paint-at=3",
];

/// Nothing but frames: memory must not grow by a megabyte in 60 000 of them.
fn in_peace(mode: (&str, &str), time: Duration) {
    let model = models::save(&models::sides());
    let mut stream = Stream::new(&model, &[mode, ("draw-labels", "true"), ("post-messages", "true")]);
    let (end, mut memory) = (Instant::now() + time, Memory::default());
    while Instant::now() < end || stream.sent < 10 * EVERY {
        stream.push();
        if stream.sent.is_multiple_of(EVERY) {
            stream.check(64);
            memory.look(stream.sent);
        }
    }
    let (frames, what) = (stream.sent as f64, format!("{}={}", mode.0, mode.1));
    stream.stop(&what);
    memory.report(&what);
    let grown = memory.slope() * frames;
    assert!(grown < 1024.0 * (frames / 60_000.0).max(1.0), "{what}: {grown:.0} kB more after {frames} frames");
}

/// Two streams that share what they can, each with its own mishaps.
fn in_trouble(seed: u64, time: Duration) {
    let models =
        [models::sides(), models::five(), models::colours(), models::nobody()].map(|model| models::save(&model));
    let memory = Mutex::new(Memory::default());
    std::thread::scope(|scope| {
        for n in 0..2u64 {
            let (models, memory) = (&models, &memory);
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_add(n));
                let mut stream = Stream::new(&models[0], &[("mode", "async"), ("inference-timeout", "0.2")]);
                let end = Instant::now() + time;
                while Instant::now() < end {
                    for _ in 0..random.below(40) {
                        stream.push();
                        if n == 0 && stream.sent.is_multiple_of(EVERY) {
                            memory.lock().unwrap().look(stream.sent);
                        }
                    }
                    stream.check(64);
                    stream.disturb(&mut random, models);
                }
                stream.stop(&format!("in trouble, stream {n}"));
            });
        }
    });
    let memory = memory.into_inner().unwrap();
    memory.report("in trouble");
    // Models come and go, so it is no straight line; but neither does it rise.
    let (first, second) = memory.0.split_at(memory.0.len() / 2);
    let most = |points: &[(f64, f64)]| points.iter().map(|point| point.1).fold(0.0, f64::max);
    let enough = first.len() > 100;
    assert!(!enough || most(second) < 1.25 * most(first), "{} kB at most, then {} kB", most(first), most(second));
}

#[test]
#[ignore = "as long as one likes: make soak"]
fn soak() {
    let number = |name, other| std::env::var(name).map_or(other, |text| text.parse().expect("a number"));
    let time = Duration::from_secs(number(SECONDS, 60));
    let seed = number(SEED, std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into());
    println!("{SEED}={seed}");
    // What is there for good after the first of all.
    in_trouble(seed, time / 20);
    let (before, open) = (threads(), files());
    for mode in [("max-in-flight", "1"), ("max-in-flight", "4"), ("mode", "async")] {
        in_peace(mode, time / 6);
    }
    in_trouble(seed, time * 9 / 20);
    rig::until("as many threads as at first", || (threads() <= before).then_some(()));
    assert!(files() <= open, "{} files are open, {open} at first", files());
    println!("{} threads and {} files at the end", threads(), files());
}
