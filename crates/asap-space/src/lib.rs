//! The supernet and the networks derived from it, computed by one static plan.
