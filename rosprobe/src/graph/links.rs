//! All links with what is needed to find them again: by client and port, by name, by URI.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::client::ClientId;
use super::link::{Link, LinkId, LinkKind, Outcome, Party, Rate, Stage, StageState};
pub(crate) use super::target::DataTarget;
use super::track::{GoneCause, Judged, Track};
use crate::event::{Monotonic, Traffic};
use crate::observation::{AdvertisedUri, ObservationId};

/// Stands where the URI of a publisher would that no list named; its data port follows.
pub(crate) const UNLISTED: &str = "unlisted:";
/// Links kept at once; beyond it the one that has been gone longest, then the oldest, is forgotten.
pub(crate) const LINK_LIMIT: usize = 16_384;
/// Links that are gone and still kept to be looked at.
const GONE_LIMIT: usize = 1024;

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub link: Link,
    pub track: Track,
}

type Key = (ClientId, LinkKind, Option<String>, String);

#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// Boxed: a tree whose keys only grow is half empty, which with entries of a kilobyte would be half of all that links hold.
    entries: BTreeMap<LinkId, Box<Entry>>,
    by_key: BTreeMap<Key, LinkId>,
    by_port: BTreeMap<(ClientId, u16), BTreeSet<LinkId>>,
    by_uri: BTreeMap<String, BTreeSet<LinkId>>,
    by_client: BTreeMap<ClientId, BTreeSet<LinkId>>,
    gone: VecDeque<LinkId>,
    next: u32,
    /// Links that were not made because there were too many.
    pub refused: u64,
}

impl LinkKind {
    /// The rungs that apply.
    fn ladder(self) -> &'static [Stage] {
        match self {
            Self::Topic => &Stage::TOPIC_LADDER,
            Self::Service => &[Stage::Advertised, Stage::Service, Stage::Header, Stage::Data],
            Self::Master => &[Stage::Master],
            Self::Callback => &[Stage::Callback],
            Self::Dds => &Stage::DDS_LADDER,
        }
    }
}

/// What a new link is made of.
pub(crate) struct NewLink<'a> {
    pub kind: LinkKind,
    pub client: ClientId,
    pub name: Option<&'a str>,
    /// URI of the far end; with `target` it names it.
    pub uri: &'a str,
    pub target: Option<AdvertisedUri>,
}

impl Links {
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(Box::as_ref)
    }

    pub fn get(&self, id: LinkId) -> Option<&Entry> {
        self.entries.get(&id).map(Box::as_ref)
    }

    pub fn get_mut(&mut self, id: LinkId) -> Option<&mut Entry> {
        self.entries.get_mut(&id).map(Box::as_mut)
    }

    pub fn is(&self, id: LinkId, kind: LinkKind) -> bool {
        self.get(id).is_some_and(|entry| entry.link.kind == kind)
    }

    pub fn find(&self, client: ClientId, kind: LinkKind, name: Option<&str>, uri: &str) -> Option<LinkId> {
        self.by_key.get(&(client, kind, name.map(str::to_owned), uri.to_owned())).copied()
    }

    /// The links of a client that carry a topic or service; without a name those to its masters, or of which none was seen.
    pub fn named(&self, client: ClientId, kind: LinkKind, name: Option<&str>) -> Vec<LinkId> {
        let first = (client, kind, name.map(str::to_owned), String::new());
        let same = |key: &Key| key.0 == client && key.1 == kind && key.2.as_deref() == name;
        self.by_key.range(first..).take_while(|(key, _)| same(key)).map(|(_, id)| *id).collect()
    }

    /// The links of a client that wait for something at a port.
    pub fn at_port(&self, client: ClientId, port: u16) -> impl Iterator<Item = LinkId> {
        self.by_port.get(&(client, port)).into_iter().flatten().copied()
    }

    pub fn of_client(&self, client: ClientId) -> Vec<LinkId> {
        self.by_client.get(&client).into_iter().flatten().copied().collect()
    }

    pub fn count_of(&self, client: ClientId) -> u32 {
        self.by_client.get(&client).map_or(0, |links| u32::try_from(links.len()).unwrap_or(u32::MAX))
    }

    pub fn of_uri(&self, uri: &str) -> Vec<LinkId> {
        self.by_uri.get(uri).into_iter().flatten().copied().collect()
    }

    /// The link, made when there is none; `None` when there are too many.
    pub fn find_or_add(&mut self, new: &NewLink<'_>, at: Monotonic) -> Option<(LinkId, bool)> {
        if let Some(id) = self.find(new.client, new.kind, new.name, new.uri) {
            return Some((id, false));
        }
        if self.entries.len() >= LINK_LIMIT && !self.forget_one_gone() {
            self.refused = self.refused.saturating_add(1);
            return None;
        }
        let id = LinkId(self.next);
        self.next = self.next.wrapping_add(1);
        self.by_key.insert((new.client, new.kind, new.name.map(str::to_owned), new.uri.to_owned()), id);
        self.by_client.entry(new.client).or_default().insert(id);
        if !new.uri.starts_with(UNLISTED) {
            self.by_uri.entry(new.uri.to_owned()).or_default().insert(id);
        }
        if let Some(target) = &new.target {
            self.by_port.entry((new.client, target.port)).or_default().insert(id);
        }
        self.entries.insert(id, Box::new(Entry { link: link(id, new, at), track: Track::new(new) }));
        Some((id, true))
    }

    /// The subscriber was told to connect there for its data.
    pub fn set_data_target(&mut self, id: LinkId, target: DataTarget) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some(before) = entry.track.data_target.take()
            && entry.track.target.as_ref().is_none_or(|uri| uri.port != before.port)
            && let Some(ids) = self.by_port.get_mut(&(entry.track.client, before.port))
        {
            ids.remove(&id);
        }
        self.by_port.entry((entry.track.client, target.port)).or_default().insert(id);
        entry.track.data_target = Some(target);
    }

    pub fn set_gone(&mut self, id: LinkId, cause: GoneCause, at: Monotonic) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.track.gone.is_some() {
            return;
        }
        entry.track.gone = Some((cause, at));
        entry.link.gone = true;
        entry.link.unresolved = cause == GoneCause::ClientLeft;
        entry.link.changed = at;
        self.gone.push_back(id);
        if self.gone.len() > GONE_LIMIT {
            self.forget_one_gone();
        }
    }

    pub fn set_back(&mut self, id: LinkId, at: Monotonic) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.track.gone.take().is_none() {
            return;
        }
        entry.link.gone = false;
        entry.link.unresolved = false;
        entry.link.changed = at;
        let ladder = entry.link.stages.iter().map(|state| StageState::new(state.stage, at)).collect();
        entry.link.stages = ladder;
        entry.track.worked = false;
        entry.track.data_target = None;
        entry.track.datagrams = None;
        self.gone.retain(|known| *known != id);
    }

    /// A link that was over because its subscriber hung up is used again.
    pub fn set_back_if_hung_up(&mut self, id: LinkId, at: Monotonic) {
        if self.get(id).is_some_and(|entry| matches!(entry.track.gone, Some((GoneCause::HungUp, _)))) {
            self.set_back(id, at);
        }
    }

    /// Forgets links that have been gone since before `before`.
    pub fn forget_gone_before(&mut self, before: Monotonic) {
        while let Some(id) = self.gone.front().copied() {
            let still = |entry: &Entry| entry.track.gone.is_some_and(|(_, at)| at >= before);
            if self.get(id).is_some_and(still) {
                return;
            }
            self.forget_one_gone();
        }
    }

    /// Changes a stage of a link and remembers what shows it.
    pub fn mark(
        &mut self,
        link: LinkId,
        stage: Stage,
        at: Monotonic,
        id: ObservationId,
        change: impl FnOnce(&mut StageState),
    ) {
        let Some(entry) = self.get_mut(link) else { return };
        entry.link.changed = at;
        if let Some(state) = entry.link.stage_mut(stage) {
            change(state);
            state.show(id);
        }
    }

    /// Of what was asked and not answered yet, or broke off since `since`, it is not known any more whether it was answered.
    pub fn forget_asked(&mut self, since: Monotonic) {
        self.forget_asked_if(|_, _| true);
        for state in self.entries.values_mut().flat_map(|entry| &mut entry.link.stages) {
            if matches!(state.stage, Stage::RequestTopic | Stage::Header) && state.rests_on_silence(since) {
                state.forget();
            }
        }
    }

    /// Of what was asked on certain sockets at certain times and not answered yet it is not known any more whether it was answered.
    pub fn forget_asked_if(&mut self, unsure: impl Fn(u64, Monotonic) -> bool) {
        for state in self.entries.values_mut().flat_map(|entry| &mut entry.link.stages) {
            let asked = matches!(state.stage, Stage::RequestTopic | Stage::Header);
            let Outcome::Pending { since, .. } = state.outcome else { continue };
            if asked && unsure(state.socket.unwrap_or(0), since) {
                state.outcome = Outcome::NotReached;
            }
        }
    }

    /// Of connects that began at certain times, and whose SYN was not sent again, it is not known any more what became of them.
    pub fn forget_begun(&mut self, unsure: impl Fn(Monotonic) -> bool) {
        for entry in self.entries.values_mut() {
            for state in &mut entry.link.stages {
                let asked = matches!(state.stage, Stage::RequestTopic | Stage::Header | Stage::Data);
                if let Outcome::Pending { since, syn_retransmits: 0 } = state.outcome
                    && !asked
                    && unsure(since)
                {
                    state.outcome = Outcome::NotReached;
                    entry.track.judged = Judged::Not;
                }
            }
        }
    }

    fn forget_one_gone(&mut self) -> bool {
        let Some(id) = self.gone.pop_front() else { return false };
        let Some(entry) = self.entries.remove(&id) else { return true };
        let Entry { link, track } = *entry;
        self.by_key.remove(&(track.client, link.kind, link.name, track.uri.clone()));
        let ports = track.target.map(|uri| uri.port).into_iter().chain(track.data_target.map(|target| target.port));
        for port in ports {
            remove_from(&mut self.by_port, &(track.client, port), id);
        }
        remove_from(&mut self.by_uri, &track.uri, id);
        remove_from(&mut self.by_client, &track.client, id);
        true
    }
}

fn remove_from<K: Ord>(index: &mut BTreeMap<K, BTreeSet<LinkId>>, key: &K, id: LinkId) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

fn link(id: LinkId, new: &NewLink<'_>, at: Monotonic) -> Link {
    let mut stages: Vec<StageState> = new.kind.ladder().iter().map(|stage| StageState::new(*stage, at)).collect();
    let uri = Some(new.uri.to_owned()).filter(|uri| !uri.starts_with(UNLISTED));
    let advertised = new.target.as_ref().map(ToString::to_string).or_else(|| uri.clone());
    for state in &mut stages {
        if matches!(state.stage, Stage::Advertised | Stage::Xmlrpc | Stage::Service | Stage::Master | Stage::Callback) {
            state.advertised.clone_from(&advertised);
        }
    }
    Link {
        id,
        kind: new.kind,
        name: new.name.map(str::to_owned),
        data_type: None,
        subscriber: Party::default(),
        publisher: Party { uri, ..Party::default() },
        stages,
        first_seen: at,
        changed: at,
        traffic: Traffic::default(),
        rate: Rate::default(),
        carried_by: None,
        gone: false,
        unresolved: false,
        incomplete: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::LinkId;

    #[test]
    fn the_number_of_links_is_bounded_and_the_rest_is_counted() {
        let mut links = Links::default();
        let surplus = 3000;
        for number in 0..LINK_LIMIT + surplus {
            let uri = format!("http://10.9.9.9:{number}/");
            let new = NewLink { kind: LinkKind::Topic, client: ClientId(0), name: Some("/t"), uri: &uri, target: None };
            links.find_or_add(&new, Monotonic(0));
        }
        assert_eq!((links.iter().count(), links.refused), (LINK_LIMIT, surplus as u64));
        links.set_gone(LinkId(0), GoneCause::Unlisted, Monotonic(1));
        let new = NewLink { kind: LinkKind::Topic, client: ClientId(1), name: Some("/u"), uri: "x", target: None };
        assert!(links.find_or_add(&new, Monotonic(2)).is_some(), "what is over makes room");
        assert_eq!(links.iter().count(), LINK_LIMIT);
    }
}
