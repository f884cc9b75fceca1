//! The pictures of the report: small, plain and with each map painted on.

use gstgradcam::frame::Region;
use gstgradcam::render::{Colormap, Painter, Style};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};

use super::super::Record;
use crate::Result;
use crate::explain::frame_mut;

/// So many cases are shown.
const MOST: usize = 60;
/// The longer side of a picture.
const SIDE: u32 = 256;
const QUALITY: u8 = 82;
const STYLE: Style = Style { colormap: Colormap::Turbo, alpha: 0.55, ..Style::DEFAULT };

/// The first cases, in order.
#[derive(Debug, Default)]
pub struct Shots(pub Vec<Shot>);

/// One case's pictures, as JPEG files.
#[derive(Debug)]
pub struct Shot {
    pub plain: Vec<u8>,
    /// One for each row.
    pub painted: Vec<Vec<u8>>,
    /// What the model sees, as fractions of the picture.
    region: Region,
}

impl Shots {
    pub fn take(&mut self, record: &Record, picture: &RgbImage, region: Region) -> Result<()> {
        if self.0.len() == MOST {
            return Ok(());
        }
        let (width, height) = picture.dimensions();
        let scale = f64::from(SIDE) / f64::from(width.max(height));
        let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        let small = resize(picture, side(width), side(height), FilterType::Triangle);
        let relative = Region {
            x: region.x / width as f32,
            y: region.y / height as f32,
            width: region.width / width as f32,
            height: region.height / height as f32,
        };
        let (across, down) = (small.width() as f32, small.height() as f32);
        let on_small = Region {
            x: relative.x * across,
            y: relative.y * down,
            width: relative.width * across,
            height: relative.height * down,
        };
        let mut painter = Painter::new(STYLE);
        let painted = record.maps.iter().map(|map| {
            let mut picture = small.clone();
            painter.paint(&mut frame_mut(&mut picture)?, map.view(), on_small)?;
            jpeg(&picture)
        });
        let shot = Shot { plain: jpeg(&small)?, painted: painted.collect::<Result<_>>()?, region: relative };
        self.0.push(shot);
        Ok(())
    }
}

impl Shot {
    /// A point of the model's input as fractions of the picture.
    pub fn point(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let along = |origin: f32, extent: f32, at: f64| f64::from(origin) + f64::from(extent) * at;
        (along(self.region.x, self.region.width, x), along(self.region.y, self.region.height, y))
    }
}

fn jpeg(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))
        .map_err(|error| format!("a picture of the report cannot be made: {error}"))?;
    Ok(bytes)
}
