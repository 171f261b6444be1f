//! Columns as Docker's own tables have them: left, three spaces apart, at least ten wide, the last one ragged.

use comfy_table::{Cell, ColumnConstraint, Table, Width, presets};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Blanks between two columns, as in Docker's tables.
const GAP: u16 = 3;
/// The least width of all but the last column, in columns of a terminal, as in Docker's tables.
const NARROWEST: u16 = 10;
/// comfy-table counts columns of a terminal in 16 bits, and makes lines of what is wider.
const WIDEST: usize = 65_000;
/// Ends each row, and takes no room: what comfy-table puts behind it is no cell's. No cell has one, as it is escaped there.
const END: char = '\u{2060}';

/// Lines up the cells of each row, first row included. Cells hold no newline.
pub(crate) fn align(rows: &[Vec<String>]) -> String {
    align_from(rows, NARROWEST)
}

/// [`align`] with another least width of a column.
pub(crate) fn align_from(rows: &[Vec<String>], narrowest: u16) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for row in rows {
        let mut cells: Vec<String> = row.iter().map(|cell| cut(cell, WIDEST)).collect();
        if let Some(last) = cells.last_mut() {
            last.push(END);
        }
        table.add_row(cells.into_iter().map(Cell::new_owned).collect::<Vec<_>>());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP)).set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(narrowest)));
    }
    table.lines().map(|line| line.rsplit_once(END).unwrap_or_default().0.to_owned() + "\n").collect()
}

/// The beginning of a text, cut to `width` columns with an ellipsis.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut left = width;
    for part in text.graphemes(true) {
        let Some(rest) = left.checked_sub(part.width()).filter(|rest| *rest > 0) else { break };
        left = rest;
        short.push_str(part);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_what_a_terminal_shows() {
        let rows = [["CONTAINER ID", "IMAGE", "NAMES"], ["日本", "a", "b"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        assert_eq!(align(&rows), "CONTAINER ID   IMAGE     NAMES\n日本           a         b\n");
    }

    #[test]
    fn each_row_ends_where_its_last_cell_does() {
        for (rows, expected) in [
            // As Docker's: what is before an empty last cell keeps its width.
            (vec![vec!["A", "B", "C"], vec!["a", "b", ""]], "A         B         C\na         b         \n"),
            (vec![vec!["A", "B"], vec!["a"], vec!["", "b "]], "A         B\na\n          b \n"),
            (
                vec![vec!["e\u{301}te\u{301}", "x"], vec!["👩‍👩‍👧", "y"]],
                "e\u{301}te\u{301}       x\n👩‍👩‍👧        y\n",
            ),
            (vec![vec!["1234567", "x"], vec!["12345678", "y"]], "1234567    x\n12345678   y\n"),
        ] {
            let rows: Vec<Vec<String>> =
                rows.into_iter().map(|row| row.into_iter().map(str::to_owned).collect()).collect();
            assert_eq!(align(&rows), expected);
        }
    }

    #[test]
    fn a_row_is_one_line_however_wide_it_is() {
        let wide = "x".repeat(200_000);
        let shown = align(&[vec![wide.clone(), wide.clone()], vec!["a".to_owned(), wide]]);
        assert_eq!(shown.lines().count(), 2);
        assert!(shown.lines().all(|line| line.ends_with("x…")));
    }

    #[test]
    fn a_cut_text_ends_in_an_ellipsis() {
        assert_eq!(cut("sleep 1000", 20), "sleep 1000");
        assert_eq!(cut("sh -c 'sleep 1000; echo'", 20), "sh -c 'sleep 1000; …");
        assert_eq!(cut("日本語日本語", 6), "日本…");
        // What stands above a letter stays with it.
        assert_eq!(cut("abce\u{301}\u{302}fgh", 5), "abce\u{301}\u{302}…");
        assert_eq!(cut("abcde\u{301}f", 5), "abcd…");
    }
}
