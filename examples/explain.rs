//! The library in twenty lines: where does a classifier look in a picture?
//!
//!     cargo run --example explain -- MODEL.onnx PICTURE.jpg

use gstgradcam::frame::{Color, Format, Frame, Matrix, Plane, Range};
use gstgradcam::{Explainer, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (model, picture) = args.next().zip(args.next()).ok_or("usage: explain MODEL.onnx PICTURE.jpg")?;
    let mut explainer = Explainer::open(model.as_ref(), &Options::default())?;

    let rgb = image::open(picture)?.to_rgb8();
    let (width, height) = (rgb.width() as usize, rgb.height() as usize);
    let color = Color { matrix: Matrix::Bt601, range: Range::Full }; // what a decoded picture is
    let plane = Plane { data: rgb.as_raw().as_slice(), stride: width * 3 };
    let frame = Frame::new(Format::Rgb, width, height, color, vec![plane])?;

    // The two best classes; an index, a name or a list of them would do as well.
    let targets = explainer.targets("-1, -2")?;
    for seen in explainer.explain(&frame, &targets)?.maps {
        println!("{} ({:.1} %) because of\n{:5.3}", seen.label, seen.score * 100.0, seen.map);
    }
    Ok(())
}
