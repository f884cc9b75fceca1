//! What happens to a camera's pictures: the element `gradcam`, and from there to pictures for the page and to film. It plays also while
//! there is no source; the model stays open, and viewers stay.

use gst::prelude::*;

use crate::Result;
use crate::source::{make, wiring};

/// A pipeline without its source.
pub struct Pipeline {
    pub pipeline: gst::Pipeline,
    pub bus: gst::Bus,
    /// Where a source is linked.
    pub entry: gst::Pad,
    tee: gst::Element,
}

impl Pipeline {
    pub fn new(painter: &gst::Element) -> Result<Pipeline> {
        let pipeline = gst::Pipeline::new();
        // Sources come and go, this clock stays.
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        let (queue, tee) = (make("queue")?, make("tee")?);
        // Where pictures come faster than they can be painted, the newest count.
        queue.set_property_from_str("leaky", "downstream");
        queue.set_property("max-size-buffers", 3u32);
        queue.set_property("max-size-bytes", 0u32);
        queue.set_property("max-size-time", 0u64);
        pipeline.add_many([&queue, painter, &tee]).map_err(wiring)?;
        gst::Element::link_many([&queue, painter, &tee]).map_err(wiring)?;
        let entry = queue.static_pad("sink").ok_or("a queue without a pad")?;
        let bus = pipeline.bus().ok_or("a pipeline without a bus")?;
        Ok(Pipeline { pipeline, bus, entry, tee })
    }

    /// One more that gets all pictures.
    pub fn branch(&self, bin: &gst::Bin) -> Result<()> {
        self.pipeline.add(bin).map_err(wiring)?;
        self.tee.link(bin).map_err(wiring)
    }
}
