//! Bodies of event packages.
