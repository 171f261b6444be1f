//! What a container knows by name beside the network's own: `--add-host`.

use super::refused::WishError;
use super::words::{alias, at_most};
use crate::protocol::told::told;
use std::net::IpAddr;

/// Docker's word for the address by which a container reaches its host.
const HOST_GATEWAY: &str = "host-gateway";

/// `NAME:ADDRESS` each, lines of the container's own /etc/hosts. Newer clients write `=` and brackets, which older engines
/// do not know.
pub(super) fn extra_hosts(words: Vec<String>) -> Result<Vec<String>, WishError> {
    const FIELD: &str = "HostConfig.ExtraHosts";
    at_most(FIELD, words.len(), 64)?;
    let host = |word: String| {
        let (name, address) = word.split_once([':', '=']).unwrap_or((&word, ""));
        alias(FIELD, name)?;
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
        if address != HOST_GATEWAY && bare.parse::<IpAddr>().is_err() {
            return Err(WishError::Bad(told!("invalid IP address in add-host: {address:?}")));
        }
        Ok(format!("{name}:{bare}"))
    };
    words.into_iter().map(host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_address() {
        for (good, line) in [
            ("db:10.0.0.1", "db:10.0.0.1"),
            ("db:::1", "db:::1"),
            ("db:[::1]", "db:::1"),
            ("db=[::1]", "db:::1"),
            ("host.docker.internal:host-gateway", "host.docker.internal:host-gateway"),
            ("a_b=1.2.3.4", "a_b:1.2.3.4"),
        ] {
            assert_eq!(extra_hosts(vec![good.to_owned()]).unwrap(), [line], "{good}");
        }
        for bad in
            ["db", "db:", "db:x", "db:1.2.3", ":1.2.3.4", "a b:1.2.3.4", "db:1.2.3.4\n", "db:host-gateway2"]
        {
            assert!(extra_hosts(vec![bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(extra_hosts(vec!["a:1.2.3.4".to_owned(); 65]).is_err());
    }
}
