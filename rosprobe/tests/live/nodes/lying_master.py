"""A master that lies: lying_master.py HOST PORT

It answers registerSubscriber with 10,000 publishers, of which some have URIs that are none, and getTopicTypes with a name full of escape
codes. Then it asks itself for all of that, as a node of another node's name and with a topic of 64 KB.
"""
import sys
import threading
import xmlrpc.client
import xmlrpc.server

host, port = sys.argv[1], int(sys.argv[2])
ESCAPES = "/\u009b2J\u202e" + "x" * 65536
ODD = ["no uri", "http://", "http://:0/", "http://[::1/", "http://10.0.1.1:99999/", "javascript:alert(1)", ""]
publishers = ODD + ["http://10.9.%d.%d:%d/" % (n // 250, n % 250 + 1, 20000 + n) for n in range(10000 - len(ODD))]

server = xmlrpc.server.SimpleXMLRPCServer((host, port), logRequests=False)
server.register_function(lambda caller, topic, kind, api: [1, "Subscribed to [%s]" % topic, publishers], "registerSubscriber")
server.register_function(lambda caller: [1, "types", [[ESCAPES, ESCAPES]]], "getTopicTypes")
threading.Thread(target=server.serve_forever, daemon=True).start()

master = xmlrpc.client.ServerProxy("http://%s:%d/" % (host, port))
for topic in ["/some/topic", ESCAPES]:
    _, _, answer = master.registerSubscriber("/talker", topic, "std_msgs/String", "http://%s:1/" % host)
    print("answered with", len(answer), flush=True)
master.getTopicTypes("/talker")
print("lied", flush=True)
