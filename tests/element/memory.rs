//! Whose memory frames lie in: what is refused, what neighbours agree on, and that nothing is copied without need.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoMeta};

use crate::rig::{self, Rig, halves, info};

#[test]
fn a05_memory_that_is_not_the_systems_is_refused_and_the_former_caps_go_on() {
    let mut rig = Rig::new(info(VideoFormat::Nv12, 64, 48), &[]);
    let good = rig.info.clone();
    let features = ["memory:DMABuf", "memory:GLMemory", "memory:CUDAMemory", "memory:VAMemory", "format:Interlaced"];
    for feature in features {
        let mut caps = good.to_caps().unwrap();
        caps.get_mut().unwrap().set_features(0, Some(gst::CapsFeatures::new([feature])));
        assert!(!rig.pad().query_accept_caps(&caps), "{feature} is accepted");
        assert!(!rig.pad().send_event(gst::event::Caps::new(&caps)), "{feature} is taken");
        assert!(rig.caps(&good), "after {feature}");
        rig.halves(230, 0);
        // Pipelines end at the link, by the element's name.
        let text = format!("fakesrc ! video/x-raw({feature}),format=NV12,width=64,height=48 ! gradcam ! fakesink");
        let error = gst::parse::launch(&text).expect_err(feature);
        assert!(error.matches(gst::ParseError::Link) && error.message().contains("gradcam"), "{feature}: {error}");
    }
    assert!(rig.warnings().is_empty());
}

/// What upstream hears when it asks how to allocate, where downstream offers a pool and metas or nothing.
fn offered(rig: &Rig, metas: bool) -> gst::query::Allocation<gst::Query> {
    let caps = rig.info.to_caps().unwrap();
    let size = rig.info.size() as u32;
    let source = rig.element.static_pad("src").unwrap();
    let of_pool = caps.clone();
    let probe = source.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM | gst::PadProbeType::PUSH, move |_, probe| {
        let Some(query) = probe.query_mut() else { return gst::PadProbeReturn::Ok };
        let gst::QueryViewMut::Allocation(query) = query.view_mut() else { return gst::PadProbeReturn::Ok };
        if metas {
            let alignment = gst::Structure::builder("video-meta").field("padding-left", 16u32).build();
            query.add_allocation_meta::<VideoMeta>(Some(&alignment));
            let pool = gst_video::VideoBufferPool::new();
            let mut config = pool.config();
            config.set_params(Some(&of_pool), size + 4096, 3, 7);
            pool.set_config(config).unwrap();
            query.add_allocation_pool(Some(&pool), size + 4096, 3, 7);
        }
        gst::PadProbeReturn::Handled
    });
    let mut query = gst::query::Allocation::new(Some(&caps), true);
    assert!(rig.pad().query(query.query_mut()));
    source.remove_probe(probe.unwrap());
    query
}

#[test]
fn a11_upstream_allocates_as_downstream_wishes() {
    for mode in ["sync", "async"] {
        let rig = Rig::new(info(VideoFormat::I420, 66, 50), &[("mode", mode)]);
        let query = offered(&rig, true);
        let at = query.find_allocation_meta::<VideoMeta>().expect("the meta is offered");
        let (_, alignment) = query.allocation_metas().nth(at as usize).unwrap();
        assert_eq!(alignment.expect("an alignment").get::<u32>("padding-left"), Ok(16));
        let pools: Vec<_> = query.allocation_pools().collect();
        let [(Some(_), size, 3, 7)] = pools.as_slice() else { panic!("downstream's pool, not {pools:?}") };
        assert_eq!(*size as usize, rig.info.size() + 4096);
        // The very buffer goes on: a sink that knows no strides must not be given any.
        assert!(offered(&rig, false).find_allocation_meta::<VideoMeta>().is_none());
    }
}

#[test]
fn a11_frames_are_painted_where_they_lie() {
    for mode in [("max-in-flight", "1"), ("mode", "async")] {
        let mut rig = Rig::new(info(VideoFormat::I420, 64, 48), &[("target-class", "bright"), mode]);
        let mut painted = 0;
        for n in 0..20u64 {
            let frame = rig.frame(n, 230, 0);
            let (at, before) = (frame.map_readable().unwrap().as_ptr(), rig::bytes(&frame));
            let out = rig.pass(frame);
            assert_eq!(out.map_readable().unwrap().as_ptr(), at, "{mode:?}: frame {n} was copied");
            painted += usize::from(rig::bytes(&out) != before);
            if mode.1 == "async" && painted == 0 {
                rig::until("a map", || (!rig.at(n, 230, 0).1).then_some(()));
            }
        }
        assert!(painted >= 18, "{mode:?}: {painted}");
    }
}

/// A frame that others hold, too, is copied once and theirs left alone.
#[test]
fn a09_a_frame_that_is_shared_is_left_alone() {
    let of = info(VideoFormat::Rgb, 64, 48);
    for mode in [("max-in-flight", "1"), ("max-in-flight", "4"), ("mode", "async")] {
        let rig = Rig::new(of.clone(), &[("target-class", "bright"), mode]);
        let shared: Vec<gst::Buffer> = (0..12).map(|_| halves(&of, 230, 0)).collect();
        let before = rig::bytes(&shared[0]);
        for frame in &shared {
            rig.pad().chain(frame.clone()).unwrap();
        }
        rig.pad().send_event(gst::event::Eos::new());
        assert!(shared.iter().all(|frame| rig::bytes(frame) == before), "{mode:?}");
    }
}
