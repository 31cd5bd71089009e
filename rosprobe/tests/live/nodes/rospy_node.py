"""A small rospy node for the lab: rospy_node.py ROLE NODE NAME [ARGUMENT]

talker    publishes std_msgs/String on topic NAME, ARGUMENT times a second (10; 0: advertise and stay silent)
big       publishes messages of ARGUMENT bytes on topic NAME, ten times a second
listener  subscribes to NAME as std_msgs/String and prints what it hears
talkers   publishes on ARGUMENT topics, NAME_0 and so on, once a second each
listeners subscribes to ARGUMENT topics, NAME_0 and so on, and says when it has heard all
mismatch  subscribes to NAME as std_msgs/Int32
server    provides service NAME (std_srvs/Trigger)
mortal    the same, and is killed while it works on request number ARGUMENT
client    calls service NAME (std_srvs/Trigger) once a second and prints what became of it
persistent the same over one connection that stays
setter    sets parameter NAME to a text of ARGUMENT bytes, once
"""
import os
import signal
import sys

import rospy
from std_msgs.msg import Int32, String
from std_srvs.srv import Trigger, TriggerResponse


def talker(name, argument):
    publisher = rospy.Publisher(name, String, queue_size=10)
    print("advertised", flush=True)
    per_second = float(argument or 10)
    if per_second == 0:
        return rospy.spin()
    rate = rospy.Rate(per_second)
    count = 0
    while not rospy.is_shutdown():
        publisher.publish("hello %d" % count)
        count += 1
        rate.sleep()


def big(name, argument):
    publisher = rospy.Publisher(name, String, queue_size=10)
    print("advertised", flush=True)
    rate = rospy.Rate(10)
    while not rospy.is_shutdown():
        publisher.publish("x" * int(argument))
        rate.sleep()


def listener(name, _):
    rospy.Subscriber(name, String, lambda message: print("heard", message.data, flush=True))
    rospy.spin()


def talkers(name, argument):
    publishers = [rospy.Publisher("%s_%d" % (name, number), String, queue_size=1) for number in range(int(argument))]
    print("advertised", flush=True)
    rate = rospy.Rate(1)
    while not rospy.is_shutdown():
        for publisher in publishers:
            publisher.publish("hello")
        rate.sleep()


def listeners(name, argument):
    heard = set()

    def hear(_, number):
        heard.add(number)
        if len(heard) == int(argument):
            print("heard all", flush=True)

    for number in range(int(argument)):
        rospy.Subscriber("%s_%d" % (name, number), String, hear, number)
    rospy.spin()


def mismatch(name, _):
    rospy.Subscriber(name, Int32, lambda message: print("heard", message.data, flush=True))
    rospy.spin()


def server(name, _):
    rospy.Service(name, Trigger, lambda request: TriggerResponse(True, "done"))
    print("serving", flush=True)
    rospy.spin()


def mortal(name, argument):
    requests = []

    def answer(request):
        requests.append(request)
        if len(requests) == int(argument):
            os.kill(os.getpid(), signal.SIGKILL)
        return TriggerResponse(True, "done")

    rospy.Service(name, Trigger, answer)
    print("serving", flush=True)
    rospy.spin()


def client(name, _):
    rate = rospy.Rate(1)
    while not rospy.is_shutdown():
        try:
            print("answered", rospy.ServiceProxy(name, Trigger)().message, flush=True)
        except Exception as error:
            print("call failed:", error, flush=True)
        rate.sleep()


def persistent(name, _):
    rospy.wait_for_service(name)
    proxy = rospy.ServiceProxy(name, Trigger, persistent=True)
    rate = rospy.Rate(1)
    while not rospy.is_shutdown():
        print("answered", proxy().message, flush=True)
        rate.sleep()


def setter(name, argument):
    rospy.set_param(name, "x" * int(argument))
    print("set", argument, flush=True)
    rospy.spin()


# Without what ROS takes out of the command line, such as __name:=other.
words = rospy.myargv()
role, node, name = words[1:4]
# LAB_XMLRPC_PORT is the port of its XML-RPC server, when that must not be any.
rospy.init_node(node, disable_signals=False, xmlrpc_port=int(os.environ.get("LAB_XMLRPC_PORT", 0)))
print("node is up", flush=True)
globals()[role](name, words[4] if len(words) > 4 else None)
