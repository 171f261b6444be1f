//! What came before what: moments are counted, so that of any two one is the earlier, whatever clocks do.

/// One that is later than each before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

#[derive(Debug, Default)]
pub(super) struct Moments(u64);

impl Moments {
    pub(super) fn next(&mut self) -> Moment {
        self.0 += 1;
        Moment(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_later() {
        let mut moments = Moments::default();
        assert!(moments.next() < moments.next());
    }
}
