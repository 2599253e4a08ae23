//! The program as a person or a script runs it: what it prints, what it leaves on the disk, how it ends.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bad_data;
mod bad_input;
mod bench;
mod configuration;
mod external;
mod golden_state;
mod help;
mod interruption;
mod own_images;
mod place;
mod program;
mod recipes;
mod show;
mod small_run;
mod unlucky_run;
