//! Small helpers on text and bytes that more than one protocol needs.
