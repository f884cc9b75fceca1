//! What the model saw comes back to where it was: frame to tensor, tensor to map, map to frame.

use gstgradcam::frame::{Format, Region};
use gstgradcam::prep::{Element, LETTERBOX_GRAY, Layout, Overrides, Preparer, Preprocess, ResizeMode, Spec};
use gstgradcam::render::{Colormap, Painter, Style};
use ndarray::Array2;

use crate::picture::{COLORS, Picture, pixels};

const INPUT: usize = 64;
const CELLS: usize = 16;

fn tensor(picture: &Picture, mode: ResizeMode, layout: Layout) -> (Vec<f32>, Region) {
    let overrides = Overrides { preprocess: Preprocess::Raw, resize_mode: Some(mode), ..Overrides::default() };
    let spec =
        Spec::resolve((INPUT, INPUT), layout, (3, Element::Float), &Default::default(), None, &overrides).unwrap();
    let mut out = vec![f32::NAN; 3 * INPUT * INPUT];
    let region = Preparer::new(spec).prepare(&picture.frame(), &mut out).unwrap();
    (out, region)
}

/// A "model" that looks for red: its map is by how much each block is redder than green. Letterbox grey is not.
fn look(tensor: &[f32]) -> Array2<f32> {
    let block = INPUT / CELLS;
    Array2::from_shape_fn((CELLS, CELLS), |(row, column)| {
        let at = |(x, y)| (row * block + y) * INPUT + column * block + x;
        let redness = pixels((block, block)).map(at).map(|i| tensor[i] - tensor[INPUT * INPUT + i]).sum::<f32>();
        if redness > 200.0 { redness } else { 0.0 }
    })
}

/// The brightness-weighted middle of what was painted.
fn middle(picture: &Picture) -> (f64, f64) {
    let (mut sum, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
    for (x, y) in pixels(picture.size) {
        let v = picture.rgb(x, y)[1];
        sum += v;
        x_sum += v * (x as f64 + 0.5);
        y_sum += v * (y as f64 + 0.5);
    }
    (x_sum / sum, y_sum / sum)
}

#[test]
fn a_bright_spot_comes_back_to_its_place() {
    for format in [Format::Nv12, Format::Yuy2, Format::Bgr] {
        for size in [(300, 200), (199, 301), (160, 160)] {
            let black = Picture::of(format, size, COLORS[2], 3, |_, _| [0.0; 3]);
            for mode in ResizeMode::ALL {
                for (u, v) in [(0.3, 0.4), (0.62, 0.68)] {
                    let spot = ((size.0 as f64 * u), (size.1 as f64 * v));
                    let lit = |x: f64, y: f64| {
                        let near = (x - spot.0).abs() < 12.0 && (y - spot.1).abs() < 12.0;
                        if near { [255.0, 0.0, 0.0] } else { [0.0; 3] }
                    };
                    let picture = Picture::of(format, size, COLORS[2], 3, lit);
                    let (tensor, region) = tensor(&picture, *mode, Layout::ChannelsFirst);
                    let map = look(&tensor);
                    let mut back = black.clone();
                    let mut painter = Painter::new(Style { colormap: Colormap::Gray, alpha: 1.0, ..Style::DEFAULT });
                    assert!(painter.paint(&mut back.frame_mut(), map.view(), region).unwrap());
                    let (x, y) = middle(&back);
                    // Half a cell of the map, in pixels of the frame.
                    let (dx, dy) = (f64::from(region.width) / 32.0, f64::from(region.height) / 32.0);
                    let what = format!("{} {size:?} {mode:?}: {spot:?} came back at {x:.1},{y:.1}", format.name());
                    assert!((x - spot.0).abs() < dx && (y - spot.1).abs() < dy, "{what}");
                }
            }
        }
    }
}

#[test]
fn regions_are_what_each_mode_promises() {
    let region = |size, mode| tensor(&Picture::noise(Format::Rgb, size, COLORS[2], 0), mode, Layout::ChannelsFirst).1;
    let of = |x, y, width, height| Region { x, y, width, height };
    assert_eq!(region((300, 200), ResizeMode::Stretch), of(0.0, 0.0, 300.0, 200.0));
    assert_eq!(region((300, 200), ResizeMode::Crop), of(50.0, 0.0, 200.0, 200.0));
    assert_eq!(region((200, 301), ResizeMode::Crop), of(0.0, 50.5, 200.0, 200.0));
    assert_eq!(region((320, 160), ResizeMode::Letterbox), of(0.0, -80.0, 320.0, 320.0));
    assert_eq!(region((160, 320), ResizeMode::Letterbox), of(-80.0, 0.0, 320.0, 320.0));
    assert_eq!(region((1, 1), ResizeMode::Letterbox), of(0.0, 0.0, 1.0, 1.0));
    // 1000 x 3 becomes 64 x 1 (never 0 rows), in the 32nd row of 64.
    assert_eq!(region((1000, 3), ResizeMode::Letterbox), of(0.0, -93.0, 1000.0, 192.0));
}

#[test]
fn letterbox_puts_grey_beside_the_picture_in_both_layouts() {
    let picture = Picture::of(Format::Rgb, (320, 160), COLORS[2], 0, |_, _| [255.0, 0.0, 0.0]);
    let (first, _) = tensor(&picture, ResizeMode::Letterbox, Layout::ChannelsFirst);
    let (last, _) = tensor(&picture, ResizeMode::Letterbox, Layout::ChannelsLast);
    for (x, y) in pixels((INPUT, INPUT)) {
        let want = if (16..48).contains(&y) { [255.0, 0.0, 0.0] } else { [LETTERBOX_GRAY; 3] };
        for c in 0..3 {
            assert!((first[(c * INPUT + y) * INPUT + x] - want[c]).abs() < 1e-3, "{x},{y}");
            assert!((last[(y * INPUT + x) * 3 + c] - want[c]).abs() < 1e-3, "{x},{y}");
        }
    }
}

#[test]
fn a_crop_is_painted_only_where_the_model_looked() {
    let before = Picture::noise(Format::I420, (300, 200), COLORS[0], 9);
    let (_, region) = tensor(&before, ResizeMode::Crop, Layout::ChannelsFirst);
    let mut after = before.clone();
    let mut painter = Painter::new(Style { colormap: Colormap::Jet, alpha: 1.0, ..Style::DEFAULT });
    painter.paint(&mut after.frame_mut(), Array2::from_elem((2, 2), 1.0).view(), region).unwrap();
    for (x, y) in pixels((300, 200)) {
        let inside = (50..250).contains(&x);
        let same = (0..3).all(|c| before.get(c, x, y) == after.get(c, x, y));
        assert_ne!(same, inside, "{x},{y}");
    }
}
