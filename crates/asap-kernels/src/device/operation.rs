//! Single operations on a device: the plans that [`crate::mixed_operation`] and [`crate::cell_input`] run on the processor.

use super::abi;
use super::engine::{DeviceEngine, Slab};
use super::launch::{Device, Precision};
use super::program::Arena;
use super::steps::StepOpWeights;
use crate::error::{Error, expect_len};
use crate::operation::{CellInputConfig, OperationConfig, check_numbers};
use crate::plan::{BufferAt, Door, Place, Plan, View};
use crate::regularisation::Regularisation;
use crate::run::Wanted;

/// An operation, a mixed op or what stands in front of a cell, with its memory on a device.
pub struct DeviceOperation {
    engine: DeviceEngine,
    /// Where the plan's buffers lie in the arena.
    buffers: Vec<BufferAt>,
}

/// What one has made of a source, and of the gradient of its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Operated {
    /// `[N, H, W, C]`.
    pub result: Vec<f32>,
    /// Gradient of the source, `[N, H, W, C]`.
    pub source: Vec<f32>,
    /// Gradients of the parameters, in their order and shapes.
    pub parameters: Vec<Vec<f32>>,
    /// Gradients of the op weights, `[operations]`.
    pub op_weights: Vec<f64>,
}

impl DeviceOperation {
    /// The sum of operations, each times its op weight, for sources `[n, h, w]`. Threads and level of `config` are the processor's.
    ///
    /// # Errors
    /// If there is no such operation, a size is 0, memory is short, or the kernels have no room for something.
    pub fn new(
        device: Box<dyn Device>,
        config: &OperationConfig,
        [n, h, w]: [usize; 3],
        precision: Precision,
    ) -> Result<Self, Error> {
        config.check()?;
        check_sizes("device operation", [n, h, w])?;
        let plan = config.plan([n, config.channels, h, w]);
        Self::of(device, plan, precision)
    }

    /// ReLU-1x1-BN or a factorised reduce, for sources `[n, h, w]`; it has no op weights.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn cell_input(
        device: Box<dyn Device>,
        config: &CellInputConfig,
        [n, h, w]: [usize; 3],
        precision: Precision,
    ) -> Result<Self, Error> {
        config.check()?;
        check_sizes("device cell input", [n, h, w])?;
        let plan = config.plan([n, config.inputs, h, w]);
        Self::of(device, plan, precision)
    }

    fn of(device: Box<dyn Device>, plan: Plan, precision: Precision) -> Result<Self, Error> {
        let buffers = Arena::of(&plan, precision).training.buffers;
        let engine = DeviceEngine::new(device, plan, precision)?;
        Ok(Self { engine, buffers })
    }

    /// Forward and, for the `gradient` of the result, backward; both tensors are `[N, H, W, C]`, normalisations go by the batch.
    /// `parameters` are those of [`crate::operation_parameters`] or [`crate::cell_input_parameters`].
    ///
    /// # Errors
    /// If a length is another, or the device fails.
    pub fn run(
        &mut self,
        source: &[f32],
        parameters: &[&[f32]],
        op_weights: &[f32],
        gradient: &[f32],
    ) -> Result<Operated, Error> {
        let slab = packed(&self.engine.plan, parameters)?;
        self.engine.write(Slab::Weights, &slab)?;
        let doors = *self.engine.plan.doors();
        self.fill(doors.source, doors.source.tensor.place, source)?;
        self.fill(doors.result, doors.result.gradient, gradient)?;
        self.engine.step.images = self.engine.plan.batch as u32;
        let op_weights = StepOpWeights::Given(op_weights);
        self.engine
            .step(op_weights, Regularisation::default(), Wanted::Both)?;
        self.engine.outcomes()?;
        let gradients = self.engine.read(Slab::Gradients)?;
        let in_source = View {
            place: doors.source.gradient,
            norm: None,
        };
        Ok(Operated {
            result: self.handed_out(doors.result, doors.result.tensor)?,
            source: self.handed_out(doors.source, in_source)?,
            parameters: unpacked(&self.engine.plan, &gradients),
            op_weights: self.engine.op_weight_gradients()?,
        })
    }

    fn address(&self, place: Place) -> u64 {
        let offset = self.buffers[place.buffer].offset + place.at;
        self.engine.built.bases.arena + 4 * offset as u64
    }

    /// Writes a tensor where the plan has it, zeros in its padding.
    fn fill(&mut self, door: Door, place: Place, values: &[f32]) -> Result<(), Error> {
        let (at, engine) = (self.address(place), &mut self.engine);
        expect_len("a tensor", engine.plan.batch * door.len(), values.len())?;
        let padded = values.chunks(door.channels).flat_map(|pixel| {
            let padding = std::iter::repeat_n(&0.0, door.size.channels - pixel.len());
            pixel.iter().chain(padding).copied()
        });
        let padded: Vec<f32> = padded.collect();
        engine.device.upload(at, abi::bytes(&padded))
    }

    /// A tensor without its padding, normalised if it is to be read so.
    fn handed_out(&mut self, door: Door, view: View) -> Result<Vec<f32>, Error> {
        let (at, engine) = (self.address(view.place), &mut self.engine);
        let padded = engine.floats(at, engine.plan.batch * door.size.len())?;
        let pixels = padded.chunks(door.size.channels);
        let values = pixels.flat_map(|pixel| &pixel[..door.channels]).copied();
        let Some(norm) = view.norm else {
            return Ok(values.collect());
        };
        let norm = &engine.plan.norms[norm];
        let vectors = [norm.a_vector, norm.b_vector];
        let [a, b] = vectors.map(|at| engine.built.bases.vectors + 4 * at as u64);
        let (a, b) = (
            engine.floats(a, door.channels)?,
            engine.floats(b, door.channels)?,
        );
        let coefficients = a.iter().zip(&b).cycle();
        Ok(values
            .zip(coefficients)
            .map(|(y, (a, b))| a.mul_add(y, *b))
            .collect())
    }
}

fn check_sizes(name: &'static str, [n, h, w]: [usize; 3]) -> Result<(), Error> {
    check_numbers(name, &[("images", n), ("rows", h), ("columns", w)])
}

/// Parameters as they lie in a slab.
fn packed(plan: &Plan, parameters: &[&[f32]]) -> Result<Vec<f32>, Error> {
    expect_len("parameters", plan.parameters.len(), parameters.len())?;
    let mut slab = vec![0.0; plan.slab_len];
    for (parameter, values) in plan.parameters.iter().zip(parameters) {
        let places = parameter.kind.places();
        expect_len("a parameter", places.len(), values.len())?;
        for (place, value) in places.iter().zip(*values) {
            slab[parameter.offset + place] = *value;
        }
    }
    Ok(slab)
}

fn unpacked(plan: &Plan, slab: &[f32]) -> Vec<Vec<f32>> {
    let parameters = plan.parameters.iter();
    parameters
        .map(|parameter| {
            let places = parameter.kind.places().into_iter();
            places.map(|place| slab[parameter.offset + place]).collect()
        })
        .collect()
}
