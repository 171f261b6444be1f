//! Versions with known holes. A distribution mends them without another number, so there it is said how to look.

use super::Subject;
use super::finding::{Check, Finding, Severity};
use super::host::Host;
use super::look::Found;
use serde_json::Value;

pub(super) const KERNEL: Check =
    Check::new("kernel-version", "mounts are idmapped from Linux 5.12 on, and homes need that");
/// The first that idmaps a mount.
const FIRST_KERNEL: Version = Version::new(5, 12, 0);

/// A program, and the holes that its versions had.
struct Program {
    check: Check,
    /// What the engine calls it among its components; empty for what the engine does not know.
    component: &'static str,
    /// The distribution's package, and those of its makers.
    own: &'static str,
    makers: &'static [&'static str],
    holes: &'static [Hole],
}

/// A hole, and the first version without it in each branch that was mended, upwards.
struct Hole {
    fixed: &'static [Version],
    severity: Severity,
    names: &'static str,
}

const PROGRAMS: [Program; 4] = [
    Program {
        check: Check::new(
            "engine-version",
            "the engine is root, and does what the gateway asks with what an image holds",
        ),
        component: "Engine",
        own: "docker.io",
        makers: &["docker-ce", "moby-engine"],
        holes: &[
            Hole {
                fixed: &[Version::new(20, 10, 9)],
                severity: Severity::Warning,
                names: "CVE-2021-41091, users run setuid programs of images",
            },
            Hole {
                // The gateway copies only with containers in which no process runs; root may not be so careful.
                fixed: &[Version::new(29, 5, 1)],
                severity: Severity::Notice,
                names: "CVE-2026-41567, -41568 and -42306, root's own `docker cp` with a running container",
            },
        ],
    },
    Program {
        check: Check::new("containerd-version", "containerd starts every container, as root"),
        component: "containerd",
        own: "containerd",
        makers: &["containerd.io", "moby-containerd"],
        holes: &[Hole {
            fixed: &[
                Version::new(1, 7, 29),
                Version::new(2, 0, 7),
                Version::new(2, 1, 5),
                Version::new(2, 2, 0),
            ],
            severity: Severity::Warning,
            names: "CVE-2024-25621, its directories are open to users",
        }],
    },
    Program {
        check: Check::new("runc-version", "runc makes each container as root out of an image of anybody's"),
        component: "runc",
        own: "runc",
        makers: &["containerd.io", "moby-runc"],
        holes: &[
            Hole {
                fixed: &[Version::new(1, 1, 14), Version::new(1, 2, 0)],
                severity: Severity::Warning,
                names: "CVE-2024-21626 or CVE-2024-45310, ways out of a container",
            },
            Hole {
                fixed: &[Version::new(1, 2, 8), Version::new(1, 3, 3), Version::new(1, 4, 0)],
                severity: Severity::Warning,
                names: "CVE-2025-31133, -52565 and -52881, ways out of a container",
            },
        ],
    },
    Program {
        check: Check::new(
            "nvidia-toolkit-version",
            "the toolkit's hook runs as root on each container with a GPU",
        ),
        component: "",
        own: "nvidia-container-toolkit",
        makers: &["nvidia-container-toolkit"],
        holes: &[Hole {
            fixed: &[Version::new(1, 17, 8)],
            severity: Severity::Warning,
            names: "CVE-2024-0132, CVE-2025-23359, CVE-2025-23266 or -23267, ways out of a container",
        }],
    },
];

pub(super) fn examine(subject: &Subject, found: &mut Found) {
    found.push(kernel(&subject.host));
    let packages = Packages::read(&subject.host);
    let answer = subject.engine.version.as_ref().ok();
    found.extend(PROGRAMS.iter().filter_map(|program| program.finding(&subject.host, answer, &packages)));
}

fn kernel(host: &Host) -> Finding {
    let text = host.text("/proc/sys/kernel/osrelease").unwrap_or_default();
    let seen = text.trim_end();
    match Version::parse(seen) {
        Some(version) if version >= FIRST_KERNEL => KERNEL.ok(seen),
        Some(_) => KERNEL.warning(seen, "a distribution with Linux 5.12 or later"),
        None => KERNEL.notice("it cannot be read", "uname -r"),
    }
}

impl Program {
    /// Nothing where it is not installed, or the engine, which knows, does not answer.
    fn finding(&self, host: &Host, answer: Option<&Value>, packages: &Packages) -> Option<Finding> {
        let (number, package) = match self.component {
            "" => self.installed(host, packages)?,
            name => {
                (component(answer?, name)?, packages.version(self.own).map(|version| (self.own, version)))
            }
        };
        // What both have, as containerd.io has a runc of its own, is the makers'.
        let package = package.filter(|_| !self.makers.iter().any(|maker| packages.version(maker).is_some()));
        let seen = match package {
            Some((name, version)) => format!("{number} (package {name} {version})"),
            None => number.clone(),
        };
        let Some(version) = Version::parse(&number) else {
            return Some(self.check.notice(seen, "this is no version of a release: ask whoever built it"));
        };
        let open: Vec<&Hole> = self.holes.iter().filter(|hole| !version.has_fixed(hole.fixed)).collect();
        let Some(worst) = open.iter().map(|hole| hole.severity).max() else {
            return Some(self.check.ok(seen));
        };
        let names = open.iter().map(|hole| hole.names).collect::<Vec<_>>().join("; ");
        if let Some((name, _)) = package {
            return Some(self.check.notice(
                format!("{seen}; by its number alone: {names}"),
                format!("apt changelog {name} | grep CVE shows what the distribution has mended"),
            ));
        }
        if packages.are_unreadable {
            return Some(self.check.notice(
                format!("{seen}; by its number alone: {names}"),
                "rpm -q --changelog PACKAGE | grep CVE shows what the distribution has mended",
            ));
        }
        let newest = open.iter().filter_map(|hole| hole.fixed.last()).max().map(ToString::to_string);
        let todo = format!("upgrade to {} or later", newest.unwrap_or_default());
        Some(self.check.found(worst, format!("{seen}: {names}"), todo))
    }

    /// For what the engine does not know of: its package, or at least its program.
    fn installed<'p>(
        &self,
        host: &Host,
        packages: &'p Packages,
    ) -> Option<(String, Option<(&'p str, &'p str)>)> {
        match packages.version(self.own) {
            Some(version) => Some((version.to_owned(), None)),
            None => host
                .look("/usr/bin/nvidia-container-runtime")
                .map(|_| ("of an unknown version".to_owned(), None)),
        }
    }
}

/// The version of one of the engine's parts. Before 20.10 the engine's own stands alone.
fn component(answer: &Value, name: &str) -> Option<String> {
    let parts = answer.get("Components").and_then(Value::as_array).into_iter().flatten();
    let mut parts = parts.filter(|part| part.get("Name").and_then(Value::as_str) == Some(name));
    let own = || (name == "Engine").then_some(answer);
    let version = parts.next().or_else(own)?.get("Version")?.as_str()?;
    Some(version.to_owned()).filter(|version| !version.is_empty())
}

/// What dpkg has installed.
struct Packages {
    installed: Vec<(String, String)>,
    /// The machine's packages are in a database that is not read here.
    are_unreadable: bool,
}

impl Packages {
    fn read(host: &Host) -> Self {
        let text = host.text("/var/lib/dpkg/status").unwrap_or_default();
        let package = |paragraph: &str| {
            let field = |name: &str| {
                let line = paragraph.lines().find_map(|line| line.strip_prefix(name))?;
                Some(line.trim().to_owned())
            };
            let is_installed = field("Status:")?.ends_with(" installed");
            is_installed.then_some((field("Package:")?, field("Version:")?))
        };
        let rpm = ["/var/lib/rpm", "/usr/lib/sysimage/rpm"];
        Self {
            installed: text.split("\n\n").filter_map(package).collect(),
            are_unreadable: text.is_empty() && rpm.iter().any(|dir| host.look(dir).is_some()),
        }
    }

    fn version(&self, name: &str) -> Option<&str> {
        self.installed.iter().find(|(package, _)| package == name).map(|(_, version)| version.as_str())
    }
}

/// The three numbers of a release; a candidate comes before its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    numbers: (u32, u32, u32),
    is_release: bool,
}

impl Version {
    const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { numbers: (major, minor, patch), is_release: true }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, rest) = text.split_at(end);
        let mut numbers = numbers.split('.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        let numbers = (next()?, next()?, next().unwrap_or(0));
        let is_candidate = ["-rc", "~rc", "-beta", "-alpha"].iter().any(|word| rest.starts_with(word));
        Some(Self { numbers, is_release: !is_candidate })
    }

    /// Whether it is one of these, or later in its branch, or of a branch after the last of them.
    fn has_fixed(self, fixed: &[Self]) -> bool {
        let branch = |version: &Self| (version.numbers.0, version.numbers.1);
        match fixed.iter().find(|first| branch(first) == branch(&self)) {
            Some(first) => self >= *first,
            None => fixed.last().is_none_or(|last| self > *last),
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (major, minor, patch) = self.numbers;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::{self, *};
    use serde_json::json;

    fn with(component: &str, version: &str) -> Fake {
        let fake = Fake::new();
        fake.version(json!({"Version": "9", "Components": [{"Name": component, "Version": version}]}));
        fake
    }

    #[test]
    fn numbers_of_the_makers_decide() {
        let table: &[(&str, &str, &str, Severity)] = &[
            ("Engine", "engine-version", "29.5.1", Ok),
            ("Engine", "engine-version", "30.0.0", Ok),
            ("Engine", "engine-version", "29.5.0", Notice),
            ("Engine", "engine-version", "29.5.1-rc.1", Notice),
            ("Engine", "engine-version", "20.10.8", Warning),
            ("Engine", "engine-version", "dev", Notice),
            ("containerd", "containerd-version", "v1.7.29", Ok),
            ("containerd", "containerd-version", "2.1.5", Ok),
            ("containerd", "containerd-version", "2.3.0", Ok),
            ("containerd", "containerd-version", "1.7.28", Warning),
            ("containerd", "containerd-version", "2.1.4", Warning),
            ("containerd", "containerd-version", "2.2.0-rc.1", Warning),
            ("runc", "runc-version", "1.2.8", Ok),
            ("runc", "runc-version", "1.4.0", Ok),
            ("runc", "runc-version", "1.5.1", Ok),
            ("runc", "runc-version", "1.1.15", Warning),
            ("runc", "runc-version", "1.3.2", Warning),
            ("runc", "runc-version", "1.1.5+ds1", Warning),
        ];
        for (component, check, version, expected) in table {
            assert_eq!(with(component, version).found(check).0, *expected, "{component} {version}");
        }
    }

    #[test]
    fn an_old_runc_has_more_holes_than_a_less_old_one() {
        let seen = |version| with("runc", version).found("runc-version").1;
        assert!(seen("1.1.13").contains("CVE-2024-45310") && seen("1.1.13").contains("CVE-2025-31133"));
        assert!(!seen("1.1.14").contains("CVE-2024-45310") && seen("1.1.14").contains("CVE-2025-31133"));
    }

    #[test]
    fn a_distributions_number_says_little() {
        let fake = with("runc", "1.1.5+ds1");
        let status = |name: &str, state: &str| {
            format!(
                "Package: {name}\nStatus: {state}\nVersion: 1.1.5+ds1-1+deb12u1\n\nPackage: x\nStatus: x\n"
            )
        };
        fake.file("/var/lib/dpkg/status", &status("runc", "install ok installed"));
        let (severity, seen) = fake.found("runc-version");
        assert!(severity == Notice && seen.contains("(package runc 1.1.5+ds1-1+deb12u1)"), "{seen}");
        // Only the configuration is left of it, or it is the makers' own.
        fake.file("/var/lib/dpkg/status", &status("runc", "deinstall ok config-files"));
        assert_eq!(fake.found("runc-version").0, Warning);
        fake.file("/var/lib/dpkg/status", &status("containerd.io", "install ok installed"));
        assert_eq!(fake.found("runc-version").0, Warning);
        // Of a database that is not read here, nothing is known.
        fake.remove("/var/lib/dpkg/status");
        fake.dir("/var/lib/rpm", 0o755);
        assert_eq!(fake.found("runc-version").0, Notice);
    }

    #[test]
    fn the_toolkit_is_known_by_its_package_or_program() {
        let fake = Fake::new();
        assert!(fake.all("nvidia-toolkit-version").is_empty());
        fake.file("/usr/bin/nvidia-container-runtime", "");
        assert_eq!(fake.found("nvidia-toolkit-version").0, Notice);
        let status = |version: &str| {
            format!("Package: nvidia-container-toolkit\nStatus: install ok installed\nVersion: {version}\n")
        };
        fake.file("/var/lib/dpkg/status", &status("1.17.7-1"));
        assert_eq!(fake.found("nvidia-toolkit-version").0, Warning);
        fake.file("/var/lib/dpkg/status", &status("1.17.8-1"));
        assert_eq!(fake.found("nvidia-toolkit-version").0, Ok);
    }

    #[test]
    fn the_kernel_must_idmap() {
        let fake = Fake::new();
        assert_eq!(fake.found("kernel-version").0, Notice);
        fake.file("/proc/sys/kernel/osrelease", "5.10.0-28-amd64\n");
        assert_eq!(fake.found("kernel-version").0, Warning);
        fake.file("/proc/sys/kernel/osrelease", "6.1.0-13-amd64\n");
        assert_eq!(fake.found("kernel-version"), (Ok, "6.1.0-13-amd64".to_owned()));
    }

    #[test]
    fn an_engine_that_is_down_has_no_versions() {
        let fake = Fake::new();
        fake.engine_is_down();
        assert!(fake.all("engine-version").is_empty() && fake.all("runc-version").is_empty());
        let fake = Fake::new();
        fake.version(json!({"Version": "19.03.15"}));
        assert_eq!(fake.found("engine-version").0, Warning);
    }
}
