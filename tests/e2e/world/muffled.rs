//! A real engine that is heard badly: its events are held back or break off, and what it answers to a create is lost.

use super::tools::eventually;
use super::wire::ask_at;
use super::{Faulty, World};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A gateway of its own on that engine.
pub(crate) struct Muffled {
    pub(crate) gateway: Faulty,
    between: Arc<Between>,
}

/// What stands between the two.
#[derive(Default)]
struct Between {
    /// The first line of each request.
    asked: Mutex<Vec<String>>,
    /// What is open of the engine's events, towards the gateway.
    listeners: Mutex<Vec<UnixStream>>,
    held: AtomicBool,
    broken: AtomicBool,
    lost: AtomicBool,
}

impl World {
    pub(crate) fn muffled(&self) -> Muffled {
        let between = Arc::<Between>::default();
        let (real, own) = (self.engine.socket(), Arc::clone(&between));
        let gateway = self.gateway_on(move |listener| own.stand(&listener, &real));
        Muffled { gateway, between }
    }
}

impl Muffled {
    /// What the gateway has asked the engine for, and these words are in, since it was last forgotten.
    pub(crate) fn asked(&self, words: &[&str]) -> Vec<String> {
        let asked = self.between.asked.lock().unwrap();
        asked.iter().filter(|line| words.iter().all(|word| line.contains(word))).cloned().collect()
    }

    pub(crate) fn forget(&self) {
        self.between.asked.lock().unwrap().clear();
    }

    /// From now on the gateway hears of nothing, and does not know it.
    pub(crate) fn hold_events(&self) {
        self.between.held.store(true, Ordering::SeqCst);
    }

    /// The gateway hears nothing any more, and has noticed.
    #[track_caller]
    pub(crate) fn break_events(&self) {
        self.mute();
        let noticed = || self.gateway.said().contains("events broke off");
        assert!(eventually(noticed), "{}", self.gateway.said());
    }

    fn mute(&self) {
        self.between.broken.store(true, Ordering::SeqCst);
        for listener in self.between.listeners.lock().unwrap().drain(..) {
            listener.shutdown(Shutdown::Both).ok();
        }
    }

    pub(crate) fn mend_events(&self) {
        self.between.broken.store(false, Ordering::SeqCst);
    }

    /// From now on nobody is told what came of a create.
    pub(crate) fn lose_creates(&self) {
        self.between.lost.store(true, Ordering::SeqCst);
    }

    /// Everybody's containers, as root asks this gateway for them.
    #[track_caller]
    pub(crate) fn everyones(&self) -> String {
        let socket = self.gateway.socket().with_file_name("admin").join("admin.sock");
        let (status, body) = ask_at(&socket, "GET", "/ie/v1/admin/containers", "").unwrap();
        assert_eq!(status, 200, "{body}");
        body
    }
}

impl Drop for Muffled {
    fn drop(&mut self) {
        self.mute();
    }
}

impl Between {
    fn stand(self: &Arc<Self>, listener: &UnixListener, real: &PathBuf) {
        for gateway in listener.incoming().flatten() {
            let (between, Ok(engine)) = (Arc::clone(self), UnixStream::connect(real)) else { continue };
            thread::spawn(move || between.pass(gateway, engine));
        }
    }

    /// One connection, which is one request.
    fn pass(&self, mut gateway: UnixStream, mut engine: UnixStream) {
        let (mut head, mut part) = (Vec::new(), [0; 4096]);
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match gateway.read(&mut part) {
                Ok(count @ 1..) => head.extend_from_slice(&part[..count]),
                _ => return,
            }
        }
        let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(line.clone());
        engine.write_all(&head).ok();
        let (mut from, mut to) = (gateway.try_clone().unwrap(), engine.try_clone().unwrap());
        thread::spawn(move || {
            std::io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Write).ok();
        });
        if line.contains("/events?") {
            self.tell(gateway, engine);
        } else if line.contains("/containers/create?") && self.lost.load(Ordering::SeqCst) {
            // It has answered: so it has made it.
            engine.read_exact(&mut [0]).ok();
            gateway.shutdown(Shutdown::Both).ok();
            engine.shutdown(Shutdown::Both).ok();
        } else {
            std::io::copy(&mut engine, &mut gateway).ok();
            gateway.shutdown(Shutdown::Both).ok();
        }
    }

    fn tell(&self, mut gateway: UnixStream, mut engine: UnixStream) {
        self.listeners.lock().unwrap().push(gateway.try_clone().unwrap());
        let mut part = [0; 4096];
        while !self.broken.load(Ordering::SeqCst) {
            let Ok(count @ 1..) = engine.read(&mut part) else { break };
            while self.held.load(Ordering::SeqCst) && !self.broken.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
            if gateway.write_all(&part[..count]).is_err() {
                break;
            }
        }
        gateway.shutdown(Shutdown::Both).ok();
        engine.shutdown(Shutdown::Both).ok();
    }
}
