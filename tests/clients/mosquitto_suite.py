"""The command-line clients against the real server: mosquitto_pub, _sub and _rr, and by the same
cases hexmq pub, sub and rr, whose flags and exit codes are the same."""

import os
import queue
import signal
import subprocess
import tempfile
import threading

from suite import CAFILE, HOST, OVER, PASSWORD, PATIENCE, PORT, TLS, USER, Suite, same, unique

HEXMQ = os.environ.get("HEXMQ_PROGRAM")
OWN = os.environ.get("HEXMQ_TOOLS") == "hexmq"
UNIX = os.environ.get("HEXMQ_UNIX")
VERSIONS = ("mqttv31", "mqttv311", "mqttv5")
QOS = (0, 1, 2)

# One line per message, told apart from what -d says by its first character.
FORMAT = "=%t|%q|%r|%p"


def program(tool):
    # Into a pipe, the C library would keep what -d says until its buffer is full.
    return [HEXMQ, tool] if OWN else ["stdbuf", "-oL", f"mosquitto_{tool}"]


def line(tool, version, *flags):
    tls = ["--cafile", CAFILE] if TLS else []
    return [*program(tool), "-h", HOST, "-p", str(PORT), *tls, "-V", version, *map(str, flags)]


def run(tool, version, *flags, stdin=b"", code=0):
    """Runs to the end; gives standard output."""
    command = line(tool, version, *flags)
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE)
    if done.returncode != code:
        raise AssertionError(f"{command} ended with {done.returncode}, not {code}: {done.stdout + done.stderr}")
    return done.stdout


def publish(version, *flags, **more):
    return run("pub", version, *flags, **more)


def is_suback(text):
    return "SUBACK" in text or text.startswith("Subscribed (mid: 1)")


class Subscriber:
    """A subscriber in the background; the constructor returns when it is subscribed."""

    def __init__(self, version, *flags):
        command = line("sub", version, "-d", "-F", FORMAT, *flags)
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.lines, self.said = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()
        while not is_suback(self._next()):
            pass

    def _read(self):
        for raw in self.process.stdout:
            self.lines.put(raw.decode(errors="replace").rstrip("\n"))
        self.lines.put(None)

    def _next(self):
        try:
            text = self.lines.get(timeout=PATIENCE)
        except queue.Empty:
            text = None
        if text is None:
            raise AssertionError(f"{self.process.args} said only: {self.said}")
        self.said.append(text)
        return text

    def take(self, count=1):
        messages = []
        while len(messages) < count:
            text = self._next()
            if text.startswith("="):
                topic, qos, retain, payload = text[1:].split("|", 3)
                messages.append((topic, int(qos), int(retain), payload))
        return messages

    def end(self, code):
        """Waits for its own end."""
        same(self.process.wait(PATIENCE), code, "exit code")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)


def round_trip(version, qos):
    topic = unique("cli/round")
    subscriber = Subscriber(version, "-t", topic, "-q", qos, "-C", 2)
    publish(version, "-t", topic, "-q", qos, "-m", "first")
    publish(version, "-t", topic, "-q", qos, "-m", "温度 21 °C")
    same(subscriber.take(2), [(topic, qos, 0, "first"), (topic, qos, 0, "温度 21 °C")])
    subscriber.end(0)


def sources_of_payloads(version):
    topic = unique("cli/sources")
    subscriber = Subscriber(version, "-t", topic, "-q", 1, "-C", 5)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"from a file")
        file.flush()
        publish(version, "-t", topic, "-q", 1, "-f", file.name)
    publish(version, "-t", topic, "-q", 1, "-s", stdin=b"standard input")
    publish(version, "-t", topic, "-q", 1, "-l", stdin=b"one\ntwo\n")
    publish(version, "-t", topic, "-q", 1, "-n")
    payloads = [payload for _, _, _, payload in subscriber.take(5)]
    same(payloads, ["from a file", "standard input", "one", "two", ""])
    subscriber.end(0)


def retained(version, qos):
    topic = unique("cli/retained")
    publish(version, "-t", topic, "-q", qos, "-r", "-m", "kept")
    if qos == 0:  # the end of a QoS 0 publisher does not say that the server has read it all
        fence = Subscriber(version, "-t", f"{topic}/fence", "-C", 1)
        publish(version, "-t", f"{topic}/fence", "-q", 1, "-m", "")
        fence.take()
        fence.end(0)
    same(run("sub", version, "-t", topic, "-q", qos, "-C", 1, "-F", FORMAT).decode(), f"={topic}|{qos}|1|kept\n")
    same(run("sub", version, "-t", topic, "-v", "-C", 1).decode(), f"{topic} kept\n")
    subscriber = Subscriber(version, "-t", topic, "-q", 1, "-R", "-C", 1)
    publish(version, "-t", topic, "-q", 1, "-m", "fresh")
    same(subscriber.take(), [(topic, 1, 0, "fresh")], "stale messages are left out by -R")
    subscriber.end(0)
    publish(version, "-t", topic, "-q", 1, "-r", "-n")
    run("sub", version, "-t", topic, "-C", 1, "-W", 1, code=27)


def will(version, qos):
    topic = unique("cli/will")
    watcher = Subscriber(version, "-t", topic, "-q", 2, "-C", 1)
    dying = Subscriber(
        version, "-t", f"{topic}/other", "--will-topic", topic, "--will-payload", "gone", "--will-qos", qos
    )
    dying.kill()
    same(watcher.take(), [(topic, qos, 0, "gone")])
    watcher.end(0)


def persistent_session(version, qos):
    topic, name = unique("cli/persistent"), unique("cli")
    kept = ["-i", name, "-c", "-q", qos, "-t", topic]
    if version == "mqttv5":
        kept += ["-x", 3600]
    # It ends by itself: a signal in the middle of its loop can hang mosquitto_sub.
    first = Subscriber(version, *kept, "-C", 1)
    publish(version, "-t", topic, "-q", qos, "-m", "first")
    first.end(0)
    for number in range(10):
        publish(version, "-t", topic, "-q", qos, "-m", number)
    # What waited comes before the SUBACK, so nobody waits for that here.
    same(run("sub", version, *kept, "-C", 10).decode().split(), [str(number) for number in range(10)])


def shared_subscription(version):
    topic = unique("cli/shared")
    members = [Subscriber(version, "-t", f"$share/g/{topic}", "-t", topic + "/done", "-q", 1) for _ in range(2)]
    publish(version, "-t", topic, "-q", 1, "-l", stdin="".join(f"{n}\n" for n in range(40)).encode())
    publish(version, "-t", topic + "/done", "-q", 1, "-m", "done")
    got = []
    for member in members:
        while (message := member.take()[0])[3] != "done":
            got.append(int(message[3]))
        member.kill()
    same(sorted(got), list(range(40)), "each message to exactly one member")


def request_and_response(version):
    questions, answers = unique("cli/questions"), unique("cli/answers")
    answering = Subscriber(version, "-t", questions, "-q", 1, "-C", 1)
    asking = subprocess.Popen(
        line("rr", version, "-t", questions, "-e", answers, "-q", 1, "-m", "what?", "-W", PATIENCE),
        stdout=subprocess.PIPE,
    )
    same(answering.take(), [(questions, 1, 0, "what?")])
    publish(version, "-t", answers, "-q", 1, "-m", "that")
    same(asking.communicate(timeout=PATIENCE)[0].decode(), "that\n")
    same(asking.returncode, 0, "exit code of rr")
    answering.end(0)


def properties():
    topic = unique("cli/properties")
    command = line("sub", "mqttv5", "-t", topic, "-C", 1, "-F", "=%C|%R|%D|%P", "-d")
    subscriber = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    watchdog = threading.Timer(PATIENCE, subscriber.kill)
    watchdog.start()
    for text in subscriber.stdout:
        said.append(text)
        if is_suback(text):
            publish(
                "mqttv5", "-t", topic, "-q", 1, "-m", "x",
                "-D", "publish", "content-type", "text/plain",
                "-D", "publish", "response-topic", "a/b",
                "-D", "publish", "correlation-data", "7",
                "-D", "publish", "user-property", "name", "value",
            )
        if text.startswith("="):
            same(text, "=text/plain|a/b|7|name:value\n")
    watchdog.cancel()
    same(subscriber.wait(PATIENCE), 0, f"exit code, after {said}")


def credentials(version):
    publish(version, "-t", unique("cli/user"), "-q", 1, "-m", "x", "-u", USER, "-P", PASSWORD)
    refused = 0x86 if version == "mqttv5" else 4
    publish(version, "-t", unique("cli/user"), "-m", "x", "-u", USER, "-P", f"not {PASSWORD}", code=refused)


def unix_socket(version):
    topic = unique("cli/unix")
    publish(version, "--unix", UNIX, "-t", topic, "-q", 1, "-r", "-m", "through a file")
    same(run("sub", version, "-t", topic, "-C", 1).decode(), "through a file\n")
    publish(version, "--unix", UNIX, "-t", topic, "-q", 1, "-r", "-n")


def main():
    suite = Suite("hexmq-pub-sub-rr" if OWN else "mosquitto-clients")
    suite.each(round_trip, VERSIONS, QOS)
    suite.each(sources_of_payloads, VERSIONS)
    suite.each(retained, VERSIONS, QOS)
    suite.each(will, VERSIONS, QOS)
    suite.each(persistent_session, VERSIONS, (1, 2))
    suite.each(shared_subscription, VERSIONS)
    suite.each(request_and_response, VERSIONS)
    suite.add(properties)
    if USER:
        suite.each(credentials, VERSIONS)
    if UNIX and not OWN and not TLS:  # there is no TLS over a file
        suite.each(unix_socket, VERSIONS)
    suite.run()


main()
