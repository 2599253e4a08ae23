//! The size of a network from the names and shapes in its state dict.

use crate::config::{Form, NetworkConfig, StemForm};
use crate::error::{Error, Result};
use crate::tensors::NamedTensor;

/// A key of the auxiliary head.
const AUXILIARY: &str = "auxiliary_head.classifier.weight";
/// What every cell has after `cells.N`, whatever its kind.
const OF_A_CELL: &str = "preprocess1.op.1.weight";

/// A size to check the state dict against; height and width are those of the images.
///
/// # Errors
/// If the state dict lacks what tells a size, or is that of another network.
pub(super) fn config_of(
    state_dict: &[NamedTensor],
    form: Form,
    [height, width]: [usize; 2],
) -> Result<NetworkConfig> {
    refuse_other_networks(state_dict, form)?;
    let has = |prefix: &str| state_dict.iter().any(|t| t.name.starts_with(prefix));
    let (stem, key, expected) = match has("stem0.") {
        true => (
            StemForm::ImageNet,
            "stem0.0.weight",
            "[C / 2, image channels, 3, 3]",
        ),
        false => (
            StemForm::Cifar,
            "stem.0.weight",
            "[3 C, image channels, 3, 3]",
        ),
    };
    let [outputs, image_channels, _, _] = shape_of(state_dict, key, expected)?;
    let channels = match stem {
        StemForm::ImageNet => 2 * outputs,
        StemForm::Cifar => outputs / 3,
    };
    let [classes, _] = shape_of(state_dict, "classifier.weight", "[classes, features]")?;
    Ok(NetworkConfig {
        channels,
        cells: cells(state_dict),
        classes,
        image_channels,
        height,
        width,
        form,
        stem,
        auxiliary: state_dict.iter().any(|tensor| tensor.name == AUXILIARY),
    })
}

fn refuse_other_networks(state_dict: &[NamedTensor], form: Form) -> Result<()> {
    let search = state_dict
        .iter()
        .any(|tensor| tensor.name.matches("._ops.").count() == 2);
    let problem = match form {
        Form::Final if search => "is that of the search network, expected a derived network",
        Form::Search | Form::SearchByEdge if !search && !state_dict.is_empty() => {
            "is that of a derived network, expected the search network"
        }
        _ => return Ok(()),
    };
    Err(Error::StateDict {
        problems: problem.to_owned(),
    })
}

/// The sizes of a tensor with `N` dimensions.
fn shape_of<const N: usize>(
    state_dict: &[NamedTensor],
    key: &str,
    expected: &str,
) -> Result<[usize; N]> {
    let found = state_dict.iter().find(|tensor| tensor.name == key);
    let problems = match found.map(|tensor| &tensor.shape) {
        None => format!("missing `{key}` {expected}"),
        Some(shape) => match <[usize; N]>::try_from(shape.as_slice()) {
            Ok(sizes) => return Ok(sizes),
            Err(_) => format!("`{key}`: expected shape {expected}, found {shape:?}"),
        },
    };
    Err(Error::StateDict { problems })
}

/// One more than the largest number of a cell. One key tells: of any other, one too many would change the depth, and so
/// what is expected everywhere.
fn cells(state_dict: &[NamedTensor]) -> usize {
    let numbers = state_dict.iter().filter_map(|tensor| {
        let rest = tensor.name.strip_prefix("cells.")?;
        let (number, ending) = rest.split_once('.')?;
        number.parse::<usize>().ok().filter(|_| ending == OF_A_CELL)
    });
    // Every cell has tensors of its own: a wild number asks for no wild amount of work.
    numbers
        .max()
        .map_or(0, |last| last.saturating_add(1).min(state_dict.len()))
}
