//! Pixels that were taken away, from those around them: each becomes the weighted mean of its neighbours, as ROAD has it
//! (Rong et al., ICML 2022, "noisy linear imputation"), without the noise.
//!
//! That is a linear system with an unknown for each pixel that is missing, up to nine tenths of the picture. It is solved by conjugate
//! gradients behind a multigrid cycle over blocks of 2x2 pixels, all channels at once.

use super::tensor::Shape;

/// The neighbours, and the weights of the first four as of the others, in opposite order.
const AROUND: [(isize, isize); 8] = [(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)];
const WEIGHTS: [f32; 8] = [1. / 12., 1. / 6., 1. / 12., 1. / 6., 1. / 6., 1. / 12., 1. / 6., 1. / 12.];
/// The estimated error, of values whose deviation is about one, at which it is enough; ROAD adds noise of 0.01.
const ENOUGH: f32 = 1e-3;
const MOST: usize = 40;

/// As many values as a picture has channels, at most.
type Pixel = [f32; 4];

/// The system on a grid; around it lies a ring of cells that are not part of it.
struct Level {
    stride: usize,
    /// Cells that are unknown.
    cells: Vec<usize>,
    /// For each of them: its diagonal, and how it hangs on its neighbours.
    diagonal: Vec<f32>,
    links: Vec<[f32; 8]>,
    /// Which cell of the next level each becomes part of.
    parents: Vec<usize>,
    offsets: [isize; 8],
    right: Vec<Pixel>,
    x: Vec<Pixel>,
}

/// Fills in the places of `input` that are not `known`; all stay where none or all are.
pub fn impute(input: &mut [f32], shape: Shape, known: &[bool]) {
    let Some((mut levels, mean)) = levels(input, shape, known) else { return };
    let (first, rest) = levels.split_at_mut(1);
    let fine = &mut first[0];
    let size = fine.x.len();
    let mut solution = vec![[0.0; 4]; size];
    fine.cells.iter().for_each(|&cell| solution[cell] = mean);
    let mut residual = fine.residual(&fine.right, &solution);
    let mut direction = vec![[0.0; 4]; size];
    let mut before = [0.0; 4];
    for _ in 0..MOST {
        fine.right.clone_from(&residual);
        fine.x.fill([0.0; 4]);
        cycle(fine, rest);
        let error = fine.sum(|cell| fine.x[cell].map(|v| v * v)).into_iter().fold(0.0, f32::max);
        if (error / fine.cells.len() as f32).sqrt() < ENOUGH {
            fine.cells.iter().for_each(|&cell| add(&mut solution[cell], [1.0; 4], fine.x[cell]));
            break;
        }
        let now = fine.sum(|cell| times(residual[cell], fine.x[cell]));
        let keep = divided(now, before);
        for &cell in &fine.cells {
            let old = direction[cell];
            direction[cell] = fine.x[cell];
            add(&mut direction[cell], keep, old);
        }
        let moved = fine.residual(&vec![[0.0; 4]; size], &direction).into_iter().map(|p| p.map(|v| -v));
        let moved: Vec<Pixel> = moved.collect();
        let step = divided(now, fine.sum(|cell| times(direction[cell], moved[cell])));
        for &cell in &fine.cells {
            add(&mut solution[cell], step, direction[cell]);
            add(&mut residual[cell], step.map(|v| -v), moved[cell]);
        }
        before = now;
    }
    for &cell in &fine.cells {
        let place = (cell / fine.stride - 1) * shape.width + cell % fine.stride - 1;
        for (channel, value) in solution[cell].iter().enumerate().take(shape.channels) {
            input[shape.at(channel, place)] = *value;
        }
    }
}

/// The system on the pixels and on ever coarser grids, and the mean of what is known; `None` where there is nothing to solve.
fn levels(input: &[f32], shape: Shape, known: &[bool]) -> Option<(Vec<Level>, Pixel)> {
    let (width, height) = shape.size();
    let given = known.iter().filter(|known| **known).count();
    if given == 0 || given == known.len() {
        return None;
    }
    let pixel = |place: usize| {
        let mut pixel = [0.0; 4];
        pixel.iter_mut().take(shape.channels).enumerate().for_each(|(c, v)| *v = input[shape.at(c, place)]);
        pixel
    };
    let mut mean = [0.0; 4];
    for place in (0..known.len()).filter(|&place| known[place]) {
        add(&mut mean, [1.0 / given as f32; 4], pixel(place));
    }
    let mut fine = Level::new(width, height);
    for place in (0..known.len()).filter(|&place| !known[place]) {
        let (x, y) = (place % width, place / width);
        let (mut diagonal, mut links, mut right) = (0.0, [0.0; 8], [0.0; 4]);
        for (k, (dx, dy)) in AROUND.into_iter().enumerate() {
            let Some((nx, ny)) = x.checked_add_signed(dx).zip(y.checked_add_signed(dy)) else { continue };
            if nx >= width || ny >= height {
                continue;
            }
            diagonal += WEIGHTS[k];
            if known[ny * width + nx] {
                add(&mut right, [WEIGHTS[k]; 4], pixel(ny * width + nx));
            } else {
                links[k] = WEIGHTS[k];
            }
        }
        let cell = fine.cell(x, y);
        fine.push(cell, diagonal, links);
        fine.right[cell] = right;
    }
    let mut levels = vec![fine];
    let (mut width, mut height) = (width, height);
    while width.max(height) > 2 {
        (width, height) = (width.div_ceil(2), height.div_ceil(2));
        let coarse = levels.last_mut()?.coarser(width, height);
        levels.push(coarse);
    }
    Some((levels, mean))
}

impl Level {
    fn new(width: usize, height: usize) -> Self {
        let stride = width + 2;
        let size = stride * (height + 2);
        let offsets = AROUND.map(|(dx, dy)| dy * stride as isize + dx);
        let none = vec![[0.0; 4]; size];
        Self {
            stride,
            cells: Vec::new(),
            diagonal: Vec::new(),
            links: Vec::new(),
            parents: Vec::new(),
            offsets,
            right: none.clone(),
            x: none,
        }
    }

    fn cell(&self, x: usize, y: usize) -> usize {
        (y + 1) * self.stride + x + 1
    }

    fn push(&mut self, cell: usize, diagonal: f32, links: [f32; 8]) {
        self.cells.push(cell);
        self.diagonal.push(diagonal);
        self.links.push(links);
    }

    /// The same system where blocks of 2x2 cells have one value.
    fn coarser(&mut self, width: usize, height: usize) -> Level {
        let mut coarse = Level::new(width, height);
        let stride = self.stride;
        let block = |cell: usize| ((cell % stride - 1) / 2, (cell / stride - 1) / 2);
        let mut at = vec![usize::MAX; coarse.x.len()];
        for (i, &cell) in self.cells.iter().enumerate() {
            let (x, y) = block(cell);
            let parent = coarse.cell(x, y);
            self.parents.push(parent);
            if at[parent] == usize::MAX {
                at[parent] = coarse.cells.len();
                coarse.push(parent, 0.0, [0.0; 8]);
            }
            let own = at[parent];
            coarse.diagonal[own] += self.diagonal[i];
            for (k, link) in self.links[i].into_iter().enumerate().filter(|(_, link)| *link > 0.0) {
                let (nx, ny) = block(cell.wrapping_add_signed(self.offsets[k]));
                let (dx, dy) = (nx as isize - x as isize, ny as isize - y as isize);
                match AROUND.iter().position(|around| *around == (dx, dy)) {
                    Some(k) => coarse.links[own][k] += link,
                    None => coarse.diagonal[own] -= link,
                }
            }
        }
        coarse
    }

    /// What the neighbours of the i-th cell give it.
    fn pull(&self, i: usize, x: &[Pixel]) -> Pixel {
        let mut sum = [0.0; 4];
        for (link, offset) in self.links[i].iter().zip(self.offsets) {
            add(&mut sum, [*link; 4], x[self.cells[i].wrapping_add_signed(offset)]);
        }
        sum
    }

    fn residual(&self, right: &[Pixel], x: &[Pixel]) -> Vec<Pixel> {
        let mut residual = vec![[0.0; 4]; x.len()];
        for (i, &cell) in self.cells.iter().enumerate() {
            residual[cell] = self.pull(i, x);
            add(&mut residual[cell], [1.0; 4], right[cell]);
            add(&mut residual[cell], [-self.diagonal[i]; 4], x[cell]);
        }
        residual
    }

    /// One pass of Gauss and Seidel, onwards or back.
    fn relax(&mut self, back: bool) {
        let count = self.cells.len();
        for i in (0..count).map(|i| if back { count - 1 - i } else { i }) {
            let cell = self.cells[i];
            let mut value = self.pull(i, &self.x);
            add(&mut value, [1.0; 4], self.right[cell]);
            self.x[cell] = value.map(|v| v / self.diagonal[i]);
        }
    }

    fn sum(&self, of: impl Fn(usize) -> Pixel) -> Pixel {
        self.cells.iter().fold([0.0; 4], |mut sum, &cell| {
            add(&mut sum, [1.0; 4], of(cell));
            sum
        })
    }
}

/// Brings `x` of a level nearer to the solution; symmetric, as conjugate gradients ask.
fn cycle(level: &mut Level, coarser: &mut [Level]) {
    let Some((next, rest)) = coarser.split_first_mut() else {
        for _ in 0..4 {
            level.relax(false);
            level.relax(true);
        }
        return;
    };
    level.relax(false);
    let residual = level.residual(&level.right, &level.x);
    next.right.fill([0.0; 4]);
    next.x.fill([0.0; 4]);
    for (&cell, &parent) in level.cells.iter().zip(&level.parents) {
        add(&mut next.right[parent], [1.0; 4], residual[cell]);
    }
    cycle(next, rest);
    cycle(next, rest);
    for (&cell, &parent) in level.cells.iter().zip(&level.parents) {
        add(&mut level.x[cell], [1.0; 4], next.x[parent]);
    }
    level.relax(true);
}

fn add(to: &mut Pixel, factor: Pixel, what: Pixel) {
    for k in 0..4 {
        to[k] += factor[k] * what[k];
    }
}

fn times(a: Pixel, b: Pixel) -> Pixel {
    std::array::from_fn(|k| a[k] * b[k])
}

/// Zero where there is nothing to divide by.
fn divided(a: Pixel, b: Pixel) -> Pixel {
    std::array::from_fn(|k| if b[k] > 0.0 { a[k] / b[k] } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;

    /// The same by Gaussian elimination.
    fn plain(input: &mut [f32], shape: Shape, known: &[bool]) {
        let missing: Vec<usize> = (0..known.len()).filter(|&place| !known[place]).collect();
        for channel in 0..shape.channels {
            let mut rows: Vec<Vec<f64>> = Vec::new();
            for &place in &missing {
                let mut row = vec![0.0; missing.len() + 1];
                for (k, (dx, dy)) in AROUND.into_iter().enumerate() {
                    let (x, y) = ((place % shape.width) as isize + dx, (place / shape.width) as isize + dy);
                    if x < 0 || y < 0 || x >= shape.width as isize || y >= shape.height as isize {
                        continue;
                    }
                    let (near, weight) = (y as usize * shape.width + x as usize, f64::from(WEIGHTS[k]));
                    row[rows.len()] += weight;
                    match missing.iter().position(|&m| m == near) {
                        Some(column) => row[column] -= weight,
                        None => row[missing.len()] += weight * f64::from(input[shape.at(channel, near)]),
                    }
                }
                rows.push(row);
            }
            for i in 0..rows.len() {
                let pivot = rows[i].clone();
                for (_, row) in rows.iter_mut().enumerate().filter(|(j, _)| *j != i) {
                    let factor = row[i] / pivot[i];
                    row.iter_mut().zip(&pivot).for_each(|(a, b)| *a -= factor * b);
                }
            }
            for (i, &place) in missing.iter().enumerate() {
                input[shape.at(channel, place)] = (rows[i][missing.len()] / rows[i][i]) as f32;
            }
        }
    }

    #[test]
    fn it_is_the_solution_of_the_system() {
        for (planar, channels, width, height, share) in
            [(true, 3, 12, 9, 0.9), (false, 3, 7, 12, 0.5), (true, 1, 11, 11, 0.97)]
        {
            let shape = Shape { channels, width, height, planar };
            let mut random = Random::new(7, channels as u64);
            let picture: Vec<f32> = (0..shape.len()).map(|_| random.normal()).collect();
            let known: Vec<bool> = (0..shape.places()).map(|_| random.uniform() > share).collect();
            let (mut have, mut want) = (picture.clone(), picture);
            impute(&mut have, shape, &known);
            plain(&mut want, shape, &known);
            for (have, want) in have.iter().zip(&want) {
                assert!((have - want).abs() < 5e-3, "{have} is not {want}");
            }
        }
    }

    #[test]
    fn a_slope_goes_on_through_a_hole() {
        let shape = Shape { channels: 1, width: 40, height: 40, planar: true };
        let slope: Vec<f32> = (0..1600).map(|i| (i % 40) as f32 / 40.0 - (i / 40) as f32 / 20.0).collect();
        let known: Vec<bool> =
            (0..1600).map(|i| !((8..32).contains(&(i % 40)) && (8..32).contains(&(i / 40)))).collect();
        let mut have = slope.clone();
        (0..1600).filter(|&i| !known[i]).for_each(|i| have[i] = 9.0);
        impute(&mut have, shape, &known);
        let worst = have.iter().zip(&slope).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 5e-3, "{worst}");
    }
}
