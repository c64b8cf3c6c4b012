"""Runs one score script for a replica, in the user's own interpreter. Standard library only; Python 3.7 to 3.13.

Started as `python score_host.py <fd> <parent pid>` with `AZUREML_ENTRY_SCRIPT`, `AML_APP_ROOT` and
`AZUREML_MODEL_DIR` set. It speaks over the Unix socket `fd`, in frames of a 4-byte big-endian length and a JSON
header, followed by `header["length"]` bytes of body:

    host → replica    {"op": "ready", "python": "3.8.18"}  or  {"op": "failed", "traceback": "…"}   once, after init()
    replica → host    {"op": "run", "id": "…", "length": n} + the request's body
    host → replica    {"op": "done", "length": n} + the answer's JSON   or   {"op": "failed", "error": "ValueError: …"}

One request at a time. What the script prints goes to the deployment's log.
"""

import ctypes
import importlib.util
import json
import os
import signal
import socket
import struct
import sys
import traceback


def die_with_parent(parent):
    """Asks the kernel to kill this process when the replica's thread that started it ends (prctl(2),
    PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def read_exactly(connection, size):
    chunks = []
    while size:
        chunk = connection.recv(min(size, 1 << 20))
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def receive(connection):
    (size,) = struct.unpack(">I", read_exactly(connection, 4))
    header = json.loads(read_exactly(connection, size).decode())
    return header, read_exactly(connection, header.get("length", 0))


def send(connection, header, body=b""):
    if body:
        header["length"] = len(body)
    text = json.dumps(header).encode()
    connection.sendall(struct.pack(">I", len(text)) + text + body)


def load(script):
    """The script as a module, its folder importable, as `python script.py` would have it."""
    sys.path[0] = os.path.dirname(script)  # instead of this file's folder
    name = os.path.splitext(os.path.basename(script))[0]
    spec = importlib.util.spec_from_file_location(name, script)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    for function in ("init", "run"):
        if not callable(getattr(module, function, None)):
            raise TypeError("%s has no function %s()" % (os.path.basename(script), function))
    return module


def describe(error):
    return "%s: %s" % (type(error).__name__, error)


def score(module, body):
    """What `run` gives for a request, as JSON. A text is one JSON string, as on Azure."""
    result = module.run(body.decode("utf-8"))
    try:
        return json.dumps(result).encode()
    except (TypeError, ValueError) as error:
        raise TypeError("run() has to return what json.dumps takes (for arrays: .tolist()): %s" % error)


def serve(connection, module):
    while True:
        header, body = receive(connection)
        try:
            answer = score(module, body)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            answer = None
            failure = describe(error)
        sys.stdout.flush()
        sys.stderr.flush()
        if answer is None:
            send(connection, {"op": "failed", "id": header.get("id"), "error": failure})
        else:
            send(connection, {"op": "done", "id": header.get("id")}, answer)


def main():
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    die_with_parent(int(sys.argv[2]))
    script = os.path.join(os.environ["AML_APP_ROOT"], os.environ["AZUREML_ENTRY_SCRIPT"])
    sys.argv = [script]
    try:
        module = load(script)
        module.init()
    except BaseException:
        send(connection, {"op": "failed", "traceback": traceback.format_exc()})
        sys.exit(1)
    sys.stdout.flush()
    send(connection, {"op": "ready", "python": "%d.%d.%d" % sys.version_info[:3]})
    try:
        serve(connection, module)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the replica has closed its end


if __name__ == "__main__":
    main()
