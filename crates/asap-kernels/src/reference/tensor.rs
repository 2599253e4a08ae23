//! The tensor of the reference forms: four sizes and a flat vector.

/// Images or activations, `[N, H, W, C]`, channels contiguous.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor4 {
    /// Number of images.
    pub n: usize,
    /// Height in pixels.
    pub h: usize,
    /// Width in pixels.
    pub w: usize,
    /// Number of channels.
    pub c: usize,
    /// The `n * h * w * c` values.
    pub values: Vec<f64>,
}

impl Tensor4 {
    /// A tensor of the given sizes with the given values.
    ///
    /// # Panics
    /// If the number of values is not the product of the sizes.
    pub fn new([n, h, w, c]: [usize; 4], values: Vec<f64>) -> Self {
        assert_eq!(
            values.len(),
            n * h * w * c,
            "values for [{n}, {h}, {w}, {c}]"
        );
        Self { n, h, w, c, values }
    }

    /// A tensor of zeros.
    pub fn zeros([n, h, w, c]: [usize; 4]) -> Self {
        Self::new([n, h, w, c], vec![0.0; n * h * w * c])
    }

    /// A tensor whose value at `(image, y, x, channel)` is what the function says.
    pub fn from_fn(
        [n, h, w, c]: [usize; 4],
        mut value: impl FnMut(usize, usize, usize, usize) -> f64,
    ) -> Self {
        let mut result = Self::zeros([n, h, w, c]);
        for (image, y, x, channel) in result.positions() {
            *result.at_mut(image, y, x, channel) = value(image, y, x, channel);
        }
        result
    }

    /// The four sizes.
    pub fn shape(&self) -> [usize; 4] {
        [self.n, self.h, self.w, self.c]
    }

    /// The value at `(image, y, x, channel)`.
    pub fn at(&self, image: usize, y: usize, x: usize, channel: usize) -> f64 {
        self.values[self.offset(image, y, x, channel)]
    }

    /// The value at `(image, y, x, channel)`, to be changed.
    pub fn at_mut(&mut self, image: usize, y: usize, x: usize, channel: usize) -> &mut f64 {
        let offset = self.offset(image, y, x, channel);
        &mut self.values[offset]
    }

    /// Every `(image, y, x, channel)`, in memory order.
    pub fn positions(&self) -> impl Iterator<Item = (usize, usize, usize, usize)> + use<> {
        let [n, h, w, c] = self.shape();
        (0..n * h * w * c).map(move |i| (i / (h * w * c), i / (w * c) % h, i / c % w, i % c))
    }

    /// Every value through a function.
    pub fn map(&self, function: impl FnMut(f64) -> f64) -> Self {
        Self::new(
            self.shape(),
            self.values.iter().copied().map(function).collect(),
        )
    }

    /// The sum of two tensors of one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn plus(&self, other: &Self) -> Self {
        assert_eq!(self.shape(), other.shape());
        let sums = self.values.iter().zip(&other.values).map(|(a, b)| a + b);
        Self::new(self.shape(), sums.collect())
    }

    /// The tensors side by side along the channels.
    ///
    /// # Panics
    /// If there is none, or if they differ in more than their channels.
    pub fn concat(parts: &[&Self]) -> Self {
        let [n, h, w, _] = parts[0].shape();
        assert!(
            parts
                .iter()
                .all(|part| [part.n, part.h, part.w] == [n, h, w])
        );
        let c = parts.iter().map(|part| part.c).sum();
        let mut result = Self::zeros([n, h, w, c]);
        let mut first = 0;
        for part in parts {
            for (image, y, x, channel) in part.positions() {
                *result.at_mut(image, y, x, first + channel) = part.at(image, y, x, channel);
            }
            first += part.c;
        }
        result
    }

    /// The channels from `first` on, `count` of them.
    pub fn channels(&self, first: usize, count: usize) -> Self {
        Self::from_fn([self.n, self.h, self.w, count], |image, y, x, channel| {
            self.at(image, y, x, first + channel)
        })
    }

    fn offset(&self, image: usize, y: usize, x: usize, channel: usize) -> usize {
        debug_assert!(image < self.n && y < self.h && x < self.w && channel < self.c);
        ((image * self.h + y) * self.w + x) * self.c + channel
    }
}
