//! Tables of the document, and how numbers are written in them.

use std::fmt::{Display, Formatter};

use crate::statistics::Ratio;

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

/// The median of a ratio; nothing if it was not measured.
pub(crate) fn quotient(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{:.2}", ratio.median))
}

/// A number with a comma before every three digits.
pub(crate) fn thousands(number: f64) -> String {
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
pub(crate) fn significant(number: f64) -> String {
    let decimals = match number {
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

/// A number with no more than two decimals.
pub(crate) fn shortest(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_no_more_decimals_than_they_need() {
        assert_eq!(
            [400.0, 0.95, 1.4, 0.0, 0.876].map(shortest),
            ["400", "0.95", "1.4", "0", "0.88"]
        );
    }

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
}
