//! Host names, user names and secrets: which there are, and what stands in their place.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};

/// Names that every machine has.
const COMMON: [&str; 12] = [
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost6",
    "localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-localnet",
    "ip6-mcastprefix",
    "root",
];
/// Shorter names are replaced only where they stand alone: `a` is in every other word.
const LONG: usize = 4;
/// Names that are told apart.
const NAME_LIMIT: usize = 20_000;

/// What stands in the place of a value.
pub(super) const REDACTED: &str = "<redacted>";

/// Names found so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    replacements: BTreeMap<String, String>,
    hosts: usize,
    domains: usize,
    users: usize,
    host_ids: usize,
}

impl Names {
    /// A host name, with or without its domain.
    pub fn host(&mut self, name: &str) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        // Addresses have their own placeholders, and a number is no name.
        let is_name = name.bytes().any(|byte| byte.is_ascii_alphabetic()) && !name.contains(':');
        if name.len() > 255 || !is_name || self.is_known(&name) {
            return;
        }
        let (short, domain) = match name.split_once('.') {
            Some((short, domain)) => (short, Some(domain)),
            None => (name.as_str(), None),
        };
        if !COMMON.contains(&short) && !self.replacements.contains_key(short) {
            self.hosts += 1;
            self.add(short, &format!("host-{}", self.hosts));
        }
        let Some(domain) = domain.filter(|domain| !domain.is_empty()) else { return };
        // `.local` is a mechanism (RFC 6762), and tells nothing.
        if !matches!(domain, "local" | "localdomain") && !self.replacements.contains_key(domain) {
            self.domains += 1;
            self.add(domain, &format!("domain-{}", self.domains));
        }
    }

    /// A host as Fast DDS names it: its name, a colon, and a number made of its addresses.
    pub fn host_with_id(&mut self, host: &str) {
        // Behind a port there is nothing to hide.
        let is_id = |id: &str| id.len() > 5 && id.bytes().all(|byte| byte.is_ascii_digit());
        let Some((name, id)) = host.rsplit_once(':').filter(|(_, id)| is_id(id)) else { return self.host(host) };
        self.host(name);
        if !self.is_known(id) {
            self.host_ids += 1;
            self.add(id, &format!("host-id-{}", self.host_ids));
        }
    }

    /// A user name.
    pub fn user(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        if !name.is_empty() && !self.is_known(&name) {
            self.users += 1;
            self.add(&name, &format!("user-{}", self.users));
        }
    }

    /// An address as a part of a name (`host-10-0-1-1`, `/roslaunch/uris/host_10_0_1_1__41235`), and its placeholder written like that.
    pub fn spelled(&mut self, address: &str, placeholder: &str) {
        if !self.is_known(address) {
            self.add(address, placeholder);
        }
    }

    /// A value that nobody should read anywhere.
    pub fn secret(&mut self, value: &str) {
        if value.len() >= LONG && !self.is_known(&value.to_ascii_lowercase()) {
            self.add(&value.to_ascii_lowercase(), REDACTED);
        }
    }

    fn is_known(&self, name: &str) -> bool {
        COMMON.contains(&name) || self.replacements.contains_key(name)
    }

    fn add(&mut self, name: &str, placeholder: &str) {
        if self.replacements.len() >= NAME_LIMIT {
            return;
        }
        // ROS makes such names of host names: /roslaunch/uris/host_my_robot__41235.
        let in_graph_names = name.replace(['-', '.'], "_");
        if in_graph_names != name {
            self.replacements.insert(in_graph_names, placeholder.replace('-', "_"));
        }
        self.replacements.insert(name.to_owned(), placeholder.to_owned());
    }

    /// Ready to replace.
    pub fn finish(self) -> Replacer {
        let (names, placeholders): (Vec<String>, Vec<String>) = self.replacements.into_iter().unzip();
        let searcher = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(true)
            .build(&names)
            .ok();
        Replacer { searcher, placeholders }
    }
}

/// True when digits stand on both sides of a place.
fn cuts_a_number(text: &str, at: usize) -> bool {
    let is_digit = |character: char| character.is_ascii_digit();
    text[..at].ends_with(is_digit) && text[at..].starts_with(is_digit)
}

/// Replaces names in texts.
#[derive(Debug)]
pub(super) struct Replacer {
    /// `None` when it could not be built; then nothing may be shown.
    searcher: Option<AhoCorasick>,
    placeholders: Vec<String>,
}

impl Replacer {
    pub fn replace(&self, text: &str) -> String {
        let Some(searcher) = &self.searcher else { return REDACTED.to_owned() };
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for found in searcher.find_iter(text) {
            let alone = !text[..found.start()].ends_with(|before: char| before.is_alphanumeric())
                && !text[found.end()..].starts_with(|after: char| after.is_alphanumeric());
            if (found.len() >= LONG || alone)
                && !cuts_a_number(text, found.start())
                && !cuts_a_number(text, found.end())
            {
                out.push_str(&text[copied..found.start()]);
                out.push_str(&self.placeholders[found.pattern().as_usize()]);
                copied = found.end();
            }
        }
        out.push_str(&text[copied..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_wherever_they_stand() {
        let mut names = Names::default();
        for host in
            ["marvin", "marvin.lab.example.com", "r-2.lab.example.com", "localhost", "10.0.0.1", "pi.local", "a"]
        {
            names.host(host);
        }
        names.host_with_id("vm:3650240482762293248");
        names.host_with_id("10.0.0.1:11311");
        names.user("mia");
        names.user("root");
        names.secret("hunter2");
        names.spelled("10-0-1-1", "10-100-0-1");
        let replacer = names.finish();
        for (text, expected) in [
            ("http://marvin:41235/", "http://host-1:41235/"),
            ("http://Marvin.lab.example.com:1/", "http://host-1.domain-1:1/"),
            ("/roslaunch/uris/host_r_2__41235", "/roslaunch/uris/host_host_2__41235"),
            ("localhost root 10.0.0.1", "localhost root 10.0.0.1"),
            ("pi.local spins a pin", "host-3.local spins host-4 pin"),
            ("/home/mia/ws amiable", "/home/user-1/ws amiable"),
            ("_password:=hunter2", "_password:=<redacted>"),
            ("vm:3650240482762293248", "host-5:host-id-1"),
            ("10.0.0.1:11311", "10.0.0.1:11311"),
            ("/roslaunch/uris/host_10_0_1_1__41235", "/roslaunch/uris/host_10_100_0_1__41235"),
            ("ip-10-0-1-1 10-0-1-12 110-0-1-1", "ip-10-100-0-1 10-0-1-12 110-0-1-1"),
        ] {
            assert_eq!(replacer.replace(text), expected);
        }
    }
}
