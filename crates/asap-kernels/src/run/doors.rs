//! Tensors of others: into the buffers of a single operation and out of them.
//!
//! Outside `[N, C, H, W]`, contiguous; inside `[N, H, W, C']`, where the padded channels of a source and of a
//! result's gradient are never written and so stay zero.

use super::engine::{Mode, Part, Writes};
use super::{Engine, Pass, Wanted, Worker};
use crate::plan::{Door, Doors, Place, View};

impl Engine {
    /// The result `[N, C, H, W]` of the plan's operation; `pass.pixels` holds the source in the same order.
    pub(crate) fn forward(&mut self, pass: Pass<'_>) -> &[f32] {
        let writes = Writes {
            statistics: &mut [],
            gradients: &mut [],
        };
        // Nobody wants weights: running statistics are left alone.
        self.pass_doors(pass, writes, Wanted::OpWeights, Part::Forward);
        &self.buffers.outputs[..self.plan.batch * self.plan.doors().result.len()]
    }

    /// The gradient of the source; `pass.pixels` holds the gradient of the result. To be called once after each
    /// [`Self::forward`], with its parameters and op weights: it uses up what that left.
    pub(crate) fn backward(
        &mut self,
        pass: Pass<'_>,
        gradients: &mut [f32],
        wanted: Wanted,
    ) -> &[f32] {
        let writes = Writes {
            statistics: &mut [],
            gradients,
        };
        self.pass_doors(pass, writes, wanted, Part::Backward);
        &self.buffers.outputs[..self.plan.batch * self.plan.doors().source.len()]
    }

    fn pass_doors(&mut self, pass: Pass<'_>, writes: Writes<'_>, wanted: Wanted, part: Part) {
        let doors = self.plan.doors();
        let given = if part == Part::Forward {
            doors.source
        } else {
            doors.result
        };
        let images = self.plan.batch;
        assert_eq!(pass.pixels.len(), images * given.len());
        assert_eq!(pass.parameters.len(), self.plan.slab_len);
        assert_eq!(pass.op_weights.len(), self.plan.op_weights);
        if wanted.weights() {
            assert_eq!(writes.gradients.len(), self.plan.slab_len);
        }
        self.run(
            pass,
            &[],
            writes,
            images,
            Mode {
                train: true,
                wanted,
                part,
            },
        );
    }
}

impl Worker<'_> {
    /// What is given becomes the source.
    ///
    /// # Safety
    /// Tasks run in the order of the plan; so for every task below.
    pub(super) unsafe fn fill_source(&self, doors: &Doors) {
        // SAFETY: the caller's promise.
        unsafe { self.fill(doors.source, doors.source.tensor.place) };
    }

    /// The result is handed out.
    ///
    /// # Safety
    /// See [`Self::fill_source`].
    pub(super) unsafe fn hand_out_result(&self, doors: &Doors) {
        // SAFETY: the caller's promise.
        unsafe { self.hand_out(doors.result, doors.result.tensor) };
    }

    /// What is given becomes the gradient of the result.
    ///
    /// # Safety
    /// See [`Self::fill_source`].
    pub(super) unsafe fn fill_result_gradient(&self, doors: &Doors) {
        let result = doors.result;
        // SAFETY: the caller's promise.
        unsafe { self.fill(result, result.gradient) };
        let Some(sums) = doors.result_sums else {
            return;
        };
        for image in self.images.clone() {
            // SAFETY: both hold an image of the result, contiguous.
            unsafe {
                let g = self.at(result.gradient, image).at;
                let y = self.at(result.tensor.place, image).at;
                self.pair_sums(result.size, g, y, sums);
            }
        }
    }

    /// The gradient of the source is handed out.
    ///
    /// # Safety
    /// See [`Self::fill_source`].
    pub(super) unsafe fn hand_out_source_gradient(&self, doors: &Doors) {
        let view = View {
            place: doors.source.gradient,
            norm: None,
        };
        // SAFETY: the caller's promise.
        unsafe { self.hand_out(doors.source, view) };
    }

    unsafe fn fill(&self, door: Door, place: Place) {
        let (pixels, channels) = (door.size.pixels(), door.channels);
        for image in self.images.clone() {
            let from = &self.pass.pixels[image * door.len()..][..door.len()];
            // SAFETY: the place holds `pixels` pixels of at least `channels` values.
            unsafe {
                let to = self.at(place, image);
                for pixel in 0..pixels {
                    let to = std::slice::from_raw_parts_mut(to.at.add(pixel * to.pixel), channels);
                    for (c, value) in to.iter_mut().enumerate() {
                        *value = from[c * pixels + pixel];
                    }
                }
            }
        }
    }

    unsafe fn hand_out(&self, door: Door, view: View) {
        let (pixels, channels) = (door.size.pixels(), door.channels);
        let (a, b) = self.view_coefficients(view);
        for image in self.images.clone() {
            // SAFETY: outputs hold `door.len()` values for each image, the view's place `pixels` pixels of at least
            // `channels` values, and coefficients are as many.
            unsafe {
                let from = self.at(view.place, image);
                let to = self.shared.outputs.add(image * door.len());
                let to = std::slice::from_raw_parts_mut(to, door.len());
                for (c, plane) in to.chunks_exact_mut(pixels).enumerate().take(channels) {
                    let (scale, shift) = if a.is_null() {
                        (1.0, 0.0)
                    } else {
                        (*a.add(c), *b.add(c))
                    };
                    for (pixel, value) in plane.iter_mut().enumerate() {
                        *value = *from.at.add(pixel * from.pixel + c) * scale + shift;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::builder::{
        CellInputSpec, CellOperation, OperationSpec, cell_input_plan, operation_plan,
    };
    use crate::layout::ParameterKind;
    use crate::plan::Plan;
    use crate::regularisation::Regularisation;
    use crate::table::Level;

    /// Numbers between -1 and 1 without an order.
    fn numbers(count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| (i as f32 * 0.754_877_7).fract() * 2.0 - 1.0)
            .collect()
    }

    /// The plan's buffers after a forward and a backward pass, and the gradients of its parameters.
    fn passed(plan: Plan, level: Level) -> (Engine, Vec<f32>) {
        let mut parameters = vec![0.0; plan.slab_len()];
        for parameter in plan.parameters() {
            let places = parameter.kind.places();
            for (at, value) in places.iter().zip(numbers(places.len())) {
                let is_scale = matches!(parameter.kind, ParameterKind::Scale { .. });
                parameters[parameter.offset + at] = if is_scale { 1.5 + value } else { value };
            }
        }
        let op_weights = numbers(plan.op_weights());
        let mut gradients = vec![f32::NAN; plan.slab_len()];
        let (batch, doors) = (plan.batch(), *plan.doors());
        let mut engine = Engine::new(plan, level, 2).unwrap();
        let source = numbers(batch * doors.source.len());
        let pass = Pass {
            pixels: &source,
            parameters: &parameters,
            op_weights: &op_weights,
            regularisation: Regularisation::default(),
        };
        engine.forward(pass);
        let gradient = numbers(batch * doors.result.len());
        engine.backward(
            Pass {
                pixels: &gradient,
                ..pass
            },
            &mut gradients,
            Wanted::Both,
        );
        (engine, gradients)
    }

    fn assert_padding_is_zero(plan: &Plan, what: &str) {
        for level in Level::available() {
            let (engine, gradients) = passed(plan.clone(), level);
            let doors = plan.doors();
            for door in [doors.source, doors.result] {
                for place in [door.tensor.place, door.gradient] {
                    let at = plan.training.buffers[place.buffer];
                    assert_eq!(at.image, door.size.len());
                    let buffer = &engine.buffers.arena[at.offset..];
                    let tensor = &buffer[..plan.batch * door.size.len()];
                    for pixel in tensor.chunks(door.size.channels) {
                        let (values, padding) = pixel.split_at(door.channels);
                        assert!(
                            padding.iter().all(|v| *v == 0.0),
                            "{what} at {level}: {padding:?}"
                        );
                        assert!(values.iter().all(|v| v.is_finite()), "{what} at {level}");
                    }
                    assert!(tensor.iter().any(|v| *v != 0.0), "{what} at {level}");
                }
            }
            let mut is_value = vec![false; gradients.len()];
            for parameter in plan.parameters() {
                for at in parameter.kind.places() {
                    is_value[parameter.offset + at] = true;
                }
                let all = parameter.offset..parameter.offset + parameter.kind.slab_len();
                for at in all {
                    assert!(
                        is_value[at] || gradients[at] == 0.0,
                        "{} at {level}",
                        parameter.name
                    );
                }
            }
        }
    }

    #[test]
    fn padding_of_operations_stays_zero() {
        let operations = [
            CellOperation::MaxPool,
            CellOperation::AveragePool,
            CellOperation::Skip,
            CellOperation::Separable { kernel: 3 },
            CellOperation::Separable { kernel: 5 },
            CellOperation::Dilated { kernel: 3 },
            CellOperation::Dilated { kernel: 5 },
        ];
        for channels in [1, 3, 8, 12, 17] {
            for (stride, affine) in [(1, false), (1, true), (2, false), (2, true)] {
                let spec = OperationSpec {
                    shape: [3, channels, 5, 4],
                    stride,
                    affine,
                    normalise_pools: !affine,
                    operations: &operations,
                };
                let what = format!("{channels} channels, stride {stride}, affine {affine}");
                assert_padding_is_zero(&operation_plan(&spec), &what);
            }
        }
    }

    #[test]
    fn padding_of_cell_inputs_stays_zero() {
        for (channels, outputs) in [(1, 3), (12, 1), (7, 17), (8, 9)] {
            for (reduce, affine) in [(false, false), (false, true), (true, false), (true, true)] {
                let spec = CellInputSpec {
                    shape: [3, channels, 5, 4],
                    outputs,
                    reduce,
                    affine,
                };
                let what = format!("{channels} to {outputs}, reduce {reduce}, affine {affine}");
                assert_padding_is_zero(&cell_input_plan(&spec), &what);
            }
        }
    }
}
