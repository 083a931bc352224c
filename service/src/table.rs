//! A table for a terminal: each column as wide as its widest cell.

use std::io::{self, Write};

/// Writes the rows, the head first.
pub fn write<const COLUMNS: usize>(rows: &[[String; COLUMNS]], out: &mut impl Write) -> io::Result<()> {
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(widest).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
