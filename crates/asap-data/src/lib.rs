//! Image data sets, splits, augmentation and batches prepared ahead.
