//! A case through the reference forms, and how large the numbers are that its sums are made of.

use asap_kernels::CellOperation;
use asap_kernels::reference::{
    Affine, BATCH_NORM_EPSILON, FactorisedReduce, Preprocess, Statistics, Tensor4, Window,
    average_pool, average_pool_backward, batch_norm, batch_norm_backward, depthwise,
    depthwise_backward, every_second, factorised_reduce, factorised_reduce_backward, max_pool,
    max_pool_backward, pointwise, pointwise_backward, preprocess, preprocess_backward, relu,
    relu_backward, statistics, weighted_sum, weighted_sum_backward,
};

use crate::case::{Case, Computed, Subject};

/// What the reference says of a case.
pub(crate) struct Plain {
    pub(crate) computed: Computed,
    /// For each parameter and for the op weights: the largest `sqrt(sum terms^2)` among its sums. Where terms cancel, as
    /// before a normalisation they must, rounding errors are in proportion to this and not to the sum.
    pub(crate) parameter_terms: Vec<f64>,
    pub(crate) op_weight_terms: f64,
    /// The smallest `|x|` before a ReLU that reads a computed number, exact zeros left out: below the rounding error
    /// the two forms may rightly fall on different sides.
    pub(crate) margin: f64,
    /// The largest `mean(y^2) / (variance(y) + eps)` of a normalised channel: how much larger than the variance the
    /// numbers are that it is the difference of.
    pub(crate) condition: f64,
}

/// Names, gradients and terms of parameters.
type Gradients = Vec<(String, Vec<f64>, f64)>;

type Backward<'a> = Box<dyn Fn(&Tensor4) -> (Tensor4, Gradients) + 'a>;

/// One operation.
struct Part<'a> {
    output: Tensor4,
    margin: f64,
    condition: f64,
    /// From the gradient of the output to those of the source and the parameters.
    backward: Backward<'a>,
}

impl<'a> Part<'a> {
    /// Without a kink or a normalisation inside.
    fn new(output: Tensor4, backward: impl Fn(&Tensor4) -> (Tensor4, Gradients) + 'a) -> Self {
        Self {
            output,
            margin: f64::INFINITY,
            condition: 1.0,
            backward: Box::new(backward),
        }
    }
}

pub(crate) fn computed(case: &Case) -> Plain {
    let parts: Vec<Part<'_>> = match &case.subject {
        Subject::Operations(config) => {
            let (stride, normalise) = (config.stride, config.normalise_pools);
            let part = |&operation| self::operation(case, operation, stride, normalise);
            config.operations.iter().map(part).collect()
        }
        Subject::CellInput(config) if config.reduce => vec![reduce(case, "input")],
        Subject::CellInput(_) => vec![cell_input(case)],
    };
    let outputs: Vec<&Tensor4> = parts.iter().map(|part| &part.output).collect();
    // A cell input is a sum of one.
    let weights = if case.op_weights.is_empty() {
        &[1.0]
    } else {
        &case.op_weights[..]
    };
    let result = weighted_sum(&outputs, weights);
    let (in_outputs, in_weights) = weighted_sum_backward(&outputs, weights, &case.gradient);
    let mut source = Tensor4::zeros(case.source.shape());
    let mut gradients = Vec::new();
    for (part, gradient) in parts.iter().zip(&in_outputs) {
        let (in_source, parameters) = (part.backward)(gradient);
        source = source.plus(&in_source);
        gradients.extend(parameters);
    }
    let terms = |output: &&Tensor4| root_of_squares(output, &case.gradient);
    let op_weight_terms = outputs.iter().map(terms).fold(0.0, f64::max);
    Plain {
        parameter_terms: gradients.iter().map(|(.., terms)| *terms).collect(),
        computed: Computed {
            result,
            source,
            parameters: gradients
                .into_iter()
                .map(|(name, g, _)| (name, g))
                .collect(),
            op_weights: in_weights[..case.op_weights.len()].to_vec(),
        },
        op_weight_terms,
        margin: parts
            .iter()
            .map(|part| part.margin)
            .fold(f64::INFINITY, f64::min),
        condition: parts.iter().map(|part| part.condition).fold(1.0, f64::max),
    }
}

fn operation(case: &Case, operation: CellOperation, stride: usize, normalise: bool) -> Part<'_> {
    let (name, x) = (operation.name(), &case.source);
    match operation {
        CellOperation::MaxPool => {
            let back = move |g: &Tensor4| max_pool_backward(x, stride, g);
            pool(max_pool(x, stride), normalise, back)
        }
        CellOperation::AveragePool => {
            let back = move |g: &Tensor4| average_pool_backward(x.shape(), stride, g);
            pool(average_pool(x, stride), normalise, back)
        }
        CellOperation::Skip if stride == 1 => {
            Part::new(x.clone(), |g: &Tensor4| (g.clone(), Vec::new()))
        }
        CellOperation::Skip => reduce(case, name),
        CellOperation::Separable { kernel } => {
            let window = Window {
                kernel,
                stride,
                dilation: 1,
            };
            let first = Chain::new(case, [name, "1"], x, window);
            let middle = first.output();
            let second = Chain::new(
                case,
                [name, "2"],
                &middle,
                Window {
                    stride: 1,
                    ..window
                },
            );
            let (output, margin) = (second.output(), smallest(&middle));
            let condition = condition(&first.y).max(condition(&second.y));
            let backward = move |g: &Tensor4| {
                let (g, last) = second.backward(g);
                let (g, mut gradients) = first.backward(&g);
                gradients.extend(last);
                (g, gradients)
            };
            Part {
                margin,
                condition,
                ..Part::new(output, backward)
            }
        }
        CellOperation::Dilated { kernel } => {
            let chain = Chain::new(
                case,
                [name, ""],
                x,
                Window {
                    kernel,
                    stride,
                    dilation: 2,
                },
            );
            let condition = condition(&chain.y);
            Part {
                condition,
                ..Part::new(chain.output(), move |g: &Tensor4| chain.backward(g))
            }
        }
    }
}

fn pool<'a>(y: Tensor4, normalise: bool, back: impl Fn(&Tensor4) -> Tensor4 + 'a) -> Part<'a> {
    if !normalise {
        return Part::new(y, move |g: &Tensor4| (back(g), Vec::new()));
    }
    let (output, condition) = (batch_norm(&y, None), condition(&y));
    let backward = move |g: &Tensor4| (back(&batch_norm_backward(&y, None, g).input), Vec::new());
    Part {
        condition,
        ..Part::new(output, backward)
    }
}

fn cell_input(case: &Case) -> Part<'_> {
    let affine = affine(case, "input.norm");
    let weights = Preprocess {
        pointwise: case.parameter("input.conv"),
        affine,
    };
    let a = relu(&case.source);
    let y = pointwise(&a, weights.pointwise);
    let condition = condition(&y);
    let backward = move |g: &Tensor4| {
        let gradients = preprocess_backward(&case.source, weights, g);
        let d = batch_norm_backward(&y, affine, g).input;
        let terms = pointwise_terms(&a, weights.pointwise, &d);
        let mut all = vec![("input.conv".to_owned(), gradients.pointwise, terms)];
        if affine.is_some() {
            all.extend(affine_gradients(
                "input.norm",
                &y,
                g,
                gradients.scale,
                gradients.shift,
            ));
        }
        (gradients.input, all)
    };
    Part {
        condition,
        ..Part::new(preprocess(&case.source, weights), backward)
    }
}

fn reduce<'a>(case: &'a Case, name: &'a str) -> Part<'a> {
    let norm = format!("{name}.norm");
    let affine = affine(case, &norm);
    let even = case.parameter(&format!("{name}.conv_a"));
    let shifted = case.parameter(&format!("{name}.conv_b"));
    let weights = FactorisedReduce {
        even,
        shifted,
        affine,
    };
    let halves = [0, 1].map(|first| every_second(&relu(&case.source), first));
    let parts = [pointwise(&halves[0], even), pointwise(&halves[1], shifted)];
    let y = Tensor4::concat(&[&parts[0], &parts[1]]);
    let condition = condition(&y);
    let backward = move |g: &Tensor4| {
        let gradients = factorised_reduce_backward(&case.source, weights, g);
        let d = batch_norm_backward(&y, affine, g).input;
        let split = parts[0].c;
        let terms = [
            pointwise_terms(&halves[0], even, &d.channels(0, split)),
            pointwise_terms(&halves[1], shifted, &d.channels(split, parts[1].c)),
        ];
        let mut all = vec![
            (format!("{name}.conv_a"), gradients.even, terms[0]),
            (format!("{name}.conv_b"), gradients.shifted, terms[1]),
        ];
        if affine.is_some() {
            all.extend(affine_gradients(
                &norm,
                &y,
                g,
                gradients.scale,
                gradients.shift,
            ));
        }
        (gradients.input, all)
    };
    Part {
        condition,
        ..Part::new(factorised_reduce(&case.source, weights), backward)
    }
}

/// ReLU, depthwise, pointwise and BN of a tensor, with all that lies in between.
struct Chain<'a> {
    name: &'a str,
    stage: &'a str,
    depthwise: &'a [f64],
    pointwise: &'a [f64],
    window: Window,
    affine: Option<Affine<'a>>,
    source: Tensor4,
    positive: Tensor4,
    filtered: Tensor4,
    y: Tensor4,
}

impl<'a> Chain<'a> {
    fn new(case: &'a Case, [name, stage]: [&'a str; 2], source: &Tensor4, window: Window) -> Self {
        let weights = |part: &str| case.parameter(&format!("{name}.{part}{stage}"));
        let (kernel, mixing) = (weights("depthwise"), weights("pointwise"));
        let positive = relu(source);
        let filtered = depthwise(&positive, kernel, window);
        Self {
            name,
            stage,
            depthwise: kernel,
            pointwise: mixing,
            window,
            affine: affine(case, &format!("{name}.norm{stage}")),
            source: source.clone(),
            y: pointwise(&filtered, mixing),
            positive,
            filtered,
        }
    }

    fn output(&self) -> Tensor4 {
        batch_norm(&self.y, self.affine)
    }

    fn backward(&self, g: &Tensor4) -> (Tensor4, Gradients) {
        let (name, stage) = (self.name, self.stage);
        let norm = batch_norm_backward(&self.y, self.affine, g);
        let mixing = pointwise_backward(&self.filtered, self.pointwise, &norm.input);
        let filtering =
            depthwise_backward(&self.positive, self.depthwise, self.window, &mixing.input);
        let squares = [&self.positive, &mixing.input].map(square);
        let squares = depthwise_backward(&squares[0], self.depthwise, self.window, &squares[1]);
        let filtering_terms = root_of_largest(&squares.weights);
        let mixing_terms = pointwise_terms(&self.filtered, self.pointwise, &norm.input);
        let mut all = vec![
            (
                format!("{name}.depthwise{stage}"),
                filtering.weights,
                filtering_terms,
            ),
            (
                format!("{name}.pointwise{stage}"),
                mixing.weights,
                mixing_terms,
            ),
        ];
        if self.affine.is_some() {
            let name = format!("{name}.norm{stage}");
            all.extend(affine_gradients(&name, &self.y, g, norm.scale, norm.shift));
        }
        (relu_backward(&self.source, &filtering.input), all)
    }
}

fn affine<'a>(case: &'a Case, norm: &str) -> Option<Affine<'a>> {
    case.subject.is_affine().then(|| Affine {
        scale: case.parameter(&format!("{norm}.scale")),
        shift: case.parameter(&format!("{norm}.shift")),
    })
}

fn affine_gradients(
    norm: &str,
    y: &Tensor4,
    g: &Tensor4,
    scale: Vec<f64>,
    shift: Vec<f64>,
) -> Gradients {
    let by_channel = |terms: Tensor4| {
        let sums = (0..terms.c).map(|c| terms.channels(c, 1).values.iter().sum());
        root_of_largest(&sums.collect::<Vec<f64>>())
    };
    let z = batch_norm(y, None);
    let products = z.values.iter().zip(&g.values).map(|(z, g)| (z * g).powi(2));
    let products = Tensor4::new(g.shape(), products.collect());
    vec![
        (format!("{norm}.scale"), scale, by_channel(products)),
        (format!("{norm}.shift"), shift, by_channel(square(g))),
    ]
}

fn pointwise_terms(a: &Tensor4, weights: &[f64], d: &Tensor4) -> f64 {
    root_of_largest(&pointwise_backward(&square(a), weights, &square(d)).weights)
}

/// `sqrt(sum (a b)^2)`, over all channels.
fn root_of_squares(a: &Tensor4, b: &Tensor4) -> f64 {
    a.values
        .iter()
        .zip(&b.values)
        .map(|(a, b)| (a * b).powi(2))
        .sum::<f64>()
        .sqrt()
}

fn square(tensor: &Tensor4) -> Tensor4 {
    tensor.map(|value| value * value)
}

fn root_of_largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max).sqrt()
}

fn smallest(tensor: &Tensor4) -> f64 {
    let values = tensor
        .values
        .iter()
        .map(|value| value.abs())
        .filter(|value| *value > 0.0);
    values.fold(f64::INFINITY, f64::min)
}

fn condition(y: &Tensor4) -> f64 {
    let Statistics { mean, variance } = statistics(y);
    let of =
        |(mean, variance): (&f64, &f64)| (mean * mean + variance) / (variance + BATCH_NORM_EPSILON);
    mean.iter().zip(&variance).map(of).fold(1.0, f64::max)
}
