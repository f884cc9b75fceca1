//! Words on frames.

use gstgradcam::frame::Format;
use gstgradcam::render::{Painter, Style};

use crate::picture::{COLORS, Picture, SIZES, pixels};

fn painter() -> Painter {
    Painter::new(Style::DEFAULT)
}

fn gray(format: Format, size: (usize, usize)) -> Picture {
    Picture::of(format, size, COLORS[1], 7, |_, _| [128.0; 3])
}

fn written(format: Format, size: (usize, usize), lines: &[&str]) -> Picture {
    let mut picture = gray(format, size);
    let lines: Vec<String> = lines.iter().map(|line| (*line).into()).collect();
    painter().write(&mut picture.frame_mut(), &lines).unwrap();
    picture
}

#[test]
fn words_are_white_on_a_dark_box_in_the_corner_in_every_format() {
    let size = (640, 480);
    let reference = written(Format::Rgb, size, &["tabby 0.93", "gradcam"]);
    for format in Format::all() {
        let picture = written(format, size, &["tabby 0.93", "gradcam"]);
        let level = |(x, y)| picture.rgb(x, y).iter().sum::<f64>() / 3.0;
        let bright = pixels(size).filter(|at| level(*at) > 200.0).count();
        let dark = pixels(size).filter(|at| level(*at) < 70.0).count();
        assert!(bright > 100 && dark > 4 * bright, "{}: {bright} bright, {dark} dark", format.name());
        let changed = |(x, y): (usize, usize)| (level((x, y)) - 128.0).abs() > 2.0;
        let (right, bottom) =
            pixels(size).filter(|at| changed(*at)).fold((0, 0), |m, at| (m.0.max(at.0), m.1.max(at.1)));
        assert!(right < 240 && bottom < 80, "{}: reaches to {right},{bottom}", format.name());
        // The same words in every format, but for rounding.
        for (x, y) in pixels(size) {
            let want = reference.rgb(x, y);
            assert!(
                picture.rgb(x, y).iter().zip(want).all(|(got, want)| (got - want).abs() <= 6.0),
                "{} {x},{y}",
                format.name()
            );
        }
    }
}

#[test]
fn no_frame_is_too_small_and_no_text_too_odd() {
    let long = "x".repeat(10_000);
    let texts: [&[&str]; 6] =
        [&[], &[""], &["\u{10ffff} \u{7} tab\there"], &[&long, "second"], &["a"; 500], &["ÄÖ é ελ ж ∂"]];
    for format in Format::all() {
        for size in SIZES {
            for lines in texts {
                written(format, size, lines);
            }
        }
        assert_eq!(written(format, (64, 48), &[]), gray(format, (64, 48)), "no text, no box");
        assert_eq!(written(format, (1, 1), &["a"]), gray(format, (1, 1)), "no room, no box");
    }
}

#[test]
fn unknown_characters_are_replaced_and_seen() {
    let [unknown, replacement, blank] =
        ["a\u{10ffff}b", "a\u{fffd}b", "a b"].map(|text| written(Format::Rgb, (200, 100), &[text]));
    assert_eq!(unknown, replacement);
    assert_ne!(unknown, blank);
}

#[test]
fn text_follows_changes_of_words_and_frame() {
    let mut painter = painter();
    for (format, size, text) in [
        (Format::Nv12, (200, 100), "one"),
        (Format::Nv12, (200, 100), "two"),
        (Format::Nv12, (300, 400), "two"),
        (Format::Bgrx, (300, 400), "two"),
        (Format::Nv12, (200, 100), "one"),
    ] {
        let mut picture = gray(format, size);
        painter.write(&mut picture.frame_mut(), &[text.into()]).unwrap();
        assert_eq!(picture, written(format, size, &[text]));
    }
}

#[test]
fn words_grow_with_the_frame() {
    let height = |size| {
        let (picture, plain) = (written(Format::Rgb, size, &["H"]), gray(Format::Rgb, size));
        pixels(size).filter(|&(x, y)| picture.rgb(x, y) != plain.rgb(x, y)).map(|(_, y)| y).max().unwrap()
    };
    let (small, large) = (height((320, 240)), height((1280, 960)));
    assert!(large > 3 * small, "{small} rows on 240, {large} on 960");
}
