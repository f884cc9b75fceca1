//! The cameras' counts in Prometheus's text format.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::camera::Camera;

/// A family of figures: name, kind, help, and the figure of a camera.
type Family = (&'static str, &'static str, &'static str, fn(&Camera) -> f64);

const FAMILIES: &[Family] = &[
    ("gradcam_up", "gauge", "Whether the source plays", |camera| f64::from(camera.is_playing())),
    ("gradcam_frames_total", "counter", "Frames that were shown", |camera| camera.counts().0 as f64),
    ("gradcam_losses_total", "counter", "Times that the source was lost", |camera| camera.counts().1 as f64),
    ("gradcam_fps", "gauge", "Frames in the last second", |camera| camera.beside().fps),
    ("gradcam_score", "gauge", "Probability of the class explained, where there is one", Camera::score),
    ("gradcam_viewers", "gauge", "Viewers that look at it", |camera| camera.viewers() as f64),
    ("gradcam_inference_seconds", "gauge", "Median time of the model's latest runs", |camera| {
        camera.stat("inference-p50")
    }),
    ("gradcam_map_age_seconds", "gauge", "Median age of the latest maps", |camera| camera.stat("map-age-p50")),
];

pub fn text(cameras: &[Arc<Camera>]) -> String {
    let mut text = String::new();
    for (name, kind, help, figure) in FAMILIES {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for camera in cameras {
            let source = camera.source.name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(text, "{name}{{camera=\"{}\",name=\"{source}\"}} {}", camera.id, figure(camera));
        }
    }
    text
}
