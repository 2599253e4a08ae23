//! A device that is the host: kernels run by the shim, in memory that notices writes beside it.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::ptr::null;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use asap_kernels::Error;
use asap_kernels::device::abi::THREADS;
use asap_kernels::device::{Capacity, Device, Fetched, Launch, Part};

use crate::compile::{Kernels, Memory, Traffic};

/// Bytes on either side of what was asked for, which nobody may write. They are NaNs to whoever reads them.
const GUARD: usize = 1024;
const POISON: u8 = 0xff;
/// As the H100 and H200 have it.
const CAPACITY: Capacity = Capacity {
    multiprocessors: 132,
    shared_bytes: 227 << 10,
};

/// Bytes that the launches of a kernel cannot do without, and what they cost.
pub(crate) type Costs = BTreeMap<&'static str, (f64, Traffic)>;

/// The host as a device. It panics where a device would fail or, worse, not fail.
pub(crate) struct HostDevice {
    kernels: &'static Kernels,
    allocations: BTreeMap<u64, Allocation>,
    peak_bytes: usize,
    graphs: Vec<Vec<Launch>>,
    clock: Instant,
    copies: Vec<Option<Fetched>>,
    seed: u32,
    capacity: Capacity,
    costs: Option<Arc<Mutex<Costs>>>,
}

// SAFETY: the allocations are this device's own, and the kernels are code.
unsafe impl Send for HostDevice {}

struct Allocation {
    begin: *mut u8,
    bytes: usize,
}

impl HostDevice {
    /// With the kernels of the crate. Every launch takes another order of blocks and threads, which `seed` begins.
    pub(crate) fn new(seed: u32) -> Self {
        Self::with_kernels(Kernels::of_crate(), seed)
    }

    /// The same, which also finds races and accesses outside of all memory, and takes its time.
    pub(crate) fn watched(seed: u32) -> Self {
        Self::with_kernels(Kernels::of_crate_watched(), seed)
    }

    /// The same with what nvcc makes of the kernels.
    #[cfg(feature = "cuda")]
    pub(crate) fn watched_nvcc(seed: u32) -> Self {
        Self::with_kernels(Kernels::of_nvcc_watched(), seed)
    }

    /// With other kernels.
    pub(crate) fn with_kernels(kernels: &'static Kernels, seed: u32) -> Self {
        Self {
            kernels,
            allocations: BTreeMap::new(),
            peak_bytes: 0,
            graphs: Vec::new(),
            clock: Instant::now(),
            copies: Vec::new(),
            seed,
            capacity: CAPACITY,
            costs: None,
        }
    }

    /// One which notes what each launch costs, with so few multiprocessors that blocks have much to do.
    #[cfg(feature = "cuda")]
    pub(crate) fn counting(kernels: &'static Kernels, costs: &Arc<Mutex<Costs>>) -> Self {
        let mut device = Self::with_kernels(kernels, 1);
        device.capacity.multiprocessors = 2;
        device.costs = Some(Arc::clone(costs));
        device
    }

    /// One whose blocks have less shared memory.
    pub(crate) fn with_shared_bytes(seed: u32, shared_bytes: usize) -> Self {
        let mut device = Self::new(seed);
        device.capacity.shared_bytes = shared_bytes;
        device
    }

    /// Runs a kernel in blocks of `threads`.
    ///
    /// # Errors
    /// What the shim found wrong, or which memory was written beside.
    pub(crate) fn try_launch(&mut self, launch: &Launch, threads: u32) -> Result<(), String> {
        let kernel = self
            .kernels
            .kernel(launch.kernel)
            .ok_or_else(|| format!("there is no kernel {}", launch.kernel))?;
        if launch.shared_bytes as usize > self.capacity.shared_bytes {
            return Err(format!(
                "kernel {}: expected at most {} bytes of shared memory, found {}",
                launch.kernel, self.capacity.shared_bytes, launch.shared_bytes
            ));
        }
        self.seed = self.seed.wrapping_add(1);
        let name = CString::new(launch.kernel).unwrap();
        let mut message = [0_u8; 1024];
        let memory: Vec<Memory> = self.allocations.values().map(Allocation::memory).collect();
        let watched = self.kernels.watched;
        // SAFETY: the kernel has the type that the function takes, `name` ends in a zero, `grid` has three numbers, memory
        // and the message have the lengths given. Jobs and step are the caller's: kernels read what tests gave them.
        let result = unsafe {
            (self.kernels.launch)(
                kernel,
                name.as_ptr(),
                launch.grid.as_ptr(),
                threads,
                launch.shared_bytes,
                launch.jobs as *const u8,
                launch.step as *const u8,
                self.seed,
                if watched { memory.as_ptr() } else { null() },
                memory.len(),
                message.as_mut_ptr().cast::<c_char>(),
                message.len(),
            )
        };
        if result != 0 {
            let end = message.iter().position(|byte| *byte == 0).unwrap();
            let message = String::from_utf8_lossy(&message[..end]).into_owned();
            let places = self.kernels.places(&message);
            return Err(message + &places);
        }
        self.check()
            .map_err(|what| format!("kernel {}: {what}", launch.kernel))
    }

    /// Whether nothing was written beside any allocation.
    ///
    /// # Errors
    /// Where something was.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.allocations
            .iter()
            .try_for_each(|(address, allocation)| allocation.check(*address))
    }

    /// The bytes from `address` on, which must lie in one allocation.
    fn place(&self, address: u64, bytes: usize) -> *mut u8 {
        let (begin, allocation) = self
            .allocations
            .range(..=address)
            .next_back()
            .unwrap_or_else(|| panic!("nothing was allocated at or below {address:#x}"));
        let offset = usize::try_from(address - begin).unwrap();
        assert!(
            offset + bytes <= allocation.bytes,
            "a copy of {bytes} bytes at {offset} of an allocation of {}",
            allocation.bytes
        );
        // SAFETY: `offset` is at most the allocation's length.
        unsafe { allocation.begin.add(GUARD + offset) }
    }
}

impl Device for HostDevice {
    fn name(&self) -> String {
        "host".to_owned()
    }

    fn capacity(&self) -> Capacity {
        self.capacity
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64, Error> {
        let allocation = Allocation::new(bytes);
        // SAFETY: the allocation begins with its guard.
        let address = unsafe { allocation.begin.add(GUARD) } as u64;
        self.allocations.insert(address, allocation);
        let bytes = self.allocations.values().map(|a| a.bytes).sum();
        self.peak_bytes = self.peak_bytes.max(bytes);
        Ok(address)
    }

    fn free(&mut self, address: u64) {
        let allocation = self
            .allocations
            .remove(&address)
            .unwrap_or_else(|| panic!("{address:#x} was not allocated"));
        allocation.check(address).unwrap();
    }

    fn peak_bytes(&self) -> usize {
        self.peak_bytes
    }

    fn upload(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        let place = self.place(address, bytes.len());
        // SAFETY: `place` has as many bytes, and no reference to them exists.
        unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    fn download(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let place = self.place(address, bytes.len());
        // SAFETY: as above.
        unsafe { place.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn start_clock(&mut self) -> Result<(), Error> {
        self.clock = Instant::now();
        Ok(())
    }

    fn fetch(&mut self, parts: &[Part]) -> Result<u64, Error> {
        let mut bytes = Vec::new();
        for part in parts {
            let begin = bytes.len();
            bytes.resize(begin + part.bytes, 0);
            self.download(part.address, &mut bytes[begin..])?;
        }
        let seconds = self.clock.elapsed().as_secs_f64();
        self.copies.push(Some(Fetched { bytes, seconds }));
        Ok(self.copies.len() as u64 - 1)
    }

    fn fetched(&mut self, copy: u64) -> Result<Fetched, Error> {
        let copy = self.copies[copy as usize].take();
        Ok(copy.expect("a copy is asked for once"))
    }

    fn launch(&mut self, launch: &Launch) -> Result<(), Error> {
        let (kernels, costs) = (self.kernels, self.costs.clone());
        let mut run = || {
            self.try_launch(launch, THREADS)
                .unwrap_or_else(|what| panic!("{what}"));
        };
        let Some(costs) = costs else {
            run();
            return Ok(());
        };
        let found = kernels.traffic(run);
        let mut costs = costs.lock().unwrap();
        let (bytes, traffic) = costs.entry(launch.kernel).or_default();
        *bytes += launch.work.bytes;
        *traffic += found;
        Ok(())
    }

    fn record(&mut self, launches: &[Launch]) -> Result<u64, Error> {
        self.graphs.push(launches.to_vec());
        Ok(self.graphs.len() as u64 - 1)
    }

    fn replay(&mut self, graph: u64) -> Result<(), Error> {
        let launches = self.graphs[graph as usize].clone();
        launches.iter().try_for_each(|launch| self.launch(launch))
    }

    fn forget(&mut self, graph: u64) {
        self.graphs[graph as usize].clear();
    }

    fn time(&mut self, launches: &[Launch]) -> Result<Vec<f64>, Error> {
        launches
            .iter()
            .map(|launch| {
                let begin = Instant::now();
                self.launch(launch)?;
                Ok(begin.elapsed().as_secs_f64())
            })
            .collect()
    }
}

impl Allocation {
    fn new(bytes: usize) -> Self {
        let layout = Self::layout(bytes);
        // SAFETY: the layout has at least the two guards.
        let begin = unsafe { alloc(layout) };
        if begin.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: guard, bytes and guard are what the layout has.
        unsafe {
            begin.write_bytes(POISON, GUARD);
            begin.add(GUARD).write_bytes(0, bytes);
            begin.add(GUARD + bytes).write_bytes(POISON, GUARD);
        }
        Self { begin, bytes }
    }

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes + 2 * GUARD, 256).unwrap()
    }

    fn memory(&self) -> Memory {
        Memory {
            begin: self.begin as usize + GUARD,
            bytes: self.bytes,
        }
    }

    fn check(&self, address: u64) -> Result<(), String> {
        // SAFETY: both guards are initialised, and kernels run only while a launch does.
        let [before, behind] = [0, GUARD + self.bytes]
            .map(|at| unsafe { std::slice::from_raw_parts(self.begin.add(at), GUARD) });
        let what = format!("the {} bytes at {address:#x}", self.bytes);
        if let Some(last) = before.iter().rposition(|byte| *byte != POISON) {
            return Err(format!("a write {} bytes before {what}", GUARD - last));
        }
        if let Some(first) = behind.iter().position(|byte| *byte != POISON) {
            return Err(format!("a write {first} bytes behind {what}"));
        }
        Ok(())
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: the memory was allocated with this layout.
        unsafe { dealloc(self.begin, Self::layout(self.bytes)) };
    }
}
