//! What ties a process in a container to the caller who waits for it: a nonce in its environment.

/// The environment variable that carries the nonce. Its children inherit it.
pub const VARIABLE: &str = "IE_CONTAINER_EXEC";

/// The header by which a gateway names itself to whoever runs something: after a restart it is another one, and what the
/// engine then says of an exec that was attached is no more how it ended.
pub const GATEWAY: &str = "ie-container-gateway";

/// 32 lower-case hexadecimal digits, chosen by the gateway for one exec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// A nonce out of 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes.iter().map(|b| format!("{b:02x}")).collect())
    }

    pub fn parse(word: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (word.len() == 32 && word.bytes().all(hex)).then(|| Self(word.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it stands in an environment.
    pub fn variable(&self) -> String {
        format!("{VARIABLE}={}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_32_lower_case_hex_digits() {
        let nonce = Nonce::from_bytes([0xab; 16]);
        assert_eq!(Nonce::parse(nonce.as_str()), Some(nonce));
        for bad in ["", "ab", &"AB".repeat(16), &"ab".repeat(17), &"zz".repeat(16)] {
            assert_eq!(Nonce::parse(bad), None);
        }
    }
}
