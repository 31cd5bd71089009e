//! Bytes from the network are hostile.

use proptest::prelude::*;
use rosprobe::decode::Decoder;
use rosprobe::event::{Direction, Event, Fact, Monotonic, SocketRef, Transport};
use rosprobe::observation::dds::Dds;
use rosprobe::observation::{Observation, What};

use crate::{CAPTURES, clock, decoded, events};

fn datagram(time: u64, bytes: Vec<u8>) -> Event {
    let socket = SocketRef {
        id: 1,
        transport: Transport::Udp,
        local: Some(([10, 77, 0, 1], 40000).into()),
        remote: Some(([239, 255, 0, 1], 7400).into()),
        net_namespace: 0,
    };
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let fact = Fact::Datagram { direction: Direction::Sent, bytes, length };
    Event { time: Monotonic(time), process: None, socket: Some(socket), fact }
}

fn rtps(submessages: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"RTPS\x02\x03\x01\x0f".to_vec();
    bytes.extend([1; 12]);
    bytes.extend(submessages.concat());
    bytes
}

/// A DATA submessage of a writer, little-endian, with this payload and no length: up to the end.
fn data(writer: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x15, 0x05, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0];
    bytes.extend(writer);
    bytes.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

const SPDP: [u8; 4] = [0, 1, 0, 0xc2];

fn malformed(observations: &[Observation]) -> Vec<String> {
    let reasons = observations.iter().filter_map(|observation| match &observation.what {
        What::Malformed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    reasons.collect()
}

#[test]
fn what_is_malformed_says_why() {
    let cases: [(Vec<u8>, &str); 9] = [
        (b"RTPS\x02".to_vec(), "an RTPS header ends before it is complete"),
        (rtps(&[&[0x15, 1]]), "a submessage's header ends before it is complete"),
        (rtps(&[&[0x15, 1, 0xff, 0xff, 0]]), "a submessage ends before it is complete"),
        (rtps(&[&[0x0e, 1, 4, 0, 1, 2, 3, 4]]), "INFO_DST ends before it is complete"),
        (rtps(&[&data(SPDP, &[0, 3, 0, 0, 0x50, 0, 4, 0, 1, 2, 3, 4])]), "the parameter list has no end"),
        (rtps(&[&data(SPDP, &[0, 3, 0, 0, 0x50, 0, 0xff, 0xff, 1])]), "a parameter ends before it is complete"),
        (
            rtps(&[&data(SPDP, &[0, 3, 0, 0, 0x50, 0, 4, 0, 1, 2, 3, 4, 1, 0, 0, 0])]),
            "a GUID ends before it is complete",
        ),
        (rtps(&[&data(SPDP, &[0, 1, 0, 0])]), "its encapsulation is 0x0001, and PL_CDR is 0x0002 or 0x0003"),
        (rtps(&[&data([0, 0, 3, 0xc2], &[0, 3, 0, 0, 1, 0, 0, 0])]), "it has no GUID"),
    ];
    for (bytes, reason) in cases {
        assert_eq!(malformed(&decoded(&[datagram(0, bytes)])), [reason]);
    }
}

#[test]
fn a_big_endian_announcement_is_read_like_a_little_endian_one() {
    let lease = |order: fn(u32) -> [u8; 4]| [order(10), order(0)].concat();
    let big =
        [&[0, 2, 0, 0, 0, 2, 0, 8][..], &lease(u32::to_be_bytes), &[0, 15, 0, 4, 0, 0, 0, 7, 0, 1, 0, 0]].concat();
    let little =
        [&[0, 3, 0, 0, 2, 0, 8, 0][..], &lease(u32::to_le_bytes), &[15, 0, 4, 0, 7, 0, 0, 0, 1, 0, 0, 0]].concat();
    let announced = |payload: &[u8]| decoded(&[datagram(0, rtps(&[&data(SPDP, payload)]))])[0].what.clone();
    assert_eq!(announced(&big), announced(&little));
    let What::Dds(Dds::ParticipantAnnounced { participant, .. }) = announced(&big) else { panic!("no participant") };
    assert_eq!(participant.domain_id, Some(7));
    assert_eq!(participant.lease.to_string(), "10 s");
}

#[test]
fn whoever_was_away_for_long_is_told_of_with_all_that_it_says() {
    let payload = [&[0, 3, 0, 0, 2, 0, 8, 0][..], &10_u32.to_le_bytes(), &[0; 4], &[1, 0, 0, 0]].concat();
    let minutes = |minutes: u64| datagram(minutes * 60_000_000_000, rtps(&[&data(SPDP, &payload)]));
    let observations = decoded(&[minutes(0), minutes(2), minutes(8)]);
    let announced = |observation: &Observation| matches!(observation.what, What::Dds(Dds::ParticipantAnnounced { .. }));
    let told: Vec<_> = observations.iter().map(announced).collect();
    assert_eq!(told, [true, false, true], "a repetition is not told, and a return is");
}

#[test]
fn a_hundred_thousand_participants_are_bounded_and_the_limit_is_said() {
    let mut decoder = Decoder::new(clock()).of_packets();
    let (mut announced, mut limits) = (0, Vec::new());
    for number in 0..100_000_u32 {
        let mut bytes = b"RTPS\x02\x03\x01\x0f".to_vec();
        bytes.extend([7; 8]);
        bytes.extend(number.to_be_bytes());
        bytes.extend(data(SPDP, &[0, 3, 0, 0, 1, 0, 0, 0]));
        let mut out = Vec::new();
        decoder.handle(datagram(u64::from(number) * 1000, bytes), &mut out);
        for observation in out {
            match observation.what {
                What::Dds(Dds::ParticipantAnnounced { .. }) => announced += 1,
                What::Dds(Dds::LimitReached { limit }) => limits.push(limit),
                other => panic!("{other}"),
            }
        }
    }
    assert_eq!(announced, 10_000);
    assert_eq!(limits, ["more than 10000 participants: further ones are not followed"]);
}

#[test]
fn fragments_that_never_complete_are_said_at_the_end() {
    let mut frag = vec![0x16, 0x01, 0, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 3, 0xc2, 0, 0, 0, 0, 1, 0, 0, 0];
    frag.extend([1, 0, 0, 0, 1, 0, 4, 0, 12, 0, 0, 0]);
    frag.extend([0, 3, 0, 0]);
    let observations = decoded(&[datagram(0, rtps(&[&frag]))]);
    assert_eq!(malformed(&observations), ["1 discovery samples whose fragments never all came"]);
}

#[test]
fn a_flood_of_malformed_datagrams_is_told_in_part() {
    let events: Vec<_> = (0..1000).map(|number| datagram(number, b"RTPS".to_vec())).collect();
    assert_eq!(malformed(&decoded(&events)).len(), 10);
}

/// The RTPS datagrams of all captures.
fn corpus() -> Vec<Vec<u8>> {
    let datagrams = CAPTURES.iter().flat_map(|name| events(name)).filter_map(|event| match event.fact {
        Fact::Datagram { bytes, .. } => Some(bytes),
        _ => None,
    });
    datagrams.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn arbitrary_submessages_never_panic(
        submessages in prop::collection::vec((any::<[u8; 4]>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20),
    ) {
        let submessages: Vec<_> = submessages.into_iter().map(|(head, body)| [&head[..], &body].concat()).collect();
        let submessages: Vec<_> = submessages.iter().map(Vec::as_slice).collect();
        decoded(&[datagram(0, rtps(&submessages))]);
    }

    #[test]
    fn mutated_captures_never_panic(
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..400),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut corpus = CORPUS.with(Clone::clone);
        for (which, place, value) in &mutations {
            let bytes = which.get_mut(&mut corpus);
            let place = place.index(bytes.len() - 4) + 4;
            bytes[place] = *value;
        }
        let which = cut.index(corpus.len());
        let length = cut.index(corpus[which].len());
        corpus[which].truncate(length);
        let events: Vec<_> = (0..).zip(corpus).map(|(time, bytes)| datagram(time * 1_000_000, bytes)).collect();
        decoded(&events);
    }
}

thread_local! {
    static CORPUS: Vec<Vec<u8>> = corpus();
}
