//! Reads `tests/golden/*.safetensors`: the cases of one kernel, as PyTorch computed them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use asap_kernels::reference::{Affine, Tensor4, Window};
use safetensors::tensor::{Dtype, SafeTensors};

/// The cases of one kernel.
pub(crate) struct Golden {
    bytes: Vec<u8>,
}

/// One case: its name says its window and sizes, its tensors are looked up by name.
pub(crate) struct Case<'a> {
    tensors: SafeTensors<'a>,
    name: String,
}

impl Golden {
    pub(crate) fn of(kernel: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/golden/{kernel}.safetensors"));
        Self {
            bytes: std::fs::read(path).unwrap(),
        }
    }

    pub(crate) fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        let tensors = || SafeTensors::deserialize(&self.bytes).unwrap();
        let names: BTreeSet<String> = tensors()
            .names()
            .iter()
            .map(|name| name.split('.').next().unwrap().into())
            .collect();
        assert!(!names.is_empty());
        names.into_iter().map(move |name| Case {
            tensors: tensors(),
            name,
        })
    }
}

impl Case<'_> {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number after a letter in the name: `s` of `k3_d2_s1_2x5x7x3` is 1.
    pub(crate) fn number(&self, letter: char) -> usize {
        let part = self
            .name
            .split('_')
            .find_map(|part| part.strip_prefix(letter)?.parse().ok());
        part.unwrap_or_else(|| panic!("no {letter} in the name {}", self.name))
    }

    pub(crate) fn window(&self) -> Window {
        Window {
            kernel: self.number('k'),
            stride: self.number('s'),
            dilation: self.number('d'),
        }
    }

    pub(crate) fn has(&self, tensor: &str) -> bool {
        self.tensors
            .tensor(&format!("{}.{tensor}", self.name))
            .is_ok()
    }

    pub(crate) fn values(&self, tensor: &str) -> Vec<f64> {
        let view = self
            .tensors
            .tensor(&format!("{}.{tensor}", self.name))
            .unwrap();
        assert_eq!(view.dtype(), Dtype::F64);
        let (values, _) = view.data().as_chunks::<8>();
        values
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect()
    }

    pub(crate) fn images(&self, tensor: &str) -> Tensor4 {
        let view = self
            .tensors
            .tensor(&format!("{}.{tensor}", self.name))
            .unwrap();
        Tensor4::new(view.shape().try_into().unwrap(), self.values(tensor))
    }

    pub(crate) fn labels(&self) -> Vec<u32> {
        let view = self
            .tensors
            .tensor(&format!("{}.labels", self.name))
            .unwrap();
        assert_eq!(view.dtype(), Dtype::I64);
        let (labels, _) = view.data().as_chunks::<8>();
        labels
            .iter()
            .map(|bytes| u32::try_from(i64::from_le_bytes(*bytes)).unwrap())
            .collect()
    }

    /// Scale and shift, where the case has them.
    pub(crate) fn affine(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        self.has("scale")
            .then(|| (self.values("scale"), self.values("shift")))
    }

    /// Holds values to those that PyTorch computed.
    ///
    /// Both are sums of at most a thousand float64 products of numbers near 1, in another order: they differ by
    /// some 1e-13. A channel without variance multiplies that by `1 / sqrt(eps)`, 316.
    pub(crate) fn assert_agrees(&self, tensor: &str, found: &[f64]) {
        let expected = self.values(tensor);
        assert_eq!(found.len(), expected.len(), "{} {tensor}", self.name);
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(
                (found - expected).abs() <= 1e-10 * (1.0 + expected.abs()),
                "{} {tensor}[{i}]: found {found}, PyTorch has {expected}",
                self.name
            );
        }
    }

    pub(crate) fn assert_images_agree(&self, tensor: &str, found: &Tensor4) {
        assert_eq!(
            found.shape(),
            self.images(tensor).shape(),
            "{} {tensor}",
            self.name
        );
        self.assert_agrees(tensor, &found.values);
    }
}

/// What the reference forms take for an affine.
pub(crate) fn borrowed(affine: &Option<(Vec<f64>, Vec<f64>)>) -> Option<Affine<'_>> {
    affine
        .as_ref()
        .map(|(scale, shift)| Affine { scale, shift })
}
