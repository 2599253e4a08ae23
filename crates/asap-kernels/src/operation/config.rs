//! Which operation on how many channels, and how it runs: checked once, at the door.

use super::CELL_INPUT;
use super::arguments::{argument, check_numbers};
use crate::builder::{
    CellInputSpec, CellOperation, OperationSpec, cell_input_plan, operation_plan,
};
use crate::error::Error;
use crate::plan::Plan;
use crate::table::Level;

/// One operation, or several that are added up, and how they run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationConfig {
    /// At least one, none twice.
    pub operations: Vec<CellOperation>,
    /// Channels in and out.
    pub channels: usize,
    /// 1 or 2; at 2 the result has half the height and width, rounded up.
    pub stride: usize,
    /// Whether normalisations of convolutions have scale and shift.
    pub affine: bool,
    /// Whether pools are followed by a normalisation (without scale and shift).
    pub normalise_pools: bool,
    /// Threads that share the images, 1 or more. Results are the same bit for bit for the same number of threads.
    pub threads: usize,
    /// Instruction set of the kernels.
    pub level: Level,
}

impl OperationConfig {
    /// One operation as in a network that is trained for use: stride 1, scale and shift, plain pools; one thread.
    pub fn new(operation: CellOperation, channels: usize) -> Self {
        Self {
            operations: vec![operation],
            channels,
            stride: 1,
            affine: true,
            normalise_pools: false,
            threads: 1,
            level: Level::detect(),
        }
    }

    /// Operations as in a supernet: stride 1, no scale and shift, normalised pools (paper); one thread.
    pub fn mixed(operations: Vec<CellOperation>, channels: usize) -> Self {
        let first = operations.first().copied().unwrap_or(CellOperation::Skip);
        let single = Self::new(first, channels);
        Self {
            operations,
            affine: false,
            normalise_pools: true,
            ..single
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self.operations[..] {
            [operation] => operation.name(),
            _ => "mixed op",
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let name = self.name();
        let twice = |(i, operation)| self.operations[..i].contains(operation);
        if self.operations.is_empty() || self.operations.iter().enumerate().any(twice) {
            let found = format!("{:?}", self.operations);
            return Err(argument(name, "one operation or more, none twice", found));
        }
        for operation in &self.operations {
            if let &CellOperation::Separable { kernel } | &CellOperation::Dilated { kernel } =
                operation
                && !matches!(kernel, 3 | 5)
            {
                return Err(argument(name, "kernel 3 or 5", kernel));
            }
        }
        check_numbers(
            name,
            &[("channels", self.channels), ("threads", self.threads)],
        )?;
        match self.stride {
            1 | 2 => Ok(()),
            stride => Err(argument(name, "stride 1 or 2", stride)),
        }
    }

    pub(crate) fn plan(&self, shape: [usize; 4]) -> Plan {
        operation_plan(&OperationSpec {
            shape,
            stride: self.stride,
            affine: self.affine,
            normalise_pools: self.normalise_pools,
            operations: &self.operations,
        })
    }
}

/// What stands in front of a cell, and how it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellInputConfig {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// A factorised reduce to half the height and width, rounded up, in the place of ReLU-1x1-BN.
    pub reduce: bool,
    /// Whether the normalisation has scale and shift.
    pub affine: bool,
    /// Threads that share the images, 1 or more.
    pub threads: usize,
    /// Instruction set of the kernels.
    pub level: Level,
}

impl CellInputConfig {
    /// ReLU-1x1-BN with scale and shift; one thread.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            reduce: false,
            affine: true,
            threads: 1,
            level: Level::detect(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let channels = [
            ("input channels", self.inputs),
            ("output channels", self.outputs),
        ];
        check_numbers(CELL_INPUT, &channels)?;
        check_numbers(CELL_INPUT, &[("threads", self.threads)])
    }

    pub(crate) fn plan(&self, shape: [usize; 4]) -> Plan {
        let Self {
            outputs,
            reduce,
            affine,
            ..
        } = *self;
        cell_input_plan(&CellInputSpec {
            shape,
            outputs,
            reduce,
            affine,
        })
    }
}
