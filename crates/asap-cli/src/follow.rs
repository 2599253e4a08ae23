//! How a run is followed: a live bar on a terminal, one plain line per epoch anywhere else.

use crate::{output, quantities};
use asap_train::{EpochMetrics, Event, Progress, StepReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Shows a run on stderr.
pub(crate) struct Follower {
    /// Absent where nobody watches.
    bar: Option<ProgressBar>,
    /// Of the last step, for the line of its epoch.
    seconds_left: f64,
    on_device: bool,
}

impl Follower {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(new_bar);
        Self {
            bar,
            seconds_left: 0.0,
            on_device: false,
        }
    }

    fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => output::note(text),
        }
    }
}

impl Progress for Follower {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Computing(devices) => {
                let Some((now, before)) = devices.split_last() else {
                    return;
                };
                self.on_device = now.device != "cpu";
                match before.last() {
                    Some(before) => self.note(&format!("goes on with {now}, after {before}")),
                    None if self.on_device => self.note(&format!("{now} computes")),
                    None => {}
                }
            }
            Event::PhaseStarted {
                phase,
                epochs,
                steps,
                images_on_device,
                done,
            } => {
                if self.on_device {
                    self.note(match images_on_device {
                        true => "images lie on the device, which crops, mirrors and cuts out",
                        false => {
                            "batches are prepared by the CPU: images are read from files or changed in more ways than a \
                             device can"
                        }
                    });
                }
                if *done > 0 {
                    self.note(&format!("{} goes on after {done} steps", phase.name()));
                }
                if let Some(bar) = &self.bar {
                    bar.reset();
                    bar.set_length((epochs * steps) as u64);
                    bar.set_position(*done as u64);
                    bar.set_prefix(phase.name());
                }
            }
            Event::Step(report) => {
                self.seconds_left = report.seconds_left;
                if let Some(bar) = &self.bar {
                    bar.set_position((report.epoch * report.steps + report.step + 1) as u64);
                    bar.set_message(step_text(report));
                }
            }
            Event::EpochEnded(metrics) if self.bar.is_none() => {
                output::note(epoch_text(metrics, self.seconds_left));
            }
            Event::Testing { images } => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
                self.note(&format!(
                    "testing on {} images",
                    quantities::count(*images as u64)
                ));
            }
            _ => {}
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{prefix} {wide_bar} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What stands beside the bar.
fn step_text(report: &StepReport) -> String {
    let mut text = format!("epoch {}/{}", report.epoch + 1, report.epochs);
    if let Some(temperature) = report.temperature {
        text += &format!("  T {temperature:.3}");
    }
    if let Some(operations) = report.operations_alive {
        text += &format!("  {operations} operations");
    }
    text += &format!("  loss {:.3}", report.weight_loss);
    if let Some(loss) = report.alpha_loss {
        text += &format!("  alphas {loss:.3}");
    }
    let left = quantities::duration(report.seconds_left);
    text + &format!("  {:.0} images/s  {left} left", report.images_per_second)
}

/// The line of an epoch.
fn epoch_text(metrics: &EpochMetrics, seconds_left: f64) -> String {
    let phase = metrics.phase.name();
    let mut text = format!("{phase} epoch {}/{}", metrics.epoch, metrics.epochs);
    if let Some(temperature) = metrics.temperature {
        text += &format!("  T {temperature:.3}");
    }
    if let Some(operations) = metrics.operations_alive {
        text += &format!("  {operations} operations");
    }
    text += &format!("  loss {:.3}", metrics.weight_loss);
    if let Some(loss) = metrics.alpha_loss {
        text += &format!("  alphas {loss:.3}");
    }
    if let (Some(loss), Some(accuracy)) = (metrics.val_loss, metrics.val_accuracy) {
        text += &format!("  validation {loss:.3} {}", quantities::percent(accuracy));
    }
    let left = quantities::duration(seconds_left);
    text + &format!("  {:.0} images/s  {left} left", metrics.images_per_second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use asap_train::Phase;

    fn report() -> StepReport {
        StepReport {
            phase: Phase::Search,
            epoch: 2,
            epochs: 10,
            step: 3,
            steps: 64,
            weight_loss: 1.25,
            weight_accuracy: 0.5,
            alpha_loss: Some(1.5),
            temperature: Some(0.98765),
            operations_alive: Some(120),
            images_per_second: 812.4,
            seconds_left: 130.0,
        }
    }

    #[test]
    fn a_step_of_the_search_says_all_there_is_to_say() {
        assert_eq!(
            step_text(&report()),
            "epoch 3/10  T 0.988  120 operations  loss 1.250  alphas 1.500  812 images/s  \
             2 min 10 s left"
        );
    }

    #[test]
    fn what_a_phase_does_not_have_is_left_out() {
        let report = StepReport {
            phase: Phase::Train,
            alpha_loss: None,
            temperature: None,
            operations_alive: None,
            ..report()
        };
        assert_eq!(
            step_text(&report),
            "epoch 3/10  loss 1.250  812 images/s  2 min 10 s left"
        );
    }
}
