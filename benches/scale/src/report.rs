//! The tables of `docs/SCALE.md`.

use crate::costs::{Cost, LeafCost};
use crate::dynamodb::{item_size, read_units, write_units};
use crate::load::Outcome;
use anyhow::{Context, Result, bail};
use std::fmt::Write;

/// A Markdown table.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        // A string takes whatever is written to it.
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// What requests cost. Prices are in dollars for a million units.
pub(crate) fn costs(costs: &[(&str, Cost)], read_price: f64, write_price: f64) -> String {
    let rows = costs.iter().map(|(name, cost)| {
        vec![
            (*name).to_owned(),
            cost.redis.round_trips.to_string(),
            cost.redis_commands.to_string(),
            cost.redis_connections.to_string(),
            cost.dynamodb.round_trips.to_string(),
            format!("{:.0}", cost.read_units),
            format!("{:.0}", cost.write_units),
            format!(
                "{:.2}",
                cost.read_units * read_price + cost.write_units * write_price
            ),
        ]
    });
    let head = [
        "request",
        "Redis: round trips",
        "commands",
        "connections",
        "DynamoDB: calls",
        "read units",
        "write units",
        "dollars per million",
    ];
    table(&head, &rows.collect::<Vec<_>>())
}

/// What the store keeps.
pub(crate) fn sizes(sizes: &[(&str, usize, usize)]) -> String {
    let rows = sizes.iter().map(|(name, key, value)| {
        let size = item_size(&"k".repeat(*key), &vec![0; *value]);
        vec![
            (*name).to_owned(),
            (key + value).to_string(),
            format!("{:.0}", read_units(size)),
            format!("{:.0}", 2.0 * write_units(size)),
        ]
    });
    let head = [
        "item",
        "bytes of key and value",
        "read units",
        "write units of a swap",
    ];
    table(&head, &rows.collect::<Vec<_>>())
}

/// What creations cost at several rates. Prices are in dollars for a million units.
pub(crate) fn leaves(leaves: &[LeafCost], read_price: f64, write_price: f64) -> String {
    let rows = leaves.iter().map(|cost| {
        vec![
            thousands(f64::from(cost.rate)),
            cost.leaf.to_string(),
            format!("{:.1}", cost.read_units),
            format!("{:.1}", cost.write_units),
            format!(
                "{:.2}",
                cost.read_units * read_price + cost.write_units * write_price
            ),
        ]
    });
    let head = [
        "creations/s",
        "bytes of a leaf",
        "read units",
        "write units",
        "dollars per million",
    ];
    table(&head, &rows.collect::<Vec<_>>())
}

/// What loads did, each with its name and number of hosts.
pub(crate) fn loads(loads: &[(&str, usize, Outcome)], limit: &str, with_connections: bool) -> String {
    let rows = loads.iter().map(|(name, hosts, outcome)| {
        let mut row = vec![
            (*name).to_owned(),
            hosts.to_string(),
            thousands(outcome.rate),
            format!("{:.1}", outcome.p50),
            format!("{:.1}", outcome.p99),
            format!("{:.2}", outcome.retries),
            percent(outcome.try_again),
            percent(outcome.unavailable),
            percent(outcome.limit),
        ];
        if with_connections {
            row.push(thousands(outcome.connections));
        }
        row
    });
    let mut head = vec![
        "mix",
        "hosts",
        "done/s",
        "p50, ms",
        "p99, ms",
        "retries per request",
        "`try-again`",
        "`store-unavailable`",
        limit,
    ];
    if with_connections {
        head.push("connections/s");
    }
    table(&head, &rows.collect::<Vec<_>>())
}

fn percent(share: f64) -> String {
    if share == 0.0 {
        return "0".to_owned();
    }
    format!("{:.1} %", share * 100.0)
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Replaces what stands between the markers of `name` in a document.
///
/// # Errors
/// Fails if the document does not have the two markers.
pub(crate) fn replace(document: &str, name: &str, text: &str) -> Result<String> {
    let begin = format!("<!-- {name}: made by cargo run -p scale --release -- --write -->\n");
    let end = format!("<!-- end of {name} -->");
    let start = document
        .find(&begin)
        .with_context(|| format!("there is no {begin:?}"))?
        + begin.len();
    let Some(length) = document[start..].find(&end) else {
        bail!("there is no {end:?}");
    };
    let (before, after) = (&document[..start], &document[start + length..]);
    Ok(format!("{before}\n{text}\n{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_markers_is_replaced_and_nothing_else() {
        let document =
            "a\n<!-- x: made by cargo run -p scale --release -- --write -->\nold\n<!-- end of x -->\nb\n";
        let once = replace(document, "x", "new\n").unwrap();
        let expected =
            "a\n<!-- x: made by cargo run -p scale --release -- --write -->\n\nnew\n\n<!-- end of x -->\nb\n";
        assert_eq!(once, expected);
        assert_eq!(replace(&once, "x", "new\n").unwrap(), expected);
        assert!(replace(document, "y", "new").is_err());
        assert!(
            replace(
                "<!-- x: made by cargo run -p scale --release -- --write -->\n",
                "x",
                ""
            )
            .is_err()
        );
    }

    #[test]
    fn numbers_have_commas_between_thousands() {
        for (number, text) in [
            (0.4, "0"),
            (999.0, "999"),
            (1000.0, "1,000"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }
}
