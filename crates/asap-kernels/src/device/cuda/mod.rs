//! An NVIDIA GPU, through the driver alone: a context, a stream of its own, and the kernels of `kernels/` compiled ahead.

mod commands;
mod staging;

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaEvent, CudaFunction, CudaGraph, CudaModule, CudaStream, DriverError, result,
    sys,
};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;

use super::abi::THREADS;
use super::launch::{Device, Launch};
use crate::error::Error;
use staging::{Pinned, Staging};

/// Machine code for several architectures, and PTX for those to come.
static KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// What a block must be able to have: the least that any GPU gives that the kernels are compiled for. Those for desktops give as much, the
/// A100 163 KiB, the H100 and H200 227.
const LEAST_SHARED_BYTES: u32 = 99 << 10;

/// Bytes of shared memory that every kernel may have without asking.
const PLAIN_SHARED_BYTES: u32 = 48 << 10;

/// An NVIDIA GPU.
pub struct CudaDevice {
    // Graphs and functions go before what they belong to.
    graphs: HashMap<u64, CudaGraph>,
    next_graph: u64,
    kernels: HashMap<&'static str, Kernel>,
    staging: Staging,
    clock: Option<CudaEvent>,
    /// Copies from the device that nobody has asked for yet.
    transfers: HashMap<u64, Transfer>,
    next_copy: u64,
    /// What has been allocated and not given back, with its bytes: it goes with the device, though the context may stay for another.
    allocations: HashMap<u64, usize>,
    peak_bytes: usize,
    module: Arc<CudaModule>,
    stream: Arc<CudaStream>,
    context: Arc<CudaContext>,
    name: String,
    most_shared_bytes: u32,
    multiprocessors: u32,
}

// SAFETY: graphs are not synchronised by the driver, so that one thread at a time may use them: that which has the device.
unsafe impl Send for CudaDevice {}

/// A copy from the device, and the time from one event to the other.
struct Transfer {
    pinned: Pinned,
    bytes: usize,
    begin: CudaEvent,
    end: CudaEvent,
    /// Copies to the device that had begun before.
    staged: u64,
}

/// A kernel, and the shared memory it has been promised.
struct Kernel {
    function: CudaFunction,
    shared_bytes: u32,
}

impl CudaDevice {
    /// The GPU with this number, from 0 on.
    ///
    /// # Errors
    /// If there is no driver, no such GPU, or none that the kernels were compiled for.
    pub fn new(ordinal: usize) -> Result<Self, Error> {
        let at = |problem: &dyn std::fmt::Display| Error::Device {
            what: format!("CUDA device {ordinal}"),
            problem: problem.to_string(),
        };
        let open = || -> Result<Self, DriverError> {
            let context = CudaContext::new(ordinal)?;
            // SAFETY: no slice of cudarc's is ever made. With tracking, to open a stream is to wait for everything on the GPU, which
            // would end what another device records.
            unsafe { context.disable_event_tracking() };
            let stream = context.new_stream()?;
            let (major, minor) = context.compute_capability()?;
            let optin =
                sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
            let most_shared_bytes = context.attribute(optin)? as u32;
            let count = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
            let multiprocessors = context.attribute(count)? as u32;
            let name = format!("{} (sm_{major}{minor})", context.name()?);
            let module = context.load_module(Ptx::from_binary(KERNELS.to_vec()))?;
            Ok(Self {
                graphs: HashMap::new(),
                next_graph: 0,
                kernels: HashMap::new(),
                staging: Staging::default(),
                clock: None,
                transfers: HashMap::new(),
                next_copy: 0,
                allocations: HashMap::new(),
                peak_bytes: 0,
                module,
                stream,
                context,
                name,
                most_shared_bytes,
                multiprocessors,
            })
        };
        if KERNELS.is_empty() {
            return Err(at(&"this build has no kernels: its nvcc was a stand-in"));
        }
        let device = open().map_err(|error| match error.0 {
            // What stands in for the driver's library until it is opened says this.
            sys::CUresult::CUDA_ERROR_STUB_LIBRARY => {
                at(&"there is no NVIDIA driver: libcuda.so.1 is not found")
            }
            sys::CUresult::CUDA_ERROR_NO_DEVICE => at(&"the driver finds no GPU"),
            sys::CUresult::CUDA_ERROR_INVALID_DEVICE => {
                at(&"the driver finds no GPU with this number; the first is 0")
            }
            _ => at(&error),
        })?;
        if device.most_shared_bytes < LEAST_SHARED_BYTES {
            return Err(at(&format!(
                "{} gives a block {} KiB of shared memory, the kernels need {}",
                device.name,
                device.most_shared_bytes >> 10,
                LEAST_SHARED_BYTES >> 10
            )));
        }
        Ok(device)
    }

    fn failed(&self, what: &str, error: DriverError) -> Error {
        Error::Device {
            what: format!("{what} on {}", self.name),
            problem: error.to_string(),
        }
    }

    /// Makes a kernel ready for as much shared memory.
    fn prepare(&mut self, name: &'static str, shared_bytes: u32) -> Result<(), Error> {
        if shared_bytes > self.most_shared_bytes {
            return Err(Error::Device {
                what: format!("{name} on {}", self.name),
                problem: format!(
                    "a block needs {shared_bytes} bytes of shared memory and gets at most {}",
                    self.most_shared_bytes
                ),
            });
        }
        if !self.kernels.contains_key(name) {
            let function = self.module.load_function(name);
            let function = function.map_err(|error| self.failed(name, error))?;
            let shared_bytes = PLAIN_SHARED_BYTES;
            self.kernels.insert(
                name,
                Kernel {
                    function,
                    shared_bytes,
                },
            );
        }
        let kernel = &self.kernels[name];
        if shared_bytes > kernel.shared_bytes {
            let attribute =
                sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let granted = kernel
                .function
                .set_attribute(attribute, shared_bytes as i32);
            granted.map_err(|error| self.failed(name, error))?;
            if let Some(kernel) = self.kernels.get_mut(name) {
                kernel.shared_bytes = shared_bytes;
            }
        }
        Ok(())
    }

    /// Launches a kernel that is ready.
    fn enqueue(&self, launch: &Launch) -> Result<(), Error> {
        let Launch {
            kernel,
            grid: [x, y, z],
            shared_bytes,
            mut jobs,
            mut step,
            ..
        } = *launch;
        let mut arguments = [(&raw mut jobs).cast::<c_void>(), (&raw mut step).cast()];
        // SAFETY: every kernel takes two addresses; jobs and step lie on the device, where the program that the launch belongs
        // to has put them, and the grid is that of the jobs.
        let launched = unsafe {
            result::launch_kernel(
                self.kernels[kernel].function.cu_function(),
                (x, y, z),
                (THREADS, 1, 1),
                shared_bytes,
                self.stream.cu_stream(),
                &mut arguments,
            )
        };
        launched.map_err(|error| self.failed(kernel, error))
    }

    fn bind(&self) -> Result<(), Error> {
        self.context
            .bind_to_thread()
            .map_err(|error| self.failed("a call", error))
    }

    fn synchronise(&mut self) -> Result<(), Error> {
        let done = self.stream.synchronize();
        done.map_err(|error| self.failed("what was launched", error))?;
        self.staging.done(self.staging.copies());
        Ok(())
    }

    /// Waits for copies from or to the caller's memory, which none of them may use any more when this is over, whatever has failed.
    fn finish(&mut self) -> Result<(), Error> {
        let done = self.synchronise();
        if done.is_err() {
            self.wait();
        }
        done
    }

    /// Waits for everything launched, whatever has failed.
    fn wait(&mut self) {
        // An error kept from an earlier call comes back before anything is waited for, once. What fails then has failed before:
        // there is nobody left to tell.
        let _ = self.synchronise().or_else(|_| self.synchronise());
    }

    fn new_event(&self) -> Result<CudaEvent, Error> {
        let flags = sys::CUevent_flags::CU_EVENT_DEFAULT;
        let event = self.context.new_event(Some(flags));
        event.map_err(|error| self.failed("an event", error))
    }

    fn record_event(&self, event: &CudaEvent) -> Result<(), Error> {
        let recorded = event.record(&self.stream);
        recorded.map_err(|error| self.failed("an event", error))
    }

    /// What will have happened when everything launched so far has run.
    fn mark(&self) -> Result<CudaEvent, Error> {
        let event = self.new_event()?;
        self.record_event(&event)?;
        Ok(event)
    }

    fn seconds(&self, begin: &CudaEvent, end: &CudaEvent) -> Result<f64, Error> {
        let milliseconds = begin.elapsed_ms(end);
        let milliseconds = milliseconds.map_err(|error| self.failed("an event", error))?;
        Ok(f64::from(milliseconds) / 1e3)
    }

    fn pinned(&mut self, bytes: usize) -> Result<Pinned, Error> {
        let pinned = self.staging.take(&self.context, bytes);
        pinned.map_err(|error| self.failed("page-locked memory", error))
    }

    fn capture(&self, launches: &[Launch]) -> Result<CudaGraph, Error> {
        let fail = |error| self.failed("a graph", error);
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(fail)?;
        let launched = launches.iter().try_for_each(|launch| self.enqueue(launch));
        // A capture that failed has to end, too.
        let graph = self.stream.end_capture(sys::CUgraphInstantiate_flags(0));
        launched?;
        graph.map_err(fail)?.ok_or_else(|| Error::Device {
            what: format!("a graph on {}", self.name),
            problem: "the driver recorded nothing".to_owned(),
        })
    }
}

impl Drop for CudaDevice {
    fn drop(&mut self) {
        // Nobody gives memory back that a copy still reads or writes.
        self.wait();
        for address in std::mem::take(&mut self.allocations).into_keys() {
            self.free(address);
        }
    }
}
