//! Quality of service.
//!
//! Source: DDS 1.4, 2.2.3; defaults of DDSI-RTPS 2.5, table 9.14.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Duration {
    /// In nanoseconds.
    Nanoseconds(u64),
    /// For ever; longer than any other.
    Infinite,
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The wire's fraction is a 2^32nd of a second, so that 100 ms arrive as 99.999999907 ms.
            Self::Nanoseconds(ns) if *ns < 1_000_000 => write!(f, "{ns} ns"),
            Self::Nanoseconds(ns) if ns % 1_000_000_000 < 1000 => write!(f, "{} s", ns / 1_000_000_000),
            Self::Nanoseconds(ns) => write!(f, "{} ms", (ns + 500_000) / 1_000_000),
            Self::Infinite => f.write_str("infinite"),
        }
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)* })
            }
        }
    };
}
pub(super) use words;

words! {
    /// Whether lost samples are sent again; a later variant is the stronger offer.
    Reliability {
        /// They are not.
        BestEffort = "BEST_EFFORT",
        /// They are.
        Reliable = "RELIABLE",
    }
}

words! {
    /// Whether a reader that comes late gets earlier samples; a later variant is the stronger offer.
    Durability {
        /// It does not.
        Volatile = "VOLATILE",
        /// From the writer, as long as that lives.
        TransientLocal = "TRANSIENT_LOCAL",
        /// From a service that outlives the writer.
        Transient = "TRANSIENT",
        /// From a disk.
        Persistent = "PERSISTENT",
    }
}

words! {
    /// Who asserts that a writer lives; a later variant is the stronger offer.
    LivelinessKind {
        /// The middleware.
        Automatic = "AUTOMATIC",
        /// The application, once for the participant.
        ManualByParticipant = "MANUAL_BY_PARTICIPANT",
        /// The application, for each topic.
        ManualByTopic = "MANUAL_BY_TOPIC",
    }
}

words! {
    /// Whether several writers may update one instance.
    Ownership {
        /// They may.
        Shared = "SHARED",
        /// Only the strongest.
        Exclusive = "EXCLUSIVE",
    }
}

words! {
    /// By which clock samples are ordered; a later variant is the stronger offer.
    DestinationOrder {
        /// The reader's.
        ByReception = "BY_RECEPTION_TIMESTAMP",
        /// The writer's.
        BySource = "BY_SOURCE_TIMESTAMP",
    }
}

words! {
    /// Within what samples keep together; a later variant is the stronger offer.
    AccessScope {
        /// An instance.
        Instance = "INSTANCE",
        /// A topic.
        Topic = "TOPIC",
        /// A publisher's or subscriber's group of topics.
        Group = "GROUP",
    }
}

/// Liveliness with its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Liveliness {
    /// Who asserts it.
    pub kind: LivelinessKind,
    /// Within what time.
    pub lease: Duration,
}

/// How samples keep together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Presentation {
    /// Within what.
    pub access_scope: AccessScope,
    /// Several changes become visible at once.
    pub coherent: bool,
    /// Changes become visible in order.
    pub ordered: bool,
}

impl fmt::Display for Presentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.access_scope.fmt(f)?;
        f.write_str(if self.coherent { ", coherent" } else { "" })?;
        f.write_str(if self.ordered { ", ordered" } else { "" })
    }
}

/// Quality of service of a writer (what it offers) or a reader (what it requests).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Qos {
    /// Whether lost samples are sent again.
    pub reliability: Reliability,
    /// Whether a late reader gets earlier samples.
    pub durability: Durability,
    /// Longest time between two samples.
    pub deadline: Duration,
    /// Longest delay of a sample that is wished for.
    pub latency_budget: Duration,
    /// Who asserts that the writer lives.
    pub liveliness: Liveliness,
    /// Whether several writers may update one instance.
    pub ownership: Ownership,
    /// By which clock samples are ordered.
    pub destination_order: DestinationOrder,
    /// How samples keep together.
    pub presentation: Presentation,
    /// Partitions; empty for the one without a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<String>,
    /// Serialised forms offered or understood (0 XCDR1, 1 XML, 2 XCDR2); empty when nothing was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_representations: Vec<i16>,
}

impl Qos {
    /// What holds for a writer that says nothing.
    pub const WRITER_DEFAULT: Self = Self::default_with(Reliability::Reliable);
    /// What holds for a reader that says nothing.
    pub const READER_DEFAULT: Self = Self::default_with(Reliability::BestEffort);

    const fn default_with(reliability: Reliability) -> Self {
        Self {
            reliability,
            durability: Durability::Volatile,
            deadline: Duration::Infinite,
            latency_budget: Duration::Nanoseconds(0),
            liveliness: Liveliness { kind: LivelinessKind::Automatic, lease: Duration::Infinite },
            ownership: Ownership::Shared,
            destination_order: DestinationOrder::ByReception,
            presentation: Presentation { access_scope: AccessScope::Instance, coherent: false, ordered: false },
            partitions: Vec::new(),
            data_representations: Vec::new(),
        }
    }
}

/// Name of a serialised form (DDS-XTypes 1.3, 7.6.3.1.1); its number where it has none.
pub fn representation_name(representation: i16) -> Cow<'static, str> {
    match representation {
        0 => Cow::Borrowed("XCDR1"),
        1 => Cow::Borrowed("XML"),
        2 => Cow::Borrowed("XCDR2"),
        other => Cow::Owned(other.to_string()),
    }
}
