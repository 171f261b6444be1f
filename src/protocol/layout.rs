//! Where things lie on a host that has been set up in the usual way.

/// The user socket: the Docker Engine API and `/ie/v1`.
pub const USER_SOCKET: &str = "/run/ie-container/user.sock";
/// The admin socket: reachable by root alone.
pub const ADMIN_SOCKET: &str = "/run/ie-container/admin/admin.sock";
/// The sockets' directory, owned by the gateway's user.
pub const RUNTIME_DIR: &str = "/run/ie-container";
/// ie-mountd's directory, owned by root: its socket and the stage.
pub const MOUNTD_DIR: &str = "/run/ie-mountd";
/// What ie-mountd keeps.
pub const MOUNTD_STATE: &str = "/var/lib/ie-mountd";
/// ie-mountd's socket below its directory.
pub const MOUNTD_SOCKET: &str = "mountd.sock";
/// The pipe that whoever holds the wall between users' networks up has open; `packaging/ie-wall` makes it.
pub const WALL: &str = "/run/ie-wall/up";
/// The stage below ie-mountd's directory.
pub const STAGE: &str = "stage";
/// What stands in the name of something there that the gateway has set aside, before the time.
pub const ASIDE: &str = ".set-aside-";
/// The gateway's state: account files, leases, hours, marks.
pub const STATE_DIR: &str = "/var/lib/ie-container";
/// The policy file.
pub const POLICY: &str = "/etc/ie-container/policy.toml";
/// The system user of the gateway.
pub const GATEWAY_USER: &str = "ie-container";
/// `ie-copy`, as installed; bound read-only into each container.
pub const COPY_HELPER: &str = "/usr/local/libexec/ie-container/ie-copy";
/// Where `ie-copy` appears inside each container.
pub const COPY_IN_CONTAINER: &str = "/.ie-copy";
/// Where the directory of the gateway's channel for it appears inside each container, and the socket in it.
pub const CHANNEL_IN_CONTAINER: &str = "/.ie-channel";
pub const CHANNEL_SOCKET: &str = "copy.sock";
/// What ie-runc is told of the engine, where no such file lies beside it.
pub const RUNTIME: &str = "/etc/ie-container/runtime.toml";
/// What ie-runc adds to the commit of the runc that it stands in front of, where the engine shows it.
pub const RUNTIME_MARK: &str = "+ie-runc";
/// The system user whose subordinate ids the engine's containers have.
pub const ENGINE_USER: &str = "ie-engine";
/// Where that engine listens.
pub const ENGINE_SOCKET: &str = "/run/ie-engine/docker.sock";
