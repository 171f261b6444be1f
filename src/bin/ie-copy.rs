//! `ie-copy`: see [`ie_container::copy`].

fn main() -> std::process::ExitCode {
    ie_container::copy::main()
}
