//! `ConsoleSize`: how large a terminal is from its first moment on, before whoever sits at it can say so by resize.

use super::refused::WishError;
use crate::protocol::told::told;
use serde::Serialize;

/// Rows and columns of a terminal, neither of them none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(in crate::gateway) struct Console(u16, u16);

/// Clients send zeroes where they have no terminal; the kernel counts rows and columns in sixteen bits.
pub(super) fn console(
    field: &str,
    tty: bool,
    asked: Option<(u64, u64)>,
) -> Result<Option<Console>, WishError> {
    let (rows, columns) = asked.unwrap_or_default();
    let (Ok(rows), Ok(columns)) = (u16::try_from(rows), u16::try_from(columns)) else {
        let most = u16::MAX;
        return Err(WishError::Bad(told!(
            "{field}: asked {rows} rows and {columns} columns, a terminal has up to {most} of each"
        )));
    };
    Ok((tty && rows > 0 && columns > 0).then_some(Console(rows, columns)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_has_rows_and_columns_and_a_terminal() {
        let taken = |tty, asked| console("ConsoleSize", tty, asked).ok();
        assert_eq!(taken(true, Some((31, 97))), Some(Some(Console(31, 97))));
        assert_eq!(taken(true, Some((65535, 1))), Some(Some(Console(65535, 1))));
        for nothing in [None, Some((0, 0)), Some((31, 0)), Some((0, 97))] {
            assert_eq!(taken(true, nothing), Some(None), "{nothing:?}");
        }
        assert_eq!(taken(false, Some((31, 97))), Some(None));
        for much in [(65536, 97), (31, 65536), (u64::MAX, u64::MAX)] {
            assert_eq!(taken(true, Some(much)), None, "{much:?}");
            assert_eq!(taken(false, Some(much)), None, "{much:?}");
        }
        assert_eq!(serde_json::json!(Console(31, 97)), serde_json::json!([31, 97]));
    }
}
