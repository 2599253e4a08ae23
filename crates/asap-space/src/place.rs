//! Where networks run: on the processor, or on a device.

use std::fmt;
use std::sync::Arc;

use asap_kernels::device::{Device, Precision};

use crate::error::Result;

/// Where networks run.
#[derive(Clone, Debug, Default)]
pub enum Place {
    /// On the processor, in f32.
    #[default]
    Processor,
    /// On a device.
    Device(Accelerator),
}

impl Place {
    /// On the NVIDIA GPU with this number.
    ///
    /// # Errors
    /// If there is no driver, no such GPU, or none that the kernels were compiled for.
    #[cfg(feature = "cuda")]
    pub fn cuda(ordinal: usize, precision: Precision) -> Result<Self> {
        let open = move || -> std::result::Result<Box<dyn Device>, asap_kernels::Error> {
            Ok(Box::new(asap_kernels::device::CudaDevice::new(ordinal)?))
        };
        Accelerator::new(precision, open).map(Self::Device)
    }

    /// Name of the device; `cpu` is the processor.
    pub fn name(&self) -> &str {
        match self {
            Self::Processor => "cpu",
            Self::Device(accelerator) => &accelerator.name,
        }
    }

    /// How products compute.
    pub fn precision(&self) -> Precision {
        match self {
            Self::Processor => Precision::F32,
            Self::Device(accelerator) => accelerator.precision,
        }
    }

    /// Whether it is a device.
    pub fn is_device(&self) -> bool {
        matches!(self, Self::Device(_))
    }
}

type Open = dyn Fn() -> std::result::Result<Box<dyn Device>, asap_kernels::Error> + Send + Sync;

/// A device that can be opened again and again: every network has it for itself.
#[derive(Clone)]
pub struct Accelerator {
    name: String,
    precision: Precision,
    open: Arc<Open>,
}

impl Accelerator {
    /// The device that `open` opens, which computes products in `precision`.
    ///
    /// # Errors
    /// If it does not open.
    pub fn new(
        precision: Precision,
        open: impl Fn() -> std::result::Result<Box<dyn Device>, asap_kernels::Error>
        + Send
        + Sync
        + 'static,
    ) -> Result<Self> {
        Ok(Self {
            name: open()?.name(),
            precision,
            open: Arc::new(open),
        })
    }

    pub(crate) fn open(&self) -> Result<Box<dyn Device>> {
        Ok((self.open)()?)
    }

    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }
}

impl fmt::Debug for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, precision) = (&self.name, self.precision.name());
        write!(f, "{name} in {precision}")
    }
}
