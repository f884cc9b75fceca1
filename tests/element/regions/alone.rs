//! A region is what its picture is alone, and told of so.

use gst_video::{VideoFormat, VideoInfo};
use gstgradcam::element::maps_of;
use gstgradcam::frame::{Color, Format, Frame, Matrix, Plane, Range};
use gstgradcam::prep::{Overrides, Preprocess, ResizeMode};
use gstgradcam::record::Object;
use gstgradcam::{Explainer, Explanation, Options, Record};

use super::{EACH, LIST, Rect, mark, marked, messages, objects};
use crate::rig::{Rig, bytes, info};
use crate::{models, support};

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
