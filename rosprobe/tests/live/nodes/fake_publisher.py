"""A publisher that is no real node: fake_publisher.py BEHAVIOUR NODE TOPIC

It registers with the master as a publisher of std_msgs/String and answers requestTopic with a port of its own. There it
accepts connections, and then, by BEHAVIOUR:

silent     reads the header and never answers
close      reads the header and closes
hang-up    closes at once
reset      resets the connection at once
hostile    answers each connection with another piece of nonsense
"""
import os
import socket
import struct
import sys
import threading
import xmlrpc.client
import xmlrpc.server

behaviour, node, topic = sys.argv[1:4]
address = os.environ["ROS_IP"]

field = lambda text: struct.pack("<I", len(text)) + text
NONSENSE = [
    struct.pack("<I", 0xFFFFFFFF) + b"x" * 4096,  # a header of 4 GiB
    struct.pack("<I", 40) + struct.pack("<I", 4000) + b"y" * 36,  # a field longer than its header
    struct.pack("<I", 11) + field(b"no-sign"),  # a field without an equals sign
    struct.pack("<I", 3) + b"abc",  # a header too short for one length
    struct.pack("<I", 0) + b"\x1b[2J\x1b]0;owned\x07" * 100,  # an empty header, then escape codes
]


def serve(connection, number):
    if behaviour == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if behaviour in ("hang-up", "reset"):
        return connection.close()
    connection.recv(65536)
    if behaviour == "silent":
        while connection.recv(65536):
            pass
    if behaviour == "hostile":
        connection.sendall(NONSENSE[number % len(NONSENSE)])
        print("sent nonsense", number, flush=True)
        connection.recv(65536)
    connection.close()


listener = socket.create_server(("", 0))
api = xmlrpc.server.SimpleXMLRPCServer(("", 0), logRequests=False, allow_none=True)
api.register_function(
    lambda caller, asked, protocols: [1, "ready", ["TCPROS", address, listener.getsockname()[1]]], "requestTopic"
)
threading.Thread(target=api.serve_forever, daemon=True).start()
uri = "http://%s:%d/" % (address, api.server_address[1])
master = xmlrpc.client.ServerProxy(os.environ["ROS_MASTER_URI"])
master.registerPublisher(node, topic, "std_msgs/String", uri)
print("node is up", flush=True)
number = 0
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection, number), daemon=True).start()
    number += 1
