//! The page of a run: whole, escaped, self-contained, and honest about what is not there.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod made_run;
mod markup;

use std::fs;
use std::path::Path;

use asap_anneal::LedgerLine;
use asap_report::Report;
use made_run::EPOCHS;

fn page(folder: &Path) -> String {
    let page = Report::read(folder).unwrap().render();
    markup::tags(&page);
    page
}

/// The ids of the sections in their order.
fn sections(page: &str) -> Vec<String> {
    let tags = markup::tags(page);
    let sections = tags.iter().filter(|tag| tag.name == "section");
    sections
        .map(|tag| tag.attribute("id").unwrap().to_owned())
        .collect()
}

#[test]
fn a_finished_search_shows_everything() {
    let page = page(&made_run::finished("finished"));
    assert_eq!(
        sections(&page),
        [
            "cells",
            "search",
            "op-weights",
            "decisions",
            "training",
            "test",
            "costs",
            "repeat",
            "settings"
        ]
    );
    for text in [
        "<em class=\"badge done\">finished</em>",
        "<b>91.27 %</b><small>of 10,000 images</small>",
        "<b>162.3 k</b><small>162,334</small>",
        "<b>5.1×</b><small>faster by pruning, from 110 ms to 21.4 ms</small>",
        "<b>2 min 22 s</b>",
        "<b>0.0312</b>",
        "<pre>asap search --seed 7</pre>",
        "<b>99.51 %</b><small>the class is among the five likeliest</small>",
        "<b>2.13 %</b>",
        "<td>on disk as f16</td><td>324.7 KiB</td>",
        "<td>activations and their gradients in a training step of 64 images</td><td>60.0 MiB</td>",
        "initial_temperature = 1.6",
        "In 12 epochs the search went from 196 operations on 28 edges to 25; 9 more decisions were \
         forced.",
        "<td>Ankle boot</td><td>1,000</td><td>59.00 %</td><td>74.70 %</td>",
        "Genotype(normal=[(&#39;",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(page.matches("<figure class=\"chart\">").count(), 6 + 3);
    assert_eq!(page.matches("<title>op weights of edge ").count(), 28);
}

#[test]
fn the_confusion_matrix_is_drawn_with_a_square_for_every_pair() {
    let folder = made_run::finished("confusion");
    let whole = page(&folder);
    assert_eq!(whole.matches("<g class=\"pair").count(), 100);
    assert_eq!(whole.matches("<g class=\"pair right\"").count(), 10);
    assert!(whole.contains("<title>990 of T-shirt/top taken for T-shirt/top</title>"));
    // A matrix that is none is left out, and the table stays.
    let path = folder.join("summary.json");
    let mut summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    summary["test"]["confusion"] = serde_json::json!([[1], [2, 3]]);
    fs::write(&path, summary.to_string()).unwrap();
    let without = page(&folder);
    assert!(!without.contains("<g class=\"pair") && without.contains("<td>Ankle boot</td>"));
}

#[test]
fn a_transfer_stands_beside_the_run_its_cells_came_from() {
    let folder = made_run::finished("transfer");
    assert!(!sections(&page(&folder)).contains(&"transfer".to_owned()));
    let from = serde_json::json!({
        "run": "/runs/source", "data": "<cifar10>", "recipe": "darts", "test_accuracy": 0.9712,
        "test_images": 10000, "parameters": 2_538_046, "macs": 400_000_000, "classes": 100, "height": 32, "width": 32,
    });
    fs::write(folder.join("transfer.json"), from.to_string()).unwrap();
    let page = page(&folder);
    for row in [
        "<td>data</td><td>&lt;cifar10&gt;</td><td>fashion-mnist</td>",
        "<td>classes</td><td>100</td><td>10</td>",
        "<td>resolution in pixels</td><td>32 x 32</td><td>28 x 28</td>",
        "<td>test accuracy</td><td>97.12 %</td><td>91.27 %</td>",
        "<td>recipe</td><td>darts</td><td>quick</td>",
        "<td>parameters</td><td>2,538,046</td><td>162,334</td>",
    ] {
        assert!(page.contains(row), "{row}");
    }
}

#[test]
fn averaged_weights_have_a_tile_and_a_curve() {
    let folder = made_run::finished("averaged");
    let path = folder.join("summary.json");
    let mut summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    summary["test_ema"] = serde_json::json!({"images": 10000, "accuracy": 0.9201});
    fs::write(&path, summary.to_string()).unwrap();
    let path = folder.join("metrics.jsonl");
    let metrics = fs::read_to_string(&path).unwrap();
    let train = "\"phase\":\"train\"";
    assert!(!page(&folder).contains("<th>validation accuracy, averaged weights</th>"));
    fs::write(
        &path,
        metrics.replace(train, &format!("\"ema_val_accuracy\":0.9,{train}")),
    )
    .unwrap();
    let page = page(&folder);
    assert!(page.contains("<b>92.01 %</b><small>the same with averaged weights</small>"));
    assert!(page.contains("<th>validation accuracy, averaged weights</th>"));
}

#[test]
fn the_page_loads_nothing() {
    let page = page(&made_run::finished("alone"));
    for tag in markup::tags(&page) {
        assert!(!["script", "link", "img", "iframe", "object"].contains(&tag.name.as_str()));
        assert!(tag.attribute("src").is_none() && tag.attribute("href").is_none());
    }
    assert!(!page.contains("url(") && !page.contains("@import"));
    assert_eq!(
        page.matches("http").count(),
        page.matches("http://www.w3.org/2000/svg").count()
    );
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("width=device-width"));
}

#[test]
fn forced_and_noisy_decisions_are_counted_as_the_ledger_itself_counts_them() {
    let folder = made_run::finished("decisions");
    let text = fs::read_to_string(folder.join("ledger.jsonl")).unwrap();
    let ledger: Vec<LedgerLine> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let forced: Vec<&LedgerLine> = ledger.iter().filter(|line| line.forced).collect();
    let noise = |forced: bool| {
        let noisy = ledger
            .iter()
            .filter(|line| line.forced == forced && line.explained_by_noise());
        noisy.count()
    };
    assert!(
        !forced.is_empty() && noise(false) > 0,
        "the made run shows nothing"
    );
    let page = page(&folder);
    let words = format!(
        "{} removals: {} by annealing, {} forced because the plan was over. Noise alone would explain \
         {} of those by annealing and {} of the forced ones",
        ledger.len(),
        ledger.len() - forced.len(),
        forced.len(),
        noise(false),
        noise(true),
    );
    assert!(page.contains(&words), "{words}");

    let (start, end) = (
        page.find("Forced decisions").unwrap(),
        page.find("removals in").unwrap(),
    );
    let rows: Vec<&str> = page[start..end].split("<tr>").skip(2).collect();
    assert_eq!(rows.len(), forced.len());
    for (row, line) in rows.iter().zip(forced) {
        assert!(row.contains("<span class=\"mark\">forced</span>"));
        assert_eq!(
            row.contains("<span class=\"mark\">noise</span>"),
            line.explained_by_noise()
        );
        let edge = format!("<td>{} → {}</td>", line.edge.from(), line.edge.to());
        assert!(
            row.contains(&format!("<td>{}</td>{edge}", line.cell)),
            "{row}"
        );
        if let Some(operation) = line.operation {
            assert!(row.contains(&format!(
                "<i class=\"dot op-{operation}\"></i>{operation}</td>"
            )));
        }
    }
}

#[test]
fn a_search_without_forced_decisions_says_so() {
    let folder = made_run::finished("unforced");
    let text = fs::read_to_string(folder.join("ledger.jsonl")).unwrap();
    fs::write(
        folder.join("ledger.jsonl"),
        text.replace("\"forced\":true", "\"forced\":false"),
    )
    .unwrap();
    assert!(page(&folder).contains("No decision was forced."));
}

#[test]
fn an_unfinished_search_says_how_far_it_is_and_how_to_go_on() {
    let folder = made_run::unfinished("unfinished", 7);
    let page = page(&folder);
    assert_eq!(
        sections(&page),
        [
            "cells",
            "search",
            "op-weights",
            "decisions",
            "repeat",
            "settings"
        ]
    );
    let epochs = format!("The search has done epoch 7 of {EPOCHS}.");
    for text in [
        "not finished",
        &epochs,
        "The cells as they stand",
        "The search is not finished",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let resume = format!("asap search --resume {}", folder.display());
    let config = format!("asap search --config {}/config.toml", folder.display());
    assert!(page.contains(&resume) && page.contains(&config));
    assert!(!page.contains("test accuracy"));
}

#[test]
fn a_run_that_has_only_begun_has_a_page() {
    let folder = made_run::unfinished("begun", 0);
    fs::remove_file(folder.join("genotype.json")).unwrap();
    let begun = page(&folder);
    assert_eq!(sections(&begun), ["repeat", "settings"]);
    assert!(begun.contains("No epoch has ended yet."));
    // One epoch of grace: no alphas, no removal yet.
    assert_eq!(
        sections(&page(&made_run::unfinished("one", 1)))[..3],
        ["cells", "search", "op-weights"]
    );
}

#[test]
fn a_failed_run_shows_its_reason_escaped() {
    let folder = made_run::unfinished("failed", 3);
    fs::write(
        folder.join("failure.txt"),
        "loss is NaN <at> step 5 & later\n",
    )
    .unwrap();
    assert!(
        page(&folder).contains("It ended early: loss is NaN &lt;at&gt; step 5 &amp; later</small>")
    );
}

#[test]
fn a_training_without_a_search_has_no_parts_of_one() {
    let folder = made_run::finished("training");
    fs::write(folder.join("config.toml"), "task = \"train\"\n").unwrap();
    fs::remove_file(folder.join("ledger.jsonl")).unwrap();
    let metrics = fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let train: Vec<&str> = metrics
        .lines()
        .filter(|line| line.contains("\"train\""))
        .collect();
    fs::write(folder.join("metrics.jsonl"), train.join("\n") + "\n").unwrap();
    let page = page(&folder);
    assert_eq!(
        sections(&page),
        ["cells", "training", "test", "costs", "repeat", "settings"]
    );
    assert!(page.contains("<h1>Training <span>training</span>"));
    let folder = folder.display();
    assert!(page.contains(&format!(
        "asap train {folder} --config {folder}/config.toml"
    )));
}

#[test]
fn text_from_files_cannot_become_markup() {
    let folder = made_run::finished("escape <i>&'\"");
    let evil = "</pre><script>alert(1)</script>&";
    fs::write(
        folder.join("config.toml"),
        format!("preset = \"{evil}\"\n# {evil}\n"),
    )
    .unwrap();
    let path = folder.join("summary.json");
    let mut summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    summary["data"] = evil.into();
    summary["preset"] = evil.into();
    summary["simd"] = evil.into();
    summary["version"] = evil.into();
    summary["command"] = serde_json::json!(["asap", evil]);
    summary["test"]["classes"][3]["name"] = evil.into();
    fs::write(&path, summary.to_string()).unwrap();
    let page = page(&folder);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    assert!(page.contains("escape &lt;i&gt;&amp;&#39;&quot;"));
}

#[test]
fn absent_and_unknown_fields_are_no_reason_to_fail() {
    let folder = made_run::folder("tolerant");
    fs::write(
        folder.join("metrics.jsonl"),
        "{\"phase\":\"search\",\"epoch\":1}\n{\"phase\":\"search\",\"epoch\":2,\"weight_loss\":null,\
         \"val_accuracy\":0.5,\"news\":[1]}\n",
    )
    .unwrap();
    let line = "{\"epoch\":1,\"cell\":\"normal\",\"edge\":{\"from\":0,\"to\":2}}\n";
    fs::write(folder.join("ledger.jsonl"), line).unwrap();
    fs::write(folder.join("summary.json"), "{\"news\":1,\"test\":{}}").unwrap();
    let page = page(&folder);
    assert_eq!(sections(&page), ["search", "decisions", "repeat"]);
    assert!(page.contains("last <b>50 %</b>") || page.contains("validation <b>50 %</b>"));
    assert!(!page.contains("NaN"));
}

#[test]
fn a_last_line_cut_short_is_left_out_and_any_other_bad_line_is_named() {
    let folder = made_run::unfinished("cut", 4);
    let path = folder.join("metrics.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let before = page(&folder);
    fs::write(&path, format!("{whole}{{\"phase\":\"sea")).unwrap();
    assert_eq!(page(&folder), before);

    fs::write(&path, format!("{whole}{{\"phase\":\"sea\n")).unwrap();
    let error = Report::read(&folder).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{}: line 5: ", path.display())),
        "{error}"
    );
}

#[test]
fn errors_name_the_file() {
    let folder = made_run::folder("empty");
    let error = Report::read(&folder).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{}: no run in this folder, expected its config.toml",
            folder.display()
        )
    );
    for (file, text) in [
        ("genotype.json", "{"),
        ("summary.json", "[]"),
        ("ledger.jsonl", "{}\n"),
        ("config.toml", "\u{0}"),
    ] {
        let folder = made_run::unfinished("broken", 1);
        let path = folder.join(file);
        // Text that is no UTF-8 cannot be read at all.
        let bytes = if file == "config.toml" {
            vec![0xff]
        } else {
            text.as_bytes().to_vec()
        };
        fs::write(&path, bytes).unwrap();
        let error = Report::read(&folder).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn the_page_is_written_whole_and_leaves_nothing_beside_it() {
    let folder = made_run::finished("written");
    let report = Report::read(&folder).unwrap();
    let path = folder.join("report.html");
    report.write(&path).unwrap();
    report.write(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), report.render());
    let left = fs::read_dir(&folder).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".tmp")
    });
    assert_eq!(left.count(), 0);
    let missing = folder.join("no such folder").join("report.html");
    let error = report.write(&missing).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot write {}: ", missing.display())),
        "{error}"
    );
}
