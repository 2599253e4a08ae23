//! Genotypes as the Python text that DARTS and its successors print and paste.

use crate::darts_reader::Reader;
use crate::json::require_concat;
use crate::listing::by_source;
use crate::{
    CellGenotype, CellKind, Error, Genotype, INTERMEDIATE_NODES, Listing, OpSet, Operation, Result,
};

/// The fields of the Python tuple, each there once when the text is right.
#[derive(Default)]
struct Fields {
    normal: Option<Vec<(Operation, usize)>>,
    normal_concat: Option<Vec<usize>>,
    reduce: Option<Vec<(Operation, usize)>>,
    reduce_concat: Option<Vec<usize>>,
}

impl Genotype {
    /// The genotype as DARTS text, `Genotype(normal=[('sep_conv_3x3', 0), ...], ...)`.
    ///
    /// The text has two inputs for each node: one that is missing is written as `none` from the
    /// first node that is free. It does not carry the op set.
    pub fn to_darts(&self) -> String {
        genotype_text(&by_source(&self.normal), &by_source(&self.reduction))
    }

    /// A genotype from DARTS text, with or without a `NAME =` before it; a concat may be a list, a
    /// tuple or a `range`. The op set is [`OpSet::darts7`], or [`OpSet::darts8`] if the text has a
    /// `none`.
    ///
    /// # Errors
    ///
    /// When the text cannot be read (with line and column) or is a cell of another space.
    pub fn from_darts(text: &str) -> Result<Self> {
        Listing::from_darts(text).map(|listing| listing.genotype().clone())
    }
}

impl Listing {
    /// The genotype as DARTS text, in the order of the list.
    pub fn to_darts(&self) -> String {
        let [normal, reduction] = CellKind::ALL.map(|kind| self.inputs(kind));
        genotype_text(normal, reduction)
    }

    /// As [`Genotype::from_darts`], with the order of the text.
    ///
    /// # Errors
    ///
    /// As [`Genotype::from_darts`].
    pub fn from_darts(text: &str) -> Result<Self> {
        let mut reader = Reader::new(text);
        let start = reader.position();
        let name = reader.word("`Genotype(`")?;
        if reader.next_is('=') {
            reader.take('=')?;
            let start = reader.position();
            if reader.word("`Genotype(`")? != "Genotype" {
                return Err(reader.error_at(start, "`Genotype(`"));
            }
        } else if name != "Genotype" {
            return Err(reader.error_at(start, "`Genotype(`"));
        }
        reader.take('(')?;
        let fields = read_fields(&mut reader)?;
        let missing = |field| reader.error(&format!("the field `{field}`"));
        let normal = fields.normal.ok_or_else(|| missing("normal"))?;
        let normal_concat = fields
            .normal_concat
            .ok_or_else(|| missing("normal_concat"))?;
        let reduce = fields.reduce.ok_or_else(|| missing("reduce"))?;
        let reduce_concat = fields
            .reduce_concat
            .ok_or_else(|| missing("reduce_concat"))?;
        reader.take(')')?;
        reader.end()?;

        require_concat(CellKind::Normal, &normal_concat)?;
        require_concat(CellKind::Reduction, &reduce_concat)?;
        let has_none = normal
            .iter()
            .chain(&reduce)
            .any(|(one, _)| *one == Operation::None);
        let genotype = Genotype::new(
            cell(CellKind::Normal, &normal)?,
            cell(CellKind::Reduction, &reduce)?,
            if has_none {
                OpSet::darts8()
            } else {
                OpSet::darts7()
            },
        )?;
        Ok(Self::new(genotype, normal, reduce))
    }
}

fn read_fields(reader: &mut Reader<'_>) -> Result<Fields> {
    let mut fields = Fields::default();
    while !reader.next_is(')') {
        let start = reader.position();
        let field = reader.word("a field or `)`")?;
        reader.take('=')?;
        let first = match field {
            "normal" => fields.normal.replace(reader.list(Reader::input)?).is_none(),
            "normal_concat" => fields.normal_concat.replace(reader.nodes()?).is_none(),
            "reduce" => fields.reduce.replace(reader.list(Reader::input)?).is_none(),
            "reduce_concat" => fields.reduce_concat.replace(reader.nodes()?).is_none(),
            _ => false,
        };
        if !first {
            let expected = "`normal`, `normal_concat`, `reduce` and `reduce_concat`, each once";
            return Err(reader.error_at(start, expected));
        }
        if !reader.next_is(')') {
            reader.take(',')?;
        }
    }
    Ok(fields)
}

/// A cell from the flat list of DARTS: two inputs for each node.
fn cell(kind: CellKind, inputs: &[(Operation, usize)]) -> Result<CellGenotype> {
    if inputs.len() != 2 * INTERMEDIATE_NODES {
        return Err(Error::InputCount {
            cell: kind,
            found: inputs.len(),
        });
    }
    let mut nodes: [Vec<(Operation, usize)>; INTERMEDIATE_NODES] = Default::default();
    for (node, pair) in nodes.iter_mut().zip(inputs.chunks(2)) {
        node.extend(
            pair.iter()
                .filter(|(operation, _)| *operation != Operation::None),
        );
    }
    CellGenotype::new(kind, nodes)
}

fn genotype_text(normal: &[(Operation, usize)], reduction: &[(Operation, usize)]) -> String {
    format!(
        "Genotype(normal=[{}], normal_concat=[2, 3, 4, 5], reduce=[{}], \
         reduce_concat=[2, 3, 4, 5])",
        inputs_text(normal),
        inputs_text(reduction)
    )
}

fn inputs_text(inputs: &[(Operation, usize)]) -> String {
    let inputs = inputs
        .iter()
        .map(|(operation, from)| format!("('{operation}', {from})"));
    inputs.collect::<Vec<_>>().join(", ")
}
