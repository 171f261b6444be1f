//! Which ports are published where, rule by rule.

use super::*;

const FEW: &str =
    "[defaults]\nimages = ['**']\nports = { range = '40000-40003', max = 3, address = '127.0.0.1' }";

/// The host ports ann gets; or the sentence of the refusal.
fn hosts(used: &Usage, asks: &[PortAsk]) -> Result<Vec<u16>, String> {
    match limits(FEW, &[]).admit(used, &Ask { ports: asks.to_vec(), ..ubuntu() }) {
        Ok(got) => Ok(got.ports().iter().map(|port| port.host).collect()),
        Err(no) => Err(format!("{}: {}", no.code, no.message)),
    }
}

fn taken(ports: &[u16]) -> Usage {
    Usage { taken_ports: ports.iter().copied().collect(), ..Usage::default() }
}

#[test]
fn a_port_is_the_one_asked_for_or_the_lowest_free() {
    for (held, asks, got) in [
        (&[][..], vec![port(None)], vec![40000]),
        (&[], vec![port(40002)], vec![40002]),
        (&[40000, 40001], vec![port(None)], vec![40002]),
        (&[], vec![port(None), port(40000), port(None)], vec![40001, 40000, 40002]),
        (&[], vec![], vec![]),
    ] {
        assert_eq!(hosts(&taken(held), &asks), Ok(got));
    }
}

#[test]
fn a_protocol_is_said_as_it_is_shown() {
    for (word, protocol) in [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)] {
        assert_eq!((word.parse(), protocol.to_string()), (Ok(protocol), word.to_owned()));
    }
    for wrong in ["", "sctp", "TCP"] {
        let told = format!("a port is published over tcp or udp, not {wrong:?}");
        assert_eq!(wrong.parse::<Protocol>().unwrap_err().to_string(), told);
    }
}

#[test]
fn a_port_out_of_the_range_or_asked_for_twice_is_refused() {
    for host in [0, 1, 22, 1023, 39999, 40004, 65535] {
        let said = format!(
            "forbidden: ports.range: host port {host} is not in 40000-40003 (policy.toml:6, [defaults])"
        );
        assert_eq!(hosts(&Usage::default(), &[port(host)]), Err(said));
    }
    let twice =
        "conflict: ports.range: host port 40001 is asked for twice (policy.toml:6, [defaults])".to_owned();
    assert_eq!(hosts(&Usage::default(), &[port(40001), port(40001)]), Err(twice));
    // Ports are taken at a start: others may be made with one that is somebody's.
    assert_eq!(hosts(&taken(&[40001]), &[port(40001)]), Ok(vec![40001]));
    let none =
        Err("conflict: ports.range: no host port of 40000-40003 is free (policy.toml:6, [defaults])"
            .to_owned());
    assert_eq!(hosts(&taken(&[40000, 40001, 40002, 40003]), &[port(None)]), none);
}

#[test]
fn a_range_of_host_ports_is_one_of_them() {
    let within = |first, last| PortAsk { host: HostPort::Within(first, last), ..port(None) };
    assert_eq!(hosts(&Usage::default(), &[within(40001, 40002)]), Ok(vec![40001]));
    assert_eq!(hosts(&taken(&[40001]), &[within(40001, 40002)]), Ok(vec![40002]));
    assert_eq!(hosts(&taken(&[]), &[within(1, 65535), within(40000, 40001)]), Ok(vec![40000, 40001]));
    // One that is named is nobody else's of the same container.
    assert_eq!(hosts(&taken(&[]), &[within(40000, 40001), port(40000)]), Ok(vec![40001, 40000]));
    for (range, said) in [
        (
            (40001, 40002),
            "conflict: ports.range: no host port of 40001-40002 is free (policy.toml:6, [defaults])",
        ),
        (
            (80, 90),
            "forbidden: ports.range: host ports 80-90 are not in 40000-40003 (policy.toml:6, [defaults])",
        ),
        (
            (40002, 40001),
            "forbidden: ports.range: host ports 40002-40001 are not in 40000-40003 (policy.toml:6, [defaults])",
        ),
    ] {
        assert_eq!(hosts(&taken(&[40001, 40002]), &[within(range.0, range.1)]), Err(said.to_owned()));
    }
}

#[test]
fn one_number_serves_tcp_and_udp_of_one_container() {
    let both = [port(40001), PortAsk { protocol: Protocol::Udp, ..port(40001) }];
    assert_eq!(hosts(&Usage::default(), &both), Ok(vec![40001, 40001]));
    assert_eq!(hosts(&Usage::default(), &[both[0], both[1], port(None)]), Ok(vec![40001, 40001, 40000]));
}

#[test]
fn ports_are_counted_over_all_containers_stopped_ones_too() {
    let stopped = Used { name: "web".into(), ports: vec![40000, 40001], ..Used::default() };
    let used = Usage { containers: vec![stopped], ..taken(&[40000, 40001]) };
    assert_eq!(hosts(&used, &[port(None)]), Ok(vec![40002]));
    let said = "quota: ports.max: asked 2, 1 of 3 free (policy.toml:6, [defaults])".to_owned();
    assert_eq!(hosts(&used, &[port(None), port(None)]), Err(said));
}

#[test]
fn ports_are_published_on_the_policys_address_alone() {
    let on = |address: &str| PortAsk { address: Some(address.parse().unwrap()), ..port(None) };
    let ask = Ask { ports: vec![on("127.0.0.1")], ..ubuntu() };
    let got = limits(FEW, &[]).admit(&Usage::default(), &ask).unwrap();
    assert_eq!(got.ports()[0].address.to_string(), "127.0.0.1");
    // Any address stands for the policy's.
    for any in ["0.0.0.0", "::"] {
        let got =
            limits(FEW, &[]).admit(&Usage::default(), &Ask { ports: vec![on(any)], ..ubuntu() }).unwrap();
        assert_eq!(got.ports()[0].address.to_string(), "127.0.0.1");
    }
    for other in ["127.0.0.2", "192.168.1.1", "::1", "255.255.255.255"] {
        let said = format!(
            "forbidden: ports.address: asked {other}, ports are published on 127.0.0.1 (policy.toml:6, [defaults])"
        );
        assert_eq!(hosts(&Usage::default(), &[on(other)]), Err(said));
    }
}

#[test]
fn a_container_has_no_port_0() {
    let said = "forbidden: ports: a container has no port 0 (policy.toml:6, [defaults])".to_owned();
    assert_eq!(hosts(&Usage::default(), &[PortAsk { container: 0, ..port(None) }]), Err(said));
}

#[test]
fn without_a_range_nothing_is_published() {
    let ann = limits("[defaults]\nimages = ['**']\nports = { max = 4 }", &[]);
    let ask = Ask { ports: vec![port(None)], ..ubuntu() };
    assert_eq!(
        told(ann.admit(&Usage::default(), &ask)),
        "ports: no port may be published (built-in default)"
    );
}

#[test]
fn a_range_of_ports_may_be_one_and_begins_with_the_first_that_is_nobodys() {
    for good in ["1024-1024", "65535-65535", "1024-65535"] {
        assert_eq!(
            policy(&format!("[defaults]\nports = {{ range = '{good}' }}")).groups().count(),
            0,
            "{good}"
        );
    }
    for bad in ["1023-2000", "2000-1999", "1024-65536", "1024", "+1024-2000", ""] {
        let text = format!("[gateway]\nuids = '1-9'\n[defaults]\nports = {{ range = '{bad}' }}");
        assert_eq!(problems(&text).len(), 1, "{bad}");
    }
}
