//! Ways to the engine past the gateway: the socket's mode, and TCP.

use super::Subject;
use super::finding::{Check, Finding};
use super::host::Host;
use super::look::Found;
use super::process::Process;
use super::sockets::{Listener, listening};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

pub(super) const SOCKET: Check =
    Check::new("engine-socket", "whoever may write to the engine's socket is root, past every limit");
const TCP: Check = Check::new(
    "engine-tcp",
    "an engine that listens on TCP makes root whoever reaches the port, from this machine, its containers or afar",
);

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    found.push(socket(subject));
    found.extend(tcp(&subject.host));
}

fn socket(subject: &Subject) -> Finding {
    let path = &subject.host.resolved(&subject.engine.socket);
    let shown = path.display();
    let Some(look) = subject.host.look(path) else {
        return SOCKET.warning(format!("{shown} is not there"), "systemctl status docker");
    };
    let seen = format!("{shown} has mode {:04o}, uid {}, gid {}", look.mode, look.uid, look.gid);
    if look.others_may(0o002) {
        return SOCKET.danger(seen, format!("chmod 0660 {shown}, and SocketMode=0660 in docker.socket"));
    }
    if look.uid != 0 {
        return SOCKET.danger(seen, format!("chown root {shown}; an engine of a user's own is that user's"));
    }
    SOCKET.ok(seen)
}

/// Where an engine is told to listen, and whether it asks for certificates there.
struct Told {
    address: String,
    is_verified: bool,
    by: String,
}

fn tcp(host: &Host) -> Vec<Finding> {
    // A process of root's: anybody can call a program dockerd.
    let engines: Vec<&Process> =
        host.processes().iter().filter(|one| one.name == "dockerd" && one.is_roots).collect();
    let told = told(host, &engines);
    let mut found: Vec<Finding> = told.iter().map(Told::finding).collect();
    for engine in &engines {
        found.extend(unexpected(host, engine, &told));
    }
    if found.is_empty() {
        found.push(TCP.ok(format!("no TCP socket, {} running", engines_in_words(engines.len()))));
    }
    found
}

fn engines_in_words(count: usize) -> String {
    match count {
        0 => "no engine is".to_owned(),
        1 => "one engine is".to_owned(),
        more => format!("{more} engines are"),
    }
}

fn told(host: &Host, engines: &[&Process]) -> Vec<Told> {
    let mut files = BTreeSet::from(["/etc/docker/daemon.json".to_owned()]);
    files.extend(engines.iter().flat_map(|engine| engine.option("--config-file", None)));
    let mut all = Vec::new();
    for file in files {
        let Some(text) = host.text(&file) else { continue };
        let config: Value = serde_json::from_str(&text).unwrap_or_default();
        let hosts = config.get("hosts").and_then(Value::as_array).into_iter().flatten();
        let is_verified = config.get("tlsverify") == Some(&Value::Bool(true));
        all.extend(hosts.filter_map(Value::as_str).map(|address| Told {
            address: address.to_owned(),
            is_verified,
            by: file.clone(),
        }));
    }
    for engine in engines {
        let verify = engine.option("--tlsverify", None);
        let is_verified = verify.last().is_some_and(|word| word != "false" && word != "0");
        let by = format!("dockerd's command line (pid {})", engine.pid);
        let hosts = engine.option("--host", Some("-H")).into_iter();
        all.extend(hosts.map(|address| Told { address, is_verified, by: by.clone() }));
    }
    // No word at all means the usual Unix socket, and one without a scheme means TCP.
    all.retain(|told| {
        !told.address.is_empty()
            && !["unix://", "fd://", "npipe://"].iter().any(|scheme| told.address.starts_with(scheme))
    });
    all
}

impl Told {
    fn finding(&self) -> Finding {
        let seen = format!("{} in {}", self.address, self.by);
        if self.is_verified {
            return TCP.notice(
                format!("{seen}, with client certificates"),
                "count the client keys: each is root; ssh:// in DOCKER_HOST needs no such port",
            );
        }
        TCP.danger(
            seen,
            "take the tcp:// address out and restart the engine; ssh:// in DOCKER_HOST serves instead",
        )
    }

    fn is_for(&self, listener: &Listener) -> bool {
        self.address.ends_with(&format!(":{}", listener.port))
    }
}

/// What an engine listens on without having been told so where we looked: a socket of systemd's, swarm, metrics.
fn unexpected(host: &Host, engine: &Process, told: &[Told]) -> Vec<Finding> {
    let own = engine.sockets(host);
    let net = engine.dir().join("net");
    let listeners = listening(host, Path::new(&net)).into_iter();
    let listeners = listeners.filter(|one| one.protocol == "tcp" && own.contains(&one.inode));
    let finding = |listener: Listener| {
        let place = SocketAddr::new(listener.address, listener.port);
        let seen = format!("dockerd (pid {}) listens on {place}", engine.pid);
        match listener.port {
            2375 | 2376 => TCP.danger(seen, "systemctl cat docker.socket docker.service shows who opens it"),
            _ => TCP.warning(seen, "find out what it is: swarm, metrics-addr in daemon.json, or the API"),
        }
    };
    listeners.filter(|listener| !told.iter().any(|told| told.is_for(listener))).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity;

    #[test]
    fn the_sockets_mode_decides() {
        let fake = Fake::new();
        assert_eq!(fake.found("engine-socket").0, Severity::Warning);
        fake.socket("/run/docker.sock", 998, 0o660);
        assert_eq!(fake.found("engine-socket").0, Severity::Ok);
        fake.mode("/run/docker.sock", 0o666);
        assert_eq!(fake.found("engine-socket").0, Severity::Danger);
        fake.mode("/run/docker.sock", 0o660);
        fake.owner("/run/docker.sock", 1000);
        assert_eq!(fake.found("engine-socket").0, Severity::Danger);
    }

    #[test]
    fn a_socket_behind_a_link_is_looked_at_itself() {
        let fake = Fake::new();
        fake.socket("/srv/docker.sock", 998, 0o660);
        fake.link("/run/docker.sock", "/srv/docker.sock");
        assert_eq!(fake.found("engine-socket").0, Severity::Ok);
        fake.mode("/srv/docker.sock", 0o662);
        assert_eq!(fake.found("engine-socket").0, Severity::Danger);
    }

    #[test]
    fn an_engine_on_unix_sockets_alone_is_well() {
        let fake = Fake::new();
        fake.file("/etc/docker/daemon.json", r#"{"hosts": ["unix:///run/docker.sock"]}"#);
        fake.process(7, "dockerd", 0, &["dockerd", "-H", "fd://", "--host="], &[31]);
        assert_eq!(
            fake.found("engine-tcp"),
            (Severity::Ok, "no TCP socket, one engine is running".to_owned())
        );
    }

    #[test]
    fn tcp_in_the_configuration_is_found_without_an_engine() {
        let fake = Fake::new();
        fake.file("/etc/docker/daemon.json", r#"{"hosts": ["fd://", "tcp://0.0.0.0:2375"]}"#);
        let (severity, seen) = fake.found("engine-tcp");
        assert_eq!(severity, Severity::Danger);
        assert_eq!(seen, "tcp://0.0.0.0:2375 in /etc/docker/daemon.json");
        fake.file("/etc/docker/daemon.json", r#"{"hosts": ["tcp://0.0.0.0:2376"], "tlsverify": true}"#);
        assert_eq!(fake.found("engine-tcp").0, Severity::Notice);
    }

    #[test]
    fn tcp_on_the_command_line_is_found_and_counted_once() {
        let fake = Fake::new();
        fake.process(7, "dockerd", 0, &["dockerd", "-H", "tcp://127.0.0.1:2375"], &[31]);
        fake.listens("/proc/7/net/tcp", "0100007F:0947", 31);
        let found = fake.all("engine-tcp");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].severity, Severity::Danger);
    }

    #[test]
    fn a_socket_that_nothing_mentions_is_found() {
        let fake = Fake::new();
        fake.process(7, "dockerd", 0, &["dockerd", "-H", "fd://"], &[31]);
        // 2375, held by the engine; then by somebody else.
        fake.listens("/proc/7/net/tcp", "00000000:0947", 31);
        assert_eq!(fake.found("engine-tcp").0, Severity::Danger);
        fake.listens("/proc/7/net/tcp", "00000000:1F0A", 31);
        assert_eq!(fake.found("engine-tcp").0, Severity::Warning);
        fake.listens("/proc/7/net/tcp", "00000000:0947", 99);
        assert_eq!(fake.found("engine-tcp").0, Severity::Ok);
    }

    #[test]
    fn a_users_process_of_that_name_is_nothing() {
        let fake = Fake::new();
        fake.process(8, "dockerd", 1000, &["dockerd", "-H", "tcp://0.0.0.0:2375"], &[]);
        assert_eq!(fake.found("engine-tcp").0, Severity::Ok);
    }

    /// A setuid program that somebody started under that name is no engine, and a pipe no file of one's.
    #[test]
    fn what_a_user_names_is_not_opened() {
        let fake = Fake::new();
        let pipe = fake.pipe("/home/eve/fifo");
        fake.process(
            9,
            "dockerd",
            0,
            &["dockerd", "--config-file=/home/eve/fifo", "--host=tcp://0.0.0.0:2375"],
            &[],
        );
        assert_eq!(fake.host().text(&pipe), None);
        fake.file("/proc/9/status", "Name:\tdockerd\nUid:\t1000\t0\t0\t0\n");
        assert!(fake.host().processes().iter().all(|process| !process.is_roots));
        let (severity, seen) = fake.found("engine-tcp");
        assert_eq!((severity, seen.as_str()), (Severity::Ok, "no TCP socket, no engine is running"));
    }
}
