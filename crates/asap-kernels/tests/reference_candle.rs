//! The reference forms compute what the same equations written in candle's own operations compute, values and gradients:
//! a second leg beside the golden values of PyTorch. candle differentiates by itself, so nothing here knows of a
//! backward pass.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use asap_kernels::reference::{
    Affine, Chain, FactorisedReduce, Preprocess, Tensor4, Window, average_pool,
    average_pool_backward, batch_norm, batch_norm_backward, chain, chain_backward, cross_entropy,
    dense, dense_backward, depthwise, depthwise_backward, factorised_reduce,
    factorised_reduce_backward, global_average_pool, linear, linear_backward, max_pool,
    max_pool_backward, pointwise, pointwise_backward, preprocess, preprocess_backward, relu,
    relu_backward, weighted_sum, weighted_sum_backward,
};
use candle_core::{Device, Tensor, Var};

/// Odd and oblong sizes, fewer channels than images and more.
const SHAPES: [[usize; 4]; 4] = [[2, 5, 7, 3], [1, 6, 4, 5], [3, 2, 3, 2], [2, 9, 3, 1]];

/// Numbers without an order between -1 and 1, none of them 0 and no two of them equal in a tensor.
fn numbers(count: usize, seed: usize) -> Vec<f64> {
    let number =
        |i: usize| ((i + 1) as f64 * 0.754_877_666_246_69 + seed as f64 * 0.569_84).fract();
    (0..count).map(|i| 2.0 * number(i) - 1.0).collect()
}

fn images(shape: [usize; 4], seed: usize) -> Tensor4 {
    Tensor4::new(shape, numbers(shape.iter().product(), seed))
}

fn variable(values: &[f64], shape: &[usize]) -> Var {
    Var::from_tensor(&Tensor::from_slice(values, shape, &Device::Cpu).unwrap()).unwrap()
}

/// `[N, H, W, C]` as a variable `[N, C, H, W]`.
fn image_variable(images: &Tensor4) -> Var {
    let tensor = Tensor::from_slice(&images.values, &images.shape(), &Device::Cpu).unwrap();
    Var::from_tensor(&tensor.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()).unwrap()
}

/// The values of `[N, C, H, W]` in the order `[N, H, W, C]`, of anything else as they lie.
fn values(tensor: &Tensor) -> Vec<f64> {
    let tensor = if tensor.rank() == 4 {
        tensor.permute((0, 2, 3, 1)).unwrap()
    } else {
        tensor.clone()
    };
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Both are sums of at most some hundred f64 products of numbers near 1, in another order.
fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let tolerance = 1e-10 * (1.0 + expected.abs());
        assert!(
            (found - expected).abs() <= tolerance,
            "{what}[{i}]: {found}, candle has {expected}"
        );
    }
}

/// Holds a value and the gradients for a gradient of the value.
fn assert_agrees(
    found: &Tensor4,
    expected: &Tensor,
    gradient: &Tensor4,
    gradients: &[(&Var, &[f64])],
) {
    assert_close("value", &found.values, &values(expected));
    let loss = (expected * image_variable(gradient).as_tensor())
        .unwrap()
        .sum_all()
        .unwrap();
    let by_candle = loss.backward().unwrap();
    for (i, (variable, gradient)) in gradients.iter().enumerate() {
        let expected = by_candle.get(variable).unwrap();
        // Kernels lie in the same order on both sides.
        let expected = if i == 0 {
            values(expected)
        } else {
            expected.flatten_all().unwrap().to_vec1().unwrap()
        };
        assert_close(&format!("gradient {i}"), gradient, &expected);
    }
}

fn normalised(y: &Tensor, affine: Option<(&Var, &Var)>) -> Tensor {
    let mean = y.mean_keepdim((0, 2, 3)).unwrap();
    let centred = y.broadcast_sub(&mean).unwrap();
    let variance = centred.sqr().unwrap().mean_keepdim((0, 2, 3)).unwrap();
    let z = centred
        .broadcast_div(&(variance + 1e-5).unwrap().sqrt().unwrap())
        .unwrap();
    let Some((scale, shift)) = affine else {
        return z;
    };
    let [scale, shift] = [scale, shift].map(|v| v.reshape((1, (), 1, 1)).unwrap());
    z.broadcast_mul(&scale)
        .unwrap()
        .broadcast_add(&shift)
        .unwrap()
}

/// Every `stride`-th of `count` rows (dimension 2) or columns (3) from `first` on.
fn every(x: &Tensor, dimension: usize, first: usize, stride: usize, count: usize) -> Tensor {
    let at: Vec<u32> = (0..count).map(|i| (first + i * stride) as u32).collect();
    let at = Tensor::from_vec(at, count, &Device::Cpu).unwrap();
    x.contiguous()
        .unwrap()
        .index_select(&at, dimension)
        .unwrap()
}

/// The convolution of every channel for itself. candle cannot differentiate a convolution with stride 2 of an even size, so
/// every second pixel is taken of one with stride 1.
fn filtered(x: &Tensor, kernel: &Tensor, window: Window) -> Tensor {
    let (_, c, h, w) = x.dims4().unwrap();
    let Window {
        dilation, stride, ..
    } = window;
    let all = x.conv2d(kernel, window.padding(), 1, dilation, c).unwrap();
    every(
        &every(&all, 2, 0, stride, h.div_ceil(stride)),
        3,
        0,
        stride,
        w.div_ceil(stride),
    )
}

/// The nine taps of every output pixel of a 3 x 3 window with a rim of zeros.
fn taps(x: &Tensor, stride: usize) -> Vec<Tensor> {
    let (_, _, h, w) = x.dims4().unwrap();
    let x = x
        .pad_with_zeros(2, 1, 1)
        .unwrap()
        .pad_with_zeros(3, 1, 1)
        .unwrap();
    let tap = |tap: usize| {
        let rows = every(&x, 2, tap / 3, stride, h.div_ceil(stride));
        every(&rows, 3, tap % 3, stride, w.div_ceil(stride))
    };
    (0..9).map(tap).collect()
}

#[test]
fn relu_agrees() {
    for shape in SHAPES {
        let (x, g) = (images(shape, 1), images(shape, 2));
        let variable = image_variable(&x);
        let gradient = relu_backward(&x, &g);
        assert_agrees(
            &relu(&x),
            &variable.relu().unwrap(),
            &g,
            &[(&variable, &gradient.values)],
        );
    }
}

#[test]
fn depthwise_agrees() {
    for shape @ [.., c] in SHAPES {
        for (kernel, dilation, stride) in [
            (3, 1, 1),
            (3, 1, 2),
            (5, 1, 1),
            (5, 1, 2),
            (3, 2, 1),
            (3, 2, 2),
            (5, 2, 1),
            (5, 2, 2),
        ] {
            let window = Window {
                kernel,
                dilation,
                stride,
            };
            let (x, weights) = (images(shape, 1), numbers(c * kernel * kernel, 2));
            let found = depthwise(&x, &weights, window);
            let g = images(found.shape(), 3);
            let (source, k) = (
                image_variable(&x),
                variable(&weights, &[c, 1, kernel, kernel]),
            );
            let expected = filtered(&source, &k, window);
            let gradients = depthwise_backward(&x, &weights, window, &g);
            let gradients = [
                (&source, &gradients.input.values[..]),
                (&k, &gradients.weights),
            ];
            assert_agrees(&found, &expected, &g, &gradients);
        }
    }
}

#[test]
fn pointwise_agrees() {
    for shape @ [.., c] in SHAPES {
        let (x, weights) = (images(shape, 1), numbers(4 * c, 2));
        let found = pointwise(&x, &weights);
        let g = images(found.shape(), 3);
        let (source, k) = (image_variable(&x), variable(&weights, &[4, c, 1, 1]));
        let expected = source.conv2d(&k, 0, 1, 1, 1).unwrap();
        let gradients = pointwise_backward(&x, &weights, &g);
        let gradients = [
            (&source, &gradients.input.values[..]),
            (&k, &gradients.weights),
        ];
        assert_agrees(&found, &expected, &g, &gradients);
    }
}

#[test]
fn dense_agrees() {
    for shape @ [.., c] in SHAPES {
        let window = Window {
            kernel: 3,
            dilation: 1,
            stride: 1,
        };
        let (x, weights) = (images(shape, 1), numbers(4 * c * 9, 2));
        let found = dense(&x, &weights, window);
        let g = images(found.shape(), 3);
        let (source, k) = (image_variable(&x), variable(&weights, &[4, c, 3, 3]));
        let expected = source.conv2d(&k, 1, 1, 1, 1).unwrap();
        let gradients = dense_backward(&x, &weights, window, &g);
        let gradients = [
            (&source, &gradients.input.values[..]),
            (&k, &gradients.weights),
        ];
        assert_agrees(&found, &expected, &g, &gradients);
    }
}

#[test]
fn batch_norm_agrees() {
    for shape @ [.., c] in SHAPES {
        let (x, g) = (images(shape, 1), images(shape, 2));
        let (scale, shift) = (numbers(c, 3), numbers(c, 4));
        let variables = [
            image_variable(&x),
            variable(&scale, &[c]),
            variable(&shift, &[c]),
        ];
        let [source, k, b] = &variables;

        let gradients = batch_norm_backward(&x, None, &g);
        let expected = normalised(source, None);
        let gradients = [(source, &gradients.input.values[..])];
        assert_agrees(&batch_norm(&x, None), &expected, &g, &gradients);

        let affine = Some(Affine {
            scale: &scale,
            shift: &shift,
        });
        let gradients = batch_norm_backward(&x, affine, &g);
        let expected = normalised(source, Some((k, b)));
        let gradients = [
            (source, &gradients.input.values[..]),
            (k, &gradients.scale),
            (b, &gradients.shift),
        ];
        assert_agrees(&batch_norm(&x, affine), &expected, &g, &gradients);
    }
}

#[test]
fn max_pool_agrees() {
    for shape in SHAPES {
        for stride in [1, 2] {
            let x = images(shape, 1);
            let found = max_pool(&x, stride);
            let g = images(found.shape(), 2);
            let source = image_variable(&x);
            // Raised above the zeros of the rim and lowered again.
            let taps = taps(&(source.as_tensor() + 2.0).unwrap(), stride);
            let expected = (Tensor::stack(&taps, 0).unwrap().max(0).unwrap() - 2.0).unwrap();
            let gradient = max_pool_backward(&x, stride, &g);
            assert_agrees(&found, &expected, &g, &[(&source, &gradient.values)]);
        }
    }
}

#[test]
fn average_pool_agrees() {
    for shape in SHAPES {
        for stride in [1, 2] {
            let x = images(shape, 1);
            let found = average_pool(&x, stride);
            let g = images(found.shape(), 2);
            let source = image_variable(&x);
            let sum = |x: &Tensor| Tensor::stack(&taps(x, stride), 0).unwrap().sum(0).unwrap();
            let count = sum(&source.ones_like().unwrap());
            let expected = (sum(&source) / count).unwrap();
            let gradient = average_pool_backward(x.shape(), stride, &g);
            assert_agrees(&found, &expected, &g, &[(&source, &gradient.values)]);
        }
    }
}

#[test]
fn chain_agrees() {
    for shape @ [.., c] in SHAPES {
        for (kernel, dilation, stride) in [(3, 1, 2), (5, 2, 1)] {
            let window = Window {
                kernel,
                dilation,
                stride,
            };
            let x = images(shape, 1);
            let (dw, pw) = (numbers(c * kernel * kernel, 2), numbers(c * c, 3));
            let (scale, shift) = (numbers(c, 4), numbers(c, 5));
            let weights = Chain {
                depthwise: &dw,
                pointwise: &pw,
                window,
                affine: Some(Affine {
                    scale: &scale,
                    shift: &shift,
                }),
            };
            let found = chain(&x, weights);
            let g = images(found.shape(), 6);
            let source = image_variable(&x);
            let (k, p) = (
                variable(&dw, &[c, 1, kernel, kernel]),
                variable(&pw, &[c, c, 1, 1]),
            );
            let (s, b) = (variable(&scale, &[c]), variable(&shift, &[c]));
            let filtered = filtered(&source.relu().unwrap(), &k, window);
            let expected = normalised(&filtered.conv2d(&p, 0, 1, 1, 1).unwrap(), Some((&s, &b)));
            let gradients = chain_backward(&x, weights, &g);
            let gradients = [
                (&source, &gradients.input.values[..]),
                (&k, &gradients.depthwise),
                (&p, &gradients.pointwise),
                (&s, &gradients.scale),
                (&b, &gradients.shift),
            ];
            assert_agrees(&found, &expected, &g, &gradients);
        }
    }
}

#[test]
fn preprocess_agrees() {
    for shape @ [.., c] in SHAPES {
        let (x, pw) = (images(shape, 1), numbers(4 * c, 2));
        let weights = Preprocess {
            pointwise: &pw,
            affine: None,
        };
        let found = preprocess(&x, weights);
        let g = images(found.shape(), 3);
        let (source, p) = (image_variable(&x), variable(&pw, &[4, c, 1, 1]));
        let expected = source.relu().unwrap().conv2d(&p, 0, 1, 1, 1).unwrap();
        let gradients = preprocess_backward(&x, weights, &g);
        let gradients = [
            (&source, &gradients.input.values[..]),
            (&p, &gradients.pointwise),
        ];
        assert_agrees(&found, &normalised(&expected, None), &g, &gradients);
    }
}

#[test]
fn factorised_reduce_agrees() {
    for shape @ [_, h, w, c] in SHAPES {
        let x = images(shape, 1);
        let (even, shifted) = (numbers(2 * c, 2), numbers(3 * c, 3));
        let weights = FactorisedReduce {
            even: &even,
            shifted: &shifted,
            affine: None,
        };
        let found = factorised_reduce(&x, weights);
        let g = images(found.shape(), 4);
        let source = image_variable(&x);
        let kernels = [
            variable(&even, &[2, c, 1, 1]),
            variable(&shifted, &[3, c, 1, 1]),
        ];
        let positive = source.relu().unwrap().pad_with_zeros(2, 0, 1).unwrap();
        let positive = positive.pad_with_zeros(3, 0, 1).unwrap();
        let halves = [0, 1].map(|first| {
            let rows = every(&positive, 2, first, 2, h.div_ceil(2));
            every(&rows, 3, first, 2, w.div_ceil(2))
                .conv2d(&kernels[first], 0, 1, 1, 1)
                .unwrap()
        });
        let expected = normalised(&Tensor::cat(&halves, 1).unwrap(), None);
        let gradients = factorised_reduce_backward(&x, weights, &g);
        let gradients = [
            (&source, &gradients.input.values[..]),
            (&kernels[0], &gradients.even),
            (&kernels[1], &gradients.shifted),
        ];
        assert_agrees(&found, &expected, &g, &gradients);
    }
}

#[test]
fn weighted_sum_agrees() {
    for shape in SHAPES {
        let (a, b, g) = (images(shape, 1), images(shape, 2), images(shape, 3));
        let weights = numbers(2, 4);
        let (in_inputs, in_weights) = weighted_sum_backward(&[&a, &b], &weights, &g);
        let variables = [image_variable(&a), image_variable(&b)];
        let w = variable(&weights, &[2]);
        let part = |i: usize| variables[i].broadcast_mul(&w.get(i).unwrap()).unwrap();
        let expected = (part(0) + part(1)).unwrap();
        let found = weighted_sum(&[&a, &b], &weights);
        for (variable, gradient) in variables.iter().zip(&in_inputs) {
            let gradients = [(variable, &gradient.values[..]), (&w, &in_weights)];
            assert_agrees(&found, &expected, &g, &gradients);
        }
    }
}

#[test]
fn head_agrees() {
    for shape @ [n, .., c] in SHAPES {
        let classes = 3;
        let (x, weights, bias) = (
            images(shape, 1),
            numbers(classes * c, 2),
            numbers(classes, 3),
        );
        let labels: Vec<u32> = (0..n as u32)
            .map(|i| (2 * i + 1) % classes as u32)
            .collect();
        let features = global_average_pool(&x);
        let logits = linear(&features, &weights, &bias);
        let found = cross_entropy(&logits, &labels);
        let gradients = linear_backward(&features, &weights, &found.gradient);

        let source = image_variable(&x);
        let (w, b) = (
            variable(&weights, &[classes, c]),
            variable(&bias, &[classes]),
        );
        let pooled = source.mean((2, 3)).unwrap();
        let by_candle = pooled
            .matmul(&w.t().unwrap())
            .unwrap()
            .broadcast_add(&b)
            .unwrap();
        assert_close("logits", &logits.values, &values(&by_candle));
        let total = by_candle
            .exp()
            .unwrap()
            .sum_keepdim(1)
            .unwrap()
            .log()
            .unwrap();
        let labels = Tensor::from_slice(&labels, (n, 1), &Device::Cpu).unwrap();
        let chosen = by_candle.gather(&labels, 1).unwrap();
        let loss = (total - chosen).unwrap().mean_all().unwrap();
        assert_close("loss", &[found.loss], &[loss.to_scalar().unwrap()]);
        let expected = loss.backward().unwrap();
        assert_close(
            "weights",
            &gradients.weights,
            &values(expected.get(&w).unwrap()),
        );
        assert_close("bias", &gradients.bias, &values(expected.get(&b).unwrap()));
        let in_source =
            asap_kernels::reference::global_average_pool_backward(x.shape(), &gradients.input);
        assert_close(
            "source",
            &in_source.values,
            &values(expected.get(&source).unwrap()),
        );
    }
}
