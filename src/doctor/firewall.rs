//! The engine's own rules in the host's firewall, which it makes when it starts and never again.

use super::Subject;
use super::finding::{Check, Finding};
use super::look::Found;

pub(super) const CHAINS: Check = Check::new(
    "engine-rules",
    "without the engine's rules no port can be published, and containers reach nothing outside the host",
);

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    if subject.engine.info.is_ok() {
        found.push(chains(&subject.firewall));
    }
}

fn chains(firewall: &Result<String, String>) -> Finding {
    let text = match firewall {
        Ok(text) => text,
        Err(why) => return CHAINS.notice(format!("not seen: {why}"), "iptables -t nat -S DOCKER, as root"),
    };
    // A chain of iptables', or a table of nftables'.
    let is_the_engines = |line: &str| {
        matches!(
            line.split_whitespace().collect::<Vec<_>>().as_slice(),
            ["-N", "DOCKER"] | ["table", "ip", "docker-bridges"]
        )
    };
    match text.lines().any(is_the_engines) {
        true => CHAINS.ok("the engine's rules are in the firewall"),
        false => CHAINS.warning(
            "the firewall has no rules of the engine's, as after a flush: -p fails until the engine is restarted",
            "systemctl restart ie-engine; containers go on meanwhile, with \"live-restore\"",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;

    #[test]
    fn a_flush_is_told() {
        let fake = Fake::new();
        let with = |text: &str| {
            fake.firewall(Result::Ok(text.to_owned()));
            fake.found("engine-rules")
        };
        assert_eq!(with("-P PREROUTING ACCEPT\n-N DOCKER\n-A DOCKER -i ie1 -j RETURN\n").0, Ok);
        assert_eq!(with("table ip docker-bridges\ntable ip6 docker-bridges\n").0, Ok);
        let (severity, seen) = with("-P PREROUTING ACCEPT\n-N DOCKER-OWN\ntable inet ie-wall\n");
        assert!(severity == Warning && seen.contains("-p fails until the engine is restarted"), "{seen}");
        fake.firewall(Err("there is no iptables".to_owned()));
        assert_eq!(fake.found("engine-rules"), (Notice, "not seen: there is no iptables".to_owned()));
        fake.engine_is_down();
        assert!(fake.all("engine-rules").is_empty());
    }
}
