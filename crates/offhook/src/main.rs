//! Offhook: a complete IP phone system in one program.

fn main() -> std::process::ExitCode {
    offhook::cli::main()
}
