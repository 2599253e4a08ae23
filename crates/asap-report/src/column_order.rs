//! Which part of a column stands above which, and how high: fewest crossings, then shortest lines.

use crate::cell_layout::{Layout, Placed, SPACING};

impl Layout {
    /// Crossings first, then the heights that lines climb.
    fn cost(&self, column: usize) -> f64 {
        let lines = self.lines(column);
        let climbed: f64 = lines.iter().map(|(from, to)| (from - to).abs()).sum();
        let crossings = lines
            .iter()
            .enumerate()
            .flat_map(|(index, line)| lines[..index].iter().map(move |other| (line, other)))
            .filter(|(line, other)| (line.0 - other.0) * (line.1 - other.1) < 0.0)
            .count();
        1e6 * crossings as f64 + climbed
    }

    /// Tries every order of each column, a few times over: a column has six parts at most.
    pub(crate) fn order(&mut self) {
        for column in 0..self.columns.len() {
            self.stack(column);
        }
        for _ in 0..3 {
            for column in 1..self.columns.len() - 1 {
                let mut best = (f64::INFINITY, Vec::new());
                for order in permutations(&self.columns[column]) {
                    self.columns[column] = order;
                    self.stack(column);
                    let cost = self.cost(column - 1) + self.cost(column);
                    if cost < best.0 {
                        best = (cost, self.columns[column].clone());
                    }
                }
                self.columns[column] = best.1;
            }
        }
    }

    /// Places the parts of a column one below the other around height 0.
    fn stack(&mut self, column: usize) {
        let parts = &mut self.columns[column];
        let total: f64 = parts.iter().map(|part| part.height + SPACING).sum();
        let mut top = (SPACING - total) / 2.0;
        for part in parts {
            part.y = top + part.height / 2.0;
            top += part.height + SPACING;
        }
    }

    /// Moves parts towards what they are joined to, as far as their order and spacing allow.
    pub(crate) fn straighten(&mut self) {
        for round in 0..12 {
            // The columns take turns from the left and from the right.
            for step in 0..self.columns.len() {
                let column = if round % 2 == 0 {
                    step
                } else {
                    self.columns.len() - 1 - step
                };
                let wanted: Vec<f64> = self.columns[column]
                    .iter()
                    .map(|placed| self.wanted(column, placed))
                    .collect();
                let parts = &mut self.columns[column];
                for index in 0..parts.len() {
                    let above = index.checked_sub(1).map(|index| parts[index]);
                    let free = above.map_or(f64::NEG_INFINITY, |above| {
                        above.y + (above.height + parts[index].height) / 2.0 + SPACING
                    });
                    parts[index].y = wanted[index].max(free);
                }
                // Pushed down by those above: share the way by lifting all of them.
                let shift = parts
                    .iter()
                    .zip(&wanted)
                    .map(|(part, wanted)| part.y - wanted)
                    .sum::<f64>();
                let shift = shift / parts.len() as f64;
                parts.iter_mut().for_each(|part| part.y -= shift);
            }
        }
        let all = || self.columns.iter().flatten();
        let top = all()
            .map(|part| part.y - part.height / 2.0)
            .fold(f64::INFINITY, f64::min);
        let bottom = all()
            .map(|part| part.y + part.height / 2.0)
            .fold(f64::NEG_INFINITY, f64::max);
        self.height = bottom - top;
        self.columns
            .iter_mut()
            .flatten()
            .for_each(|part| part.y -= top);
    }

    /// The mean height of what a part is joined to; its own where nothing is.
    fn wanted(&self, column: usize, placed: &Placed) -> f64 {
        let mut heights = Vec::new();
        if column > 0 {
            heights.extend(
                self.lines(column - 1)
                    .iter()
                    .filter(|(_, to)| *to == placed.y)
                    .map(|(from, _)| *from),
            );
        }
        if column + 1 < self.columns.len() {
            heights.extend(
                self.lines(column)
                    .iter()
                    .filter(|(from, _)| *from == placed.y)
                    .map(|(_, to)| *to),
            );
        }
        if heights.is_empty() {
            return placed.y;
        }
        heights.iter().sum::<f64>() / heights.len() as f64
    }
}

/// Every order of the parts, the given one first.
fn permutations(parts: &[Placed]) -> Vec<Vec<Placed>> {
    if parts.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..parts.len() {
        let mut rest = parts.to_vec();
        let part = rest.remove(first);
        for mut order in permutations(&rest) {
            order.insert(0, part);
            all.push(order);
        }
    }
    all
}
