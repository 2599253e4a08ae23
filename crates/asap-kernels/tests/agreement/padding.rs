//! Channels that only fill a vector stay exactly zero in the gradients of a network's step, so that no optimizer can
//! ever move them.

use asap_kernels::{
    AuxiliaryForm, CellSpec, Connection, Engine, Level, ParameterKind, Pass, Plan, PlanBuilder,
    Regularisation, Wanted, padded,
};

use crate::case::OPERATIONS;
use crate::random::Random;

/// The smallest images that leave the auxiliary head what it reads, and odd ones.
fn image(form: AuxiliaryForm) -> [usize; 3] {
    match form {
        AuxiliaryForm::Cifar => [15, 17, 3],
        AuxiliaryForm::ImageNet => [97, 99, 3],
    }
}

/// A normal, a reduction and a normal cell with every operation on every edge; no number of channels is a multiple of 8. An auxiliary
/// head reads the last one.
fn plan(channels: usize, batch: usize, form: AuxiliaryForm) -> Plan {
    let edges = (2..6).flat_map(|to| (0..to).map(move |from| (from, to)));
    let connections: Vec<Connection> = edges
        .flat_map(|edge| OPERATIONS.map(|operation| (edge, operation)))
        .enumerate()
        .map(|(weight, ((from, to), operation))| Connection {
            from,
            to,
            operation,
            weight,
        })
        .collect();
    let (image, op_weights) = (image(form), connections.len());
    let mut builder = match form {
        AuxiliaryForm::Cifar => PlanBuilder::new(batch, op_weights, image, 3 * channels),
        AuxiliaryForm::ImageNet => PlanBuilder::with_image_stem(batch, op_weights, image, channels),
    };
    for (index, (stride, reduce_first_input)) in
        [(1, form == AuxiliaryForm::ImageNet), (2, false), (1, true)]
            .into_iter()
            .enumerate()
    {
        builder.cell(&CellSpec {
            name: format!("cells.{index}"),
            channels,
            stride,
            reduce_first_input,
            affine: true,
            normalise_pools: true,
            connections: &connections,
        });
    }
    builder.auxiliary(form);
    builder.finish(3)
}

#[test]
fn padding_stays_zero_in_gradients_and_statistics() {
    let (batch, labels) = (4, [0, 2, 1, 1]);
    let (cifar, image_net) = (AuxiliaryForm::Cifar, AuxiliaryForm::ImageNet);
    for (channels, form) in [(3, cifar), (9, cifar), (5, image_net)] {
        let plan = plan(channels, batch, form);
        let mut random = Random::new(7);
        let mut parameters = vec![0.0; plan.slab_len()];
        let mut is_value = vec![false; plan.slab_len()];
        for parameter in plan.parameters() {
            for at in parameter.kind.places() {
                let base = if matches!(parameter.kind, ParameterKind::Scale { .. }) {
                    1.0
                } else {
                    0.0
                };
                parameters[parameter.offset + at] = (base + random.value(0.4)) as f32;
                is_value[parameter.offset + at] = true;
            }
        }
        let pixels: Vec<f32> = random
            .values(batch * image(form).iter().product::<usize>(), 1.0)
            .iter()
            .map(|&v| v as f32)
            .collect();
        let op_weights = vec![0.15; plan.op_weights()];
        for level in Level::available() {
            let mut engine = Engine::new(plan.clone(), level, 3).unwrap();
            let mut statistics = vec![0.0; plan.statistics_len()];
            let mut gradients = vec![f32::NAN; plan.slab_len()];
            let pass = Pass {
                pixels: &pixels,
                parameters: &parameters,
                op_weights: &op_weights,
                regularisation: Regularisation::default(),
            };
            engine
                .step(pass, &labels, &mut statistics, &mut gradients, Wanted::Both)
                .unwrap();
            for parameter in plan.parameters() {
                for at in parameter.offset..parameter.offset + parameter.kind.slab_len() {
                    assert!(
                        is_value[at] || gradients[at] == 0.0,
                        "{} at {level}",
                        parameter.name
                    );
                }
            }
            for norm in plan.statistics() {
                let width = padded(norm.channels);
                for vector in statistics[norm.offset..][..2 * width].chunks(width) {
                    assert!(
                        vector[..norm.channels].iter().any(|v| *v != 0.0),
                        "{}",
                        norm.name
                    );
                    assert!(
                        vector[norm.channels..].iter().all(|v| *v == 0.0),
                        "{}",
                        norm.name
                    );
                }
            }
        }
    }
}
