//! A launch, and what launches it.

use crate::error::Error;

/// How products compute: accumulation, and sums of batch normalisation, are f32 or wider in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Plain f32.
    F32,
    /// Factors with 10 bits of mantissa, on tensor cores.
    #[default]
    Tf32,
    /// Factors with 7 bits of mantissa, on tensor cores; what depthwise separable convolutions put out, and their gradients, are kept
    /// so too, which halves most of the memory and its traffic.
    Bf16,
}

impl Precision {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }
}

/// One kernel over a table of jobs, in blocks of [`super::abi::THREADS`] threads.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// Its name in `kernels/*.cu`.
    pub kernel: &'static str,
    /// Blocks along each dimension, at least 1.
    pub grid: [u32; 3],
    /// Bytes of dynamic shared memory of a block.
    pub shared_bytes: u32,
    /// Address of the table of jobs.
    pub jobs: u64,
    /// Address of the step.
    pub step: u64,
    /// Bytes that it reads and writes at least, and operations of its products, for a full batch.
    pub work: Work,
}

/// What a launch cannot do without.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Bytes read and written, each once.
    pub bytes: f64,
    /// Floating-point operations, two for a multiply-accumulate.
    pub operations: f64,
}

/// What a device gives kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Multiprocessors, each of which runs a few blocks at a time.
    pub multiprocessors: usize,
    /// Bytes of shared memory that a block may have.
    pub shared_bytes: usize,
}

/// Some memory of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub address: u64,
    /// How much it is.
    pub bytes: usize,
}

/// What came home from a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    /// Of all parts, one after the other.
    pub bytes: Vec<u8>,
    /// What passed on the device from [`Device::start_clock`] to the copy.
    pub seconds: f64,
}

/// Where kernels run, with memory of its own. What is launched runs in order.
pub trait Device: Send {
    /// Name of the device.
    fn name(&self) -> String;

    /// What it gives kernels.
    fn capacity(&self) -> Capacity;

    /// Zeroed memory, its address a multiple of 256.
    ///
    /// # Errors
    /// If there is not as much.
    fn allocate(&mut self, bytes: usize) -> Result<u64, Error>;

    /// Gives memory back, once everything launched so far has run.
    fn free(&mut self, address: u64);

    /// The most bytes of such memory that there were at any one time.
    fn peak_bytes(&self) -> usize;

    /// Copies to the device: everything launched so far still sees what was there before. Returns before it is done, if it is
    /// not much.
    ///
    /// # Errors
    /// If the device fails.
    fn upload(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error>;

    /// Copies from the device, once everything launched so far has run.
    ///
    /// # Errors
    /// If the device fails, now or in an earlier launch.
    fn download(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error>;

    /// Starts the clock of what is launched from now on.
    ///
    /// # Errors
    /// If the device fails.
    fn start_clock(&mut self) -> Result<(), Error>;

    /// Begins to copy from the device what lies there once everything launched so far has run, and returns: the number that comes
    /// back stands for the copy.
    ///
    /// # Errors
    /// If the device fails.
    fn fetch(&mut self, parts: &[Part]) -> Result<u64, Error>;

    /// Waits for a copy, and for nothing launched after it.
    ///
    /// # Errors
    /// If the device fails, now or in an earlier launch.
    fn fetched(&mut self, copy: u64) -> Result<Fetched, Error>;

    /// Launches now.
    ///
    /// # Errors
    /// If the device fails.
    fn launch(&mut self, launch: &Launch) -> Result<(), Error>;

    /// Puts launches together, to be repeated as a whole under the number that comes back.
    ///
    /// # Errors
    /// If the device fails.
    fn record(&mut self, launches: &[Launch]) -> Result<u64, Error>;

    /// Launches what was recorded.
    ///
    /// # Errors
    /// If the device fails.
    fn replay(&mut self, graph: u64) -> Result<(), Error>;

    /// Forgets what was recorded.
    fn forget(&mut self, graph: u64);

    /// Seconds that each of these launches takes, one after the other. They may run more than once: what they move, alphas or weights
    /// or averages, moves as often.
    ///
    /// # Errors
    /// If the device fails.
    fn time(&mut self, launches: &[Launch]) -> Result<Vec<f64>, Error>;
}
