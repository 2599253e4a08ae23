//! Where epochs and values stand in a chart, and what is drawn there.

use std::fmt::Write;

use crate::escape::escape;
use crate::line_chart::Series;
use crate::quantities::significant;

pub(crate) const WIDTH: f64 = 360.0;
pub(crate) const HEIGHT: f64 = 190.0;
pub(crate) const LEFT: f64 = 44.0;
pub(crate) const RIGHT: f64 = 12.0;
pub(crate) const TOP: f64 = 10.0;
pub(crate) const BOTTOM: f64 = 26.0;

/// The values at the borders of the plot.
pub(crate) struct Axes {
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Axes {
    fn x(&self, epoch: f64) -> f64 {
        let width = WIDTH - LEFT - RIGHT;
        if self.last == self.first {
            return LEFT + width / 2.0;
        }
        LEFT + width * (epoch - self.first) / (self.last - self.first)
    }

    fn y(&self, value: f64) -> f64 {
        let height = HEIGHT - TOP - BOTTOM;
        TOP + height * (self.high - value) / (self.high - self.low)
    }

    /// The time in which only weights train.
    pub(crate) fn grace(&self, last: f64) -> String {
        // Grace ends between its last epoch and the next.
        let end = self.x((last + 0.5).min(self.last));
        format!(
            "<rect class=\"grace\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">grace</text>",
            end - LEFT,
            HEIGHT - TOP - BOTTOM,
            LEFT + 4.0,
            HEIGHT - BOTTOM - 5.0
        )
    }

    pub(crate) fn horizontal(&self, value: f64, step: f64) -> String {
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let y = self.y(value);
        format!(
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/><text class=\"tick\" \
             text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{value:.decimals$}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 3.5,
        )
    }

    pub(crate) fn epochs(&self) -> String {
        let step = nice_step((self.last - self.first) / 6.0, 1.0).max(1.0);
        let y = HEIGHT - 9.0;
        let mut marks = format!(
            "<text class=\"tick\" text-anchor=\"end\" x=\"{:.1}\" y=\"{y:.1}\">epoch</text>",
            LEFT - 9.0
        );
        let mut epoch = (self.first / step).ceil() * step;
        while epoch <= self.last {
            let _ = write!(
                marks,
                "<text class=\"tick\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{y:.1}\">{epoch}</text>",
                self.x(epoch),
            );
            epoch += step;
        }
        marks
    }

    /// A curve with a dot for each epoch, as long as dots do not run into each other.
    pub(crate) fn curve(&self, index: usize, series: &Series, unit: &str) -> String {
        let mut path = String::new();
        let mut dots = String::new();
        let radius = if series.points.len() > 40 { 0.0 } else { 2.5 };
        let name = match series.name {
            "" => String::new(),
            name => format!(", {}", escape(name)),
        };
        for (epoch, value) in &series.points {
            let (x, y) = (self.x(*epoch), self.y(*value));
            let _ = write!(
                path,
                "{}{x:.1} {y:.1}",
                if path.is_empty() { "M" } else { "L" }
            );
            let _ = write!(
                dots,
                "<circle class=\"hover\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\"><title>epoch {epoch}{name}: \
                 {}{unit}</title></circle><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>",
                significant(*value),
            );
        }
        format!("<g class=\"curve s{index}\"><path d=\"{path}\"/>{dots}</g>")
    }
}

/// 1, 2 or 5 times a power of ten, not less than what is asked for. `size` decides when nothing is.
pub(crate) fn nice_step(wanted: f64, size: f64) -> f64 {
    let wanted = if wanted > 0.0 {
        wanted
    } else {
        (size.abs() / 4.0).max(1e-6)
    };
    let power = 10_f64.powf(wanted.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= wanted * 0.999)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_large_enough() {
        assert_eq!(
            [0.3, 1.0, 1.1, 6.0, 45.0].map(|wanted| nice_step(wanted, 1.0)),
            [0.5, 1.0, 2.0, 10.0, 50.0]
        );
    }
}
