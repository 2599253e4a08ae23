//! The sizes of networks that have a name.

use crate::config::TrainConfig;
use crate::recipes::Recipe;

/// The sizes of the paper's networks, all of 20 cells (paper).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkSize {
    /// 36 channels.
    Small,
    /// 44 channels.
    Medium,
    /// 56 channels.
    Large,
}

impl NetworkSize {
    /// Cells of all of them (paper).
    pub const CELLS: usize = 20;

    /// All sizes, the smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    /// The size of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.name() == name)
    }

    /// Channels of the first cells (paper).
    pub fn channels(self) -> usize {
        match self {
            Self::Small => 36,
            Self::Medium => 44,
            Self::Large => 56,
        }
    }

    /// Gives `train` a network of this size; the recipe `asap` drops more paths of the large one (from memory: 0.3).
    pub fn apply(self, train: &mut TrainConfig) {
        (train.channels, train.cells) = (self.channels(), Self::CELLS);
        if train.recipe == Recipe::Asap && self == Self::Large {
            train.drop_path = 0.3;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_network_drops_more_paths_in_the_papers_recipe_alone() {
        for (recipe, drop_path) in [(Recipe::Asap, 0.3), (Recipe::Darts, 0.2)] {
            let mut train = recipe.train();
            NetworkSize::Large.apply(&mut train);
            assert_eq!(
                (train.channels, train.cells, train.drop_path),
                (56, 20, drop_path)
            );
        }
        for size in NetworkSize::ALL {
            assert_eq!(NetworkSize::named(size.name()), Some(size));
        }
    }
}
