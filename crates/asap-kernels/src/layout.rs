//! How a parameter lies in the slab: channels padded to a multiple of 8, inputs before outputs.
//!
//! Outside, a parameter has the shape that PyTorch gives it (`[O, I, kh, kw]`). Inside, vectors run over output
//! channels, and padded channels hold zeros in weights, activations and gradients alike, so that they never
//! change a result.

/// Channels with their padding: the next multiple of 8.
pub const fn padded(channels: usize) -> usize {
    channels.next_multiple_of(8)
}

/// What a parameter is, which decides its shape and its place in the slab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Depthwise kernel `[C, 1, k, k]`; inside `[k k, C']`.
    Depthwise {
        /// Channels.
        channels: usize,
        /// Width and height of the kernel.
        kernel: usize,
    },
    /// Pointwise kernel `[O, I, 1, 1]`; inside `[I', columns]`, its outputs from `first` on.
    Pointwise {
        /// Input channels of each segment of the input; every segment is padded by itself.
        segments: Vec<usize>,
        /// Output channels.
        outputs: usize,
        /// Where its outputs begin among the columns: not 0 for the second half of a factorised reduce.
        first: usize,
        /// Columns, padded.
        columns: usize,
    },
    /// Dense 3x3 kernel `[O, I, 3, 3]`; inside `[9 I padded, O']`, taps before image channels.
    Stem {
        /// Channels of the image.
        image_channels: usize,
        /// Output channels.
        outputs: usize,
    },
    /// Dense kernel `[O, I, k, k]`; inside `[k k I', O']`, taps before input channels.
    Dense {
        /// Width and height of the kernel.
        kernel: usize,
        /// Input channels.
        inputs: usize,
        /// Output channels.
        outputs: usize,
    },
    /// Scale of a batch normalisation, `[C]`.
    Scale {
        /// Channels.
        channels: usize,
    },
    /// Shift of a batch normalisation, `[C]`.
    Shift {
        /// Channels.
        channels: usize,
    },
    /// Weight of the classifier `[classes, I]`; inside `[classes, I']`.
    Linear {
        /// Input channels of each segment.
        segments: Vec<usize>,
        /// Classes.
        outputs: usize,
    },
    /// Bias of the classifier, `[classes]`.
    Bias {
        /// Classes.
        outputs: usize,
    },
}

impl ParameterKind {
    /// The shape outside.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Depthwise { channels, kernel } => vec![*channels, 1, *kernel, *kernel],
            Self::Pointwise {
                segments, outputs, ..
            } => {
                vec![*outputs, segments.iter().sum(), 1, 1]
            }
            Self::Stem {
                image_channels,
                outputs,
            } => vec![*outputs, *image_channels, 3, 3],
            Self::Dense {
                kernel,
                inputs,
                outputs,
            } => vec![*outputs, *inputs, *kernel, *kernel],
            Self::Scale { channels } | Self::Shift { channels } => vec![*channels],
            Self::Linear { segments, outputs } => vec![*outputs, segments.iter().sum()],
            Self::Bias { outputs } => vec![*outputs],
        }
    }

    /// Values outside: the number people count.
    pub fn count(&self) -> usize {
        self.shape().iter().product()
    }

    /// Values inside, padding included.
    pub fn slab_len(&self) -> usize {
        match self {
            Self::Depthwise { channels, kernel } => kernel * kernel * padded(*channels),
            Self::Pointwise {
                segments, columns, ..
            } => padded_segments(segments) * columns,
            Self::Stem {
                image_channels,
                outputs,
            } => padded(9 * image_channels) * padded(*outputs),
            Self::Dense {
                kernel,
                inputs,
                outputs,
            } => kernel * kernel * padded(*inputs) * padded(*outputs),
            Self::Scale { channels } | Self::Shift { channels } => padded(*channels),
            Self::Linear { segments, outputs } => padded_segments(segments) * outputs,
            Self::Bias { outputs } => padded(*outputs),
        }
    }

    /// Zeroes the columns that belong to the other half of a factorised reduce.
    pub(crate) fn clear_foreign_columns(&self, gradient: &mut [f32]) {
        if let Self::Pointwise {
            outputs,
            first,
            columns,
            ..
        } = self
        {
            if *first == 0 && outputs == columns {
                return;
            }
            for row in gradient.chunks_exact_mut(*columns) {
                row[..*first].fill(0.0);
                row[first + outputs..].fill(0.0);
            }
        }
    }

    /// How many values one output sums over: what PyTorch's initialisation divides by.
    pub fn fan_in(&self) -> usize {
        self.shape().iter().skip(1).product()
    }

    /// For every value in the order of [`Self::shape`], its place inside.
    pub fn places(&self) -> Vec<usize> {
        match self {
            Self::Depthwise { channels, kernel } => {
                let (taps, row) = (kernel * kernel, padded(*channels));
                pairs(*channels, taps)
                    .map(|(c, tap)| tap * row + c)
                    .collect()
            }
            Self::Pointwise {
                segments,
                outputs,
                first,
                columns,
            } => {
                let inputs = input_places(segments);
                pairs(*outputs, inputs.len())
                    .map(|(o, i)| inputs[i] * columns + first + o)
                    .collect()
            }
            Self::Stem {
                image_channels,
                outputs,
            } => {
                let row = padded(*outputs);
                pairs(*outputs, *image_channels)
                    .flat_map(|(o, i)| (0..9).map(move |tap| (tap * image_channels + i) * row + o))
                    .collect()
            }
            Self::Dense {
                kernel,
                inputs,
                outputs,
            } => {
                let (taps, row) = (kernel * kernel, padded(*outputs));
                let line = padded(*inputs);
                pairs(*outputs, *inputs)
                    .flat_map(|(o, i)| (0..taps).map(move |tap| (tap * line + i) * row + o))
                    .collect()
            }
            Self::Scale { channels } | Self::Shift { channels } => (0..*channels).collect(),
            Self::Linear { segments, outputs } => {
                let (inputs, row) = (input_places(segments), padded_segments(segments));
                pairs(*outputs, inputs.len())
                    .map(|(o, i)| o * row + inputs[i])
                    .collect()
            }
            Self::Bias { outputs } => (0..*outputs).collect(),
        }
    }
}

fn pairs(outer: usize, inner: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..outer).flat_map(move |o| (0..inner).map(move |i| (o, i)))
}

/// Length of segments that are padded one by one.
pub(crate) fn padded_segments(segments: &[usize]) -> usize {
    segments.iter().map(|&s| padded(s)).sum()
}

fn input_places(segments: &[usize]) -> Vec<usize> {
    let mut start = 0;
    let mut places = Vec::new();
    for &segment in segments {
        places.extend(start..start + segment);
        start += padded(segment);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_distinct_and_inside_the_slab() {
        let kinds = [
            ParameterKind::Depthwise {
                channels: 5,
                kernel: 3,
            },
            ParameterKind::Pointwise {
                segments: vec![5, 5],
                outputs: 3,
                first: 2,
                columns: 8,
            },
            ParameterKind::Stem {
                image_channels: 3,
                outputs: 9,
            },
            ParameterKind::Dense {
                kernel: 2,
                inputs: 5,
                outputs: 9,
            },
            ParameterKind::Scale { channels: 12 },
            ParameterKind::Linear {
                segments: vec![12, 3],
                outputs: 10,
            },
            ParameterKind::Bias { outputs: 10 },
        ];
        for kind in kinds {
            let mut places = kind.places();
            assert_eq!(places.len(), kind.count(), "{kind:?}");
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), kind.count(), "{kind:?}");
            assert!(places.iter().all(|&p| p < kind.slab_len()), "{kind:?}");
        }
    }
}
