//! The method: temperature, op weights, threshold, pruning and the ledger of every removal.
