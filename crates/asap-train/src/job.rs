//! A whole run: search, train, test, with everything in its folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use asap_data::Part;
use asap_genotype::{Genotype, Topology};
use asap_space::{NamedTensor, Network, Place};

use crate::atomic::{remove_unfinished, write_atomically};
use crate::checkpoint::{Checkpoint, PhaseState, Records};
use crate::computed_on::ComputedOn;
use crate::conclusion::Conclusion;
use crate::config::{RunConfig, Task};
use crate::driver::{Audience, Driver};
use crate::error::{Error, Result};
use crate::plan::require_memory;
use crate::progress::{Event, Phase, Progress};
use crate::run_data::{ImageSource, RunData};
use crate::run_folder::{Lock, RunFolder};
use crate::search::Search;
use crate::summary::Summary;
use crate::tensor_file;
use crate::train::Train;
use crate::transfer::TransferSource;

/// What the file of the weights says it is.
const WEIGHTS: &str = "asap-weights";

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// It has its results.
    Finished(Box<Summary>),
    /// It was asked to stop; it goes on from this checkpoint.
    Interrupted(PathBuf),
}

/// A run that holds its folder and has its images, ready to work.
pub struct Job<'a> {
    folder: RunFolder,
    config: RunConfig,
    source: &'a dyn ImageSource,
    data: RunData,
    begin: Begin,
    records: Records,
    place: Place,
    last_checkpoint: Option<PathBuf>,
    _lock: Lock,
}

/// Where a run begins.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Begin {
    Search,
    /// With the weights to start from, if they are not to be drawn.
    Train(Genotype, Option<Vec<NamedTensor>>),
    Checkpoint(Box<Checkpoint>),
}

impl<'a> Job<'a> {
    /// A new run that searches a genotype, trains its network and tests it. `command` is the command
    /// line to repeat it with, `place` where networks run.
    ///
    /// Images are read before anything is written: where they are missing, no folder is left.
    ///
    /// # Errors
    /// The configuration is out of range, images cannot be read, the machine lacks the memory, or the
    /// folder holds a run or cannot be written.
    pub fn search(
        folder: RunFolder,
        config: RunConfig,
        source: &'a dyn ImageSource,
        command: Vec<String>,
        place: Place,
    ) -> Result<Self> {
        Self::new(
            folder,
            RunConfig {
                task: Task::Search,
                ..config
            },
            source,
            command,
            place,
            (Begin::Search, None),
        )
    }

    /// A new run that trains the network of `genotype` and tests it.
    ///
    /// # Errors
    /// As [`Job::search`], and if a device cannot compute the network or has no room for it.
    pub fn train(
        folder: RunFolder,
        config: RunConfig,
        genotype: Genotype,
        source: &'a dyn ImageSource,
        command: Vec<String>,
        place: Place,
    ) -> Result<Self> {
        let config = RunConfig {
            task: Task::Train,
            ..config
        };
        let begin = Begin::Train(genotype, None);
        Self::new(folder, config, source, command, place, (begin, None))
    }

    /// A new run that trains the cell of another, `from`, on other images, and tests it.
    ///
    /// # Errors
    /// As [`Job::train`].
    pub fn transfer(
        folder: RunFolder,
        config: RunConfig,
        genotype: Genotype,
        from: &TransferSource,
        source: &'a dyn ImageSource,
        command: Vec<String>,
        place: Place,
    ) -> Result<Self> {
        let config = RunConfig {
            task: Task::Train,
            ..config
        };
        let begin = Begin::Train(genotype, None);
        Self::new(folder, config, source, command, place, (begin, Some(from)))
    }

    /// As [`Job::train`], from these weights and running statistics.
    ///
    /// # Errors
    /// As [`Job::train`], and if they are of another network.
    pub fn train_from(
        folder: RunFolder,
        config: RunConfig,
        genotype: Genotype,
        weights: Vec<NamedTensor>,
        source: &'a dyn ImageSource,
        command: Vec<String>,
        place: Place,
    ) -> Result<Self> {
        let config = RunConfig {
            task: Task::Train,
            ..config
        };
        let begin = Begin::Train(genotype, Some(weights));
        Self::new(folder, config, source, command, place, (begin, None))
    }

    fn new(
        folder: RunFolder,
        config: RunConfig,
        source: &'a dyn ImageSource,
        command: Vec<String>,
        place: Place,
        (begin, from): (Begin, Option<&TransferSource>),
    ) -> Result<Self> {
        config.check("configuration")?;
        let data = RunData::new(&config, source.load(Part::Train)?)?;
        require_memory(&place, &config, data.shape)?;
        if let Begin::Train(genotype, _) = &begin {
            require_device(&place, &config, &data, genotype)?;
        }
        let lock = folder.create()?;
        if let Begin::Train(genotype, weights) = &begin {
            write_atomically(&folder.genotype(), genotype.to_json().as_bytes())?;
            match weights {
                Some(weights) => tensor_file::write(&folder.weights(), &WEIGHTS, weights)?,
                // Of a run that never came to be.
                None => drop(fs::remove_file(folder.weights())),
            }
        }
        match from {
            Some(from) => from.write(&folder.transfer())?,
            // As above.
            None => drop(fs::remove_file(folder.transfer())),
        }
        // Last: from here on the folder holds a run, and all it needs is there.
        write_atomically(&folder.config(), config.to_toml()?.as_bytes())?;
        let records = Records {
            command,
            computed_on: vec![ComputedOn::of(&place)],
            ..Records::default()
        };
        let last_checkpoint = None;
        Ok(Self {
            folder,
            config,
            source,
            data,
            begin,
            records,
            place,
            last_checkpoint,
            _lock: lock,
        })
    }

    /// The run in `folder`, from where its newest checkpoint was made. It may go on in another place.
    ///
    /// # Errors
    /// There is no run, it is finished, another process works on it, its checkpoint belongs to another
    /// configuration, or images cannot be read.
    pub fn resume(folder: RunFolder, source: &'a dyn ImageSource, place: Place) -> Result<Self> {
        let config = folder.read_config()?;
        let lock = folder.lock()?;
        if folder.summary().is_file() {
            return Err(Error::Finished {
                path: folder.path().to_owned(),
            });
        }
        remove_unfinished(folder.path());
        remove_unfinished(&folder.checkpoints());
        let (begin, mut records, last_checkpoint) = match Checkpoint::newest(&folder, &config)? {
            Some((path, checkpoint)) => {
                let records = checkpoint.records.clone();
                (Begin::Checkpoint(Box::new(checkpoint)), records, Some(path))
            }
            // Killed before the first checkpoint: nothing was done yet.
            None => (Self::beginning(&folder, &config)?, Records::default(), None),
        };
        let here = ComputedOn::of(&place);
        if records.computed_on.last() != Some(&here) {
            records.computed_on.push(here);
        }
        let data = RunData::new(&config, source.load(Part::Train)?)?;
        require_memory(&place, &config, data.shape)?;
        Ok(Self {
            folder,
            config,
            source,
            data,
            begin,
            records,
            place,
            last_checkpoint,
            _lock: lock,
        })
    }

    fn beginning(folder: &RunFolder, config: &RunConfig) -> Result<Begin> {
        match config.task {
            Task::Search => Ok(Begin::Search),
            Task::Train => {
                let genotype = read_genotype(&folder.genotype())?;
                Ok(Begin::Train(genotype, read_weights(&folder.weights())?))
            }
        }
    }

    /// Every setting of the run.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Works until the run has its results or `stop` is set: then it saves after the step at hand.
    ///
    /// # Errors
    /// A loss is no number any more, or a file cannot be written. What was saved before stays, and the
    /// reason stands in `failure.txt`.
    pub fn run(self, progress: &mut dyn Progress, stop: &AtomicBool) -> Result<Outcome> {
        let failure = self.folder.failure();
        // The last failure is history once the run goes on.
        let _ = fs::remove_file(&failure);
        let outcome = self.work(progress, stop);
        if let Err(error) = &outcome {
            // On a full disk this fails too, and the error itself is what matters.
            let _ = fs::write(&failure, format!("{error}\n"));
        }
        outcome
    }

    fn work(self, progress: &mut dyn Progress, stop: &AtomicBool) -> Result<Outcome> {
        let Self {
            folder,
            config,
            source,
            data,
            begin,
            records,
            place,
            last_checkpoint,
            _lock,
        } = self;
        let computed_on = records.computed_on.clone();
        let mut driver = Driver::new(&folder, &config, records, last_checkpoint)?;
        progress.event(&Event::Computing(&computed_on));
        let mut audience = Audience { progress, stop };
        let mut train = match Begun::new(begin, &place, &config, &data)? {
            Begun::Train(train) => train,
            Begun::Search(mut search) => {
                if let Some(checkpoint) = driver.drive(&mut search, &mut audience)? {
                    return Ok(Outcome::Interrupted(checkpoint));
                }
                let found = search.finish()?;
                found.write_files(&folder)?;
                // All time up to here is the search's.
                driver.records(Phase::Search);
                Train::start(&place, &config, &data, found.genotype, Some(found.result))?
            }
        };
        if let Some(checkpoint) = driver.drive(&mut train, &mut audience)? {
            return Ok(Outcome::Interrupted(checkpoint));
        }
        let mut trained = train.finish(&data);
        trained.write(&folder)?;
        let records = driver.records(Phase::Train).clone();
        let conclusion = Conclusion {
            config: &config,
            data: &data,
            records,
        };
        let summary = conclusion.of(trained, source, audience.progress)?;
        summary.write(&folder.summary())?;
        Ok(Outcome::Finished(Box::new(summary)))
    }
}

/// A phase under way.
enum Begun {
    Search(Search),
    Train(Train),
}

impl Begun {
    fn new(begin: Begin, place: &Place, config: &RunConfig, data: &RunData) -> Result<Self> {
        let Checkpoint { phase, tensors, .. } = match begin {
            Begin::Search => return Search::start(place, config, data).map(Self::Search),
            Begin::Train(genotype, None) => {
                return Train::start(place, config, data, genotype, None).map(Self::Train);
            }
            Begin::Train(genotype, Some(weights)) => {
                return Train::start_from(place, config, data, genotype, &weights).map(Self::Train);
            }
            Begin::Checkpoint(checkpoint) => *checkpoint,
        };
        match phase {
            PhaseState::Search(state) => {
                Search::resume(place, config, data, state, &tensors).map(Self::Search)
            }
            PhaseState::Train(state) => {
                Train::resume(place, config, data, state, &tensors).map(Self::Train)
            }
        }
    }
}

/// Refuses a network that the device cannot compute or has no room for: it alone knows, and shows it when the network is made.
fn require_device(
    place: &Place,
    config: &RunConfig,
    data: &RunData,
    genotype: &Genotype,
) -> Result<()> {
    if place.is_device() {
        let (network, execution) = (data.shape.train_network(config), config.train_execution());
        let topology = Topology::from_genotype(genotype);
        Network::on(place, network, topology, execution, config.seed)?;
    }
    Ok(())
}

/// The weights that a run starts from, if it has any of its own.
fn read_weights(path: &Path) -> Result<Option<Vec<NamedTensor>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let (description, tensors): (String, _) = tensor_file::read(path)?;
    match description == WEIGHTS {
        true => Ok(Some(tensors)),
        false => Err(Error::malformed(
            path,
            format!("is {description}, expected {WEIGHTS}"),
        )),
    }
}

fn read_genotype(path: &Path) -> Result<Genotype> {
    let text = fs::read_to_string(path).map_err(|source| Error::io("read", path, source))?;
    Genotype::from_json(&text).map_err(|error| Error::malformed(path, error.to_string()))
}
