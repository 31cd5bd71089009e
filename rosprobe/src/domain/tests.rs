use super::*;

fn domain(number: u32) -> Domain {
    Domain::new(number).unwrap()
}

#[test]
fn every_number_of_the_ros_2_documentation_holds() {
    let one = domain(1);
    assert_eq!((one.discovery_multicast(), one.user_multicast()), (7650, 7651));
    assert_eq!((domain(2).discovery_multicast(), domain(2).user_multicast()), (7900, 7901));
    assert_eq!(one.unicast(0), (7660, 7661));
    assert_eq!(one.unicast(119), (7898, 7899));
    assert_eq!(one.unicast(120), (7900, 7901));

    let last_on_linux = domain(101);
    assert_eq!((last_on_linux.discovery_multicast(), last_on_linux.user_multicast()), (32650, 32651));
    assert_eq!(last_on_linux.unicast(0), (32660, 32661));
    assert_eq!(last_on_linux.unicast(1), (32662, 32663));
    assert_eq!(last_on_linux.unicast(53), (32766, 32767));
    assert_eq!(last_on_linux.unicast(54), (32768, 32769));
    assert_eq!(last_on_linux.room(&Ephemeral::LINUX), (54, Limit::Ephemeral { port: 32768 }));

    assert_eq!(domain(232).room(&Ephemeral::LINUX), (63, Limit::PortsEnd));
    let next = Limit::NextDomain { domain: 167, port: 49150 };
    assert_eq!(domain(166).room(&Ephemeral::MACOS_WINDOWS), (120, next));
    assert_eq!(domain(167).room(&Ephemeral::MACOS_WINDOWS).0, 0, "166 is the top of the range there");
    assert_eq!(domain(1).room(&Ephemeral::LINUX).0, 120, "more than 120 spill over into other domains");
}

#[test]
fn domains_0_to_101_and_215_to_232_have_room_on_linux() {
    let with_room: Vec<_> =
        Domain::all().filter(|domain| domain.room(&Ephemeral::LINUX).0 > 0).map(Domain::number).collect();
    let expected: Vec<_> = (0..=101).chain(215..=232).collect();
    assert_eq!(with_room, expected);
}

#[test]
fn what_is_no_domain_is_refused_with_the_range_and_the_reason() {
    let cases = [
        ("233", "65650"),
        ("-1", "negative"),
        ("-0", "negative"),
        ("text", "not a whole number"),
        ("", "not a whole number"),
        ("1.5", "not a whole number"),
        ("0x10", "not a whole number"),
        ("4294967295", "beyond"),
        ("99999999999999999999", "far too large"),
    ];
    for (text, reason) in cases {
        let error = Domain::parse(text).unwrap_err().to_string();
        assert!(error.contains("0 to 232"), "{error}");
        assert!(error.contains(reason) || text == "4294967295", "{error}");
    }
    assert_eq!(Domain::parse("232"), Ok(Domain::LAST));
    assert_eq!(Domain::parse(" 7\n").unwrap().number(), 7);
}

#[test]
fn a_port_is_read_in_every_way_that_the_formula_allows() {
    let readings = |port| read_port(port).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(readings(7400), ["domain 0, discovery multicast"]);
    assert_eq!(readings(7401), ["domain 0, user multicast"]);
    assert!(readings(7405).is_empty());
    assert_eq!(readings(7411), ["domain 0, participant 0 (process 1), user unicast"]);
    assert_eq!(
        readings(7900),
        ["domain 2, discovery multicast", "domain 1, participant 120 (process 121), discovery unicast"]
    );
    assert_eq!(readings(7902), ["domain 1, participant 121 (process 122), discovery unicast"]);
    assert_eq!(
        readings(7911),
        ["domain 2, participant 0 (process 1), user unicast", "domain 1, participant 125 (process 126), user unicast"]
    );
    assert!(readings(7399).is_empty());
    assert!(readings(11311).len() == 2, "the ROS 1 master's port is domain 15's by the formula");
    assert_eq!(readings(65535)[0], "domain 232, participant 62 (process 63), user unicast");
}

#[test]
fn each_port_of_each_domain_reads_back_as_itself() {
    for domain in Domain::all() {
        for participant in 0..PARTICIPANTS_BEFORE_NEXT_DOMAIN {
            let (discovery, user) = domain.unicast(participant);
            for (port, purpose) in [(discovery, Purpose::DiscoveryUnicast), (user, Purpose::UserUnicast)] {
                let Ok(port) = u16::try_from(port) else { continue };
                let expected = Reading { domain, participant: Some(participant), purpose };
                assert_eq!(read_port(port)[0], expected, "port {port}");
            }
        }
    }
}

fn machine(ephemeral: Ephemeral) -> Machine {
    Machine { ephemeral, net_namespace: 4_026_531_840, bound: Vec::new() }
}

#[test]
fn reports_read_well() {
    let linux = machine(Ephemeral::LINUX);
    insta::assert_snapshot!("domain_5", DomainReport::new(domain(5), "the command line", None, &linux));
    insta::assert_snapshot!("domain_101_with_130", DomainReport::new(domain(101), "ROS_DOMAIN_ID", Some(130), &linux));
    insta::assert_snapshot!("domain_232_with_64", DomainReport::new(domain(232), "the default", Some(64), &linux));
    insta::assert_snapshot!("port_7900", PortReport::new(7900, &linux));
    insta::assert_snapshot!("port_22", PortReport::new(22, &linux));
    let crowded = machine(Ephemeral::new(1024..=65535, Vec::new()));
    insta::assert_snapshot!("no_safe_domain", DomainReport::new(domain(0), "the default", Some(1), &crowded));
    let reserved = machine(Ephemeral::new(32768..=60999, vec![32768..=33000, 40000..=40000]));
    insta::assert_snapshot!("reserved_ports", DomainReport::new(domain(101), "the command line", Some(2), &reserved));
}
