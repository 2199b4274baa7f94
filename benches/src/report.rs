//! The tables, and their places in `docs/BENCHMARKS.md`.

use std::fmt::{Display, Formatter};

use anyhow::{Context, Result};

use crate::goals::{Bound, GOALS};
use crate::plan::{CONNECTIONS, Case, Contender, LARGE, Load, MILLION, Subject, THOUSAND};
use crate::results::{Results, Start};
use crate::statistics::{Ratio, median};

/// A table, as Markdown has it; the first column is text, the others are numbers.
#[derive(Debug)]
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    pub(crate) fn new(heads: &[&str]) -> Self {
        let mut table = Self(Vec::new());
        table.row(heads);
        table
    }

    pub(crate) fn row(&mut self, cells: &[&str]) {
        self.0.push(cells.iter().map(|cell| (*cell).to_owned()).collect());
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.0.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(formatter, "| {cell:width$} ")?;
            }
            writeln!(formatter, "|")?;
            if number == 0 {
                for width in &widths {
                    write!(formatter, "|-{:-<width$}-", "")?;
                }
                writeln!(formatter, "|")?;
            }
        }
        Ok(())
    }
}

/// A part of the document that a run makes.
pub(crate) struct Block {
    /// Stands in the marks around it.
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

/// Everything that a run has to say, in the order of the document.
pub(crate) fn blocks(results: &Results, machine: &Table) -> Vec<Block> {
    let block = |name, text: String| Block { name, text };
    let tables =
        Load::ALL.map(|load| format!("### {}\n\n{}", capitalized(load.name()), loads(results, load)));
    vec![
        block("machine", machine.to_string()),
        block("goals", goals(results).to_string()),
        block("loads", tables.join("\n")),
        block("large", large(results).to_string()),
        block("starts", starts(results).to_string()),
        block("memory", memory(results).to_string()),
        block("sizes", sizes(results).to_string()),
    ]
}

/// Puts the blocks between their marks.
pub(crate) fn place(document: &str, blocks: &[Block]) -> Result<String> {
    blocks.iter().try_fold(document.to_owned(), |document, block| {
        let (begin, end) = (
            format!("<!-- {}: made by cargo xtask bench --write -->\n", block.name),
            format!("<!-- end of {} -->", block.name),
        );
        let (before, rest) = document
            .split_once(&begin)
            .with_context(|| format!("docs/BENCHMARKS.md has no line {}", begin.trim()))?;
        let (_, after) = rest
            .split_once(&end)
            .with_context(|| format!("docs/BENCHMARKS.md has no line {end}"))?;
        Ok(format!("{before}{begin}\n{}\n{end}{after}", block.text))
    })
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}

/// What one load showed, with every subject beside the functions of the same rounds.
fn loads(results: &Results, load: Load) -> Table {
    let mut table = Table::new(&[
        "connections",
        "subject",
        "answers/s",
        "p50, ms",
        "p99, ms",
        "p99.9, ms",
        "functions ÷ this",
    ]);
    for connections in CONNECTIONS {
        for contender in load.contenders(connections, true) {
            if contender.users == MILLION {
                continue;
            }
            let case = Case {
                load,
                connections,
                contender,
            };
            let functions = Case {
                contender: Contender {
                    subject: Subject::Functions,
                    ..contender
                },
                ..case
            };
            let Some([throughput, p50, p99, p999]) = results.medians(case) else {
                continue;
            };
            table.row(&[
                &connections.to_string(),
                contender.subject.name(),
                &thousands(throughput),
                &significant(p50),
                &significant(p99),
                &significant(p999),
                &quotient(results.ratio(functions, case)),
            ]);
        }
    }
    table
}

/// The large store beside the usual one.
fn large(results: &Results) -> Table {
    let mut table = Table::new(&[
        "32 connections",
        "subject",
        "1 thousand users, answers/s",
        "1 million users, answers/s",
        "million ÷ thousand",
    ]);
    for load in [Load::Hit, Load::Create] {
        for subject in LARGE {
            let case = |users| Case {
                load,
                connections: 32,
                contender: Contender { subject, users },
            };
            let (small, large) = (case(THOUSAND), case(MILLION));
            if let (Some([few, ..]), Some([many, ..]), Some(ratio)) = (
                results.medians(small),
                results.medians(large),
                results.ratio(large, small),
            ) {
                table.row(&[
                    load.name(),
                    subject.name(),
                    &thousands(few),
                    &thousands(many),
                    &quotient(Some(ratio)),
                ]);
            }
        }
    }
    table
}

fn starts(results: &Results) -> Table {
    let mut table = Table::new(&["subject", "compile cache", "s", "functions, warm ÷ this"]);
    let warm = results.starts.get(&(Subject::Functions, Start::Warm));
    for ((subject, start), times) in &results.starts {
        let (Some(median), Some(ratio)) = (
            median(times.iter().copied()),
            warm.and_then(|warm| Ratio::of(warm, times)),
        ) else {
            continue;
        };
        let cache = match start {
            Start::Cold => "cold",
            Start::Warm => "warm",
            Start::Plain => "none",
        };
        table.row(&[
            subject.name(),
            cache,
            &format!("{median:.3}"),
            &quotient(Some(ratio)),
        ]);
    }
    table
}

/// The memory that each server has needed at most, after its last measurement of a load.
fn memory(results: &Results) -> Table {
    let mut table = Table::new(&["load", "users", "subject", "peak, MiB", "functions ÷ this"]);
    for load in [Load::Hit, Load::Create] {
        for users in [THOUSAND, MILLION] {
            let functions = results.memory.get(&(
                load,
                Contender {
                    subject: Subject::Functions,
                    users,
                },
            ));
            for subject in Subject::ALL {
                let peaks = results.memory.get(&(load, Contender { subject, users }));
                let (Some(peaks), Some(functions)) = (peaks, functions) else {
                    continue;
                };
                let (Some(peak), Some(ratio)) = (median(peaks.iter().copied()), Ratio::of(functions, peaks))
                else {
                    continue;
                };
                table.row(&[
                    load.name(),
                    &thousands(users.into()),
                    subject.name(),
                    &format!("{:.0}", peak / 1024.0),
                    &quotient(Some(ratio)),
                ]);
            }
        }
    }
    table
}

fn sizes(results: &Results) -> Table {
    let mut table = Table::new(&["component", "bytes", "÷ floor"]);
    let floor = ("floor: one `get`", results.floor_size);
    let functions = results.sizes.iter().map(|(name, bytes)| (name.as_str(), *bytes));
    for (name, bytes) in functions.chain([floor]) {
        let ratio = Ratio::of(&[bytes.into()], &[floor.1.into()]);
        table.row(&[name, &thousands(bytes.into()), &quotient(ratio)]);
    }
    table
}

/// What has to be shown, and whether it is.
fn goals(results: &Results) -> Table {
    let mut table = Table::new(&["what", "measured", "lowest to highest of a round", "goal", ""]);
    for goal in GOALS {
        let bound = match goal.bound {
            Bound::AtLeast(least) => format!("≥ {least}"),
            Bound::AtMost(most) => format!("≤ {most}"),
        };
        let Some(measured) = goal.measured(results) else {
            table.row(&[goal.what, "not measured", "", &bound, "missed"]);
            continue;
        };
        let is_met = goal.bound.is_met(measured.median);
        table.row(&[
            goal.what,
            &format!("{:.2}", measured.median),
            &format!("{:.2} to {:.2}", measured.lowest, measured.highest),
            &bound,
            if is_met { "met" } else { "missed" },
        ]);
    }
    table
}

fn quotient(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{:.2}", ratio.median))
}

/// A number with a comma before every three digits.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with three digits that tell something, or more before the point.
fn significant(number: f64) -> String {
    let decimals = match number {
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_to_be_read() {
        assert_eq!(thousands(7.4), "7");
        assert_eq!(thousands(999.6), "1,000");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(significant(0.1234), "0.123");
        assert_eq!(significant(1.234), "1.23");
        assert_eq!(significant(12.34), "12.3");
        assert_eq!(significant(1234.5), "1234");
    }

    #[test]
    fn tables_are_markdown() {
        let mut table = Table::new(&["a", "bb"]);
        table.row(&["ä", "12345"]);
        assert_eq!(
            table.to_string(),
            "| a   | bb    |\n|-----|-------|\n| ä   | 12345 |\n"
        );
    }

    #[test]
    fn blocks_are_replaced_and_nothing_else() {
        let block = |text: &str| {
            [Block {
                name: "x",
                text: text.to_owned(),
            }]
        };
        let document =
            "before\n<!-- x: made by cargo xtask bench --write -->\nold\n<!-- end of x -->\nafter\n";
        let placed = place(document, &block("new\n")).unwrap();
        assert_eq!(
            placed,
            "before\n<!-- x: made by cargo xtask bench --write -->\n\nnew\n\n<!-- end of x -->\nafter\n"
        );
        assert_eq!(place(&placed, &block("new\n")).unwrap(), placed);
        assert!(place("no marks", &block("new\n")).is_err());
    }
}
