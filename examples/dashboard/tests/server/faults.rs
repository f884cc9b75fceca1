//! A model that fails: the picture goes on, and it is said why there is no map.

use serde_json::Value;

use crate::client::Viewer;
use crate::models;
use crate::rig::Dashboard;

/// The pictures go on without maps, with this in the reason.
fn goes_on_without(dashboard: &Dashboard, why: &str) {
    let state =
        dashboard.becomes(1, "has a problem", |state| state["problem"].as_str().is_some_and(|it| it.contains(why)));
    assert_eq!(state["state"], "playing", "{state:?}");
    let mut viewer = Viewer::open(dashboard.address(), "/api/cameras/1/live");
    for _ in 0..5 {
        let shot = viewer.next();
        let head = &shot.head;
        assert_eq!((&head["state"], &head["seen"]), (&"playing".into(), &Value::Null), "{head}");
        assert!(head["problem"].as_str().is_some_and(|it| it.contains(why)), "{head}");
        shot.picture();
    }
    dashboard.frames_go_on(1, 20.0);
    assert!(dashboard.metric("gradcam_score", 1).is_nan());
}

#[test]
fn a_file_that_is_no_model_leaves_the_picture() {
    let dashboard = Dashboard::start(&["test:ball"], &[], models::save_bytes(b"this is no model"));
    goes_on_without(&dashboard, "not a usable ONNX file");
}

#[cfg(feature = "fault-injection")]
mod on_purpose {
    use super::*;
    use crate::rig::until;

    fn with(fault: &str) -> Dashboard {
        Dashboard::with(&["test:ball"], &["--set", &format!("fault={fault}")])
    }

    #[test]
    fn a_model_that_cannot_be_loaded_leaves_the_picture() {
        goes_on_without(&with("fail-load=1"), "on purpose");
    }

    #[test]
    fn a_model_that_fails_at_every_frame_leaves_the_picture() {
        goes_on_without(&with("fail-every=1"), "on purpose");
    }

    #[test]
    fn a_model_that_gives_no_numbers_leaves_the_picture() {
        goes_on_without(&with("nan-every=1"), "");
    }

    /// One of them breaks down once: its maps come back.
    #[test]
    fn a_model_that_panics_once_comes_back() {
        for fault in ["panic-at=5", "kill-at=5", "fail-every=7"] {
            let dashboard = with(fault);
            dashboard.explains(1);
            let mut viewer = Viewer::open(dashboard.address(), "/api/cameras/1/live");
            dashboard.frames_go_on(1, 30.0);
            let shot = viewer.explained();
            assert_eq!(shot.head["state"], "playing", "{fault}: {}", shot.head);
            until("a state without a problem", || dashboard.state(1)["problem"].is_null().then_some(()));
        }
    }

    /// A panic beside the model ends the pipeline: the camera begins anew.
    #[test]
    fn a_camera_whose_element_breaks_begins_anew() {
        let dashboard = with("panic-frame-at=20");
        until("a loss", || (dashboard.metric("gradcam_losses_total", 1) >= 1.0).then_some(()));
        dashboard.plays(1);
    }
}
