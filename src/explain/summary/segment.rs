//! The largest connected part of a surface above a height, and the box round it.

use super::surface::{Patch, Surface};
use crate::frame::Region;

/// A point on the frame, in pixels.
type Point = (f64, f64);

/// A connected part, as far as it was walked over.
#[derive(Debug, Clone, Copy)]
struct Part {
    area: f64,
    from: Point,
    to: Point,
}

/// The box round the largest part higher than `height`, which some place must be. The box is exact; areas take the outline within a
/// patch for straight, which matters only between parts of nearly the same size.
pub(super) fn largest(surface: &Surface, height: f64) -> Region {
    let hot = |corner: usize| surface.value(corner) > height;
    let mut links = Links((0..surface.len()).collect());
    for patch in surface.patches() {
        let [a, b, c, d] = patch.corners;
        for (one, other) in [(a, b), (b, c), (c, d), (d, a)] {
            if hot(one) && hot(other) {
                links.join(one, other);
            }
        }
        if let Some((one, other)) = diagonal(&patch, hot)
            && saddle_is_above(&patch, surface, height)
        {
            links.join(one, other);
        }
    }
    let none = Part { area: 0.0, from: (f64::MAX, f64::MAX), to: (f64::MIN, f64::MIN) };
    let mut parts = vec![none; surface.len()];
    for patch in surface.patches() {
        outlines(&patch, surface, height, |corner, outline| parts[links.root(corner)].add(outline));
    }
    // the first of the largest
    let part = parts.iter().rev().max_by(|a, b| a.area.total_cmp(&b.area)).unwrap_or(&none);
    let (x, y) = part.from;
    Region { x: x as f32, y: y as f32, width: (part.to.0 - x) as f32, height: (part.to.1 - y) as f32 }
}

/// Two corners across from each other that alone are hot.
fn diagonal(patch: &Patch, hot: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    match (patch.corners, patch.corners.map(hot)) {
        ([a, _, c, _], [true, false, true, false]) => Some((a, c)),
        ([_, b, _, d], [false, true, false, true]) => Some((b, d)),
        _ => None,
    }
}

/// Whether the ridge between two hot corners stays above the height. At its saddle a bilinear patch of the corners a, b, c, d in a
/// circle is (ac - bd) / (a + c - b - d).
fn saddle_is_above(patch: &Patch, surface: &Surface, height: f64) -> bool {
    let [a, b, c, d] = patch.corners.map(|corner| surface.value(corner));
    let (top, bottom) = (a * c - b * d, a + c - b - d);
    if bottom > 0.0 { top > height * bottom } else { top < height * bottom }
}

/// Gives what of a patch is hot, as one outline or two, each with a corner of its part.
fn outlines(patch: &Patch, surface: &Surface, height: f64, mut give: impl FnMut(usize, &[Point])) {
    let values = patch.corners.map(|corner| surface.value(corner));
    let hot = values.map(|value| value > height);
    let Some(first) = (0..4).find(|&corner| hot[corner]) else { return };
    let [left, right] = patch.x;
    let [top, bottom] = patch.y;
    let points = [(left, top), (right, top), (right, bottom), (left, bottom)];
    // where the side from one corner to another crosses the height
    let crossing = |one: usize, other: usize| {
        let way = (height - values[one]) / (values[other] - values[one]);
        let along = |from: f64, to: f64| from + (to - from) * way;
        (along(points[one].0, points[other].0), along(points[one].1, points[other].1))
    };
    let apart =
        diagonal(patch, |corner| surface.value(corner) > height).is_some() && !saddle_is_above(patch, surface, height);
    if apart {
        for corner in [first, first + 2] {
            let sides = [(corner + 3) % 4, (corner + 1) % 4].map(|side| crossing(corner, side));
            give(patch.corners[corner], &[sides[0], points[corner], sides[1]]);
        }
        return;
    }
    let (mut outline, mut length) = ([(0.0, 0.0); 8], 0);
    let mut draw = |point| {
        outline[length] = point;
        length += 1;
    };
    for corner in 0..4 {
        let next = (corner + 1) % 4;
        if hot[corner] {
            draw(points[corner]);
        }
        if hot[corner] != hot[next] {
            draw(crossing(corner, next));
        }
    }
    give(patch.corners[first], &outline[..length]);
}

impl Part {
    fn add(&mut self, outline: &[Point]) {
        let turned = outline.iter().skip(1).chain(outline.first());
        let twice: f64 = outline.iter().zip(turned).map(|(p, q)| p.0 * q.1 - q.0 * p.1).sum();
        self.area += twice.abs() / 2.0;
        for &(x, y) in outline {
            self.from = (self.from.0.min(x), self.from.1.min(y));
            self.to = (self.to.0.max(x), self.to.1.max(y));
        }
    }
}

/// Which crossings hang together: each knows another of its part, the root itself.
struct Links(Vec<usize>);

impl Links {
    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}
