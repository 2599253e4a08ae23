//! What a GPU is told: memory, copies, launches, graphs. Everything goes to one stream and runs in order.

use candle_core::cuda_backend::cudarc::driver::{CudaEvent, result};

use super::staging::MOST_BYTES;
use super::{CudaDevice, Transfer};
use crate::device::launch::{Capacity, Device, Fetched, Launch, Part};
use crate::error::Error;

impl Device for CudaDevice {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn capacity(&self) -> Capacity {
        Capacity {
            multiprocessors: self.multiprocessors as usize,
            shared_bytes: self.most_shared_bytes as usize,
        }
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64, Error> {
        self.bind()?;
        // Nothing is nowhere to the driver.
        let bytes = bytes.max(1);
        let what = || format!("{} MiB", bytes.div_ceil(1 << 20));
        // SAFETY: nobody reads the memory before it is zeroed.
        let address = unsafe { result::malloc_sync(bytes) };
        let address = address.map_err(|error| self.failed(&what(), error))?;
        // SAFETY: the memory has been allocated; the stream runs in order.
        let zeroed = unsafe { result::memset_d8_async(address, 0, bytes, self.stream.cu_stream()) };
        if let Err(error) = zeroed {
            self.free(address);
            return Err(self.failed(&what(), error));
        }
        self.allocations.insert(address, bytes);
        self.peak_bytes = self.peak_bytes.max(self.allocations.values().sum());
        Ok(address)
    }

    fn free(&mut self, address: u64) {
        self.wait();
        self.allocations.remove(&address);
        if self.bind().is_ok() {
            // SAFETY: the memory came from `allocate`, and nothing runs that uses it.
            let _ = unsafe { result::free_sync(address) };
        }
    }

    fn peak_bytes(&self) -> usize {
        self.peak_bytes
    }

    fn upload(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.bind()?;
        if bytes.len() > MOST_BYTES {
            // SAFETY: the memory on the device is as large, and the bytes stay until the copy is done.
            let copied =
                unsafe { result::memcpy_htod_async(address, bytes, self.stream.cu_stream()) };
            let done = self.finish();
            copied.map_err(|error| self.failed("a copy", error))?;
            return done;
        }
        let mut pinned = self.pinned(bytes.len())?;
        let staged = pinned.bytes(bytes.len());
        staged.copy_from_slice(bytes);
        // SAFETY: the memory on the device is as large, and the staged bytes stay as they are until the stream is beyond the copy.
        let copied = unsafe { result::memcpy_htod_async(address, staged, self.stream.cu_stream()) };
        self.staging.give(pinned);
        copied.map_err(|error| self.failed("a copy", error))
    }

    fn download(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.bind()?;
        // SAFETY: the caller's memory is as large, and the bytes stay until the copy is done.
        let copied = unsafe { result::memcpy_dtoh_async(bytes, address, self.stream.cu_stream()) };
        let done = self.finish();
        copied.map_err(|error| self.failed("a copy", error))?;
        done
    }

    fn start_clock(&mut self) -> Result<(), Error> {
        self.bind()?;
        self.clock = Some(self.mark()?);
        Ok(())
    }

    fn fetch(&mut self, parts: &[Part]) -> Result<u64, Error> {
        self.bind()?;
        let begin = match self.clock.take() {
            Some(begin) => begin,
            None => self.mark()?,
        };
        let bytes = parts.iter().map(|part| part.bytes).sum();
        let mut pinned = self.pinned(bytes)?;
        let mut left = pinned.bytes(bytes);
        let mut copied = Ok(());
        for part in parts {
            let (to, rest) = left.split_at_mut(part.bytes);
            left = rest;
            // SAFETY: the memory on the device is as large, and nobody reads or gives away the bytes before the event after the copy.
            let one =
                unsafe { result::memcpy_dtoh_async(to, part.address, self.stream.cu_stream()) };
            copied = copied.and(one);
        }
        let copied = copied.map_err(|error| self.failed("a copy", error));
        let end = match copied.and_then(|()| self.mark()) {
            Ok(end) => end,
            Err(error) => {
                self.staging.give(pinned);
                return Err(error);
            }
        };
        let number = self.next_copy;
        self.next_copy += 1;
        let transfer = Transfer {
            pinned,
            bytes,
            begin,
            end,
            staged: self.staging.copies(),
        };
        self.transfers.insert(number, transfer);
        Ok(number)
    }

    fn fetched(&mut self, copy: u64) -> Result<Fetched, Error> {
        self.bind()?;
        let Some(mut transfer) = self.transfers.remove(&copy) else {
            return Err(Error::Device {
                what: format!("copy {copy} from {}", self.name),
                problem: "it was asked for before".to_owned(),
            });
        };
        // Waits for the end.
        match self.seconds(&transfer.begin, &transfer.end) {
            Ok(seconds) => {
                let bytes = transfer.pinned.bytes(transfer.bytes).to_vec();
                self.staging.give_now(transfer.pinned);
                self.staging.done(transfer.staged);
                Ok(Fetched { bytes, seconds })
            }
            Err(error) => {
                self.staging.give(transfer.pinned);
                Err(error)
            }
        }
    }

    fn launch(&mut self, launch: &Launch) -> Result<(), Error> {
        self.bind()?;
        self.prepare(launch.kernel, launch.shared_bytes)?;
        self.enqueue(launch)
    }

    fn record(&mut self, launches: &[Launch]) -> Result<u64, Error> {
        self.bind()?;
        for launch in launches {
            self.prepare(launch.kernel, launch.shared_bytes)?;
        }
        let graph = self.capture(launches)?;
        let number = self.next_graph;
        self.next_graph += 1;
        self.graphs.insert(number, graph);
        Ok(number)
    }

    fn replay(&mut self, graph: u64) -> Result<(), Error> {
        let launched = self.graphs[&graph].launch();
        launched.map_err(|error| self.failed("a graph", error))
    }

    fn forget(&mut self, graph: u64) {
        // The graph may still run.
        self.wait();
        self.graphs.remove(&graph);
    }

    fn time(&mut self, launches: &[Launch]) -> Result<Vec<f64>, Error> {
        let events = (0..=launches.len()).map(|_| self.new_event());
        let events: Vec<CudaEvent> = events.collect::<Result<_, Error>>()?;
        // Once without the clock: while the device is at it, what is timed is handed over, and no kernel waits to be launched.
        for launch in launches {
            self.launch(launch)?;
        }
        self.record_event(&events[0])?;
        for (launch, event) in launches.iter().zip(&events[1..]) {
            self.launch(launch)?;
            self.record_event(event)?;
        }
        self.synchronise()?;
        let pairs = events.windows(2);
        pairs.map(|pair| self.seconds(&pair[0], &pair[1])).collect()
    }
}
