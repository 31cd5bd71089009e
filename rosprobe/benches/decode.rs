//! How many bytes of XML-RPC one core decodes in a second, for the documents that ROS sends most and for those that are largest.

use divan::Bencher;
use divan::counter::BytesCount;
use rosprobe::decode::Limits;
use rosprobe::decode::xmlrpc::parse;

fn main() {
    divan::main();
}

/// Documents by name: what they are, and how it is written.
const DOCUMENTS: [&str; 4] = ["registerSubscriber", "getSystemState", "setParam-text", "setParam-entities"];

fn document(name: &str) -> String {
    match name {
        "registerSubscriber" => call(
            name,
            &[
                "/listener_7",
                "/camera/front/image_raw/compressed",
                "sensor_msgs/CompressedImage",
                "http://10.0.1.2:41234/",
            ]
            .map(|text| format!("<string>{text}</string>")),
        ),
        "getSystemState" => system_state(),
        "setParam-text" => {
            let text = "A line of a long text without anything that XML writes otherwise.\n".repeat(1500);
            call("setParam", &[string("/node"), string("/text"), string(&text)])
        }
        // A robot description, as everybody's launch file sets it.
        _ => {
            let link = "&lt;link name=\"wheel_left\"&gt;\n  &lt;visual&gt;&lt;origin xyz=\"0 0.1 0\" rpy=\"0 0 0\" /&gt;&lt;/visual&gt;\n&lt;/link&gt;\n";
            call("setParam", &[string("/node"), string("/robot_description"), string(&link.repeat(600))])
        }
    }
}

fn string(text: &str) -> String {
    format!("<string>{text}</string>")
}

fn call(method: &str, values: &[String]) -> String {
    let param = |value: &String| ["<param>\n<value>", value, "</value>\n</param>\n"].concat();
    let params: String = values.iter().map(param).collect();
    format!(
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n<params>\n{params}</params>\n</methodCall>\n"
    )
}

/// What the master of a robot with 500 topics answers.
fn system_state() -> String {
    let array = |values: &str| format!("<array><data>\n{values}</data></array>");
    let value = |value: &str| format!("<value>{value}</value>\n");
    let topics: String = (0..500)
        .map(|number| {
            let nodes: String = (0..3).map(|node| value(&string(&format!("/node_{}", number + node)))).collect();
            value(&array(&[value(&string(&format!("/robot/topic_{number}"))), value(&array(&nodes))].concat()))
        })
        .collect();
    let state = [&topics, &topics, ""].map(|part| value(&array(part))).concat();
    let answer = [value("<int>1</int>"), value(&string("current system state")), value(&array(&state))].concat();
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n{}</param>\n</params>\n</methodResponse>\n",
        value(&array(&answer))
    )
}

#[divan::bench(args = DOCUMENTS)]
fn decode(bencher: Bencher<'_, '_>, name: &str) {
    let document = document(name);
    let limits = Limits::default();
    bencher.counter(BytesCount::of_str(&document)).bench_local(|| {
        parse(divan::black_box(document.as_bytes()), &limits).expect("the documents here are well-formed")
    });
}
