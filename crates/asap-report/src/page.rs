//! The page: one HTML file with everything in it.

use std::fmt::Write;

use crate::cell_svg::genotype_svg;
use crate::escape::escape;
use crate::palette;
use crate::read::Phase;
use crate::run::Report;
use crate::{costs, decisions, op_weights, progress, results, transfer};

const STYLE: &str = include_str!("page.css");

pub(crate) fn render(report: &Report) -> String {
    let title = format!("{} {}", report.task(), report.id());
    let sections = [
        results::tiles(report),
        transfer::section(report),
        cells(report),
        progress::section(report, Phase::Search),
        op_weights::section(report),
        decisions::section(report),
        progress::section(report, Phase::Train),
        results::classes(report),
        costs::section(report),
        Some(repeat(report)),
        settings(report),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <meta name=\"color-scheme\" content=\"light dark\"/><title>{}</title>\
         <style>{}{STYLE}</style></head><body><main>{}{}</main></body></html>\n",
        escape(&title),
        palette::style(),
        head(report),
        sections.into_iter().flatten().collect::<String>(),
    )
}

fn head(report: &Report) -> String {
    let kind = if report.task() == "train" {
        "Training"
    } else {
        "Search"
    };
    let mut facts = Vec::new();
    let summary = report.summary.as_ref();
    let setting = |key| report.setting(key).map(str::to_owned);
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.push(format!("{name} <b>{}</b>", escape(&value)));
        }
    };
    fact("data", summary.and_then(|summary| summary.data.clone()));
    fact(
        "preset",
        summary
            .and_then(|summary| summary.preset.clone())
            .or_else(|| setting("preset")),
    );
    fact("recipe", summary.and_then(|summary| summary.recipe.clone()));
    let seed = summary
        .and_then(|summary| summary.seed)
        .map(|seed| seed.to_string());
    fact("seed", seed.or_else(|| setting("seed")));
    let threads = summary
        .and_then(|summary| summary.threads)
        .map(|threads| threads.to_string());
    fact("threads", threads.or_else(|| setting("threads")));
    fact(
        "instructions",
        summary.and_then(|summary| summary.simd.clone()),
    );
    fact("asap", summary.and_then(|summary| summary.version.clone()));
    format!(
        "<header><h1>{kind} <span>{}</span>{}</h1><p class=\"facts\">{}</p><p>{}</p></header>",
        escape(&report.id()),
        state(report),
        facts.join(" · "),
        results::in_words(report),
    )
}

/// How far the run has come, as a badge and a sentence where there is more to say.
fn state(report: &Report) -> String {
    if report.summary.is_some() {
        return " <em class=\"badge done\">finished</em>".to_owned();
    }
    let mut html = " <em class=\"badge\">not finished</em>".to_owned();
    if let Some(reason) = &report.failure {
        let _ = write!(
            html,
            "<small class=\"failure\">It ended early: {}</small>",
            escape(reason.trim())
        );
        return html;
    }
    let Some(last) = report.metrics.last() else {
        return html + "<small>No epoch has ended yet.</small>";
    };
    let planned = last
        .epochs
        .map_or(String::new(), |epochs| format!(" of {epochs}"));
    let _ = match last.phase {
        Phase::Search => {
            write!(
                html,
                "<small>The search has done epoch {}{planned}.</small>",
                last.epoch
            )
        }
        Phase::Train => {
            write!(
                html,
                "<small>The training has done epoch {}{planned}.</small>",
                last.epoch
            )
        }
    };
    html
}

fn cells(report: &Report) -> Option<String> {
    let genotype = report.genotype.as_ref()?;
    let found = report.search_has_ended();
    let title = match (report.task(), found) {
        ("train", _) => "The cells",
        (_, true) => "The cells that were found",
        (_, false) => "The cells as they stand",
    };
    let remark = if found || report.task() == "train" {
        "A box is a node, the sum of what comes in; a label is the operation on an edge. Inputs are the \
         outputs of the two cells before."
    } else {
        "The search is not finished: these are the strongest operations and edges so far."
    };
    Some(format!(
        "<section id=\"cells\"><h2>{title}</h2><p>{remark}</p><div class=\"wide cells\">{}</div><details>\
         <summary>As text that DARTS code reads</summary><pre>{}</pre></details></section>",
        genotype_svg(genotype),
        escape(&genotype.to_darts()),
    ))
}

/// The commands that repeat the run, or go on with it.
fn repeat(report: &Report) -> String {
    let folder = quoted(&report.folder.to_string_lossy());
    let task = report.task();
    let mut html = String::from("<section id=\"repeat\"><h2>Do it again</h2>");
    let mut command = |remark: &str, command: &str| {
        let _ = write!(html, "<p>{remark}</p><pre>{}</pre>", escape(command));
    };
    match &report.summary {
        Some(summary) if !summary.command.is_empty() => {
            let words: Vec<String> = without_folder(&summary.command)
                .map(|word| quoted(word))
                .collect();
            command(
                "The command that started this run; a new run gets a folder of its own, or one named by --out:",
                &words.join(" "),
            );
        }
        Some(_) => {}
        None => command(
            "Go on where it stopped:",
            &format!("asap {task} --resume {folder}"),
        ),
    }
    if report.config.is_some() {
        let config = quoted(&report.folder.join("config.toml").to_string_lossy());
        // A training needs to be told whose cells it trains: here those of this run.
        let cells = if task == "train" {
            format!("{folder} ")
        } else {
            String::new()
        };
        command(
            "A new run with the same settings; with as many threads and the same instructions it \
             gives the same bytes:",
            &format!("asap {task} {cells}--config {config}"),
        );
    }
    html + "</section>"
}

fn settings(report: &Report) -> Option<String> {
    let config = report.config.as_ref()?;
    Some(format!(
        "<section id=\"settings\"><h2>Settings</h2><details><summary>config.toml</summary>\
         <pre>{}</pre></details></section>",
        escape(config.trim_end())
    ))
}

/// The words of a command without the folder of the run: that one is taken.
fn without_folder(command: &[String]) -> impl Iterator<Item = &String> {
    let mut after_out = false;
    command.iter().filter(move |word| {
        let is_folder = std::mem::replace(&mut after_out, *word == "--out");
        !(is_folder || *word == "--out" || word.starts_with("--out="))
    })
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "_-./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_run_is_no_part_of_the_command_that_repeats_it() {
        let without = |command: &str| {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let left: Vec<String> = without_folder(&words).cloned().collect();
            left.join(" ")
        };
        for command in [
            "asap search --out runs/a --seed 7",
            "asap search --seed 7 --out runs/a",
            "asap search --out=runs/a --seed 7",
            "asap search --seed 7",
        ] {
            assert_eq!(without(command), "asap search --seed 7", "{command}");
        }
    }

    #[test]
    fn words_for_the_shell_are_quoted_where_they_must_be() {
        let words = ["--seed", "runs/a-1", "my data", "it's", ""].map(quoted);
        assert_eq!(
            words,
            ["--seed", "runs/a-1", "'my data'", "'it'\\''s'", "''"]
        );
    }
}
