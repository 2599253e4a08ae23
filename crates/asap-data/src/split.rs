//! Dividing images so that every class is in every part by its share.
//!
//! Each class is shuffled by its own stream of random numbers; a part takes from its front. How many
//! come from each class is the class's share, rounded so that the total is exact.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

/// How images are divided in two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitConfig {
    /// Share of the images in the first part, between 0 and 1. Paper: 0.5, weights and alphas.
    pub first_share: f64,
    /// The most images that the first part keeps.
    pub first_limit: Option<usize>,
    /// The most images that the second part keeps.
    pub second_limit: Option<usize>,
    /// Decides which images go where.
    pub seed: u64,
}

/// Two sets of images without a common one. Indices rise in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices of the first part.
    pub first: Vec<u32>,
    /// Indices of the second part.
    pub second: Vec<u32>,
}

impl Split {
    /// Divides the images of `dataset` at `indices`; every class is in both parts.
    ///
    /// # Errors
    ///
    /// If a class has fewer than two images, the share is not between 0 and 1, a limit is below the
    /// number of classes, or an index is of no image.
    pub fn stratified(dataset: &Dataset, indices: &[u32], config: &SplitConfig) -> Result<Self> {
        if !(config.first_share > 0.0 && config.first_share < 1.0) {
            let expected = "a share between 0 and 1";
            return Err(Error::setting(
                "share of a split",
                expected,
                config.first_share,
            ));
        }
        let mut first = by_class(dataset, indices, config.seed)?;
        if let Some((class, members)) = first.iter().enumerate().find(|(_, class)| class.len() < 2)
        {
            return Err(Error::FewImages {
                class: dataset.classes()[class].clone(),
                place: dataset.name().to_owned(),
                expected: 2,
                purpose: "to divide",
                found: members.len(),
            });
        }
        let counts: Vec<usize> = first.iter().map(Vec::len).collect();
        let most: Vec<usize> = counts.iter().map(|count| count - 1).collect();
        let total = (config.first_share * indices.len() as f64).round() as usize;
        let total = total.clamp(first.len(), most.iter().sum());
        let quotas = apportion(&counts, &most, total);
        let mut second: Vec<Vec<u32>> = first
            .iter_mut()
            .zip(quotas)
            .map(|(class, quota)| class.split_off(quota))
            .collect();
        limit(&mut first, config.first_limit)?;
        limit(&mut second, config.second_limit)?;
        Ok(Self {
            first: rising(first),
            second: rising(second),
        })
    }
}

/// `count` of the images of `dataset` at `indices` (all, if there are fewer); every class is there
/// by its share. Indices rise.
///
/// # Errors
///
/// If `count` is below the number of classes, a class has no image, or an index is of no image.
pub fn stratified_subset(
    dataset: &Dataset,
    indices: &[u32],
    count: usize,
    seed: u64,
) -> Result<Vec<u32>> {
    let mut classes = by_class(dataset, indices, seed)?;
    limit(&mut classes, Some(count))?;
    Ok(rising(classes))
}

/// The indices of each class, shuffled; no class is empty.
fn by_class(dataset: &Dataset, indices: &[u32], seed: u64) -> Result<Vec<Vec<u32>>> {
    dataset.check_indices(indices)?;
    let mut classes = vec![Vec::new(); dataset.classes().len()];
    for &index in indices {
        classes[dataset.labels()[index as usize] as usize].push(index);
    }
    if let Some(class) = classes.iter().position(Vec::is_empty) {
        return Err(Error::FewImages {
            class: dataset.classes()[class].clone(),
            place: dataset.name().to_owned(),
            expected: 1,
            purpose: "to choose from",
            found: 0,
        });
    }
    for (label, class) in (0..).zip(&mut classes) {
        Random::new(seed, Purpose::Split, [label, 0]).shuffle(class);
    }
    Ok(classes)
}

/// Leaves `count` images, if there are more.
fn limit(classes: &mut [Vec<u32>], count: Option<usize>) -> Result<()> {
    let counts: Vec<usize> = classes.iter().map(Vec::len).collect();
    let Some(count) = count.filter(|&count| count < counts.iter().sum()) else {
        return Ok(());
    };
    if count < counts.len() {
        let expected = format!("at least one for each of {} classes", counts.len());
        return Err(Error::setting("number of images", expected, count));
    }
    let quotas = apportion(&counts, &counts, count);
    for (class, quota) in classes.iter_mut().zip(quotas) {
        class.truncate(quota);
    }
    Ok(())
}

/// How many of `total` come from each class: its share of `counts`, at least 1, at most `most`.
/// `total` must lie between the number of classes and the sum of `most`.
fn apportion(counts: &[usize], most: &[usize], total: usize) -> Vec<usize> {
    let images = counts.iter().sum::<usize>() as u128;
    let share = |class: usize| total as u128 * counts[class] as u128;
    let mut quotas: Vec<usize> = (0..counts.len())
        .map(|class| ((share(class) / images) as usize).clamp(1, most[class]))
        .collect();
    // What a class has less than its share, in units of 1 / images.
    let lack = |class: usize, quota: usize| share(class) as i128 - (quota as u128 * images) as i128;
    while quotas.iter().sum::<usize>() < total {
        let open = (0..quotas.len()).filter(|&class| quotas[class] < most[class]);
        // The first of equals: `max_by_key` would take the last.
        let Some(class) = open.rev().max_by_key(|&class| lack(class, quotas[class])) else {
            break;
        };
        quotas[class] += 1;
    }
    while quotas.iter().sum::<usize>() > total {
        let open = (0..quotas.len()).filter(|&class| quotas[class] > 1);
        let Some(class) = open.min_by_key(|&class| lack(class, quotas[class])) else {
            break;
        };
        quotas[class] -= 1;
    }
    quotas
}

fn rising(classes: Vec<Vec<u32>>) -> Vec<u32> {
    let mut indices = classes.concat();
    indices.sort_unstable();
    indices
}

#[cfg(test)]
mod tests {
    use super::apportion;

    #[test]
    fn quotas_are_shares_with_an_exact_total() {
        assert_eq!(apportion(&[6000; 10], &[5999; 10], 30_000), [3000; 10]);
        assert_eq!(apportion(&[10, 20, 30], &[9, 19, 29], 6), [1, 2, 3]);
        assert_eq!(
            apportion(&[5, 5, 5], &[4, 4, 4], 7),
            [3, 2, 2],
            "the first of equals"
        );
    }

    #[test]
    fn rare_classes_keep_one_and_full_classes_give_way() {
        assert_eq!(apportion(&[1000, 2, 2], &[999, 1, 1], 10), [8, 1, 1]);
        assert_eq!(apportion(&[100, 2], &[99, 1], 100), [99, 1]);
        assert_eq!(apportion(&[2, 2, 96], &[1, 1, 95], 3), [1, 1, 1]);
    }
}
