//! Looks, each with an end: what does not answer in time is a finding, and keeps nobody from the others.

use super::Subject;
use super::finding::{Check, Finding};
use super::host::Host;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a look may take: a disk that sleeps answers sooner, a server that is gone never.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What one look has found so far.
pub(super) struct Found(Sender<Finding>);

impl Found {
    pub(super) fn push(&mut self, finding: Finding) {
        // Nobody listens any more when the patience is over.
        let _late = self.0.send(finding);
    }
}

impl Extend<Finding> for Found {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

type Work = Box<dyn FnOnce(&Subject, &mut Found) + Send>;

/// Something to look at, and the check that is told where it does not come to an end.
pub(super) struct Look {
    check: Check,
    work: Work,
}

impl Look {
    pub(super) fn new(check: Check, work: impl FnOnce(&Subject, &mut Found) + Send + 'static) -> Self {
        Self { check, work: Box::new(work) }
    }

    /// In a thread of its own, which is left alone where it does not end.
    fn begin(self, subject: &Subject) -> UnderWay {
        let Self { check, work } = self;
        let host = subject.host.for_one_look();
        let subject = Subject { host: host.clone(), ..subject.clone() };
        let (send, found) = channel();
        let begun = thread::Builder::new().spawn(move || work(&subject, &mut Found(send)));
        UnderWay { check, host, found, begun: begun.is_ok() }
    }
}

struct UnderWay {
    check: Check,
    host: Host,
    found: Receiver<Finding>,
    begun: bool,
}

impl UnderWay {
    fn until(self, end: Instant, patience: Duration) -> Vec<Finding> {
        let mut all = Vec::new();
        loop {
            match self.found.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(finding) => all.push(finding),
                Err(RecvTimeoutError::Disconnected) if self.begun => return all,
                Err(RecvTimeoutError::Disconnected) => {
                    all.push(
                        self.check.warning("nothing, as no thread can be started", "ulimit -u; free -m"),
                    );
                    return all;
                }
                Err(RecvTimeoutError::Timeout) => {
                    all.push(self.unanswered(patience));
                    return all;
                }
            }
        }
    }

    fn unanswered(&self, patience: Duration) -> Finding {
        let asked = self.host.asked();
        self.check.warning(
            format!("{asked} has not answered within {} s, so this check is not done", patience.as_secs()),
            format!(
                "see what {asked} waits for: a file server (/proc/mounts names it), a directory service, a process \
                 that hangs (ps -eo state,pid,comm | grep ^D)"
            ),
        )
    }
}

/// All at once, so that the whole takes no longer than the one that takes longest.
pub(super) fn all(subject: &Subject, looks: Vec<Look>) -> Vec<Finding> {
    let under_way: Vec<UnderWay> = looks.into_iter().map(|look| look.begin(subject)).collect();
    let end = Instant::now() + subject.patience;
    under_way.into_iter().flat_map(|look| look.until(end, subject.patience)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::finding::Severity::*;
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;
    use std::time::Duration;

    /// A file system that nobody serves: whoever asks it anything waits, until this is dropped.
    struct Dead(PathBuf, Option<File>);

    impl Dead {
        fn at(path: PathBuf) -> Self {
            let device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
            let options = format!("fd={},rootmode=40755,user_id=0,group_id=0", device.as_raw_fd());
            mount(Some("dead"), &path, Some("fuse"), MsFlags::empty(), Some(options.as_str())).unwrap();
            Self(path, Some(device))
        }
    }

    impl Drop for Dead {
        fn drop(&mut self) {
            self.1.take();
            umount2(&self.0, MntFlags::MNT_DETACH).unwrap();
        }
    }

    #[test]
    fn what_does_not_answer_is_told_and_the_rest_is_seen() {
        let fake = Fake::new();
        fake.policy("[gateway]\nuids = '1000-2000'\nhomes = ['/srv/dead', '/home']\n");
        fake.dir("/srv/dead", 0o755);
        let dead = Dead::at(fake.at("/srv/dead"));
        fake.waits(Duration::from_secs(3));
        let found = fake.all("root-parents");
        let stuck: Vec<_> = found.iter().filter(|one| one.seen.contains("has not answered")).collect();
        let [stuck] = stuck.as_slice() else { panic!("{found:?}") };
        assert_eq!(stuck.severity, Warning);
        assert_eq!(stuck.seen, "/srv/dead has not answered within 3 s, so this check is not done");
        assert!(stuck.todo.contains("/proc/mounts") && stuck.why.contains("ie-mountd"), "{stuck:?}");
        // Where everything answers nothing is said of it.
        drop(dead);
        fake.waits(60 * super::PATIENCE);
        assert!(!fake.all("root-parents").iter().any(|one| one.seen.contains("has not answered")));
    }
}
