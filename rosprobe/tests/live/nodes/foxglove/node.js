// A node of the client library @foxglove/ros1 for the lab: node.js ROLE NODE NAME
//
// talker    publishes std_msgs/String on topic NAME, ten times a second, sets a parameter and asks for topics
// listener  subscribes to NAME as std_msgs/String and prints what it hears
import { RosNode } from "@foxglove/ros1";
import { TcpServerNode, TcpSocketNode } from "@foxglove/ros1/nodejs";
import { HttpServerNodejs } from "@foxglove/xmlrpc/nodejs";
import net from "node:net";

const [role, name, topic] = process.argv.slice(2);
const dataType = "std_msgs/String";
const server = net.createServer();
await new Promise((listening) => server.listen(0, listening));
const node = new RosNode({
  name,
  hostname: process.env.ROS_IP,
  pid: process.pid,
  rosMasterUri: process.env.ROS_MASTER_URI,
  httpServer: new HttpServerNodejs(),
  tcpSocketCreate: TcpSocketNode.Create,
  tcpServer: new TcpServerNode(server),
});
node.on("error", (error) => console.log(`error ${error.message}`));
let talking;
await node.start();

if (role === "talker") {
  await node.advertise({ topic, dataType, messageDefinitionText: "string data" });
  await node.setParameter("/foxglove", { text: "a < b & c", number: 1.5, list: [1, true, "x"] });
  await node.getPublishedTopics();
  await node.getSystemState();
  console.log("advertised");
  let count = 0;
  talking = setInterval(() => node.publish(topic, { data: `hello ${count++}` }), 100);
} else {
  await node.subscribeAllParams();
  node.subscribe({ topic, dataType }).on("message", (message) => console.log(`heard ${message.data}`));
  console.log("node is up");
}
const leave = () => {
  clearInterval(talking);
  node.shutdown();
  setTimeout(() => process.exit(0), 500);
};
process.on("SIGINT", leave);
process.on("SIGTERM", leave);
