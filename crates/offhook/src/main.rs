//! Offhook: a complete IP phone system in one program.

fn main() {}
