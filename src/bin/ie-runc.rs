//! `ie-runc`: see [`ie_container::runtime`].

fn main() -> std::process::ExitCode {
    ie_container::runtime::main()
}
