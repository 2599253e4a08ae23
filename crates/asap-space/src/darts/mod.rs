//! State dicts of the reference implementation of DARTS: its names for the tensors of a network, both ways.
//!
//! The reference (github.com/quark0/darts, `cnn/model.py` and `cnn/model_search.py`) names a tensor by the module that
//! owns it, as in `cells.3._ops.5.op.1.weight`. A derived network numbers the operations of a cell as its genotype's
//! text lists them, two for each node; the search network numbers edges by target and source, and on an edge all
//! eight operations.

mod alphas;
mod layout;
mod order;
mod parts;
mod sizes;
mod state_dict;

pub use alphas::{DartsAlphas, darts_alpha_gradients, darts_op_weights};
pub use layout::{DartsLayout, DartsNetwork};
