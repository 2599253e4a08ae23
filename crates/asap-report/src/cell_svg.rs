//! Cells as SVG: nodes in columns, each edge a coloured line with the name of its operation.

use std::fmt::Write;

use asap_genotype::{CellGenotype, Genotype, NODES};

use crate::cell_layout::{LABEL_HEIGHT, LABEL_PITCH, Layout, NODE_SIZE, Part};
use crate::escape::escape;
use crate::palette;

const MARGIN: f64 = 22.0;
const TITLE_HEIGHT: f64 = 26.0;
const LABEL_WIDTH: f64 = 106.0;
/// From a label to the box of its node.
const JOIN: f64 = 26.0;
/// Between two columns, where lines bend.
const BEND: f64 = 52.0;
const OUTPUT_WIDTH: f64 = 34.0;

const STYLE: &str = ".asap text{fill:var(--ink);font-size:13px}\
    .asap .title{font-size:15px;font-weight:600}\
    .asap .soft{fill:var(--soft);font-size:11px}\
    .asap .panel{fill:var(--panel);stroke:var(--edge)}\
    .asap .node{fill:var(--panel);stroke:var(--soft);stroke-width:1.5}\
    .asap .unused{opacity:.4}\
    .asap .line{fill:none;stroke:var(--op,var(--line));stroke-width:2.2}\
    .asap .joined{fill:none;stroke:var(--line);stroke-width:1.2;stroke-dasharray:2 4}\
    .asap .tip{fill:var(--soft)}\
    .asap .label{fill:var(--op);fill-opacity:.2;stroke:var(--op);stroke-width:1.4}";

/// A cell as a complete SVG document that fits light and dark pages.
pub fn cell_svg(cell: &CellGenotype, title: &str) -> String {
    let panel = Panel::new(cell, title);
    document(panel.width, panel.height, title, &panel.draw(panel.width))
}

/// Both cells of a genotype, one below the other, as a complete SVG document.
pub fn genotype_svg(genotype: &Genotype) -> String {
    let panels = [
        Panel::new(&genotype.normal, "normal cell"),
        Panel::new(&genotype.reduction, "reduction cell"),
    ];
    let width = panels.iter().map(|panel| panel.width).fold(0.0, f64::max);
    let mut content = String::new();
    let mut top = 0.0;
    for panel in &panels {
        let _ = write!(
            content,
            "<g transform=\"translate(0 {top:.1})\">{}</g>",
            panel.draw(width)
        );
        top += panel.height + 14.0;
    }
    document(width, top - 14.0, "normal and reduction cell", &content)
}

fn document(width: f64, height: f64, title: &str, content: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"asap\" role=\"img\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\
         <title>{}</title><style>{}{STYLE}</style>{content}</svg>\n",
        escape(title),
        palette::style(),
    )
}

/// One drawn cell.
struct Panel {
    content: String,
    width: f64,
    height: f64,
}

impl Panel {
    fn new(cell: &CellGenotype, title: &str) -> Self {
        let layout = Layout::new(cell);
        let columns = Columns::new(layout.columns.len());
        let (width, height) = (columns.width, layout.height + 2.0 * MARGIN + TITLE_HEIGHT);
        let mut content = format!(
            "<text class=\"title\" x=\"{MARGIN}\" y=\"30\">{}</text>\
             <g transform=\"translate(0 {:.1})\">",
            escape(title),
            MARGIN + TITLE_HEIGHT,
        );
        // Lines first: labels and boxes lie over their ends.
        for (column, parts) in layout.columns.iter().enumerate() {
            for placed in parts {
                content += &lines_into(&layout, &columns, column, placed.part, placed.y);
            }
        }
        for (column, parts) in layout.columns.iter().enumerate() {
            for placed in parts {
                content += &boxes(&layout, &columns, column, placed.part, placed.y);
            }
        }
        content += "</g>";
        Self {
            content,
            width,
            height,
        }
    }

    /// The cell on a ground of a width.
    fn draw(&self, width: f64) -> String {
        format!(
            "<rect class=\"panel\" x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"10\"/>{}",
            width - 1.0,
            self.height - 1.0,
            self.content
        )
    }
}

/// The horizontal measures: where columns start and where their boxes end.
struct Columns {
    count: usize,
    width: f64,
}

impl Columns {
    fn new(count: usize) -> Self {
        let mut columns = Self { count, width: 0.0 };
        columns.width = columns.right(count - 1) + MARGIN;
        columns
    }

    fn left(&self, column: usize) -> f64 {
        match column {
            0 => MARGIN + 8.0,
            _ => self.right(column - 1) + BEND,
        }
    }

    fn right(&self, column: usize) -> f64 {
        let width = match column {
            0 => NODE_SIZE,
            _ if column + 1 == self.count => OUTPUT_WIDTH,
            _ => LABEL_WIDTH + JOIN + NODE_SIZE,
        };
        self.left(column) + width
    }
}

/// The lines that end at a part, from the column before.
fn lines_into(layout: &Layout, columns: &Columns, column: usize, part: Part, y: f64) -> String {
    let mut lines = String::new();
    let Some(before) = column.checked_sub(1) else {
        return lines;
    };
    let (start, end) = (columns.right(before), columns.left(column));
    let source = |node: usize| layout.line_y(node, before).unwrap_or(y);
    match part {
        Part::Lane(node) => {
            let class = if layout.feeds_beyond(node, column) {
                "line"
            } else {
                "joined"
            };
            lines += &curve(class, start, source(node), end, y, columns.right(column));
        }
        Part::Node(node) => {
            let right = end + LABEL_WIDTH;
            for (operation, from, label_y) in layout.labels(node, y) {
                let class = format!("line op-{operation}");
                lines += &curve(&class, start, source(from), end, label_y, right);
                lines += &curve(
                    &class,
                    right,
                    label_y,
                    right + JOIN - 6.0,
                    y,
                    right + JOIN - 6.0,
                );
            }
        }
        Part::Output => {
            for node in asap_genotype::INPUT_NODES..NODES {
                let rank = output_rank(layout, before, node);
                let to = y + (rank - 1.5) * NODE_SIZE * 0.8;
                lines += &curve("joined", start, source(node), end, to, end);
            }
        }
    }
    lines
}

/// The place of a node's line among the four that end at the output, from above.
fn output_rank(layout: &Layout, column: usize, node: usize) -> f64 {
    let height = |node| layout.line_y(node, column).unwrap_or(0.0);
    (asap_genotype::INPUT_NODES..NODES)
        .filter(|other| height(*other) < height(node))
        .count() as f64
}

/// A line that bends between two heights and then runs straight on.
fn curve(class: &str, x: f64, y: f64, bend_end: f64, to: f64, end: f64) -> String {
    let middle = (x + bend_end) / 2.0;
    format!(
        "<path class=\"{class}\" d=\"M{x:.1} {y:.1}C{middle:.1} {y:.1} {middle:.1} {to:.1} \
         {bend_end:.1} {to:.1}H{end:.1}\"/>"
    )
}

/// The box of a part with its labels; a lane has none.
fn boxes(layout: &Layout, columns: &Columns, column: usize, part: Part, y: f64) -> String {
    let (left, right) = (columns.left(column), columns.right(column));
    match part {
        Part::Lane(_) => String::new(),
        Part::Node(node) => {
            let mut drawn = String::new();
            let labels = layout.labels(node, y);
            for (operation, _, label_y) in &labels {
                let _ = write!(
                    drawn,
                    "<g class=\"op-{operation}\"><rect class=\"panel\" stroke=\"none\" x=\"{left:.1}\" \
                     y=\"{top:.1}\" width=\"{LABEL_WIDTH}\" height=\"{LABEL_HEIGHT}\" rx=\"12\"/>\
                     <rect class=\"label\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{LABEL_WIDTH}\" \
                     height=\"{LABEL_HEIGHT}\" rx=\"12\"/><text text-anchor=\"middle\" \
                     x=\"{middle:.1}\" y=\"{base:.1}\">{operation}</text></g>",
                    top = label_y - LABEL_HEIGHT / 2.0,
                    middle = left + LABEL_WIDTH / 2.0,
                    base = label_y + 4.5,
                );
            }
            let x = right - NODE_SIZE;
            if !labels.is_empty() {
                let _ = write!(
                    drawn,
                    "<path class=\"tip\" d=\"M{x:.1} {y:.1}l-9 -4.5v9z\"/>"
                );
            }
            let unused = if layout.is_used(node) { "" } else { " unused" };
            let _ = write!(
                drawn,
                "<g class=\"box{unused}\"><rect class=\"node\" x=\"{x:.1}\" y=\"{top:.1}\" \
                 width=\"{NODE_SIZE}\" height=\"{NODE_SIZE}\" rx=\"8\"/><text text-anchor=\"middle\" \
                 x=\"{middle:.1}\" y=\"{base:.1}\">{node}</text>",
                top = y - NODE_SIZE / 2.0,
                middle = x + NODE_SIZE / 2.0,
                base = y + 4.5,
            );
            if column == 0 {
                let _ = write!(
                    drawn,
                    "<text class=\"soft\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">cell k-{}</text>",
                    x + NODE_SIZE / 2.0,
                    y + NODE_SIZE / 2.0 + 13.0,
                    2 - node
                );
            }
            drawn + "</g>"
        }
        Part::Output => {
            let height = LABEL_PITCH * 3.0 + NODE_SIZE;
            let middle = left + OUTPUT_WIDTH / 2.0;
            format!(
                "<rect class=\"node\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{OUTPUT_WIDTH}\" \
                 height=\"{height}\" rx=\"8\"/><text text-anchor=\"middle\" \
                 transform=\"translate({:.1} {y:.1}) rotate(-90)\">concat = cell k</text>",
                y - height / 2.0,
                middle + 4.5,
            )
        }
    }
}
