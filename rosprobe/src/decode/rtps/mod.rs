//! RTPS: datagrams in, what they reveal of DDS out. Sans-IO and bounded.
//!
//! Of discovery everything is read; of user data only the samples are counted.

mod counter;
mod cursor;
mod datagram;
mod discovery;
mod endpoint;
mod fragments;
mod inline_qos;
mod message;
mod parameters;
mod participant;
mod ros_discovery_info;
mod seen;

use rosprobe_common::rtps::MAGIC;

use self::counter::Counter;
use self::cursor::Wrong;
use self::datagram::{Datagram, Source, Witness};
use self::discovery::{ParticipantKey, Told};
use self::fragments::Fragments;
use self::inline_qos::InlineQos;
use self::message::{Content, Data, DataFrag, Header, Submessage, Submessages, guid};
use self::seen::Seen;
use crate::event::{Direction, Fact, Monotonic, ProcessRef, SocketRef, Transport};
use crate::observation::dds::{Dds, EntityId, Guid, GuidPrefix, Role};
use crate::observation::{Protocol, What};

/// Participants followed, each counted once for every process that hears it.
const PARTICIPANT_LIMIT: usize = 10_000;
/// Endpoints followed, each counted once for every process that hears of it.
const ENDPOINT_LIMIT: usize = 50_000;
/// Pairs of participants, or of reader and writer, followed.
const PAIR_LIMIT: usize = 50_000;
/// Writers whose samples are counted, each counted once for every socket.
const WRITER_LIMIT: usize = 20_000;
/// Malformed datagrams told one by one in a second.
const MALFORMED_PER_SECOND: u32 = 10;
/// Repetitions and counts are told at most this often, in nanoseconds.
const REPEAT_NS: u64 = 1_000_000_000;

/// The state of decoding: what was said already, and samples that are not whole yet.
#[derive(Debug)]
pub(super) struct Rtps {
    participants: Seen<ParticipantKey, Told>,
    endpoints: Seen<(Guid, Witness), u64>,
    nodes: Seen<(GuidPrefix, Witness), u64>,
    addressed: Seen<(GuidPrefix, GuidPrefix), bool>,
    acknowledged: Seen<(Guid, Guid), bool>,
    discovery_info_writers: Seen<Guid, ()>,
    writers: Seen<(Guid, Direction, u64), Counter>,
    fragments: Fragments,
    /// Whether samples are counted here. Live, the kernel side counts all of them, also in the datagrams that it copies.
    counting: bool,
    limits_told: Vec<&'static str>,
    malformed: (Monotonic, u32),
}

/// True for bytes that begin as every RTPS message does.
fn is_rtps(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

impl Default for Rtps {
    fn default() -> Self {
        Self {
            participants: Seen::new(PARTICIPANT_LIMIT),
            endpoints: Seen::new(ENDPOINT_LIMIT),
            nodes: Seen::new(PARTICIPANT_LIMIT),
            addressed: Seen::new(PAIR_LIMIT),
            acknowledged: Seen::new(PAIR_LIMIT),
            discovery_info_writers: Seen::new(PARTICIPANT_LIMIT),
            writers: Seen::new(WRITER_LIMIT),
            fragments: Fragments::default(),
            counting: false,
            limits_told: Vec::new(),
            malformed: (Monotonic::default(), 0),
        }
    }
}

/// True for what is decoded here rather than with the socket's other facts: every datagram of an unconnected socket may have another
/// peer, so that each fact's own addresses count.
pub(super) fn concerns(fact: &Fact, socket: &SocketRef) -> bool {
    let of_dns = [socket.local, socket.remote].iter().flatten().any(|address| address.port() == super::DNS_PORT);
    match fact {
        Fact::Bound { .. } | Fact::MulticastJoined { .. } | Fact::RtpsData { .. } => true,
        Fact::Datagram { bytes, .. } => is_rtps(bytes),
        Fact::IoFailed { .. } => socket.transport == Transport::Udp && !of_dns,
        _ => false,
    }
}

impl Rtps {
    /// For events that nobody has counted samples for.
    pub fn counting(self) -> Self {
        Self { counting: true, ..self }
    }

    /// Takes one fact and says what it reveals.
    pub fn fact(
        &mut self,
        now: Monotonic,
        process: Option<&ProcessRef>,
        socket: &SocketRef,
        fact: Fact,
        emit: &mut dyn FnMut(What),
    ) {
        match fact {
            Fact::Datagram { direction, bytes, length } => {
                self.datagram(&Datagram { now, process, socket, direction, bytes: &bytes, length }, emit);
            }
            Fact::Bound { errno, already } => {
                if let Some(address) = socket.local {
                    emit(What::Dds(Dds::Bound { address, errno, already }));
                }
            }
            Fact::MulticastJoined { group, interface, errno } => {
                emit(What::Dds(Dds::MulticastJoined { group, interface, errno }));
            }
            Fact::RtpsData { direction, writer, messages, bytes } => {
                let writer = Guid::from_bytes(writer);
                if self.writers.entry((writer, direction, socket.id), now).is_none() {
                    self.limit("writers", self.writers.limit(), emit);
                    return;
                }
                emit(What::Dds(Dds::UserData { direction, writer, messages, bytes }));
            }
            Fact::IoFailed { direction, errno, count } => emit(What::IoFailed { direction, errno, count }),
            _ => {}
        }
    }

    /// Takes one datagram and says what it reveals.
    fn datagram(&mut self, datagram: &Datagram<'_>, emit: &mut dyn FnMut(What)) {
        let Some((header, rest)) = message::header(datagram.bytes) else {
            self.malformed(datagram, 0, &Wrong::Short("an RTPS header"), emit);
            return;
        };
        let mut source = Source { header, destination: None };
        let mut submessages = Submessages::new(rest);
        loop {
            let offset = submessages.offset();
            let Some(submessage) = submessages.next() else { break };
            let outcome = submessage.and_then(|submessage| self.submessage(datagram, &mut source, &submessage, emit));
            if let Err(wrong) = outcome {
                self.malformed(datagram, offset, &wrong, emit);
            }
        }
        self.tell_given_up(datagram, emit);
    }

    /// The capture is over: counts not told yet, and samples that never became whole.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Option<ProcessRef>, Option<SocketRef>, What)) {
        self.tell_counts(emit);
        let under_way = self.fragments.finish();
        if under_way > 0 {
            emit(None, None, incomplete(under_way, Direction::Received));
        }
    }

    fn submessage(
        &mut self,
        datagram: &Datagram<'_>,
        source: &mut Source,
        submessage: &Submessage<'_>,
        emit: &mut dyn FnMut(What),
    ) -> Result<(), Wrong> {
        match submessage {
            Submessage::InfoSource(header) => source.header = *header,
            Submessage::InfoDestination(to) => {
                source.destination = Some(*to).filter(|to| *to != GuidPrefix([0; 12]));
                self.addressed(datagram, source, emit);
            }
            Submessage::AckNack { reader, writer } => self.acknowledged(datagram, source, *reader, *writer, emit),
            Submessage::Data(data) => return self.data(datagram, &source.header, data, emit),
            Submessage::DataFrag(frag) => return self.data_frag(datagram, &source.header, frag, emit),
        }
        Ok(())
    }

    fn data(
        &mut self,
        datagram: &Datagram<'_>,
        source: &Header,
        data: &Data<'_>,
        emit: &mut dyn FnMut(What),
    ) -> Result<(), Wrong> {
        let inline = InlineQos::read(data)?;
        match data.writer {
            EntityId::SPDP_WRITER if inline.gone || data.content == Content::Key => {
                let guid_prefix = participant::disposed(inline.key, data.payload, source.prefix);
                self.forget_participant(guid_prefix);
                emit(What::Dds(Dds::ParticipantDisposed { direction: datagram.direction, guid_prefix }));
            }
            EntityId::SEDP_PUBLICATIONS_WRITER | EntityId::SEDP_SUBSCRIPTIONS_WRITER
                if inline.gone || data.content == Content::Key =>
            {
                if let Some(guid) = endpoint::disposed(inline.key, data.payload) {
                    self.endpoints.remove_if(|(known, _)| *known == guid);
                    emit(What::Dds(Dds::EndpointDisposed { direction: datagram.direction, guid }));
                }
            }
            _ if data.content == Content::Data => {
                return self.sample(datagram, source, data.writer, inline.key, data.payload, emit);
            }
            _ => {}
        }
        Ok(())
    }

    fn data_frag(
        &mut self,
        datagram: &Datagram<'_>,
        source: &Header,
        frag: &DataFrag<'_>,
        emit: &mut dyn FnMut(What),
    ) -> Result<(), Wrong> {
        let writer = guid(source.prefix, frag.writer);
        let is_info = self.discovery_info_writers.contains(&writer)
            || (frag.first == 1 && ros_discovery_info::looks_like_it(frag.payload, source.prefix));
        if is_info {
            self.discovery_info_writers.entry(writer, datagram.now);
        }
        if !frag.writer.is_builtin() && !is_info {
            self.count(datagram, writer, u64::from(frag.first == 1), frag.payload.len(), emit);
            return Ok(());
        }
        match self.fragments.insert(datagram.now, writer, frag)? {
            Some(whole) => self.sample(datagram, source, frag.writer, None, &whole, emit),
            None => Ok(()),
        }
    }

    /// A whole sample.
    fn sample(
        &mut self,
        datagram: &Datagram<'_>,
        source: &Header,
        writer: EntityId,
        key: Option<Guid>,
        payload: &[u8],
        emit: &mut dyn FnMut(What),
    ) -> Result<(), Wrong> {
        match writer {
            EntityId::SPDP_WRITER => {
                let data = participant::participant(source, payload)?;
                self.participant(datagram, source.prefix, data, emit);
            }
            EntityId::SEDP_PUBLICATIONS_WRITER => self.endpoint(datagram, Role::Writer, key, payload, emit)?,
            EntityId::SEDP_SUBSCRIPTIONS_WRITER => self.endpoint(datagram, Role::Reader, key, payload, emit)?,
            _ if writer.is_builtin() => {}
            _ => {
                let writer = guid(source.prefix, writer);
                let known = self.discovery_info_writers.contains(&writer);
                if known || ros_discovery_info::looks_like_it(payload, source.prefix) {
                    return self.discovery_info(datagram, payload, emit);
                }
                self.count(datagram, writer, 1, payload.len(), emit);
            }
        }
        Ok(())
    }

    fn malformed(&mut self, datagram: &Datagram<'_>, offset: usize, wrong: &Wrong, emit: &mut dyn FnMut(What)) {
        // The end of a datagram that was cut is the capture's doing.
        if datagram.is_cut() && matches!(wrong, Wrong::Short(_) | Wrong::NoSentinel) {
            return;
        }
        let (second, told) = &mut self.malformed;
        if datagram.now.since(*second).as_nanos() >= u128::from(REPEAT_NS) {
            (*second, *told) = (datagram.now, 0);
        }
        *told += 1;
        if *told > MALFORMED_PER_SECOND {
            return;
        }
        let (direction, offset) = (datagram.direction, offset as u64);
        emit(What::Malformed { protocol: Protocol::Rtps, direction, offset, reason: wrong.to_string() });
    }

    fn tell_given_up(&mut self, datagram: &Datagram<'_>, emit: &mut dyn FnMut(What)) {
        let given_up = self.fragments.take_given_up();
        if given_up > 0 {
            emit(incomplete(given_up, datagram.direction));
        }
    }

    fn limit(&mut self, what: &'static str, limit: usize, emit: &mut dyn FnMut(What)) {
        if !self.limits_told.contains(&what) {
            self.limits_told.push(what);
            let limit = format!("more than {limit} {what}: further ones are not followed");
            emit(What::Dds(Dds::LimitReached { limit }));
        }
    }
}

fn incomplete(samples: u64, direction: Direction) -> What {
    let reason = format!("{samples} discovery samples whose fragments never all came");
    What::Malformed { protocol: Protocol::Rtps, direction, offset: 0, reason }
}
