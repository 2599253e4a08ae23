//! The shim itself does what a device does, and finds what a device would not forgive.

use asap_kernels::device::abi::{THREADS, bytes};
use asap_kernels::device::{Device, Launch, Work};

use crate::compile::Kernels;
use crate::host::HostDevice;

const STEP: u64 = 0;

/// One job of `shim_probe.cu` over `input`, with room for `outputs`.
struct Probe {
    device: HostDevice,
    jobs: u64,
    out: u64,
    outputs: usize,
}

impl Probe {
    fn new(seed: u32, input: &[f32], outputs: usize, count: usize) -> Self {
        Self::with_kernels(Kernels::of_probe(), seed, input, outputs, count)
    }

    fn with_kernels(
        kernels: &'static Kernels,
        seed: u32,
        input: &[f32],
        outputs: usize,
        count: usize,
    ) -> Self {
        let mut device = HostDevice::with_kernels(kernels, seed);
        let read = device.allocate(size_of_val(input)).unwrap();
        device.upload(read, bytes(input)).unwrap();
        let out = device.allocate(4 * outputs).unwrap();
        let jobs = device.allocate(24).unwrap();
        device.upload(jobs, &read.to_ne_bytes()).unwrap();
        device.upload(jobs + 8, &out.to_ne_bytes()).unwrap();
        let count = u32::try_from(count).unwrap();
        device.upload(jobs + 16, &count.to_ne_bytes()).unwrap();
        Self {
            device,
            jobs,
            out,
            outputs,
        }
    }

    fn launch(
        &mut self,
        kernel: &'static str,
        grid: [u32; 3],
        shared_bytes: u32,
    ) -> Result<Vec<f32>, String> {
        let launch = Launch {
            kernel,
            grid,
            shared_bytes,
            jobs: self.jobs,
            step: STEP,
            work: Work::default(),
        };
        self.device.try_launch(&launch, THREADS)?;
        let mut read = vec![0_u8; 4 * self.outputs];
        self.device.download(self.out, &mut read).unwrap();
        Ok(read
            .chunks_exact(4)
            .map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap()))
            .collect())
    }
}

fn refusal(kernel: &'static str, shared_bytes: u32, count: usize) -> String {
    let input = vec![0.0; 256];
    let message = Probe::new(7, &input, 256, count)
        .launch(kernel, [3, 1, 1], shared_bytes)
        .unwrap_err();
    assert!(message.contains(kernel), "{message}");
    message
}

/// What is found, at whatever seed, by looking at every access.
fn finding(kernel: &'static str, shared_bytes: u32, count: usize) -> String {
    let input = numbers(512);
    let messages: Vec<String> = (0..4)
        .map(|seed| {
            Probe::with_kernels(Kernels::of_probe_watched(), seed, &input, 512, count)
                .launch(kernel, [2, 1, 1], shared_bytes)
                .unwrap_err()
        })
        .collect();
    messages.into_iter().next().unwrap()
}

/// Small whole numbers, so that sums do not depend on their order.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7 % 13) as f32 - 5.0).collect()
}

fn sums_of_blocks(input: &[f32]) -> Vec<f32> {
    input.chunks(256).map(|block| block.iter().sum()).collect()
}

#[test]
fn threads_of_a_block_meet_at_barriers_in_every_order() {
    let input = numbers(256 * 40);
    for seed in 0..20 {
        let sums = Probe::new(seed, &input, 40, 0)
            .launch("block_sums", [40, 1, 1], 1024)
            .unwrap();
        assert_eq!(sums, sums_of_blocks(&input), "seed {seed}");
    }
}

#[test]
fn a_missing_barrier_shows_in_the_result() {
    let input = numbers(256);
    let sums = Probe::new(1, &input, 1, 0)
        .launch("block_sums_without_barrier", [1, 1, 1], 1024)
        .unwrap();
    assert_ne!(sums, sums_of_blocks(&input));
}

#[test]
fn every_thread_of_a_grid_of_three_dimensions_runs_once() {
    let places = Probe::new(2, &[], 3 * 5 * 2 * 256, 0)
        .launch("places", [3, 5, 2], 0)
        .unwrap();
    let expected: Vec<f32> = (1..=places.len()).map(|place| place as f32).collect();
    assert_eq!(places, expected);
}

#[test]
fn lanes_of_a_warp_exchange_values_and_votes() {
    let input = numbers(256);
    for seed in 0..20 {
        let out = Probe::new(seed, &input, 8 * 256, 0)
            .launch("warps", [1, 1, 1], 0)
            .unwrap();
        for (thread, found) in out.chunks(8).enumerate() {
            let (first, lane) = (thread / 32 * 32, thread % 32);
            let warp = &input[first..first + 32];
            let sum: f32 = warp.iter().sum();
            let half = &warp[lane / 16 * 16..][..16];
            let edge = if lane < 16 {
                half.iter().copied().fold(f32::MAX, f32::min)
            } else {
                half.iter().copied().fold(f32::MIN, f32::max)
            };
            let source = if lane % 8 < 4 { lane + 4 } else { lane };
            // Bits 8.. of those that are multiples of 3 up to 30.
            let votes = (0..32).step_by(3).fold(0_u32, |votes, i| votes | 1 << i) >> 8;
            let expected = [
                sum,
                sum,
                -35.0,
                (lane / 8 * 8 + 3) as f32,
                votes as f32,
                0.0,
                edge,
                warp[source],
            ];
            assert_eq!(found, expected, "seed {seed}, thread {thread}");
        }
    }
}

#[test]
fn tensor_core_products_are_products_of_rounded_factors() {
    // Half a unit beyond what the format keeps: tensor cores do not look at it in tf32, the probe rounds to even in bf16.
    for (format, bits) in [(0, 10), (1, 7)] {
        let unit = 0.5_f32.powi(bits);
        let input: Vec<f32> = (0..192)
            .map(|i| {
                let sign = if i % 3 == 0 { -1.0 } else { 1.0 };
                sign * (1.0 + ((i * 5 % 17) as f32 + 0.5) * unit)
            })
            .collect();
        let rounded: Vec<f64> = (0..192)
            .map(|i| {
                let sign = if i % 3 == 0 { -1.0 } else { 1.0 };
                let steps = i * 5 % 17;
                let up = if format == 0 { 0 } else { steps % 2 };
                sign * (1.0 + f64::from(steps + up) * f64::from(unit))
            })
            .collect();
        let (a, b) = rounded.split_at(128);
        let mut probe = Probe::new(3, &input, 128, format);
        let found = probe.launch("tensor_product", [1, 1, 1], 0).unwrap();
        for row in 0..16 {
            for column in 0..8 {
                let exact: f64 = (0..8).map(|k| a[8 * row + k] * b[8 * k + column]).sum();
                let error = (f64::from(found[8 * row + column]) - exact).abs();
                // Eight additions of numbers below 32.
                assert!(
                    error <= 8.0 * 16.0 * f64::from(f32::EPSILON),
                    "format {format}, [{row}, {column}]: {error}"
                );
            }
        }
    }
}

#[test]
fn threads_add_to_one_value() {
    let out = Probe::new(4, &[], 4, 0)
        .launch("atomics", [50, 1, 1], 0)
        .unwrap();
    assert_eq!(out[0], 12800.0);
    assert_eq!(out[1].to_bits(), 25600);
    let double = u64::from(out[2].to_bits()) | u64::from(out[3].to_bits()) << 32;
    assert_eq!(f64::from_bits(double), 38400.0);
}

#[test]
fn shared_memory_begins_as_nans_and_arithmetic_is_as_written() {
    let factor = 1.0 + f32::EPSILON;
    let out = Probe::new(5, &[factor, factor * factor], 3, 0)
        .launch("fresh_memory_and_rounding", [1, 1, 1], 64)
        .unwrap();
    assert!(out[0].is_nan());
    assert_eq!(out[1..], [1.0, 0.0]);
}

#[test]
fn a_barrier_that_not_all_threads_reach_is_found() {
    let message = refusal("divergent_barrier", 0, 0);
    assert!(
        message.contains("100 of 256 threads have ended, 156 wait at __syncthreads"),
        "{message}"
    );
}

#[test]
fn threads_that_meet_at_two_barriers_are_found() {
    let message = refusal("two_barriers", 0, 0);
    assert!(message.matches("shim_probe.cu:").count() == 2, "{message}");
}

#[test]
fn a_lane_that_ended_before_its_warp_met_is_found() {
    let message = refusal("missing_lane", 0, 0);
    assert!(
        message.contains("lanes ffffdfff of warp 2 wait for the others of ffffffff at a shuffle"),
        "{message}"
    );
}

#[test]
fn a_mask_without_the_lane_itself_is_found() {
    let message = refusal("unnamed_lane", 0, 0);
    assert!(
        message.contains("over lanes 0000ffff, and its own is"),
        "{message}"
    );
}

#[test]
fn a_shuffle_from_a_lane_outside_its_mask_is_found() {
    let message = refusal("unasked_lane", 0, 0);
    assert!(message.contains("asks for lane 20"), "{message}");
}

#[test]
fn a_write_behind_the_shared_memory_is_found() {
    // Thread 255 writes float 300 of 300.
    let message = refusal("beyond_shared_memory", 1200, 45);
    assert!(
        message.contains("a write 0 bytes behind its 1200 bytes of shared memory"),
        "{message}"
    );
}

#[test]
fn a_write_behind_an_allocation_is_found() {
    let message = refusal("fill", 0, 257);
    assert!(
        message.contains("a write 0 bytes behind the 1024 bytes"),
        "{message}"
    );
}

#[test]
fn a_vector_at_an_odd_address_is_found() {
    let message = refusal("misaligned", 0, 0);
    assert!(
        message.contains("4 bytes behind a multiple of 16"),
        "{message}"
    );
}

#[test]
fn an_index_outside_an_array_is_found() {
    let message = refusal("beyond_array", 0, 4);
    assert!(message.contains("outside the array"), "{message}");
}

#[test]
fn what_no_device_launches_is_refused() {
    let mut probe = Probe::new(6, &[], 256, 256);
    assert!(
        probe
            .launch("nothing", [1, 1, 1], 0)
            .unwrap_err()
            .contains("no kernel nothing")
    );
    assert!(
        probe
            .launch("fill", [1, 0, 1], 0)
            .unwrap_err()
            .contains("1 x 0 x 1")
    );
    assert!(
        probe
            .launch("fill", [1, 1, 1], 300 << 10)
            .unwrap_err()
            .contains("shared memory")
    );
}

#[test]
fn a_race_in_shared_memory_is_found_at_every_seed() {
    let message = finding("block_sums_without_barrier", 1024, 0);
    assert!(message.contains("nothing orders the two"), "{message}");
    assert!(message.contains("of the shared memory"), "{message}");
}

#[test]
fn a_warp_without_a_barrier_of_its_own_is_found_and_one_with_it_is_not() {
    let message = finding("warp_through_shared_memory", 1024, 0);
    assert!(message.contains("nothing orders the two"), "{message}");
    let input = numbers(512);
    let out = Probe::with_kernels(Kernels::of_probe_watched(), 1, &input, 512, 1)
        .launch("warp_through_shared_memory", [2, 1, 1], 1024)
        .unwrap();
    let expected: Vec<f32> = (0..512).map(|place| input[place ^ 1]).collect();
    assert_eq!(out, expected);
}

#[test]
fn two_blocks_that_write_the_same_bytes_are_found() {
    // Both blocks fill the same half of a block.
    let message = finding("fill_from_the_begin", 0, 128);
    assert!(message.contains("of an allocation at"), "{message}");
    assert!(message.contains("of block"), "{message}");
}

#[test]
fn a_read_behind_an_allocation_is_found() {
    let message = finding("read_behind", 0, 512);
    assert!(
        message.contains("outside of all memory, at byte 2048 of an allocation of 2048"),
        "{message}"
    );
}

#[test]
fn a_read_behind_the_shared_memory_is_found() {
    let message = finding("read_behind_shared_memory", 1200, 300);
    assert!(
        message.contains("at byte 1200 of 1200 bytes of shared memory"),
        "{message}"
    );
}

#[test]
fn kernels_in_order_are_not_found_fault_with() {
    let input = numbers(256 * 3);
    let probe = |seed| Probe::with_kernels(Kernels::of_probe_watched(), seed, &input, 8 * 256, 0);
    for seed in 0..4 {
        let sums = probe(seed).launch("block_sums", [3, 1, 1], 1024).unwrap();
        assert_eq!(sums[..3], sums_of_blocks(&input));
        probe(seed).launch("warps", [1, 1, 1], 0).unwrap();
        probe(seed).launch("tensor_product", [1, 1, 1], 0).unwrap();
        probe(seed).launch("atomics", [3, 1, 1], 0).unwrap();
        probe(seed).launch("places", [2, 2, 2], 0).unwrap();
    }
}
