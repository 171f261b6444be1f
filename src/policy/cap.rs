//! The most of something: an amount, or the word "none".

use crate::protocol::amount::{Bytes, Cpus, Span};
use std::fmt;

/// What limits count: CPUs, bytes, or a plain number.
pub trait Amount: Copy + Ord + fmt::Display {
    fn raw(self) -> u64;
    fn of(raw: u64) -> Self;
}

impl Amount for u64 {
    fn raw(self) -> u64 {
        self
    }
    fn of(raw: u64) -> Self {
        raw
    }
}

impl Amount for Bytes {
    fn raw(self) -> u64 {
        self.0
    }
    fn of(raw: u64) -> Self {
        Self(raw)
    }
}

impl Amount for Cpus {
    fn raw(self) -> u64 {
        self.0
    }
    fn of(raw: u64) -> Self {
        Self(raw)
    }
}

impl Amount for Span {
    fn raw(self) -> u64 {
        self.0
    }
    fn of(raw: u64) -> Self {
        Self(raw)
    }
}

/// The sum of amounts that can each be huge; it never wraps.
pub(super) fn sum<T: Amount>(amounts: impl Iterator<Item = T>) -> u128 {
    amounts.map(|amount| u128::from(amount.raw())).sum()
}

/// A sum as people write it.
pub(super) fn shown<T: Amount>(sum: u128) -> String {
    T::of(u64::try_from(sum).unwrap_or(u64::MAX)).to_string()
}

/// A limit that is an amount unless the file says `"none"`. Never unlimited by omission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap<T> {
    Unlimited,
    Most(T),
}

impl<T: Amount> Cap<T> {
    /// The amount, where there is one.
    pub fn most(self) -> Option<T> {
        match self {
            Self::Unlimited => None,
            Self::Most(most) => Some(most),
        }
    }

    /// What is left when `used` are taken; nothing when more is taken than may be.
    pub fn left(self, used: u128) -> Self {
        let left = |most: T| u128::from(most.raw()).saturating_sub(used);
        match self {
            Self::Unlimited => Self::Unlimited,
            Self::Most(most) => Self::Most(T::of(u64::try_from(left(most)).unwrap_or(u64::MAX))),
        }
    }

    pub fn allows_more_than(self, amount: T) -> bool {
        self.most().is_none_or(|most| most > amount)
    }

    pub fn allows(self, sum: u128) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Most(most) => sum <= u128::from(most.raw()),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Cap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("none"),
            Self::Most(most) => most.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_its_number() {
        fn again<T: Amount + fmt::Debug>(raw: u64) -> u64 {
            T::of(raw).raw()
        }
        for raw in [0, 1, 7, u64::MAX] {
            let all = [again::<u64>(raw), again::<Bytes>(raw), again::<Cpus>(raw), again::<Span>(raw)];
            assert_eq!(all, [raw; 4]);
        }
    }
}
