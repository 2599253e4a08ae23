//! Operations behave in candle's graph like candle's own: any layout, any number of backward passes, any variables.

use asap_kernels::{Level, OperationConfig, apply_operation, mixed_operation};
use candle_core::{Tensor, Var};

use crate::case::{Case, OPERATIONS, SEPARABLE_3, Subject};
use crate::fast::{self, images, tensor, values};

/// A mixed op of everything that can go wrong, with its tensors.
struct Mixed {
    config: OperationConfig,
    case: Case,
    source: Tensor,
    parameters: Vec<Tensor>,
    op_weights: Tensor,
}

impl Mixed {
    fn new() -> Self {
        let config = OperationConfig {
            affine: true,
            threads: 2,
            ..OperationConfig::mixed(OPERATIONS.into(), 6)
        };
        let case = Case::new(Subject::Operations(config.clone()), [3, 5, 4], 4);
        let parameters = case
            .parameters
            .iter()
            .map(|(_, shape, values)| tensor(values, shape));
        Self {
            source: images(&case.source),
            parameters: parameters.collect(),
            op_weights: tensor(&case.op_weights, &[7]),
            config,
            case,
        }
    }

    fn apply(&self, source: &Tensor, parameters: &[Tensor], op_weights: &Tensor) -> Tensor {
        mixed_operation(source, parameters, op_weights, &self.config).unwrap()
    }

    fn loss(&self, result: &Tensor) -> Tensor {
        (result * images(&self.case.gradient))
            .unwrap()
            .sum_all()
            .unwrap()
    }

    fn expected(&self) -> crate::case::Computed {
        fast::computed(&self.case, Level::detect(), 2)
    }
}

fn variable(tensor: &Tensor) -> Var {
    Var::from_tensor(tensor).unwrap()
}

#[test]
fn tensors_need_not_be_contiguous() {
    let mixed = Mixed::new();
    // The same values, each laid out another way round.
    let turned = mixed.source.transpose(2, 3).unwrap().contiguous().unwrap();
    let source = variable(&turned);
    let kernels: Vec<Var> = mixed
        .parameters
        .iter()
        .map(|p| {
            variable(&if p.rank() == 4 {
                p.t().unwrap().contiguous().unwrap()
            } else {
                p.clone()
            })
        })
        .collect();
    let parameters: Vec<Tensor> = kernels
        .iter()
        .map(|p| {
            if p.rank() == 4 {
                p.t().unwrap()
            } else {
                p.as_tensor().clone()
            }
        })
        .collect();
    let twice = Tensor::stack(&[&mixed.op_weights, &mixed.op_weights], 1).unwrap();
    let op_weights = twice.narrow(1, 1, 1).unwrap().squeeze(1).unwrap();
    assert!(!op_weights.is_contiguous());
    let result = mixed.apply(&source.transpose(2, 3).unwrap(), &parameters, &op_weights);
    // A gradient that arrives turned as well.
    let gradient = images(&mixed.case.gradient)
        .transpose(2, 3)
        .unwrap()
        .contiguous()
        .unwrap();
    let loss = (result.transpose(2, 3).unwrap() * gradient)
        .unwrap()
        .sum_all()
        .unwrap();
    let gradients = loss.backward().unwrap();

    let expected = mixed.expected();
    assert_eq!(fast::from_images(&result), expected.result);
    let in_source = gradients.get(&source).unwrap().transpose(2, 3).unwrap();
    assert_eq!(fast::from_images(&in_source), expected.source);
    for (kernel, (name, expected)) in kernels.iter().zip(&expected.parameters) {
        let gradient = gradients.get(kernel).unwrap();
        let gradient = if kernel.rank() == 4 {
            gradient.t().unwrap()
        } else {
            gradient.clone()
        };
        assert_eq!(&values(&gradient), expected, "{name}");
    }
}

#[test]
fn a_second_backward_pass_finds_the_same_gradients() {
    let mixed = Mixed::new();
    let source = variable(&mixed.source);
    let parameters: Vec<Var> = mixed.parameters.iter().map(variable).collect();
    let tensors: Vec<Tensor> = parameters.iter().map(|p| p.as_tensor().clone()).collect();
    let op_weights = variable(&mixed.op_weights);
    let loss = mixed.loss(&mixed.apply(&source, &tensors, &op_weights));
    let first = loss.backward().unwrap();
    for _ in 0..2 {
        let again = loss.backward().unwrap();
        for variable in parameters.iter().chain([&source, &op_weights]) {
            let [first, again] = [&first, &again].map(|g| values(g.get(variable).unwrap()));
            assert_eq!(first, again);
        }
    }
}

#[test]
fn calls_do_not_disturb_one_another() {
    let mixed = Mixed::new();
    let source = variable(&mixed.source);
    let first = mixed.apply(&source, &mixed.parameters, &mixed.op_weights);
    let other = (source.as_tensor() * 3.0).unwrap();
    let second = mixed.apply(&other, &mixed.parameters, &mixed.op_weights);
    // Never taken back: nothing stays behind.
    drop(mixed.apply(&second, &mixed.parameters, &mixed.op_weights));
    let expected = values(
        mixed
            .loss(&second)
            .backward()
            .unwrap()
            .get(&source)
            .unwrap(),
    );
    let alone = mixed.loss(&first).backward().unwrap();
    assert_eq!(
        fast::from_images(alone.get(&source).unwrap()),
        mixed.expected().source
    );
    let again = mixed.apply(&other, &mixed.parameters, &mixed.op_weights);
    let gradients = mixed.loss(&again).backward().unwrap();
    assert_eq!(values(gradients.get(&source).unwrap()), expected);
}

#[test]
fn gradients_do_not_depend_on_which_others_are_asked_for() {
    let mixed = Mixed::new();
    let expected = mixed.expected();
    let (parameters, op_weights) = (&mixed.parameters, &mixed.op_weights);

    let source = variable(&mixed.source);
    let result = mixed.apply(&source, parameters, op_weights);
    let gradients = mixed.loss(&result).backward().unwrap();
    assert_eq!(
        fast::from_images(gradients.get(&source).unwrap()),
        expected.source
    );

    let weights = variable(op_weights);
    let result = mixed.apply(&mixed.source, parameters, &weights);
    let gradients = mixed.loss(&result).backward().unwrap();
    assert_eq!(
        values(gradients.get(&weights).unwrap()),
        expected.op_weights
    );

    for (i, (name, expected)) in expected.parameters.iter().enumerate() {
        let one = variable(&parameters[i]);
        let mut parameters = parameters.clone();
        parameters[i] = one.as_tensor().clone();
        let result = mixed.apply(&mixed.source, &parameters, op_weights);
        let gradients = mixed.loss(&result).backward().unwrap();
        assert_eq!(&values(gradients.get(&one).unwrap()), expected, "{name}");
    }
}

/// What an optimizer changes between the two passes does not reach what the forward pass has left.
#[test]
fn a_variable_set_in_between_leaves_the_gradient_alone() {
    let config = OperationConfig::new(SEPARABLE_3, 5);
    let case = Case::new(Subject::Operations(config.clone()), [3, 5, 4], 6);
    let parameters: Vec<Var> = case
        .parameters
        .iter()
        .map(|(_, shape, v)| variable(&tensor(v, shape)))
        .collect();
    let tensors: Vec<Tensor> = parameters.iter().map(|p| p.as_tensor().clone()).collect();
    let source = variable(&images(&case.source));
    let loss = || {
        let result = apply_operation(&source, &tensors, &config).unwrap();
        (result * images(&case.gradient))
            .unwrap()
            .sum_all()
            .unwrap()
    };
    let expected = loss().backward().unwrap();
    let pending = loss();
    parameters[0]
        .set(&tensor(&[0.5; 45], &[5, 1, 3, 3]))
        .unwrap();
    let found = pending.backward().unwrap();
    let [expected, found] = [&expected, &found].map(|g| values(g.get(&source).unwrap()));
    assert_eq!(found, expected);
}
