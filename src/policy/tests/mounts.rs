//! Which directories enter a container, rule by rule.

use super::*;
use Access::{ReadOnly, ReadWrite};

const OFFERS: &str = "[defaults]
images = ['**']
home = 'rw'
mounts = [{ source = '/data', mode = 'ro' }, { source = '/data/sets', mode = 'rw' }, { source = '/srv/lic', mode = 'ro', always = true, target = '/opt/lic' }]
";

/// What ann gets, each as `root + relative at target access`; or the sentence of the refusal.
fn got(limits: &Limits, asks: &[MountAsk]) -> Vec<String> {
    let shown = |grant: &MountGrant| {
        let access = if grant.access == ReadOnly { "ro" } else { "rw" };
        format!(
            "{} + {} at {} {access}",
            grant.root.display(),
            grant.relative.display(),
            grant.target.display()
        )
    };
    match limits.admit(&Usage::default(), &Ask { mounts: asks.to_vec(), ..ubuntu() }) {
        Ok(allowance) => allowance.mounts().iter().map(shown).collect(),
        Err(no) => vec![no.message.to_string()],
    }
}

/// What one ask adds to what is mounted anyway; or the sentence of the refusal.
fn adds(limits: &Limits, source: &str, target: &str, access: Access) -> String {
    got(limits, &[mount(source, target, access)]).pop().unwrap()
}

/// Limits of a user whose home is elsewhere.
fn at_home(home: &str, tables: &str) -> Limits {
    policy(tables).limits(&Who { login: "ann", groups: &[], home: Path::new(home), today: TODAY })
}

#[test]
fn the_home_comes_first_and_what_is_always_mounted_next() {
    let asks = [mount("/data", "/d", ReadOnly), mount("/home/ann/x", "/x", ReadWrite)];
    assert_eq!(
        got(&limits(OFFERS, &[]), &asks),
        [
            "/home + ann at /home/ann rw",
            "/srv/lic +  at /opt/lic ro",
            "/data +  at /d ro",
            "/home + ann/x at /x rw"
        ]
    );
}

#[test]
fn the_home_is_mounted_as_the_policy_says() {
    for (home, wanted) in [
        ("rw", vec!["/home + ann at /home/ann rw"]),
        ("ro", vec!["/home + ann at /home/ann ro"]),
        ("none", vec![]),
    ] {
        assert_eq!(got(&limits(&format!("[defaults]\nimages = ['**']\nhome = '{home}'"), &[]), &[]), wanted);
    }
}

#[test]
fn a_home_lies_below_a_root_for_homes() {
    let tables = "[defaults]\nimages = ['**']\nhome = 'rw'";
    assert_eq!(got(&at_home("/nfs/home/a/ann/", tables), &[]), ["/nfs/home + a/ann at /nfs/home/a/ann rw"]);
    for (home, fault) in [
        ("/home", "lies below none of the directories for homes"),
        ("/homes/ann", "lies below none of the directories for homes"),
        ("/root", "lies below none of the directories for homes"),
        ("/", "is not a place to mount at"),
        ("/dev/null", "is not a place to mount at"),
        ("", "is not an absolute path"),
        ("/home/ann/..", "holds `.` or `..`, give the path itself"),
        ("/home/../root", "holds `.` or `..`, give the path itself"),
    ] {
        let said = format!("gateway.homes: your home {home} {fault} (policy.toml:3, [gateway])");
        assert_eq!(got(&at_home(home, tables), &[]), [said]);
        assert_eq!(
            got(&at_home(home, "[defaults]\nimages = ['**']"), &[]).len(),
            0,
            "no home, no rule for it"
        );
    }
}

#[test]
fn a_home_is_staged_from_the_nearest_root() {
    let text = "[gateway]\nuids = '1-9'\nhomes = ['/home', { path = '/home/nfs', idmap = 'off' }]
[defaults]\nimages = ['**']\nhome = 'rw'";
    let policy = Policy::parse("policy.toml", text).unwrap();
    let who = Who { login: "ann", groups: &[], home: Path::new("/home/nfs/ann"), today: TODAY };
    assert_eq!(got(&policy.limits(&who), &[]), ["/home/nfs + ann at /home/nfs/ann rw"]);
}

#[test]
fn a_source_is_the_home_or_something_offered() {
    let ann = limits(OFFERS, &[]);
    assert_eq!(adds(&ann, "/home/ann/a/b", "/b", ReadWrite), "/home + ann/a/b at /b rw");
    assert_eq!(adds(&ann, "/home/ann", "/work", ReadOnly), "/home + ann at /work ro");
    assert_eq!(adds(&ann, "/data//x/", "/m/data", ReadOnly), "/data + x at /m/data ro");
    assert_eq!(adds(&ann, "/data/sets/x", "/m", ReadWrite), "/data/sets + x at /m rw");
    for source in
        ["/", "/etc", "/home", "/home/bob", "/home/annette", "/database", "/srv", "/var/run/docker.sock"]
    {
        let said = format!(
            "mounts: {source} is not among the directories you may mount (policy.toml:7, [defaults])"
        );
        assert_eq!(adds(&ann, source, "/m", ReadOnly), said);
    }
    for source in ["/data/../etc", "/home/ann/../bob", "/data/./x", "/data/.."] {
        let said =
            format!("mounts: {source} holds `.` or `..`, give the path itself (policy.toml:7, [defaults])");
        assert_eq!(adds(&ann, source, "/m", ReadOnly), said);
    }
}

#[test]
fn read_write_of_what_is_read_only_is_refused_not_trimmed() {
    let ann = limits(OFFERS, &[]);
    assert_eq!(
        adds(&ann, "/data/x", "/m", ReadWrite),
        "mounts: /data/x is offered read-only (policy.toml:7, [defaults])"
    );
    let no = ann.admit(&Usage::default(), &Ask { mounts: vec![mount("/data", "/m", ReadWrite)], ..ubuntu() });
    assert_eq!(no.unwrap_err().hint.unwrap(), "add `:ro` to the mount");
    let home = limits("[defaults]\nimages = ['**']\nhome = 'ro'", &[]);
    assert_eq!(
        adds(&home, "/home/ann/x", "/m", ReadWrite),
        "home: /home/ann/x is offered read-only (policy.toml:6, [defaults])"
    );
}

#[test]
fn without_a_home_nothing_of_it_is_mounted() {
    let ann = limits(
        "[defaults]\nimages = ['**']\nhome = 'none'\nmounts = [{ source = '/home/ann/pub', mode = 'ro' }]",
        &[],
    );
    for source in ["/home/ann", "/home/ann/x", "/home/ann/pub"] {
        let said = format!(
            "home: {source} lies in your home, which is not mounted here (policy.toml:6, [defaults])"
        );
        assert_eq!(adds(&ann, source, "/m", ReadOnly), said);
    }
}

#[test]
fn targets_keep_off_what_the_container_needs() {
    let ann = limits(OFFERS, &[]);
    for target in [
        "/",
        "//",
        "/proc",
        "/proc/self",
        "/sys",
        "/sys/fs/cgroup",
        "/dev",
        "/dev/shm",
        "/.ie-copy",
        "/etc",
        "/etc/passwd",
        "/etc/group",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/etc/passwd/x",
        "/run/nvidia-container-devices",
        "/var/run/nvidia-container-devices/all",
    ] {
        let said = format!("mounts.target: {target} is not a place to mount at (built-in default)");
        assert_eq!(adds(&ann, "/data", target, ReadOnly), said);
    }
    for target in ["work", "", "/a/../proc", "/./proc", "/a\n"] {
        assert!(adds(&ann, "/data", target, ReadOnly).starts_with("mounts.target: "), "{target:?}");
    }
    for target in ["/var", "/etc/ssl", "/process", "/run/x", "/run/ie-container", "/home/bob"] {
        assert_eq!(adds(&ann, "/data", target, ReadOnly), format!("/data +  at {target} ro"));
    }
}

/// ie-runc makes the places of these as the user, and mounts them by no name.
#[test]
fn a_mount_may_lie_in_another() {
    let ann = limits(OFFERS, &[]);
    for target in ["/home/ann/data", "/home", "/opt/lic/x", "/opt"] {
        assert_eq!(adds(&ann, "/data", target, ReadOnly), format!("/data +  at {target} ro"));
        let memory = ann.admit(&Usage::default(), &Ask { memory_mounts: vec![target.into()], ..ubuntu() });
        assert_eq!(told(memory), "yes", "{target}");
    }
    let both =
        Ask { mounts: vec![mount("/data", "/m", ReadOnly)], memory_mounts: vec!["/m/x".into()], ..ubuntu() };
    assert_eq!(told(ann.admit(&Usage::default(), &both)), "yes");
    let many = Ask { memory_mounts: vec!["/t".into(); 33], ..ubuntu() };
    assert!(
        ann.admit(&Usage::default(), &many)
            .unwrap_err()
            .message
            .to_string()
            .contains("one container may have 32")
    );
    let alone = Ask { memory_mounts: vec!["/tmp".into(), "/run".into()], ..ubuntu() };
    assert!(ann.admit(&Usage::default(), &alone).is_ok());
    let same = Ask { memory_mounts: vec!["/tmp".into(), "/tmp/".into()], ..ubuntu() };
    assert!(ann.admit(&Usage::default(), &same).is_err());
}

/// As `-v $PWD:$PWD` is, typed in the home.
#[test]
fn what_another_mount_shows_there_is_no_second_one() {
    let ann = limits(OFFERS, &[]);
    let all = |asks: &[MountAsk], memory: &[&str]| {
        let memory_mounts = memory.iter().map(|place| (*place).into()).collect();
        let ask = Ask { mounts: asks.to_vec(), memory_mounts, ..ubuntu() };
        let allowance = ann.admit(&Usage::default(), &ask).unwrap();
        let shown = |grant: &MountGrant| format!("{} {:?}", grant.target.display(), grant.access);
        allowance.mounts().iter().map(shown).collect::<Vec<_>>()
    };
    let always = ["/home/ann ReadWrite", "/opt/lic ReadOnly"];
    let with = |more: &[&'static str]| [&always, more].concat();
    let own = |place: &str, access| mount(place, place, access);
    assert_eq!(all(&[own("/home/ann/proj", ReadWrite)], &[]), always);
    assert_eq!(all(&[own("/home/ann", ReadWrite), own("/home/ann/a/b/", ReadWrite)], &[]), always);
    // Read-only it is another one; and another directory is another one.
    assert_eq!(all(&[own("/home/ann/proj", ReadOnly)], &[]), with(&["/home/ann/proj ReadOnly"]));
    assert_eq!(all(&[mount("/home/ann/x", "/home/ann/y", ReadWrite)], &[]), with(&["/home/ann/y ReadWrite"]));
    // In between lies something else.
    assert_eq!(all(&[own("/home/ann/a/b", ReadWrite)], &["/home/ann/a"]), with(&["/home/ann/a/b ReadWrite"]));
    let nested =
        [own("/home/ann/a", ReadOnly), own("/home/ann/a/b", ReadOnly), own("/home/ann/a/c", ReadWrite)];
    assert_eq!(all(&nested, &[]), with(&["/home/ann/a ReadOnly", "/home/ann/a/c ReadWrite"]));
    let elsewhere = [mount("/home/ann", "/w", ReadWrite), mount("/home/ann/x", "/w/x", ReadWrite)];
    assert_eq!(all(&elsewhere, &[]), with(&["/w ReadWrite"]));
    // The home itself can be made read-only so, and what the site offers read-only no more than that.
    assert_eq!(all(&[own("/home/ann", ReadOnly)], &[]), ["/home/ann ReadOnly", "/opt/lic ReadOnly"]);
    assert_eq!(all(&[mount("/srv/lic", "/opt/lic", ReadOnly)], &[]), always);
    let no = got(&ann, &[mount("/srv/lic", "/opt/lic", ReadWrite)]);
    assert_eq!(no, ["mounts: /srv/lic is offered read-only (policy.toml:7, [defaults])"]);
}

#[test]
fn an_images_volumes_are_judged_as_if_they_were_asked_for() {
    let ann = limits(OFFERS, &[]);
    let told = |place: &str| {
        let ask = Ask { memory_mounts: vec!["/m".into()], image_volumes: vec![place.into()], ..ubuntu() };
        ann.admit(&Usage::default(), &ask).err().map(|no| no.message.to_string()).unwrap_or_default()
    };
    for good in ["/v", "/v/", "/m", "/home/ann", "/opt/lic", "/home", "/home/ann/x", "/m/x"] {
        assert_eq!(told(good), "", "{good}");
    }
    for bad in ["/dev/d", "/proc", "/etc", "/", "/.ie-channel", "v", "/a/../dev"] {
        assert!(told(bad).contains(&format!("the image's VOLUME {bad} ")), "{bad}: {}", told(bad));
    }
}

#[test]
fn no_two_mounts_share_a_target() {
    let ann = limits(OFFERS, &[]);
    for target in ["/home/ann", "/home/ann/", "/opt/lic"] {
        let said = format!("mounts.target: {target} is mounted already (built-in default)");
        assert_eq!(adds(&ann, "/data", target, ReadOnly), said);
    }
    let twice = [mount("/data", "/m", ReadOnly), mount("/home/ann", "//m/", ReadOnly)];
    assert_eq!(got(&ann, &twice), ["mounts.target: //m/ is mounted already (built-in default)"]);
    let clash = limits(
        &format!(
            "{OFFERS}[users.ann]\nmounts = [{{ source = '/d', mode = 'ro', always = true, target = '/home/ann' }}]"
        ),
        &[],
    );
    assert_eq!(
        got(&clash, &[]),
        ["mounts: two mounts at or below /home/ann for everyone (policy.toml:9, [users.ann])"]
    );
}

#[test]
fn there_is_an_end_to_mounts() {
    let ann = limits(OFFERS, &[]);
    let asks: Vec<_> = (0..31).map(|at| mount("/data", &format!("/m{at}"), ReadOnly)).collect();
    assert_eq!(got(&ann, &asks[..30]).len(), 32);
    assert_eq!(got(&ann, &asks), ["mounts: asked 33, one container may have 32 (built-in default)"]);
}

#[test]
fn there_is_an_end_to_mounts_of_all_kinds_together() {
    let plain = limits("[defaults]\nimages = ['**']\nmounts = [{ source = '/data', mode = 'ro' }]", &[]);
    let homed =
        limits("[defaults]\nimages = ['**']\nhome = 'rw'\nmounts = [{ source = '/data', mode = 'ro' }]", &[]);
    let ask = |limits: &Limits, directories: usize, memory: usize| {
        let mounts = (0..directories).map(|n| mount("/data", &format!("/d/{n}"), ReadOnly)).collect();
        let memory_mounts = (0..memory).map(|n| format!("/t/{n}").into()).collect();
        told(limits.admit(&Usage::default(), &Ask { mounts, memory_mounts, ..ubuntu() }))
    };
    let no = |asked| format!("mounts: asked {asked}, one container may have 32 (built-in default)");
    for (directories, memory) in [(32, 0), (0, 32), (16, 16), (1, 31)] {
        assert_eq!(ask(&plain, directories, memory), "yes");
        // The home is one more.
        assert_eq!(ask(&homed, directories, memory), no(33));
        assert_eq!(ask(&plain, directories + 1, memory + 1), no(34));
    }
}

#[test]
fn what_is_offered_is_shown_with_its_way() {
    let limits = limits(OFFERS, &[]);
    let shown = limits.values().into_iter().find(|value| value.rule == "mounts").unwrap().value;
    assert_eq!(shown, "/data (ro), /data/sets (rw), /srv/lic (ro, always at /opt/lic)");
}
