//! What was given, apart from what was not.

/// What was not asked for is not sent.
pub(super) fn some<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}
