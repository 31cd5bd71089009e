//! Packets that vanish without an answer.

use crate::diagnosis::trouble::Trouble;
use crate::graph::{Outcome, Way};
use crate::observation::Span;

impl Trouble<'_> {
    /// What may be behind it, by what else came from that host.
    pub fn dropped(&self, place: &str, outcome: &Outcome) -> String {
        let tries = match outcome {
            Outcome::Pending { since, syn_retransmits } => {
                let waited = Span(self.graph.now().0.saturating_sub(since.0));
                format!(
                    "Nothing at all came back from {place} in {waited}, and the SYN was sent again {syn_retransmits} times"
                )
            }
            Outcome::Abandoned { after_ns, syn_retransmits } => format!(
                "Nothing at all came back from {place} in {}, and the SYN was sent again {syn_retransmits} times",
                Span(*after_ns)
            ),
            _ => format!("Nothing at all came back from {place}"),
        };
        if self.last_answered().is_none()
            && let Some(no_way_back) = self.no_way_back()
        {
            return format!("{tries}: {no_way_back}.");
        }
        let contrast = match (&self.alive_ports()[..], self.last_answered()) {
            ([], None) => match self.way {
                // Without an answer to ARP the attempt would have failed.
                Way::OnLink { .. } => {
                    format!(": a firewall drops it, there or on {} itself{}", self.client_host(), self.way_words())
                }
                _ => match self.may_lack_a_way_back() {
                    Some(lost) => format!(": a firewall drops it, no such host exists{}, or {lost}", self.way_words()),
                    None => format!(": a firewall drops it, or no such host exists{}", self.way_words()),
                },
            },
            ([], Some((port, at))) => format!(
                ": the last that came from that address was {} before this began, from port {port}, so the host may have gone, or have another address now; else a firewall drops it{}",
                self.before_it_began(at),
                self.way_words()
            ),
            (ports, _) => format!(
                ", while the same host answered{}: a firewall drops it, or only single ports are forwarded",
                answered(ports).trim_start_matches(" (it answered").trim_end_matches(')')
            ),
        };
        format!("{tries}{contrast}.")
    }
}

pub(super) fn answered(ports: &[u16]) -> String {
    if ports.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = ports.iter().take(3).map(ToString::to_string).collect();
    format!(" (it answered at port {})", shown.join(", "))
}
