//! `ie-mountd`: see [`ie_container::mountd`].

fn main() -> std::process::ExitCode {
    ie_container::mountd::main()
}
