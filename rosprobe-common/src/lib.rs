//! What the eBPF programs and user space share: event layouts and limits.
#![no_std]
