//! `ie-container`: see [`ie_container::client`].

fn main() -> std::process::ExitCode {
    ie_container::client::main()
}
