//! Regions of a detector upstream: each explained by itself, and painted inside its box only.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo, VideoRegionOfInterestMeta};
use gstgradcam::element::maps_of;
use gstgradcam::frame::{Color, Format, Frame, Matrix, Plane, Range};
use gstgradcam::prep::{Overrides, Preprocess, ResizeMode};
use gstgradcam::record::Object;
use gstgradcam::{Explainer, Explanation, Options, Record};

use crate::models;
use crate::rig::{self, Rig, bytes, fill, formats, halves, info, until};
use crate::support;

const LIST: (&str, &str) = ("inference-region", "roi-list");
const EACH: [(&str, &str); 2] = [("post-messages", "true"), ("message-interval", "0")];

type Rect = (u32, u32, u32, u32);

/// What a detector does: its regions on a buffer, with ids from 1 on.
fn mark(buffer: &mut gst::Buffer, regions: &[Rect]) {
    let buffer = buffer.get_mut().unwrap();
    for (id, &rect) in (1..).zip(regions) {
        VideoRegionOfInterestMeta::add(buffer, "thing", rect).set_id(id);
    }
}

fn marked(of: &VideoInfo, ms: u64, regions: &[Rect]) -> gst::Buffer {
    let mut buffer = halves(of, 230, 20);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(ms));
    mark(&mut buffer, regions);
    buffer
}

/// A full-range RGB frame of noise, the same for the same seed.
fn noise(of: &VideoInfo, seed: u32) -> gst::Buffer {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut data = vec![0u8; of.size()];
    for byte in &mut data {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    gst::Buffer::from_mut_slice(data)
}

fn messages(rig: &Rig) -> Vec<Record> {
    let all = std::iter::from_fn(|| rig.bus.pop_filtered(&[gst::MessageType::Element]));
    all.map(|message| Record::from_message(&message).expect("a message of the element")).collect()
}

fn objects(buffer: &gst::BufferRef) -> Vec<Object> {
    Record::from_buffer(buffer).expect("a meta").objects
}

fn stat(rig: &Rig, name: &str) -> u64 {
    rig.element.property::<gst::Structure>("stats").get(name).unwrap()
}

/// The part of an RGB frame, cut out and explained by itself.
fn alone(explainer: &mut Explainer, rgb: &[u8], width: usize, (x, y, w, h): Rect) -> Explanation {
    let [x, y, w, h] = [x, y, w, h].map(|side| side as usize);
    let rows = rgb.chunks(width * 3).skip(y).take(h);
    let own: Vec<u8> = rows.flat_map(|row| &row[x * 3..][..w * 3]).copied().collect();
    let color = Color { matrix: Matrix::Bt601, range: Range::Full };
    let frame = Frame::new(Format::Rgb, w, h, color, vec![Plane { data: &own, stride: w * 3 }]).unwrap();
    let best = explainer.targets("").unwrap();
    explainer.explain(&frame, &best).unwrap()
}

fn is_as_alone(object: &Object, want: &Explanation) {
    let (have, want) = (&object.seen[0].guess, &want.maps[0]);
    assert_eq!((have.class, &have.label), (want.class, &want.label));
    assert!((have.score - want.score).abs() < 1e-6, "{} not {}", have.score, want.score);
}

#[test]
fn each_region_is_explained_as_its_picture_alone() {
    let of = info(VideoFormat::Rgb, 160, 96);
    let path = models::save(&models::sides());
    for mode in [ResizeMode::Stretch, ResizeMode::Letterbox, ResizeMode::Crop, ResizeMode::FullFrame] {
        let prep = Overrides { preprocess: Preprocess::ZeroOne, resize_mode: Some(mode), ..Overrides::default() };
        let options = Options { prep, runtime_library: support::runtime(), threads: 1, ..Options::default() };
        let mut explainer = Explainer::open(&path.path, &options).unwrap();
        let settings = [LIST, ("output-map-meta", "true"), ("resize-mode", mode.name())];
        let mut rig = Rig::new(of.clone(), &settings);
        for seed in 0..3 {
            // odd places and sizes; one reaches beyond the frame
            let regions = [(3, 5, 41, 37), (77, 31, 60, 61), (150, 90, 40, 40), (90, 1, 16, 20)];
            let mut frame = noise(&of, seed);
            // Darker in some regions than in others.
            {
                let mut map = frame.get_mut().unwrap().map_writable().unwrap();
                map.iter_mut().take(160 * 3 * 30).for_each(|byte| *byte /= 4);
            }
            let rgb = bytes(&frame);
            mark(&mut frame, &regions);
            let out = rig.pass(frame);
            let found = objects(&out);
            let ids: Vec<i32> = found.iter().map(|object| object.id).collect();
            assert_eq!(ids, [2, 1, 4, 3], "the largest first");
            let maps = maps_of(&out).expect("maps");
            assert_eq!(maps.shape(), [4, 8, 8]);
            for (object, map) in found.iter().zip(maps.outer_iter()) {
                let (x, y, w, h) = regions[object.id as usize - 1];
                let clipped = (x, y, w.min(160 - x), h.min(96 - y));
                let [bx, by, bw, bh] = [clipped.0, clipped.1, clipped.2, clipped.3].map(|side| side as f32);
                let bounds = (object.bounds.x, object.bounds.y, object.bounds.width, object.bounds.height);
                assert_eq!(bounds, (bx, by, bw, bh));
                let want = alone(&mut explainer, &rgb, 160, clipped);
                is_as_alone(object, &want);
                let off = map.iter().zip(&want.maps[0].map).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off < 1e-6, "{mode:?} {:?}: off by {off}", object.id);
                assert!((object.region.x - want.region.x - bx).abs() < 1e-3, "{:?}", object.region);
                // What is told lies in the box, and is what it is of the picture alone.
                let place = want.maps[0].summary(want.region, (clipped.2 as usize, clipped.3 as usize), None);
                let place = place.unwrap().moved((bx, by));
                let have = object.seen[0].summary.clone().unwrap();
                assert!((have.peak.0 - place.peak.0).abs() + (have.peak.1 - place.peak.1).abs() < 0.01);
                assert!(
                    (have.centroid.0 - place.centroid.0).abs() < 0.01 && (have.entropy - place.entropy).abs() < 1e-4
                );
                assert!(have.hot.x >= bx && have.hot.x + have.hot.width <= bx + bw + 1e-3, "{:?}", have.hot);
            }
        }
        assert!(rig.warnings().is_empty());
    }
}

#[test]
fn photographs_side_by_side_have_the_classes_that_they_have_alone() {
    let Some(data) = support::shared() else { return };
    let names = ["images/chickadee.jpg", "images/strawberry.jpg"];
    let pictures = names.map(|name| image::open(data.join(name)).unwrap().to_rgb8());
    let width = pictures.iter().map(|picture| picture.width()).sum::<u32>();
    let height = pictures.iter().map(|picture| picture.height()).max().unwrap();
    let of = info(VideoFormat::Rgb, width, height);
    let mut scene = image::RgbImage::new(width, height);
    let mut regions = Vec::new();
    let mut x = 0;
    for picture in &pictures {
        image::imageops::replace(&mut scene, picture, i64::from(x), 0);
        regions.push((x, 0, picture.width(), picture.height()));
        x += picture.width();
    }
    let stride = of.stride()[0] as usize;
    let mut rows = vec![0; of.size()];
    for (row, from) in rows.chunks_mut(stride).zip(scene.chunks(width as usize * 3)) {
        row[..from.len()].copy_from_slice(from);
    }
    let mut frame = gst::Buffer::from_mut_slice(rows);
    mark(&mut frame, &regions);
    let settings = [LIST, ("preprocess", "auto"), ("resize-mode", "auto"), ("threads", "0")];
    let model = support::demo_model();
    let bytes_of_model = std::fs::read(&model).unwrap();
    let mut rig = Rig::with_model(models::save_bytes(&bytes_of_model, "efficientnet-lite0.onnx"), of, &settings);
    let out = rig.pass(frame);
    let found = objects(&out);
    assert_eq!(found.len(), 2);
    let mut explainer = support::demo(Options::default());
    for object in found {
        let want = alone(&mut explainer, &scene, width as usize, regions[object.id as usize - 1]);
        let (have, want) = (&object.seen[0].guess, &want.maps[0]);
        assert_eq!(have.class, want.class, "{}: {have:?}", names[object.id as usize - 1]);
        assert!((have.score - want.score).abs() < 1e-4, "{} not {}", have.score, want.score);
    }
    let classes: Vec<usize> = objects(&out).iter().map(|object| object.seen[0].guess.class).collect();
    assert_ne!(classes[0], classes[1], "two different things");
}

/// Each sample of a frame with the pixels that share it, whether it is as it was, and whether those pixels are inside a region.
fn changed_beside(of: &VideoInfo, before: &[u8], after: &[u8], regions: &[Rect]) -> (usize, Vec<usize>) {
    let (width, height) = (of.width(), of.height());
    let (mut beside, mut inside) = (0, vec![0; regions.len()]);
    let mut known = vec![false; before.len()];
    for component in 0..of.format_info().n_components() as u8 {
        let info = of.format_info();
        let (sx, sy) = (1u32 << info.w_sub()[component as usize], 1u32 << info.h_sub()[component as usize]);
        let plane = of.comp_plane(component) as usize;
        for y in 0..of.comp_height(component) {
            for x in 0..of.comp_width(component) {
                let at = of.offset()[plane] + y as usize * of.stride()[plane] as usize;
                let at = at + (x as i32 * of.comp_pstride(component)) as usize + of.comp_poffset(component) as usize;
                known[at] = true;
                if before[at] == after[at] {
                    continue;
                }
                let (x0, y0) = (x * sx, y * sy);
                let (x1, y1) = ((x0 + sx).min(width), (y0 + sy).min(height));
                let holds = |&(left, top, w, h): &Rect| {
                    x0 >= left
                        && y0 >= top
                        && u64::from(x1) <= u64::from(left) + u64::from(w)
                        && u64::from(y1) <= u64::from(top) + u64::from(h)
                };
                let own: Vec<usize> = (0..regions.len()).filter(|&i| holds(&regions[i])).collect();
                beside += usize::from(own.is_empty());
                own.into_iter().for_each(|i| inside[i] += 1);
            }
        }
    }
    beside += (0..before.len()).filter(|&at| !known[at] && before[at] != after[at]).count();
    (beside, inside)
}

#[test]
fn nothing_beside_the_boxes_is_touched_in_any_format_at_odd_places_too() {
    for format in formats() {
        let of = info(format, 129, 97);
        let settings = [LIST, ("colormap", "jet"), ("alpha", "0.5"), ("draw-labels", "true")];
        let mut rig = Rig::new(of.clone(), &settings);
        for regions in [
            vec![(4, 6, 40, 30), (70, 50, 32, 28)],
            vec![(3, 5, 41, 31), (71, 51, 33, 27)],
            vec![(100, 80, 900, u32::MAX), (0, 0, 21, 23)],
            vec![(11, 11, 60, 60), (31, 31, 60, 60)],
            vec![(51, 20, 5, 5)],
        ] {
            let mut data = vec![rig::PADDING; of.size()];
            fill(&of, &mut data, of.offset(), of.stride(), |c, x, y| (c as u32 * 31 + x * 7 + y * 13) as u8 / 2 + 60);
            let mut frame = gst::Buffer::from_mut_slice(data.clone());
            mark(&mut frame, &regions);
            let after = bytes(&rig.pass(frame));
            let (beside, inside) = changed_beside(&of, &data, &after, &regions);
            assert_eq!(beside, 0, "{format:?} {regions:?}: bytes beside the boxes have changed");
            for (region, count) in regions.iter().zip(&inside) {
                assert!(*count > 0, "{format:?}: nothing is painted in {region:?}");
            }
        }
        assert!(rig.warnings().is_empty(), "{format:?}");
    }
}

#[test]
fn each_box_has_its_own_caption_inside() {
    let of = info(VideoFormat::Rgb, 320, 240);
    // In the light half and in the dark half.
    let regions = [(20, 40, 120, 100), (180, 40, 120, 100)];
    let mut rig = Rig::new(of.clone(), &[LIST, ("alpha", "0")]);
    let plain = bytes(&rig.pass(marked(&of, 0, &regions)));
    assert_eq!(plain, bytes(&marked(&of, 0, &[])), "alpha=0 without words paints nothing");
    rig.element.set_property("draw-labels", true);
    let written = bytes(&rig.pass(marked(&of, 1, &regions)));
    let rows: Vec<(u32, u32)> = (0..plain.len())
        .filter(|&at| plain[at] != written[at])
        .map(|at| ((at / 3 % 320) as u32, (at / 3 / 320) as u32))
        .collect();
    for (x, y, w, _) in regions {
        let own = rows.iter().filter(|(px, py)| (x..x + w).contains(px) && (y..y + 30).contains(py)).count();
        assert!(own > 100, "{own} pixels of a caption");
    }
    assert!(rows.iter().all(|(_, y)| (40..70).contains(y)), "a line in each upper left corner");
    let labels: Vec<String> =
        objects(&rig.pass(marked(&of, 2, &regions))).iter().map(|object| object.seen[0].guess.label.clone()).collect();
    assert_eq!(labels, ["bright", "dark"]);
}

#[test]
fn a_frame_without_a_region_passes_untouched_and_says_so() {
    let of = info(VideoFormat::I420, 64, 48);
    for mode in ["sync", "async"] {
        let mut rig = Rig::new(of.clone(), &[&EACH[..], &[LIST, ("mode", mode), ("wait-for-model", "true")]].concat());
        // None, none with pixels, none in the frame, and one too small.
        for regions in [&[][..], &[(0, 0, 0, 0)], &[(64, 0, 20, 20), (0, 48, 9, 9)], &[(5, 5, 3, 40)]] {
            let frame = marked(&of, 0, regions);
            let before = bytes(&frame);
            let out = rig.pass(frame);
            assert!(bytes(&out) == before && Record::from_buffer(&out).is_none(), "{regions:?}");
            let told = messages(&rig);
            let [record] = told.as_slice() else { panic!("{told:?}") };
            assert!(!record.annotated && record.objects.is_empty(), "{record:?}");
            assert!(record.reason.as_ref().is_some_and(|why| why.contains("no region")), "{record:?}");
        }
        assert_eq!((stat(&rig, "inferences"), stat(&rig, "inferences-skipped"), stat(&rig, "failures")), (0, 4, 0));
        assert!(rig.warnings().is_empty());
    }
}

#[test]
fn of_a_hundred_regions_the_largest_are_taken() {
    let of = info(VideoFormat::Nv12, 640, 480);
    let mut rig = Rig::new(of.clone(), &[LIST]);
    let regions: Vec<Rect> = (0..100).map(|i| (i * 5, i % 10 * 40, 10 + i / 2, 10 + i / 2)).collect();
    for (most, inferences) in [(None, 8), (Some(3u32), 11), (Some(64), 75)] {
        if let Some(most) = most {
            rig.element.set_property("max-regions", most);
        }
        let out = rig.pass(marked(&of, 0, &regions));
        let ids: Vec<i32> = objects(&out).iter().map(|object| object.id).collect();
        let most = most.unwrap_or(8) as i32;
        assert_eq!(ids.len(), most as usize);
        assert!(ids.iter().all(|&id| id > 98 - most), "the smaller ones are left out: {ids:?}");
        assert_eq!(stat(&rig, "inferences"), inferences);
        assert_eq!(out.iter_meta::<VideoRegionOfInterestMeta>().count(), 100 + most as usize, "the detector's stay");
    }
    assert!(rig.warnings().is_empty());
}

#[test]
fn a_region_that_this_element_has_marked_is_none() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::new(of.clone(), &[LIST]);
    let out = rig.pass(marked(&of, 0, &[(2, 2, 20, 20), (40, 10, 20, 30)]));
    let own: Vec<i32> = out
        .iter_meta::<VideoRegionOfInterestMeta>()
        .filter(|meta| meta.param("gradcam").is_some())
        .map(|meta| meta.parent_id())
        .collect();
    assert_eq!(own, [2, 1], "each with the id of the detector's region");
    // As behind another one of its kind: the same two regions.
    let again = rig.pass(out);
    assert_eq!(stat(&rig, "inferences"), 4);
    assert_eq!(again.iter_meta::<VideoRegionOfInterestMeta>().count(), 6);
}

#[test]
fn in_async_mode_the_newest_maps_are_painted_each_in_its_box() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &[LIST, ("mode", "async"), ("colormap", "jet")]);
    let regions = [(3, 3, 21, 21), (40, 10, 20, 30), (30, 0, 8, 8)];
    let mut ms = 0;
    let found = until("maps of all regions", || {
        ms += 1;
        let frame = marked(&of, ms, &regions);
        let before = bytes(&frame);
        let out = rig.pass(frame);
        let (beside, _) = changed_beside(&of, &before, &bytes(&out), &regions);
        assert_eq!(beside, 0, "frame {ms}");
        Record::from_buffer(&out).map(|record| record.objects)
    });
    assert_eq!(found.iter().map(|object| object.id).collect::<Vec<_>>(), [2, 1, 3], "never a part of them");
    let out = marked(&of, ms + 1, &[]);
    let before = bytes(&out);
    assert!(bytes(&rig.pass(out)) == before, "a frame without a region");
    // Other regions: sooner or later theirs, and never some of these and some of those.
    let others = [(8, 20, 16, 16), (40, 0, 9, 9)];
    until("maps of the other regions", || {
        ms += 2;
        let out = rig.pass(marked(&of, ms, &others));
        let widths: Vec<f32> = objects(&out).iter().map(|object| object.bounds.width).collect();
        assert!(widths == [20.0, 21.0, 8.0] || widths == [16.0, 9.0], "{widths:?}");
        (widths.len() == 2).then_some(())
    });
    assert!(rig.warnings().is_empty());
}

#[test]
fn frames_in_flight_come_out_as_one_after_the_other_to_the_bit() {
    let of = info(VideoFormat::Nv12, 64, 48);
    let played = |in_flight: &str| {
        let mut rig = Rig::new(of.clone(), &[LIST, ("max-in-flight", in_flight), ("draw-labels", "true")]);
        for n in 0..24u32 {
            let all = [(n, 2, 30, 21), (3, n, 11, 17), (30, 10, 9 + n, 30)];
            rig.pad().chain(marked(&of, u64::from(n), &all[..(n % 4) as usize])).unwrap();
        }
        rig.pad().send_event(gst::event::Eos::new());
        let out: Vec<_> = std::iter::from_fn(|| rig.harness.try_pull()).map(|out| (out.pts(), bytes(&out))).collect();
        assert!(rig.warnings().is_empty());
        out
    };
    let one = played("1");
    assert_eq!(one.len(), 24, "frames are lost");
    assert!(one.is_sorted_by(|a, b| a.0 < b.0));
    for more in ["2", "64"] {
        assert!(played(more) == one, "max-in-flight={more}");
    }
}

#[test]
fn a_flush_in_the_middle_of_a_frame_leaves_nothing_to_the_next() {
    let of = info(VideoFormat::I420, 64, 48);
    let mut rig = Rig::new(of.clone(), &[LIST, ("max-in-flight", "64")]);
    let regions: Vec<Rect> = (0..8).map(|i| (i * 7, 0, 14, 40)).collect();
    for ms in 0..20 {
        rig.pad().chain(marked(&of, ms, &regions)).unwrap();
    }
    assert!(rig.pad().send_event(gst::event::FlushStart::new()));
    assert!(rig.pad().send_event(gst::event::FlushStop::new(true)));
    while rig.harness.try_pull().is_some() {}
    rig.segment(0);
    rig.element.set_property("max-in-flight", 1u32);
    let found = objects(&rig.pass(marked(&of, 100, &[(2, 2, 20, 20), (40, 2, 10, 10)])));
    let seen: Vec<_> = found.iter().map(|object| (object.id, object.seen[0].guess.label.as_str())).collect();
    assert_eq!(seen, [(1, "bright"), (2, "dark")]);
}

#[test]
fn a_region_that_moves_is_explained_anew_however_like_it_looks() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::new(of.clone(), &[LIST, ("min-change", "0.1")]);
    for (ms, x, runs) in [(0, 2, 1), (10, 2, 1), (20, 4, 2), (30, 4, 2), (40, 30, 3)] {
        let found = objects(&rig.pass(marked(&of, ms, &[(x, 2, 20, 20)])));
        assert_eq!((found[0].bounds.x, stat(&rig, "inferences")), (x as f32, runs), "at {ms} ms");
    }
    objects(&rig.pass(marked(&of, 50, &[(30, 2, 20, 20), (2, 2, 9, 9)])));
    assert_eq!(stat(&rig, "inferences"), 5, "one more region: both anew");
}

#[test]
fn between_inferences_the_newest_maps_are_painted_where_they_were_made() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::new(of.clone(), &[LIST, ("inference-interval", "3")]);
    let seen: Vec<Option<f32>> = (0..7)
        .map(|n| {
            let regions = [(n * 2, 2, 20, 20)];
            let out = rig.pass(marked(&of, u64::from(n), if n == 1 { &[] } else { &regions }));
            Record::from_buffer(&out).map(|record| record.objects[0].bounds.x)
        })
        .collect();
    // The second has no region; the third bears the map of the first.
    assert_eq!(seen, [Some(0.0), None, Some(0.0), Some(6.0), Some(6.0), Some(6.0), Some(12.0)]);
    assert_eq!(stat(&rig, "inferences"), 3);
}

#[test]
fn a_region_that_cannot_be_explained_is_its_frames_error() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let settings = [LIST, ("self-check", "false")];
    let mut rig = Rig::with_model(models::save(&models::not_a_number()), of.clone(), &settings);
    // The left half is too bright for this model.
    for (regions, fine) in
        [(&[(40, 4, 20, 20)][..], true), (&[(4, 4, 20, 20), (40, 4, 10, 10)], false), (&[(40, 4, 10, 10)], true)]
    {
        let frame = marked(&of, 0, regions);
        let before = bytes(&frame);
        let out = rig.pass(frame);
        assert_eq!((Record::from_buffer(&out).is_some(), bytes(&out) != before), (fine, fine), "{regions:?}");
    }
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("NaN"), "{text}");
    assert_eq!((stat(&rig, "frames-annotated"), stat(&rig, "failures"), stat(&rig, "inferences")), (2, 1, 4));
}

#[test]
fn the_message_tells_of_each_region_and_the_frame_itself_has_no_class() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let settings = [&EACH[..], &[LIST, ("target-class", "bright,dark"), ("top-k", "2"), ("roi", "0,0,0.5,1")]].concat();
    let mut rig = Rig::new(of.clone(), &settings);
    let out = rig.pass(marked(&of, 40, &[(4, 4, 24, 40), (28, 8, 8, 8)]));
    let told = messages(&rig).remove(0);
    assert_eq!(Record::from_buffer(&out).as_ref(), Some(&told));
    assert_eq!(Record::from_structure(&told.to_structure()).as_ref(), Some(&told));
    assert_eq!((told.region, told.seen.len(), told.best.len(), told.inference_time), (None, 0, 0, None));
    assert!(told.annotated && told.reason.is_none());
    let [left, middle] = told.objects.as_slice() else { panic!("{told:?}") };
    for object in [left, middle] {
        let labels: Vec<&str> = object.seen.iter().map(|one| one.guess.label.as_str()).collect();
        assert_eq!((labels, object.best.len()), (vec!["bright", "dark"], 2));
        assert!(object.inference_time.is_some_and(|time| !time.is_zero()));
    }
    let share = |object: &Object, class: usize| object.seen[class].summary.as_ref().and_then(|place| place.roi_share);
    assert!((share(left, 0).unwrap() - 1.0).abs() < 1e-6, "all of it in the left half");
    let middle = share(middle, 0).unwrap();
    assert!((0.6..1.0).contains(&middle), "light where the left half ends: {middle}");
    assert!(left.seen[1].summary.is_none(), "nothing dark there");
}

#[test]
fn what_is_explained_is_decided_at_the_start() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let mut rig = Rig::new(of.clone(), &[]);
    rig.element.set_property_from_str("inference-region", "roi-list");
    let out = rig.pass(marked(&of, 0, &[(4, 4, 20, 20)]));
    assert!(objects(&out).is_empty() && !Record::from_buffer(&out).unwrap().seen.is_empty(), "the frame goes on");
    let warnings = rig.warnings();
    let [(_, text)] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
    assert!(text.contains("inference-region") && text.contains("next start"), "{text}");
}

#[test]
fn the_pad_heatmap_is_black_beside_the_boxes() {
    let of = info(VideoFormat::I420, 64, 48);
    let (model, _others) = (models::save(&models::sides()), rig::among_others());
    let text = "appsrc name=source ! GRADCAM ! queue ! fakesink sync=false";
    let pipeline = rig::launch(text, &model.path, &[LIST]);
    let sink = gst_app::AppSink::builder().sync(false).build();
    let queue = gst::ElementFactory::make("queue").build().unwrap();
    pipeline.add_many([&queue, sink.upcast_ref()]).unwrap();
    queue.link(&sink).unwrap();
    let gradcam = pipeline.iterate_elements().find(|e| e.factory().is_some_and(|f| f.name() == "gradcam")).unwrap();
    gradcam.link_pads(Some("heatmap"), &queue, Some("sink")).unwrap();
    let source: gst_app::AppSrc = pipeline.by_name("source").unwrap().downcast().unwrap();
    source.set_caps(Some(&of.to_caps().unwrap()));
    source.set_format(gst::Format::Time);
    pipeline.set_state(gst::State::Playing).unwrap();
    let regions = [(2, 4, 20, 20), (40, 10, 20, 30)];
    for list in [&regions[..], &[]] {
        source.push_buffer(marked(&of, 0, list)).unwrap();
        let sample = sink.pull_sample().unwrap();
        let grey = bytes(sample.buffer().unwrap());
        for (at, &level) in grey.iter().enumerate() {
            let (x, y) = ((at % 64) as u32, (at / 64) as u32);
            let lit =
                list.iter().any(|&(left, top, w, h)| (left..left + w).contains(&x) && (top..top + h).contains(&y));
            // Each region is of one grey, and so is its map.
            assert_eq!(level, if lit { 255 } else { 0 }, "{x}, {y} of {list:?}");
        }
    }
    source.end_of_stream().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
}

#[cfg(feature = "fault-injection")]
#[test]
fn no_frame_is_lost_or_half_painted_for_a_fault_in_one_of_its_regions() {
    let of = info(VideoFormat::Nv12, 64, 48);
    let regions = [(2, 4, 20, 20), (40, 10, 20, 30), (24, 0, 14, 14)];
    for fault in ["fail-every=4", "nan-every=5", "kill-at=5", "panic-at=5"] {
        for mode in ["sync", "async"] {
            let settings = [LIST, ("mode", mode), ("fault", fault), ("max-in-flight", "4"), ("wait-for-model", "true")];
            let mut rig = Rig::new(of.clone(), &settings);
            for ms in 0..40 {
                rig.pad().chain(marked(&of, ms, &regions)).unwrap();
            }
            rig.pad().send_event(gst::event::Eos::new());
            let out: Vec<_> = std::iter::from_fn(|| rig.harness.try_pull()).collect();
            assert_eq!(out.len(), 40, "{fault} {mode}");
            for frame in &out {
                let count = Record::from_buffer(frame).map_or(0, |record| record.objects.len());
                assert!(count == 0 || count == 3, "{fault} {mode}: {count} regions");
            }
            if mode == "sync" {
                let plain = out.iter().filter(|frame| Record::from_buffer(frame).is_none()).count() as u64;
                assert_eq!(plain, stat(&rig, "failures"), "{fault}");
                assert!((1..40).contains(&plain), "{fault}: {plain} of 40 frames bear no map");
            }
        }
    }
}
