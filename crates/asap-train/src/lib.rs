//! The search loop, training and evaluation, optimizers, schedules, checkpoints and metrics.
