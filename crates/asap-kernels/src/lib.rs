//! Fast kernels of cell search spaces, forward and backward, with their plain reference forms.

pub mod reference;
