//! The parts of `docs/BENCHMARKS.md` that a run makes, and their places in it.

use anyhow::{Context, Result};

/// A part of the document that a run makes.
pub(crate) struct Block {
    /// Stands in the marks around it.
    pub(crate) name: &'static str,
    pub(crate) text: String,
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

#[cfg(test)]
mod tests {
    use super::*;

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
