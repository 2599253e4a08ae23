//! Where buffers lie in the arena: those that no task needs at the same time share memory.
//!
//! The arena holds one image's buffers after another's, so that a thread only ever shares memory with itself and the
//! order of its own tasks decides what lives when. A buffer lives from the first to the last task that touches it; one
//! that is made anew (pools, before the backward pass of their cell) does not live in between.

use super::{Arrangement, AuxiliaryTask, Bank, Buffer, BufferAt, Node, Place, Plan, Target, Task};

/// First and last task of a life.
type Life = [usize; 2];

impl Plan {
    /// Arrangements of the buffers in training and in eval mode, those in `half` as bf16.
    pub(crate) fn arrangements(&self, half: &[bool]) -> [Arrangement; 2] {
        let mut buffers = self.buffers.clone();
        for (buffer, half) in buffers.iter_mut().zip(half) {
            if *half {
                buffer.len = buffer.len.div_ceil(2);
            }
        }
        // What banks go through together they live through together.
        let tasks: Vec<&Task> = self.forward.iter().chain(&self.backward).collect();
        let together = tasks.chunk_by(|task, next| task.goes_with(next));
        let training = arrange(self, &buffers, together);
        let forward = self.forward.iter();
        let forward = forward.filter(|task| !matches!(task, Task::Auxiliary(_)));
        let forward: Vec<&Task> = forward.collect();
        let inference = arrange(self, &buffers, forward.chunks(1));
        [training, inference]
    }
}

/// Places for all buffers that tasks touch, `moments` in this order and the tasks of one in any.
fn arrange<'a>(
    plan: &'a Plan,
    buffers: &[Buffer],
    moments: impl Iterator<Item = &'a [&'a Task]>,
) -> Arrangement {
    let mut lives: Vec<Vec<Life>> = vec![Vec::new(); buffers.len()];
    for (now, tasks) in moments.enumerate() {
        for task in tasks {
            if let Task::Pools(bank) = task {
                for pool in &plan.banks[*bank].pools {
                    lives[pool.y.place.buffer].push([now, now]);
                }
            }
            touched(
                plan,
                task,
                &mut |place| match lives[place.buffer].last_mut() {
                    Some(life) => life[1] = now,
                    None => lives[place.buffer].push([now, now]),
                },
            );
        }
    }
    let mut offsets = vec![0; buffers.len()];
    let shared: Vec<usize> = (0..buffers.len())
        .filter(|&b| !buffers[b].side_by_side && !lives[b].is_empty())
        .collect();
    let image = share(buffers, &lives, shared, &mut offsets);
    let mut len = plan.batch * image;
    let untouched = lives.iter().map(Vec::is_empty);
    let buffers = buffers.iter().zip(offsets).zip(untouched);
    let buffers = buffers.map(|((buffer, offset), untouched)| {
        if !buffer.side_by_side {
            return BufferAt { offset, image };
        }
        let offset = len;
        len += if untouched {
            0
        } else {
            spaced(plan.batch * buffer.len)
        };
        let image = buffer.len;
        BufferAt { offset, image }
    });
    Arrangement {
        buffers: buffers.collect(),
        len,
    }
}

/// Whole cache lines, and one between buffers: equal buffers do not compete for the same sets of a cache.
fn spaced(len: usize) -> usize {
    len.next_multiple_of(16) + 16
}

/// Gives each of these buffers, the largest first, the lowest place that is free during its lives. Returns the f32 that an
/// image takes.
fn share(
    buffers: &[Buffer],
    lives: &[Vec<Life>],
    mut order: Vec<usize>,
    offsets: &mut [usize],
) -> usize {
    // Of equal buffers the longest life first: short ones fill the gaps.
    let span = |b: usize| lives[b].iter().map(|[from, to]| to - from).sum::<usize>();
    order.sort_by_key(|&b| (std::cmp::Reverse((buffers[b].len, span(b))), b));
    let mut image = 0;
    for (i, &buffer) in order.iter().enumerate() {
        let len = spaced(buffers[buffer].len);
        let mut taken: Vec<[usize; 2]> = order[..i]
            .iter()
            .filter(|&&other| meet(&lives[buffer], &lives[other]))
            .map(|&other| [offsets[other], offsets[other] + spaced(buffers[other].len)])
            .collect();
        taken.sort_unstable();
        let mut at = 0;
        for [from, to] in taken {
            if at + len <= from {
                break;
            }
            at = at.max(to);
        }
        offsets[buffer] = at;
        image = image.max(at + len);
    }
    image
}

fn meet(a: &[Life], b: &[Life]) -> bool {
    a.iter()
        .any(|a| b.iter().any(|b| a[0] <= b[1] && b[0] <= a[1]))
}

/// Hands `touch` every place that a task reads or writes.
fn touched(plan: &Plan, task: &Task, touch: &mut impl FnMut(Place)) {
    let node = |n: &usize| &plan.nodes[*n];
    match task {
        Task::Barrier
        | Task::Coefficients(_)
        | Task::NodeCoefficients(_)
        | Task::PoolCoefficients(_)
        | Task::InnerCoefficients(_)
        | Task::SourceCoefficients { .. } => {}
        Task::Stem => touch(plan.stem().y),
        Task::StemSums | Task::StemBack => {
            touch(plan.stem().y);
            touch(plan.stem().gradient);
        }
        Task::Input(i) => {
            touch(plan.inputs[*i].source.place);
            touch(plan.inputs[*i].y);
        }
        Task::InputSums(i) => {
            touch(plan.inputs[*i].gradient);
            touch(plan.inputs[*i].y);
        }
        Task::InputBack(i) => {
            let input = &plan.inputs[*i];
            [
                input.source.place,
                input.y,
                input.gradient,
                input.source_gradient,
            ]
            .into_iter()
            .for_each(touch);
        }
        Task::BankFirst(b) => bank_first(&plan.banks[*b], touch),
        Task::BankSecond(b) => bank_second(&plan.banks[*b], touch),
        Task::Pools(b) => pools(&plan.banks[*b], touch),
        Task::BankFirstBack(b) => {
            bank_first(&plan.banks[*b], touch);
            bank_back(plan, &plan.banks[*b], touch);
        }
        Task::BankSecondBack(b) => {
            bank_second(&plan.banks[*b], touch);
            bank_back(plan, &plan.banks[*b], touch);
        }
        Task::Node(n) => {
            terms(node(n), touch);
            touch(node(n).value);
        }
        Task::NodeSums(n) => {
            terms(node(n), touch);
            touch(node(n).gradient);
        }
        Task::Head => {
            touch(plan.head().source.place);
            touch(plan.head().gradient);
        }
        Task::Auxiliary(_) => {
            let head = plan.auxiliary();
            for stage in [head.first, head.second] {
                touch(stage.y);
                touch(stage.gradient);
            }
            touch(head.pooled);
            touch(head.source.place);
            if matches!(task, Task::Auxiliary(AuxiliaryTask::FirstBack)) {
                touch(head.source_gradient);
            }
        }
        Task::Clear(place, _) => touch(*place),
        Task::Source => touch(plan.doors().source.tensor.place),
        Task::SourceGradient => touch(plan.doors().source.gradient),
        Task::Result => touch(plan.doors().result.tensor.place),
        Task::ResultGradient => {
            touch(plan.doors().result.tensor.place);
            touch(plan.doors().result.gradient);
        }
    }
}

fn pools(bank: &Bank, touch: &mut impl FnMut(Place)) {
    touch(bank.source.place);
    bank.pools.iter().for_each(|pool| touch(pool.y.place));
}

fn bank_first(bank: &Bank, touch: &mut impl FnMut(Place)) {
    pools(bank, touch);
    bank.reduces.iter().for_each(|(reduce, _)| touch(reduce.y));
    bank.convolutions.iter().for_each(|c| touch(c.first.y));
}

fn bank_second(bank: &Bank, touch: &mut impl FnMut(Place)) {
    for convolution in &bank.convolutions {
        if let Some(second) = &convolution.second {
            touch(convolution.first.y);
            touch(second.y);
        }
    }
}

/// What both backward tasks of a bank touch, and more than each of them does.
fn bank_back(plan: &Plan, bank: &Bank, touch: &mut impl FnMut(Place)) {
    touch(bank.gradient);
    bank_second(bank, touch);
    let targets = bank
        .skips
        .iter()
        .chain(bank.reduces.iter().map(|(_, target)| target));
    let pooled = bank.pools.iter().flat_map(|pool| &pool.targets);
    let convolved = bank.convolutions.iter().map(|c| &c.target);
    let mut gradient = |target: &Target| touch(plan.nodes[target.node].gradient);
    targets
        .chain(pooled)
        .chain(convolved)
        .for_each(&mut gradient);
}

fn terms(node: &Node, touch: &mut impl FnMut(Place)) {
    node.terms.iter().for_each(|term| touch(term.y.place));
}
