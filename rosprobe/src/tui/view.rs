//! The views, in the order of the bar.

/// What the list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ViewKind {
    /// Links, failing first.
    #[default]
    Links,
    /// Processes with their environment.
    Processes,
    /// Advertised hosts and who reached them.
    Hosts,
    /// The decoded conversation.
    Conversation,
    /// Findings, worst first.
    Findings,
    /// Domains of ROS 2.
    Domains,
    /// Participants of ROS 2.
    Participants,
    /// Writers and readers of ROS 2.
    Endpoints,
}

impl ViewKind {
    /// All views with their names, in the order of the bar.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Links, "Links"),
        (Self::Processes, "Processes"),
        (Self::Hosts, "Hosts"),
        (Self::Conversation, "Conversation"),
        (Self::Findings, "Findings"),
        (Self::Domains, "Domains"),
        (Self::Participants, "Participants"),
        (Self::Endpoints, "Endpoints"),
    ];

    /// Its name where there is little room.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Links => "Links",
            Self::Processes => "Procs",
            Self::Hosts => "Hosts",
            Self::Conversation => "Talk",
            Self::Findings => "Finds",
            Self::Domains => "Doms",
            Self::Participants => "Parts",
            Self::Endpoints => "Ends",
        }
    }

    /// True for the views that only ROS 2 fills.
    pub const fn is_ros2(self) -> bool {
        matches!(self, Self::Domains | Self::Participants | Self::Endpoints)
    }

    /// The view beside it in the bar; those of ROS 2 only where they are shown.
    #[must_use]
    pub fn stepped(self, forward: bool, ros2: bool) -> Self {
        let shown: Vec<Self> =
            Self::ALL.into_iter().map(|(view, _)| view).filter(|view| ros2 || !view.is_ros2()).collect();
        let here = shown.iter().position(|view| *view == self).unwrap_or(0);
        let step = if forward { 1 } else { shown.len() - 1 };
        shown[(here + step) % shown.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stepping_goes_round_through_what_the_bar_shows() {
        assert_eq!(ViewKind::Findings.stepped(true, false), ViewKind::Links);
        assert_eq!(ViewKind::Findings.stepped(true, true), ViewKind::Domains);
        assert_eq!(ViewKind::Links.stepped(false, true), ViewKind::Endpoints);
        assert_eq!(ViewKind::Links.stepped(false, false), ViewKind::Findings);
    }
}
