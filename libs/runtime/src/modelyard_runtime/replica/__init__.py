"""A deployment's replica: loads one model, answers scoring requests on its own listener, and tells the edges where it
is.

`dataplane` knows nothing of HTTP, `http` nothing of models; `routes` joins them. `server.Replica` is all of it
without Ray, `app.build` puts it into a Ray Serve application.
"""
