//! What every key of a configuration means, in a line with its unit: the comments of `config.toml`.

/// The comment on a key such as `search.sgd.momentum`.
pub(crate) fn note(key: &str) -> Option<&'static str> {
    let shared = key
        .strip_prefix("search.")
        .or_else(|| key.strip_prefix("train."));
    let find = |notes: &[(&str, &'static str)], key: &str| {
        notes
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, note)| *note)
    };
    find(&NOTES, key).or_else(|| shared.and_then(|key| find(&SHARED, key)))
}

const NOTES: [(&str, &str); 36] = [
    ("preset", "Where the values started from: quick or paper."),
    (
        "task",
        "search (then train and test), or train (a given genotype, then test).",
    ),
    (
        "seed",
        "Seed of all chance: the same seed, binary and threads give the same files.",
    ),
    ("threads", "Threads that compute."),
    (
        "checkpoint_seconds",
        "Seconds between checkpoints within an epoch.",
    ),
    (
        "data.source",
        "fashion-mnist, cifar10:DIR, folder:DIR, csv:FILE, a folder, and what `asap data list` lists.",
    ),
    (
        "data.size",
        "Height and width in pixels that images are resized to; 0 leaves it to the data.",
    ),
    (
        "data.resize_to",
        "Pixels the shorter side gets before the middle is cut out; 0: the largest square.",
    ),
    (
        "data.skip_bad",
        "Whether unreadable images are left out instead of ending the run.",
    ),
    (
        "data.validation_images",
        "Images held out of all training, a fifth at most; 0 holds out none.",
    ),
    ("anneal.initial_temperature", "Temperature at the start."),
    (
        "anneal.decay",
        "Factor on the temperature in one virtual epoch.",
    ),
    (
        "anneal.virtual_epochs",
        "Virtual epochs of the whole search, however many epochs it has.",
    ),
    (
        "anneal.grace_temperature",
        "While the temperature is at least this, only weights train.",
    ),
    (
        "anneal.threshold_factor",
        "An operation whose weight is under this over N is removed.",
    ),
    (
        "anneal.threshold_base",
        "N: initial (operations an edge started with) or alive.",
    ),
    (
        "anneal.edge_rule",
        "How a node comes to its two inputs: anneal or first-decided.",
    ),
    (
        "anneal.check",
        "When weights are held against the threshold: step or epoch.",
    ),
    (
        "anneal.granularity",
        "When the temperature falls: \"step\", or { epoch = { epochs = N } }.",
    ),
    (
        "anneal.granularity.epoch.epochs",
        "The temperature falls once an epoch: search.epochs again.",
    ),
    (
        "search.operations",
        "The operations that every edge starts with.",
    ),
    (
        "search.adam.learning_rate",
        "About how far an alpha moves in a step.",
    ),
    (
        "search.adam.beta1",
        "Decay of the mean of the alphas' gradients.",
    ),
    ("search.adam.beta2", "Decay of the mean of their squares."),
    (
        "search.adam.weight_decay",
        "Factor of the alphas that is added to their gradients.",
    ),
    (
        "search.epochs",
        "Epochs of the plan; the search ends earlier when all is decided.",
    ),
    ("train.epochs", "Epochs."),
    (
        "train.recipe",
        "Where the values of the training started from: quick, darts, asap or imagenet.",
    ),
    (
        "train.stem",
        "In front of the first cell: cifar (one convolution) or imagenet (three, each halving).",
    ),
    (
        "train.learning_rate.curve",
        "How it falls: cosine, or exponential (the same factor in every step).",
    ),
    (
        "train.learning_rate.cycles",
        "Equally long falls one after another; more than 1 with cosine only.",
    ),
    (
        "train.learning_rate.cycle_factor",
        "Start of a cycle over the start of the one before.",
    ),
    (
        "train.label_smoothing",
        "Share of the target that is spread over all classes.",
    ),
    (
        "train.auxiliary_weight",
        "Weight of the loss of an auxiliary head at 2/3 of the depth; 0 builds none.",
    ),
    (
        "train.drop_path",
        "Probability to drop an operation's output at the end; it grows linearly from 0.",
    ),
    (
        "train.ema",
        "Share of the averaged weights that a step keeps; 0 averages none.",
    ),
];

/// Keys that the search and the training both have.
const SHARED: [(&str, &str); 19] = [
    ("channels", "Channels of the first cells."),
    ("cells", "Cells, reductions included."),
    (
        "steps_per_epoch",
        "Weight steps of an epoch; 0: one pass over the images that train weights.",
    ),
    ("batch", "Images of a step."),
    (
        "learning_rate.from",
        "Learning rate of the weights at the start.",
    ),
    (
        "learning_rate.to",
        "Learning rate of the weights at the end.",
    ),
    (
        "sgd.momentum",
        "Share of the last update that the next one keeps.",
    ),
    (
        "sgd.nesterov",
        "Whether the update looks ahead along the momentum.",
    ),
    (
        "sgd.weight_decay",
        "Factor of the weights that is added to their gradients.",
    ),
    ("sgd.clip", "Largest norm of all gradients together."),
    (
        "augmentation.crop_padding",
        "Pixels of padding for a random crop; 0 crops nothing.",
    ),
    (
        "augmentation.flip",
        "Whether every second image, at random, is mirrored.",
    ),
    (
        "augmentation.cutout",
        "Side in pixels of a random square that is blanked; 0 blanks none.",
    ),
    (
        "augmentation.resized_crop",
        "Least share of an image that is seen, resized; 0 shows all of it.",
    ),
    (
        "augmentation.auto_augment",
        "Whether AutoAugment's policy for CIFAR-10 changes images.",
    ),
    (
        "augmentation.colour_jitter.brightness",
        "The most that a factor of brightness differs from 1.",
    ),
    (
        "augmentation.colour_jitter.contrast",
        "The most that a factor of contrast differs from 1.",
    ),
    (
        "augmentation.colour_jitter.saturation",
        "The most that a factor of saturation differs from 1.",
    ),
    (
        "augmentation.colour_jitter.hue",
        "The most that the hue turns, as a share of the circle, up to 0.5.",
    ),
];
