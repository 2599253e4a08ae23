//! A plan with its memory on a device: what [`crate::Engine`] is on the processor.

use super::abi;
use super::alphas::{AlphaSet, Alphas, no_alphas};
use super::average::Average;
use super::images::ImageSet;
use super::launch::{Device, Fetched, Launch, Part, Precision};
use super::memory::{Bases, OUTCOME, Sizes};
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
    /// The average of the parameters, see [`DeviceEngine::keep_average`].
    AverageWeights,
    /// The average of the running statistics.
    AverageStatistics,
}

/// The op weights of a step.
#[derive(Clone, Copy, Debug)]
pub enum StepOpWeights<'a> {
    /// In the order of the plan.
    Given(&'a [f32]),
    /// What [`DeviceEngine::move_alphas`] has made of the alphas.
    Kept,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// What it found.
    pub outcome: Outcome,
    /// Length of its gradients, where it descended.
    pub gradient_norm: f64,
    /// What it took on the device, from its op weights to its descent.
    pub seconds: f64,
}

/// A step that nobody has asked about yet.
pub(super) struct Pending {
    /// Whether the alphas moved after it.
    pub(super) moved_alphas: bool,
    /// The copy of what it came to; none while it may still go on.
    copy: Option<u64>,
}

/// A plan on a device, with weights, velocity and statistics there.
pub struct DeviceEngine {
    pub(super) device: Box<dyn Device>,
    pub(super) plan: Plan,
    precision: Precision,
    pub(super) built: Built,
    /// What the next step reads beside images.
    pub(super) step: abi::Step,
    /// Steps that nobody has asked about yet, oldest first.
    pub(super) pending: Vec<Pending>,
    pub(super) images: Option<ImageSet>,
    pub(super) alphas: Option<AlphaSet>,
    pub(super) average: Option<Average>,
}

/// What belongs to one plan.
pub(super) struct Built {
    block: u64,
    pub(super) bases: Bases,
    pub(super) sizes: Sizes,
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
            alphas: None,
            average: None,
        })
    }

    /// Takes another plan; slabs are zeros then, images stay; alphas, an average and what steps came to are gone.
    ///
    /// # Errors
    /// As [`Self::new`]; the engine is of no use then.
    pub fn replace(&mut self, plan: Plan) -> Result<(), Error> {
        self.drop_pending()?;
        self.forget_alphas();
        self.forget_average();
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
        let average = self.average.as_ref();
        match slab {
            Slab::AverageWeights => average.map_or((0, 0), |a| (a.weights, sizes.weights)),
            Slab::AverageStatistics => average.map_or((0, 0), |a| (a.statistics, sizes.statistics)),
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
        op_weights: StepOpWeights<'_>,
        regularisation: Regularisation,
        wanted: Wanted,
    ) -> Result<(), Error> {
        regularisation.check()?;
        self.close()?;
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
            ..self.step
        };
        self.device.start_clock()?;
        self.run(Goal::Train(wanted), op_weights)?;
        self.pending.push(Pending {
            moved_alphas: false,
            copy: None,
        });
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

    /// What is done after the last step is done: what it came to begins to come home.
    fn close(&mut self) -> Result<(), Error> {
        let Some(step) = self.pending.last_mut() else {
            return Ok(());
        };
        if step.copy.is_none() {
            let outcome = Part {
                address: self.built.bases.outcome,
                bytes: 8 * OUTCOME,
            };
            let mut parts = vec![outcome];
            if step.moved_alphas {
                parts.extend(self.alphas.iter().flat_map(AlphaSet::parts));
            }
            step.copy = Some(self.device.fetch(&parts)?);
        }
        Ok(())
    }

    /// What the steps since the last call came to, oldest first, once they are done; those left out after which the alphas moved.
    ///
    /// # Errors
    /// If the device failed.
    pub fn outcomes(&mut self) -> Result<Vec<Done>, Error> {
        self.close()?;
        let (moved, steps) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|step: &Pending| step.moved_alphas);
        self.pending = moved;
        let copies = steps.into_iter().filter_map(|step| step.copy);
        copies
            .map(|copy| Ok(done(&self.device.fetched(copy)?)?.0))
            .collect()
    }

    /// What the oldest step came to after which the alphas moved, and where they moved to; waits for nothing that was begun
    /// after it.
    ///
    /// # Errors
    /// If there is no such step, or the device failed.
    pub fn moved_alphas(&mut self) -> Result<(Done, Alphas), Error> {
        self.close()?;
        let step = self.pending.iter().position(|step| step.moved_alphas);
        let copy = step.and_then(|step| self.pending.remove(step).copy);
        let fetched = self.device.fetched(copy.ok_or_else(no_alphas)?)?;
        let (done, numbers) = done(&fetched)?;
        let mut parts = numbers
            .chunks((numbers.len() / 3).max(1))
            .map(<[f64]>::to_vec);
        let mut part = || parts.next().unwrap_or_default();
        let alphas = Alphas {
            parameters: part(),
            mean: part(),
            square: part(),
        };
        Ok((done, alphas))
    }

    fn drop_pending(&mut self) -> Result<(), Error> {
        let copies = std::mem::take(&mut self.pending).into_iter();
        copies
            .filter_map(|step| step.copy)
            .try_for_each(|copy| self.device.fetched(copy).map(drop))
    }

    /// Gradient of the loss in every op weight, of the last step that wanted them.
    ///
    /// # Errors
    /// If the device failed.
    pub fn op_weight_gradients(&mut self) -> Result<Vec<f64>, Error> {
        let mut bytes = vec![0; 8 * self.plan.op_weights];
        let at = self.built.bases.op_weight_gradients;
        self.device.download(at, &mut bytes)?;
        Ok(doubles(&bytes))
    }

    /// Logits `[N, classes]` of images `[N, H, W, C]` in eval mode.
    ///
    /// # Errors
    /// If lengths do not fit the plan, or the device fails.
    pub fn logits(&mut self, pixels: &[f32], op_weights: &[f32]) -> Result<Vec<f32>, Error> {
        self.close()?;
        let images = self.load_pixels(pixels)?;
        self.step = abi::Step {
            images: images as u32,
            ..Default::default()
        };
        self.run(Goal::Logits, StepOpWeights::Given(op_weights))?;
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

    fn run(&mut self, goal: Goal, op_weights: StepOpWeights<'_>) -> Result<(), Error> {
        match op_weights {
            StepOpWeights::Given(op_weights) => {
                expect_len("op weights", self.plan.op_weights, op_weights.len())?;
                let at = self.built.bases.op_weights;
                self.device.upload(at, abi::bytes(op_weights))?;
            }
            StepOpWeights::Kept if self.alphas.is_none() => return Err(no_alphas()),
            StepOpWeights::Kept => {}
        }
        self.upload_step()?;
        let index = index(goal);
        let graph = match self.built.graphs[index] {
            Some(graph) => graph,
            None => self.device.record(&self.built.launches[index])?,
        };
        self.built.graphs[index] = Some(graph);
        self.device.replay(graph)
    }

    pub(super) fn upload_step(&mut self) -> Result<(), Error> {
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
}

impl Drop for DeviceEngine {
    fn drop(&mut self) {
        for graph in self.built.graphs.into_iter().flatten() {
            self.device.forget(graph);
        }
        self.device.free(self.built.block);
        self.device.free(self.built.descent_table);
        self.forget_alphas();
        self.forget_average();
        if let Some(images) = &self.images {
            self.device.free(images.block);
        }
    }
}

/// What a step came to, and the numbers that came home with it.
fn done(fetched: &Fetched) -> Result<(Done, Vec<f64>), Error> {
    let mut numbers = doubles(&fetched.bytes);
    expect_len("an outcome", OUTCOME, numbers.len().min(OUTCOME))?;
    let rest = numbers.split_off(OUTCOME);
    let outcome = Outcome {
        loss: numbers[0],
        correct: numbers[1] as usize,
    };
    let done = Done {
        outcome,
        gradient_norm: numbers[2],
        seconds: fetched.seconds,
    };
    Ok((done, rest))
}

fn doubles(bytes: &[u8]) -> Vec<f64> {
    let (values, _) = bytes.as_chunks();
    values
        .iter()
        .map(|value| f64::from_ne_bytes(*value))
        .collect()
}

fn index(goal: Goal) -> usize {
    Goal::ALL
        .iter()
        .position(|g| *g == goal)
        .expect("all goals are listed")
}
