//! Everything about the selected row, as one page that scrolls.

use ratatui::text::{Line, Span};

use super::listing::RowKey;
use super::processes::Tally;
use super::scene::Scene;
use super::text;
use super::theme::{Role, Theme};
use super::{conversation, findings, hosts, links, processes, rate, tree};
use crate::diagnosis::Finding;
use crate::graph::{Link, LinkKind, Outcome, StageState};
use crate::observation::{Observation, What};
use crate::printable::printable;

/// Most lines of a timeline; the newest are kept.
const TIMELINE: usize = 200;
/// Most exchanges that are opened up at once; the newest are kept.
const EXCHANGES: usize = 12;

/// What a page is made for.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Columns to write on.
    pub width: usize,
    /// Requests and answers raw instead of as a tree.
    pub raw: bool,
    /// The colours.
    pub theme: Theme,
}

/// A page being written. All text goes through `printable`.
#[derive(Debug)]
struct Page {
    lines: Vec<Line<'static>>,
    frame: Frame,
}

impl Page {
    fn span(&self, text: impl AsRef<str>, role: Role) -> Span<'static> {
        Span::styled(printable(text.as_ref()).into_owned(), self.frame.theme.style(role))
    }

    fn line(&mut self, spans: Vec<Span<'static>>) {
        self.lines.push(Line::from(spans));
    }

    fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        let span = self.span(text, Role::Heading);
        self.line(vec![span]);
    }

    /// A text that hangs beside its label, wrapped.
    fn labelled(&mut self, label: &str, body: &str, role: Role) {
        let indent = if label.is_empty() { 0 } else { 5.max(text::width(label) + 1) };
        let columns = self.frame.width.saturating_sub(indent).max(10);
        let safe = body.lines().map(printable).collect::<Vec<_>>().join("\n");
        for (position, part) in text::wrap(&safe, columns).into_iter().enumerate() {
            let label = if position == 0 { label } else { "" };
            let label = self.span(format!("{label:<indent$}"), Role::Heading);
            let part = self.span(part, role);
            self.line(vec![label, part]);
        }
    }

    /// A line that is cut where it is too long.
    fn cut(&mut self, line: &str, role: Role) {
        let fitted = text::fit(&printable(line), self.frame.width, text::Cut::End);
        let span = self.span(fitted, role);
        self.line(vec![span]);
    }
}

/// The page for a row.
pub fn page(scene: &Scene, hosts: &hosts::Hosts, tally: &Tally, key: &RowKey, frame: Frame) -> Vec<Line<'static>> {
    let mut page = Page { lines: Vec::new(), frame };
    match key {
        RowKey::Link(id) => {
            if let Some(link) = scene.graph().link(*id) {
                link_page(scene, link, &mut page);
            }
        }
        RowKey::Process(process) => process_page(scene, tally, process, &mut page),
        RowKey::Host(name) => {
            if let Some(host) = hosts.get(name) {
                host_page(scene, name, host, &mut page);
            }
        }
        RowKey::Observation(id) => {
            if let Some(observation) = scene.observation(*id) {
                observation_page(scene, observation, &mut page);
            }
        }
        RowKey::Finding(id) => {
            if let Some(finding) = scene.session().findings().iter().find(|finding| finding.id == *id) {
                finding_page(scene, finding, &mut page);
            }
        }
    }
    page.lines
}

/// A finding as plain text, for the clipboard.
pub fn finding_text(finding: &Finding) -> String {
    let why = format!("Why  {}", finding.explanation);
    let fixes = finding.remedies.iter().map(|remedy| format!("Fix  {remedy}"));
    let parts: Vec<String> = [finding.summary.clone(), why].into_iter().chain(fixes).collect();
    let lines: Vec<_> = parts.iter().flat_map(|part| part.lines()).map(printable).collect();
    lines.join("\n")
}

fn verdict(finding: &Finding, page: &mut Page) {
    let (symbol, _, role) = findings::mark(finding.severity);
    page.labelled("", &format!("{symbol} {}", finding.summary), role);
    page.labelled("Why", &finding.explanation, Role::Text);
    for (position, remedy) in finding.remedies.iter().enumerate() {
        page.labelled(if position == 0 { "Fix" } else { "or" }, remedy, Role::Accent);
    }
}

fn link_page(scene: &Scene, link: &Link, page: &mut Page) {
    let concerned = findings::of_link(scene, link);
    for finding in &concerned {
        verdict(finding, page);
    }
    if concerned.is_empty() {
        let (symbol, role) = links::mark(link.health());
        let (words, _) = links::outcome(scene, link);
        let from = links::party(scene, &link.publisher);
        let to = links::party(scene, &link.subscriber);
        let sentence = match link.kind {
            LinkKind::Topic | LinkKind::Dds => format!("{symbol} {} from {from} to {to}: {words}", link.name),
            _ => format!("{symbol} {}, {to} calls {from}: {words}", links::title(link)),
        };
        page.labelled("", &sentence, role);
    }
    ladder(scene, link, page);
    traffic(scene, link, page);
    let seen = related(scene, link);
    timeline(scene, &seen, page);
    exchanges(scene, &seen, page);
}

/// The stages on one line, and under it what is known of each.
fn ladder(scene: &Scene, link: &Link, page: &mut Page) {
    page.heading("Ladder");
    let mut spans = Vec::new();
    for (position, state) in link.stages.iter().enumerate() {
        if position > 0 {
            spans.push(page.span(" ─ ", Role::Muted));
        }
        let (symbol, role) = stage_mark(state);
        spans.push(page.span(format!("{} {symbol}", state.stage.word()), role));
    }
    page.line(spans);
    for state in link.stages.iter().filter(|state| state.outcome != Outcome::NotReached) {
        stage_line(scene, state, page);
    }
    if link.incomplete {
        page.labelled("", "! bytes of this link were lost: its state may be wrong", Role::Warn);
    }
}

fn stage_mark(state: &StageState) -> (&'static str, Role) {
    match state.outcome {
        Outcome::NotReached => ("·", Role::Muted),
        _ => links::mark(state.health()),
    }
}

fn stage_line(scene: &Scene, state: &StageState, page: &mut Page) {
    let (symbol, role) = stage_mark(state);
    let time = page.span(format!("{} ", scene.time_of_day(state.at)), Role::Muted);
    let words = format!("{symbol} {:<13} {}", state.stage.word(), links::stage_outcome(scene, state));
    let words = page.span(words, role);
    let mut where_to = state.advertised.clone().unwrap_or_default();
    if let Some(address) = state.address.map(|address| address.to_string()).filter(|address| *address != where_to) {
        where_to = if where_to.is_empty() { address } else { format!("{where_to} = {address}") };
    }
    let address = page.span(format!("  {where_to}"), Role::Accent);
    page.line(vec![time, words, address]);
}

fn traffic(scene: &Scene, link: &Link, page: &mut Page) {
    let samples = rate::samples(scene, link);
    if link.traffic == crate::event::Traffic::default() && samples.is_empty() {
        return;
    }
    page.heading("Data");
    page.labelled("", &link.traffic.to_string(), Role::Text);
    if let Some(peak) = samples.iter().map(|sample| sample.bytes).reduce(f64::max) {
        let room = page.frame.width.saturating_sub(30).clamp(8, 120);
        let shown = &samples[samples.len().saturating_sub(room)..];
        let bars = page.span(rate::sparkline(shown), Role::Accent);
        let words = format!("  up to {}/s", crate::observation::Bytes(peak));
        let words = page.span(words, Role::Muted);
        page.line(vec![bars, words]);
    }
}

/// Observations of a link's sockets and its evidence, oldest first, each once.
fn related<'a>(scene: &'a Scene, link: &Link) -> Vec<&'a Observation> {
    let sockets = scene.sockets_of(link);
    let on_sockets = sockets.iter().flat_map(|socket| scene.of_socket(*socket).rev().take(TIMELINE));
    let evidence = link.stages.iter().flat_map(|state| &state.evidence).filter_map(|id| scene.observation(*id));
    let mut seen: Vec<&Observation> = on_sockets.chain(evidence).collect();
    seen.sort_by_key(|observation| observation.id);
    seen.dedup_by_key(|observation| observation.id);
    seen
}

fn timeline(scene: &Scene, seen: &[&Observation], page: &mut Page) {
    page.heading("Timeline");
    let told: Vec<&&Observation> = seen.iter().filter(|observation| conversation::is_said(&observation.what)).collect();
    let skipped = told.len().saturating_sub(TIMELINE);
    if told.is_empty() {
        page.cut("nothing is kept of it", Role::Muted);
    }
    if skipped > 0 {
        page.cut(&format!("… {skipped} earlier"), Role::Muted);
    }
    for observation in &told[skipped..] {
        moment(scene, observation, page);
    }
}

fn moment(scene: &Scene, observation: &Observation, page: &mut Page) {
    let role = conversation::role(&observation.what);
    let symbol = match role {
        Role::Err => "✗",
        Role::Warn => "!",
        _ => " ",
    };
    let time = scene.wall(observation.time);
    let who = observation.process.as_ref().map(|process| scene.process_label(process)).unwrap_or_default();
    let remote = observation.socket.as_ref().and_then(|socket| socket.remote).map(|remote| remote.to_string());
    let words = format!("{symbol} {}", observation.what);
    let about = format!("  {who} {}", remote.unwrap_or_default());
    let room = page.frame.width.saturating_sub(text::width(&time) + 1);
    let words = text::fit(&printable(&words), room, text::Cut::End);
    let left = room.saturating_sub(text::width(&words));
    let about = text::fit(&printable(&about), left, text::Cut::End);
    let spans = vec![
        page.span(time + " ", Role::Muted),
        page.span(words, role),
        page.span(if left > 8 { about } else { String::new() }, Role::Muted),
    ];
    page.line(spans);
}

fn exchanges(scene: &Scene, seen: &[&Observation], page: &mut Page) {
    let spoken: Vec<&&Observation> = seen.iter().filter(|observation| is_exchange(&observation.what)).collect();
    if spoken.is_empty() {
        return;
    }
    page.heading(if page.frame.raw { "Requests and answers, raw" } else { "Requests and answers" });
    let skipped = spoken.len().saturating_sub(EXCHANGES);
    if skipped > 0 {
        page.cut(&format!("… {skipped} earlier"), Role::Muted);
    }
    for observation in &spoken[skipped..] {
        moment(scene, observation, page);
        content(observation, page);
    }
}

const fn is_exchange(what: &What) -> bool {
    matches!(
        what,
        What::Call { .. }
            | What::Answer { .. }
            | What::HttpOnly { .. }
            | What::TcprosHeader { .. }
            | What::ServiceAnswer { .. }
    )
}

fn content(observation: &Observation, page: &mut Page) {
    let raw = page.frame.raw && is_exchange(&observation.what);
    let lines = if raw { tree::raw(observation) } else { tree::decoded(observation) };
    if lines.is_empty() {
        page.cut("    nothing more is known of it", Role::Muted);
    }
    for line in lines {
        let indented = format!("    {}", printable(&line));
        for part in text::wrap(&indented, page.frame.width) {
            let span = page.span(part, Role::Text);
            page.line(vec![span]);
        }
    }
}

fn finding_page(scene: &Scene, finding: &Finding, page: &mut Page) {
    verdict(finding, page);
    page.heading("Facts");
    let process = finding
        .process
        .as_ref()
        .map(|process| format!("{} [{}] {}", process.comm, process.pid, process.node.as_deref().unwrap_or_default()));
    let peer = finding.peer.as_ref();
    let facts = [
        ("code", Some(finding.code.word())),
        ("topic", finding.topic.clone()),
        ("service", finding.service.clone()),
        ("node", finding.node.clone()),
        ("domain", finding.domain.map(|domain| domain.to_string())),
        ("process", process),
        ("peer", peer.and_then(|peer| peer.node.clone())),
        ("uri", peer.and_then(|peer| peer.uri.clone())),
        ("address", finding.address.clone()),
        ("stage", finding.stage.map(|stage| stage.word().to_owned())),
        ("errno", finding.errno.map(|errno| format!("{errno}: {}", errno.meaning()))),
        ("times", Some(finding.count.to_string())),
        ("first", Some(scene.wall(finding.first))),
        ("last", Some(scene.wall(finding.last))),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            page.labelled(&format!("{name:<8}"), &value, Role::Text);
        }
    }
    let mut seen: Vec<&Observation> = finding.evidence.iter().filter_map(|id| scene.observation(*id)).collect();
    seen.sort_by_key(|observation| observation.id);
    page.heading("Evidence");
    for observation in &seen {
        moment(scene, observation, page);
    }
    let missing = finding.evidence.len() - seen.len();
    if missing > 0 {
        page.cut(&format!("{missing} observations of it are no longer kept"), Role::Muted);
    }
    exchanges(scene, &seen, page);
}

fn process_page(scene: &Scene, tally: &Tally, process: &crate::event::ProcessRef, page: &mut Page) {
    let Some(state) = scene.graph().process(process) else { return };
    let counts = tally.get(process).copied().unwrap_or_default();
    let (symbol, role) = links::mark(counts.health());
    let what = &state.process;
    let summary = format!(
        "{symbol} {} [{}]: {} links ok, {} pending, {} failed",
        what.comm, what.pid, counts.ok, counts.pending, counts.failed
    );
    page.labelled("", &summary, role);
    page.labelled("Command", &what.argv.join(" "), Role::Text);
    let uid = what.uid.map(|uid| uid.to_string()).unwrap_or_default();
    page.labelled("User", &format!("{} {uid}", what.user.as_deref().unwrap_or_default()), Role::Text);
    page.labelled("Host", &format!("{}, network namespace {}", processes::host(state), what.net_namespace), Role::Text);
    page.labelled("Nodes", &state.nodes.iter().cloned().collect::<Vec<_>>().join(" "), Role::Text);
    if let Some(reason) = &what.incomplete {
        page.labelled("!", reason, Role::Warn);
    }
    if let Some(ended) = state.exited {
        page.labelled("Ended", &scene.time_of_day(ended), Role::Muted);
    }
    page.heading("Environment");
    for (name, value) in &what.environment {
        page.labelled("", &format!("{name}={value}"), Role::Accent);
    }
    if what.environment.is_empty() {
        page.cut("no ROS variable is set", Role::Muted);
    }
    let takes_part = |link: &&Link| {
        link.subscriber.process.as_ref() == Some(process) || link.publisher.process.as_ref() == Some(process)
    };
    links_section(scene, scene.graph().links().filter(takes_part).collect(), page);
    let history = scene.session().history().iter().rev();
    let mut seen: Vec<&Observation> =
        history.filter(|observation| observation.process.as_ref() == Some(process)).take(TIMELINE).collect();
    seen.reverse();
    timeline(scene, &seen, page);
}

fn host_page(scene: &Scene, name: &str, host: &hosts::Host, page: &mut Page) {
    let (symbol, role) = links::mark(host.counts.health());
    page.labelled("", &format!("{symbol} {name}"), role);
    let lists = [
        ("Advertised by", &host.advertised_by, Role::Text),
        ("Reached by", &host.reached_by, Role::Ok),
        ("Waited for by", &host.awaited_by, Role::Warn),
        ("Not reached by", &host.missed_by, Role::Err),
    ];
    for (label, names, role) in lists {
        let words = names.iter().cloned().collect::<Vec<_>>().join(", ");
        page.labelled(&format!("{label:<14}"), if words.is_empty() { "nobody" } else { &words }, role);
    }
    let links = host.links.iter().filter_map(|id| scene.graph().link(*id)).collect();
    links_section(scene, links, page);
}

fn links_section(scene: &Scene, mut links: Vec<&Link>, page: &mut Page) {
    links.sort_by_key(|link| (link.health(), link.id));
    page.heading(&format!("Links ({})", links.len()));
    for link in links.iter().take(TIMELINE) {
        let (symbol, role) = links::mark(link.health());
        let (from, to) = (links::party(scene, &link.publisher), links::party(scene, &link.subscriber));
        let (words, _) = links::outcome(scene, link);
        page.cut(&format!("{symbol} {}  {from} → {to}  {}  {words}", links::title(link), links::address(link)), role);
    }
}

fn observation_page(scene: &Scene, observation: &Observation, page: &mut Page) {
    let role = conversation::role(&observation.what);
    page.labelled("", &observation.what.to_string(), role);
    let who = observation.process.as_ref().map(|process| scene.process_label(process));
    page.labelled("Who  ", &who.unwrap_or_else(|| "unknown process".to_owned()), Role::Text);
    page.labelled("When ", &format!("{}, observation {}", scene.wall(observation.time), observation.id.0), Role::Text);
    if let Some(socket) = &observation.socket {
        let end = |address: Option<std::net::SocketAddr>| address.map_or("?".to_owned(), |address| address.to_string());
        page.labelled(
            "Where",
            &format!("{} → {}, socket {}", end(socket.local), end(socket.remote), socket.id),
            Role::Accent,
        );
    }
    let raw = page.frame.raw && is_exchange(&observation.what);
    page.heading(if raw { "Raw" } else { "Decoded" });
    content(observation, page);
    if let Some(socket) = &observation.socket {
        let mut seen: Vec<&Observation> = scene.of_socket(socket.id).rev().take(TIMELINE).collect();
        seen.reverse();
        timeline(scene, &seen, page);
    }
}
