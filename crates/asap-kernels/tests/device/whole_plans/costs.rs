//! What a step asks of a multiprocessor in all, kernel by kernel, counted in what nvcc makes of them: whatever chains ask (`traffic`), a step is
//! no faster than all of its instructions.

use std::sync::{Arc, Mutex};

use asap_kernels::device::{DeviceEngine, Precision, Slab, StepOpWeights};
use asap_kernels::{Regularisation, Wanted};

use super::network::{Inputs, Network};
use crate::compile::Kernels;
use crate::host::{Costs, HostDevice};

#[test]
fn no_kernel_of_a_step_issues_more_instructions_than_docs_say() {
    // Of warps, for each KiB, as nvcc 13.0 has them; others may need a tenth more. docs/performance.md has these. Cells of 16, 32 and 64 channels.
    let most = [
        ("chain_backward_tf32", 344.0),
        ("chain_forward_tf32", 393.0),
        ("chain_forward_wide_tf32", 578.0),
        ("depthwise_gradient", 298.0),
        ("mix", 59.0),
        ("moments", 144.0),
        ("pool_forward", 126.0),
        ("pool_gradient", 251.0),
        ("product_forward_tf32", 372.0),
        ("product_input_gradient_tf32", 328.0),
        ("product_weight_gradient_tf32", 359.0),
        ("products", 156.0),
    ];
    let network = Network {
        image: [32, 32, 3],
        batch: 1,
        channels: 16,
        cells: vec![1, 2, 1, 2, 1],
        ..Network::default()
    };
    let plan = network.plan();
    let inputs = Inputs::new(&plan, network.image, network.batch);
    let costs = Arc::new(Mutex::new(Costs::new()));
    let host = Box::new(HostDevice::counting(Kernels::of_nvcc_watched(), &costs));
    let mut engine = DeviceEngine::new(host, plan, Precision::Tf32).unwrap();
    engine.write(Slab::Weights, &inputs.weights).unwrap();
    engine.load(&inputs.pixels, &inputs.labels).unwrap();
    let op_weights = StepOpWeights::Given(&inputs.op_weights);
    engine
        .step(op_weights, Regularisation::default(), Wanted::Weights)
        .unwrap();
    engine.outcomes().unwrap();
    let costs = costs.lock().unwrap();
    let all: f64 = costs.values().map(|(bytes, _)| bytes).sum();
    for (kernel, (bytes, _)) in costs.iter() {
        // With so few blocks there are hardly any parts of gradients to add up.
        let is_counted = *kernel == "reduce" || most.iter().any(|(listed, _)| listed == kernel);
        assert!(
            is_counted || *bytes < 0.01 * all,
            "{kernel} moves {bytes} bytes and is not counted"
        );
    }
    for (kernel, most) in most {
        let (bytes, traffic) = costs[kernel];
        let found = traffic.instructions as f64 / 32.0 / (bytes / 1024.0);
        assert!(
            found <= 1.1 * most,
            "{kernel}: {found} instructions a KiB, not {most}"
        );
    }
}
