//! Where events come from: the kernel, `/proc`, or a packet capture.

pub mod pcap;
