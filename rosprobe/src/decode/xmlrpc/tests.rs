//! Values as different clients write them, and documents that are none.

use super::*;

fn response(value: &str) -> Result<Value, String> {
    let text = format!("<?xml version='1.0'?><methodResponse><params><param>{value}</param></params></methodResponse>");
    match parse(text.as_bytes(), &Limits::default()) {
        Ok(Document::Response(value)) => Ok(value),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.problem.to_string()),
    }
}

fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn values_as_clients_write_them() {
    let member = |name: &str, value| BTreeMap::from([(name.to_owned(), value)]);
    for (text, expected) in [
        // rospy
        ("\n<value><string>/talker</string></value>\n", string("/talker")),
        ("<value><int>42</int></value>", Value::Int(42)),
        ("<value><boolean>1</boolean></value>", Value::Bool(true)),
        ("<value><double>0.25</double></value>", Value::Double(0.25)),
        ("<value><nil/></value>", Value::Nil),
        ("<value><string></string></value>", string("")),
        ("<value><string/></value>", string("")),
        ("<value><base64>\nAAEC\nAw==\n</base64></value>", Value::Base64("AAECAw==".to_owned())),
        (
            "<value><dateTime.iso8601>20261121T06:00:00</dateTime.iso8601></value>",
            Value::DateTime("20261121T06:00:00".to_owned()),
        ),
        ("<value><array><data>\n</data></array></value>", Value::Array(vec![])),
        ("<value><struct>\n</struct></value>", Value::Struct(BTreeMap::new())),
        // roscpp
        ("\r\n\t<value>bare text</value>\r\n", string("bare text")),
        ("<value></value>", string("")),
        ("<value/>", string("")),
        ("<value> keeps  its blanks </value>", string(" keeps  its blanks ")),
        ("<value><i4>-7</i4></value>", Value::Int(-7)),
        ("<value><base64>AAEC\n\0</base64></value>", Value::Base64("AAEC".to_owned())),
        ("<value><double>nan</double></value>", Value::NonFinite("nan".to_owned())),
        ("<value><double>-inf</double></value>", Value::NonFinite("-inf".to_owned())),
        ("<value><double>1e999</double></value>", Value::NonFinite("1e999".to_owned())),
        // others
        ("<value><i8>9223372036854775807</i8></value>", Value::Int(i64::MAX)),
        ("<value><ex:nil/></value>", Value::Nil),
        ("<value><ex:i8> +5 </ex:i8></value>", Value::Int(5)),
        ("<value><!-- a comment --><int>1</int><!-- another --></value>", Value::Int(1)),
        ("<value><![CDATA[<b> & ]]>]]&gt;</value>", string("<b> & ]]>")),
        ("<value>a &lt;b&gt; &amp;amp; &quot;&apos; &#65;&#x1F916;</value>", string("a <b> &amp; \"' A🤖")),
        ("<value>line\r\nline\rline</value>", string("line\nline\nline")),
        ("<value>&lt;&lt;\r\n&gt;&amp;lt;</value>", string("<<\n>&lt;")),
        ("<value>&lt;&#65;&lt; &amp</value>", string("<A< &amp")),
        ("<value><string a='/'>&lt;</string></value>", string("<")),
        ("<value>&lt;<!-- a comment -->&gt;</value>", string("<>")),
        ("<value>a bare & b</value>", string("a bare & b")),
        ("<value>&#13;&#10;</value>", string("\r\n")),
        ("<value kind='x'><string lang=\"a>b\">t</string></value>", string("t")),
        ("<value><boolean>true</boolean></value>", Value::Bool(true)),
        ("<value><array/></value>", Value::Array(vec![])),
        (
            "<value><struct><member><name>n</name><value><array><data><value>x</value></data></array></value></member></struct></value>",
            Value::Struct(member("n", Value::Array(vec![string("x")]))),
        ),
        (
            "<value><struct><member><name>n</name><value>first</value></member><member><name>n</name><value>last</value></member></struct></value>",
            Value::Struct(member("n", string("last"))),
        ),
    ] {
        assert_eq!(response(text), Ok(expected.clone()), "{text}");
        // What is read in one step gives what the parser makes of it.
        let parsed = text.replace("<value>", "<value><!---->");
        assert_eq!(response(&parsed), Ok(expected), "{parsed}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, problem) in [
        ("<value><int>7x</int></value>", "\"7x\" is no <int>"),
        ("<value><int>99999999999999999999</int></value>", "\"99999999999999999999\" is no <int>"),
        ("<value><boolean>maybe</boolean></value>", "\"maybe\" is no <boolean>"),
        ("<value><double>1,5</double></value>", "\"1,5\" is no <double>"),
        ("<value><a\u{1b}[2J/></value>", "<a�[2J> stands where the type of a value should"),
        ("<value><robot/></value>", "<robot> stands where the type of a value should"),
        ("<value>text<int>1</int></value>", "the text \"text\" stands where the type of a value should"),
        ("<value><int>1</int>text</value>", "the text \"text\" stands where </value> should"),
        ("<value><int>1</int><int>2</int></value>", "<int> stands where </value> should"),
        (
            "<value><int>1</string></value>",
            "the XML is not well-formed: ill-formed document: expected `</int>`, but `</string>` was found",
        ),
        ("<value>&unknown;</value>", "the entity \"unknown\" is not defined"),
        ("<value>&#0;</value>", "the entity \"#0\" is not defined"),
        ("<value><array><value>x</value></array></value>", "<value> stands where <data> should"),
        ("<value><array><data><int>1</int></data></array></value>", "<int> stands where <value> should"),
        ("<value><struct><name>n</name></struct></value>", "<name> stands where <member> should"),
        ("<value><struct><member><value>1</value></member></struct></value>", "<value> stands where <name> should"),
        ("<value><nil>x</nil></value>", "the text \"x\" stands where </nil> should"),
        ("<value>x</value></param><param><value>y</value>", "<param> stands where </params> after one value should"),
        ("<value>", "the XML is not well-formed: ill-formed document: expected `</value>`, but `</param>` was found"),
        ("\u{1b}[31m<value>x</value>", "the text \"�[31m\" stands where <value> should"),
    ] {
        assert_eq!(response(text), Err(problem.to_owned()), "{text}");
        let parsed = text.replace("<value>", "<value><!---->");
        assert_eq!(response(&parsed), Err(problem.to_owned()), "{parsed}");
    }
}

#[test]
fn documents_that_are_none_say_where() {
    for (text, expected) in [
        ("", "it ends where <methodCall> or <methodResponse> should stand, at byte 0 of the XML"),
        ("hello", "the text \"hello\" stands where <methodCall> or <methodResponse> should, at byte 5 of the XML"),
        ("<html><body/></html>", "<html> stands where <methodCall> or <methodResponse> should, at byte 6 of the XML"),
        ("<methodCall><methodName>x</methodName>", "it ends where <params> should stand, at byte 38 of the XML"),
        ("<methodCall><params/></methodCall>", "<params> stands where <methodName> should, at byte 21 of the XML"),
        ("<methodResponse/>", "<an end tag> stands where <params> or <fault> should, at byte 17 of the XML"),
        (
            "<methodResponse><fault><value>x</value></fault></methodResponse>",
            "the fault is no struct with faultCode and faultString, at byte 39 of the XML",
        ),
        (
            "<methodCall><methodName>x</methodName></methodCall><more/>",
            "<more> stands where the end of the document should, at byte 58 of the XML",
        ),
        (
            "<methodCall><methodName>x</methodName></methodCall>POST /",
            "the text \"POST /\" stands where the end of the document should, at byte 57 of the XML",
        ),
        (
            "<methodCall",
            "the XML is not well-formed: syntax error: tag not closed: `>` not found before end of input, at byte 0 of the XML",
        ),
        (
            "<?xml version='1.0' encoding='EBCDIC'?><methodCall/>",
            "the encoding \"ebcdic\" is not decoded, at byte 0 of the XML",
        ),
    ] {
        let error = parse(text.as_bytes(), &Limits::default()).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
    }
}

#[test]
fn calls_without_arguments_may_leave_params_out() {
    let call = |text: &str| parse(text.as_bytes(), &Limits::default());
    let expected = Document::Call { method: "getPid".to_owned(), params: Vec::new() };
    assert_eq!(call("<methodCall><methodName> getPid </methodName></methodCall>\0"), Ok(expected.clone()));
    assert_eq!(call("<methodCall><methodName>getPid</methodName><params/></methodCall>\r\n"), Ok(expected));
    let nothing = call("<methodResponse><params/></methodResponse>");
    assert_eq!(nothing, Ok(Document::Response(Value::Nil)));
}

#[test]
fn encodings_and_byte_order_marks() {
    let document = |encoding: &str| {
        format!(
            "<?xml version=\"1.0\" encoding = '{encoding}' ?><methodCall><methodName>h\u{e4}lt</methodName></methodCall>"
        )
    };
    let utf16 = |order: fn(u16) -> [u8; 2]| document("UTF-16").encode_utf16().flat_map(order).collect::<Vec<_>>();
    let latin1: Vec<u8> = document("ISO-8859-1").chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    for bytes in [
        document("UTF-8").into_bytes(),
        document("us-ascii").into_bytes(),
        [b"\xef\xbb\xbf", document("utf8").as_bytes()].concat(),
        [&[0xfe, 0xff][..], &utf16(u16::to_be_bytes)].concat(),
        [&[0xff, 0xfe][..], &utf16(u16::to_le_bytes)].concat(),
        latin1,
    ] {
        let expected = Document::Call { method: "h\u{e4}lt".to_owned(), params: Vec::new() };
        assert_eq!(parse(&bytes, &Limits::default()), Ok(expected));
    }
    let broken = b"<methodCall><methodName>h\xe4lt</methodName></methodCall>";
    let expected = Document::Call { method: "h\u{fffd}lt".to_owned(), params: Vec::new() };
    assert_eq!(parse(broken, &Limits::default()), Ok(expected));
}

#[test]
fn entities_of_a_document_type_are_never_expanded() {
    let bomb = r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>
        <methodCall><methodName>"#;
    for entity in ["b", "f"] {
        let text = format!("{bomb}&{entity};</methodName></methodCall>");
        let error = parse(text.as_bytes(), &Limits::default()).expect_err("undefined");
        assert_eq!(error.problem, Problem::Entity(entity.to_owned()));
    }
    let harmless = format!("{bomb}getPid</methodName></methodCall>");
    assert!(parse(harmless.as_bytes(), &Limits::default()).is_ok());
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let limits = Limits { depth: 3, values: 5, ..Limits::default() };
    let nested = |depth: usize| {
        let (open, close) = ("<value><array><data>".repeat(depth), "</data></array></value>".repeat(depth));
        format!("<methodResponse><params><param>{open}{close}</param></params></methodResponse>")
    };
    assert!(parse(nested(3).as_bytes(), &limits).is_ok());
    assert_eq!(parse(nested(4).as_bytes(), &limits).map_err(|error| error.problem), Err(Problem::Depth(3)));
    assert_eq!(parse(nested(100_000).as_bytes(), &limits).map_err(|error| error.problem), Err(Problem::Depth(3)));
    let wide = |value: &str, values: usize| {
        let values = value.repeat(values);
        format!(
            "<methodResponse><params><param><value><array><data>{values}</data></array></value></param></params></methodResponse>"
        )
    };
    for value in ["<value/>", "<value>x</value>", "<value><int>1</int></value>", "\n<value><string></string></value>\n"]
    {
        assert!(parse(wide(value, 4).as_bytes(), &limits).is_ok(), "{value}");
        let many = parse(wide(value, 5).as_bytes(), &limits).map_err(|error| error.problem);
        assert_eq!(many, Err(Problem::Values(5)), "{value}");
    }
}

/// What the short way leaves to the parser is not tried again at each level, and what follows is read as well.
#[test]
fn odd_values_deep_inside_do_not_hide_their_neighbours() {
    let depth = Limits::default().depth;
    let (open, close) = ("<value><array><data>".repeat(depth), "</data></array></value>".repeat(depth));
    let row = "<value>x</value><value><nil/></value>\n<value><i4>1</i4></value>";
    let Ok(mut value) = response(&[&*open, row, &close].concat()) else { panic!("within the limits") };
    for _ in 1..depth {
        let Value::Array(values) = value else { panic!("an array in an array") };
        value = values.into_iter().next().expect("one element");
    }
    assert_eq!(value, Value::Array(vec![string("x"), Value::Nil, Value::Int(1)]));
}

#[test]
fn the_deepest_value_survives_json() {
    let depth = Limits::default().depth;
    let (open, close) = ("<value><array><data>".repeat(depth), "</data></array></value>".repeat(depth));
    let value = response(&format!("{open}{close}")).expect("within the limit");
    let json = serde_json::to_string(&value).expect("serialisable");
    assert_eq!(serde_json::from_str::<Value>(&json).expect("readable"), value);
}

#[test]
fn the_method_of_a_beginning() {
    assert_eq!(
        method_of_prefix(b"<?xml version='1.0'?>\n<methodCall>\n<methodName>setParam</methodName>\n<par").as_deref(),
        Some("setParam")
    );
    assert_eq!(method_of_prefix(b"<methodCall><methodName>setPar"), None);
    assert_eq!(method_of_prefix(b"<methodResponse>"), None);
}
