//! `asap eval --inputs`: logits and gradients of raw images, for comparing with other programs.

use super::inputs::Inputs;
use super::{Kind, PassFlags, StateDict};
use crate::quantities::bytes;
use crate::{output, tensor_file};
use anyhow::{Result, bail, ensure};
use asap_genotype::{Listing, OpWeights};
use asap_space::{
    DartsLayout, DartsNetwork, Execution, Images, NamedTensor, Network, Wanted,
    darts_alpha_gradients, darts_op_weights, training_memory,
};
use asap_train::{RunFolder, SavedNetwork, available_bytes};
use std::path::Path;

/// A network, its tensors' names outside, and what operations weigh in it.
struct Subject {
    network: Network,
    layout: DartsLayout,
    op_weights: OpWeights,
}

/// Computes and writes what was asked for, of a run's network where there are no other weights. An evaluation computes
/// as many images at once as `execution` says, a pass in training mode all of them.
///
/// # Errors
/// If a file cannot be read or written, weights and inputs do not fit, or memory is short.
pub(crate) fn run(
    path: &Path,
    flags: &PassFlags,
    network: Option<&Path>,
    execution: Execution,
) -> Result<()> {
    ensure!(
        flags.logits.is_some() || flags.gradients.is_some(),
        "--inputs: expected --logits OUT or --gradients OUT beside it"
    );
    let inputs = Inputs::read(path)?;
    let images = inputs.shape[0];
    let batch = match flags.gradients {
        // Statistics of a batch are those of all its images.
        Some(_) => images,
        None => images.min(execution.batch),
    };
    let execution = Execution { batch, ..execution };
    let mut subject = subject(flags, network, &inputs, execution)?;
    let found = subject.network.config().image_channels;
    ensure!(
        inputs.shape[1] == found,
        "{}: `images` have {} channels, the network takes {found}",
        path.display(),
        inputs.shape[1]
    );
    if let Some(out) = &flags.logits {
        tensor_file::write(out, &[subject.logits(&inputs, batch)?], &[], None)?;
        output::line(format_args!(
            "logits of {images} images in {}",
            out.display()
        ))?;
    }
    if let Some(out) = &flags.gradients {
        let gradients = subject.gradients(&inputs)?;
        let loss = gradients[0].values[0];
        tensor_file::write(out, &gradients, &[], None)?;
        output::line(format_args!(
            "loss {loss:.6}, gradients in {}",
            out.display()
        ))?;
    }
    Ok(())
}

fn subject(
    flags: &PassFlags,
    run: Option<&Path>,
    inputs: &Inputs,
    execution: Execution,
) -> Result<Subject> {
    let [_, _, height, width] = inputs.shape;
    let weights = &flags.weights;
    let (network, layout) = match (&weights.weights, run) {
        (Some(path), _) => {
            let state_dict = match flags.kind {
                Kind::Derived => StateDict::derived(path, weights.genotype.as_ref())?,
                Kind::Search => StateDict::read(path, None)?,
            };
            let layout = state_dict.layout([height, width])?;
            require_memory(flags, &layout, execution)?;
            (state_dict.network(&layout, execution)?, layout)
        }
        (None, Some(run)) => {
            // For one image: what all of them take is known once the network is.
            let one = Execution {
                batch: 1,
                ..execution
            };
            let saved = SavedNetwork::load(&RunFolder::network_at(run), one)?;
            let config = saved.network.config().clone();
            let expected = [config.height, config.width];
            ensure!(
                [height, width] == expected,
                "the network takes images of {expected:?} pixels, found {:?}",
                [height, width]
            );
            let listing = Listing::from(&saved.genotype);
            let topology = saved.network.topology().clone();
            let layout = DartsLayout::new(config.clone(), DartsNetwork::Derived(&listing))?;
            require_memory(flags, &layout, execution)?;
            let mut network = Network::new(config, topology, execution, 0)?;
            network.load_tensors(&saved.network.tensors()?)?;
            (network, layout)
        }
        (None, None) => bail!("expected a run or --weights FILE"),
    };
    let op_weights = match flags.kind {
        Kind::Derived => OpWeights::ones(network.topology()),
        Kind::Search => darts_op_weights(inputs.alphas()?),
    };
    Ok(Subject {
        network,
        layout,
        op_weights,
    })
}

/// Refuses a pass in training mode that takes more memory than there is: the system would end the program without a
/// word.
fn require_memory(flags: &PassFlags, layout: &DartsLayout, execution: Execution) -> Result<()> {
    let (Some(_), Some(free)) = (&flags.gradients, available_bytes()) else {
        return Ok(());
    };
    let needed = training_memory(layout.config(), layout.topology(), execution)?.total();
    ensure!(
        needed <= free,
        "--gradients: a pass of {} images needs {} of memory and {} are available: give it fewer images",
        execution.batch,
        bytes(needed),
        bytes(free)
    );
    Ok(())
}

impl Subject {
    /// Those of evaluation, `[N, classes]`.
    fn logits(&mut self, inputs: &Inputs, batch: usize) -> Result<NamedTensor> {
        let [images, channels, height, width] = inputs.shape;
        let mut values = Vec::with_capacity(images * self.network.config().classes);
        for pixels in inputs.pixels.chunks(batch * channels * height * width) {
            values.extend(self.network.logits(pixels, &self.op_weights)?);
        }
        let shape = vec![images, self.network.config().classes];
        Ok(named("logits", shape, values))
    }

    /// The loss first, then the gradients by key; those of the alphas too, if there are any.
    fn gradients(&mut self, inputs: &Inputs) -> Result<Vec<NamedTensor>> {
        let labels = inputs.labels(self.network.config().classes)?;
        let images = Images {
            pixels: &inputs.pixels,
            labels: &labels,
        };
        let search = inputs.alphas().is_ok() && !self.network.topology().is_discrete();
        let wanted = if search {
            Wanted::Both
        } else {
            Wanted::Weights
        };
        let outcome = self.network.step(images, &self.op_weights, wanted)?;
        let mut tensors = vec![named("loss", vec![1], vec![outcome.loss as f32])];
        let slab = self.network.slab_tensors(&self.network.gradients()?);
        tensors.extend(self.layout.state_dict(&slab));
        if search {
            let gradients =
                darts_alpha_gradients(&self.op_weights, &self.network.op_weight_gradients()?);
            for (name, rows) in ["alphas_normal", "alphas_reduce"]
                .into_iter()
                .zip(gradients)
            {
                let shape = vec![rows.len(), rows[0].len()];
                tensors.push(named(name, shape, rows.as_flattened().to_vec()));
            }
        }
        Ok(tensors)
    }
}

fn named(name: &str, shape: Vec<usize>, values: Vec<f32>) -> NamedTensor {
    NamedTensor {
        name: name.to_owned(),
        shape,
        values,
    }
}
