"""Both ends of one conversation, with the system calls that the test asks for. Prints what went over the wire as one JSON object."""
import ctypes
import fcntl
import json
import mmap
import os
import platform
import select
import signal
import socket
import struct
import subprocess
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("iov", ctypes.POINTER(Iovec)),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("header", Msghdr), ("length", ctypes.c_uint)]


def parts(data, count):
    """`data` in `count` pieces of unequal length, an empty one among them."""
    cuts = [0] + [len(data) * (i + 1) // (count + 1) + i for i in range(count - 1)] + [len(data)]
    pieces = [data[a:b] for a, b in zip(cuts, cuts[1:])]
    return pieces[:1] + [b""] + pieces[1:]


def vector(buffers):
    array = (Iovec * len(buffers))()
    for slot, buffer in zip(array, buffers):
        slot.base = ctypes.cast(buffer, ctypes.c_void_p)
        slot.length = len(buffer)
    return array


def messages(groups):
    """An mmsghdr array over groups of ctypes buffers; keeps them alive."""
    array, keep = (Mmsghdr * len(groups))(), []
    for slot, buffers in zip(array, groups):
        iov = vector(buffers)
        keep.append((iov, buffers))
        slot.header.iov, slot.header.iov_length = iov, len(buffers)
    array.keep = keep
    return array


def filled(data):
    return ctypes.create_string_buffer(data, max(len(data), 1)) if data else ctypes.create_string_buffer(1)


def sendmmsg(sock, groups):
    """All of `groups` in as few calls as it takes; every group is one message."""
    groups = [[filled(piece) for piece in group if piece] for group in groups]
    done = 0
    while done < len(groups):
        array = messages(groups[done:])
        sent = libc.sendmmsg(sock.fileno(), array, len(array), 0)
        if sent < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
        for i in range(sent):
            assert array[i].length == sum(len(b) for b in groups[done + i]), "a partial send on a blocking socket"
        done += sent


def recvmmsg(sock, sizes, flags=0x10000):  # MSG_WAITFORONE
    groups = [[ctypes.create_string_buffer(size) for size in group] for group in sizes]
    array = messages(groups)
    count = libc.recvmmsg(sock.fileno(), array, len(array), flags, None)
    if count < 0:
        raise OSError(ctypes.get_errno(), "recvmmsg")
    whole = []
    for i in range(count):
        data = b"".join(b.raw for b in groups[i])
        whole.append(data[: array[i].length])
    return whole


def send(form, sock, data):
    view = memoryview(data)
    if form == "sendmmsg":
        size = len(data) // 3 + 1
        return sendmmsg(sock, [parts(data[i : i + size], 2) for i in range(0, len(data), size)])
    while view:
        if form == "send":
            count = sock.send(view)
        elif form == "sendto":
            count = libc.sendto(sock.fileno(), bytes(view), len(view), 0, None, 0)
        elif form == "sendmsg":
            count = sock.sendmsg(parts(view, 4))
        elif form == "write":
            count = os.write(sock.fileno(), view)
        elif form == "writev":
            count = os.writev(sock.fileno(), parts(view, 5))
        elif form == "pwritev2":
            count = libc.pwritev2(sock.fileno(), vector([filled(bytes(view))]), 1, ctypes.c_long(-1), 0)
        elif form == "pieces":
            count = sock.send(view[:1])
        elif form == "nonblocking":
            # Takes what there is room for, and no more.
            select.select([], [sock], [])
            try:
                count = sock.send(view, socket.MSG_DONTWAIT)
            except BlockingIOError:
                count = 0
        view = view[count:]


def receive(form, sock, wanted):
    data = b""
    while len(data) < wanted:
        size = min(wanted - len(data), 3000)
        if form == "recv":
            piece = sock.recv(size)
        elif form == "recvfrom":
            buffer = ctypes.create_string_buffer(size)
            count = libc.recvfrom(sock.fileno(), buffer, size, 0, None, None)
            piece = buffer.raw[:count]
        elif form == "recvmsg":
            buffers = [bytearray(n) for n in (1, 7, size)]
            count = sock.recvmsg_into(buffers)[0]
            piece = b"".join(buffers)[:count]
        elif form == "recvmmsg":
            piece = b"".join(recvmmsg(sock, [[5, 11, 500], [3, 900], [700]]))
        elif form == "read":
            piece = os.read(sock.fileno(), size)
        elif form == "readv":
            buffers = [bytearray(n) for n in (2, 4, size)]
            count = os.readv(sock.fileno(), buffers)
            piece = b"".join(buffers)[:count]
        elif form == "preadv2":
            buffer = ctypes.create_string_buffer(size)
            count = libc.preadv2(sock.fileno(), vector([buffer]), 1, ctypes.c_long(-1), 0)
            piece = buffer.raw[:count]
        elif form == "pieces":
            piece = sock.recv(1)
        elif form == "waitall":
            piece = sock.recv(size, socket.MSG_WAITALL)
            assert len(piece) == size
        elif form == "nonblocking":
            try:
                piece = sock.recv(size, socket.MSG_DONTWAIT)
            except BlockingIOError:
                select.select([sock], [], [])
                continue
        elif form == "peek":
            ahead = sock.recv(size, socket.MSG_PEEK)
            piece = sock.recv(size)
            assert piece.startswith(ahead)
        assert piece, "the peer closed early"
        data += piece
    assert len(data) == wanted, "more than was sent"
    return data


def pair(family):
    address = {"4": "127.0.0.1", "6": "::1", "mapped": "::ffff:127.0.0.1"}[family]
    kind = socket.AF_INET if family == "4" else socket.AF_INET6
    listener = socket.socket(kind)
    if family == "mapped":
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", 0))
    else:
        listener.bind((address, 0))
    listener.listen()
    client = socket.socket(kind)
    client.connect((address, listener.getsockname()[1]))
    server, _ = listener.accept()
    return client, server


def exchange(client, server, request, answer, send_form, receive_form):
    """The client asks and the server answers; each side writes in a thread of its own, so that no buffer has to hold it all."""
    for a, b, data in ((client, server, request), (server, client, answer)):
        thread = threading.Thread(target=send, args=(send_form, a, data))
        thread.start()
        got = receive(receive_form, b, len(data))
        thread.join()
        assert got == data


def ports(client, server):
    return {"client": client.getsockname()[1], "server": server.getsockname()[1]}


def xmlrpc(family, send_form, receive_form, size):
    body = bytes(range(256)) * (size // 256 + 1)
    request = b"POST /RPC2 HTTP/1.1\r\n\r\n" + body[:size]
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + body[: size // 2]
    client, server = pair(family)
    result = ports(client, server)
    exchange(client, server, request, answer, send_form, receive_form)
    exchange(client, server, request, answer, send_form, receive_form)
    return {**result, "request": (request * 2).hex(), "answer": (answer * 2).hex()}


def header(fields):
    body = b"".join(struct.pack("<I", len(field)) + field for field in fields)
    return struct.pack("<I", len(body)) + body


def topic(send_form, receive_form, count):
    asked = header([b"callerid=/listener", b"md5sum=*", b"topic=/chatter", b"type=std_msgs/String"])
    told = header([b"message_definition=" + b"x" * 40000, b"callerid=/talker", b"type=std_msgs/String"])
    stream = b"".join(struct.pack("<I", i % 50) + b"m" * (i % 50) for i in range(count))
    client, server = pair("4")
    result = ports(client, server)
    exchange(client, server, asked, told, send_form, receive_form)
    exchange(client, server, b"", stream, send_form, receive_form)
    return {**result, "asked": asked.hex(), "told": told.hex(), "bytes": len(told + stream), "messages": count}


def service(send_form, receive_form):
    asked = header([b"callerid=/asker", b"service=/add", b"md5sum=*", b"persistent=1"])
    # rospy's servers name the service as well, roscpp's do not.
    told = header([b"callerid=/adder", b"md5sum=abc", b"type=x/Add"] + [b"service=/add"] * (send_form == "send"))
    client, server = pair("4")
    result = ports(client, server)
    exchange(client, server, asked, told, send_form, receive_form)
    small = b"\x01" + struct.pack("<I", 8) + b"ANSWERED"
    failed = b"\x00" + struct.pack("<I", 6) + b"FAILED"
    large = b"\x01" + struct.pack("<I", 5000) + b"L" * 5000
    for answer in (small, failed, large, small):
        exchange(client, server, struct.pack("<I", 16) + b"Q" * 16, answer, send_form, receive_form)
    return {**result, "asked": asked.hex(), "told": told.hex(), "answers": [a.hex() for a in (small, failed, large, small)]}


def dns():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    sent = []
    connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connected.connect(("127.0.0.1", 53))
    loose = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    for name, act in (
        ("send", lambda data: connected.send(data)),
        ("sendmsg", lambda data: connected.sendmsg(parts(data, 3))),
        ("sendto", lambda data: loose.sendto(data, ("::ffff:127.0.0.1", 53))),
        ("sendmsg-to", lambda data: loose.sendmsg(parts(data, 3), [], 0, ("::ffff:127.0.0.1", 53))),
    ):
        data = f"query by {name}".encode()
        act(data)
        sent.append(data.hex())
        assert server.recvfrom(1000)[0] == data
    batch = [b"first of three", b"second", b"the third"]
    sendmmsg(connected, [parts(data, 2) for data in batch])
    sent += [data.hex() for data in batch]
    for data in batch:
        got, peer = server.recvfrom(1000)
        assert got == data
    for data in batch:
        server.sendto(b"re: " + data, peer)
    got = recvmmsg(connected, [[4, 100]] * 5)
    assert got == [b"re: " + data for data in batch], got
    # The kernel returns the whole length, and the buffer has what it has room for.
    server.sendto(b"too long to be taken", peer)
    head = ctypes.create_string_buffer(8)
    assert libc.recv(connected.fileno(), head, 8, socket.MSG_TRUNC) == 20
    return {"sent": sent, "received": [data.hex() for data in got] + [head.raw.hex()], "peer": 53}


def cut(data, count):
    """`data` in `count` pieces, the first of 20 bytes as Cyclone DDS has it, then some small and odd ones."""
    pieces, rest = [data[:20]], data[20:]
    while len(pieces) < count - 1:
        size = (4, 1, 24, 7)[len(pieces) % 4]
        pieces.append(rest[:size])
        rest = rest[size:]
    return pieces + [rest]


def give(form, sock, to, batch):
    """Sends datagrams."""
    if form == "sendmmsg":
        return sendmmsg(sock, [cut(data, 3) for data in batch])
    for data in batch:
        if form == "sendto":
            sock.sendto(data, to)
        elif form == "write":
            os.write(sock.fileno(), data)
        else:
            sock.sendmsg(cut(data, int(form)), [], 0, to)


def get(form, sock, count):
    """Receives datagrams."""
    if form == "recvmmsg":
        found = []
        while len(found) < count:
            found += recvmmsg(sock, [[20, 3, 66000]] * (count - len(found)))
        return found
    found = []
    for _ in range(count):
        if form == "recvmsg":
            buffers = [bytearray(n) for n in (20, 1, 40, 66000)]
            size = sock.recvmsg_into(buffers)[0]
            found.append(b"".join(buffers)[:size])
        elif form == "peek":
            sock.recv(20, socket.MSG_PEEK)
            found.append(sock.recv(66000))
        else:
            found.append(sock.recvfrom(66000)[0])
    return found


def rtps(path, send_form, receive_form):
    """All datagrams of a file, one in hexadecimal a line, from one socket to another."""
    with open(path) as lines:
        datagrams = [bytes.fromhex(line) for line in lines]
    client, server = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    server.bind(("127.0.0.1", 0))
    client.bind(("127.0.0.1", 0))
    if send_form in ("sendmmsg", "write"):
        client.connect(server.getsockname())
    for start in range(0, len(datagrams), 4):
        batch = datagrams[start : start + 4]
        give(send_form, client, server.getsockname(), batch)
        assert get(receive_form, server, len(batch)) == batch
    # So that the counters can be read before the end of the process removes them.
    print(json.dumps(ports(client, server)), flush=True)
    sys.stdin.readline()
    os._exit(0)


def rtps_sample():
    """User data of one writer, 104 bytes with their encapsulation."""
    sample = b"RTPS\x02\x03\x01\x10" + b"large-batch\0" + struct.pack("<BBHII", 9, 1, 8, 1, 0)
    sample += struct.pack("<BBHHH", 0x15, 5, 124, 0, 16) + bytes(4) + bytes([0, 0, 1, 3]) + struct.pack("<iI", 0, 1)
    return sample + bytes([0, 1, 0, 0]) + bytes(100)


def large_batches(count):
    """One sendmmsg() and one recvmmsg() of `count` messages: samples of one RTPS writer, then messages of one UDPROS connection."""
    message = struct.pack("<IBBH", 9, 0, 1, 1) + struct.pack("<I", 50) + bytes(50)
    for data in (rtps_sample(), message):
        sender, receiver = udp(), udp()
        receiver.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        receiver.bind(("127.0.0.1", 0))
        sender.connect(receiver.getsockname())
        array = messages([[filled(data[:8]), filled(data[8:])] for _ in range(count)])
        assert libc.sendmmsg(sender.fileno(), array, count, 0) == count
        assert recvmmsg(receiver, [[300]] * count) == [data] * count
    return count


def begins_anew():
    """Sockets that are long known for none of ours, and then are connected again and speak ROS."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client = socket.socket()
    for first in (b"SSH-2.0-client\r\n" * 100, REQUEST):
        client.connect(listener.getsockname())
        server = listener.accept()[0]
        for _ in range(3):
            exchange(client, server, first, b"", "send", "recv")
        last = client.getsockname()[1]
        assert libc.connect(client.fileno(), bytes(16), 16) == 0  # AF_UNSPEC: connected to nobody
    one, other, sender = udp(), udp(), udp()
    for receiver, data, times in ((one, b"none of ours" * 5, 40), (other, rtps_sample(), 3)):
        receiver.bind(("127.0.0.1", 0))
        sender.connect(receiver.getsockname())
        for _ in range(times):
            sender.send(data)
            assert receiver.recv(1000) == data
    return {"client": last, "sent": (REQUEST * 3).hex()}


ARM = platform.machine() == "aarch64"


def outcome(call, *arguments):
    """The error number of a call, 0 for success."""
    try:
        call(*arguments)
        return 0
    except OSError as error:
        return error.errno


def udp(family=socket.AF_INET, kind=socket.SOCK_DGRAM):
    return socket.socket(family, kind)


def binds(asked):
    """What bind() says of each address; every socket stays."""
    sockets = [udp(socket.AF_INET6 if ":" in address else socket.AF_INET) for address, _ in asked]
    sockets.append(udp(kind=socket.SOCK_STREAM))
    assert outcome(sockets[-1].bind, ("0.0.0.0", 7410)) == 0
    return {"results": [outcome(sock.bind, tuple(to)) for sock, to in zip(sockets, asked)]}


def waits(ports):
    """Has sockets with these ports, the first in the group of discovery, until it is killed."""
    sockets = [udp() for _ in ports]
    for sock, port in zip(sockets, ports):
        sock.bind(("0.0.0.0", port))
    sockets[0].setsockopt(
        socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.255.0.1") + socket.inet_aton("127.0.0.1")
    )
    print(flush=True)
    threading.Event().wait()


def joins(port):
    """Groups joined in every way, and one that cannot be."""
    four, six, elsewhere = udp(), udp(socket.AF_INET6), udp()
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    four.bind(("0.0.0.0", port))
    six.bind(("::", port))
    elsewhere.bind(("0.0.0.0", 5353))
    group, loopback = socket.inet_aton("239.255.0.1"), socket.inet_aton("127.0.0.1")
    request = struct.pack("=IIHH4s", 1, 0, socket.AF_INET, 0, socket.inet_aton("239.255.0.2")) + bytes(120)
    six_group = socket.inet_pton(socket.AF_INET6, "ff03::1") + struct.pack("=I", 1)
    calls = [
        (four, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + loopback),
        (four, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + loopback),
        (four, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + bytes(4)),
        (four, socket.IPPROTO_IP, 42, request),
        (six, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, six_group),
        (elsewhere, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + loopback),
        (four, socket.SOL_SOCKET, 35, bytes(8)),
    ]
    return {"results": [outcome(sock.setsockopt, *arguments) for sock, *arguments in calls]}


def unsent(message, targets, count):
    """Sends of a message from one socket to each of the targets in turn, and of something else, and to a closed port."""
    sock, other, connected = udp(), udp(), udp()
    message = bytes.fromhex(message)
    results = []
    for turn in range(count):
        for target in targets:
            result = outcome(sock.sendmsg, cut(message, 3), [], 0, tuple(target))
            if turn == 0:
                results.append(result)
            outcome(other.sendto, b"no RTPS", tuple(target))
    connected.connect(("127.0.0.1", 7))
    connected.send(message)
    results.append(outcome(connected.send, message))
    return {"results": results}


def flood(message, count):
    """A message `count` times, each time of another participant: the prefix in its header is replaced wherever it is."""
    message = bytes.fromhex(message)
    prefix = message[8:20]
    sock, pieces = udp(), message.split(prefix)
    for number in range(count):
        sent = struct.pack(">I", number).join([b"", prefix[4:]]).join(pieces)
        assert len(sent) == len(message)
        sock.sendto(sent, ("127.0.0.1", 7411))
    return {}


POST, OK = b"POST /RPC2 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"


def counted(connections, turns, message):
    """Conversations of which every run has the same number of records: one thread, which takes each message in one piece."""
    asker, announcer, message = udp(), udp(), bytes.fromhex(message)
    asker.bind(("127.0.0.1", 0))
    for _ in range(connections):
        client, server = pair("4")
        for number in range(turns):
            for a, b, data in ((client, server, POST), (server, client, OK)):
                data += bytes([number % 256]) * (number * 37 % 3000)
                a.sendall(data)
                assert b.recv(4096) == data
        asker.sendto(b"a query", ("127.0.0.1", 53))
        announcer.sendto(message, ("127.0.0.1", 7411))
        client.close()
        server.close()
    return {}


def xml(method, *params):
    """A call, as a method, or an answer, as None."""
    def value(it):
        if isinstance(it, int):
            return f"<value><int>{it}</int></value>"
        if isinstance(it, str):
            return f"<value><string>{it}</string></value>"
        return "<value><array><data>" + "".join(map(value, it)) + "</data></array></value>"

    inner = "<params>" + "".join(f"<param>{value(it)}</param>" for it in params) + "</params>"
    if method is None:
        head, body = "HTTP/1.1 200 OK", f"<?xml version='1.0'?><methodResponse>{inner}</methodResponse>"
    else:
        head = "POST /RPC2 HTTP/1.1"
        body = f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName>{inner}</methodCall>"
    return f"{head}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def listening():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


def publishing(master, api, data, orders):
    """A master and a publisher in one process: answers, and sends a message on every connection for each byte of `orders`."""
    uri = f"http://127.0.0.1:{api.getsockname()[1]}/"
    subscribers = []

    def answers(listener):
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],)).start()

    def answer(sock):
        while request := sock.recv(4096):
            method = request.split(b"<methodName>")[1].split(b"<")[0]
            told = [uri] if method == b"registerSubscriber" else ["TCPROS", "127.0.0.1", data.getsockname()[1]]
            sock.sendall(xml(None, [1, "", told]))

    def headers():
        while True:
            sock = data.accept()[0]
            asked = sock.recv(4096)
            name = asked.split(b"topic=")[1].split(b"\0")[0][:-1] if b"topic=" in asked else b""
            sock.sendall(header([b"callerid=/talker", b"md5sum=abc", b"type=std_msgs/String", b"topic=" + name]))
            subscribers.append(sock)

    for target, arguments in ((answers, (master,)), (answers, (api,)), (headers, ())):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    while os.read(orders, 1):
        for sock in subscribers:
            sock.sendall(struct.pack("<I", 9) + b"\5\0\0\0hello")
    os._exit(0)


def subscriber():
    """Subscribes to topics as it is told, a line each: TOPIC master, TOPIC rest, or data; answers each with a line."""
    master, api, data = listening(), listening(), listening()
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(write)
        publishing(master, api, data, read)
    os.close(read)
    to_master, connected = socket.create_connection(master.getsockname()), []
    for line in sys.stdin:
        topic, what = line.split()
        if what == "master":
            own = "http://127.0.0.1:1/"
            to_master.sendall(xml("registerSubscriber", "/listener", topic, "std_msgs/String", own))
            to_master.recv(4096)
        elif what == "rest":
            with socket.create_connection(api.getsockname()) as sock:
                sock.sendall(xml("requestTopic", "/listener", topic, [["TCPROS"]]))
                sock.recv(4096)
            sock = socket.create_connection(data.getsockname())
            fields = [b"callerid=/listener", b"md5sum=*", b"type=std_msgs/String", b"topic=" + topic.encode()]
            sock.sendall(header(fields))
            sock.recv(4096)
            connected.append(sock)
        else:
            os.write(write, b"x")
            for sock in connected:
                sock.recv(13, socket.MSG_WAITALL)
        print(flush=True)
    os.close(write)
    os._exit(0)


def talk(message, count):
    """A message once, and then over and over; after each it waits for a line."""
    message = bytes.fromhex(message)
    sock = udp()
    for turn in (1, count):
        for _ in range(turn):
            sock.sendto(message, ("127.0.0.1", 7411))
        print("{}", flush=True)
        sys.stdin.readline()
    os._exit(0)


def udpros(sizes, largest):
    """Messages over UDPROS as roscpp sends and receives them, header and payload in two pieces of memory. Then nobody listens."""
    receiver, sender = udp(), udp()
    receiver.bind(("127.0.0.1", 0))
    port = receiver.getsockname()[1]
    sender.connect(("127.0.0.1", port))

    def write(sock, number, size):
        message = struct.pack("<I", size) + b"x" * size
        blocks = [message[at:at + largest] for at in range(0, len(message), largest)]
        for block, payload in enumerate(blocks):
            head = struct.pack("<IBBH", 7, min(block, 1), number % 255 + 1, block or len(blocks))
            os.writev(sock.fileno(), [head, payload])
            yield

    for number, size in enumerate(sizes):
        for _ in write(sender, number, size):
            os.readv(receiver.fileno(), [bytearray(8), bytearray(largest)])
    receiver.close()
    results = [outcome(lambda: list(write(sender, 0, 9))) for _ in range(2)]
    unsent = udp()
    unsent.connect(("198.51.100.3", 7414))
    results.append(outcome(lambda: list(write(unsent, 0, 9))))
    return {"port": port, "results": results}


def answered(number, errno, program):
    """Becomes a program whose system calls of this number are answered so, as a container's seccomp profile does."""
    steps = (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | errno), (0x06, 0, 0, 0x7FFF0000)
    filters = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in steps))
    whole = ctypes.create_string_buffer(struct.pack("<H6xQ", len(steps), ctypes.addressof(filters)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, whole, 0, 0) == 0  # no new privileges, then the filter
    os.execv(program[0], program)


def other():
    client, server = pair("4")
    exchange(client, server, b"SSH-2.0-client\r\n" * 100, b"SSH-2.0-server\r\n" * 100, "send", "recv")
    return ports(client, server)


class Ring:
    """One request at a time through io_uring, which makes no system call for it but the one that waits."""

    def __init__(self):
        parameters = (ctypes.c_uint32 * 30)()
        self.fd = libc.syscall(425, 4, parameters)  # io_uring_setup
        assert self.fd >= 0, os.strerror(ctypes.get_errno())
        self.submit, self.complete = list(parameters[10:20]), list(parameters[20:30])
        shared = mmap.MAP_SHARED | mmap.MAP_POPULATE
        self.ring = mmap.mmap(self.fd, self.submit[6] + 4 * parameters[0], shared, offset=0)
        self.done = mmap.mmap(self.fd, self.complete[5] + 16 * parameters[1], shared, offset=0x8000000)
        self.entries = mmap.mmap(self.fd, 64 * parameters[0], shared, offset=0x10000000)

    def do(self, operation, fd, address=0, length=0, offset=0):
        at = lambda ring, place: struct.unpack_from("<I", ring, place)[0]
        self.entries[:64] = struct.pack("<BBHiQQI36x", operation, 0, 0, fd, offset, address, length)
        struct.pack_into("<I", self.ring, self.submit[6] + 4 * (at(self.ring, self.submit[1]) & 3), 0)
        struct.pack_into("<I", self.ring, self.submit[1], at(self.ring, self.submit[1]) + 1)
        assert libc.syscall(426, self.fd, 1, 1, 1, None, 0) == 1  # io_uring_enter, and wait
        head = at(self.done, self.complete[0])
        place = self.complete[5] + 16 * (head & at(self.done, self.complete[2]))
        struct.pack_into("<I", self.done, self.complete[0], head + 1)
        return struct.unpack_from("<8xi", self.done, place)[0]


def narrow_program(fd, length):
    """A 32-bit program that writes as many zeros to a descriptor."""
    base, room = 0x400000, 4096
    code = struct.pack("<BIBIBIBIH", 0xB8, 4, 0xBB, fd, 0xB9, base + room, 0xBA, length, 0x80CD)
    code += bytes.fromhex("b801000000 31db cd80")
    if ARM:
        words = (0xE59F0018, 0xE59F1018, 0xE59F2018, 0xE3A07004, 0xEF000000, 0xE3A00000, 0xE3A07001, 0xEF000000)
        code = struct.pack("<11I", *words, fd, base + room, length)
    machine, flags = (40, 0x05000000) if ARM else (3, 0)
    head = b"\x7fELF\1\1\1" + bytes(9)
    head += struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, base + 84, 52, 0, flags, 52, 32, 1, 0, 0, 0)
    head += struct.pack("<8I", 1, 0, base, base, 84 + len(code), room + length, 7, room)
    return head + code


def by_narrow_program(fd, length):
    program = os.memfd_create("narrow")
    os.write(program, narrow_program(fd, length))
    path = f"/proc/self/fd/{program}"
    child = subprocess.Popen([path], executable=path, pass_fds=[fd, program])
    assert child.wait() == 0


def by_asynchronous_write(fd, data, length):
    setup, submit, events = (0, 2, 4) if ARM else (206, 209, 208)
    context = ctypes.c_ulong(0)
    assert libc.syscall(setup, 1, ctypes.byref(context)) == 0
    request = ctypes.create_string_buffer(struct.pack("<QIIHHIQQq16x", 0, 0, 0, 1, 0, fd, ctypes.addressof(data), length, 0))
    requests = (ctypes.c_void_p * 1)(ctypes.addressof(request))
    assert libc.syscall(submit, context, 1, requests) == 1
    result = (ctypes.c_int64 * 4)()
    assert libc.syscall(events, context, 1, 1, result, None) == 1 and result[2] == length


def unknown_calls(way):
    """A request, bytes whose place in memory nobody can know, and what follows them."""
    ring = Ring() if way == "io_uring" else None
    client, server = pair("4")
    result = ports(client, server)
    name = b"POST / HTTP/1.1\r\n\r\n"
    exchange(client, server, name, b"", "send", "recv")
    fd, data = client.fileno(), ctypes.create_string_buffer(5000)
    if way == "sendfile":
        file = os.memfd_create("body")
        os.write(file, data)
        assert os.sendfile(fd, file, 0, 5000) == 5000
    elif way == "splice":
        read, write = os.pipe()
        os.write(write, data)
        assert os.splice(read, fd, 5000) == 5000
    elif way == "io_uring":
        assert ring.do(26, fd, ctypes.addressof(data), 5000) == 5000  # IORING_OP_SEND
    elif way == "io_submit":
        by_asynchronous_write(fd, data, 5000)
    elif way == "32-bit":
        by_narrow_program(fd, 5000)
    receive("recv", server, 5000)
    exchange(client, server, b"after", b"", "send", "recv")
    return {**result, "before": name.hex(), "gap": 5000, "after": b"after".hex()}


def connects(targets):
    results = []
    for address, port in targets:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        results.append(sock.connect_ex((address, port)))
        sock.close()
    return {"results": results}


def pending(address):
    sock = socket.socket()
    sock.setblocking(False)
    result = sock.connect_ex((address, 11311))
    print(json.dumps({"pid": os.getpid(), "result": result}), flush=True)
    threading.Event().wait()


def interrupted(again):
    """connect() that finds no room in the listener's queue, and a signal. `again`: whether the kernel calls it again, and finds room."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    first = [socket.socket() for _ in range(2)]
    for sock in first:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.siginterrupt(signal.SIGUSR1, not again)
    threading.Timer(0.3, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)).start()
    if again:
        threading.Timer(0.6, lambda: [listener.accept() for _ in first]).start()
    client = socket.socket()
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton("127.0.0.1"))
    result = libc.connect(client.fileno(), address, len(address))
    return {"errno": ctypes.get_errno() if result else None}


def failing_sends(count):
    client, server = pair("4")
    result = ports(client, server)
    exchange(client, server, b"POST / HTTP/1.1\r\n\r\n", b"", "send", "recv")
    server.close()
    assert client.recv(100) == b""
    failures = 0
    while failures < count:
        try:
            client.send(b"x", socket.MSG_NOSIGNAL)
        except OSError:
            failures += 1
    return result


REQUEST = b"POST /RPC2 HTTP/1.1\r\n\r\n"
# What a program without sockets of its own does with a descriptor that it is told.
WRITE = "import os, sys; os.write(int(sys.argv[1]), sys.argv[2].encode())"
# The same where the descriptor was closed by exec: the number leads to a file then.
WRITE_FILE = "import os, sys; fd = os.memfd_create('file'); os.dup2(fd, int(sys.argv[1])); os.write(int(sys.argv[1]), sys.argv[2].encode())"


def forked(act, *arguments):
    pid = os.fork()
    if pid == 0:
        act(*arguments)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    return pid


def executed(program, fd, text, inherited):
    child = subprocess.Popen(["python3", "-c", program, str(fd), text], pass_fds=[fd] if inherited else [])
    assert child.wait() == 0
    return child.pid


def stranger(act):
    """A process that has no socket of the internet, does `act` with one end of a UNIX socket, and ends. Its pid and the other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        act(theirs)
        os._exit(0)
    return pid, ours


def take_passed(end):
    _, (fd,), _, _ = socket.recv_fds(end, 10, 1)
    os.write(fd, b"passed")


def take_passed_with_credentials(end):
    end.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    (*_, first), (*_, descriptor) = end.recvmsg(10, 500)[1]
    assert len(first) == 12  # struct ucred
    os.write(*struct.unpack("i", descriptor), b"with credentials")


def take_other_s(end):
    pid, fd = json.loads(end.recv(100))
    own = libc.syscall(438, os.pidfd_open(pid), fd, 0)  # pidfd_getfd
    assert own >= 0
    os.write(own, b"fetched")


def take_passed_in_batch(end):
    """recvmmsg(), which few use for it."""
    room = ctypes.create_string_buffer(64)
    array = messages([[ctypes.create_string_buffer(10)]])
    array[0].header.control, array[0].header.control_length = ctypes.addressof(room), 64
    assert libc.recvmmsg(end.fileno(), array, 1, 0, None) == 1
    os.write(struct.unpack_from("<16xi", room)[0], b"batch")


def same_table(act):
    """A process with this one's table of descriptors, which does `act` when it hears a number."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = libc.syscall(220 if ARM else 56, 0x400 | 17, None, None, None, None)  # clone(CLONE_FILES | SIGCHLD)
    if pid == 0:
        act(theirs)
        os._exit(0)
    # What is closed here is closed there.
    theirs.detach()
    return pid, ours


def write_to_number(end):
    os.write(int(end.recv(10)), b"shared")


def connect_for_other(end):
    client, server = pair("4")
    end.send(str(client.fileno()).encode())
    receive("recv", server, len(REQUEST))
    # Closed here, it would be closed there.
    client.detach()


def listen_for_other(end):
    listener = listening()
    end.send(str(listener.getsockname()[1]).encode())
    receive("recv", listener.accept()[0], len(REQUEST))


def opened_elsewhere(way):
    """A request on a socket that no system call of this process returned."""
    if way == "one-table":
        pid, end = same_table(connect_for_other)
        fd = int(end.recv(10))
    else:
        pid, end = stranger(listen_for_other)
        to = ctypes.create_string_buffer(struct.pack("<H", 2) + struct.pack(">H4s8x", int(end.recv(10)), bytes([127, 0, 0, 1])))
        ring = Ring()
        fd = ring.do(45, socket.AF_INET, offset=socket.SOCK_STREAM)  # IORING_OP_SOCKET
        assert fd >= 0 and ring.do(16, fd, ctypes.addressof(to), offset=16) == 0  # IORING_OP_CONNECT
    os.write(fd, REQUEST)
    assert os.waitpid(pid, 0)[1] == 0
    with socket.socket(fileno=fd) as sock:
        return {"client": sock.getsockname()[1], "by": os.getpid(), "sent": REQUEST.hex()}


def handed(pid_and_end, hand):
    pid, end = pid_and_end
    hand(end)
    assert os.waitpid(pid, 0)[1] == 0
    return pid


def descriptors(way):
    """A request, and what follows it by another descriptor or another process. `by`: who sent each part."""
    strangers = {
        "passed": take_passed,
        "with credentials": take_passed_with_credentials,
        "in-batch": take_passed_in_batch,
        "fetched": take_other_s,
    }
    pid_and_end = stranger(strangers[way]) if way in strangers else None
    if way == "one-table":
        pid_and_end = same_table(write_to_number)
    client, server = pair("4")
    result, fd, own = ports(client, server), client.fileno(), os.getpid()
    os.write(fd, REQUEST)
    by, rest = own, way.encode()
    if way == "dup":
        os.write(os.dup(fd), rest)
    elif way == "dup2":
        os.write(os.dup2(fd, 700, inheritable=True), rest)
    elif way == "dup3":
        os.write(os.dup2(fd, 700, inheritable=False), rest)
    elif way == "close_range":
        other = os.dup2(fd, 700)
        assert libc.syscall(436, fd, fd, 0) == 0
        client.detach()
        os.write(other, rest)
    elif way == "F_DUPFD":
        other = fcntl.fcntl(fd, fcntl.F_DUPFD, 700)
        client.close()
        os.write(other, rest)
    elif way == "thread":
        thread = threading.Thread(target=os.write, args=(fd, rest))
        thread.start()
        thread.join()
    elif way == "fork":
        by = forked(os.write, fd, rest)
    elif way == "exec":
        by = executed(WRITE, fd, way, True)
    elif way == "close-on-exec":
        by, rest = executed(WRITE_FILE, fd, REQUEST.decode(), False), b""
    elif way in ("passed", "with credentials"):
        by = handed(pid_and_end, lambda end: socket.send_fds(end, [b"take it"], [fd]))
    elif way == "in-batch":
        rest = b"batch"
        by = handed(pid_and_end, lambda end: socket.send_fds(end, [b"take it"], [fd]))
    elif way == "one-table":
        rest = b"shared"
        by = handed(pid_and_end, lambda end: end.send(str(fd).encode()))
    elif way == "fetched":
        by = handed(pid_and_end, lambda end: end.send(json.dumps([own, fd]).encode()))
    receive("recv", server, len(REQUEST + rest))
    return {**result, "sent": (REQUEST + rest).hex(), "by": [own, by] if rest else [own]}


def number_again():
    """One number, three things: a socket, a file, another socket."""
    results = []
    for turn in (b"first", b"second"):
        client, server = pair("4")
        fd = os.dup2(client.fileno(), 700)
        client.close()
        os.write(fd, REQUEST + turn)
        receive("recv", server, len(REQUEST + turn))
        results.append({"server": server.getsockname()[1], "client": server.getpeername()[1], "sent": (REQUEST + turn).hex()})
        os.dup2(os.memfd_create("file"), 700)
        os.write(700, REQUEST + b"file")
    return results


def open_before():
    """A connection that is there when it says so; one more request after a line."""
    client, server = pair("4")
    exchange(client, server, REQUEST, b"HTTP/1.1 200 OK\r\n\r\n", "send", "recv")
    print(json.dumps({**ports(client, server), "again": REQUEST.hex()}), flush=True)
    sys.stdin.readline()
    exchange(client, server, REQUEST, b"", "send", "recv")
    os._exit(0)


if __name__ == "__main__":
    case, arguments = json.loads(sys.argv[1])
    print(json.dumps(globals()[case](*arguments)))
