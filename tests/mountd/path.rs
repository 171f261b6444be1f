//! Which directories may be staged, and what is said of the others.

use crate::site::{ANN, BOB, Client, GATEWAY, Site, make_dir, mount_at, set_mode, token_of};
use ie_container::protocol::stage::{Access, Answer, Reason, Request, Stage};
use nix::mount::{MsFlags, mount};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[test]
fn every_wrong_path_has_its_sentence() {
    let site = Site::started();
    let home = site.base.join("homes/ann");
    make_dir(&home.join("proj"), ANN, 0o755);
    make_dir(&home.join("roots"), 0, 0o755);
    symlink("proj", home.join("link")).unwrap();
    symlink("ann", site.base.join("homes/alias")).unwrap();
    symlink("/proc/self/root", home.join("magic")).unwrap();
    fs::write(home.join("file"), "").unwrap();
    let link = "is a symbolic link; name what it leads to";
    let cases = [
        ("ann/nope", Reason::Missing, "homes/ann/nope", "does not exist"),
        ("ann/nope/deep", Reason::Missing, "homes/ann/nope", "does not exist"),
        ("ann/file", Reason::NotAllowed, "homes/ann/file", "does not belong to you"),
        ("ann/file/x", Reason::Missing, "homes/ann/file", "is not a directory"),
        ("ann/link", Reason::NotAllowed, "homes/ann/link", link),
        ("ann/link/deep", Reason::NotAllowed, "homes/ann/link", link),
        ("ann/magic", Reason::NotAllowed, "homes/ann/magic", link),
        ("ann/magic/etc", Reason::NotAllowed, "homes/ann/magic", link),
        ("alias", Reason::NotAllowed, "homes/alias", link),
        ("alias/proj", Reason::NotAllowed, "homes/alias", link),
        ("bob", Reason::NotAllowed, "homes/bob", "does not belong to you"),
        ("ann/roots", Reason::NotAllowed, "homes/ann/roots", "does not belong to you"),
        ("", Reason::NotAllowed, "homes", "holds homes, name a directory of your own below it"),
    ];
    for (relative, reason, path, said) in cases {
        let told = site.refused(site.wish(1, relative));
        assert_eq!(told, (reason, format!("{} {said}", site.base.join(path).display())), "{relative}");
    }
    for relative in ["..", "ann/../bob", "../homes/ann", "/etc", "ann/.", "./ann", "ann//proj", "ann/\0"] {
        assert_eq!(site.refused(site.wish(1, relative)).0, Reason::BadRequest, "{relative}");
    }
    assert!(site.mounted().is_empty());
    site.staged(site.wish(1, "ann/proj"));
}

#[test]
fn a_closed_directory_is_closed_to_the_stage_too() {
    let site = Site::started();
    // Ann's own directory, behind one of bob's that she may not enter: root could, she cannot.
    make_dir(&site.base.join("homes/bob/anns"), ANN, 0o755);
    set_mode(&site.base.join("homes/bob"), 0o700);
    let (reason, message) = site.refused(site.wish(1, "bob/anns"));
    assert_eq!(reason, Reason::NotAllowed);
    assert!(message.ends_with("homes/bob/anns is closed to you (permission denied)"), "{message}");
    set_mode(&site.base.join("homes/bob"), 0o711);
    site.staged(site.wish(1, "bob/anns"));
}

#[test]
fn a_home_of_a_foreign_group_is_told_and_not_found_out() {
    let site = Site::started();
    let home = site.base.join("homes/ann");
    for gid in [0, BOB] {
        chown(&home, None, Some(gid)).unwrap();
        let (reason, message) = site.refused(site.wish(1, "ann"));
        assert_eq!(reason, Reason::NotAllowed);
        assert!(
            message.contains(&format!("homes/ann has group {gid}, which is not one of yours")),
            "{message}"
        );
        site.staged(Stage { access: Access::ReadOnly, ..site.wish(1, "ann") });
        site.unstaged(&Request::Unstage { token: token_of(1) });
    }
}

#[test]
fn groups_open_what_they_open_elsewhere() {
    let site = Site::started();
    let dir = site.base.join("shared/team");
    make_dir(&dir, BOB, 0o750);
    chown(&dir, None, Some(crate::site::TEAM)).unwrap();
    let wish = |gids: Vec<u32>, relative: &str| Stage {
        gids,
        root: site.base.join("shared"),
        access: Access::ReadOnly,
        ..site.wish(1, relative)
    };
    make_dir(&dir.join("deep"), BOB, 0o755);
    site.staged(wish(vec![ANN, crate::site::TEAM], "team/deep"));
    site.unstaged(&Request::Unstage { token: token_of(1) });
    assert_eq!(site.refused(wish(vec![ANN], "team/deep")).0, Reason::NotAllowed);
}

#[test]
fn only_the_policys_roots_and_users_are_served() {
    let site = Site::started();
    for root in ["/", "/etc", "/home", "/root", "/proc"] {
        assert_eq!(
            site.refused(Stage { root: root.into(), ..site.wish(1, "ann") }).0,
            Reason::NotAllowed,
            "{root}"
        );
    }
    let below = Stage { root: site.base.join("homes/ann"), ..site.wish(1, "") };
    assert_eq!(site.refused(below).0, Reason::NotAllowed);
    for uid in [0, 999, 60000, 65534, u32::MAX] {
        assert_eq!(site.refused(Stage { uid, ..site.wish(1, "ann") }).0, Reason::NotAllowed, "{uid}");
    }
    assert_eq!(site.refused(Stage { gids: vec![], ..site.wish(1, "ann") }).0, Reason::BadRequest);
}

#[test]
fn a_shared_directory_is_as_open_as_the_policy_says() {
    let mut site = Site::new();
    let shared = site.base.join("shared");
    let pool = site.base.join("pool");
    chown(&shared, Some(BOB), None).unwrap();
    make_dir(&pool, 0, 0o777);
    site.write_policy(&format!(
        "[defaults]\nmounts = [{{ source = {shared:?}, mode = \"ro\" }}, {{ source = {pool:?}, mode = \"rw\" }}]"
    ));
    site.start();
    let wish = |root: &PathBuf, access| Stage { root: root.clone(), access, ..site.wish(1, "") };
    assert_eq!(site.refused(wish(&shared, Access::ReadWrite)).0, Reason::NotAllowed);
    let path = site.staged(wish(&shared, Access::ReadOnly));
    assert!(site.mounted().into_iter().any(|line| line.at == path && line.has("ro") && line.has("idmapped")));
    let path = site.staged(wish(&pool, Access::ReadWrite));
    make_dir(&pool.join("anns"), ANN, 0o755);
    assert!(site.view(&path, Some(ANN), "touch anns/mine").status.success());
    assert_eq!(fs::metadata(pool.join("anns/mine")).unwrap().uid(), ANN);
    // The kernel writes to nothing whose owner is not mapped, whatever its mode: root's pool itself stays as it is.
    assert!(!site.view(&path, Some(ANN), "touch mine").status.success());
    assert!(site.view(&pool, Some(ANN), "touch mine").status.success());
    set_mode(&shared, 0o700);
    site.unstaged(&Request::Unstage { token: token_of(1) });
    let (reason, message) = site.refused(wish(&shared, Access::ReadOnly));
    assert_eq!(
        (reason, message.ends_with("shared is closed to you (permission denied)")),
        (Reason::NotAllowed, true)
    );
}

#[test]
fn roots_on_other_peoples_ground_are_not_used() {
    let mut site = Site::new();
    let open = site.base.join("open");
    make_dir(&open, 0, 0o755);
    make_dir(&open.join("homes"), 0, 0o755);
    make_dir(&open.join("homes/ann"), ANN, 0o755);
    site.write_policy(&format!("homes = [{:?}]", open.join("homes")));
    site.start();
    let wish = || Stage { root: open.join("homes"), ..site.wish(1, "ann") };
    let verdicts = [(0, 0o1777), (0, 0o775), (0, 0o757), (BOB, 0o755)];
    for (owner, mode) in verdicts {
        for dir in [open.clone(), open.join("homes")] {
            chown(&dir, Some(owner), None).unwrap();
            set_mode(&dir, mode);
            let (reason, message) = site.refused(wish());
            assert_eq!(reason, Reason::NotAllowed, "{owner} {mode:o} {dir:?}");
            assert!(message.starts_with(&format!("{} can be changed by others", dir.display())), "{message}");
            chown(&dir, Some(0), None).unwrap();
            set_mode(&dir, 0o755);
        }
    }
    site.staged(wish());
    site.unstaged(&Request::Unstage { token: token_of(1) });
    fs::rename(open.join("homes"), open.join("real")).unwrap();
    symlink("real", open.join("homes")).unwrap();
    assert_eq!(site.refused(wish()).0, Reason::NotAllowed);
}

#[test]
fn mounts_are_crossed_on_the_admins_ground_only() {
    let site = Site::started();
    let (disk, eve) = (site.base.join("disk"), site.base.join("homes/eve"));
    make_dir(&disk, ANN, 0o755);
    make_dir(&eve, 0, 0o755);
    mount(Some(&disk), &eve, Option::<&str>::None, MsFlags::MS_BIND, Option::<&str>::None).unwrap();
    site.staged(site.wish(1, "eve"));
    let inner = site.base.join("homes/ann/inner");
    make_dir(&inner, ANN, 0o755);
    mount_at(&inner, "tmpfs", ANN);
    make_dir(&inner.join("deep"), ANN, 0o755);
    for relative in ["ann/inner", "ann/inner/deep"] {
        let (reason, message) = site.refused(site.wish(2, relative));
        assert_eq!(reason, Reason::NotAllowed);
        assert!(message.starts_with(&format!("{} is a mount inside", inner.display())), "{message}");
    }
}

#[test]
fn what_a_user_mounted_over_the_home_is_refused_unasked() {
    let mut site = Site::started();
    let home = site.base.join("homes/ann");
    site.dead_fuse(&home, ANN);
    let begun = Instant::now();
    let (reason, message) = site.refused(site.wish(1, "ann"));
    assert_eq!(reason, Reason::NotAllowed);
    assert!(message.contains("homes/ann lies on a file system (fuse) that a user has mounted"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(5), "the user's server was asked");
}

#[test]
fn a_dead_file_system_holds_up_its_user_alone() {
    let mut site = Site::started();
    site.dead_fuse(&site.base.join("homes/ann"), 0);
    let bobs = |token| Stage { uid: BOB, gids: vec![BOB], ..site.wish(token, "bob") };
    let request = serde_json::to_vec(&Request::Stage(site.wish(1, "ann"))).unwrap();
    let mut stuck: Vec<Client> = (0..8).map(|_| Client::connect(&site, GATEWAY).unwrap()).collect();
    for client in &mut stuck {
        client.send(&request).unwrap();
    }
    std::thread::sleep(Duration::from_secs(3));
    let begun = Instant::now();
    site.staged(bobs(2));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Her ninth is told soon what the first eight are waiting to hear, for some seven seconds from here on.
    let (reason, message) = site.refused(site.wish(3, "ann"));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert_eq!(reason, Reason::System);
    assert!(message.contains("homes/ann does not answer"), "{message}");
    for client in &mut stuck {
        assert!(matches!(client.receive().unwrap(), Some(Answer::Refused { reason: Reason::System, .. })));
    }
    // When the file system has ended, so have the opens that hung on it, and ann is served again.
    site.end_fuse();
    nix::mount::umount2(&site.base.join("homes/ann"), nix::mount::MntFlags::MNT_DETACH).unwrap();
    site.staged(site.wish(4, "ann"));
}

/// Ends the swapping, also when the test fails: its thread would be waited for.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn swapping_a_directory_for_a_link_never_wins() {
    const ROUNDS: usize = 1000;
    let site = Site::started();
    let home = site.base.join("homes/ann");
    // The prize belongs to ann as well: the owner check must not be what saves the day.
    let prize = site.base.join("prize");
    for dir in [&home.join("dir"), &prize] {
        make_dir(dir, ANN, 0o755);
        make_dir(&dir.join("deep"), ANN, 0o755);
    }
    // Relative: where no mount may be crossed, an absolute link is refused for that alone.
    symlink("../../prize", home.join("swap")).unwrap();
    let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
    let (own, deep) = (inode(home.join("dir")), inode(home.join("dir/deep")));

    let over = AtomicBool::new(false);
    let (mut staged, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let (a, b) = (home.join("dir"), home.join("swap"));
                renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let _over = Over(&over);
        let mut client = Client::connect(&site, GATEWAY).unwrap();
        let mut win = None;
        for round in 0..ROUNDS {
            let (relative, right) = if round % 2 == 0 { ("ann/dir", own) } else { ("ann/dir/deep", deep) };
            match client.ask(&Request::Stage(site.wish(1, relative))).unwrap().unwrap() {
                Answer::Staged { path, .. } if inode(path.clone()) == right => staged += 1,
                Answer::Staged { path, .. } => win = Some(path),
                Answer::Refused { reason: Reason::NotAllowed, .. } => refused += 1,
                other => panic!("{other:?}"),
            }
            if round % 10 == 0 {
                client.ask(&Request::Unstage { token: token_of(1) }).unwrap();
            }
        }
        assert_eq!(win, None, "the attacker won");
    });
    assert!(staged > ROUNDS / 20 && refused > ROUNDS / 20, "no race: {staged} staged, {refused} refused");
}
