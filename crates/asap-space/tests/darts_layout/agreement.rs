//! Logits of evaluation, loss of a training pass, every gradient.

use std::collections::BTreeMap;

use asap_space::{DartsLayout, Form, StemForm, Wanted, darts_alpha_gradients};

use super::golden::{Golden, derived, search};

/// Largest difference of logits.
const LOGITS: f32 = 1e-4;
/// Largest difference of losses and gradients, as a share.
const SHARE: f32 = 1e-3;

#[test]
fn asap_agrees_with_pytorch() {
    let golden = Golden::read("asap");
    assert_agrees(&golden, &derived(&golden, "ASAP"));
}

#[test]
fn darts_v2_on_grey_images_agrees_with_pytorch() {
    let golden = Golden::read("darts_v2");
    let layout = derived(&golden, "DARTS_V2");
    assert_eq!(
        (layout.config().image_channels, layout.config().classes),
        (1, 5)
    );
    assert_agrees(&golden, &layout);
}

#[test]
fn xnas_with_an_auxiliary_head_agrees_with_pytorch() {
    let golden = Golden::read("xnas");
    let layout = derived(&golden, "XNAS");
    assert!(layout.config().auxiliary);
    assert_agrees(&golden, &layout);
}

#[test]
fn the_imagenet_form_agrees_with_pytorch() {
    let golden = Golden::read("imagenet");
    let layout = derived(&golden, "ASAP");
    assert_eq!(
        (layout.config().stem, layout.config().channels),
        (StemForm::ImageNet, 4)
    );
    assert_agrees(&golden, &layout);
}

#[test]
fn the_search_network_agrees_with_pytorch_whatever_its_running_statistics() {
    let golden = Golden::read("search");
    let layout = search(&golden);
    // The running statistics are random: those of one pool of one node differ from edge to edge.
    assert_eq!(layout.config().form, Form::SearchByEdge);
    assert_agrees(&golden, &layout);
}

fn assert_agrees(golden: &Golden, layout: &DartsLayout) {
    let mut network = golden.network(layout);
    let (pixels, op_weights) = (golden.pixels(), golden.op_weights(&network));
    let logits = network.logits(&pixels, &op_weights).unwrap();
    for (found, expected) in logits.iter().zip(golden.values("logits")) {
        assert!((found - expected).abs() <= LOGITS, "{found} {expected}");
    }
    let wanted = Wanted::Both;
    let outcome = network
        .step(golden.batch(&pixels), &op_weights, wanted)
        .unwrap();
    let loss = golden.values("loss")[0];
    assert!(
        (outcome.loss as f32 - loss).abs() <= SHARE * loss,
        "{} {loss}",
        outcome.loss
    );

    let gradients = layout.state_dict(&network.slab_tensors(&network.gradients().unwrap()));
    let mut found: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    for tensor in &gradients {
        found.insert(&tensor.name, tensor.values.clone());
    }
    let alphas = darts_alpha_gradients(&op_weights, &network.op_weight_gradients().unwrap());
    if golden
        .group("gradient")
        .any(|(key, _)| key == "alphas_normal")
    {
        for (key, alphas) in ["alphas_normal", "alphas_reduce"].into_iter().zip(&alphas) {
            found.insert(key, alphas.as_flattened().to_vec());
        }
    }
    // Of gradients that are zero but for rounding, only that they are so is to be seen.
    let all = golden.group("gradient").flat_map(|(_, values)| values);
    let rounding = 1e-6 * all.map(|value| value.abs()).fold(0.0, f32::max);
    for (key, expected) in golden.group("gradient") {
        let found = found.remove(key).unwrap();
        assert_eq!(found.len(), expected.len(), "{key}");
        let norm =
            |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
        let differences = found.iter().zip(expected).map(|(a, b)| a - b);
        let difference = norm(&mut differences.into_iter());
        let expected = norm(&mut expected.iter().copied());
        assert!(
            difference <= SHARE * expected + rounding,
            "{key}: {difference} of {expected}"
        );
    }
    for (key, expected) in golden.group("sampled") {
        let found = found.remove(key).unwrap();
        let largest = expected.iter().map(|v| v.abs()).fold(0.0, f32::max);
        for (found, expected) in found.iter().step_by(1009).zip(expected) {
            assert!(
                (found - expected).abs() <= SHARE * largest,
                "{key}: {found} {expected}"
            );
        }
    }
    assert!(found.is_empty(), "PyTorch has no gradient of {found:?}");
}
