"""A talker or listener on Cyclone DDS, with the command line that all peers have in common (see peer.rs)."""

import argparse
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct, types
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

arguments = argparse.ArgumentParser()
arguments.add_argument("role", choices=["talker", "listener"])
arguments.add_argument("--topic", default="/chatter")
arguments.add_argument("--type", default="std_msgs/msg/String")
arguments.add_argument("--reliability", choices=["reliable", "best_effort"], default="reliable")
arguments.add_argument("--durability", choices=["volatile", "transient_local"], default="volatile")
arguments.add_argument("--participants", type=int, default=1)
arguments.add_argument("--interface")
arguments.add_argument("--locator")
arguments.add_argument("--ip", choices=["4", "6"], default="4")
arguments.add_argument("--size", type=int, default=0)
options = arguments.parse_args()

# What a person writes into CYCLONEDDS_URI wins.
general = ""
if options.interface:
    general += f'<Interfaces><NetworkInterface address="{options.interface}"/></Interfaces>'
if options.locator:
    general += f"<ExternalNetworkAddress>{options.locator}</ExternalNetworkAddress>"
if options.ip == "6":
    general += "<Transport>udp6</Transport>"
if general:
    settings = f"<CycloneDDS><Domain><General>{general}</General></Domain></CycloneDDS>"
    os.environ.setdefault("CYCLONEDDS_URI", settings)

package, _, name = options.type.split("/")


# Cyclone DDS compares what types are made of, not what they are called.
@dataclass
class Message(IdlStruct, typename=f"{package}::msg::dds_::{name}_"):
    data: types.int32 if name == "Int32" else str


reliable = options.reliability == "reliable"
kept = options.durability == "transient_local"
qos = Qos(
    Policy.Reliability.Reliable(duration(milliseconds=100)) if reliable else Policy.Reliability.BestEffort,
    Policy.Durability.TransientLocal if kept else Policy.Durability.Volatile,
    Policy.History.KeepLast(10),
)

ended = threading.Event()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: ended.set())

domain = int(os.environ.get("ROS_DOMAIN_ID", "0"))
participants = [DomainParticipant(domain) for _ in range(options.participants)]
topic = Topic(participants[0], "rt" + options.topic, Message)
if options.role == "talker":
    writer = DataWriter(participants[0], topic, qos=qos)
    print("ready", flush=True)
    count = 0
    while not ended.wait(0.1):
        count += 1
        writer.write(Message(count if name == "Int32" else f"{options.topic} {count}".ljust(options.size)))
        if count % 10 == 0:
            print("said", count, flush=True)
else:
    reader = DataReader(participants[0], topic, qos=qos)
    print("ready", flush=True)
    while not ended.wait(0.05):
        for sample in reader.take(10):
            if isinstance(sample, Message):
                print("heard", str(sample.data).rstrip(), flush=True)
sys.exit(0)
