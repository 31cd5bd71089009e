"""Registers COUNT publishers of one topic, none of which exists: register_many.py TOPIC COUNT"""
import os
import sys
import xmlrpc.client

topic, count = sys.argv[1], int(sys.argv[2])
master = xmlrpc.client.ServerProxy(os.environ["ROS_MASTER_URI"])
for number in range(count):
    uri = "http://a-robot-with-a-rather-long-name-%03d.fleet.example:%d/" % (number, 40000 + number)
    code, message, _ = master.registerPublisher("/publisher_%03d" % number, topic, "std_msgs/String", uri)
    assert code == 1, message
print("registered", count, flush=True)
