//! A step allocates nothing, on any thread: buffers are laid out when the engine is made.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use asap_kernels::{
    AuxiliaryForm, CellOperation, CellSpec, Connection, Engine, Level, Pass, Plan, PlanBuilder,
    Regularisation, Wanted,
};

/// The system's allocator, counting what it is asked for.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the system's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the system's.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the system's.
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the system's.
        unsafe { System.dealloc(at, layout) };
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const BATCH: usize = 5;

/// A supernet of three cells with all operations on all edges, for square images.
fn supernet(side: usize, auxiliary: Option<AuxiliaryForm>) -> Plan {
    let operations = [
        CellOperation::MaxPool,
        CellOperation::AveragePool,
        CellOperation::Skip,
        CellOperation::Separable { kernel: 3 },
        CellOperation::Separable { kernel: 5 },
        CellOperation::Dilated { kernel: 3 },
        CellOperation::Dilated { kernel: 5 },
    ];
    let edges = (2..6).flat_map(|to| (0..to).map(move |from| (from, to)));
    let connections: Vec<Connection> = edges
        .flat_map(|edge| operations.map(|operation| (edge, operation)))
        .enumerate()
        .map(|(weight, ((from, to), operation))| Connection {
            from,
            to,
            operation,
            weight,
        })
        .collect();
    let image = [side, side, 3];
    let mut builder = match auxiliary {
        Some(AuxiliaryForm::ImageNet) => {
            PlanBuilder::with_image_stem(BATCH, connections.len(), image, 4)
        }
        _ => PlanBuilder::new(BATCH, connections.len(), image, 12),
    };
    for (index, (stride, reduce_first_input)) in [
        (1, auxiliary == Some(AuxiliaryForm::ImageNet)),
        (2, false),
        (1, true),
    ]
    .into_iter()
    .enumerate()
    {
        builder.cell(&CellSpec {
            name: format!("cells.{index}"),
            channels: 4,
            stride,
            reduce_first_input,
            affine: index == 1,
            normalise_pools: true,
            connections: &connections,
        });
    }
    if let Some(form) = auxiliary {
        builder.auxiliary(form);
    }
    builder.finish(10)
}

/// Waits until the test runner's own thread has come to rest.
fn wait_for_silence() {
    loop {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(20));
        if ALLOCATIONS.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

// One test: another beside it would allocate too.
#[test]
fn a_step_allocates_nothing_on_any_thread() {
    assert_allocates_nothing(8, None);
    assert_allocates_nothing(16, Some(AuxiliaryForm::Cifar));
    assert_allocates_nothing(112, Some(AuxiliaryForm::ImageNet));
    assert!(
        ALLOCATIONS.load(Ordering::Relaxed) > 0,
        "the counter counts"
    );
}

fn assert_allocates_nothing(side: usize, auxiliary: Option<AuxiliaryForm>) {
    let plan = supernet(side, auxiliary);
    let parameters = vec![0.1; plan.slab_len()];
    let op_weights = vec![0.2; plan.op_weights()];
    let pixels: Vec<f32> = (0..BATCH * side * side * 3)
        .map(|i| (i % 11) as f32 - 5.0)
        .collect();
    let labels = [0, 1, 9, 3, 3];
    let mut statistics = vec![1.0; plan.statistics_len()];
    let mut gradients = vec![0.0; plan.slab_len()];
    for level in Level::available() {
        for threads in 1..=3 {
            let mut engine = Engine::new(plan.clone(), level, threads).unwrap();
            let mut step = |wanted, drop_path| {
                let pass = Pass {
                    pixels: &pixels,
                    parameters: &parameters,
                    op_weights: &op_weights,
                    regularisation: Regularisation {
                        label_smoothing: 0.1,
                        drop_path,
                        ..Regularisation::default()
                    },
                };
                engine
                    .step(pass, &labels, &mut statistics, &mut gradients, wanted)
                    .unwrap()
            };
            // Threads allocate as they start.
            step(Wanted::Both, 0.0);
            wait_for_silence();
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            for drop_path in [0.0, 0.3] {
                for wanted in [Wanted::Weights, Wanted::OpWeights, Wanted::Both] {
                    let outcome = step(wanted, drop_path);
                    assert!(outcome.loss.is_finite());
                }
            }
            let found = ALLOCATIONS.load(Ordering::Relaxed) - before;
            assert_eq!(
                found, 0,
                "allocations in six steps at {level} on {threads} threads"
            );
        }
    }
}
