//! A plan with its memory on a device: what [`crate::Engine`] is on the processor.

use super::abi;
use super::alphas::AlphaSet;
use super::average::{Average, no_average};
use super::images::ImageSet;
use super::launch::{Device, Launch, Precision};
use super::memory::{Bases, Sizes};
use super::optimizer;
use super::program::{Arena, Goal, Programs, Target};
use super::steps::{Pending, Stages};
use crate::error::{Error, expect_len};
use crate::plan::Plan;

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

/// A plan on a device, with weights, velocity and statistics there.
pub struct DeviceEngine {
    pub(super) device: Box<dyn Device>,
    pub(super) plan: Plan,
    precision: Precision,
    pub(super) built: Built,
    /// What the next step reads beside images.
    pub(super) step: abi::Step,
    /// Whether the next step makes its own images.
    pub(super) shown: bool,
    /// Whether the op weights that lie there are those of the alphas.
    pub(super) op_weights_kept: bool,
    /// The step that may still go on.
    pub(super) open: Option<Stages>,
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
    pub(super) graphs: Vec<(Stages, u64)>,
    descent_table: u64,
    pub(super) descent: [Launch; 2],
}

impl Built {
    fn new(device: &mut dyn Device, plan: &Plan, precision: Precision) -> Result<Self, Error> {
        let target = Target {
            precision,
            capacity: device.capacity(),
        };
        let arena = Arena::of(plan, precision);
        let sizes = Programs::of(plan, &arena, target, &Bases::unknown())?.sizes;
        let (block, bases) = Bases::allocate(device, &sizes)?;
        let programs = Programs::of(plan, &arena, target, &bases)?;
        device.upload(bases.tables, &programs.tables.bytes)?;
        let (descent_table, descent) = optimizer::launches(device, &bases, &sizes)?;
        Ok(Self {
            block,
            bases,
            sizes,
            launches: programs.launches,
            graphs: Vec::new(),
            descent_table,
            descent,
        })
    }

    /// The launches of a pass.
    pub(super) fn pass(&self, goal: Goal) -> &[Launch] {
        let index = Goal::ALL.iter().position(|g| *g == goal);
        &self.launches[index.expect("all goals are listed")]
    }

    fn forget_graphs(&mut self, device: &mut dyn Device) {
        for (_, graph) in self.graphs.drain(..) {
            device.forget(graph);
        }
    }

    fn free(mut self, device: &mut dyn Device) {
        self.forget_graphs(device);
        device.free(self.block);
        device.free(self.descent_table);
    }
}

impl DeviceEngine {
    /// Memory and launches for a plan.
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
            shown: false,
            op_weights_kept: false,
            open: None,
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
        // What was begun belongs to the old plan.
        (self.shown, self.op_weights_kept, self.open) = (false, false, None);
        for step in std::mem::take(&mut self.pending) {
            self.device.fetched(step.copy())?;
        }
        self.forget_alphas();
        self.forget_average();
        if let Some(images) = &mut self.images {
            images.launch = None;
        }
        // The old memory goes first: two plans may not fit side by side.
        let empty = Built {
            block: 0,
            bases: Bases::default(),
            sizes: Sizes::default(),
            launches: [const { Vec::new() }; 4],
            graphs: Vec::new(),
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

    /// What it runs on; steps begun so far have been handed to it.
    ///
    /// # Errors
    /// If it fails.
    pub fn device(&mut self) -> Result<&mut dyn Device, Error> {
        self.hand_over()?;
        Ok(&mut *self.device)
    }

    /// Graphs know where alphas, averages and images lie.
    pub(super) fn forget_graphs(&mut self) {
        self.built.forget_graphs(&mut *self.device);
    }

    /// How products compute.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    fn slab(&self, slab: Slab) -> Result<(u64, usize), Error> {
        let Built { bases, sizes, .. } = &self.built;
        let average = || self.average.as_ref().ok_or_else(no_average);
        Ok(match slab {
            Slab::Weights => (bases.weights, sizes.weights),
            Slab::Gradients => (bases.gradients, sizes.gradients),
            Slab::Velocity => (bases.velocity, sizes.velocity),
            Slab::Statistics => (bases.statistics, sizes.statistics),
            Slab::AverageWeights => (average()?.weights, sizes.weights),
            Slab::AverageStatistics => (average()?.statistics, sizes.statistics),
        })
    }

    /// Writes a whole slab.
    ///
    /// # Errors
    /// If the length is another, there is no average where one is meant, or the device fails.
    pub fn write(&mut self, slab: Slab, values: &[f32]) -> Result<(), Error> {
        let (at, len) = self.slab(slab)?;
        expect_len("slab", len, values.len())?;
        self.hand_over()?;
        self.device.upload(at, abi::bytes(values))
    }

    /// Reads a whole slab, after all steps so far.
    ///
    /// # Errors
    /// If there is no average where one is meant, or the device fails.
    pub fn read(&mut self, slab: Slab) -> Result<Vec<f32>, Error> {
        self.hand_over()?;
        let (at, len) = self.slab(slab)?;
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

    pub(super) fn load_pixels(&mut self, pixels: &[f32]) -> Result<usize, Error> {
        self.hand_over()?;
        self.shown = false;
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

    pub(super) fn floats(&mut self, at: u64, len: usize) -> Result<Vec<f32>, Error> {
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
        self.forget_graphs();
        // There is none where no plan could take the place of another.
        if self.built.block != 0 {
            self.device.free(self.built.block);
            self.device.free(self.built.descent_table);
        }
        self.forget_alphas();
        self.forget_average();
        if let Some(images) = &self.images {
            self.device.free(images.block);
        }
    }
}
