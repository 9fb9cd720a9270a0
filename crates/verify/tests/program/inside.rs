//! The smallest program that can stand in for services inside a sandbox.

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == loopmend_verify::INSIDE) {
        std::process::exit(loopmend_verify::inside(arguments));
    }
}
