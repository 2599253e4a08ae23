//! Curves over epochs as SVG figures.

use std::fmt::Write;

use crate::chart_axes::{Axes, HEIGHT, WIDTH, nice_step};
use crate::escape::escape;
use crate::quantities::significant;

/// A curve: a name (empty when there is no other) and its points, epoch and value.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Curves that share their axes.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// The unit after the title and after values, as in ` %`; values are in this unit.
    pub(crate) unit: &'static str,
    /// Whether the axis starts at 0: where the size matters and not only the change.
    pub(crate) from_zero: bool,
    /// The last epoch of grace.
    pub(crate) grace: Option<f64>,
    pub(crate) series: Vec<Series>,
}

impl Chart {
    /// The figure; nothing when no curve has a point.
    pub(crate) fn figure(&self) -> Option<String> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        points().next()?;
        let mut low = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
        let high = points()
            .map(|point| point.1)
            .fold(f64::NEG_INFINITY, f64::max);
        if self.from_zero {
            low = low.min(0.0);
        }
        let step = nice_step((high - low) / 4.0, high);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        // Values that are all the same still need an axis with a height.
        let high = if high - low < step { low + step } else { high };
        let first = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
        let last = points()
            .map(|point| point.0)
            .fold(f64::NEG_INFINITY, f64::max);
        let axes = Axes {
            first,
            last,
            low,
            high,
        };

        let mut svg = String::new();
        if let Some(grace) = self.grace.filter(|grace| *grace >= first) {
            svg += &axes.grace(grace);
        }
        let ticks = ((high - low) / step).round() as usize;
        for tick in 0..=ticks {
            svg += &axes.horizontal(low + step * tick as f64, step);
        }
        svg += &axes.epochs();
        for (index, series) in (1..).zip(&self.series) {
            svg += &axes.curve(index, series, self.unit);
        }
        Some(format!(
            "<figure class=\"chart\"><figcaption><strong>{}</strong>{}<div>{}</div></figcaption>\
             <svg class=\"plot\" role=\"img\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\
             <title>{0}</title>{svg}</svg></figure>",
            escape(self.title),
            if self.unit.is_empty() {
                String::new()
            } else {
                format!(",{}", self.unit)
            },
            self.key(),
        ))
    }

    /// The names of the curves, each with its last value; a curve alone needs no name.
    fn key(&self) -> String {
        let mut key = String::new();
        for (index, series) in (1..).zip(&self.series) {
            if let Some((_, value)) = series.points.last() {
                let name = match series.name {
                    "" => "last".to_owned(),
                    name => format!("<i class=\"dot s{index}\"></i>{}", escape(name)),
                };
                let value = significant(*value);
                let _ = write!(
                    key,
                    "<span class=\"key\">{name} <b>{value}{}</b></span>",
                    self.unit,
                );
            }
        }
        key
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::chart_axes::{BOTTOM, TOP};

    fn chart(points: Vec<(f64, f64)>, from_zero: bool) -> Chart {
        let series = vec![Series {
            name: "a<b",
            points,
        }];
        Chart {
            title: "Loss",
            unit: " ms",
            from_zero,
            grace: Some(2.0),
            series,
        }
    }

    #[test]
    fn every_point_is_inside_the_plot_and_says_its_value() {
        let points = (1..=9)
            .map(|epoch| (f64::from(epoch), 3.7 / f64::from(epoch)))
            .collect();
        let figure = chart(points, true).figure().unwrap();
        assert_eq!(figure.matches("<circle class=\"hover\"").count(), 9);
        assert!(figure.contains("<title>epoch 2, a&lt;b: 1.85 ms</title>"));
        assert!(figure.contains("<b>0.411 ms</b>") && figure.contains(">grace<"));
        for part in figure.split("cy=\"").skip(1) {
            let y: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((TOP..=HEIGHT - BOTTOM).contains(&y), "{y}");
        }
    }

    #[test]
    fn one_point_and_equal_points_have_an_axis_and_no_points_have_no_figure() {
        for points in [
            vec![(1.0, 0.5)],
            vec![(1.0, 0.0), (2.0, 0.0)],
            vec![(1.0, 7.0), (2.0, 7.0)],
        ] {
            let figure = chart(points, false).figure().unwrap();
            assert!(
                !figure.contains("NaN") && !figure.contains("inf"),
                "{figure}"
            );
        }
        assert!(chart(Vec::new(), true).figure().is_none());
    }
}
