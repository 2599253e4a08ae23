//! Mistakes that a driver may take without a word are told by the stand-in.

use std::ffi::c_void;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaStream, DriverError, result, sys,
};

use crate::stand_in::{Order, StandIn};

const BYTES: usize = 32;

/// A stream with memory at both ends of its copies.
struct Bench {
    stream: Arc<CudaStream>,
    device: sys::CUdeviceptr,
    host: *mut c_void,
}

impl Bench {
    fn new() -> Self {
        let context = CudaContext::new(0).unwrap();
        // SAFETY: there are no slices.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().unwrap();
        // SAFETY: the memory is written before it is read, but for a test that looks at what it held.
        let (device, host) = unsafe { (result::malloc_sync(BYTES), result::malloc_host(BYTES, 0)) };
        Self {
            stream,
            device: device.unwrap(),
            host: host.unwrap(),
        }
    }

    fn host(&mut self) -> &mut [u8] {
        // SAFETY: the host's memory has as many bytes, initialised by the stand-in.
        unsafe { std::slice::from_raw_parts_mut(self.host.cast(), BYTES) }
    }

    fn download(&mut self, from: sys::CUdeviceptr) -> Result<(), DriverError> {
        let stream = self.stream.cu_stream();
        // SAFETY: whether the memory is there is what is tried.
        unsafe { result::memcpy_dtoh_async(self.host(), from, stream) }
    }

    fn free_host(&mut self) {
        // SAFETY: as above.
        let _ = unsafe { result::free_host(self.host) };
    }

    fn free(&mut self) {
        // SAFETY: as above.
        let _ = unsafe { result::free_sync(self.device) };
    }
}

/// What is told of a mistake, and of nothing without it.
fn finding(mistake: impl FnOnce(&mut Bench)) -> String {
    let stand_in = StandIn::new(Order::Late);
    stand_in.keep_finding();
    let mut bench = Bench::new();
    assert_eq!(stand_in.finding(), "");
    mistake(&mut bench);
    let _ = bench.stream.synchronize();
    stand_in.finding()
}

#[test]
fn memory_is_no_number_until_it_is_written() {
    let _stand_in = StandIn::new(Order::Late);
    let mut bench = Bench::new();
    bench.host().fill(1);
    bench.download(bench.device).unwrap();
    assert_eq!(bench.host(), [1; BYTES], "nobody has waited yet");
    bench.stream.synchronize().unwrap();
    assert_eq!(bench.host(), [0xff; BYTES]);
    bench.free_host();
    bench.free();
}

#[test]
fn memory_that_is_given_back_too_early_or_twice_is_told() {
    let found = finding(|bench| {
        bench.download(bench.device).unwrap();
        bench.free_host();
    });
    assert_eq!(
        found,
        "cuMemFreeHost of 32 bytes that something launched has yet to use"
    );
    let found = finding(|bench| {
        bench.download(bench.device).unwrap();
        bench.free();
    });
    assert_eq!(
        found,
        "cuMemFree_v2 of 32 bytes that something launched has yet to use"
    );
    let found = finding(|bench| {
        bench.free();
        bench.free();
    });
    assert_eq!(found, "cuMemFree_v2 of what was not allocated");
}

#[test]
fn a_copy_or_a_write_beside_an_allocation_is_told() {
    let found = finding(|bench| assert!(bench.download(bench.device + 1).is_err()));
    assert!(
        found.contains("cuMemcpyDtoHAsync_v2: 32 bytes at"),
        "{found}"
    );
    let found = finding(|bench| {
        let host = bench.host.cast::<u8>();
        // SAFETY: the stand-in keeps bytes there to see this.
        unsafe { host.add(BYTES).write(0) };
        bench.free_host();
    });
    assert!(
        found.contains("a write beside an allocation of 32 bytes"),
        "{found}"
    );
}

#[test]
fn a_thread_without_the_context_is_told() {
    let found = finding(|_| {
        // SAFETY: nothing comes of it.
        let other = std::thread::spawn(|| unsafe { result::malloc_sync(BYTES) }.is_err());
        assert!(other.join().unwrap());
    });
    assert_eq!(found, "cuMemAlloc_v2 in a thread without a context");
}

#[test]
fn what_must_not_happen_while_a_graph_is_recorded_is_told_and_ends_the_recording() {
    let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    for (forbidden, expected) in [
        (
            (|bench| bench.free()) as fn(&mut Bench),
            "cuMemFree_v2 in a thread that captures",
        ),
        (
            |bench| assert!(bench.stream.synchronize().is_err()),
            "cuStreamSynchronize in a thread that captures",
        ),
        (
            |bench| assert!(bench.download(bench.device).is_err()),
            "cuMemcpyDtoHAsync_v2 to a stream that captures",
        ),
    ] {
        let found = finding(|bench| {
            bench.stream.begin_capture(mode).unwrap();
            forbidden(bench);
            let ended = bench.stream.end_capture(sys::CUgraphInstantiate_flags(0));
            let error = ended.err().unwrap();
            assert_eq!(
                error.0,
                sys::CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
            );
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn what_is_left_when_a_context_ends_is_told() {
    let stand_in = StandIn::new(Order::Late);
    stand_in.keep_finding();
    let mut bench = Bench::new();
    bench.free();
    drop(bench);
    let expected = "a context ends with 1 pieces of page-locked memory";
    assert_eq!(stand_in.finding(), expected);
    assert_eq!(stand_in.left(), "");
}
