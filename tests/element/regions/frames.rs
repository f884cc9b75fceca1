//! Frames with regions on their way: which regions count, in both modes, with more frames in flight, with faults.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoRegionOfInterestMeta};
use gstgradcam::Record;

use super::{EACH, LIST, Rect, changed_beside, marked, messages, objects, stat};
use crate::models;
use crate::rig::{Rig, bytes, info, until};

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
fn frames_in_flight_and_batches_come_out_as_one_after_the_other_to_the_bit() {
    let of = info(VideoFormat::Nv12, 64, 48);
    let played = |in_flight: &str, batch: &str| {
        let settings = [LIST, ("max-in-flight", in_flight), ("batch-size", batch), ("draw-labels", "true")];
        let mut rig = Rig::new(of.clone(), &settings);
        for n in 0..24u32 {
            let all = [(n, 2, 30, 21), (3, n, 11, 17), (30, 10, 9 + n, 30)];
            rig.pad().chain(marked(&of, u64::from(n), &all[..(n % 4) as usize])).unwrap();
        }
        rig.pad().send_event(gst::event::Eos::new());
        let out: Vec<_> = std::iter::from_fn(|| rig.harness.try_pull()).map(|out| (out.pts(), bytes(&out))).collect();
        assert!(rig.warnings().is_empty());
        out
    };
    let one = played("1", "1");
    assert_eq!(one.len(), 24, "frames are lost");
    assert!(one.is_sorted_by(|a, b| a.0 < b.0));
    for (more, batch) in [("2", "1"), ("64", "1"), ("1", "2"), ("4", "4")] {
        assert!(played(more, batch) == one, "max-in-flight={more} batch-size={batch}");
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
