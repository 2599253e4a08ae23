//! Writes the drawing of a published genotype, `docs/cell.svg` of the repository by default:
//! `cargo run --release -p asap-report --example draw_cell [NAME] [FILE]`.

use std::path::PathBuf;

use asap_genotype::{Genotype, NAMES};

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "ASAP".to_owned());
    let file = arguments.next().map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cell.svg")),
        PathBuf::from,
    );
    let genotype = Genotype::named(&name).ok_or_else(|| {
        format!(
            "unknown genotype `{name}`: expected one of {}",
            NAMES.join(", ")
        )
    })?;
    std::fs::write(&file, asap_report::genotype_svg(genotype))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))
}
