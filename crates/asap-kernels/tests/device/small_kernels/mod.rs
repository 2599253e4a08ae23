//! Kernels one by one, held to plain loops: what whole plans do not reach.

mod alphas;
mod chains;
mod head;
mod images;
mod optimizer;
mod pools;
mod products;
mod sums;
mod window_pool;

use asap_kernels::device::abi::{HALF, Plain, Step, THREADS, Tensor, View, bytes};
use asap_kernels::device::{Device, Launch, Work};

use crate::chosen;

/// f32 of shared memory of the kernels that add up: eight f64 a thread.
const SUMS: u32 = 16 * THREADS;

/// A device, and what a test does with it.
struct Bench {
    device: Box<dyn Device>,
}

impl Bench {
    fn new(seed: u32) -> Self {
        Self {
            device: chosen::device(seed),
        }
    }

    /// A copy of `values` on the device.
    fn put<T: Plain>(&mut self, values: &[T]) -> u64 {
        let address = self.device.allocate(size_of_val(values)).unwrap();
        self.device.upload(address, bytes(values)).unwrap();
        address
    }

    /// A contiguous tensor with these values.
    fn tensor(&mut self, values: &[f32], pixels: usize, channels: usize) -> Tensor {
        Tensor {
            at: self.put(values),
            image: (pixels * channels) as u32,
            pixel: channels as u32,
        }
    }

    /// The same as bf16, which keeps whole numbers up to 256.
    fn half_tensor(&mut self, values: &[f32], pixels: usize, channels: usize) -> Tensor {
        let halves = values.iter().map(|value| (value.to_bits() >> 16) as u16);
        let halves: Vec<u8> = halves.flat_map(u16::to_ne_bytes).collect();
        Tensor {
            at: self.put(&halves),
            image: (pixels * channels) as u32,
            pixel: channels as u32 | HALF,
        }
    }

    /// One kernel over a table of jobs, along z.
    fn run<T: Plain>(
        &mut self,
        kernel: &'static str,
        [x, y]: [usize; 2],
        shared_floats: u32,
        jobs: &[T],
        step: Step,
    ) {
        let jobs_at = self.put(jobs);
        let step = self.put(&[step]);
        let launch = Launch {
            kernel,
            grid: [x as u32, y as u32, jobs.len() as u32],
            shared_bytes: 4 * shared_floats,
            jobs: jobs_at,
            step,
            work: Work::default(),
        };
        self.device.launch(&launch).unwrap();
    }

    fn read(&mut self, address: u64, len: usize) -> Vec<f32> {
        let mut read = vec![0; 4 * len];
        self.device.download(address, &mut read).unwrap();
        let values = read.chunks_exact(4);
        values
            .map(|v| f32::from_ne_bytes(v.try_into().unwrap()))
            .collect()
    }

    fn read_halves(&mut self, address: u64, len: usize) -> Vec<f32> {
        let mut read = vec![0; 2 * len];
        self.device.download(address, &mut read).unwrap();
        let values = read.chunks_exact(2);
        let bits = values.map(|v| u16::from_ne_bytes(v.try_into().unwrap()));
        bits.map(|bits| f32::from_bits(u32::from(bits) << 16))
            .collect()
    }

    fn read_f64(&mut self, address: u64, len: usize) -> Vec<f64> {
        let mut read = vec![0; 8 * len];
        self.device.download(address, &mut read).unwrap();
        let values = read.chunks_exact(8);
        values
            .map(|v| f64::from_ne_bytes(v.try_into().unwrap()))
            .collect()
    }
}

/// A training step of so many images that wants everything.
fn step(images: usize) -> Step {
    Step {
        images: images as u32,
        train: 1,
        want_weights: 1,
        want_op_weights: 1,
        kept_scale: 1.0,
        ..Step::default()
    }
}

fn plain(y: Tensor) -> View {
    View { y, a: 0, b: 0 }
}

/// Blocks of one thread for each of `items`.
fn blocks(items: usize) -> [usize; 2] {
    [items.div_ceil(THREADS as usize), 1]
}

/// Whole numbers from -6 to 6, so that most sums of them do not depend on their order.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let mut state = seed as u64 * 977 + 1;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % 13) as f32 - 6.0
        })
        .collect()
}

#[track_caller]
fn close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(
            error <= tolerance * expected.abs().max(1.0),
            "value {i}: {found} is not {expected}"
        );
    }
}
