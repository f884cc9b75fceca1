//! What the axes of a tensor count: pictures, channels, rows and columns of the grid, and what operators that move elements make
//! of them.
//!
//! Rows and columns are followed through what transformers do to them: tokens (rows and columns in one axis, class tokens
//! beside them), windows (rows cut into parts, the parts in different axes) and cyclic shifts.

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Picture,
    /// Channels, and everything that has no place in the picture.
    Channel,
    Row,
    Column,
}

/// A run of equal steps along one of these: `stride`, `2 stride`, .. of `whole`, from `start` on, round the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub kind: Kind,
    pub size: usize,
    stride: usize,
    start: usize,
    whole: usize,
}

/// One axis: runs, outermost first, and how many tokens without a place stand before and behind them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Axis {
    pub runs: Vec<Run>,
    pub before: usize,
    pub behind: usize,
}

impl Run {
    /// All of it, in order.
    fn all(kind: Kind, size: usize) -> Run {
        Run { kind, size, stride: 1, start: 0, whole: size }
    }

    fn has_place(self) -> bool {
        matches!(self.kind, Kind::Row | Kind::Column)
    }

    /// The outer `outer` steps, and the steps inside each.
    fn split(self, outer: usize) -> (Run, Run) {
        let inner = self.size / outer;
        (Run { size: outer, stride: self.stride * inner, ..self }, Run { size: inner, ..self })
    }
}

impl Axis {
    /// An axis that counts all of one kind.
    pub fn of(kind: Kind, size: usize) -> Axis {
        Axis { runs: if size == 1 { Vec::new() } else { vec![Run::all(kind, size)] }, before: 0, behind: 0 }
    }

    /// Its length.
    pub fn size(&self) -> usize {
        self.before + self.runs.iter().map(|r| r.size).product::<usize>() + self.behind
    }

    /// Whether it counts rows or columns.
    pub fn has_cells(&self) -> bool {
        self.runs.iter().any(|r| r.has_place())
    }

    /// Only runs of that kind, at least one.
    pub fn is(&self, kind: Kind) -> bool {
        !self.runs.is_empty() && self.before + self.behind == 0 && self.runs.iter().all(|r| r.kind == kind)
    }

    fn has_tokens_beside(&self) -> bool {
        self.before + self.behind > 0
    }

    /// Runs that follow each other without a gap become one again.
    fn joined(mut self) -> Axis {
        let mut runs: Vec<Run> = Vec::new();
        for run in self.runs {
            match runs.last_mut() {
                Some(last)
                    if (last.kind, last.start, last.whole) == (run.kind, run.start, run.whole)
                        && last.stride == run.stride * run.size =>
                {
                    *last = Run { size: last.size * run.size, ..run };
                }
                // what has no place has no order either
                Some(last) if last.kind == run.kind && !run.has_place() => {
                    *last = Run::all(run.kind, last.size * run.size)
                }
                _ => runs.push(run),
            }
        }
        self.runs = runs;
        self
    }

    /// Elements `start..end` in steps of `step`.
    pub fn slice(&self, start: usize, end: usize, step: usize) -> Axis {
        let count = end.saturating_sub(start).div_ceil(step.max(1));
        let unknown = Axis::of(Kind::Channel, count);
        if (start, end, step) == (0, self.size(), 1) {
            return self.clone();
        }
        let cells = self.size() - self.before - self.behind;
        if self.has_tokens_beside() {
            let all = start <= self.before && end >= self.before + cells && step == 1;
            let kept = || Axis { before: self.before - start, behind: end - self.before - cells, ..self.clone() };
            return if all { kept() } else { unknown };
        }
        match self.runs[..] {
            [run] if !run.has_place() => Axis::of(run.kind, count),
            [run] if run.stride == 1 && step == 1 => {
                let start = (run.start + start) % run.whole;
                Axis { runs: vec![Run { size: count, start, ..run }], ..Axis::default() }
            }
            // every second row: a coarser grid
            [run] if run == Run::all(run.kind, run.whole) && count >= run.whole / step => Axis::of(run.kind, count),
            _ => unknown,
        }
    }

    /// With elements added before and behind it.
    pub fn padded(&self, before: usize, behind: usize) -> Axis {
        match self.runs[..] {
            _ if before + behind == 0 => self.clone(),
            [run] if run.has_place() && run.stride == 1 && !self.has_tokens_beside() => {
                let start = (run.start + run.whole - before % run.whole) % run.whole;
                Axis { runs: vec![Run { size: run.size + before + behind, start, ..run }], ..Axis::default() }
            }
            _ if self.has_cells() => {
                Axis { before: self.before + before, behind: self.behind + behind, runs: self.runs.clone() }
            }
            _ => Axis::of(Kind::Channel, self.size() + before + behind),
        }
    }

    /// Side by side.
    pub fn concat(parts: &[Axis]) -> Axis {
        let total = parts.iter().map(Axis::size).sum();
        let unknown = Axis::of(Kind::Channel, total);
        let cells: Vec<usize> = (0..parts.len()).filter(|&i| parts[i].has_cells()).collect();
        if let [only] = cells[..] {
            // class tokens beside the picture's
            let length = |parts: &[Axis]| parts.iter().map(Axis::size).sum::<usize>();
            let (before, behind) = (length(&parts[..only]), length(&parts[only + 1..]));
            return parts[only].padded_by_tokens(before, behind);
        }
        if cells.is_empty() {
            return unknown;
        }
        // a cyclic shift: the end first, the beginning behind it
        let mut runs = parts.iter().map(|part| match part.runs[..] {
            [run] if run.has_place() && run.stride == 1 && !part.has_tokens_beside() => Some(run),
            _ => None,
        });
        let Some(Some(first)) = runs.next() else { return unknown };
        let joined = runs.try_fold(first, |all, next| {
            let follows =
                |n: &Run| (n.kind, n.whole) == (all.kind, all.whole) && n.start == (all.start + all.size) % all.whole;
            next.filter(follows).map(|n| Run { size: all.size + n.size, ..all })
        });
        joined.map_or(unknown, |run| Axis { runs: vec![run], ..Axis::default() })
    }

    fn padded_by_tokens(&self, before: usize, behind: usize) -> Axis {
        Axis { before: self.before + before, behind: self.behind + behind, runs: self.runs.clone() }
    }
}

/// The axes of the same elements in another shape; `None` where an axis would mix parts that do not divide each other.
pub(super) fn reshape(axes: &[Axis], shape: &[usize]) -> Option<Vec<Axis>> {
    enum Item {
        Run(Run),
        Whole(Axis),
    }
    let items = axes.iter().flat_map(|axis| match axis.has_tokens_beside() {
        true => vec![Item::Whole(axis.clone())],
        false => axis.runs.iter().map(|&run| Item::Run(run)).collect(),
    });
    let mut items: Vec<Item> = items.collect();
    items.reverse();
    let mut made = Vec::new();
    for &size in shape {
        let mut axis = Axis::default();
        let mut left = size;
        while left > 1 {
            match items.pop()? {
                Item::Whole(whole) if whole.size() == left && axis == Axis::default() => {
                    axis = whole;
                    left = 1;
                }
                Item::Run(run) if left.is_multiple_of(run.size) => {
                    axis.runs.push(run);
                    left /= run.size;
                }
                Item::Run(run) if run.size.is_multiple_of(left) => {
                    let (outer, inner) = run.split(left);
                    axis.runs.push(outer);
                    items.push(Item::Run(inner));
                    left = 1;
                }
                _ => return None,
            }
        }
        made.push(axis.joined());
    }
    items.is_empty().then_some(made)
}

/// Rows, or columns, that an axis counts from the first to the last; `None` where some are missing or out of order. What lies
/// inside each of them may have become channels.
pub(super) fn count(runs: &[Run]) -> Option<usize> {
    let first = runs.first()?;
    let mut inside = first.whole;
    for run in runs {
        if run.start != 0 || run.whole != first.whole || run.stride * run.size != inside {
            return None;
        }
        inside = run.stride;
    }
    Some(first.whole / inside)
}
