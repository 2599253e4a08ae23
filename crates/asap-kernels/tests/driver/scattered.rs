//! A device that is used from another thread in every call: a thread knows of no context before it says so.

use asap_kernels::Error;
use asap_kernels::device::{Capacity, CudaDevice, Device, Fetched, Launch, Part};

/// A GPU, and a new thread for each call.
pub(crate) struct Scattered(pub(crate) CudaDevice);

impl Scattered {
    fn elsewhere<T: Send>(&mut self, call: impl FnOnce(&mut CudaDevice) -> T + Send) -> T {
        let device = &mut self.0;
        std::thread::scope(|scope| scope.spawn(|| call(device)).join().unwrap())
    }
}

impl Device for Scattered {
    fn name(&self) -> String {
        self.0.name()
    }

    fn capacity(&self) -> Capacity {
        self.0.capacity()
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64, Error> {
        self.elsewhere(|device| device.allocate(bytes))
    }

    fn free(&mut self, address: u64) {
        self.elsewhere(|device| device.free(address));
    }

    fn peak_bytes(&self) -> usize {
        self.0.peak_bytes()
    }

    fn upload(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        self.elsewhere(|device| device.upload(address, bytes))
    }

    fn download(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.elsewhere(|device| device.download(address, bytes))
    }

    fn start_clock(&mut self) -> Result<(), Error> {
        self.elsewhere(CudaDevice::start_clock)
    }

    fn fetch(&mut self, parts: &[Part]) -> Result<u64, Error> {
        self.elsewhere(|device| device.fetch(parts))
    }

    fn fetched(&mut self, copy: u64) -> Result<Fetched, Error> {
        self.elsewhere(|device| device.fetched(copy))
    }

    fn launch(&mut self, launch: &Launch) -> Result<(), Error> {
        self.elsewhere(|device| device.launch(launch))
    }

    fn record(&mut self, launches: &[Launch]) -> Result<u64, Error> {
        self.elsewhere(|device| device.record(launches))
    }

    fn replay(&mut self, graph: u64) -> Result<(), Error> {
        self.elsewhere(|device| device.replay(graph))
    }

    fn forget(&mut self, graph: u64) {
        self.elsewhere(|device| device.forget(graph));
    }

    fn time(&mut self, launches: &[Launch]) -> Result<Vec<f64>, Error> {
        self.elsewhere(|device| device.time(launches))
    }
}
