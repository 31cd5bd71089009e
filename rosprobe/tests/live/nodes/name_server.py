"""A name server for the lab: name_server.py ADDRESS BEHAVIOUR

nxdomain  knows no name
silent    never answers
"""
import socket
import sys

address, behaviour = sys.argv[1:3]
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((address, 53))
print("name server is up", flush=True)
while True:
    query, client = server.recvfrom(4096)
    if behaviour == "nxdomain":
        # The query's id, then: a response, recursion desired and available, code 3; its question again.
        server.sendto(query[:2] + b"\x81\x83" + query[4:6] + b"\x00" * 6 + query[12:], client)
