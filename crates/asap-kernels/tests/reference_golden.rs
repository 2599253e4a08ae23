//! The reference forms compute what PyTorch computes: values and every gradient.
//!
//! The golden values and their origin are in `tests/golden`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod golden_values;

use asap_kernels::reference::{
    Chain, FactorisedReduce, Preprocess, Statistics, average_pool, average_pool_backward,
    batch_norm, batch_norm_backward, chain, chain_backward, cross_entropy, dense, dense_backward,
    depthwise, depthwise_backward, drop_path, drop_path_backward, factorised_reduce,
    factorised_reduce_backward, global_average_pool, global_average_pool_backward, linear,
    linear_backward, max_pool, max_pool_backward, normalise, pointwise, pointwise_backward,
    preprocess, preprocess_backward, relu, relu_backward, smoothed_cross_entropy, statistics,
    unpadded_average_pool, unpadded_average_pool_backward, update_running, weighted_sum,
    weighted_sum_backward,
};
use golden_values::{Case, Golden, borrowed};

#[test]
fn relu_agrees() {
    for case in Golden::of("relu").cases() {
        let input = case.images("input");
        case.assert_images_agree("output", &relu(&input));
        let gradient = relu_backward(&input, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradient);
    }
}

#[test]
fn depthwise_agrees() {
    for case in Golden::of("depthwise").cases() {
        let (input, weights, window) =
            (case.images("input"), case.values("weights"), case.window());
        case.assert_images_agree("output", &depthwise(&input, &weights, window));
        let gradients = depthwise_backward(&input, &weights, window, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradients.input);
        case.assert_agrees("weights.gradient", &gradients.weights);
    }
}

#[test]
fn pointwise_agrees() {
    for case in Golden::of("pointwise").cases() {
        let (input, weights) = (case.images("input"), case.values("weights"));
        case.assert_images_agree("output", &pointwise(&input, &weights));
        let gradients = pointwise_backward(&input, &weights, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradients.input);
        case.assert_agrees("weights.gradient", &gradients.weights);
    }
}

#[test]
fn dense_agrees() {
    for case in Golden::of("dense").cases() {
        let (input, weights, window) =
            (case.images("input"), case.values("weights"), case.window());
        case.assert_images_agree("output", &dense(&input, &weights, window));
        let gradients = dense_backward(&input, &weights, window, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradients.input);
        case.assert_agrees("weights.gradient", &gradients.weights);
    }
}

#[test]
fn dense_agrees_with_a_stride_and_with_two_taps() {
    for case in Golden::of("strided_dense").cases() {
        let (input, weights, window) =
            (case.images("input"), case.values("weights"), case.window());
        case.assert_images_agree("output", &dense(&input, &weights, window));
        let gradients = dense_backward(&input, &weights, window, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradients.input);
        case.assert_agrees("weights.gradient", &gradients.weights);
    }
}

#[test]
fn batch_norm_agrees_in_training_and_in_evaluation() {
    for case in Golden::of("batch_norm").cases() {
        let (input, affine) = (case.images("input"), case.affine());
        case.assert_images_agree("output", &batch_norm(&input, borrowed(&affine)));
        let gradients = batch_norm_backward(&input, borrowed(&affine), &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradients.input);
        assert_affine_agrees(&case, &gradients.scale, &gradients.shift);

        let mut running = Statistics::initial(input.c);
        let batch = statistics(&input);
        for _ in 0..2 {
            update_running(&mut running, &batch, input.n * input.h * input.w);
        }
        case.assert_agrees("running_mean", &running.mean);
        case.assert_agrees("running_variance", &running.variance);
        let evaluated = normalise(&input, &running, borrowed(&affine));
        case.assert_images_agree("evaluated", &evaluated);
    }
}

#[test]
fn max_pool_agrees_with_ties_too() {
    for case in Golden::of("max_pool").cases() {
        let (input, stride) = (case.images("input"), case.number('s'));
        case.assert_images_agree("output", &max_pool(&input, stride));
        let gradient = max_pool_backward(&input, stride, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradient);
    }
}

#[test]
fn average_pool_agrees() {
    for case in Golden::of("average_pool").cases() {
        let (input, stride) = (case.images("input"), case.number('s'));
        case.assert_images_agree("output", &average_pool(&input, stride));
        let gradient = average_pool_backward(input.shape(), stride, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradient);
    }
}

#[test]
fn unpadded_average_pool_agrees() {
    for case in Golden::of("unpadded_average_pool").cases() {
        let (input, stride) = (case.images("input"), case.number('s'));
        case.assert_images_agree("output", &unpadded_average_pool(&input, stride));
        let gradient =
            unpadded_average_pool_backward(input.shape(), stride, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradient);
    }
}

#[test]
fn drop_path_agrees() {
    for case in Golden::of("drop_path").cases() {
        let (input, scales) = (case.images("input"), case.values("scales"));
        case.assert_images_agree("output", &drop_path(&input, &scales));
        let gradient = drop_path_backward(&scales, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradient);
    }
}

#[test]
fn factorised_reduce_agrees() {
    for case in Golden::of("factorised_reduce").cases() {
        let (input, affine) = (case.images("input"), case.affine());
        let (even, shifted) = (case.values("even"), case.values("shifted"));
        let weights = FactorisedReduce {
            even: &even,
            shifted: &shifted,
            affine: borrowed(&affine),
        };
        case.assert_images_agree("output", &factorised_reduce(&input, weights));
        let gradients = factorised_reduce_backward(&input, weights, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradients.input);
        case.assert_agrees("even.gradient", &gradients.even);
        case.assert_agrees("shifted.gradient", &gradients.shifted);
        assert_affine_agrees(&case, &gradients.scale, &gradients.shift);
    }
}

#[test]
fn preprocess_agrees() {
    for case in Golden::of("preprocess").cases() {
        let (input, affine) = (case.images("input"), case.affine());
        let pointwise = case.values("pointwise");
        let weights = Preprocess {
            pointwise: &pointwise,
            affine: borrowed(&affine),
        };
        case.assert_images_agree("output", &preprocess(&input, weights));
        let gradients = preprocess_backward(&input, weights, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradients.input);
        case.assert_agrees("pointwise.gradient", &gradients.pointwise);
        assert_affine_agrees(&case, &gradients.scale, &gradients.shift);
    }
}

#[test]
fn chain_agrees() {
    for case in Golden::of("chain").cases() {
        let (input, affine) = (case.images("input"), case.affine());
        let (depthwise, pointwise) = (case.values("depthwise"), case.values("pointwise"));
        let weights = Chain {
            depthwise: &depthwise,
            pointwise: &pointwise,
            window: case.window(),
            affine: borrowed(&affine),
        };
        case.assert_images_agree("output", &chain(&input, weights));
        let gradients = chain_backward(&input, weights, &case.images("gradient"));
        case.assert_images_agree("input.gradient", &gradients.input);
        case.assert_agrees("depthwise.gradient", &gradients.depthwise);
        case.assert_agrees("pointwise.gradient", &gradients.pointwise);
        assert_affine_agrees(&case, &gradients.scale, &gradients.shift);
    }
}

#[test]
fn weighted_sum_agrees() {
    for case in Golden::of("weighted_sum").cases() {
        let inputs = ["input0", "input1", "input2"].map(|name| case.images(name));
        let (inputs, weights) = (inputs.each_ref(), case.values("weights"));
        case.assert_images_agree("output", &weighted_sum(&inputs, &weights));
        let (in_inputs, in_weights) =
            weighted_sum_backward(&inputs, &weights, &case.images("gradient"));
        for (i, gradient) in in_inputs.iter().enumerate() {
            case.assert_images_agree(&format!("input{i}.gradient"), gradient);
        }
        case.assert_agrees("weights.gradient", &in_weights);
    }
}

#[test]
fn head_agrees() {
    for case in Golden::of("head").cases() {
        let (input, weights, bias) = (
            case.images("input"),
            case.values("weights"),
            case.values("bias"),
        );
        let features = global_average_pool(&input);
        let logits = linear(&features, &weights, &bias);
        case.assert_agrees("logits", &logits.values);
        let entropy = cross_entropy(&logits, &case.labels());
        case.assert_agrees("output", &[entropy.loss]);

        let outgoing = case.values("gradient")[0];
        let gradient = entropy.gradient.map(|value| outgoing * value);
        let gradients = linear_backward(&features, &weights, &gradient);
        case.assert_agrees("weights.gradient", &gradients.weights);
        case.assert_agrees("bias.gradient", &gradients.bias);
        let in_input = global_average_pool_backward(input.shape(), &gradients.input);
        case.assert_images_agree("input.gradient", &in_input);
    }
}

#[test]
fn smoothed_labels_agree() {
    for case in Golden::of("smoothed_head").cases() {
        let (input, weights) = (case.images("input"), case.values("weights"));
        let smoothing = case.number('p') as f64 / 100.0;
        let features = global_average_pool(&input);
        let logits = pointwise(&features, &weights);
        case.assert_agrees("logits", &logits.values);
        let entropy = smoothed_cross_entropy(&logits, &case.labels(), smoothing);
        case.assert_agrees("output", &[entropy.loss]);

        let outgoing = case.values("gradient")[0];
        let gradient = entropy.gradient.map(|value| outgoing * value);
        let gradients = pointwise_backward(&features, &weights, &gradient);
        case.assert_agrees("weights.gradient", &gradients.weights);
        let in_input = global_average_pool_backward(input.shape(), &gradients.input);
        case.assert_images_agree("input.gradient", &in_input);
    }
}

fn assert_affine_agrees(case: &Case<'_>, scale: &[f64], shift: &[f64]) {
    assert_eq!(case.has("scale"), case.name().starts_with("affine"));
    if case.has("scale") {
        case.assert_agrees("scale.gradient", scale);
        case.assert_agrees("shift.gradient", shift);
    }
}
