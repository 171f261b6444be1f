//! What the functions of a template are called.

/// What may be typed, Go's own functions included.
pub(super) const KNOWN: [&str; 27] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "join", "js", "json", "le", "len", "lower", "lt", "ne",
    "not", "or", "pad", "print", "printf", "println", "slice", "split", "title", "truncate", "upper",
    "urlquery",
];

/// A field of a value: `(.field VALUE "NAME" …)`.
pub(super) const FIELD: &str = ".field";
/// A label of a row, for Docker's `.Label "KEY"`.
pub(super) const LABEL: &str = ".label";
/// What is printed of a value.
pub(super) const SHOW: &str = ".show";
