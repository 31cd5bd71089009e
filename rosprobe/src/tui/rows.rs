//! Which columns, rows and cells each view has.

use super::ends::Ends;
use super::listing::RowKey;
use super::state::App;
use super::table::{Cell, Column};
use super::theme::Role;
use super::view::ViewKind;
use super::{conversation, domains, endpoints, findings, hosts, links, participants, processes};

/// The columns of a view.
pub fn columns(view: ViewKind) -> &'static [Column] {
    match view {
        ViewKind::Links => links::COLUMNS,
        ViewKind::Processes => processes::COLUMNS,
        ViewKind::Hosts => hosts::COLUMNS,
        ViewKind::Conversation => conversation::COLUMNS,
        ViewKind::Findings => findings::COLUMNS,
        ViewKind::Domains => domains::COLUMNS,
        ViewKind::Participants => participants::COLUMNS,
        ViewKind::Endpoints => endpoints::COLUMNS,
    }
}

/// Gathers what the rows of the view that is shown are made from.
pub fn gather(app: &mut App) {
    let scene = &app.scene;
    match app.view {
        ViewKind::Processes => app.prepared.tally = processes::tally(scene),
        ViewKind::Hosts => app.prepared.hosts = hosts::gather(scene),
        ViewKind::Domains => {
            app.prepared.ends = Ends::gather(scene);
            app.prepared.domains = domains::gather(scene, &app.prepared.ends);
        }
        ViewKind::Participants | ViewKind::Endpoints => app.prepared.ends = Ends::gather(scene),
        ViewKind::Links | ViewKind::Conversation | ViewKind::Findings => {}
    }
}

/// Rows that pass, in order, and how many there are in all. The conversation's grow bit by bit, in `prepare.rs`.
pub fn keys(app: &App) -> (Vec<RowKey>, usize) {
    let sort = app.list().sort();
    let (scene, selection, prepared) = (&app.scene, &app.selection, &app.prepared);
    match app.view {
        ViewKind::Links => links::rows(scene, selection, sort),
        ViewKind::Processes => processes::rows(scene, &prepared.tally, selection, sort),
        ViewKind::Hosts => hosts::rows(&prepared.hosts, selection, sort),
        ViewKind::Conversation => (app.list().keys().to_vec(), app.list().total()),
        ViewKind::Findings => findings::rows(scene, selection, sort),
        ViewKind::Domains => domains::rows(&prepared.domains, selection, sort),
        ViewKind::Participants => participants::rows(scene, &prepared.ends, selection, sort),
        ViewKind::Endpoints => endpoints::rows(scene, &prepared.ends, selection, sort),
    }
}

/// What a row shows.
pub fn cells(app: &App, key: &RowKey) -> Vec<Cell> {
    let graph = app.scene.graph();
    let gone = || vec![Cell::new("", Role::Muted)];
    match key {
        RowKey::Link(id) => graph.link(*id).map_or_else(gone, |link| links::cells(&app.scene, link)),
        RowKey::Process(process) => {
            graph.process(process).map_or_else(gone, |state| processes::cells(state, &app.prepared.tally))
        }
        RowKey::Host(name) => app.prepared.hosts.get(name).map_or_else(gone, |host| hosts::cells(name, host)),
        RowKey::Observation(id) => conversation::cells(&app.scene, *id),
        RowKey::Finding(id) => {
            let finding = app.session().findings().iter().find(|finding| finding.id == *id);
            finding.map_or_else(gone, |finding| findings::cells(&app.scene, finding))
        }
        RowKey::Domain(number) => {
            app.prepared.domains.get(number).map_or_else(gone, |domain| domains::cells(*number, domain))
        }
        RowKey::Participant(prefix) => {
            let participant = graph.dds().participant(*prefix);
            participant
                .map_or_else(gone, |participant| participants::cells(&app.scene, &app.prepared.ends, participant))
        }
        RowKey::Endpoint(guid) => {
            let endpoint = graph.dds().endpoint(*guid);
            endpoint.map_or_else(gone, |endpoint| endpoints::cells(&app.scene, &app.prepared.ends, endpoint))
        }
    }
}
