//! Troubles that differ by their topic alone: fifty topics of one publisher that cannot be reached are one block to read, and a line each.

use std::collections::HashMap;

use crate::diagnosis::Finding;

/// Troubles remembered; beyond it all are said in full again.
const LIMIT: usize = 4096;

/// Remembers which troubles were said in full.
#[derive(Debug, Default)]
pub struct Alike {
    /// The finding and its topic or service, by everything else that a reader would act on.
    said: HashMap<String, (String, String)>,
}

impl Alike {
    /// The topic or service for which the same was said in full; `None` when this finding is to be said so, which is remembered.
    pub fn said_of(&mut self, finding: &Finding) -> Option<&str> {
        let name = finding.topic.as_ref().or(finding.service.as_ref())?;
        if self.said.len() >= LIMIT {
            self.said.clear();
        }
        let (id, other) = self.said.entry(trouble(finding)).or_insert_with(|| (finding.id.clone(), name.clone()));
        (*id != finding.id).then_some(other.as_str())
    }

    /// A finding no longer holds: nobody is pointed to it any more.
    pub fn over(&mut self, id: &str) {
        self.said.retain(|_, (said, _)| said != id);
    }
}

fn trouble(finding: &Finding) -> String {
    let Finding { code, severity, domain, stage, errno, address, process, peer, remedies, .. } = finding;
    format!("{:?}", (code, severity, domain, stage, errno, address, process, peer, remedies))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::tests::finding;

    #[test]
    fn what_differs_by_its_topic_alone_is_said_once() {
        let named = |id: &str, topic: &str| Finding { id: id.into(), topic: Some(topic.into()), ..finding() };
        let mut alike = Alike::default();
        let (first, second) = (named("1", "/a"), named("2", "/b"));
        assert_eq!(alike.said_of(&first), None);
        assert_eq!(alike.said_of(&second), Some("/a"));
        assert_eq!(alike.said_of(&first), None, "it is said in full when it has changed");
        assert_eq!(alike.said_of(&Finding { remedies: vec!["another".into()], ..second.clone() }), None);
        alike.over("1");
        assert_eq!(alike.said_of(&second), None, "what is over is nothing to point to");
        let nameless = Finding { topic: None, service: None, ..finding() };
        for _ in 0..2 {
            assert_eq!(alike.said_of(&nameless), None);
        }
    }
}
