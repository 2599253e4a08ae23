//! The same work for many things, on all cores, with the results in order.

use std::thread;

/// `work` of each of `items`.
pub(crate) fn for_each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let share = items.len().div_ceil(cores()).max(1);
    thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = items
            .chunks(share)
            .map(|items| scope.spawn(move || items.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let results = workers.into_iter().flat_map(|worker| match worker.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.collect()
    })
}

/// `work` on each of `items`, by as many `threads`; the first error in the order of the items.
pub(crate) fn try_each<T: Send, E: Send>(
    items: &mut [T],
    threads: usize,
    work: impl Fn(&mut T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let share = items.len().div_ceil(threads.max(1)).max(1);
    if share == items.len() {
        return items.iter_mut().try_for_each(work);
    }
    thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = items
            .chunks_mut(share)
            .map(|items| scope.spawn(move || items.iter_mut().try_for_each(work)))
            .collect();
        let mut results = workers.into_iter().map(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.try_for_each(|result| result)
    })
}

/// As many threads as the machine has cores.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::{for_each, try_each};

    #[test]
    fn every_item_is_worked_on_and_the_first_error_in_order_is_told() {
        for threads in [1, 2, 3, 20] {
            let mut items: Vec<usize> = (0..10).collect();
            let double = |item: &mut usize| {
                *item *= 2;
                Ok::<(), usize>(())
            };
            assert_eq!(try_each(&mut items, threads, double), Ok(()));
            assert_eq!(items, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
            let refuse = |item: &mut usize| if *item > 6 { Err(*item) } else { Ok(()) };
            assert_eq!(try_each(&mut items, threads, refuse), Err(8));
        }
    }

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1001).collect();
        let squares = for_each(&items, |item| item * item);
        assert!(
            squares
                .iter()
                .enumerate()
                .all(|(index, &square)| square == index * index)
        );
        assert_eq!(squares.len(), 1001);
        assert!(for_each(&[] as &[usize], |&item| item).is_empty());
    }
}
