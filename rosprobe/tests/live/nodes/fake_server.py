"""A server that is no real node: fake_server.py BEHAVIOUR NODE SERVICE

It registers with the master as the server of a service, and accepts connections. Then, by BEHAVIOUR:

silent     reads the header and never answers
close      reads the header and closes
hang-up    closes at once
reset      resets the connection at once
"""
import os
import socket
import struct
import sys
import threading
import xmlrpc.client

behaviour, node, service = sys.argv[1:4]
address = os.environ["ROS_IP"]


def serve(connection):
    if behaviour in ("silent", "close"):
        connection.recv(65536)
    if behaviour == "silent":
        while connection.recv(65536):
            pass
    if behaviour == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


listener = socket.create_server(("", 0))
port = listener.getsockname()[1]
master = xmlrpc.client.ServerProxy(os.environ["ROS_MASTER_URI"])
master.registerService(node, service, "rosrpc://%s:%d" % (address, port), "http://%s:%d/" % (address, port))
print("node is up", flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
