//! Colours: warm for operations without weights, cool for convolutions, the larger kernel darker.

use std::fmt::Write;

use asap_genotype::Operation;

/// The colours of an operation on a light and on a dark page.
fn colours(operation: Operation) -> [&'static str; 2] {
    match operation {
        Operation::None => ["#d3d6db", "#4b5260"],
        Operation::MaxPool3x3 => ["#b93815", "#d9552f"],
        Operation::AvgPool3x3 => ["#f08f6b", "#f5a587"],
        Operation::SkipConnect => ["#e2b50c", "#eec33b"],
        Operation::SepConv3x3 => ["#5aa2f5", "#7cb7fb"],
        Operation::SepConv5x5 => ["#1d4ed8", "#3f6df0"],
        Operation::DilConv3x3 => ["#35c6ae", "#4fd6c0"],
        Operation::DilConv5x5 => ["#0b7a6c", "#15998a"],
    }
}

/// Style rules that give every drawing its colours: `op` and `op-<name>` set the variable `--op`.
pub(crate) fn style() -> String {
    let mut light = String::from(
        "svg.asap{--ink:#1d2430;--soft:#5d6675;--line:#aab2bf;--panel:#ffffff;--edge:#dfe3e9;\
         font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}",
    );
    let mut dark = String::from(
        "svg.asap{--ink:#e7eaf0;--soft:#a2abba;--line:#69748a;--panel:#171b22;--edge:#2d3440}",
    );
    for operation in Operation::ALL {
        let [on_light, on_dark] = colours(operation);
        // Writing to a string cannot fail.
        let _ = write!(light, ".op-{operation}{{--op:{on_light}}}");
        let _ = write!(dark, ".op-{operation}{{--op:{on_dark}}}");
    }
    format!("{light}@media (prefers-color-scheme:dark){{{dark}}}")
}
