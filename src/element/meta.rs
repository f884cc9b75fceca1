//! What a buffer takes along of its map: the record and the map itself in a custom meta, and the metas that other elements know.

use std::sync::Once;

use gst::meta::CustomMeta;
use ndarray::Array3;

use super::shown::Shown;
use super::structure::fill;
use crate::explain::ClassMap;
use crate::frame::Region;
use crate::record::{Field, Kind, Record, Seen, field, fields};

/// The custom meta's name. It has no tags: elements that convert, scale or encode take it along as it is, and its places stay those
/// of a frame of its `width` and `height`.
const NAME: &str = "GstGradCamMeta";

/// The parameters of a region meta that this element attaches; no detector's region has them.
pub(super) const MARK: &str = "gradcam";

/// What the meta holds beside the record, where `output-map-meta` is set.
const MAP: &[Field] = &[
    field(
        "map",
        Kind::Data,
        "the raw maps, after the method's ReLU (with `signed=true` without it), before any scaling: float32 in the machine's byte order, [map-count, map-rows, map-columns]",
    ),
    field("map-count", Kind::Whole, "how many: one for each class explained, in their order, object after object"),
    field("map-rows", Kind::Whole, "rows of each"),
    field(
        "map-columns",
        Kind::Whole,
        "columns of each; together they cover the frame's part `region-*`, of an object its own",
    ),
];

/// Every field of the meta that the message has not.
pub fn map_fields() -> impl Iterator<Item = &'static Field> {
    MAP.iter()
}

/// Once a process, before the first buffer.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| CustomMeta::register_simple(NAME));
}

/// The meta of a buffer.
pub(super) fn of(buffer: &gst::BufferRef) -> Option<gst::MetaRef<'_, CustomMeta>> {
    CustomMeta::from_buffer(buffer, NAME).ok()
}

/// The raw maps that a buffer bears, [classes, rows, columns], if the element's `output-map-meta` is set. The record's `region` is the
/// part of the frame that they cover.
pub fn maps_of(buffer: &gst::BufferRef) -> Option<Array3<f32>> {
    let meta = of(buffer)?;
    let structure = meta.structure();
    let size = |name: &str| structure.get::<u32>(name).ok().map(|size| size as usize);
    let bytes = structure.get::<gst::Buffer>("map").ok()?;
    let bytes = bytes.map_readable().ok()?;
    let values = bytes.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect();
    Array3::from_shape_vec((size("map-count")?, size("map-rows")?, size("map-columns")?), values).ok()
}

/// Hangs them all on a buffer whose frame bears a map.
pub(super) fn attach(buffer: &mut gst::BufferRef, record: &Record, shown: &Shown, with_map: bool) {
    if let Ok(mut meta) = CustomMeta::add(buffer, NAME) {
        let structure = meta.mut_structure();
        fill(structure, fields(), &record.to_json());
        if with_map {
            set_maps(structure, &shown.pictures.iter().flat_map(|picture| &picture.seen.maps).collect::<Vec<_>>());
        }
    }
    let objects = record.objects.iter().map(|object| (object.id, object.seen.first()));
    for (parent, seen) in std::iter::once((0, record.seen.first())).chain(objects) {
        let Some(Seen { guess, summary: Some(place) }) = seen else { continue };
        let mut meta = gst_video::VideoRegionOfInterestMeta::add(buffer, &guess.label, inside(place.hot, record.size));
        meta.set_parent_id(parent);
        let params = gst::Structure::builder(MARK)
            .field("class", guess.class as u32)
            .field("label", &guess.label)
            .field("score", f64::from(guess.score));
        meta.add_param(params.build());
    }
    #[cfg(feature = "v1_24")]
    analytics(buffer, record);
}

fn set_maps(structure: &mut gst::StructureRef, maps: &[&ClassMap]) {
    let bytes: Vec<u8> = maps.iter().flat_map(|one| one.map.iter()).flat_map(|value| value.to_ne_bytes()).collect();
    let (rows, columns) = maps.first().map_or((0, 0), |first| first.map.dim());
    structure.set("map", gst::Buffer::from_slice(bytes));
    structure.set("map-count", maps.len() as u32);
    structure.set("map-rows", rows as u32);
    structure.set("map-columns", columns as u32);
}

/// The whole pixels that a box touches: x, y, width, height.
fn inside(region: Region, (width, height): (usize, usize)) -> (u32, u32, u32, u32) {
    let span = |from: f32, length: f32, size: usize| {
        let start = from.floor().max(0.0) as u32;
        let end = ((from + length).ceil() as u32).min(size as u32);
        (start, end.saturating_sub(start))
    };
    let ((x, w), (y, h)) = (span(region.x, region.width, width), span(region.y, region.height, height));
    (x, y, w, h)
}

/// The likeliest classes, as GStreamer 1.24 and later know classifications.
#[cfg(feature = "v1_24")]
fn analytics(buffer: &mut gst::BufferRef, record: &Record) {
    use gst::glib::Quark;
    use gst_analytics::{AnalyticsRelationMeta, AnalyticsRelationMetaClassificationExt};
    // Regions have none: a classification is of the whole frame.
    if record.best.is_empty() {
        return;
    }
    let scores: Vec<f32> = record.best.iter().map(|guess| guess.score).collect();
    let labels: Vec<Quark> = record.best.iter().map(|guess| Quark::from_str(&guess.label)).collect();
    // It grows as it needs to; where it cannot, the classes are still in the element's own meta.
    let _ = AnalyticsRelationMeta::add(buffer).add_cls_mtd(&scores, &labels);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_of_whole_pixels_inside_the_frame() {
        let region = |x, y, width, height| Region { x, y, width, height };
        assert_eq!(inside(region(1.2, 0.0, 2.7, 3.0), (64, 48)), (1, 0, 3, 3));
        assert_eq!(inside(region(-0.5, 47.5, 70.0, 9.0), (64, 48)), (0, 47, 64, 1));
    }
}
