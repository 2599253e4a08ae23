//! Genotypes as JSON: version 1 of the project's own format, with the op set beside the cells.

use serde::Deserialize;

use crate::{
    CellGenotype, CellKind, Error, Genotype, INPUT_NODES, INTERMEDIATE_NODES, NODES, OpSet,
    Operation, Result,
};

const FORMAT: &str = "asap-genotype";
const VERSION: u64 = 1;

/// Read first and alone, so that a later version is refused as such and not for its new fields.
#[derive(Deserialize)]
#[serde(expecting = "an object with `format` and `version`")]
struct Header {
    format: String,
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "format")]
    _format: String,
    #[serde(rename = "version")]
    _version: u64,
    operations: Vec<String>,
    normal: Cell,
    reduction: Cell,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `nodes` and `concat`")]
struct Cell {
    nodes: Vec<Vec<(String, usize)>>,
    concat: Vec<usize>,
}

impl Genotype {
    /// The genotype as JSON, one line for each node.
    pub fn to_json(&self) -> String {
        // Written by hand: a node on a line reads well, and the names need no escapes.
        let operations: Vec<String> = self
            .op_set()
            .operations()
            .iter()
            .map(|one| format!("\"{one}\""))
            .collect();
        format!(
            "{{\n  \"format\": \"{FORMAT}\",\n  \"version\": {VERSION},\n  \"operations\": [{}],\n  \
             \"normal\": {},\n  \"reduction\": {}\n}}\n",
            operations.join(", "),
            cell_json(&self.normal),
            cell_json(&self.reduction),
        )
    }

    /// A genotype from JSON that [`Genotype::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// When the text is not such JSON, has another version, or has an operation that its own list
    /// lacks.
    pub fn from_json(text: &str) -> Result<Self> {
        let header: Header = serde_json::from_str(text).map_err(json_error)?;
        if header.format != FORMAT {
            return Err(Error::OtherFormat {
                found: header.format,
            });
        }
        if header.version != VERSION {
            return Err(Error::OtherVersion {
                found: header.version,
            });
        }
        let document: Document = serde_json::from_str(text).map_err(json_error)?;
        let operations = document.operations.iter().map(|name| name.parse());
        let op_set = OpSet::new(operations.collect::<Result<_>>()?)?;
        Self::new(
            read_cell(CellKind::Normal, document.normal)?,
            read_cell(CellKind::Reduction, document.reduction)?,
            op_set,
        )
    }
}

fn cell_json(cell: &CellGenotype) -> String {
    let nodes: Vec<String> = cell
        .nodes()
        .iter()
        .map(|inputs| {
            let inputs: Vec<String> = inputs
                .iter()
                .map(|(operation, from)| format!("[\"{operation}\", {from}]"))
                .collect();
            format!("      [{}]", inputs.join(", "))
        })
        .collect();
    let concat: Vec<usize> = (INPUT_NODES..NODES).collect();
    format!(
        "{{\n    \"nodes\": [\n{}\n    ],\n    \"concat\": {concat:?}\n  }}",
        nodes.join(",\n")
    )
}

fn read_cell(kind: CellKind, cell: Cell) -> Result<CellGenotype> {
    require_concat(kind, &cell.concat)?;
    let nodes = cell
        .nodes
        .into_iter()
        .map(|inputs| {
            inputs
                .into_iter()
                .map(|(name, from)| Ok((name.parse()?, from)))
                .collect::<Result<Vec<(Operation, usize)>>>()
        })
        .collect::<Result<Vec<_>>>()?;
    let nodes: [_; INTERMEDIATE_NODES] =
        nodes.try_into().map_err(|nodes: Vec<_>| Error::NodeCount {
            cell: kind,
            found: nodes.len(),
        })?;
    CellGenotype::new(kind, nodes)
}

/// Other cells exist whose output leaves nodes out; read as ours they would be another network.
pub(crate) fn require_concat(cell: CellKind, concat: &[usize]) -> Result<()> {
    let mut sorted = concat.to_vec();
    sorted.sort_unstable();
    if sorted.into_iter().eq(INPUT_NODES..NODES) {
        return Ok(());
    }
    Err(Error::OtherConcat {
        cell,
        found: concat.to_vec(),
    })
}

fn json_error(error: serde_json::Error) -> Error {
    Error::Json {
        reason: error.to_string(),
    }
}
