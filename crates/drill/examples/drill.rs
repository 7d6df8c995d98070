//! The drill as a program of its own: `cargo run -p seaworthy-drill --example drill -- -- node server.js`.

fn main() -> std::process::ExitCode {
    seaworthy_drill::main(std::env::args_os().skip(1))
}
