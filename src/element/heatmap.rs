//! The pad `heatmap`, if it is requested: the map alone as grey video, beside the painted one, frame for frame.

use std::sync::{Mutex, MutexGuard};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

use super::GradCam;
use super::shown::Shown;
use super::wishes::Live;
use crate::error::Result;
use crate::frame::{Color, Format, FrameMut, Matrix, Plane, Range};
use crate::render::{Colormap, Painter, Style};
use crate::worker::lock;

/// The pad's name, and its template's.
pub(super) const NAME: &str = "heatmap";

/// The map as it is.
const GRAY: Style = Style { colormap: Colormap::Gray, alpha: 1.0, ..Style::DEFAULT };

/// The second source pad and what it needs. The streaming thread holds no lock while it pushes, so that a pad may come and go, and
/// a flush pass, at any time.
#[derive(Debug, Default)]
pub(super) struct Heatmap {
    stream: Mutex<Stream>,
    painter: Mutex<Option<Painter>>,
}

#[derive(Debug, Default)]
struct Stream {
    pad: Option<gst::Pad>,
    info: Option<VideoInfo>,
    /// What a pad that is requested late has missed, in order.
    sticky: Vec<gst::Event>,
}

impl Heatmap {
    fn stream(&self) -> MutexGuard<'_, Stream> {
        lock(&self.stream)
    }

    pub(super) fn template() -> gst::PadTemplate {
        let caps = gst_video::VideoCapsBuilder::new().format(VideoFormat::Gray8).build();
        gst::PadTemplate::new(NAME, gst::PadDirection::Src, gst::PadPresence::Request, &caps)
            .expect("it is named and has caps")
    }

    /// A pad, unless there is one already.
    pub(super) fn request(&self, element: &GradCam, template: &gst::PadTemplate) -> Option<gst::Pad> {
        let pad = {
            let mut stream = self.stream();
            if stream.pad.is_some() {
                return None;
            }
            let pad = gst::Pad::builder_from_template(template).name(NAME).event_function(upstream).build();
            // An element that runs takes no sleeping pad; one that does not puts it to sleep when it goes down.
            pad.set_active(true).ok()?;
            for event in &stream.sticky {
                // Only a flush refuses them, and there is none yet.
                let _ = pad.store_sticky_event(event);
            }
            stream.pad.insert(pad).clone()
        };
        if element.add_pad(&pad).is_err() {
            self.stream().pad = None;
            return None;
        }
        Some(pad)
    }

    pub(super) fn release(&self, element: &GradCam, pad: &gst::Pad) {
        let known = self.stream().pad.take_if(|own| own == pad);
        if let Some(pad) = known {
            // First, since a pad that falls asleep in the middle of a push loses its events before the buffer is through.
            if let Some(peer) = pad.peer() {
                let _ = pad.unlink(&peer);
            }
            // Ends a push in progress; neither can fail for a pad of ours.
            let _ = pad.set_active(false);
            let _ = element.remove_pad(&pad);
        }
    }

    /// The stream is over; a pad stays.
    pub(super) fn stop(&self) {
        let mut stream = self.stream();
        (stream.info, stream.sticky) = (None, Vec::new());
    }

    /// Hands on what came in at the sink and was taken there.
    pub(super) fn event(&self, event: &gst::Event) {
        let (pad, event) = {
            let mut stream = self.stream();
            let event = stream.translated(event);
            stream.remember(&event);
            (stream.pad.clone(), event)
        };
        if let Some(pad) = pad {
            // An event that is not taken there is that branch's affair.
            pad.push_event(event);
        }
    }

    /// The maps of the frame that the buffer holds, as grey video: 0 to 255, linear in the map, scaled as it is painted; black where
    /// there is none. Of maps of either sign 128 is nothing. `None` if nobody wants it.
    pub(super) fn picture(
        &self,
        (shown, signed): (Option<(&Shown, &Live)>, bool),
        buffer: &gst::BufferRef,
    ) -> Result<Option<Picture>> {
        let (pad, info) = {
            let stream = self.stream();
            let wanted = stream.pad.clone().filter(|pad| pad.is_linked());
            let Some(wanted) = wanted.zip(stream.info.clone()) else { return Ok(None) };
            wanted
        };
        let mut pixels = vec![if signed { 128 } else { 0 }; info.size()];
        if let Some((shown, live)) = shown {
            let stride = usize::try_from(info.stride()[0]).unwrap_or_default();
            let planes = vec![Plane { data: &mut pixels[..], stride }];
            let color = Color { matrix: Matrix::Bt601, range: Range::Full };
            let mut frame = FrameMut::new(Format::Gray8, info.width() as usize, info.height() as usize, color, planes)?;
            let mut painter = lock(&self.painter);
            shown.paint_heat(painter.get_or_insert_with(|| Painter::new(GRAY)), &mut frame, live)?;
        }
        let mut picture = gst::Buffer::from_mut_slice(pixels);
        let flags = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS;
        let to = picture.get_mut().expect("nobody else has it yet");
        // Without memory nothing can fail: times and flags alone are copied.
        let _ = buffer.copy_into(to, flags, ..);
        Ok(Some(Picture { pad, buffer: picture }))
    }
}

/// A frame of the map, and the pad that it is for: one that is requested meanwhile is not linked yet.
#[derive(Debug)]
pub(super) struct Picture {
    pad: gst::Pad,
    buffer: gst::Buffer,
}

impl Picture {
    /// Sends it on. A pad that is not linked, has come to its end or is flushing holds up nobody; an error of its branch is one of
    /// the whole stream.
    pub(super) fn push(self) -> Result<gst::FlowSuccess, gst::FlowError> {
        match self.pad.push(self.buffer) {
            Err(gst::FlowError::NotLinked | gst::FlowError::Eos | gst::FlowError::Flushing) => Ok(gst::FlowSuccess::Ok),
            result => result,
        }
    }
}

/// A frame that is ready, and its map for the second pad.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) buffer: gst::Buffer,
    pub(super) picture: Option<Picture>,
}

impl Ready {
    /// Sends the map on, which must hold no lock; the frame comes back.
    pub(super) fn first(self) -> Result<gst::Buffer, gst::FlowError> {
        self.picture.map_or(Ok(gst::FlowSuccess::Ok), Picture::push).map(|_| self.buffer)
    }
}

/// Lateness of this branch is no reason to skip work for the other; all else goes the usual way.
fn upstream(pad: &gst::Pad, parent: Option<&gst::Object>, event: gst::Event) -> bool {
    event.type_() == gst::EventType::Qos || gst::Pad::event_default(pad, parent, event)
}

impl Stream {
    /// The event as it is on this pad: a stream of its own, with caps of its own.
    fn translated(&mut self, event: &gst::Event) -> gst::Event {
        match event.view() {
            gst::EventView::StreamStart(start) => {
                let id = format!("{}/{NAME}", start.stream_id());
                let own = gst::event::StreamStart::builder(&id).seqnum(event.seqnum()).flags(start.stream_flags());
                own.group_id_if_some(start.group_id()).build()
            }
            gst::EventView::Caps(caps) => match VideoInfo::from_caps(caps.caps()).ok().and_then(|info| gray(&info)) {
                Some((info, caps)) => {
                    self.info = Some(info);
                    gst::event::Caps::builder(&caps).seqnum(event.seqnum()).build()
                }
                None => event.clone(),
            },
            _ => event.clone(),
        }
    }

    /// As a pad keeps its sticky events.
    fn remember(&mut self, event: &gst::Event) {
        use gst::EventType::{Eos, FlushStop, Segment, StreamStart};
        match event.type_() {
            FlushStop => self.sticky.retain(|kept| ![Segment, Eos].contains(&kept.type_())),
            StreamStart => self.sticky.retain(|kept| kept.type_() != Eos),
            _ => {}
        }
        if event.is_sticky() {
            let names = |kept: &gst::Event| {
                kept.structure().map(|structure| structure.name())
                    == event.structure().map(|structure| structure.name())
            };
            let same = |kept: &gst::Event| kept.type_() == event.type_() && (!event.is_sticky_multi() || names(kept));
            match self.sticky.iter().position(same) {
                Some(at) => self.sticky[at] = event.clone(),
                None => self.sticky.push(event.clone()),
            }
        }
    }
}

/// Grey video of the same size, rate and shape of pixels.
fn gray(info: &VideoInfo) -> Option<(VideoInfo, gst::Caps)> {
    let gray = VideoInfo::builder(VideoFormat::Gray8, info.width(), info.height())
        .fps(info.fps())
        .par(info.par())
        .interlace_mode(info.interlace_mode())
        .build()
        .ok()?;
    let caps = gray.to_caps().ok()?;
    Some((gray, caps))
}
