//! Partial gradients, their norm, and descent.

use asap_kernels::device::abi::{Descend, Reduce, Squares, Step};

use super::{Bench, SUMS, blocks, close, numbers, step};

#[test]
fn parts_are_added_up_in_their_order_and_foreign_columns_become_0() {
    let (splits, stride) = (5, 320);
    // No whole numbers: the order of additions shows.
    let partials: Vec<f32> = numbers(splits * stride, 1)
        .iter()
        .map(|v| v * 0.37 + 0.01)
        .collect();
    let mut bench = Bench::new(1);
    let at = bench.put(&partials);
    let columns = [[0, 0, 0], [8, 2, 3], [24, 0, 16], [24, 16, 8]];
    let lens = [300, 24, 312, 24 * 13];
    let jobs: Vec<Reduce> = columns
        .iter()
        .zip(lens)
        .map(|(&[columns, first, kept], len)| Reduce {
            partials: at,
            out: bench.put(&vec![9.0_f32; len]),
            len: len as u32,
            splits: splits as u32,
            stride: stride as u32,
            columns,
            first,
            kept,
        })
        .collect();
    bench.run("reduce", blocks(312), 0, &jobs, step(1));
    for job in jobs {
        let found = bench.read(job.out, job.len as usize);
        for (i, found) in found.into_iter().enumerate() {
            let column = (i as u32).checked_rem(job.columns);
            let kept =
                column.is_none_or(|column| (job.first..job.first + job.kept).contains(&column));
            let sum = (0..splits).fold(0.0, |sum, split| sum + partials[split * stride + i]);
            assert_eq!(found, if kept { sum } else { 0.0 }, "{job:?}, value {i}");
        }
    }
}

/// Weights and velocity before and after a step, and the norm.
struct Moved {
    before: [Vec<f32>; 2],
    after: [Vec<f32>; 2],
    norm: f64,
}

/// More than the squares of a few blocks' share, no multiple of what a block takes.
const LEN: usize = 16 * 173;

fn gradients() -> Vec<f32> {
    numbers(LEN, 2).iter().map(|v| v * 0.021).collect()
}

fn descend(gradients: &[f32], loss: f64, settings: Step) -> Moved {
    let splits = 6;
    let weights: Vec<f32> = numbers(LEN, 3).iter().map(|v| v * 0.5).collect();
    let velocity: Vec<f32> = numbers(LEN, 4).iter().map(|v| v * 0.25).collect();
    let mut bench = Bench::new(5);
    let at = bench.put(gradients);
    let partials = bench.put(&vec![f64::NAN; splits]);
    let squares = Squares {
        gradients: at,
        partials,
        len: LEN as u64,
    };
    bench.run("squares", [splits, 1], SUMS, &[squares], settings);
    let job = Descend {
        weights: bench.put(&weights),
        gradients: at,
        velocity: bench.put(&velocity),
        partials,
        outcome: bench.put(&[loss, 7.0, 0.5]),
        len: LEN as u64,
        splits: splits as u32,
        reserved: 0,
    };
    bench.run("descend", blocks(LEN / 4), 0, &[job], settings);
    let found = bench.read_f64(job.outcome, 3);
    assert_eq!(
        [found[0].to_bits(), found[1].to_bits()],
        [loss.to_bits(), 7.0_f64.to_bits()]
    );
    Moved {
        before: [weights, velocity],
        after: [job.weights, job.velocity].map(|at| bench.read(at, LEN)),
        norm: found[2],
    }
}

fn settings(nesterov: bool, clip: f32) -> Step {
    Step {
        learning_rate: 0.1,
        momentum: 0.9,
        weight_decay: 3e-2,
        clip,
        nesterov: u32::from(nesterov),
        ..step(4)
    }
}

#[test]
fn weights_descend_by_the_formula_with_and_without_clipping() {
    let gradients = gradients();
    let norm = gradients
        .iter()
        .map(|&g| f64::from(g).powi(2))
        .sum::<f64>()
        .sqrt();
    assert!((2.0..100.0).contains(&norm));
    for (nesterov, clip) in [(false, 100.0), (true, 100.0), (false, 2.0), (true, 2.0)] {
        let moved = descend(&gradients, 1.25, settings(nesterov, clip));
        assert!(
            (moved.norm - norm).abs() <= 1e-12 * norm,
            "{} is not {norm}",
            moved.norm
        );
        let scale = (f64::from(clip) / (norm + 1e-6)).min(1.0) as f32;
        let (mut weights, mut velocity) = (Vec::new(), Vec::new());
        for (i, g) in gradients.iter().enumerate() {
            let (w, v) = (moved.before[0][i], moved.before[1][i]);
            let d = g * scale + 3e-2 * w;
            let v = 0.9 * v + d;
            velocity.push(v);
            weights.push(w - 0.1 * if nesterov { d + 0.9 * v } else { v });
        }
        close(&moved.after[0], &weights, 1e-6);
        close(&moved.after[1], &velocity, 1e-6);
    }
}

#[test]
fn nothing_moves_when_the_norm_or_the_loss_is_no_number() {
    for place in [0, 7, LEN - 1] {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut gradients = gradients();
            gradients[place] = bad;
            let moved = descend(&gradients, 1.25, settings(false, 5.0));
            assert_eq!(moved.after, moved.before, "{bad} at {place}");
            assert!(!moved.norm.is_finite());
        }
    }
    for loss in [f64::NAN, f64::INFINITY] {
        let moved = descend(&gradients(), loss, settings(true, 5.0));
        assert_eq!(moved.after, moved.before, "loss {loss}");
        assert!(moved.norm.is_finite());
    }
}
