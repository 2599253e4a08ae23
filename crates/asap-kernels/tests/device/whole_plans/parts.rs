//! Gradients of kernels that lie in parts until they are added up: none is lost or overwritten before.

use std::ops::Range;

use asap_kernels::device::abi::{ChainBackward, ProductWeightGradient, Reduce};
use asap_kernels::device::{DeviceEngine, Launch, Precision};

use super::jobs_of;
use super::network::Network;
use crate::host::HostDevice;

/// Where a launch leaves parts.
fn left_by(launch: &Launch) -> Vec<Range<u64>> {
    let splits = u64::from(launch.grid[0]);
    let range = |at: u64, values: u32| at..at + 4 * splits * u64::from(values);
    match launch.kernel {
        // The second cell has more than 64 channels.
        "chain_backward_tf32" | "chain_backward_wide_tf32" => jobs_of::<ChainBackward>(launch)
            .iter()
            .map(|job| {
                let taps = job.kernel * job.kernel;
                range(job.partials, (taps + job.channels) * job.channels)
            })
            .collect(),
        "product_weight_gradient_tf32" => jobs_of::<ProductWeightGradient>(launch)
            .iter()
            .map(|job| {
                let convolution = &job.product.convolution;
                let depth = convolution.taps * convolution.channels;
                range(job.partials, depth * convolution.outputs)
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

#[test]
fn parts_of_gradients_are_added_up_once_and_before_others_take_their_place() {
    let network = Network {
        image: [16, 16, 3],
        batch: 8,
        channels: 64,
        cells: vec![1, 2],
        ..Network::default()
    };
    let host = Box::new(HostDevice::new(1));
    let engine = DeviceEngine::new(host, network.plan(), Precision::Tf32).unwrap();
    // With the values of each that are not added up yet.
    let mut waiting: Vec<(Range<u64>, u64)> = Vec::new();
    let mut written: Vec<Range<u64>> = Vec::new();
    let (mut launches, mut left) = (0, 0);
    for launch in engine.weight_step() {
        for parts in left_by(&launch) {
            assert!(
                !waiting.iter().any(|(other, _)| overlap(other, &parts)),
                "{} writes where parts wait",
                launch.kernel
            );
            let values = (parts.end - parts.start) / 4;
            left += values;
            waiting.push((parts, values));
        }
        if launch.kernel != "reduce" {
            continue;
        }
        launches += 1;
        for job in jobs_of::<Reduce>(&launch) {
            let last = u64::from((job.splits - 1) * job.stride + job.len);
            let parts = job.partials..job.partials + 4 * last;
            let (_, rest) = waiting
                .iter_mut()
                .find(|(other, _)| other.start <= parts.start && parts.end <= other.end)
                .expect("parts that wait");
            *rest -= u64::from(job.len * job.splits);
            written.push(job.out..job.out + 4 * u64::from(job.len));
        }
        assert!(waiting.iter().all(|(_, rest)| *rest == 0), "{waiting:?}");
        waiting.clear();
    }
    assert!(waiting.is_empty(), "{waiting:?}");
    assert!(launches > 2 && left > 3 << 22, "{launches} for {left}");
    written.sort_by_key(|range| range.start);
    assert!(written.is_sorted_by(|a, b| a.end <= b.start));
}
