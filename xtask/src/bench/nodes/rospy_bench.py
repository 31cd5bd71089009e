"""rospy_bench.py ROLE BYTES RATE

talker    publishes std_msgs/String of BYTES bytes on /bench, RATE times a second; each begins with the time of its publishing
listener  hears them, and says twice a second how many came and how long they took
"""
import json
import sys
import time

import rospy
from std_msgs.msg import String

role, size, per_second = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
rospy.init_node("bench_" + role, anonymous=True)


class Listener:
    def __init__(self):
        self.latencies, self.begin = [], time.monotonic_ns()

    def heard(self, message):
        now = time.monotonic_ns()
        self.latencies.append(now - int(message.data[:20]))
        if now - self.begin < 500_000_000:
            return
        self.latencies.sort()
        rate = len(self.latencies) * 1e9 / (now - self.begin)
        latency = self.latencies[len(self.latencies) // 2] / 1e3
        print(json.dumps({"messages_per_second": round(rate, 1), "latency_us": round(latency, 1)}), flush=True)
        self.latencies, self.begin = [], now


if role == "listener":
    rospy.Subscriber("/bench", String, Listener().heard, tcp_nodelay=True)
    rospy.spin()
else:
    publisher = rospy.Publisher("/bench", String, queue_size=100)
    rate = rospy.Rate(per_second)
    padding = "x" * (size - 21)
    while not rospy.is_shutdown():
        publisher.publish("%020d %s" % (time.monotonic_ns(), padding))
        rate.sleep()
