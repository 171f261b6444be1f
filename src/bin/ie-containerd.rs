//! `ie-containerd`: see [`ie_container::gateway`].

fn main() -> std::process::ExitCode {
    ie_container::gateway::main()
}
