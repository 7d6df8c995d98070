//! The binary `seaworthy`. What it is made of stands in `seaworthy-process` and `seaworthy-gateway`.

fn main() -> std::process::ExitCode {
    seaworthy_process::main()
}
