//! A talker or listener on ros2-client and RustDDS, with the command line that all peers have in common (see peer.rs).

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;

use ros2_client::qos::{Durability, History, WhenFull};
use ros2_client::{Context, MessageTypeName, Name, NodeName, NodeOptions, QosProfile};
use rustdds::DomainParticipantBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (role, options) = words.split_first().ok_or("talker or listener")?;
    let options: BTreeMap<&str, &str> = options.chunks(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let option = |name: &str, default: &'static str| options.get(name).map_or(default, |value| *value);

    let qos = QosProfile::publisher_default().history(History::KeepLast { depth: 10 });
    let qos = match option("--reliability", "reliable") {
        "reliable" => qos.reliability_reliable(WhenFull::DEFAULT),
        _ => qos.reliability_best_effort(),
    };
    let qos = qos.durability(match option("--durability", "volatile") {
        "volatile" => Durability::Volatile,
        _ => Durability::TransientLocal,
    });

    let domain: u16 = std::env::var("ROS_DOMAIN_ID").unwrap_or_default().parse().unwrap_or(0);
    let mut contexts = Vec::new();
    for _ in 0..option("--participants", "1").parse()? {
        let mut participant = DomainParticipantBuilder::new(domain);
        if let Some(interface) = options.get("--interface") {
            participant = participant.with_only_networks([interface.parse::<IpAddr>()?]);
        }
        contexts.push(Context::from_domain_participant(participant.build()?)?);
    }
    let name = NodeName::new("/", &format!("{role}_{}", std::process::id()))?;
    let mut node = contexts[0].new_node(name, NodeOptions::new().enable_rosout(false))?;

    let (package, type_name) = option("--type", "std_msgs/msg/String").split_once("/msg/").ok_or("pkg/msg/Type")?;
    let (namespace, base) = option("--topic", "/chatter").rsplit_once('/').ok_or("/topic")?;
    let namespace = if namespace.is_empty() { "/" } else { namespace };
    let topic = node.create_topic(&Name::new(namespace, base)?, MessageTypeName::new(package, type_name), &qos)?;
    // Nobody reads a pipe that is gone: then this ends as well.
    let mut out = std::io::stdout();
    if role == "talker" {
        let publisher = node.create_publisher::<String>(&topic, None)?;
        writeln!(out, "ready")?;
        for count in 1_u64.. {
            sleep(Duration::from_millis(100));
            if let Err(error) = publisher.publish(format!("{} {count}", option("--topic", "/chatter"))) {
                writeln!(out, "not sent: {error}")?;
            }
            if count.is_multiple_of(10) {
                writeln!(out, "said {count}")?;
            }
        }
    } else {
        let subscription = node.create_subscription::<String>(&topic, None)?;
        writeln!(out, "ready")?;
        loop {
            while let Ok(Some((text, _))) = subscription.take() {
                writeln!(out, "heard {text}")?;
            }
            sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}
