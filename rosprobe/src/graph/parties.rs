//! Who is at the two ends of a link, as far as it is known.

use super::client::ClientId;
use super::link::{LinkId, LinkKind, Party};
use super::{Graph, ProcessState};
use crate::event::ProcessRef;
use crate::observation::AdvertisedUri;

impl Graph {
    /// Names and processes of a link's two ends, as far as they are known.
    pub(super) fn name_parties(&mut self, id: LinkId) {
        let Some(entry) = self.links.get(id) else { return };
        let client = self.clients.get(entry.track.client);
        let subscriber = Party {
            node: client.and_then(|client| client.name.clone()),
            process: client.and_then(|client| client.process.clone()),
            uri: client.and_then(|client| client.api.as_ref()).map(AdvertisedUri::text),
        };
        let publisher =
            self.publisher_of(&entry.track.uri, entry.link.name.as_deref(), entry.link.kind, entry.track.client);
        let Some(entry) = self.links.get_mut(id) else { return };
        entry.link.subscriber = subscriber;
        if let Some((node, process)) = publisher {
            entry.link.publisher.node = node.or(entry.link.publisher.node.take());
            entry.link.publisher.process = process.or(entry.link.publisher.process.take());
        }
    }

    fn publisher_of(
        &self,
        uri: &str,
        topic: Option<&str>,
        kind: LinkKind,
        client: ClientId,
    ) -> Option<(Option<String>, Option<ProcessRef>)> {
        let network = self.clients.networks.of(self.clients.get(client)?.place());
        let known = self.uri_nodes.get(&(network, uri.to_owned())).cloned();
        // Of as many publishers as the subscriber was told URIs, the one name that is left belongs to the one URI that is.
        let left = || {
            let topic = topic.filter(|_| kind == LinkKind::Topic)?;
            let names = self.masters.publishers.get(&(network, topic.to_owned()))?;
            let told = &self.clients.get(client)?.lists.get(topic)?.uris;
            let named = |uri: &String| self.uri_nodes.get(&(network, uri.clone()));
            let taken: Vec<&String> = told.iter().filter_map(named).collect();
            let is_only = told.contains(uri) && names.len() == told.len() && taken.len() + 1 == told.len();
            let mut others = names.iter().filter(|name| is_only && !taken.contains(name));
            let name = others.next().cloned();
            name.filter(|_| others.next().is_none())
        };
        let listener = self.listener_at(uri, client).filter(|_| kind == LinkKind::Topic);
        let only = |state: &ProcessState| state.nodes.first().filter(|_| state.nodes.len() == 1).cloned();
        let Some(name) = known.or_else(left) else {
            let state = listener?;
            return Some((only(state), Some(state.process.reference())));
        };
        let process = self.nodes.get(&(network, name.clone())).and_then(|node| node.process.clone());
        // Another node may have been given the port of one that is gone.
        let same = listener.filter(|state| state.nodes.is_empty() || state.nodes.contains(&name));
        Some((Some(name), process.or_else(|| same.map(|state| state.process.reference()))))
    }

    /// The publisher granted the topic: who it is, when its process runs one node.
    pub(super) fn granted_by(&mut self, id: LinkId, process: &ProcessRef) {
        let Some(entry) = self.links.get(id).filter(|entry| entry.link.publisher.node.is_none()) else { return };
        let (uri, nodes) = (entry.track.uri.clone(), self.process(process).map(|state| &state.nodes));
        let Some(name) = nodes.filter(|nodes| nodes.len() == 1).and_then(|nodes| nodes.first().cloned()) else {
            return;
        };
        self.node(&name).process.get_or_insert_with(|| process.clone());
        self.uri_of_node(&uri, &name);
    }

    /// Links to a URI in the network of the present observation.
    pub(super) fn links_of_uri(&self, uri: &str) -> Vec<LinkId> {
        let client = |id: &LinkId| self.links.get(*id).and_then(|entry| self.clients.get(entry.track.client));
        let here = |id: &LinkId| client(id).is_none_or(|known| self.clients.networks.of(known.place()) == self.network);
        self.links.of_uri(uri).into_iter().filter(here).collect()
    }

    /// The name of a URI's node became known.
    pub(super) fn name_publishers(&mut self, uri: &str) {
        for link in self.links_of_uri(uri) {
            self.name_parties(link);
        }
    }
}
