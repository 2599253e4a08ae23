//! The same call twice gives the same bits, on any number of threads.

use asap_kernels::{Level, OperationConfig};

use crate::case::{Case, OPERATIONS, Subject};
use crate::fast;

#[test]
fn the_same_threads_give_the_same_bits() {
    let config = OperationConfig {
        stride: 2,
        ..OperationConfig::mixed(OPERATIONS.into(), 12)
    };
    let case = Case::new(Subject::Operations(config), [7, 9, 6], 3);
    for level in Level::available() {
        for threads in 1..=4 {
            let first = fast::computed(&case, level, threads);
            for _ in 0..3 {
                assert!(
                    fast::computed(&case, level, threads) == first,
                    "{level} on {threads}"
                );
            }
        }
    }
}
