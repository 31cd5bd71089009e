//! Error numbers by name, as people search for them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A Linux error number (asm-generic values, which `x86_64` and aarch64 share). Written by name, `ECONNREFUSED`; as `errno 4711` where it has none here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        #[expect(missing_docs, reason = "the names are errno(3)'s")]
        impl Errno { $(pub const $name: Self = Self($value);)* }

        const NAMES: &[(i32, &str, &str)] = &[$(($value, stringify!($name), $text)),*];
    };
}

errnos! {
    EPERM = 1, "not permitted";
    ENOENT = 2, "no such thing";
    EINTR = 4, "interrupted";
    EIO = 5, "input/output error";
    EBADF = 9, "bad file descriptor";
    EAGAIN = 11, "not ready yet";
    ENOMEM = 12, "out of memory";
    EACCES = 13, "access denied";
    EFAULT = 14, "bad address in memory";
    EBUSY = 16, "busy";
    EINVAL = 22, "invalid argument";
    EMFILE = 24, "too many open files in this process";
    EPIPE = 32, "the peer has closed the connection";
    EDESTADDRREQ = 89, "no destination address";
    EMSGSIZE = 90, "message too long";
    EPROTOTYPE = 91, "wrong protocol type for the socket";
    ENOPROTOOPT = 92, "protocol not available";
    EPROTONOSUPPORT = 93, "protocol not supported";
    EOPNOTSUPP = 95, "operation not supported";
    EAFNOSUPPORT = 97, "address family not supported";
    EADDRINUSE = 98, "address already in use";
    EADDRNOTAVAIL = 99, "address is not one of this host";
    ENETDOWN = 100, "network is down";
    ENETUNREACH = 101, "no route to that network";
    ENETRESET = 102, "connection reset by the network";
    ECONNABORTED = 103, "connection aborted";
    ECONNRESET = 104, "connection reset by the peer";
    ENOBUFS = 105, "no buffer space";
    EISCONN = 106, "already connected";
    ENOTCONN = 107, "not connected";
    ESHUTDOWN = 108, "socket has been shut down";
    ETIMEDOUT = 110, "nobody answered in time";
    ECONNREFUSED = 111, "refused";
    EHOSTDOWN = 112, "host is down";
    EHOSTUNREACH = 113, "host cannot be reached";
    EALREADY = 114, "already in progress";
    EINPROGRESS = 115, "in progress";
}

impl Errno {
    /// The name, where it is known.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(value, ..)| *value == self.0).map(|(_, name, _)| *name)
    }

    /// What it means, in a few plain words; empty where it is not known.
    pub fn meaning(self) -> &'static str {
        NAMES.iter().find(|(value, ..)| *value == self.0).map_or("", |(.., text)| text)
    }

    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(value, ..)| Self(*value))
            .or_else(|| text.strip_prefix("errno ")?.parse().ok().map(Self))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Errno {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Errno {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format_args!("{text:?} is no error number's name")))
    }
}

impl JsonSchema for Errno {
    fn schema_name() -> Cow<'static, str> {
        "Errno".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A Linux error number by name, or `errno N` where it has none here.",
            "pattern": "^(E[A-Z0-9]+|errno -?[0-9]+)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_the_same_number() {
        for (value, name, _) in NAMES {
            assert_eq!(Errno::parse(name), Some(Errno(*value)));
            assert_eq!(Errno(*value).to_string(), *name);
        }
        assert_eq!(Errno::parse("errno 4711"), Some(Errno(4711)));
        assert_eq!(Errno(4711).to_string(), "errno 4711");
        assert_eq!(Errno::parse("ENONSENSE"), None);
    }
}
