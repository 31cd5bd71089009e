"""Calls getPid in every way that HTTP allows and ROS's own clients do not use: odd_transfers.py HOST

http10     HTTP/1.0, the answer ends with the connection
chunked    request and answer in chunks, cut inside names
pipelined  two requests at once, then both answers
"""
import socket
import sys
import threading

CALL = "<?xml version='1.0'?><methodCall><methodName>getPid</methodName><params><param><value>/%s</value></param></params></methodCall>"
ANSWER = (
    "<?xml version='1.0'?><methodResponse><params><param><value><array><data><value><int>1</int></value>"
    "<value><string>%s</string></value><value><int>4711</int></value></data></array></value></param></params></methodResponse>"
)


def chunks(text, size):
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    return "".join("%x\r\n%s\r\n" % (len(part), part) for part in parts) + "0\r\n\r\n"


def request(name, version="1.1"):
    body = CALL % name
    return "POST /RPC2 HTTP/%s\r\nContent-Type: text/xml\r\ncontent-LENGTH: %d\r\n\r\n%s" % (version, len(body), body)


def answer(name):
    body = ANSWER % name
    return "HTTP/1.1 200 OK\r\nContent-type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


TRANSFERS = [
    (request("http10", "1.0"), "HTTP/1.0 200 OK\r\nContent-type: text/xml\r\n\r\n" + ANSWER % "http10"),
    (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(CALL % "chunked", 7),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(ANSWER % "chunked", 11),
    ),
    (request("pipelined_1") + request("pipelined_2"), answer("pipelined_1") + answer("pipelined_2")),
]


def serve(listener):
    for asked, answered in TRANSFERS:
        connection, _ = listener.accept()
        received = b""
        while len(received) < len(asked):
            received += connection.recv(1000)
        connection.sendall(answered.encode())
        connection.close()


listener = socket.create_server((sys.argv[1], 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
for asked, _ in TRANSFERS:
    with socket.create_connection(listener.getsockname()) as connection:
        connection.sendall(asked.encode())
        while connection.recv(1000):
            pass
print("sent everything", flush=True)
