// roscpp_bench ROLE BYTES RATE
//
// talker    publishes std_msgs/String of BYTES bytes on /bench, RATE times a second; each begins with the time of its publishing
// listener  hears them, and says twice a second how many came and how long they took
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include <ros/ros.h>
#include <std_msgs/String.h>

static long long now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void heard(const std_msgs::String::ConstPtr &message) {
    static std::vector<long long> latencies;
    static long long begin = now();
    const long long moment = now();
    latencies.push_back(moment - std::atoll(message->data.c_str()));
    if (moment - begin < 500000000LL) return;
    std::sort(latencies.begin(), latencies.end());
    std::printf("{\"messages_per_second\": %.1f, \"latency_us\": %.1f}\n", latencies.size() * 1e9 / (moment - begin),
                latencies[latencies.size() / 2] / 1e3);
    std::fflush(stdout);
    latencies.clear();
    begin = moment;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    const std::string role = argv[1];
    ros::init(argc, argv, "bench_" + role, ros::init_options::AnonymousName);
    ros::NodeHandle node;
    if (role == "listener") {
        ros::Subscriber subscriber = node.subscribe("/bench", 100, heard, ros::TransportHints().tcpNoDelay());
        ros::spin();
        return 0;
    }
    ros::Publisher publisher = node.advertise<std_msgs::String>("/bench", 100);
    std_msgs::String message;
    message.data.assign(std::atoi(argv[2]), 'x');
    ros::Rate rate(std::atof(argv[3]));
    while (ros::ok()) {
        char text[24];
        std::snprintf(text, sizeof text, "%020lld ", now());
        message.data.replace(0, 21, text);
        publisher.publish(message);
        ros::spinOnce();
        rate.sleep();
    }
    return 0;
}
