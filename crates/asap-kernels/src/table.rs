//! One table of kernels per instruction set, chosen when the program runs.

use std::fmt;

use crate::depthwise::{self, Depthwise, DepthwiseWeights, Taps};
use crate::elementwise::{self, Load, Masked, Mix, Moments, Products};
use crate::pointwise::{self, Pointwise, PointwiseWeights};
use crate::pool::{self, Pool};
use crate::simd;

/// The kernels compiled for one instruction set.
///
/// # Safety
/// Every function pointer asks of its caller what the kernel of the same name asks.
pub(crate) struct Table {
    pub(crate) depthwise: unsafe fn(&Depthwise, Taps),
    pub(crate) depthwise_input_gradient: unsafe fn(&Depthwise, Taps),
    pub(crate) depthwise_weight_gradient: unsafe fn(&DepthwiseWeights, Taps),
    pub(crate) pointwise: unsafe fn(&Pointwise),
    pub(crate) pointwise_weight_gradient: unsafe fn(&PointwiseWeights),
    pub(crate) load: unsafe fn(&Load),
    pub(crate) moments: unsafe fn(&Moments),
    pub(crate) products: unsafe fn(&Products<'_>),
    pub(crate) mix: unsafe fn(&Mix<'_>),
    pub(crate) masked: unsafe fn(&Masked),
    pub(crate) pool: unsafe fn(&Pool),
    pub(crate) pool_gradient: unsafe fn(&Pool),
}

/// Compiles every kernel for one implementation of [`Simd`] and collects them in `TABLE`.
macro_rules! table {
    ($module:ident, $set:ty, $(#[$feature:meta])*) => {
        mod $module {
            use super::*;

            $(#[$feature])*
            unsafe fn depthwise(job: &Depthwise, taps: Taps) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { depthwise::forward::<$set>(job, taps) }
            }
            $(#[$feature])*
            unsafe fn depthwise_input_gradient(job: &Depthwise, taps: Taps) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { depthwise::input_gradient::<$set>(job, taps) }
            }
            $(#[$feature])*
            unsafe fn depthwise_weight_gradient(job: &DepthwiseWeights, taps: Taps) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { depthwise::weight_gradient::<$set>(job, taps) }
            }
            $(#[$feature])*
            unsafe fn pointwise(job: &Pointwise) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { pointwise::forward::<$set>(job) }
            }
            $(#[$feature])*
            unsafe fn pointwise_weight_gradient(job: &PointwiseWeights) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { pointwise::weight_gradient::<$set>(job) }
            }
            $(#[$feature])*
            unsafe fn load(job: &Load) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { elementwise::load::<$set>(job) }
            }
            $(#[$feature])*
            unsafe fn moments(job: &Moments) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { elementwise::moments::<$set>(job) }
            }
            $(#[$feature])*
            unsafe fn products(job: &Products<'_>) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { elementwise::products::<$set>(job) }
            }
            $(#[$feature])*
            unsafe fn mix(job: &Mix<'_>) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { elementwise::mix::<$set>(job) }
            }
            $(#[$feature])*
            unsafe fn masked(job: &Masked) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { elementwise::masked::<$set>(job) }
            }
            $(#[$feature])*
            unsafe fn pool(job: &Pool) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { pool::forward::<$set>(job) }
            }
            $(#[$feature])*
            unsafe fn pool_gradient(job: &Pool) {
                // SAFETY: the caller's promise is the kernel's.
                unsafe { pool::backward::<$set>(job) }
            }

            pub(super) static TABLE: Table = Table {
                depthwise,
                depthwise_input_gradient,
                depthwise_weight_gradient,
                pointwise,
                pointwise_weight_gradient,
                load,
                moments,
                products,
                mix,
                masked,
                pool,
                pool_gradient,
            };
        }
    };
}

table!(portable, simd::Portable,);
#[cfg(target_arch = "x86_64")]
table!(avx2, simd::Avx2, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
table!(
    avx512_half,
    simd::Avx512Half,
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
);
#[cfg(target_arch = "x86_64")]
table!(
    avx512,
    simd::Avx512,
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
);

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Plain Rust, every processor.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, VL, DQ and BW.
    Avx512,
}

impl Level {
    /// The best level of this processor.
    pub fn detect() -> Self {
        [Self::Avx512, Self::Avx2]
            .into_iter()
            .find(|level| level.is_available())
            .unwrap_or(Self::Portable)
    }

    /// Its name, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this processor has the level's instructions.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The levels of this processor, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Portable, Self::Avx2, Self::Avx512]
            .into_iter()
            .filter(|level| level.is_available())
    }

    /// The kernels for tensors of `channels` channels, a multiple of 8.
    ///
    /// The level must be available: [`crate::Engine::new`] checks it once.
    pub(crate) fn table(self, channels: usize) -> &'static Table {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if channels.is_multiple_of(16) => &avx512::TABLE,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => &avx512_half::TABLE,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => &avx2::TABLE,
            _ => {
                debug_assert!(channels.is_multiple_of(8));
                &portable::TABLE
            }
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
