"""The peer: an ONNX model behind FastAPI and uvicorn, one process, no key, no split, no collection. `fastapi_server.py MODEL`.

As lean as FastAPI allows: the raw request (no Pydantic model), orjson, uvloop, httptools, no access log.
"""

import socket
import sys

import numpy as np
import onnxruntime as ort
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
source = session.get_inputs()[0].name
app = FastAPI()


@app.post("/score")
async def score(request: Request) -> Response:
    """The labels of `{"input_data": [[…], …]}`."""
    given = orjson.loads(await request.body())["input_data"]
    labels = session.run(None, {source: np.array(given, dtype=np.float32)})[0]
    return Response(orjson.dumps(labels.tolist()), media_type="application/json")


with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, loop="uvloop", http="httptools", log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])
