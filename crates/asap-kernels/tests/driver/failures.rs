//! The driver fails: one error says so, nothing is lost, and what can go on goes on.

use asap_kernels::device::{CudaDevice, Device};

use crate::scene::play;
use crate::stand_in::{Order, StandIn};

const OUT_OF_MEMORY: u32 = 2;
const STUB_LIBRARY: u32 = 34;
const NO_DEVICE: u32 = 100;
const INVALID_IMAGE: u32 = 200;
const LAUNCH_FAILED: u32 = 719;

/// What the driver is asked for on the way, with how often it is asked before it fails.
const CALLS: [(&str, u32); 23] = [
    ("cuMemAlloc_v2", 0),
    ("cuMemAlloc_v2", 3),
    ("cuMemsetD8Async", 0),
    ("cuMemsetD8Async", 3),
    ("cuMemHostAlloc", 0),
    ("cuMemHostAlloc", 4),
    ("cuMemcpyHtoDAsync_v2", 0),
    ("cuMemcpyHtoDAsync_v2", 4),
    ("cuMemcpyHtoDAsync_v2", 27),
    ("cuMemcpyDtoHAsync_v2", 0),
    ("cuMemcpyDtoHAsync_v2", 1),
    ("cuModuleGetFunction", 0),
    ("cuFuncSetAttribute", 0),
    ("cuLaunchKernel", 1),
    ("cuLaunchKernel", 3),
    ("cuStreamBeginCapture_v2", 0),
    ("cuStreamEndCapture", 0),
    ("cuGraphInstantiateWithFlags", 0),
    ("cuGraphLaunch", 3),
    ("cuEventCreate", 2),
    ("cuEventRecord", 2),
    ("cuEventSynchronize", 2),
    ("cuEventElapsedTime_v2", 2),
];

#[test]
fn a_call_that_fails_is_one_error_and_the_device_goes_on_as_if_it_had_not_been() {
    for order in [Order::Late, Order::Early, Order::Seed(5)] {
        let stand_in = StandIn::new(order);
        let mut other = CudaDevice::new(0).unwrap();
        let expected = play(&mut other).unwrap();
        let before = stand_in.left();
        for (function, calls_before) in CALLS {
            let what = format!("call {calls_before} of {function}, {order:?}");
            let mut device = CudaDevice::new(0).unwrap();
            stand_in.fail(function, calls_before, OUT_OF_MEMORY, false);
            let error = play(&mut device).expect_err(&what).to_string();
            assert!(error.contains("out of memory"), "{what}: {error}");
            assert!(error.contains("host stand-in"), "{what}: {error}");
            assert!(play(&mut device).unwrap() == expected, "{what}");
            drop(device);
            assert_eq!(stand_in.left(), before, "{what}");
        }
    }
}

#[test]
fn memory_of_the_caller_is_its_own_again_even_if_the_wait_for_its_copy_fails() {
    let stand_in = StandIn::new(Order::Late);
    let mut device = CudaDevice::new(0).unwrap();
    // Copies of so much do not go through memory of the device's own.
    let mut bytes = vec![1; 9 << 20];
    let address = device.allocate(bytes.len()).unwrap();
    stand_in.fail("cuStreamSynchronize", 0, OUT_OF_MEMORY, false);
    device.upload(address, &bytes).unwrap_err();
    bytes.fill(2);
    device.download(address, &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 1));
    stand_in.fail("cuStreamSynchronize", 0, OUT_OF_MEMORY, false);
    device.download(address, &mut bytes).unwrap_err();
    bytes.fill(3);
    device.free(address);
    assert!(bytes.iter().all(|byte| *byte == 3));
}

#[test]
fn a_wait_that_fails_once_is_made_again_before_anything_is_given_back() {
    for calls_before in 0..4 {
        let stand_in = StandIn::new(Order::Late);
        let mut device = CudaDevice::new(0).unwrap();
        let expected = play(&mut device).unwrap();
        stand_in.fail("cuStreamSynchronize", calls_before, OUT_OF_MEMORY, false);
        // Whether anybody is told depends on who waited.
        let _ = play(&mut device);
        assert!(play(&mut device).unwrap() == expected);
    }
}

#[test]
fn a_kernel_that_fails_ends_everything_with_its_error_and_nothing_hangs() {
    for order in [Order::Late, Order::Early, Order::Seed(6)] {
        for launch in [0, 1, 7] {
            let stand_in = StandIn::new(order);
            let mut device = CudaDevice::new(0).unwrap();
            stand_in.fail("a kernel", launch, LAUNCH_FAILED, true);
            for _ in 0..2 {
                let error = play(&mut device).unwrap_err().to_string();
                assert!(error.contains("CUDA_ERROR_LAUNCH_FAILED"), "{error}");
            }
            drop(device);
            let error = CudaDevice::new(0).err().unwrap().to_string();
            assert!(error.contains("CUDA_ERROR_LAUNCH_FAILED"), "{error}");
            assert_eq!(stand_in.left(), "");
        }
    }
}

#[test]
fn a_device_that_cannot_be_opened_says_why_and_leaves_nothing() {
    let stand_in = StandIn::new(Order::Late);
    for (function, status, expected) in [
        ("cuInit", STUB_LIBRARY, "there is no NVIDIA driver"),
        ("cuInit", NO_DEVICE, "the driver finds no GPU"),
        ("cuDevicePrimaryCtxRetain", OUT_OF_MEMORY, "out of memory"),
        ("cuStreamCreate", OUT_OF_MEMORY, "out of memory"),
        (
            "cuModuleLoadData",
            INVALID_IMAGE,
            "device kernel image is invalid",
        ),
    ] {
        stand_in.fail(function, 0, status, false);
        let error = CudaDevice::new(0).err().unwrap().to_string();
        assert!(error.starts_with("CUDA device 0: "), "{error}");
        assert!(error.contains(expected), "{error}");
        assert_eq!(stand_in.left(), "");
    }
    let error = CudaDevice::new(1).err().unwrap().to_string();
    let expected = "CUDA device 1: the driver finds no GPU with this number; the first is 0";
    assert!(error.contains(expected), "{error}");
    stand_in.give_shared(64 << 10);
    let error = CudaDevice::new(0).err().unwrap().to_string();
    let expected = "gives a block 64 KiB of shared memory, the kernels need 99";
    assert!(error.contains(expected), "{error}");
    assert_eq!(stand_in.left(), "");
}
