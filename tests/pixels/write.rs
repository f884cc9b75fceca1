//! Words on frames.

use gstgradcam::frame::Format;
use gstgradcam::render::{Corner, Font, Line, Painter, Style, Words, hue};

use crate::picture::{COLORS, Picture, SIZES, pixels};

fn painter() -> Painter {
    Painter::new(Style::DEFAULT)
}

fn gray(format: Format, size: (usize, usize)) -> Picture {
    Picture::of(format, size, COLORS[1], 7, |_, _| [128.0; 3])
}

fn written(format: Format, size: (usize, usize), lines: &[&str]) -> Picture {
    let mut picture = gray(format, size);
    painter().write(&mut picture.frame_mut(), &Words::plain(lines.iter().copied())).unwrap();
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
        painter.write(&mut picture.frame_mut(), &Words::plain([text])).unwrap();
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

/// Everything that can be written.
fn all(corner: Corner) -> Words {
    let line = |text: &str, bar, hue| Line { text: text.into(), bar, hue };
    let lines =
        vec![line("tabby 93 %", Some(0.93), Some(1)), line("lynx 4 %", Some(0.04), Some(2)), line("cpu", None, None)];
    Words { lines, legend: true, corner }
}

#[test]
fn words_stand_in_the_corner_that_is_asked_for_inside_any_frame() {
    for format in Format::all() {
        for size in SIZES.into_iter().chain([(160, 120), (161, 121)]) {
            for corner in Corner::ALL {
                let (mut picture, plain) = (gray(format, size), gray(format, size));
                painter().write(&mut picture.frame_mut(), &all(*corner)).unwrap();
                // each pixel of the others would take long
                if size.0 < 160 || ![Format::Rgb, Format::Nv12, Format::Yuy2].contains(&format) {
                    continue;
                }
                let changed: Vec<(usize, usize)> =
                    pixels(size).filter(|&(x, y)| picture.rgb(x, y) != plain.rgb(x, y)).collect();
                let (right, bottom) = (
                    matches!(corner, Corner::TopRight | Corner::BottomRight),
                    matches!(corner, Corner::BottomLeft | Corner::BottomRight),
                );
                let most = |of: fn(&(usize, usize)) -> usize| changed.iter().map(of).max().unwrap();
                let least = |of: fn(&(usize, usize)) -> usize| changed.iter().map(of).min().unwrap();
                let near = |ok: bool| assert!(ok, "{} {size:?} {corner:?}", format.name());
                near(if right { most(|at| at.0) + 8 > size.0 } else { least(|at| at.0) < 8 });
                near(if bottom { most(|at| at.1) + 8 > size.1 } else { least(|at| at.1) < 8 });
                near(changed.len() < size.0 * size.1 * 7 / 10);
            }
        }
    }
}

fn near(have: [f64; 3], want: [u8; 3], within: f64) -> bool {
    have.iter().zip(want).all(|(have, want)| (have - f64::from(want)).abs() <= within)
}

#[test]
fn bars_are_as_long_as_their_shares_and_marks_have_their_colours() {
    let size = (640, 480);
    let written = |words: &Words| {
        let mut picture = gray(Format::Rgb, size);
        painter().write(&mut picture.frame_mut(), words).unwrap();
        picture
    };
    let bar = |share| {
        let picture = written(&Words { lines: vec![Line { bar: Some(share), ..Line::default() }], ..Words::default() });
        pixels(size).filter(|&(x, y)| picture.rgb(x, y)[0] > 250.0).count()
    };
    let full = bar(1.0);
    assert!(full > 100 && bar(0.0) == 0 && (bar(0.5) * 2).abs_diff(full) <= 4, "{full}, {}", bar(0.5));
    let picture = written(&all(Corner::TopLeft));
    for class in [1, 2] {
        let count = pixels(size).filter(|&(x, y)| near(picture.rgb(x, y), hue(class), 2.0)).count();
        assert!(count > 50, "{count} pixels of class {class}");
    }
    let seen = |want: [u8; 3]| pixels(size).any(|(x, y)| near(picture.rgb(x, y), want, 8.0));
    for heat in [0.1, 0.35, 0.6, 0.9] {
        assert!(seen(Style::DEFAULT.colormap.at(heat)), "the legend has no colour of {heat}");
    }
}

#[test]
fn a_font_of_ones_own_is_taken_and_no_font_is_refused() {
    let words = Words::plain(["Wij"]);
    let mut painter = painter();
    let mut write = |font: Option<Font>| {
        let mut picture = gray(Format::Rgb, (200, 100));
        font.into_iter().for_each(|font| painter.set_font(font));
        painter.write(&mut picture.frame_mut(), &words).unwrap();
        picture
    };
    let mono = Font::new(dejavu::sans_mono::regular().to_vec(), "mono.ttf").unwrap();
    let (own, other) = (write(None), write(Some(mono)));
    assert!(own != other && own == write(Some(Font::default())));
    for bytes in [vec![], b"no font".to_vec(), dejavu::sans::regular()[..200].to_vec()] {
        let error = Font::new(bytes, "bad.ttf").unwrap_err().to_string();
        assert!(error.starts_with("font=bad.ttf") && error.contains("TrueType"), "{error}");
    }
}
