//! Columns as Docker's own tables have them: left, three spaces apart, at least ten wide, the last one ragged.

use unicode_width::UnicodeWidthStr;

const GAP: usize = 3;
const NARROWEST: usize = 10;

/// Lines up the cells of each row, first row included. Cells hold no newline.
pub(crate) fn align(rows: &[Vec<String>]) -> String {
    align_from(rows, NARROWEST)
}

/// [`align`] with another least width of a column.
pub(crate) fn align_from(rows: &[Vec<String>], narrowest: usize) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = (cell.width() + GAP).max(narrowest);
            match widths.get_mut(column) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
        text.push_str(cell);
        if at + 1 < row.len() {
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
        }
    }
    text.push('\n');
    text
}

/// The beginning of a text, cut to `width` columns with an ellipsis.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if short.width() + unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) >= width {
            break;
        }
        short.push(c);
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
    fn a_cut_text_ends_in_an_ellipsis() {
        assert_eq!(cut("sleep 1000", 20), "sleep 1000");
        assert_eq!(cut("sh -c 'sleep 1000; echo'", 20), "sh -c 'sleep 1000; …");
        assert_eq!(cut("日本語日本語", 6), "日本…");
    }
}
