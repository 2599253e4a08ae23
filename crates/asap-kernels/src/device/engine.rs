//! A plan with its memory on a device: what [`crate::Engine`] is on the processor.

use super::abi;
use super::images::ImageSet;
use super::launch::{Device, Launch, Precision};
use super::memory::{Bases, OUTCOMES, Sizes};
use super::optimizer::{self, Descent};
use super::program::{Goal, Programs};
use crate::error::{Error, expect_len};
use crate::plan::Plan;
use crate::regularisation::Regularisation;
use crate::run::{Outcome, Wanted};

/// What lies on the device in the order of [`Plan::parameters`], or of [`Plan::statistics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slab {
    /// Parameters.
    Weights,
    /// Gradients of the last step that wanted them.
    Gradients,
    /// The optimizer's velocity.
    Velocity,
    /// Running statistics.
    Statistics,
}

/// A plan on a device, with weights, velocity and statistics there.
pub struct DeviceEngine {
    pub(super) device: Box<dyn Device>,
    pub(super) plan: Plan,
    precision: Precision,
    pub(super) built: Built,
    /// What the next step reads beside images.
    pub(super) step: abi::Step,
    /// Images of every step whose outcome nobody has asked for yet.
    pending: Vec<usize>,
    pub(super) images: Option<ImageSet>,
}

/// What belongs to one plan.
pub(super) struct Built {
    block: u64,
    pub(super) bases: Bases,
    sizes: Sizes,
    launches: [Vec<Launch>; 4],
    graphs: [Option<u64>; 4],
    descent_table: u64,
    descent: [Launch; 2],
}

impl Built {
    fn new(device: &mut dyn Device, plan: &Plan, precision: Precision) -> Result<Self, Error> {
        let sizes = Programs::of(plan, precision, &Bases::unknown())?.sizes;
        let (block, bases) = Bases::allocate(device, &sizes)?;
        let programs = Programs::of(plan, precision, &bases)?;
        device.upload(bases.tables, &programs.tables.bytes)?;
        let (descent_table, descent) = optimizer::launches(device, &bases, &sizes)?;
        Ok(Self {
            block,
            bases,
            sizes,
            launches: programs.launches,
            graphs: [None; 4],
            descent_table,
            descent,
        })
    }

    fn free(self, device: &mut dyn Device) {
        self.graphs
            .into_iter()
            .flatten()
            .for_each(|graph| device.forget(graph));
        device.free(self.block);
        device.free(self.descent_table);
    }
}

impl DeviceEngine {
    /// Memory and launches for a plan of a whole network.
    ///
    /// # Errors
    /// If memory is short, or the plan has something that kernels have no room for.
    pub fn new(
        mut device: Box<dyn Device>,
        plan: Plan,
        precision: Precision,
    ) -> Result<Self, Error> {
        let built = Built::new(&mut *device, &plan, precision)?;
        Ok(Self {
            device,
            plan,
            precision,
            built,
            step: abi::Step::default(),
            pending: Vec::new(),
            images: None,
        })
    }

    /// Takes another plan; slabs are zeros then, images stay.
    ///
    /// # Errors
    /// As [`Self::new`]; the engine is of no use then.
    pub fn replace(&mut self, plan: Plan) -> Result<(), Error> {
        // The old memory goes first: two plans may not fit side by side.
        let empty = Built {
            block: 0,
            bases: Bases::default(),
            sizes: Sizes::default(),
            launches: [const { Vec::new() }; 4],
            graphs: [None; 4],
            descent_table: 0,
            descent: self.built.descent,
        };
        std::mem::replace(&mut self.built, empty).free(&mut *self.device);
        self.built = Built::new(&mut *self.device, &plan, self.precision)?;
        self.plan = plan;
        self.pending.clear();
        Ok(())
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What it runs on.
    pub fn device(&mut self) -> &mut dyn Device {
        &mut *self.device
    }

    /// How products compute.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes that the plan takes on the device, images not counted.
    pub fn bytes(&self) -> usize {
        self.built.sizes.bytes()
    }

    fn slab(&self, slab: Slab) -> (u64, usize) {
        let Built { bases, sizes, .. } = &self.built;
        match slab {
            Slab::Weights => (bases.weights, sizes.weights),
            Slab::Gradients => (bases.gradients, sizes.gradients),
            Slab::Velocity => (bases.velocity, sizes.velocity),
            Slab::Statistics => (bases.statistics, sizes.statistics),
        }
    }

    /// Writes a whole slab.
    ///
    /// # Errors
    /// If the length is another, or the device fails.
    pub fn write(&mut self, slab: Slab, values: &[f32]) -> Result<(), Error> {
        let (at, len) = self.slab(slab);
        expect_len("slab", len, values.len())?;
        self.device.upload(at, abi::bytes(values))
    }

    /// Reads a whole slab, after all steps so far.
    ///
    /// # Errors
    /// If the device fails.
    pub fn read(&mut self, slab: Slab) -> Result<Vec<f32>, Error> {
        let (at, len) = self.slab(slab);
        self.floats(at, len)
    }

    /// Images and labels for the next steps: `[N, H, W, C]` and `[N]`.
    ///
    /// # Errors
    /// If lengths or a label do not fit the plan, or the device fails.
    pub fn load(&mut self, pixels: &[f32], labels: &[u32]) -> Result<(), Error> {
        let images = self.load_pixels(pixels)?;
        expect_len("labels", images, labels.len())?;
        self.check_labels(labels.iter().copied())?;
        self.device
            .upload(self.built.bases.labels, abi::bytes(labels))
    }

    fn load_pixels(&mut self, pixels: &[f32]) -> Result<usize, Error> {
        let image: usize = self.plan.stem().image.iter().product();
        let images = pixels.len() / image;
        self.check_batch(images)?;
        expect_len("pixels", images * image, pixels.len())?;
        self.device
            .upload(self.built.bases.pixels, abi::bytes(pixels))?;
        self.step.images = images as u32;
        Ok(images)
    }

    pub(super) fn check_batch(&self, images: usize) -> Result<(), Error> {
        if images == 0 || images > self.plan.batch {
            return Err(Error::Batch {
                batch: self.plan.batch,
                found: images,
            });
        }
        Ok(())
    }

    pub(super) fn check_labels(&self, labels: impl Iterator<Item = u32>) -> Result<(), Error> {
        let classes = self.plan.head().classifier.classes;
        match labels
            .enumerate()
            .find(|(_, label)| *label as usize >= classes)
        {
            None => Ok(()),
            Some((image, label)) => Err(Error::Label {
                image,
                label,
                classes,
            }),
        }
    }

    /// One forward and backward pass in training mode over the images loaded last, as [`crate::Engine::step`]; returns before it
    /// is done.
    ///
    /// # Errors
    /// If op weights or the regularisation do not fit, or the device fails.
    pub fn step(
        &mut self,
        op_weights: &[f32],
        regularisation: Regularisation,
        wanted: Wanted,
    ) -> Result<(), Error> {
        regularisation.check()?;
        if self.pending.len() == OUTCOMES {
            return Err(Error::Device {
                what: "a step".to_owned(),
                problem: format!("the outcomes of {OUTCOMES} steps wait to be asked for"),
            });
        }
        self.step = abi::Step {
            images: self.step.images,
            train: 1,
            want_weights: u32::from(wanted.weights()),
            want_op_weights: u32::from(wanted.op_weights()),
            label_smoothing: regularisation.label_smoothing,
            auxiliary_weight: regularisation.auxiliary_weight,
            drop_path: regularisation.drop_path,
            kept_scale: regularisation.kept_scale(),
            seed: regularisation.seed,
            slot: self.pending.len() as u32,
            ..self.step
        };
        self.run(Goal::Train(wanted), op_weights)?;
        self.pending.push(self.step.images as usize);
        Ok(())
    }

    /// Moves the weights against the gradients of the last step, unless its loss or their norm is no number; returns before it
    /// is done.
    ///
    /// # Errors
    /// If the device fails.
    pub fn descend(&mut self, descent: Descent) -> Result<(), Error> {
        self.step = abi::Step {
            learning_rate: descent.learning_rate as f32,
            momentum: descent.momentum as f32,
            weight_decay: descent.weight_decay as f32,
            clip: descent.clip as f32,
            nesterov: u32::from(descent.nesterov),
            ..self.step
        };
        self.upload_step()?;
        for launch in &self.built.descent {
            self.device.launch(launch)?;
        }
        Ok(())
    }

    /// What the steps since the last call found, oldest first, and the norms of their gradients where they descended.
    ///
    /// # Errors
    /// If the device failed.
    pub fn outcomes(&mut self) -> Result<Vec<(Outcome, f64)>, Error> {
        let mut values = vec![0.0_f64; 3 * self.pending.len()];
        self.doubles(self.built.bases.outcomes, &mut values)?;
        self.pending.clear();
        let outcome = |v: &[f64]| {
            let (loss, correct) = (v[0], v[1] as usize);
            (Outcome { loss, correct }, v[2])
        };
        Ok(values.chunks_exact(3).map(outcome).collect())
    }

    /// Steps whose outcomes may still be kept.
    pub fn outcomes_left(&self) -> usize {
        OUTCOMES - self.pending.len()
    }

    /// Gradient of the loss in every op weight, of the last step that wanted them.
    ///
    /// # Errors
    /// If the device failed.
    pub fn op_weight_gradients(&mut self) -> Result<Vec<f64>, Error> {
        let mut values = vec![0.0; self.plan.op_weights];
        self.doubles(self.built.bases.op_weight_gradients, &mut values)?;
        Ok(values)
    }

    /// Logits `[N, classes]` of images `[N, H, W, C]` in eval mode.
    ///
    /// # Errors
    /// If lengths do not fit the plan, or the device fails.
    pub fn logits(&mut self, pixels: &[f32], op_weights: &[f32]) -> Result<Vec<f32>, Error> {
        let images = self.load_pixels(pixels)?;
        self.step = abi::Step {
            images: images as u32,
            ..Default::default()
        };
        self.run(Goal::Logits, op_weights)?;
        let classes = self.plan.head().classifier.classes;
        self.floats(self.built.bases.logits, images * classes)
    }

    /// The launches of a training step.
    pub fn launches(&self, wanted: Wanted) -> &[Launch] {
        &self.built.launches[index(Goal::Train(wanted))]
    }

    /// The launches of a descent.
    pub fn descent(&self) -> &[Launch] {
        &self.built.descent
    }

    fn run(&mut self, goal: Goal, op_weights: &[f32]) -> Result<(), Error> {
        expect_len("op weights", self.plan.op_weights, op_weights.len())?;
        self.device
            .upload(self.built.bases.op_weights, abi::bytes(op_weights))?;
        self.upload_step()?;
        let index = index(goal);
        let graph = match self.built.graphs[index] {
            Some(graph) => graph,
            None => self.device.record(&self.built.launches[index])?,
        };
        self.built.graphs[index] = Some(graph);
        self.device.replay(graph)
    }

    fn upload_step(&mut self) -> Result<(), Error> {
        let at = self.built.bases.step;
        self.device.upload(at, abi::bytes(&[self.step]))
    }

    fn floats(&mut self, at: u64, len: usize) -> Result<Vec<f32>, Error> {
        let mut bytes = vec![0; 4 * len];
        self.device.download(at, &mut bytes)?;
        let (values, _) = bytes.as_chunks();
        Ok(values
            .iter()
            .map(|value| f32::from_ne_bytes(*value))
            .collect())
    }

    fn doubles(&mut self, at: u64, values: &mut [f64]) -> Result<(), Error> {
        let mut bytes = vec![0; 8 * values.len()];
        self.device.download(at, &mut bytes)?;
        let (found, _) = bytes.as_chunks();
        for (value, found) in values.iter_mut().zip(found) {
            *value = f64::from_ne_bytes(*found);
        }
        Ok(())
    }
}

impl Drop for DeviceEngine {
    fn drop(&mut self) {
        for graph in self.built.graphs.into_iter().flatten() {
            self.device.forget(graph);
        }
        self.device.free(self.built.block);
        self.device.free(self.built.descent_table);
        if let Some(images) = &self.images {
            self.device.free(images.block);
        }
    }
}

fn index(goal: Goal) -> usize {
    Goal::ALL
        .iter()
        .position(|g| *g == goal)
        .expect("all goals are listed")
}
