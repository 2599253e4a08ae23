#![doc = include_str!("../README.md")]

mod cell_layout;
mod cell_svg;
mod cell_text;
mod chart_axes;
mod column_order;
mod confusion;
mod costs;
mod decisions;
mod error;
mod escape;
mod line_chart;
mod op_weights;
mod page;
mod palette;
mod progress;
mod quantities;
mod read;
mod results;
mod run;
mod transfer;

pub use cell_svg::{cell_svg, genotype_svg};
pub use cell_text::cell_text;
pub use error::{Error, Result};
pub use run::Report;
