// A talker or listener on Fast DDS, with the command line that all peers have in common (see peer.rs).

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/DataReaderListener.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>
#include <fastdds/dds/topic/TypeSupport.hpp>
#include <fastdds/rtps/transport/UDPv4TransportDescriptor.h>
#include <fastdds/rtps/transport/UDPv6TransportDescriptor.h>
#include <fastrtps/utils/IPLocator.h>

using namespace eprosima::fastdds::dds;
using eprosima::fastrtps::rtps::InstanceHandle_t;
using eprosima::fastrtps::rtps::IPLocator;
using eprosima::fastrtps::rtps::Locator_t;
using eprosima::fastrtps::rtps::SerializedPayload_t;

// std_msgs/msg/String in CDR, little-endian, written by hand so that no generator is needed.
class TextType : public TopicDataType {
public:
    TextType(const std::string& name, uint32_t size) {
        setName(name.c_str());
        m_typeSize = 4 + 4 + 256 + size;
        m_isGetKeyDefined = false;
        auto_fill_type_object(false);
        auto_fill_type_information(false);
    }

    bool serialize(void* data, SerializedPayload_t* payload) override {
        const auto& text = *static_cast<std::string*>(data);
        const uint32_t length = static_cast<uint32_t>(text.size()) + 1;
        if (8 + length > payload->max_size) return false;
        const unsigned char header[4] = {0, 1, 0, 0};
        std::memcpy(payload->data, header, 4);
        std::memcpy(payload->data + 4, &length, 4);
        std::memcpy(payload->data + 8, text.c_str(), length);
        payload->encapsulation = CDR_LE;
        payload->length = 8 + length;
        return true;
    }

    bool deserialize(SerializedPayload_t* payload, void* data) override {
        if (payload->length < 8) return false;
        uint32_t length = 0;
        std::memcpy(&length, payload->data + 4, 4);
        if (length == 0 || length > payload->length - 8) return false;
        static_cast<std::string*>(data)->assign(reinterpret_cast<char*>(payload->data) + 8, length - 1);
        return true;
    }

    std::function<uint32_t()> getSerializedSizeProvider(void* data) override {
        return [data] { return static_cast<uint32_t>(8 + static_cast<std::string*>(data)->size() + 1); };
    }

    void* createData() override { return new std::string; }
    void deleteData(void* data) override { delete static_cast<std::string*>(data); }
    bool getKey(void*, InstanceHandle_t*, bool) override { return false; }
};

class Heard : public DataReaderListener {
    void on_data_available(DataReader* reader) override {
        std::string text;
        SampleInfo info;
        while (reader->take_next_sample(&text, &info) == ReturnCode_t::RETCODE_OK) {
            if (info.valid_data) std::cout << "heard " << text.substr(0, text.find_last_not_of(' ') + 1) << std::endl;
        }
    }
};

static volatile std::sig_atomic_t ended = 0;

static Locator_t locator(const std::string& address) {
    Locator_t locator;
    locator.kind = LOCATOR_KIND_UDPv4;
    IPLocator::setIPv4(locator, address);
    return locator;
}

int main(int count, char** words) {
    std::map<std::string, std::string> options = {
        {"--topic", "/chatter"}, {"--type", "std_msgs/msg/String"}, {"--reliability", "reliable"},
        {"--durability", "volatile"}, {"--participants", "1"}, {"--interface", ""}, {"--locator", ""},
        {"--participant-id", ""}, {"--ip", "4"}, {"--size", "0"}};
    const std::string role = count > 1 ? words[1] : "";
    for (int i = 2; i + 1 < count; i += 2) options[words[i]] = words[i + 1];
    std::signal(SIGINT, [](int) { ended = 1; });
    std::signal(SIGTERM, [](int) { ended = 1; });

    auto* factory = DomainParticipantFactory::get_instance();
    factory->load_profiles();
    // A profile of FASTRTPS_DEFAULT_PROFILES_FILE is the default.
    DomainParticipantQos qos = factory->get_default_participant_qos();
    qos.name("/");
    if (!options["--interface"].empty()) {
        auto udp = std::make_shared<eprosima::fastdds::rtps::UDPv4TransportDescriptor>();
        udp->interfaceWhiteList.push_back(options["--interface"]);
        qos.transport().user_transports.push_back(udp);
        qos.transport().use_builtin_transports = false;
    }
    if (options["--ip"] == "6") {
        qos.transport().user_transports.push_back(
            std::make_shared<eprosima::fastdds::rtps::UDPv6TransportDescriptor>());
        qos.transport().use_builtin_transports = false;
    }
    const char* domain = std::getenv("ROS_DOMAIN_ID");
    const auto number = static_cast<DomainId_t>(domain ? std::atoi(domain) : 0);
    if (!options["--locator"].empty()) {
        // With one list given, the other is empty unless it is given as well.
        Locator_t group = locator("239.255.0.1");
        group.port = 7400 + 250 * number;
        qos.wire_protocol().builtin.metatrafficMulticastLocatorList.push_back(group);
        qos.wire_protocol().builtin.metatrafficUnicastLocatorList.push_back(locator(options["--locator"]));
        qos.wire_protocol().default_unicast_locator_list.push_back(locator(options["--locator"]));
    }
    if (!options["--participant-id"].empty()) qos.wire_protocol().participant_id = std::stoi(options["--participant-id"]);
    std::vector<DomainParticipant*> participants;
    for (int i = 0; i < std::stoi(options["--participants"]); ++i) {
        participants.push_back(factory->create_participant(number, qos));
        if (participants.back() == nullptr) {
            std::cout << "no participant" << std::endl;
            return 1;
        }
    }
    auto* participant = participants.front();

    // pkg/msg/Type is pkg::msg::dds_::Type_ on the wire.
    const std::string& ros = options["--type"];
    const auto slash = ros.find('/');
    const auto size = static_cast<uint32_t>(std::stoul(options["--size"]));
    TypeSupport type(new TextType(ros.substr(0, slash) + "::msg::dds_::" + ros.substr(ros.rfind('/') + 1) + "_", size));
    type.register_type(participant);
    auto* topic = participant->create_topic("rt" + options["--topic"], type.get_type_name(), TOPIC_QOS_DEFAULT);
    const auto reliability =
        options["--reliability"] == "reliable" ? RELIABLE_RELIABILITY_QOS : BEST_EFFORT_RELIABILITY_QOS;
    const auto durability =
        options["--durability"] == "volatile" ? VOLATILE_DURABILITY_QOS : TRANSIENT_LOCAL_DURABILITY_QOS;

    Heard heard;
    DataWriter* writer = nullptr;
    if (role == "talker") {
        DataWriterQos wanted = DATAWRITER_QOS_DEFAULT;
        wanted.reliability().kind = reliability;
        wanted.durability().kind = durability;
        writer = participant->create_publisher(PUBLISHER_QOS_DEFAULT)->create_datawriter(topic, wanted);
    } else {
        DataReaderQos wanted = DATAREADER_QOS_DEFAULT;
        wanted.reliability().kind = reliability;
        wanted.durability().kind = durability;
        participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT)->create_datareader(topic, wanted, &heard);
    }
    std::cout << "ready" << std::endl;
    for (int sent = 1; !ended; ++sent) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        std::string text = options["--topic"] + " " + std::to_string(sent);
        if (text.size() < size) text.resize(size, ' ');
        if (writer == nullptr) continue;
        writer->write(&text);
        if (sent % 10 == 0) std::cout << "said " << sent << std::endl;
    }
    for (auto* each : participants) {
        each->delete_contained_entities();
        factory->delete_participant(each);
    }
}
