//! Runs the commands in the README's console blocks, and compares their output.

use std::fmt::Write;
use std::process::Command;

use harness::{App, without};

/// A command in the README, and the output that it shows.
#[derive(Debug)]
struct Step {
    command: String,
    output: String,
}

/// The steps of every block of `markdown` that is marked as `console`.
fn steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_in_block = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            is_in_block = line == "```console";
        } else if !is_in_block {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                output: String::new(),
            });
        } else if let Some(step) = steps.last_mut() {
            let continued = step.output.is_empty() && step.command.ends_with('\\');
            let part = if continued {
                &mut step.command
            } else {
                &mut step.output
            };
            writeln!(part, "{}{line}", if continued { "\n" } else { "" }).expect("a string takes all");
            if continued {
                part.truncate(part.trim_end().len());
            }
        }
    }
    steps
}

/// Output without what differs from run to run: dates, times, and the random part of entity tags. Header fields are
/// sorted. `Last-Modified` is left out: it is there once the second of the last change is over.
fn comparable(output: &str) -> String {
    let output = output.replace('\r', "");
    let (head, body) = match output.split_once("\n\n") {
        Some((head, body)) if head.starts_with("HTTP/") => (head, body),
        _ => ("", output.as_str()),
    };
    let mut lines: Vec<_> = head
        .lines()
        .filter(|line| !line.starts_with("date: ") && !line.starts_with("last-modified: "))
        .map(|line| match (line.strip_prefix("etag: "), line.split_once('-')) {
            (Some(_), Some((revision, _))) => format!("{revision}-…\""),
            _ => line.to_owned(),
        })
        .collect();
    lines.sort();
    format!("{}\n\n{}", lines.join("\n"), without_times(body.trim_end()))
}

/// The text with `…` for each time of RFC 3339.
fn without_times(text: &str) -> String {
    let form = "0000-00-00T00:00:00.000Z";
    let is_time = |candidate: &str| {
        candidate
            .bytes()
            .zip(form.bytes())
            .all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                other => byte == other,
            })
    };
    let mut rest = text;
    let mut result = String::new();
    while let Some(character) = rest.chars().next() {
        if rest.get(..form.len()).is_some_and(is_time) {
            result.push('…');
            rest = &rest[form.len()..];
        } else {
            result.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    result
}

/// The entity tag of an answer that was printed with its head.
fn entity_tag(output: &str) -> Option<&str> {
    let line = output.lines().find_map(|line| line.strip_prefix("etag: "))?;
    Some(line.trim().trim_matches('"'))
}

#[tokio::test]
async fn the_readme_shows_what_its_commands_print() {
    if without("curl") {
        return;
    }
    let readme = std::fs::read_to_string(harness::root().join("README.md")).unwrap();
    let steps = steps(&readme);
    assert!(steps.len() >= 8, "only {} commands", steps.len());
    let app = App::start().await;
    // Entity tags in the README, each with its counterpart in this run.
    let mut tags: Vec<(String, String)> = Vec::new();
    for Step { command, output } in steps {
        assert!(command.contains("localhost:3000"), "{command}");
        let mut run = command.replace("localhost:3000", app.address());
        for (shown, real) in &tags {
            run = run.replace(shown, real);
        }
        let shell = run.clone();
        let ran = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &shell]).output());
        let ran = ran.await.unwrap().unwrap();
        let printed = String::from_utf8(ran.stdout).unwrap();
        assert!(ran.status.success(), "{run}: {}", ran.status);
        assert_eq!(comparable(&printed), comparable(&output), "{run}");
        if let (Some(shown), Some(real)) = (entity_tag(&output), entity_tag(&printed)) {
            tags.push((shown.to_owned(), real.to_owned()));
        }
    }
    app.stop();
}

#[test]
fn a_difference_in_an_answer_is_seen() {
    let answer = "HTTP/1.1 200 OK\r\netag: \"2-0a1b\"\r\ndate: Mon\r\ncontent-length: 2\r\n\r\n{\"time\":\"2026-11-25T15:12:14.123Z\"}";
    let same =
        "HTTP/1.1 200 OK\ncontent-length: 2\netag: \"2-ffff\"\n\n{\"time\":\"2027-01-02T03:04:05.678Z\"}\n";
    assert_eq!(comparable(answer), comparable(same));
    for (from, to) in [
        ("200", "201"),
        ("2-", "3-"),
        ("length: 2", "length: 3"),
        ("time", "at"),
        ("}", ""),
    ] {
        assert_ne!(comparable(answer), comparable(&same.replace(from, to)), "{from}");
    }
}
