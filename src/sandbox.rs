//! What a service's sandbox has taken from a program, told by the error that it leaves: which setting is the likely cause.
//!
//! A system call that a unit takes away fails like one that the kernel does not have. A program that does without it until
//! it is asked for something would refuse every user and say nothing of why; so each tries at its start what it lives by.
//!
//! The trials are `mountd/trial.rs`, `peer::can_be_known` and `engine::can_carry`. They come before the program tells
//! systemd that it is ready. The mount helper makes a stage, and looks for it in the table of mounts of process 1. The
//! programs ie-runc and ie-copy begin too often for that: they look once something has failed (`runtime/trial.rs`,
//! `copy/trial.rs`).

use std::io;

/// Something a program lives by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// `openat2`.
    Openat2,
    /// The calls of the mount interface: `fsopen`, `open_tree`, `mount_setattr`, `move_mount` and the rest.
    Mounts,
    /// A user namespace of a process of one's own.
    UserNamespace,
    /// A mount namespace of one's own.
    MountNamespace,
    /// Taking on a user's ids for files.
    Identity,
    /// Capabilities to keep.
    Capabilities,
    /// Sockets in the file system, and who is at their other end.
    UnixSockets,
    /// Pipes through which the kernel moves what comes.
    Splice,
    /// Threads, and what wakes them.
    Threads,
}

/// One that is not there.
#[derive(Debug, thiserror::Error)]
#[error("{step} does not work here: {cause}; {}", .need.cause_of(.cause))]
pub(crate) struct Lacking {
    step: &'static str,
    need: Need,
    cause: io::Error,
}

impl Need {
    /// For a step that was tried.
    pub(crate) fn tried<T, E: Into<io::Error>>(
        self,
        step: &'static str,
        outcome: Result<T, E>,
    ) -> Result<T, Lacking> {
        outcome.map_err(|cause| Lacking { step, need: self, cause: cause.into() })
    }

    /// The setting that is the likely cause of an error.
    pub(crate) fn cause_of(self, error: &io::Error) -> &'static str {
        let hidden = error.raw_os_error() == Some(libc::ENOSYS);
        match self {
            Self::Openat2 if hidden => {
                "RestrictSUIDSGID= in its unit hides this call and must not be there (Linux has it from 5.6 on)"
            }
            _ if hidden => {
                "SystemCallFilter= or SystemCallErrorNumber=ENOSYS in its unit hides this call, or Linux is older than 5.12"
            }
            Self::Openat2 | Self::Splice => "SystemCallFilter= in its unit must have @system-service",
            Self::Mounts => "SystemCallFilter= in its unit must have @mount",
            Self::UserNamespace if error.raw_os_error() == Some(libc::ENOSPC) => {
                "sysctl user.max_user_namespaces must not be 0"
            }
            Self::UserNamespace => {
                "RestrictNamespaces= in its unit must let it make one: RestrictNamespaces=user"
            }
            Self::MountNamespace => {
                "RestrictNamespaces= in its unit must let it make one, and CapabilityBoundingSet= must have CAP_SYS_ADMIN"
            }
            Self::Identity => {
                "CapabilityBoundingSet= in its unit must have CAP_SETUID and CAP_SETGID, SystemCallFilter= @setuid"
            }
            Self::Capabilities => "CapabilityBoundingSet= in its unit must have them, and User= must be root",
            Self::Threads => {
                "SystemCallFilter= in its unit must have @system-service, and TasksMax= room for some threads"
            }
            Self::UnixSockets => {
                "RestrictAddressFamilies= in its unit must have AF_UNIX, SystemCallFilter= @network-io"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_likely_setting() {
        let said = |need: Need, errno: i32| {
            need.tried("it", Err::<(), _>(io::Error::from_raw_os_error(errno))).unwrap_err().to_string()
        };
        let hidden = said(Need::Openat2, libc::ENOSYS);
        assert!(hidden.starts_with("it does not work here: Function not implemented"), "{hidden}");
        assert!(hidden.contains("RestrictSUIDSGID="), "{hidden}");
        assert!(said(Need::Openat2, libc::EPERM).contains("SystemCallFilter="));
        assert!(said(Need::Mounts, libc::EPERM).ends_with("must have @mount"));
        assert!(said(Need::Mounts, libc::ENOSYS).contains("SystemCallErrorNumber="));
        assert!(said(Need::UserNamespace, libc::EPERM).contains("RestrictNamespaces=user"));
        assert!(said(Need::UserNamespace, libc::ENOSPC).contains("user.max_user_namespaces"));
        assert!(said(Need::MountNamespace, libc::EPERM).contains("RestrictNamespaces="));
        assert!(said(Need::Identity, libc::EPERM).contains("CAP_SETUID"));
        assert!(said(Need::UnixSockets, libc::EAFNOSUPPORT).contains("AF_UNIX"));
    }
}
