// A small roscpp node for the lab: roscpp_node ROLE NODE NAME [ARGUMENT]
//
// talker    publishes std_msgs/String on topic NAME, ARGUMENT times a second (10; 0: advertise and stay silent)
// bulk      publishes messages of 1 MB on topic NAME, up to 500 a second
// talkers   publishes on ARGUMENT topics, NAME_0 and so on, once a second each
// listeners subscribes to ARGUMENT topics, NAME_0 and so on, and says when it has heard all
// loop      publishes on NAME ten times a second, hears itself, and ends after three seconds
// listener  subscribes to NAME as std_msgs/String and prints what it hears; bulk messages are counted
// udp       the same, over UDPROS
// mismatch  subscribes to NAME as std_msgs/Int32
// server    provides service NAME (std_srvs/Trigger)
// client    calls service NAME (std_srvs/Trigger) once a second and prints what became of it
// persistent the same over one connection that stays
// setter    sets parameter NAME to a text of ARGUMENT bytes, once
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include <ros/ros.h>
#include <std_msgs/Int32.h>
#include <std_msgs/String.h>
#include <std_srvs/Trigger.h>

static void say(const std::string &text) {
    std::printf("%s\n", text.c_str());
    std::fflush(stdout);
}

static void heard(const std_msgs::String::ConstPtr &message) {
    static unsigned long bulk = 0;
    if (message->data.size() < 1000) {
        say("heard " + message->data);
    } else if (++bulk % 100 == 0) {
        say("received " + std::to_string(bulk) + " MB");
    }
}

static void heard_number(const std_msgs::Int32::ConstPtr &message) { say("heard " + std::to_string(message->data)); }

static bool answer(std_srvs::Trigger::Request &, std_srvs::Trigger::Response &response) {
    response.success = true;
    response.message = "done";
    return true;
}

static int talk(ros::NodeHandle &node, const std::string &name, double per_second) {
    ros::Publisher publisher = node.advertise<std_msgs::String>(name, 10);
    say("advertised");
    if (per_second == 0) {
        ros::spin();
        return 0;
    }
    ros::Rate rate(per_second);
    for (unsigned long count = 0; ros::ok(); ++count) {
        std_msgs::String message;
        message.data = "hello " + std::to_string(count);
        publisher.publish(message);
        ros::spinOnce();
        rate.sleep();
    }
    return 0;
}

static int bulk(ros::NodeHandle &node, const std::string &name) {
    ros::Publisher publisher = node.advertise<std_msgs::String>(name, 2);
    std_msgs::String message;
    message.data.assign(1000000, 'x');
    ros::Rate rate(500);
    while (ros::ok()) {
        if (publisher.getNumSubscribers() > 0) publisher.publish(message);
        ros::spinOnce();
        rate.sleep();
    }
    return 0;
}

static int talk_on_many(ros::NodeHandle &node, const std::string &name, int count) {
    std::vector<ros::Publisher> publishers;
    for (int number = 0; number < count; ++number)
        publishers.push_back(node.advertise<std_msgs::String>(name + "_" + std::to_string(number), 1));
    say("advertised");
    ros::Rate rate(1);
    while (ros::ok()) {
        std_msgs::String message;
        message.data = "hello";
        for (ros::Publisher &publisher : publishers) publisher.publish(message);
        ros::spinOnce();
        rate.sleep();
    }
    return 0;
}

static int loop(ros::NodeHandle &node, const std::string &name) {
    ros::Publisher publisher = node.advertise<std_msgs::String>(name, 10);
    ros::Subscriber subscriber = node.subscribe(name, 10, heard);
    ros::WallRate rate(10);
    for (int count = 0; ros::ok() && count < 30; ++count) {
        publisher.publish(std_msgs::String());
        ros::spinOnce();
        rate.sleep();
    }
    ros::shutdown();
    return 0;
}

static int listen_to_many(ros::NodeHandle &node, const std::string &name, int count) {
    std::vector<ros::Subscriber> subscribers;
    std::set<int> heard;
    for (int number = 0; number < count; ++number) {
        boost::function<void(const std_msgs::String::ConstPtr &)> hear = [&heard, number, count](const auto &) {
            heard.insert(number);
            if (heard.size() == static_cast<size_t>(count)) say("heard all");
        };
        subscribers.push_back(node.subscribe<std_msgs::String>(name + "_" + std::to_string(number), 1, hear));
    }
    ros::spin();
    return 0;
}

static int call(ros::NodeHandle &node, const std::string &name, bool persistent) {
    ros::Rate rate(1);
    if (persistent) ros::service::waitForService(name);
    ros::ServiceClient client = node.serviceClient<std_srvs::Trigger>(name, persistent);
    while (ros::ok()) {
        std_srvs::Trigger trigger;
        bool ok = client.call(trigger);
        say(ok ? "answered " + trigger.response.message : "call failed");
        rate.sleep();
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    const std::string role = argv[1], name = argv[3], argument = argc > 4 ? argv[4] : "";
    ros::init(argc, argv, argv[2]);
    ros::NodeHandle node;
    say("node is up");
    if (role == "talker") return talk(node, name, argument.empty() ? 10 : std::atof(argument.c_str()));
    if (role == "bulk") return bulk(node, name);
    if (role == "loop") return loop(node, name);
    if (role == "client") return call(node, name, false);
    if (role == "persistent") return call(node, name, true);
    if (role == "talkers") return talk_on_many(node, name, std::atoi(argument.c_str()));
    if (role == "listeners") return listen_to_many(node, name, std::atoi(argument.c_str()));
    ros::Subscriber subscriber;
    ros::ServiceServer server;
    if (role == "listener") subscriber = node.subscribe(name, 10, heard);
    if (role == "udp") subscriber = node.subscribe(name, 10, heard, ros::TransportHints().unreliable());
    if (role == "mismatch") subscriber = node.subscribe(name, 10, heard_number);
        if (role == "server") {
        server = node.advertiseService(name, answer);
        say("serving");
    }
    if (role == "setter") node.setParam(name, std::string(std::atoi(argument.c_str()), 'x'));
    ros::spin();
    return 0;
}
