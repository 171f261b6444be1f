//! An engine that misbehaves: the one thing a real engine cannot be made to do.

use super::World;
use super::output::Running;
use super::people::User;
use super::programs::{Daemon, owned_dir};
use super::tools::eventually;
use super::wire::LIMIT;
use rustix::process::Signal;
use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A gateway of its own whose engine answers as the test says.
pub(crate) struct Faulty {
    gateway: Daemon,
    socket: PathBuf,
    policy: PathBuf,
}

/// One that stops, once, before it asks the engine for something, until it may go on.
pub(crate) struct Stopped {
    pub(crate) gateway: Faulty,
    at: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
}

impl Stopped {
    /// `ie-container …` of somebody who has only this gateway, left running.
    pub(crate) fn spawn(&self, user: &User<'_>, words: &str) -> Running {
        user.spawn_command(self.gateway.client(user, words))
    }

    /// Until it has stopped.
    #[track_caller]
    pub(crate) fn is_there(&self) {
        self.at.recv_timeout(LIMIT).expect("it never asked the engine");
    }

    pub(crate) fn goes_on(&self) {
        self.go.send(()).unwrap();
    }
}

impl World {
    /// One more gateway on the real engine, which stops before a request with this word in it.
    pub(crate) fn stopped_at(&self, word: &str) -> Stopped {
        self.stopped_at_last(&[word])
    }

    /// The same, before the last of these, when it has come to each of those before in their order.
    pub(crate) fn stopped_at_last(&self, words: &[&str]) -> Stopped {
        let ((tell, at), (go, goes)) = (mpsc::channel(), mpsc::channel::<()>());
        let awaited: VecDeque<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let awaited = Mutex::new((awaited, Some((tell, goes))));
        let gateway = self.overheard(move |said| {
            let stop = {
                let mut awaited = awaited.lock().unwrap();
                let (words, stop) = &mut *awaited;
                if words.front().is_some_and(|word| String::from_utf8_lossy(said).contains(word)) {
                    words.pop_front();
                }
                words.is_empty().then(|| stop.take()).flatten()
            };
            // Without the lock: whatever else the gateway asks for goes on.
            if let Some((tell, goes)) = stop {
                tell.send(()).unwrap();
                // Nor for longer than whoever waits for it.
                goes.recv().ok();
            }
        });
        Stopped { gateway, at, go }
    }

    /// `answer` gets the request's first line and says, byte for byte, what comes back.
    pub(crate) fn faulty_engine(&self, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Faulty {
        self.gateway_on(|listener| serve(listener, answer))
    }

    /// One more gateway on the real engine; `ear` hears each piece of what it says before the engine does.
    pub(crate) fn overheard(&self, ear: impl Fn(&[u8]) + Send + Sync + 'static) -> Faulty {
        self.interrupted(move |said| {
            ear(said);
            None
        })
    }

    /// The same; what `word` answers to a piece comes back in the engine's place.
    pub(crate) fn interrupted(
        &self,
        word: impl Fn(&[u8]) -> Option<String> + Send + Sync + 'static,
    ) -> Faulty {
        let real = self.engine.socket();
        self.gateway_on(move |listener| pass(listener, &real, &Arc::new(word)))
    }

    /// One more gateway on the real engine, which knows of no image but those it is asked for, and does not answer
    /// requests with `word` in their first line: `ear` hears of each, true when it comes and false when it is given up.
    pub(crate) fn stalled(&self, word: &'static str, ear: impl Fn(bool) + Send + Sync + 'static) -> Faulty {
        let real = self.engine.socket();
        self.gateway_on(move |listener| stall(&listener, &real, word, &Arc::new(ear)))
    }

    /// A gateway whose engine is whatever `serve` makes of a socket's connections; it does not return while it does.
    pub(crate) fn gateway_on(&self, serve: impl FnOnce(UnixListener) + Send + 'static) -> Faulty {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = self.slot.run().join(format!("faulty/{number}"));
        let socket = dir.join("user.sock");
        for part in ["", "state"] {
            owned_dir(&dir.join(part), self.gateway_uid, 0o755).unwrap();
        }
        let engine = dir.join("engine.sock");
        let listener = UnixListener::bind(&engine).unwrap();
        thread::spawn(move || serve(listener));
        fs::set_permissions(&engine, fs::Permissions::from_mode(0o666)).unwrap();
        let policy = self.slot.lib().join(format!("faulty-{number}.toml"));
        let text = fs::read_to_string(self.policy_file()).unwrap();
        let real = self.engine.socket().display().to_string();
        fs::write(&policy, text.replace(&real, &engine.display().to_string())).unwrap();

        let gateway = Daemon::new(
            "ie-containerd",
            self.slot.lib().join(format!("log/faulty-{number}")),
            socket.clone(),
        );
        let mut command = Command::new("setpriv");
        command
            .args([format!("--reuid={0}", self.gateway_uid), format!("--regid={0}", self.gateway_uid)])
            .args(["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"])
            .arg(self.program("ie-containerd"))
            .args([PathBuf::from("--policy"), policy.clone(), PathBuf::from("--runtime-dir"), dir.clone()])
            .args([PathBuf::from("--state-dir"), dir.join("state")])
            // Not the real mount helper: this gateway knows no container and would have every stage taken away.
            .args([PathBuf::from("--mountd-dir"), dir.join("nothing-here")])
            .args([PathBuf::from("--copy-helper"), self.program("ie-copy")])
            .args([PathBuf::from("--wall"), self.engine.wall()]);
        gateway.start(&mut command).unwrap();
        Faulty { gateway, socket, policy }
    }
}

/// An answer of an engine's, byte for byte.
pub(crate) fn json(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

impl Faulty {
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Puts a table behind its policy, and the whole in force.
    pub(crate) fn and_the_policy(&self, table: &str) {
        self.change_the_policy(|text| format!("{text}\n{table}\n"));
    }

    /// Puts another text in its policy's place, and in force.
    pub(crate) fn change_the_policy(&self, change: impl FnOnce(&str) -> String) {
        let text = fs::read_to_string(&self.policy).unwrap();
        let other = change(&text);
        assert_ne!(other, text, "nothing was changed");
        fs::write(&self.policy, other).unwrap();
        self.gateway.signal(Signal::HUP);
        assert!(eventually(|| self.said().contains("the policy was read anew")), "{}", self.said());
    }

    /// Asks it to end, as systemd does.
    pub(crate) fn stop(&self) {
        self.gateway.signal(Signal::TERM);
    }

    /// What this gateway has said so far.
    pub(crate) fn said(&self) -> String {
        self.gateway.said()
    }

    /// `ie-container …` of somebody who has only this gateway.
    pub(crate) fn client(&self, user: &User<'_>, words: &str) -> Command {
        let mut command = user.client(words);
        command.env("IE_CONTAINER_SOCKET", &self.socket);
        command
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.gateway.kill();
    }
}

fn serve(listener: UnixListener, answer: impl Fn(&str) -> String + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || reply(stream, &*answer));
        }
    });
}

fn pass(
    listener: UnixListener,
    real: &Path,
    word: &Arc<impl Fn(&[u8]) -> Option<String> + Send + Sync + 'static>,
) {
    for caller in listener.incoming().flatten() {
        let Ok(engine) = UnixStream::connect(real) else { continue };
        let (mut from, mut to) = (caller.try_clone().unwrap(), engine.try_clone().unwrap());
        let word = Arc::clone(word);
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut part) {
                if let Some(answer) = word(&part[..count]) {
                    from.write_all(answer.as_bytes()).ok();
                    break;
                }
                if to.write_all(&part[..count]).is_err() {
                    break;
                }
            }
            to.shutdown(Shutdown::Write).ok();
        });
        let (mut from, mut to) = (engine, caller);
        thread::spawn(move || {
            std::io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Both).ok();
        });
    }
}

fn stall(
    listener: &UnixListener,
    real: &Path,
    word: &'static str,
    ear: &Arc<impl Fn(bool) + Send + Sync + 'static>,
) {
    for mut caller in listener.incoming().flatten() {
        let (real, ear) = (real.to_owned(), Arc::clone(ear));
        thread::spawn(move || {
            let mut head = [0; 4096];
            let count = caller.read(&mut head).unwrap_or_default();
            let text = String::from_utf8_lossy(&head[..count]).into_owned();
            let line = text.lines().next().unwrap_or_default();
            if line.contains("/images/json") {
                caller.write_all(json("200 OK", "[]").as_bytes()).ok();
            } else if line.contains(word) {
                ear(true);
                while let Ok(1..) = caller.read(&mut head) {}
                ear(false);
            } else if let Ok(mut engine) = UnixStream::connect(real) {
                engine.write_all(&head[..count]).ok();
                let (mut from, mut to) = (caller.try_clone().unwrap(), engine.try_clone().unwrap());
                thread::spawn(move || {
                    std::io::copy(&mut from, &mut to).ok();
                    to.shutdown(Shutdown::Write).ok();
                });
                std::io::copy(&mut engine, &mut caller).ok();
                caller.shutdown(Shutdown::Both).ok();
            }
        });
    }
}

/// One request a connection: whoever wants another one connects again.
fn reply(mut stream: UnixStream, answer: &dyn Fn(&str) -> String) {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(count @ 1..) => request.extend_from_slice(&part[..count]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    // The gateway may have gone away, which is its right.
    stream.write_all(answer(text.lines().next().unwrap_or_default()).as_bytes()).ok();
}
