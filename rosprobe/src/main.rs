//! rosprobe: why a ROS topic is listed but nothing arrives.

fn main() -> std::process::ExitCode {
    rosprobe::commands::main()
}
