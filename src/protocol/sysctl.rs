//! The kernel's settings that a caller may choose: what lives in a container's own network namespace, and costs nobody else.

/// Settings of a network namespace that take nothing of the host's. Sizes of buffers are not among them.
const OWN: [&str; 12] = [
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.default.disable_ipv6",
    "net.ipv6.conf.lo.disable_ipv6",
];

/// Whether a container may have it of its own.
pub fn is_own(name: &str) -> bool {
    OWN.contains(&name)
}

/// One number, or two as of a range: no words, and no second line.
pub fn is_number(value: &str) -> bool {
    let mut numbers = value.split(' ');
    let plain = |number: &str| number.bytes().all(|b| b.is_ascii_digit()) && number.parse::<u32>().is_ok();
    numbers.next().is_some_and(plain) && numbers.next().is_none_or(plain) && numbers.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_a_network_namespace_are_chosen() {
        assert!(OWN.iter().all(|name| name.starts_with("net.") && is_own(name)));
        for name in
            ["kernel.core_pattern", "net.ipv4.ip_forward", "net.core.rmem_max", "fs.mqueue.msg_max", ""]
        {
            assert!(!is_own(name), "{name}");
        }
        for value in ["0", "1024", "1024 60000"] {
            assert!(is_number(value), "{value}");
        }
        for value in ["", " ", "x", "-1", "+1", "1\n|/bin/sh", "1 2 3", "1  2", "99999999999"] {
            assert!(!is_number(value), "{value:?}");
        }
    }
}
