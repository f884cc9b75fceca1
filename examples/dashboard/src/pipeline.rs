//! What happens to a camera's pictures: source, the element `gradcam`, and from there to pictures for the page and to film.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gst::prelude::*;

use crate::Result;
use crate::camera::Camera;
use crate::outlet::stamp;
use crate::source::{make, wiring};

/// A new pipeline round the camera's own element, which must be in no other.
pub fn build(camera: &Arc<Camera>) -> Result<gst::Pipeline> {
    let pipeline = gst::Pipeline::new();
    let source = camera.source.make()?;
    let (queue, tee) = (make("queue")?, make("tee")?);
    queue.set_property("max-size-buffers", 3u32);
    let painter = &camera.painter;
    pipeline.add_many([source.upcast_ref(), &queue, painter, &tee]).map_err(wiring)?;
    gst::Element::link_many([source.upcast_ref(), &queue, painter, &tee]).map_err(wiring)?;
    for outlet in [&camera.tile, &camera.full] {
        let camera = Arc::downgrade(camera);
        let beside = move || camera.upgrade().map(|camera| camera.beside()).unwrap_or_default();
        branch(&pipeline, &tee, &outlet.make(beside)?)?;
    }
    branch(&pipeline, &tee, &camera.film.make()?)?;
    watch(camera);
    Ok(pipeline)
}

fn branch(pipeline: &gst::Pipeline, tee: &gst::Element, bin: &gst::Bin) -> Result<()> {
    pipeline.add(bin).map_err(wiring)?;
    tee.link(bin).map_err(wiring)
}

/// Once a camera: each picture that comes in is stamped, and each that goes out is counted.
fn watch(camera: &Arc<Camera>) {
    let painter = &camera.painter;
    let (Some(sink), Some(src)) = (painter.static_pad("sink"), painter.static_pad("src")) else { return };
    if !camera.first_time() {
        return;
    }
    let element = painter.downgrade();
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, probe| {
        if let Some(buffer) = probe.buffer_mut() {
            let buffer = buffer.make_mut();
            // Motion JPEG comes without times, which encoders cannot do without.
            if buffer.pts().is_none() {
                buffer.set_pts(element.upgrade().and_then(|element| element.current_running_time()));
            }
            stamp(buffer, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        }
        gst::PadProbeReturn::Ok
    });
    let counted = Arc::downgrade(camera);
    src.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |_, probe| {
        match (counted.upgrade(), probe.event().map(|event| event.view())) {
            (Some(camera), Some(gst::EventView::Caps(caps))) => camera.resize(caps.caps()),
            (Some(camera), None) => camera.count(),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}
