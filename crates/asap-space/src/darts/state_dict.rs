//! From a state dict to a network, and back.

use std::collections::BTreeMap;

use super::layout::{DartsLayout, DartsNetwork};
use super::{order, sizes};
use crate::config::{Execution, Form};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::tensors::NamedTensor;

/// Problems that an error names; it counts the others.
const NAMED_PROBLEMS: usize = 5;
/// Two running statistics are the same value, computed twice, if they differ by no larger share.
const ROUNDING: f32 = 1e-5;

impl DartsLayout {
    /// The layout of a state dict. Its names and shapes tell the size of the network, all but height and width of its
    /// images.
    ///
    /// Where a node's two operations have different tensors, the state dict also tells which came first; the listing
    /// decides between the others. Running statistics after pools are kept by edge if those of one pool of one source
    /// differ from edge to edge.
    ///
    /// # Errors
    /// If the state dict is not that of such a network. Tensors are checked by [`Self::network`].
    pub fn of_state_dict(
        state_dict: &[NamedTensor],
        network: DartsNetwork<'_>,
        image: [usize; 2],
    ) -> Result<Self> {
        match network {
            DartsNetwork::Derived(listing) => {
                let config = sizes::config_of(state_dict, Form::Final, image)?;
                let listing = order::ordered(listing, &config, state_dict)?;
                Self::new(config, DartsNetwork::Derived(&listing))
            }
            DartsNetwork::Search => {
                let mut config = sizes::config_of(state_dict, Form::Search, image)?;
                let layout = Self::new(config.clone(), network)?;
                let Some(_) = layout.first_difference(&by_key(state_dict)) else {
                    return Ok(layout);
                };
                config.form = Form::SearchByEdge;
                Self::new(config, network)
            }
        }
    }

    /// The network of a state dict.
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or of no network; the error names up to five. If threads cannot be started.
    pub fn network(&self, state_dict: &[NamedTensor], execution: Execution) -> Result<Network> {
        let tensors = self.tensors(state_dict)?;
        let (config, topology) = (self.config.clone(), self.topology.clone());
        let mut network = Network::new(config, topology, execution, 0)?;
        network.load_tensors(&tensors)?;
        Ok(network)
    }

    /// Weights and running statistics under our names, as [`Network::load_tensors`] takes them.
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or of no network; the error names up to five.
    pub fn tensors(&self, state_dict: &[NamedTensor]) -> Result<Vec<NamedTensor>> {
        let mut found = by_key(state_dict);
        self.refuse_problems(&found)?;
        if let Some(problems) = self.first_difference(&found) {
            return Err(Error::StateDict { problems });
        }
        let tensors = self.entries.iter().filter_map(|entry| {
            let tensor = found.remove(entry.key.as_str())?;
            let named = NamedTensor {
                name: entry.name.clone(),
                ..tensor.clone()
            };
            Some((entry.name.as_str(), named))
        });
        Ok(tensors.collect::<BTreeMap<_, _>>().into_values().collect())
    }

    /// Weights, running statistics or gradients under the reference's names and in its order, from ours. Statistics that
    /// several edges share are written to each; names of other networks, and what is not given, are left out.
    pub fn state_dict(&self, tensors: &[NamedTensor]) -> Vec<NamedTensor> {
        let ours: BTreeMap<&str, &NamedTensor> =
            tensors.iter().map(|t| (t.name.as_str(), t)).collect();
        let entries = self.entries.iter();
        let named = entries.filter_map(|entry| {
            let tensor = ours.get(entry.name.as_str())?;
            Some(NamedTensor {
                name: entry.key.clone(),
                ..(*tensor).clone()
            })
        });
        named.collect()
    }

    fn refuse_problems(&self, found: &BTreeMap<&str, &NamedTensor>) -> Result<()> {
        let mut problems = Vec::new();
        let mut others = found.clone();
        for entry in &self.entries {
            let (key, shape) = (&entry.key, &entry.shape);
            match others.remove(key.as_str()) {
                None => problems.push(format!("missing `{key}` {shape:?}")),
                Some(tensor) if tensor.shape != *shape => {
                    let found = &tensor.shape;
                    problems.push(format!(
                        "`{key}`: expected shape {shape:?}, found {found:?}"
                    ));
                }
                Some(_) => {}
            }
        }
        // First: a key of another network may be why others are missing.
        let unexpected = others.into_keys().map(|key| format!("unexpected `{key}`"));
        let mut problems: Vec<String> = unexpected.chain(problems).collect();
        if problems.is_empty() {
            return Ok(());
        }
        let more = problems.len().saturating_sub(NAMED_PROBLEMS);
        problems.truncate(NAMED_PROBLEMS);
        let mut text = problems.join("; ");
        if more > 0 {
            text += &format!("; and {more} more");
        }
        Err(Error::StateDict { problems: text })
    }

    /// Two keys that stand for one tensor of the network, and hold different values.
    fn first_difference(&self, found: &BTreeMap<&str, &NamedTensor>) -> Option<String> {
        let mut seen: BTreeMap<&str, (&str, &NamedTensor)> = BTreeMap::new();
        for entry in &self.entries {
            let Some(tensor) = found.get(entry.key.as_str()) else {
                continue;
            };
            let (key, first) = *seen.entry(&entry.name).or_insert((&entry.key, tensor));
            let same =
                |(a, b): (&f32, &f32)| a == b || (a - b).abs() <= ROUNDING * a.abs().max(b.abs());
            if !first.values.iter().zip(&tensor.values).all(same) {
                return Some(format!(
                    "`{key}` and `{}` differ: expected the same statistics of one pool of one node",
                    entry.key
                ));
            }
        }
        None
    }
}

/// Tensors by key, without the counters of batches.
fn by_key(state_dict: &[NamedTensor]) -> BTreeMap<&str, &NamedTensor> {
    let tensors = state_dict
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor));
    tensors
        .filter(|(key, _)| !key.ends_with(".num_batches_tracked"))
        .collect()
}
