//! System log lines as they travel: RFC 3164 and RFC 5424.
