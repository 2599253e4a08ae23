//! The removals of a search: which were forced, and which noise alone would explain.

use std::fmt::Write;

use crate::quantities::significant;
use crate::read::Removal;
use crate::run::Report;

/// A gap that has moved less than this many times what noise moves it counts as noise.
const NOISE_SPAN: f64 = 4.0;

impl Removal {
    /// Whether noise alone would explain the removal (ours): after `n` alpha steps of a random walk
    /// two alphas are about `path_length / sqrt(n)` apart, after `n` steps along a steady gradient
    /// `path_length`. Nothing when the ledger does not say.
    pub(crate) fn explained_by_noise(&self) -> Option<bool> {
        let steps = self.alpha_steps?.max(1) as f64;
        Some(self.net_displacement? <= NOISE_SPAN * self.path_length? / steps.sqrt())
    }
}

/// The tables of removals; nothing before the first one.
pub(crate) fn section(report: &Report) -> Option<String> {
    if report.ledger.is_empty() {
        return None;
    }
    let all: Vec<&Removal> = report.ledger.iter().collect();
    let forced: Vec<&Removal> = all.iter().copied().filter(|line| line.forced).collect();
    let noise = |forced: bool| {
        let noise = |line: &&&Removal| line.explained_by_noise() == Some(true);
        all.iter()
            .filter(|line| line.forced == forced)
            .filter(noise)
            .count()
    };
    let mut html = format!(
        "<section id=\"decisions\"><h2>Decisions</h2><p>{} removals: {} by annealing, {} forced \
         because the plan was over. Noise alone would explain {} of those by annealing and {} of the \
         forced ones; they are marked <span class=\"mark\">noise</span></p>",
        all.len(),
        all.len() - forced.len(),
        forced.len(),
        noise(false),
        noise(true),
    );
    html += "<p class=\"soft\">The criterion: over the search, the gap between the alpha that stayed \
        and the one that went has moved at most 4 times path / √steps, where path is the length of the \
        way that both alphas took. A random walk gets as far as path / √steps, a steady gradient as far \
        as path.</p>";
    if forced.is_empty() {
        html += "<p><strong>No decision was forced.</strong> What the search ended with is the network \
            that was found.</p>";
    } else {
        html += "<h3>Forced decisions</h3><p>Annealing had not decided these when the search ended, so \
            the stronger side stayed. The smaller the gap, the closer to a coin toss.</p>";
        html += &table(&forced);
    }
    let _ = write!(
        html,
        "<details><summary>All {} removals in their order</summary>{}</details></section>",
        all.len(),
        table(&all)
    );
    Some(html)
}

fn table(removals: &[&Removal]) -> String {
    let mut html = String::from(
        "<div class=\"wide\"><table class=\"removals\"><tr><th>epoch</th><th>cell</th><th>edge</th>\
         <th>removed</th><th>stayed</th><th title=\"alpha that stayed minus alpha that went\">gap</th>\
         <th>weight</th><th>threshold</th><th>temperature</th>\
         <th title=\"how far the gap moved over the whole search\">moved</th>\
         <th title=\"the way both alphas took\">path</th><th></th></tr>",
    );
    for line in removals {
        let number = |value: Option<f64>| value.map_or("–".to_owned(), significant);
        let step = line
            .step
            .map_or(String::new(), |step| format!(" title=\"step {step}\""));
        let removed = line
            .operation
            .map_or("the edge".to_owned(), |one| named(one.name()));
        let stayed = match (line.rival_edge, line.rival) {
            (Some(edge), _) => format!("edge {} → {}", edge.from(), edge.to()),
            (None, Some(rival)) => named(rival.name()),
            (None, None) => "–".to_owned(),
        };
        let mut marks = String::new();
        if line.forced {
            marks += "<span class=\"mark\">forced</span>";
        }
        if line.explained_by_noise() == Some(true) {
            marks += "<span class=\"mark\">noise</span>";
        }
        let _ = write!(
            html,
            "<tr><td{step}>{}</td><td>{}</td><td>{} → {}</td><td>{removed}</td><td>{stayed}</td>\
             <td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{marks}</td></tr>",
            when(line),
            line.cell,
            line.edge.from(),
            line.edge.to(),
            number(line.alpha_gap),
            number(line.phi),
            number(line.threshold),
            number(line.temperature),
            number(line.net_displacement),
            number(line.path_length),
        );
    }
    html + "</table></div>"
}

/// The epoch of a removal, counted from 1; what is forced comes after the last one.
fn when(line: &Removal) -> String {
    if line.forced {
        "end".to_owned()
    } else {
        (line.epoch + 1).to_string()
    }
}

/// The name of an operation with its colour.
fn named(operation: &str) -> String {
    format!("<i class=\"dot op-{operation}\"></i>{operation}")
}
