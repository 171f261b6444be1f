//! The gateway's own parts: who they run as, whose their directories are, and the wall between networks.

use super::Subject;
use super::finding::{Check, Finding};
use super::host::Host;
use super::look::Found;
use crate::protocol::layout::{
    ADMIN_SOCKET, GATEWAY_USER, MOUNTD_DIR, MOUNTD_SOCKET, RUNTIME_DIR, USER_SOCKET, WALL,
};
use std::path::Path;

pub(super) const WALL_UP: Check = Check::new(
    "wall",
    "while an engine makes a network its own isolation lapses, and only these rules keep users' networks apart",
);
const TIMER: Check = Check::new("wall-timer", "a wall that could not be put up is tried again by the timer");
const GATEWAY: Check = Check::new(
    "gateway",
    "ie-containerd needs no right but to the engine's socket, so it has a user of its own",
);
const MOUNTD: Check = Check::new(
    "mount-helper",
    "without ie-mountd no home is mounted; as root it speaks to the gateway alone",
);
const SOCKETS: Check = Check::new(
    "gateway-sockets",
    "whoever can change this directory can put a socket of their own in the gateway's place",
);
const ADMIN: Check = Check::new(
    "admin-socket",
    "administration is for root, and this directory's mode is the first of two walls",
);

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    let host = &subject.host;
    let gateway = gateway_uid(host);
    found.extend([wall(host), timer(host), gateway_runs(host, gateway), mountd_runs(host)]);
    found.extend([sockets(host, gateway), admin(host)]);
}

pub(super) fn gateway_uid(host: &Host) -> Option<u32> {
    let passwd = host.text("/etc/passwd").unwrap_or_default();
    passwd.lines().find_map(|line| {
        let mut cells = line.split(':');
        (cells.next()? == GATEWAY_USER).then(|| cells.nth(1)?.parse().ok())?
    })
}

/// The same look as the gateway's: the pipe must be root's alone, and somebody have it open.
fn wall(host: &Host) -> Finding {
    let path = Path::new(WALL);
    let todo = "systemctl enable --now ie-wall.service ie-wall.timer";
    match (host.not_roots_alone(path), host.is_held(path)) {
        (Some(fault), _) => WALL_UP.warning(fault, "chown root and chmod go-w, as its unit does"),
        (None, Some(true)) => WALL_UP.ok(format!("whoever owns the rules holds {WALL}")),
        (None, Some(false)) => {
            WALL_UP.warning(format!("nobody holds {WALL}, so nothing with a network starts"), todo)
        }
        (None, None) => {
            WALL_UP.warning(format!("{WALL} is not there, so nothing with a network starts"), todo)
        }
    }
}

fn timer(host: &Host) -> Finding {
    let wanted = ["/etc/systemd/system", "/run/systemd/system"]
        .map(|dir| format!("{dir}/timers.target.wants/ie-wall.timer"));
    match wanted.iter().find(|path| host.look(path).is_some()) {
        Some(_) => TIMER.ok("ie-wall.timer is enabled"),
        None => TIMER.notice("ie-wall.timer is not enabled", "systemctl enable --now ie-wall.timer"),
    }
}

/// The uids of the processes of this name; anybody can give that name to a process.
fn uids(host: &Host, name: &str) -> Vec<u32> {
    host.processes().iter().filter(|process| process.name == name).map(|process| process.uid).collect()
}

fn gateway_runs(host: &Host, gateway: Option<u32>) -> Finding {
    let running = uids(host, "ie-containerd");
    let status = "systemctl status ie-containerd";
    let unit = "start it by its unit, which names its user";
    match gateway {
        _ if running.contains(&0) => GATEWAY.danger("ie-containerd runs as root", unit),
        None => GATEWAY.warning(format!("there is no user {GATEWAY_USER}"), "systemd-sysusers makes it"),
        Some(uid) if running.contains(&uid) => GATEWAY.ok(format!("ie-containerd runs as {GATEWAY_USER}")),
        Some(_) => match running.first() {
            Some(other) => {
                GATEWAY.warning(format!("ie-containerd runs as uid {other}, not as {GATEWAY_USER}"), unit)
            }
            None => GATEWAY.warning("ie-containerd does not run", status),
        },
    }
}

fn mountd_runs(host: &Host) -> Finding {
    let status = "systemctl status ie-mountd";
    let named = || host.processes().iter().filter(|process| process.name == "ie-mountd");
    if !named().any(|process| process.is_roots) {
        return match named().next() {
            Some(other) => {
                MOUNTD.warning(format!("ie-mountd runs as uid {}, not as root", other.uid), status)
            }
            None => MOUNTD.warning("ie-mountd does not run", status),
        };
    }
    let socket = Path::new(MOUNTD_DIR).join(MOUNTD_SOCKET);
    match host.not_roots_alone(Path::new(MOUNTD_DIR)) {
        Some(fault) => {
            MOUNTD.danger(fault, "stop the gateway and ie-mountd, give the directory to root, start them")
        }
        None if host.look(&socket).is_none() => {
            MOUNTD.warning(format!("{} is not there", socket.display()), status)
        }
        None => MOUNTD.ok("ie-mountd runs as root, in a directory of root's"),
    }
}

/// The directory is root's (systemd's sockets) or the gateway's own (its own sockets).
fn sockets(host: &Host, gateway: Option<u32>) -> Finding {
    let Some(dir) = host.look(RUNTIME_DIR) else {
        return SOCKETS.warning(format!("{RUNTIME_DIR} is not there"), "systemd-tmpfiles --create");
    };
    let seen = format!("{RUNTIME_DIR} has mode {:04o}, uid {}", dir.mode, dir.uid);
    if dir.is_link || dir.mode & 0o022 != 0 || (dir.uid != 0 && Some(dir.uid) != gateway) {
        return SOCKETS.danger(seen, format!("chown root {RUNTIME_DIR}; chmod 0755 {RUNTIME_DIR}"));
    }
    match host.look(USER_SOCKET) {
        Some(_) => SOCKETS.ok(seen),
        None => SOCKETS.warning(
            format!("{USER_SOCKET} is not there"),
            "systemctl status ie-containerd.socket ie-containerd.service",
        ),
    }
}

fn admin(host: &Host) -> Finding {
    let socket = Path::new(ADMIN_SOCKET);
    let Some(dir) = socket.parent() else { return ADMIN.ok("there is none") };
    let shown = dir.display();
    match host.look(dir) {
        None => ADMIN.notice(format!("{shown} is not there"), "systemd-tmpfiles --create"),
        Some(look) if look.mode & 0o077 != 0 => ADMIN.warning(
            format!("{shown} has mode {:04o}", look.mode),
            format!("chmod 0700 {shown}; the gateway still asks the kernel who connects"),
        ),
        Some(look) => ADMIN.ok(format!("{shown} has mode {:04o}", look.mode)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;

    #[test]
    fn the_wall_must_say_that_it_stands() {
        let fake = Fake::new();
        assert_eq!(fake.found("wall").0, Warning);
        fake.file("/run/ie-wall/up", "up\n");
        assert_eq!(fake.found("wall").0, Warning, "as an older one said it");
        fake.remove("/run/ie-wall/up");
        fake.pipe("/run/ie-wall/up");
        assert_eq!(fake.found("wall").0, Warning);
        let holder = std::fs::File::options().read(true).write(true).open(fake.at("/run/ie-wall/up"));
        assert_eq!(fake.found("wall").0, Ok);
        fake.mode("/run/ie-wall", 0o777);
        assert_eq!(fake.found("wall").0, Warning);
        fake.mode("/run/ie-wall", 0o755);
        drop(holder);
        assert_eq!(fake.found("wall").0, Warning);
    }

    #[test]
    fn the_timer_is_enabled_by_a_link() {
        let fake = Fake::new();
        assert_eq!(fake.found("wall-timer").0, Notice);
        fake.link("/etc/systemd/system/timers.target.wants/ie-wall.timer", "/nowhere/ie-wall.timer");
        assert_eq!(fake.found("wall-timer").0, Ok);
    }

    #[test]
    fn the_gateway_runs_as_its_user() {
        let fake = Fake::new();
        assert_eq!(fake.found("gateway"), (Warning, "there is no user ie-container".to_owned()));
        fake.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nie-container:x:990:990::/:/bin/false\n");
        assert_eq!(fake.found("gateway"), (Warning, "ie-containerd does not run".to_owned()));
        fake.process(5, "ie-containerd", 1000, &["ie-containerd"], &[]);
        assert_eq!(fake.found("gateway").0, Warning);
        // Whatever else has that name.
        fake.process(6, "ie-containerd", 990, &["ie-containerd"], &[]);
        assert_eq!(fake.found("gateway").0, Ok);
        fake.process(7, "ie-containerd", 0, &["ie-containerd"], &[]);
        assert_eq!(fake.found("gateway").0, Danger);
    }

    #[test]
    fn the_mount_helper_is_roots() {
        let fake = Fake::new();
        assert_eq!(fake.found("mount-helper"), (Warning, "ie-mountd does not run".to_owned()));
        fake.process(5, "ie-mountd", 1000, &["ie-mountd"], &[]);
        let seen = "ie-mountd runs as uid 1000, not as root".to_owned();
        assert_eq!(fake.found("mount-helper"), (Warning, seen));
        fake.process(6, "ie-mountd", 0, &["ie-mountd"], &[]);
        assert_eq!(fake.found("mount-helper").0, Warning);
        fake.socket("/run/ie-mountd/mountd.sock", 0, 0o666);
        assert_eq!(fake.found("mount-helper").0, Ok);
        fake.owner("/run/ie-mountd", 1000);
        assert_eq!(fake.found("mount-helper").0, Danger);
    }

    #[test]
    fn the_sockets_lie_where_nobody_can_swap_them() {
        let fake = Fake::new();
        fake.file("/etc/passwd", "ie-container:x:990:990::/:/bin/false\n");
        assert_eq!(fake.found("gateway-sockets").0, Warning);
        fake.dir("/run/ie-container", 0o755);
        assert_eq!(fake.found("gateway-sockets").0, Warning);
        fake.socket("/run/ie-container/user.sock", 0, 0o666);
        assert_eq!(fake.found("gateway-sockets").0, Ok);
        fake.owner("/run/ie-container", 990);
        assert_eq!(fake.found("gateway-sockets").0, Ok);
        fake.owner("/run/ie-container", 1000);
        assert_eq!(fake.found("gateway-sockets").0, Danger);
        fake.owner("/run/ie-container", 0);
        fake.mode("/run/ie-container", 0o777);
        assert_eq!(fake.found("gateway-sockets").0, Danger);
    }

    #[test]
    fn the_admins_directory_is_closed() {
        let fake = Fake::new();
        assert_eq!(fake.found("admin-socket").0, Notice);
        fake.dir("/run/ie-container/admin", 0o700);
        assert_eq!(fake.found("admin-socket").0, Ok);
        fake.mode("/run/ie-container/admin", 0o755);
        assert_eq!(fake.found("admin-socket").0, Warning);
    }
}
