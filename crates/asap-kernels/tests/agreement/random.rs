//! Numbers for tests: SplitMix64 (Steele, Lea, Flood 2014), so that a case is the same everywhere.

use asap_kernels::reference::Tensor4;

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between -`width` and `width`, and the same number in f32.
    pub(crate) fn value(&mut self, width: f64) -> f64 {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        f64::from((width * (2.0 * unit - 1.0)) as f32)
    }

    pub(crate) fn values(&mut self, count: usize, width: f64) -> Vec<f64> {
        (0..count).map(|_| self.value(width)).collect()
    }

    pub(crate) fn images(&mut self, shape: [usize; 4], width: f64) -> Tensor4 {
        Tensor4::new(shape, self.values(shape.iter().product(), width))
    }

    /// One of `-1, 0, 1`.
    pub(crate) fn sign(&mut self) -> f64 {
        (self.next() % 3) as f64 - 1.0
    }
}
