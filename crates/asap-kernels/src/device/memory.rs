//! What a plan needs on a device, and where it lies there.

use super::launch::Device;
use crate::error::Error;
use crate::plan::Plan;

macro_rules! regions {
    ($($(#[$doc:meta])* $name:ident: $unit:expr,)*) => {
        /// Values in each region; of the tables, bytes.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(super) struct Sizes { $($(#[$doc])* pub(super) $name: usize,)* }

        /// Address of each region; 0 where there is no memory yet.
        #[derive(Clone, Debug, Default)]
        pub(super) struct Bases { $(pub(super) $name: u64,)* }

        impl Sizes {
            /// Bytes of all regions.
            pub(super) fn bytes(&self) -> usize { 0 $(+ padded(self.$name * $unit))* }
        }

        impl Bases {
            /// Addresses to find the sizes with: nowhere, but not 0, which stands for what is absent.
            pub(super) fn unknown() -> Self {
                Self { $($name: 1 << 40,)* }
            }

            /// One block of memory for all regions; its address too.
            ///
            /// # Errors
            /// If the device has not as much.
            pub(super) fn allocate(device: &mut dyn Device, sizes: &Sizes) -> Result<(u64, Self), Error> {
                let block = device.allocate(sizes.bytes())?;
                let mut at = block;
                let mut bases = Self::default();
                $(
                    bases.$name = at;
                    at += padded(sizes.$name * $unit) as u64;
                )*
                debug_assert_eq!(at, block + sizes.bytes() as u64);
                Ok((block, bases))
            }
        }
    };
}

regions! {
    /// Activations and their gradients.
    arena: 4,
    /// Parameters.
    weights: 4,
    /// Their gradients.
    gradients: 4,
    /// Their optimizer's velocity.
    velocity: 4,
    /// Running statistics.
    statistics: 4,
    /// Vectors per channel.
    vectors: 4,
    /// Partial sums.
    sums: 8,
    /// What lives during one task.
    scratch: 4,
    /// Parts of kernels' gradients that wait to be added up.
    partials: 4,
    /// Images of the batch.
    pixels: 4,
    /// Their labels.
    labels: 4,
    /// What the classifiers read, both heads'.
    features: 4,
    /// Logits, both heads'.
    logits: 4,
    /// Gradients of logits, both heads'.
    logit_gradients: 4,
    /// Loss and correct answer per image, both heads'.
    results: 8,
    /// Loss and correct answers of the last step, and the norm of its gradients.
    outcome: 8,
    /// Partial sums of squares of the gradients.
    squares: 8,
    /// Op weights.
    op_weights: 4,
    /// Their gradients.
    op_weight_gradients: 8,
    /// The step.
    step: 1,
    /// Tables of jobs.
    tables: 1,
}

impl Sizes {
    /// What follows from the plan alone; arena, sums, scratch, partials and tables come with the programs.
    pub(super) fn of(plan: &Plan) -> Self {
        let image = plan
            .stem
            .as_ref()
            .map_or(0, |stem| stem.image.iter().product());
        let heads = plan.heads();
        let features = heads.clone().map(|(channels, _)| channels).sum::<usize>();
        let classes = heads.clone().map(|(_, classes)| classes).sum::<usize>();
        Self {
            weights: plan.slab_len,
            gradients: plan.slab_len,
            velocity: plan.slab_len,
            statistics: plan.statistics_len,
            vectors: plan.vectors_len,
            pixels: plan.batch * image,
            labels: plan.batch,
            features: plan.batch * features,
            logits: plan.batch * classes,
            logit_gradients: plan.batch * classes,
            results: 2 * plan.batch * heads.count(),
            outcome: OUTCOME,
            squares: SQUARES as usize,
            op_weights: plan.op_weights,
            op_weight_gradients: plan.op_weights.next_multiple_of(CLEARED),
            step: size_of::<super::abi::Step>(),
            ..Self::default()
        }
    }
}

/// Numbers of an outcome.
pub(super) const OUTCOME: usize = 3;
/// Op weight gradients are padded to a multiple of so many f64: they are cleared four f32 at a time.
pub(super) const CLEARED: usize = 2 * super::abi::THREADS as usize;
/// Blocks that add up squares.
pub(super) const SQUARES: u32 = 128;

/// Whole lines of 256 bytes: regions begin on them.
fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(256)
}

impl Plan {
    /// Channels and classes of the classifiers, the auxiliary head's last; a single operation has none.
    fn heads(&self) -> impl Iterator<Item = (usize, usize)> + Clone + use<> {
        let main = self.head.as_ref();
        let main = main.map(|head| (head.size.channels, head.classifier.classes));
        let auxiliary = self.auxiliary.as_ref();
        let auxiliary = auxiliary.map(|a| (a.second.out.channels, a.classifier.classes));
        main.into_iter().chain(auxiliary)
    }
}
