//! What is painted stays inside the boxes, to the bit.

use gst::prelude::*;
use gst_video::VideoFormat;

use super::{LIST, changed_beside, mark, marked, objects};
use crate::models;
use crate::rig::{self, Rig, bytes, fill, formats, info};

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

#[test]
fn side_by_side_the_maps_are_in_the_right_picture_only() {
    // Widths whose doubles leave no bytes unused between rows: nobody writes those.
    for (format, width) in [(VideoFormat::Rgbx, 65), (VideoFormat::I420, 68), (VideoFormat::Nv12, 68)] {
        let of = info(format, width, 48);
        let regions = [(3, 5, 21, 21), (41, 10, 20, 30)];
        let settings = [LIST, ("output-mode", "side-by-side"), ("colormap", "jet"), ("draw-labels", "true")];
        let mut rig = Rig::new(of.clone(), &settings);
        let out = rig.pass(marked(&of, 0, &regions));
        let double = info(format, 2 * width, 48);
        let mut plain = Rig::new(of.clone(), &[LIST, ("output-mode", "side-by-side"), ("alpha", "0")]);
        let before = bytes(&plain.pass(marked(&of, 0, &regions)));
        let right = regions.map(|(x, y, w, h)| (x + width, y, w, h));
        let (beside, inside) = changed_beside(&double, &before, &bytes(&out), &right);
        assert_eq!(beside, 0, "{format:?}");
        assert!(inside.iter().all(|count| *count > 100), "{format:?}: {inside:?}");
    }
}

#[test]
fn a_region_whose_class_is_doubtful_is_left_alone() {
    let of = info(VideoFormat::Rgb, 64, 48);
    let regions = [(4, 4, 24, 40), (40, 4, 20, 20)];
    // About 0.73 in the light half and 0.69 in the dark one.
    let mut rig = Rig::new(of.clone(), &[LIST, ("confidence-threshold", "0"), ("draw-labels", "true")]);
    let out = rig.pass(marked(&of, 0, &regions));
    let scores: Vec<f32> = objects(&out).iter().map(|object| object.seen[0].guess.score).collect();
    assert!(scores[0] != scores[1], "{scores:?}");
    let between = f64::from((scores[0] + scores[1]) / 2.0);
    rig.element.set_property("confidence-threshold", between);
    let frame = marked(&of, 1, &regions);
    let before = bytes(&frame);
    let out = rig.pass(frame);
    let (beside, inside) = changed_beside(&of, &before, &bytes(&out), &regions);
    let painted: Vec<bool> = inside.iter().map(|count| *count > 0).collect();
    assert_eq!((beside, painted), (0, scores.iter().map(|score| f64::from(*score) >= between).collect()));
}
