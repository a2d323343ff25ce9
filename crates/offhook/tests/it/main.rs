//! Real sockets on the loopback, real files, the program as a person runs it.
