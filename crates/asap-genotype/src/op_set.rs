//! The operations that a search chooses from, in a fixed order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Operation, Result};

/// An ordered list of different operations, at least one.
///
/// Its text is `darts7`, `darts8` or names joined by commas; serde writes the list of operations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Operation>", into = "Vec<Operation>")]
pub struct OpSet(Vec<Operation>);

impl OpSet {
    /// The seven DARTS operations without `none`, since pruning replaces it (ours).
    pub fn darts7() -> Self {
        Self(Operation::ALL[1..].to_vec())
    }

    /// The eight operations of DARTS, `none` first.
    pub fn darts8() -> Self {
        Self(Operation::ALL.to_vec())
    }

    /// An op set in the given order.
    ///
    /// # Errors
    ///
    /// When the list is empty or names an operation twice.
    pub fn new(operations: Vec<Operation>) -> Result<Self> {
        if operations.is_empty() {
            return Err(Error::EmptyOpSet);
        }
        if let Some(operation) = first_repeated(&operations) {
            return Err(Error::RepeatedOperation {
                operation,
                place: " in the op set".to_owned(),
            });
        }
        Ok(Self(operations))
    }

    /// The operations in order.
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }

    /// How many operations there are, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "an op set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The place of an operation in the order.
    pub fn position(&self, operation: Operation) -> Option<usize> {
        self.0.iter().position(|other| *other == operation)
    }

    /// `darts7`, `darts8`, or the operations' names joined by commas.
    pub fn name(&self) -> String {
        if *self == Self::darts7() {
            "darts7".to_owned()
        } else if *self == Self::darts8() {
            "darts8".to_owned()
        } else {
            self.0
                .iter()
                .map(|operation| operation.name())
                .collect::<Vec<_>>()
                .join(",")
        }
    }
}

/// The first operation that also stands earlier in the list.
pub(crate) fn first_repeated(operations: &[Operation]) -> Option<Operation> {
    operations
        .iter()
        .enumerate()
        .find(|(index, operation)| operations[..*index].contains(operation))
        .map(|(_, operation)| *operation)
}

impl fmt::Display for OpSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.name())
    }
}

impl FromStr for OpSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "darts7" => Ok(Self::darts7()),
            "darts8" => Ok(Self::darts8()),
            _ => match text.split(',').map(|name| name.trim().parse()).collect() {
                Ok(operations) => Self::new(operations),
                Err(error) if text.contains(',') => Err(error),
                Err(_) => Err(Error::UnknownOpSet {
                    name: text.to_owned(),
                }),
            },
        }
    }
}

impl TryFrom<Vec<Operation>> for OpSet {
    type Error = Error;

    fn try_from(operations: Vec<Operation>) -> Result<Self> {
        Self::new(operations)
    }
}

impl From<OpSet> for Vec<Operation> {
    fn from(op_set: OpSet) -> Self {
        op_set.0
    }
}
