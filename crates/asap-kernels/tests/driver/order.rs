//! Whenever the driver does what it was told, the same comes out, and nothing stays behind.

use asap_kernels::device::{CudaDevice, Device, Part};

use crate::host::HostDevice;
use crate::scattered::Scattered;
use crate::scene::play;
use crate::stand_in::{Order, StandIn};

const ORDERS: [Order; 5] = [
    Order::Late,
    Order::Early,
    Order::Seed(2),
    Order::Seed(3),
    Order::Seed(4),
];

#[test]
fn what_comes_out_does_not_depend_on_when_it_is_computed() {
    let expected = play(&mut HostDevice::new(1)).unwrap();
    for order in ORDERS {
        let _stand_in = StandIn::new(order);
        let mut device = CudaDevice::new(0).unwrap();
        assert_eq!(device.name(), "host stand-in (sm_90)");
        for _ in 0..2 {
            assert!(play(&mut device).unwrap() == expected, "{order:?}");
        }
    }
}

#[test]
fn a_device_that_is_gone_leaves_nothing_and_another_goes_on() {
    for order in ORDERS {
        let stand_in = StandIn::new(order);
        assert_eq!(stand_in.left(), "");
        let mut other = CudaDevice::new(0).unwrap();
        let before = stand_in.left();
        let mut device = CudaDevice::new(0).unwrap();
        let home = play(&mut device).unwrap();
        drop(device);
        assert_eq!(stand_in.left(), before);
        assert!(play(&mut other).unwrap() == home);
        drop(other);
        assert_eq!(stand_in.left(), "");
    }
}

#[test]
fn a_device_that_goes_while_it_computes_waits_for_what_it_gives_back() {
    for order in ORDERS {
        let stand_in = StandIn::new(order);
        let mut device = CudaDevice::new(0).unwrap();
        let address = device.allocate(64).unwrap();
        device.upload(address, &[1; 64]).unwrap();
        let parts = [Part { address, bytes: 64 }];
        device.fetch(&parts).unwrap();
        drop(device);
        assert_eq!(stand_in.left(), "");
    }
}

#[test]
fn every_call_may_come_from_another_thread() {
    let stand_in = StandIn::new(Order::Late);
    let mut device = CudaDevice::new(0).unwrap();
    let home = play(&mut device).unwrap();
    let mut device = Scattered(device);
    assert!(play(&mut device).unwrap() == home);
    std::thread::spawn(move || drop(device)).join().unwrap();
    assert_eq!(stand_in.left(), "");
}

/// Uploads before a copy is asked for, and copies that are under way.
#[test]
fn page_locked_memory_is_used_again_once_its_copy_is_done_and_not_before() {
    const UPLOADS: usize = 4;
    let stand_in = StandIn::new(Order::Late);
    let mut device = CudaDevice::new(0).unwrap();
    let address = device.allocate(UPLOADS).unwrap();
    let part = Part {
        address,
        bytes: UPLOADS,
    };
    let mut under_way = Vec::new();
    for round in 0..50_u8 {
        for upload in 0..UPLOADS {
            device
                .upload(address + upload as u64, &[round + upload as u8])
                .unwrap();
        }
        under_way.push((round, device.fetch(&[part]).unwrap()));
        if under_way.len() == 2 {
            let (round, copy) = under_way.remove(0);
            let expected: Vec<u8> = (round..round + UPLOADS as u8).collect();
            assert_eq!(device.fetched(copy).unwrap().bytes, expected);
        }
    }
    let pieces = 2 * (UPLOADS + 1);
    let left = stand_in.left();
    assert!(left.contains(&format!("{pieces} pieces")), "{left}");
    device.free(address);
}
