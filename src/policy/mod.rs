//! The policy: read whole or not at all.
