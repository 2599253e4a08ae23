//! State dicts that PyTorch wrote for the reference's networks: they load, and compute what PyTorch computes.
//!
//! The files are of `benches/peer/golden_darts.py`, which says how their tensors are named.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod darts_layout {
    mod agreement;
    mod errors;
    mod golden;
    mod round_trip;
}
