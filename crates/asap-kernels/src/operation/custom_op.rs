//! An engine behind candle's autograd: source, packed parameters and op weights in, result out, and back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use crate::error::Error;
use crate::plan::Plan;
use crate::regularisation::Regularisation;
use crate::run::{Engine, Pass, Wanted};
use crate::table::Level;

/// One call of an operation.
pub(super) struct EngineOp {
    name: &'static str,
    /// For every packed parameter value, its place in the slab.
    places: Vec<usize>,
    /// `[N, C, H, W]`.
    result: [usize; 4],
    state: Mutex<State>,
}

struct State {
    engine: Engine,
    /// Of the last forward pass.
    parameters: Vec<f32>,
    op_weights: Vec<f32>,
    /// Whether the engine holds what a forward pass left: a backward pass uses that up.
    ready: bool,
}

impl State {
    fn forward(&mut self, source: &[f32]) -> &[f32] {
        self.ready = true;
        let (parameters, op_weights) = (&self.parameters, &self.op_weights);
        self.engine.forward(Pass {
            pixels: source,
            parameters,
            op_weights,
            regularisation: Regularisation::default(),
        })
    }
}

impl EngineOp {
    /// Buffers and threads for a plan with doors.
    pub(super) fn new(
        name: &'static str,
        plan: Plan,
        level: Level,
        threads: usize,
    ) -> std::result::Result<Self, Error> {
        let parameters = plan.parameters().iter();
        let places = parameters.flat_map(|p| p.kind.places().into_iter().map(|at| p.offset + at));
        let places = places.collect();
        let door = plan.doors().result;
        let result = [
            plan.batch(),
            door.channels,
            door.size.height,
            door.size.width,
        ];
        let state = State {
            parameters: vec![0.0; plan.slab_len()],
            op_weights: vec![0.0; plan.op_weights()],
            engine: Engine::new(plan, level, threads)?,
            ready: false,
        };
        Ok(Self {
            name,
            places,
            result,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over parameters and op weights, and returns the result.
    fn forward(
        &self,
        state: &mut State,
        source: &[f32],
        packed: &[f32],
        op_weights: &[f32],
    ) -> Vec<f32> {
        for (&place, &value) in self.places.iter().zip(packed) {
            state.parameters[place] = value;
        }
        // A cell input has none.
        let len = state.op_weights.len();
        state.op_weights.copy_from_slice(&op_weights[..len]);
        state.forward(source).to_vec()
    }
}

impl CustomOp3 for EngineOp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        source: &CpuStorage,
        source_layout: &Layout,
        packed: &CpuStorage,
        packed_layout: &Layout,
        op_weights: &CpuStorage,
        op_weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let source = values(source, source_layout)?;
        let packed = values(packed, packed_layout)?;
        let op_weights = values(op_weights, op_weights_layout)?;
        let result = self.forward(&mut self.state(), source, packed, op_weights);
        Ok((CpuStorage::F32(result), Shape::from(&self.result)))
    }

    fn bwd(
        &self,
        source: &Tensor,
        packed: &Tensor,
        op_weights: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut state = self.state();
        if !state.ready {
            let (source, packed, op_weights) =
                (copied(source)?, copied(packed)?, copied(op_weights)?);
            self.forward(&mut state, &source, &packed, &op_weights);
        }
        state.ready = false;

        let wanted = match (packed.track_op(), op_weights.track_op()) {
            (true, true) => Wanted::Both,
            (true, false) => Wanted::Weights,
            (false, _) => Wanted::OpWeights,
        };
        let gradient = copied(gradient)?;
        let State {
            engine,
            parameters,
            op_weights: weights,
            ..
        } = &mut *state;
        let pass = Pass {
            pixels: &gradient,
            parameters,
            op_weights: weights,
            regularisation: Regularisation::default(),
        };
        let mut slab = vec![0.0; pass.parameters.len()];
        let in_source = engine.backward(pass, &mut slab, wanted);
        let device = source.device();
        let in_source = Tensor::from_slice(in_source, source.shape(), device)?;
        let in_packed = if packed.track_op() {
            let values: Vec<f32> = self.places.iter().map(|&place| slab[place]).collect();
            Some(Tensor::from_vec(values, packed.shape(), device)?)
        } else {
            None
        };
        let in_op_weights = if op_weights.track_op() {
            let values = engine
                .op_weight_gradients()
                .iter()
                .map(|&g| g as f32)
                .collect();
            Some(Tensor::from_vec::<_, f32>(
                values,
                op_weights.shape(),
                device,
            )?)
        } else {
            None
        };
        Ok((Some(in_source), in_packed, in_op_weights))
    }
}

/// The values of a contiguous tensor.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => candle_core::bail!("an operation takes contiguous tensors"),
    }
}

fn copied(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}
