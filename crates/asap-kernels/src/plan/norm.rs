//! A batch normalisation.

/// A batch normalisation. Numbers named `*_vector` are places in a thread's own vectors.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    pub(crate) channels: usize,
    /// Pixels of an image.
    pub(crate) pixels: usize,
    /// `sum y`, `sum y^2`, `2 channels` f64.
    pub(crate) moments: usize,
    pub(crate) a_vector: usize,
    pub(crate) b_vector: usize,
    pub(crate) mean_vector: usize,
    pub(crate) deviation_vector: usize,
    /// Coefficients of the backward pass: `B` and `D`.
    pub(crate) back_y_vector: usize,
    pub(crate) back_shift_vector: usize,
    /// Scale and shift in the slab of parameters.
    pub(crate) affine: Option<[usize; 2]>,
    pub(crate) statistics: usize,
}
