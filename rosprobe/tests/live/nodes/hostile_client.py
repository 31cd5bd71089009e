"""Talks nonsense to an XML-RPC server, a connection for each piece: hostile_client.py HOST PORT"""
import gzip
import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])


def post(body, headers=""):
    head = "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n%sContent-Length: %d\r\n\r\n" % (headers, len(body))
    return head.encode() + body


CALL = b"<?xml version='1.0'?><methodCall><methodName>%s</methodName><params>%s</params></methodCall>"
TEXT = b"<param><value><string>%s</string></value></param>"
NONSENSE = [
    b"POST / HTTP/1.1\r\nContent-Length: minus one\r\n\r\n<methodCall/>",
    b"POST / HTTP/9.9\r\n" + b"x" * 70000,
    post(b"<methodCall><methodName>getPid</methodName><params><param></methodCall>"),
    post(b"<methodCall>" + b"<value><array><data>" * 5000),
    post(b"\x1f\x8b\x08\x00 this is no gzip", "Content-Encoding: gzip\r\n"),
    post(gzip.compress(b"x" * 64_000_000), "Content-Encoding: gzip\r\n"),
    post(CALL % (b"publisherUpdate", TEXT % b"/master" + TEXT % (b"/" + b"\x1b[2Jx" * 13000) + TEXT % b"no list")),
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
]
for number, nonsense in enumerate(NONSENSE):
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.settimeout(2)
        try:
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError as error:
            print("piece", number, "ended with", error, flush=True)
print("sent everything", flush=True)
