//! Writers and readers of ROS 2: of what, with which quality of service, and how many they match.

use super::ends::Ends;
use super::listing::{RowKey, Sort};
use super::marks;
use super::participants;
use super::scene::Scene;
use super::selection::Selection;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::graph::Health;
use crate::graph::dds::Endpoint;
use crate::observation::dds::{self, RosName, ros_type};

/// What the list shows of an endpoint.
pub const COLUMNS: &[Column] = &[
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "TOPIC", least: 12, cut: Cut::Middle },
    Column { title: "ROLE", least: 6, cut: Cut::End },
    Column { title: "OF", least: 13, cut: Cut::Name },
    Column { title: "TYPE", least: 6, cut: Cut::Middle },
    Column { title: "QOS", least: 19, cut: Cut::Middle },
    Column { title: "LINKS", least: 15, cut: Cut::End },
];

/// Rows that pass, in order, and how many there are in all.
pub fn rows(scene: &Scene, ends: &Ends, selection: &Selection, sort: Sort) -> (Vec<RowKey>, usize) {
    let dds = scene.graph().dds();
    let total = dds.endpoints().count();
    let passes = |endpoint: &&Endpoint| {
        selection.endpoint(endpoint, scene.participant_of(endpoint), ends.of(endpoint).failed > 0)
    };
    let mut passed: Vec<&Endpoint> = dds.endpoints().filter(passes).collect();
    let topic = |endpoint: &Endpoint| RosName::of_dds_topic(&endpoint.data.topic);
    let place = |endpoint: &Endpoint| (topic(endpoint), endpoint.data.role, endpoint.data.guid);
    match sort.column {
        0 => passed.sort_by_cached_key(|one| (health(ends, one), is_plumbing(one), place(one))),
        1 => passed.sort_by_cached_key(|one| place(one)),
        2 => passed.sort_by_cached_key(|one| (one.data.role, place(one))),
        3 => passed.sort_by_cached_key(|one| (participants::end_label(scene, one), place(one))),
        4 => passed.sort_by_cached_key(|one| (ros_type(&one.data.type_name), place(one))),
        5 => passed.sort_by_cached_key(|one| (one.data.qos.reliability, one.data.qos.durability, place(one))),
        _ => passed.sort_by_cached_key(|one| (std::cmp::Reverse(ends.of(one).present()), place(one))),
    }
    if sort.descending {
        passed.reverse();
    }
    (passed.into_iter().map(|one| RowKey::Endpoint(one.data.guid)).collect(), total)
}

/// Services of parameters, which every node provides.
const PARAMETER_SERVICES: [&str; 7] = [
    "/describe_parameters",
    "/get_parameter_types",
    "/get_parameters",
    "/list_parameters",
    "/set_parameters",
    "/set_parameters_atomically",
    "/get_type_description",
];

/// What every node of ROS 2 has, whatever it does.
fn is_plumbing(endpoint: &Endpoint) -> bool {
    let name = RosName::of_dds_topic(&endpoint.data.topic).name;
    matches!(name.as_str(), "ros_discovery_info" | "/rosout" | "/parameter_events")
        || PARAMETER_SERVICES.iter().any(|end| name.ends_with(end))
}

fn health(ends: &Ends, endpoint: &Endpoint) -> Health {
    if endpoint.gone.is_some() { Health::Gone } else { ends.of(endpoint).health() }
}

/// What a row shows.
pub fn cells(scene: &Scene, ends: &Ends, endpoint: &Endpoint) -> Vec<Cell> {
    let data = &endpoint.data;
    let (words, role) = state(scene, ends, endpoint);
    let (symbol, _) = marks::of_health(health(ends, endpoint));
    let symbol = if ends.of(endpoint).present() == 0 { "·" } else { symbol };
    vec![
        Cell::new(symbol, role),
        Cell::searched(RosName::of_dds_topic(&data.topic).to_string(), Role::Text),
        Cell::new(data.role.to_string(), Role::Text),
        Cell::searched(participants::end_label(scene, endpoint), Role::Text),
        Cell::new(ros_type(&data.type_name), Role::Muted),
        Cell::new(format!("{} {}", data.qos.reliability, data.qos.durability), Role::Text),
        Cell::new(words, role),
    ]
}

/// What became of its links, in few words.
pub fn state(scene: &Scene, ends: &Ends, endpoint: &Endpoint) -> (String, Role) {
    let counts = ends.of(endpoint);
    if let Some(gone) = endpoint.gone {
        return (format!("gone {} ago", scene.age(gone)), Role::Muted);
    }
    if counts.present() == 0 {
        let other = if endpoint.data.role == dds::Role::Writer { "reader" } else { "writer" };
        return (format!("no {other} seen"), Role::Muted);
    }
    let (_, role) = marks::of_health(counts.health());
    (marks::in_words(counts), role)
}
