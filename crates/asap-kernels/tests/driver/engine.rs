//! A plan on a device whose driver fails: what was begun ends with one error, and everything goes back.

use asap_kernels::device::{
    Alphas, CudaDevice, Descent, Device, DeviceEngine, Precision, StepOpWeights,
};
use asap_kernels::{
    CellOperation, CellSpec, Connection, Error, Plan, PlanBuilder, Regularisation, Wanted,
};

use crate::stand_in::{Order, StandIn};

const OUT_OF_MEMORY: u32 = 2;
const BATCH: usize = 2;
const IMAGE: [usize; 3] = [4, 4, 1];
const NODES: usize = 4;
const PIXELS: [f32; BATCH * 16] = [0.5; BATCH * 16];

/// One cell in which every node has one edge.
fn plan(operation: CellOperation) -> Plan {
    let connections: Vec<Connection> = (0..NODES)
        .map(|node| Connection {
            from: node,
            to: node + 2,
            operation,
            weight: node,
        })
        .collect();
    let mut builder = PlanBuilder::new(BATCH, NODES, IMAGE, 12);
    builder.cell(&CellSpec {
        name: "cells.0".to_owned(),
        channels: 4,
        stride: 1,
        reduce_first_input: false,
        affine: false,
        normalise_pools: true,
        connections: &connections,
    });
    builder.finish(3)
}

fn train(engine: &mut DeviceEngine) -> Result<(), Error> {
    engine.load(&PIXELS, &[1, 2])?;
    let op_weights = StepOpWeights::Given(&[1.0; NODES]);
    engine.step(op_weights, Regularisation::default(), Wanted::Weights)?;
    engine.descend(Descent {
        learning_rate: 0.1,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
        clip: 5.0,
    })
}

/// Everything that an engine may have on its device, used; and a second plan.
fn run(device: Box<dyn Device>) -> Result<f64, Error> {
    let first = plan(CellOperation::Separable { kernel: 3 });
    let mut engine = DeviceEngine::new(device, first, Precision::F32)?;
    engine.keep_average()?;
    let alphas = Alphas {
        parameters: vec![0.0; NODES],
        mean: vec![0.0; NODES],
        square: vec![0.0; NODES],
    };
    engine.set_alphas(&vec![vec![1]; NODES], &alphas)?;
    engine.keep_images(&[7; 5 * 16], &[[0.25; 256]])?;
    let mut loss = 0.0;
    for _ in 0..2 {
        for _ in 0..2 {
            train(&mut engine)?;
        }
        let mut steps = engine.outcomes_but(1)?;
        steps.extend(engine.outcomes()?);
        loss += steps.iter().map(|step| step.outcome.loss).sum::<f64>();
        engine.logits(&PIXELS, &[1.0; NODES])?;
        engine.replace(plan(CellOperation::Skip))?;
    }
    Ok(loss)
}

#[test]
fn a_plan_whose_device_fails_gives_everything_back() {
    let stand_in = StandIn::new(Order::Late);
    // Its context stays.
    let _other = CudaDevice::new(0).unwrap();
    let open = || Box::new(CudaDevice::new(0).unwrap());
    let expected = run(open()).unwrap();
    let before = stand_in.left();
    for function in [
        "cuMemAlloc_v2",
        "cuMemsetD8Async",
        "cuMemHostAlloc",
        "cuMemcpyHtoDAsync_v2",
        "cuMemcpyDtoHAsync_v2",
        "cuLaunchKernel",
        "cuStreamEndCapture",
        "cuGraphLaunch",
        "cuEventCreate",
        "cuEventSynchronize",
    ] {
        for calls_before in 0.. {
            let what = format!("call {calls_before} of {function}");
            stand_in.begin(Order::Late);
            stand_in.fail(function, calls_before, OUT_OF_MEMORY, false);
            let ran = run(open());
            assert_eq!(stand_in.left(), before, "{what}");
            match ran {
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("out of memory"), "{what}: {error}");
                }
                // It was not called as often.
                Ok(loss) => {
                    assert_eq!(loss, expected, "{what}");
                    assert!(calls_before > 1, "{what}");
                    break;
                }
            }
        }
    }
}

/// The first kernel that may fail unnoticed is one of the newest step.
#[test]
fn who_looks_at_older_steps_does_not_wait_for_the_newest() {
    const LAUNCH_FAILED: u32 = 719;
    let stand_in = StandIn::new(Order::Late);
    let unnoticed = (0..1000).find(|&kernels_before| {
        stand_in.begin(Order::Late);
        let device = Box::new(CudaDevice::new(0).unwrap());
        let plan = plan(CellOperation::Skip);
        let mut engine = DeviceEngine::new(device, plan, Precision::F32).unwrap();
        stand_in.fail("a kernel", kernels_before, LAUNCH_FAILED, false);
        for _ in 0..3 {
            train(&mut engine).unwrap();
        }
        let Ok(older) = engine.outcomes_but(1) else {
            return false;
        };
        assert_eq!(older.len(), 2);
        assert!(engine.outcomes().is_err(), "everything had run");
        true
    });
    assert!(unnoticed.unwrap() > 2);
}
